"""The two hooks through which plugins reach the explorer."""

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
    """The function that a plugin is handed to register its architectures with."""

    def __call__(self, architecture: type, /, *, name: str | None = None) -> None:
        """Offer `architecture`, an `nn.Module` class, under `name`.

        Without a name, the class's own is used: `ResidualBN` becomes `residual-bn`.
        """


class RegisterDataSet(Protocol):
    """The function that a plugin is handed to register its data sets with."""

    def __call__(self, dataset: "DataSet", /) -> None:
        """Offer `dataset`."""


def hookimpl(function: _F) -> _F:
    """Mark a plugin's function as the implementation of the hook of the same name."""
    return _hookimpl(function)


@_hookspec
def register_architectures(register: RegisterArchitecture) -> None:
    """Offer one architecture or several to the explorer.

    Called once, when the plugin is loaded. An architecture is a `torch.nn.Module` class whose
    constructor takes an `ImageSpec` first; each further option has a default and becomes a
    widget, a command-line option and a check. The first line of its docstring is its summary.

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

    Called once, when the plugin is loaded. Nothing is read before a data set is used; what it reads
    then is checked, and kept in the cache folder.

    Example:
        ```python
        @hookimpl
        def register_datasets(register):
            register(image_folder("leaves", "~/pictures/leaves", size=32))
            register(npz_file("shapes", "~/shapes.npz"))
        ```
    """
