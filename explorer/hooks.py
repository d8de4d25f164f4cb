"""The two hooks by which plugins register what they offer."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol, TypeVar

import pluggy

if TYPE_CHECKING:
    from explorer.data.dataset import DataSet

PROJECT = "explorer"
HOOKS = ("register_architectures", "register_datasets")

_F = TypeVar("_F", bound=Callable[..., object])

_hookspec = pluggy.HookspecMarker(PROJECT)
_hookimpl = pluggy.HookimplMarker(PROJECT)


class RegisterArchitecture(Protocol):
    """The function that a plugin calls to register its architectures."""

    def __call__(self, architecture: type, /, *, name: str | None = None) -> None:
        """Offer `architecture`, an `nn.Module` class, under `name`.

        Without a name, it is made of the class's: `ResidualBN` becomes `residual-bn`.
        """


class RegisterDataSet(Protocol):
    """The function that a plugin calls to register its data sets."""

    def __call__(self, dataset: "DataSet", /) -> None:
        """Offer `dataset`."""


def hookimpl(function: _F) -> _F:
    """Mark a plugin's function as the implementation of the hook of the same name."""
    return _hookimpl(function)


@_hookspec
def register_architectures(register: RegisterArchitecture) -> None:
    """Offer one architecture or several to the explorer.

    Called once, when the plugin is loaded. An architecture is a `torch.nn.Module` class whose
    constructor takes an `ImageSpec` first. Each further argument is an option: it has a default,
    and becomes a widget and a command-line option whose values are checked. The first paragraph of
    the docstring is the summary. An architecture need not take all images: it is built and run once
    when it is loaded, and is offered for the data sets that it fits.

    Example:
        ```python
        @hookimpl
        def register_architectures(register):
            register(Inception)  # as "inception"
            register(InceptionBN)  # as "inception-bn"
            register(Residual, name="skipping")  # as "skipping"
        ```
    """


@_hookspec
def register_datasets(register: RegisterDataSet) -> None:
    """Offer one data set or several to the explorer.

    Called once, when the plugin is loaded. No image is read before a data set is used; the images
    are checked then, and kept in the cache folder.

    Example:
        ```python
        @hookimpl
        def register_datasets(register):
            register(image_folder("leaves", "~/pictures/leaves", size=32))
            register(npz_file("shapes", "~/shapes.npz"))
        ```
    """
