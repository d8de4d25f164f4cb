"""Loads one plugin: imports it, calls its hooks, checks what it registers."""

import contextlib
import inspect
import re
import sys
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType, MappingProxyType
from typing import Any, Protocol

import pluggy
from torch import nn
from torch.overrides import TorchFunctionMode

from explorer import hooks
from explorer.data.dataset import DataSet
from explorer.hooks import HOOKS
from explorer.language import listed, match, one_line, say
from explorer.lessons.lesson import Lesson
from explorer.plugin.architecture import Architecture, printing_to_stderr, try_out
from explorer.plugin.catalogue import Description
from explorer.plugin.constructor import Constructor, definition_of, name_of, read
from explorer.plugin.guard import guarded
from explorer.plugin.lessons import LessonDescription, describe
from explorer.plugin.sources import PluginError, Source, fingerprint, import_plugin
from explorer.spec import ImageSpec
from explorer.text import cut, suggest, visible

# Of what each hook registers.
_EXAMPLES = ("YourNetwork", "DataSet(…)", "Lesson(…)", '"zh-CN", {…}')
LONGEST_NAME = 60  # characters of an architecture's
_LANGUAGE = re.compile("[A-Za-z]{2,3}([-_][A-Za-z0-9]{2,8})*")

# The images on which a new network is tried, one kind after the other until it takes one.
KINDS = tuple(
    ImageSpec(channels, size, num_classes=10)
    for channels, size in ((1, 28), (3, 32), (1, 32), (3, 28), (3, 64))
)


@dataclass(frozen=True, slots=True)
class Refused:
    """What a plugin tried to offer and cannot.

    Attributes:
        name: The class or function that was registered; empty for the plugin as a whole.
        error: Why it is refused.
        file: The file in the plugin's folder where it is defined or registered; empty for a plugin
            that is one file.
        line: Its line there; 0 if that is unknown.
    """

    name: str
    error: BaseException
    file: str = ""
    line: int = 0

    def explained(self, reason: str) -> str:
        """Return the reason as a sentence that says what is refused, and where it is."""
        places = {"reason": reason, "name": self.name, "file": self.file, "line": self.line}
        if self.name and self.line and self.file:
            return say("{name} ({file}, line {line}): {reason}", **places)
        if self.name and self.line:
            return say("{name} (line {line}): {reason}", **places)
        if self.name:
            return say("{name}: {reason}", **places)
        if self.line and self.file:
            return say("{file}, line {line}: {reason}", **places)
        return say("Line {line}: {reason}", **places) if self.line else reason


@dataclass(frozen=True, slots=True)
class Taught:
    """A lesson with its code, and as it is described."""

    lesson: Lesson
    description: LessonDescription

    @property
    def origin(self) -> str:
        """The plugin that offers it, as a person reads it."""
        return self.description.origin


@dataclass(frozen=True, slots=True)
class Offer:
    """What a plugin offers, by name.

    Attributes:
        architectures: Networks that can be built.
        datasets: Data sets to train them on.
        lessons: Lessons.
        translations: Of its texts, by language and by the text.
        refused: What cannot be used, the plugin itself included.
        changed: What the plugin changed in this process while it was loaded; it is as before.
    """

    architectures: dict[str, Architecture] = field(default_factory=dict)
    datasets: dict[str, DataSet] = field(default_factory=dict)
    lessons: dict[str, Taught] = field(default_factory=dict)
    translations: dict[str, dict[str, str]] = field(default_factory=dict)
    refused: list[Refused] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)

    @contextlib.contextmanager
    def refusing(self, name: str = "", place: tuple[str, int] = ("", 0)) -> Iterator[None]:
        """Note what the block raises, so that one mistake takes nothing else down.

        Raises:
            KeyboardInterrupt: It is the user's.
        """
        try:
            yield
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # a plugin may raise anything, SystemExit included
            self.refused.append(Refused(name, error, *place))


