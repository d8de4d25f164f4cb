"""An architecture's options: the arguments of its constructor that can be chosen.

What the author writes once (`width: Annotated[int, Range(8, 64, step=8), "Channels"] = 16`)
becomes a widget, a command-line option and a check of what was typed.
"""

import contextlib
import inspect
import math
import types
import typing
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Annotated, Any, Literal, TypeAlias, Union, get_args, get_origin

from explorer.errors import ExplorerError
from explorer.language import later, listed, say
from explorer.text import suggest

Value: TypeAlias = bool | int | float | str | None

_TYPES = (bool, int, float)
_ALLOWED = later(
    "int or float (alone, or Annotated with a Range), bool, or a Literal of strings or numbers"
)


class OptionError(ExplorerError, ValueError):
    """An option, or a value for one, that cannot be used; the message says what could be."""


@dataclass(frozen=True, slots=True)
class Range:
    """The values that a numeric option may have, both ends included.

    Attributes:
        low: The smallest value.
        high: The largest value.
        step: The distance between two stops of the slider. The default is 1 for whole numbers and
            a hundredth of the range for others.
    """

    low: float
    high: float
    step: float | None = None

    def __post_init__(self) -> None:
        if not self.low < self.high:
            raise OptionError(
                say("{range} is empty: its first number must be below its second.", range=self)
            )
        if self.step is not None and not 0 < self.step <= self.high - self.low:
            raise OptionError(
                say("{range}: the step must be above 0 and within the range.", range=self)
            )

    def __contains__(self, value: object) -> bool:
        return isinstance(value, int | float) and self.low <= value <= self.high


@dataclass(frozen=True, slots=True)
class Option:
    """One option of an architecture.

    Attributes:
        name: Its name in the constructor.
        type: `bool`, `int`, `float`, or `str` for a choice.
        default: The value that it has if none is given.
        range: The limits of a number; `None` if it has no limits.
        choices: The values of a `Literal`; empty for other types.
        help: The author's explanation; may be empty.
        optional: Whether it may be `None`.
    """

    name: str
    type: type
    default: Value
    range: Range | None = None
    choices: tuple[Value, ...] = ()
    help: str = ""
    optional: bool = False

    @property
    def label(self) -> str:
        """The name as people write it: `use_skip` is "Use skip"."""
        return self.name.replace("_", " ").strip().capitalize()

    def expected(self) -> str:
        """Say what a value must be, as the end of a sentence."""
        if self.choices:
            return say("one of {choices}", choices=listed([*map(str, self.choices)], ","))
        if self.type is bool:
            return say("true or false")
        if limits := self.range:
            low, high = limits.low, limits.high
            if self.type is int:
                kind = say("a whole number from {low:,} to {high:,}", low=low, high=high)
            else:
                kind = say("a number from {low:,} to {high:,}", low=low, high=high)
        else:
            kind = say("a whole number") if self.type is int else say("a number")
        return say("{kind}, or none", kind=kind) if self.optional else kind

    def describe(self) -> dict[str, Any]:
        """Return the option as plain values, for JSON."""
        return {
            "name": self.name,
            "type": "choice" if self.choices else self.type.__name__,
            "default": self.default,
            "low": self.range.low if self.range else None,
            "high": self.range.high if self.range else None,
            "choices": list(self.choices),
            "optional": self.optional,
            "help": self.help,
        }

    def check(self, value: object) -> Value:
        """Return `value` in the option's type.

        Raises:
            OptionError: It has another type, is out of range or is not one of the choices.
        """
        if value is None and self.optional:
            return None
        if self.choices:
            # 1 == True, so the type has to agree as well.
            if any(value == choice and type(value) is type(choice) for choice in self.choices):
                return typing.cast(Value, value)
        elif self.type is bool:
            if isinstance(value, bool):
                return value
        elif isinstance(value, int | float) and not isinstance(value, bool):
            # A whole number may be too large for a float.
            with contextlib.suppress(OverflowError, ValueError):
                number = self.type(value)
                allowed = math.isfinite(number) if self.type is float else number == value
                if allowed and (self.range is None or value in self.range):
                    return typing.cast(Value, number)
        raise self._refusal(value)

    def parse(self, text: str) -> Value:
        """Return the value that `text`, as typed on a command line, means.

        Raises:
            OptionError: It means no value that the option may have.
        """
        if self.optional and text.lower() == "none":
            return None
        if self.choices:
            for choice in self.choices:
                if text == str(choice):
                    return choice
        elif self.type is bool:
            words = {"true": True, "on": True, "yes": True, "1": True}
            words |= {"false": False, "off": False, "no": False, "0": False}
            if text.lower() in words:
                return words[text.lower()]
        else:
            try:
                return self.check(int(text) if self.type is int else float(text))
            except ValueError:
                pass
        raise self._refusal(text)

    def _refusal(self, value: object) -> OptionError:
        return OptionError(
            say(
                "{name} must be {expected}, not {given}.",
                name=self.name,
                expected=self.expected(),
                given=repr(value),
            )
        )


