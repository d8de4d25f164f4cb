"""How a network's constructor is called: what it gets of the images, what is fixed, what is open.

A constructor is any callable that returns an `nn.Module`. One that takes an `ImageSpec` is written
for the explorer, so each of its other arguments must become an option. Any other is somebody
else's: it gets what it asks for by the names that everyone uses, and what has no widget keeps its
default.
"""

import functools
import inspect
import types
import typing
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from operator import attrgetter
from typing import Annotated, Any, Union, get_args, get_origin

from torch import nn

from explorer.language import say
from explorer.plugin.options import Option, OptionError, Value, find_options, read_options
from explorer.plugin.sources import PluginError
from explorer.spec import ImageSpec
from explorer.text import suggest

_KNOWN: Mapping[str, Callable[[ImageSpec], object]] = {
    "num_classes": attrgetter("num_classes"),
    "in_channels": attrgetter("channels"),
    "in_chans": attrgetter("channels"),
    "img_size": attrgetter("size"),
    "image_size": attrgetter("size"),
}
_VARIABLE = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)

# Methods of nn.Module that nothing calls while a network is trained and looked into.
_UNUSED = frozenset(
    ("bfloat16", "compile", "double", "extra_repr", "float", "forward", "half", "ipu", "mtia")
) | frozenset(("get_extra_state", "set_extra_state", "share_memory", "type", "xpu"))
_METHODS = frozenset(
    name
    for name, value in vars(nn.Module).items()
    if callable(value) and not name.startswith("_") and name not in _UNUSED
)


@dataclass(frozen=True, slots=True, eq=False)
class Constructor:
    """A callable that returns a network, and how it is called.

    Attributes:
        function: The class, the function or the `functools.partial`.
        images: What each of its arguments that depend on the images gets, by name.
        fixed: Arguments that always have the same value.
        options: Arguments that can be chosen.
        kept: The names of those that keep their default, since there is no widget for them.
        positional: The names of those that cannot be given by name, in their order.
        extra: Whether `num_classes` may be one of its `**kwargs`, which is found by trying.
    """

    function: Callable[..., nn.Module]
    images: Mapping[str, Callable[[ImageSpec], object]] = field(default_factory=dict)
    fixed: Mapping[str, object] = field(default_factory=dict)
    options: tuple[Option, ...] = ()
    kept: tuple[str, ...] = ()
    positional: tuple[str, ...] = ()
    extra: bool = False

    @property
    def name(self) -> str:
        """The name of the class or function; empty if it has none, as a lambda."""
        return name_of(self.function)

    @property
    def definition(self) -> Any:
        """The class or function in which the network is written."""
        return definition_of(self.function)

    @property
    def description(self) -> str:
        """The docstring of the class or function itself, unindented; empty if it has none."""
        definition = self.definition
        own = (
            vars(definition).get("__doc__") if isinstance(definition, type) else definition.__doc__
        )
        return inspect.cleandoc(own or "")

    @property
    def file(self) -> str:
        """The file in which the network is written; empty if it is unknown."""
        try:
            return inspect.getsourcefile(self.definition) or ""
        except TypeError:  # a class that was created without a file
            return ""

    @property
    def asks_for_classes(self) -> bool:
        """Whether it is told how many classes there are."""
        return self.extra or "num_classes" in self.images or _itself in self.images.values()

    def call(self, images: ImageSpec, options: Mapping[str, Value]) -> nn.Module:
        """Make a network for `images`.

        Args:
            images: What it is made for, as far as it can be told.
            options: Its options by name; the constructor's own defaults where there is none.

        Raises:
            PluginError: It returns something else, or a network that cannot be used.
            BaseException: Whatever the plugin's code raises.
        """
        asked = {name: value(images) for name, value in self.images.items()}
        named = {**self.fixed, **asked, **options}
        first = [named.pop(name) for name in self.positional]
        model: object = self._call(first, named, images.num_classes)
        if not isinstance(model, nn.Module):
            raise PluginError(
                say(
                    "It returns {given} where a torch.nn.Module is expected.",
                    given=type(model).__name__,
                )
            )
        _refuse_taken_names(model)
        return model

    def _call(self, first: list[Any], named: dict[str, Any], num_classes: int) -> object:
        if self.extra:
            try:
                return self.function(*first, **named, num_classes=num_classes)
            except TypeError as error:
                if "num_classes" not in str(error):
                    self._explain(error)
                    raise
        try:
            return self.function(*first, **named)
        except TypeError as error:
            self._explain(error)
            raise

    def _explain(self, error: TypeError) -> None:
        """Say so where its `**kwargs` do not take what is fixed.

        Raises:
            OptionError: They do not.
        """
        for each in self.fixed:
            if str(error).endswith(f"got an unexpected keyword argument {each!r}"):
                known = inspect.signature(self.function).parameters
                raise _unknown(each, self.name, known) from error