def load_plugin(
    source: Source, taken: Offer, known: Mapping[str, Description] = MappingProxyType({})
) -> Offer:
    """Load a plugin and check what it offers; what cannot be used is in `Offer.refused`.

    Args:
        source: The plugin.
        taken: What others offer already; a name can be given only once. Networks are tried on
            these data sets too.
        known: Networks of the same code that were tried before, which need not be tried again.
    """
    code = fingerprint(source.location)
    offer, family = Offer(), ""

    def register_architecture(
        architecture: Callable[..., nn.Module],
        /,
        *,
        name: str | None = None,
        fixed: Mapping[str, object] | None = None,
    ) -> None:
        label, called = name_of(architecture), sys._getframe(1)
        with offer.refusing(label, _place(architecture if label else None, called, source)):
            constructor = _read(architecture, fixed)
            name = _named(constructor, name)
            renamed = f"register({label or 'f'}, name=…)"
            _refuse_taken(name, renamed, taken.architectures, offer.architectures)
            datasets = [*taken.datasets.values(), *offer.datasets.values()]
            kinds = dict.fromkeys([*KINDS, *(dataset.images for dataset in datasets)])
            if (seen := known.get(name)) and seen.fingerprint == code:
                images, parameters = seen.images, seen.parameters
            else:
                images, parameters = _probe(constructor, kinds)
            offer.architectures[name] = Architecture(
                name=name,
                options=constructor.options,
                description=constructor.description,
                file=constructor.file,
                source=source,
                fingerprint=code,
                images=images,
                parameters=parameters,
                family=family,
                constructor=constructor,
            )

    def register_dataset(dataset: DataSet, /) -> None:
        with offer.refusing(place=_place(None, sys._getframe(1), source)):
            if not isinstance(dataset, DataSet):
                raise PluginError(
                    say("The function register takes a DataSet, not {given}.", given=repr(dataset))
                )
            _refuse_taken(dataset.name, "DataSet(name=…)", taken.datasets, offer.datasets)
            offer.datasets[dataset.name] = dataset.offered_by(
                source.origin, source.location, source.target, code
            )

    def register_lesson(lesson: Lesson, /) -> None:
        with offer.refusing(place=_place(None, sys._getframe(1), source)):
            if not isinstance(lesson, Lesson):
                raise PluginError(
                    say("The function register takes a Lesson, not {given}.", given=repr(lesson))
                )
            description = describe(lesson, source, code)
            _refuse_taken(lesson.name, "Lesson(name, …)", taken.lessons, offer.lessons)
            offer.lessons[lesson.name] = Taught(lesson, description)

    def register_translations(language: str, texts: Mapping[str, str], /) -> None:
        with offer.refusing(place=_place(None, sys._getframe(1), source)):
            own = _translations(language, texts)
            name = match(language) or language
            before = offer.translations.get(name, {})
            # Those in zh-TW are for readers of zh-CN only where there are no others.
            is_exact = name.lower() == language.replace("_", "-").lower()
            offer.translations[name] = {**before, **own} if is_exact else {**own, **before}

    with printing_to_stderr(), guarded(offer.changed), offer.refusing():
        manager = pluggy.PluginManager(hooks.PROJECT)
        manager.add_hookspecs(hooks)
        plugin = import_plugin(source)
        family = _first_paragraph(plugin.__doc__)
        manager.register(plugin)
        implemented = _check_hooks(manager)
        # The data sets first, since its networks may be made for these alone.
        with offer.refusing():
            manager.hook.register_datasets(register=register_dataset)
        with offer.refusing():
            manager.hook.register_architectures(register=register_architecture)
        with offer.refusing():
            manager.hook.register_lessons(register=register_lesson)
        with offer.refusing():
            manager.hook.register_translations(register=register_translations)
        offered = offer.architectures or offer.datasets or offer.lessons or offer.translations
        if not (offered or offer.refused):
            example = dict(zip(HOOKS, _EXAMPLES, strict=True))[implemented[0]]
            raise PluginError(
                say(
                    "The hook {hook} registered nothing; call register({example}) in it.",
                    hook=implemented[0],
                    example=example,
                )
            )
    return offer


def _read(
    architecture: Callable[..., nn.Module], fixed: Mapping[str, object] | None
) -> Constructor:
    """Read how what was registered is called.

    Raises:
        PluginError: It makes no networks.
        OptionError: It cannot be called with what the explorer knows.
    """
    is_network = isinstance(architecture, nn.Module)
    makes_none = isinstance(architecture, type) and not issubclass(architecture, nn.Module)
    if is_network or makes_none or not callable(architecture):
        name = type(architecture).__name__
        raise PluginError(
            say(
                "The function register takes a torch.nn.Module class or a function that returns a "
                "network, not {given}.",
                given=say("a network, {name}(…)", name=name) if is_network else repr(architecture),
            )
        )
    if fixed is not None and not isinstance(fixed, Mapping):
        raise PluginError(
            say(
                "fixed must be a dictionary from names of arguments to values, not {given}.",
                given=repr(fixed),
            )
        )
    return read(architecture, fixed)


def _translations(language: str, texts: Mapping[str, str]) -> dict[str, str]:
    """Return translations by the text; one that is empty is none.

    Raises:
        PluginError: They are not texts for texts, or the language is not written as such.
    """
    if not isinstance(language, str) or not _LANGUAGE.fullmatch(language):
        raise PluginError(
            say(
                "The language of translations is written as in 'zh-CN', not {given}.",
                given=repr(language),
            )
        )
    if not isinstance(texts, Mapping):
        raise PluginError(
            say(
                "Translations are a dictionary from texts to the same texts in {language}, not "
                "{given}.",
                language=language,
                given=repr(texts),
            )
        )
    for text, translation in texts.items():
        if not isinstance(text, str) or not isinstance(translation, str):
            raise PluginError(
                say(
                    "The translation of {text} into {language} is {translation}; both must be "
                    "texts.",
                    text=repr(text),
                    language=language,
                    translation=repr(translation),
                )
            )
    return {one_line(text): told.strip() for text, told in texts.items() if told.strip()}