def read_options(parameters: Iterable[inspect.Parameter]) -> tuple[Option, ...]:
    """Read the options that the arguments of a constructor are, each of which must be one.

    Args:
        parameters: The arguments, with annotations that are read.

    Raises:
        OptionError: An argument has no default, or a type for which there is no widget.
    """
    return tuple(_read(parameter) for parameter in parameters)


_OF_DOWNLOADS = ("progress", "pretrained")  # torchvision's; they change no network that is new


def find_options(
    parameters: Iterable[inspect.Parameter],
) -> tuple[tuple[Option, ...], tuple[str, ...]]:
    """Find the options among the arguments of a constructor that is not written for the explorer.

    An argument without an annotation has the type of its default.

    Args:
        parameters: The arguments, with annotations that are read.

    Returns:
        The options; and the names of the arguments for which there is no widget.
    """
    options, others = [], []
    for parameter in parameters:
        kind = type(parameter.default)
        if parameter.name in _OF_DOWNLOADS:
            others.append(parameter.name)
            continue
        if parameter.annotation is parameter.empty and kind in _TYPES:
            parameter = parameter.replace(annotation=kind)
        try:
            options.append(_read(parameter))
        except OptionError:
            others.append(parameter.name)
    return tuple(options), tuple(others)


def read_fields(cls: type) -> tuple[Option, ...]:
    """Read the options that a dataclass declares, in the order of its fields.

    A field may be `… | None`; its option is then optional.

    Raises:
        OptionError: A field has a type for which there is no widget.
    """
    hints = typing.get_type_hints(cls, include_extras=True)
    return tuple(_option(each.name, hints[each.name], each.default) for each in fields(cls))


def fill(options: Sequence[Option], values: Mapping[str, object]) -> dict[str, Value]:
    """Check `values` and add the defaults of the options that are not in it.

    Raises:
        OptionError: There is no such option, or it may not have that value.
    """
    names = [option.name for option in options]
    for name in values:
        if name not in names:
            raise OptionError(
                say("there is no option {name!r}; {meant}", name=name, meant=suggest(name, names))
            )
    return {
        option.name: option.check(values.get(option.name, option.default)) for option in options
    }


def _read(parameter: inspect.Parameter) -> Option:
    name, default = parameter.name, parameter.default
    annotation = None if parameter.annotation is parameter.empty else parameter.annotation
    if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
        raise OptionError(
            say("{argument} cannot become a widget; name each option.", argument=parameter)
        )
    if parameter.kind is parameter.POSITIONAL_ONLY:
        raise OptionError(
            say("{name} cannot be given by name; remove the `/` after it.", name=name)
        )
    if default is parameter.empty:
        raise OptionError(
            say(
                "the option {name} needs a default, so that the network can be built at once.",
                name=name,
            )
        )
    return _option(name, annotation, default)


def _option(name: str, annotation: Any, default: Any) -> Option:
    """Make the option that an annotation and a default declare.

    Raises:
        OptionError: There is no widget for the type, or the default does not fit.
    """
    notes: tuple[Any, ...] = ()
    if get_origin(annotation) is Annotated:
        annotation, *extras = get_args(annotation)
        notes = tuple(extras)
    limits = next((note for note in notes if isinstance(note, Range)), None)
    help = next((note for note in notes if isinstance(note, str)), "")
    inner = [kind for kind in get_args(annotation) if kind is not types.NoneType]
    optional = get_origin(annotation) in (Union, types.UnionType) and len(inner) == 1
    if optional:
        (annotation,) = inner

    if get_origin(annotation) is Literal:
        choices = get_args(annotation)
        if not all(isinstance(choice, bool | int | float | str) for choice in choices):
            raise OptionError(
                say("{name}: the choices of a Literal must be strings or numbers.", name=name)
            )
        if len({str(choice) for choice in choices}) < len(choices):
            raise OptionError(say("{name}: two choices of a Literal read the same.", name=name))
        read = Option(name, str, default, choices=choices, help=help)
    elif annotation in _TYPES:
        if limits and annotation is bool:
            raise OptionError(say("{name} is true or false and cannot have a Range.", name=name))
        read = Option(name, annotation, default, range=limits, help=help, optional=optional)
    else:
        if not annotation:
            written = say("missing")
        else:
            written = str(getattr(annotation, "__name__", annotation))
        raise OptionError(
            say(
                "the type of {name} is {written}; write {allowed}.",
                name=name,
                written=written,
                allowed=say(_ALLOWED),
            )
        )
    try:
        return replace(read, default=read.check(default))
    except OptionError as error:
        raise OptionError(say("the default does not fit: {reason}", reason=error)) from error
