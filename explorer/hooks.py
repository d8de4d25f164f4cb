"""The four hooks by which plugins register what they offer."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Protocol, TypeVar

import pluggy

if TYPE_CHECKING:
    from torch import nn

    from explorer.data.dataset import DataSet
    from explorer.lessons import Lesson

PROJECT = "explorer"
HOOKS = (
    "register_architectures",
    "register_datasets",
    "register_lessons",
    "register_translations",
)

_F = TypeVar("_F", bound=Callable[..., object])

_hookspec = pluggy.HookspecMarker(PROJECT)
_hookimpl = pluggy.HookimplMarker(PROJECT)


class RegisterArchitecture(Protocol):
    """The function that a plugin calls to register its architectures."""

    def __call__(
        self,
        architecture: "Callable[..., nn.Module]",
        /,
        *,
        name: str | None = None,
        fixed: Mapping[str, object] | None = None,
    ) -> None:
        """Offer `architecture`, an `nn.Module` class or a function that returns one, under `name`.

        Without a name, it is made of that of the class or function: `ResidualBN` becomes
        `residual-bn`. The arguments in `fixed` always have these values, and are no options.
        """


class RegisterDataSet(Protocol):
    """The function that a plugin calls to register its data sets."""

    def __call__(self, dataset: "DataSet", /) -> None:
        """Offer `dataset`."""


class RegisterLesson(Protocol):
    """The function that a plugin calls to register its lessons."""

    def __call__(self, lesson: "Lesson", /) -> None:
        """Offer `lesson`."""


class RegisterTranslations(Protocol):
    """The function that a plugin calls to register translations."""

    def __call__(self, language: str, texts: Mapping[str, str], /) -> None:
        """Offer `texts` in a language such as `zh-CN`: a translation for each English text."""


def hookimpl(function: _F) -> _F:
    """Mark a plugin's function as the implementation of the hook of the same name."""
    return _hookimpl(function)


@_hookspec
def register_architectures(register: RegisterArchitecture) -> None:
    """Offer one architecture or several to the explorer.

    Called once, when the plugin is loaded. An architecture is any callable that returns a
    `torch.nn.Module`: a class, a function, a `functools.partial`. If one of its arguments is
    annotated as `ImageSpec`, or its first is called `images`, each other argument is an option: it
    has a default, and becomes a widget and a command-line option whose values are checked.

    Any other callable is taken as it is. Its arguments `num_classes`, `in_channels` or `in_chans`,
    and `img_size` or `image_size` are those of the images; what has a type or a default that a
    widget can show is an option; what else has a default keeps it.

    The first paragraph of the docstring is the summary. An architecture need not take all images:
    it is built, run and trained for one step when it is loaded, and is offered for the data sets
    that it fits. One that takes colour images only is given grey ones with their grey in each
    channel.

    Example:
        ```python
        @hookimpl
        def register_architectures(register):
            register(Inception)  # as "inception"
            register(InceptionBN)  # as "inception-bn"
            register(Residual, name="skipping")  # as "skipping"
            register(torchvision.models.resnet18, fixed={"weights": None})  # as "resnet18"
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


@_hookspec
def register_lessons(register: RegisterLesson) -> None:
    """Offer one lesson or several to the explorer.

    Called once, when the plugin is loaded. Texts are read and compared with the parts then; a part
    computes when somebody opens the lesson, in a process with a time limit.

    Example:
        ```python
        @hookimpl
        def register_lessons(register):
            texts = Path(__file__).parent / "texts"  # with en/gates.md
            register(Lesson("gates", texts=texts, parts=[Part(opened)]))
        ```
    """


@_hookspec
def register_translations(register: RegisterTranslations) -> None:
    """Offer what the plugin says in another language, or several.

    Called once, when the plugin is loaded. A text is as it is in the code, with or without its line
    breaks: a paragraph of the docstring of a class or function that is registered, or the first one
    of the file; the label (`use_skip` is "Use skip"), the explanation and the choices of an option;
    the title of a data set, and the names of its classes; the title of a lesson's source. Who reads
    the language is shown the translation; a text without one is shown as it is. If two plugins
    translate the same text, the first that is loaded has it. The texts of lessons are files.

    Example:
        ```python
        @hookimpl
        def register_translations(register):
            register(
                "zh-CN",
                {
                    "Two convolutions around a skip.": "两个卷积，外加一条跳跃连接。",
                    "Channels of every block": "每个块的通道数",
                },
            )
        ```
    """