def _first_paragraph(text: object) -> str:
    """Return the first paragraph of a docstring, on one line; what is no text says nothing."""
    return (
        " ".join(inspect.cleandoc(text).split("\n\n")[0].split()) if isinstance(text, str) else ""
    )


def _named(constructor: Constructor, name: str | None) -> str:
    """Return the name of an architecture: the one that it is given, or that of its constructor.

    Raises:
        PluginError: There is none, or it cannot be shown.
    """
    if name is not None and not isinstance(name, str):
        raise PluginError(
            say("The name of an architecture must be text, not {given}.", given=repr(name))
        )
    if not name and not constructor.name:
        raise PluginError(say("A function without a name needs one: register(f, name=…)."))
    chosen = str(name or _kebab(constructor.name))
    if len(chosen) > LONGEST_NAME or visible(chosen) != " ".join(chosen.split()):
        raise PluginError(
            say(
                "The name {name!r} cannot be shown on a page; use at most {most} characters, all "
                "of which can be seen.",
                name=cut(chosen, LONGEST_NAME),
                most=LONGEST_NAME,
            )
        )
    return chosen


def _place(architecture: Any, called: FrameType, source: Source) -> tuple[str, int]:
    """Return where in a plugin a class or function is defined, or else where it is registered."""
    definition, home = definition_of(architecture), source.location
    places = [(called.f_code.co_filename, called.f_lineno)]
    with contextlib.suppress(OSError, TypeError):
        file = inspect.getsourcefile(definition) or ""
        places.insert(0, (file, inspect.getsourcelines(definition)[1]))
    for file, line in places:
        if home is not None and Path(file).is_relative_to(home):
            within = Path(file).relative_to(home).as_posix()
            return "" if within == "." else within, line
    return "", 0


class _Offered(Protocol):
    @property
    def origin(self) -> str: ...


def _refuse_taken(name: str, renamed: str, *offered: Mapping[str, _Offered]) -> None:
    for each in offered:
        if holder := each.get(name):
            raise PluginError(
                say(
                    "The name {name!r} is taken by {holder}; register it under another name: "
                    "{renamed}.",
                    name=name,
                    holder=holder.origin,
                    renamed=renamed,
                )
            )


def _check_hooks(manager: pluggy.PluginManager) -> list[str]:
    """Return the names of the hooks that the plugin implements.

    Raises:
        PluginError: It implements none, or one that does not exist.
    """
    plugin = next(iter(manager.get_plugins()))
    callers = manager.get_hookcallers(plugin) or []
    for caller in callers:
        if not caller.spec:
            raise PluginError(
                say(
                    "The function {name} is not a hook of the explorer; {meant}",
                    name=caller.name,
                    meant=suggest(caller.name, HOOKS),
                )
            )
    if not callers:
        raise PluginError(
            say(
                "It implements no hook; write `@hookimpl` above a function {functions}.",
                functions=listed([f"`{hook}(register)`" for hook in HOOKS], say(" or ")),
            )
        )
    return [caller.name for caller in callers]


def _probe(constructor: Constructor, kinds: Collection[ImageSpec]) -> tuple[ImageSpec, int]:
    """Find the first kind of images that a network takes.

    Returns:
        These images, and the number of its trainable parameters when it is built for them.

    Raises:
        BaseException: It takes none. This is what it raised where it came furthest: a network for
            colour is not to be called wrong for its refusal of grey images.
    """

    def parameters(images: ImageSpec) -> int:
        model = try_out(constructor, images)
        return sum(p.numel() for p in model.parameters() if p.requires_grad)

    for images in kinds:
        with contextlib.suppress(Exception, SystemExit):
            return images, parameters(images)
    furthest = max(kinds, key=lambda images: _operations(constructor, images))
    return furthest, parameters(furthest)


def _operations(constructor: Constructor, images: ImageSpec) -> int:
    """Count the operations of torch that a network gets through before it fails."""
    counter = _Counter()
    with contextlib.suppress(Exception, SystemExit), counter:
        try_out(constructor, images)
    return counter.count


class _Counter(TorchFunctionMode):
    def __init__(self) -> None:
        super().__init__()
        self.count = 0

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        result = func(*args, **(kwargs or {}))
        self.count += 1
        return result


def _kebab(name: str) -> str:
    """`ResidualBN` → `residual-bn`, `vit_b_16` → `vit-b-16`."""
    name = name.replace("_", "-")
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "-", name).lower()