def read(
    function: Callable[..., nn.Module], fixed: Mapping[str, object] | None = None
) -> Constructor:
    """Read from a constructor's signature how it is called.

    Args:
        function: A class, a function, a `functools.partial`. What a partial gives is fixed.
        fixed: Arguments that always have the same value.

    Raises:
        OptionError: It needs something that nobody gives it, or it takes an `ImageSpec` and has an
            argument for which there is no widget.
    """
    name, fixed = name_of(function) or say("the function"), dict(fixed or {})
    try:
        parameters = inspect.signature(function).parameters
    except (TypeError, ValueError) as error:
        raise OptionError(
            say(
                "the arguments of {name} cannot be read; register a function that calls it.",
                name=name,
            )
        ) from error
    takes_any = any(each.kind is each.VAR_KEYWORD for each in parameters.values())
    named = [each for each, p in parameters.items() if p.kind not in _VARIABLE]
    for each in fixed:
        if each not in named and not takes_any:
            raise _unknown(each, name, named)
    hints, unreadable = _hints(function)
    spec = next((each for each in named if _is_images(hints.get(each))), "")
    first = next(iter(named), "")
    # Even where annotations cannot be read, one may say that it is written for the explorer.
    mentioned = any("ImageSpec" in str(each.annotation) for each in parameters.values())
    is_ours = bool(spec) or first == "images" or (unreadable is not None and mentioned)
    if is_ours and unreadable:
        raise OptionError(
            say("the annotations of {name} cannot be read: {reason}.", name=name, reason=unreadable)
        )
    if is_ours and not spec and first in hints:
        raise OptionError(
            say("the first argument of {name} must be `images: ImageSpec`.", name=name)
        )

    given = {*fixed, *_partial(function)}
    known = {spec or first: _itself} if is_ours else dict(_KNOWN)
    images = {each: known[each] for each in named if each in known and each not in given}
    if not is_ours:
        images |= {n: _in_pairs(value) for n, value in images.items() if _is_pair(parameters[n])}
    open_ = [
        each.replace(annotation=hints.get(each.name, each.empty))
        for each in parameters.values()
        if each.name not in given and each.name not in images
    ]
    options, kept = (read_options(open_), ()) if is_ours else _find(open_, name)
    return Constructor(
        function,
        images,
        fixed,
        options,
        kept,
        positional=_positional(parameters, {*images, *fixed}),
        extra=takes_any and not is_ours and "num_classes" not in {*named, *given},
    )


def _unknown(fixed: str, name: str, known: Iterable[str]) -> OptionError:
    return OptionError(
        say(
            "fixed names {fixed!r}, which is no argument of {name}; {meant}",
            fixed=fixed,
            name=name,
            meant=suggest(fixed, known),
        )
    )


def name_of(function: Any) -> str:
    """Return the name of a class or function, or of what a partial wraps; a lambda has none."""
    name = getattr(_unwrapped(function), "__name__", "")
    return name if name.isidentifier() else ""


def definition_of(function: Any) -> Any:
    """Return the class or function whose code a callable runs."""
    function = inspect.unwrap(_unwrapped(function))
    return function if hasattr(function, "__name__") else type(function)


def _unwrapped(function: Any) -> Any:
    while isinstance(function, functools.partial):
        function = function.func
    return function


def _partial(function: Any) -> set[str]:
    """Return the names that a partial gives."""
    given: set[str] = set()
    while isinstance(function, functools.partial):
        given |= set(function.keywords)
        function = function.func
    return given


def _hints(function: Any) -> tuple[dict[str, Any], Exception | None]:
    """Return the annotations of a callable's arguments by name, or why they cannot be read."""
    function = _unwrapped(function)
    if isinstance(function, type):
        function = inspect.getattr_static(function, "__init__")
    elif not hasattr(function, "__name__"):
        function = type(function).__call__
    try:
        return typing.get_type_hints(function, include_extras=True), None
    except (AttributeError, NameError, SyntaxError, TypeError) as error:
        return {}, error


def _is_images(annotation: Any) -> bool:
    if get_origin(annotation) in (Annotated, Union, types.UnionType):
        return ImageSpec in get_args(annotation)
    return annotation is ImageSpec


def _itself(images: ImageSpec) -> ImageSpec:
    return images


def _is_pair(parameter: inspect.Parameter) -> bool:
    return isinstance(parameter.default, tuple | list)


def _in_pairs(value: Callable[[ImageSpec], object]) -> Callable[[ImageSpec], object]:
    """Give height and width where the default has both."""
    return lambda images: (value(images), value(images))


def _find(
    parameters: list[inspect.Parameter], name: str
) -> tuple[tuple[Option, ...], tuple[str, ...]]:
    """Find the options among another's arguments, and the names of those that keep their default.

    Raises:
        OptionError: One has no default.
    """
    fixed = [each for each in parameters if each.kind not in _VARIABLE]
    for each in fixed:
        if each.default is each.empty:
            raise OptionError(
                say(
                    "the argument {argument} of {name} has no default, and the explorer does not "
                    "know its value; give it a default, or register({name}, "
                    "fixed={{{argument!r}: …}}).",
                    argument=each.name,
                    name=name,
                )
            )
    return find_options(fixed)


def _positional(parameters: Mapping[str, inspect.Parameter], given: set[str]) -> tuple[str, ...]:
    names = []
    for name, parameter in parameters.items():
        if parameter.kind is not parameter.POSITIONAL_ONLY or name not in given:
            break
        names.append(name)
    return tuple(names)


def _refuse_taken_names(model: nn.Module) -> None:
    """Refuse a network that keeps something of its own under the name of a method of nn.Module.

    Raises:
        PluginError: It does; `self.modules = [...]` hides the method that training calls.
    """
    seen, found = set(), [model]
    while found:  # not by `modules()`, which may be what is taken
        module = found.pop()
        seen.add(id(module))
        for name in (*vars(module), *module._modules, *module._parameters, *module._buffers):
            if name in _METHODS:
                raise PluginError(
                    say(
                        "{module} keeps something of its own as self.{name}, which is a method of "
                        "torch.nn.Module; give it another name.",
                        module=type(module).__name__,
                        name=name,
                    )
                )
        found += [
            each for each in module._modules.values() if each is not None and id(each) not in seen
        ]
