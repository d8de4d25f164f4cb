"""Options: read off a constructor, checked, parsed from text."""

import json
import math
import re
from typing import Annotated, Literal

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from torch import nn

from explorer import ImageSpec, Range
from explorer.plugin import constructor
from explorer.plugin.options import Option, OptionError, fill
from explorer.text import suggest

property_test = settings(max_examples=150, deadline=None)

finite = st.floats(allow_nan=False, allow_infinity=False)
NOT_NUMBERS = [None, "3", b"3", [3], 3j, True, False, math.nan, math.inf, -math.inf]


def architecture(init):
    return type("Net", (nn.Module,), {"__init__": init})


def read(init) -> tuple[Option, ...]:
    return constructor.read(architecture(init)).options


def refusal(init) -> str:
    with pytest.raises(OptionError) as error:
        read(init)
    return str(error.value)


@st.composite
def ranges(draw, numbers):
    low, high = sorted([draw(numbers), draw(numbers)])
    assume(low < high)
    return Range(low, high)


# --- reading a signature


def test_bare_numbers_and_a_switch():
    def init(self, images: ImageSpec, *, layers: int = 3, rate: float = 0.5, skip: bool = True): ...

    assert read(init) == (
        Option("layers", int, 3),
        Option("rate", float, 0.5),
        Option("skip", bool, True),
    )


def test_a_range_and_a_help_text_in_either_order():
    def init(
        self,
        images: ImageSpec,
        width: Annotated[int, Range(8, 64, step=8), "Channels"] = 16,
        dropout: Annotated[float, "Share of zeros", Range(0.0, 0.9)] = 0.1,
        skip: Annotated[bool, "Add the input"] = False,
        blocks: Annotated[int, Range(1, 4)] = 2,
        depth: Annotated[int, "How deep"] = 2,
    ): ...

    assert read(init) == (
        Option("width", int, 16, range=Range(8, 64, step=8), help="Channels"),
        Option("dropout", float, 0.1, range=Range(0.0, 0.9), help="Share of zeros"),
        Option("skip", bool, False, help="Add the input"),
        Option("blocks", int, 2, range=Range(1, 4)),
        Option("depth", int, 2, help="How deep"),
    )


def test_a_literal_of_strings_and_one_of_numbers_are_choices():
    def init(
        self,
        images: ImageSpec,
        pool: Literal["max", "average"] = "max",
        kernel: Annotated[Literal[3, 5, 7], "Side of the window"] = 5,
    ): ...

    pool, kernel = read(init)
    assert (pool.default, pool.choices, pool.help) == ("max", ("max", "average"), "")
    assert (kernel.default, kernel.choices, kernel.help) == (5, (3, 5, 7), "Side of the window")


def test_annotations_written_as_strings_are_read_too():
    def init(self, images: "ImageSpec", width: "Annotated[int, Range(1, 9), 'Channels']" = 3): ...

    assert read(init) == (Option("width", int, 3, range=Range(1, 9), help="Channels"),)


def test_an_architecture_may_have_no_option_and_leave_its_images_without_annotation():
    def init(self, images): ...

    assert read(init) == ()


def test_a_constructor_is_inherited():
    class Parent(nn.Module):
        def __init__(self, images: ImageSpec, width: int = 4): ...

    class Child(Parent): ...

    assert constructor.read(Child).options == (Option("width", int, 4),)


def test_a_default_has_the_type_of_its_option():
    def init(self, images: ImageSpec, rate: float = 1, width: int = 16.0): ...

    rate, width = read(init)
    assert (rate.default, width.default) == (1, 16)
    assert (type(rate.default), type(width.default)) == (float, int)


# --- what is refused, and in which words

ALLOWED = "write int or float (alone, or Annotated with a Range), bool, or a Literal of strings or"


@pytest.mark.parametrize(
    ("annotation", "written"),
    [
        (list, "list"),
        (str, "str"),
        (list[int], "list"),
        (int | str, "int | str"),
        (Annotated[str, "A name"], "str"),
        (complex, "complex"),
    ],
)
def test_a_type_without_a_widget_is_refused(annotation, written):
    def init(self, images: ImageSpec, layers: annotation = 3): ...

    assert refusal(init) == f"the type of layers is {written}; {ALLOWED} numbers."


def test_an_option_without_a_type_is_refused():
    def init(self, images: ImageSpec, layers=3): ...

    assert refusal(init) == f"the type of layers is missing; {ALLOWED} numbers."


def test_an_option_without_a_default_is_refused():
    def init(self, images: ImageSpec, layers: int): ...

    sentence = r"\blayers\W+needs a default, so that the network can be built at once\.$"
    assert re.search(sentence, refusal(init))


def test_an_option_that_cannot_be_given_by_name_is_refused():
    def init(self, images: ImageSpec, layers: int = 3, /): ...

    assert "layers" in refusal(init)


def test_star_arguments_are_refused():
    def args(self, images: ImageSpec, *layers: int): ...
    def kwargs(self, images: ImageSpec, **options: int): ...

    assert refusal(args) == "*layers: int cannot become a widget; name each option."
    assert refusal(kwargs) == "**options: int cannot become a widget; name each option."


def test_a_first_argument_that_is_called_images_and_is_something_else_is_refused():
    def init(self, images: int): ...

    assert refusal(init) == "the first argument of Net must be `images: ImageSpec`."


def test_the_images_may_be_at_any_place():
    def by_name(self, *, width: int = 3, images: ImageSpec): ...
    def later(self, width: int = 3, size: Annotated[ImageSpec, "What it is for"] = None): ...
    def perhaps(self, width: int = 3, images: ImageSpec | None = None): ...

    for init in (by_name, later, perhaps):
        assert read(init) == (Option("width", int, 3),)


def test_a_range_on_a_switch_is_refused():
    def init(self, images: ImageSpec, skip: Annotated[bool, Range(0, 1)] = True): ...

    assert refusal(init) == "skip is true or false and cannot have a Range."


@pytest.mark.parametrize("choices", [Literal[None, "max"], Literal[b"max"]])
def test_choices_that_are_neither_strings_nor_numbers_are_refused(choices):
    def init(self, images: ImageSpec, pool: choices = "max"): ...

    assert refusal(init) == "pool: the choices of a Literal must be strings or numbers."


@pytest.mark.parametrize(
    ("annotation", "default", "expected"),
    [
        (int, None, "a whole number"),
        (int, 1.5, "a whole number"),
        (int, True, "a whole number"),
        (float, "fast", "a number"),
        (float, math.nan, "a number"),
        (bool, 1, "true or false"),
        (Annotated[int, Range(8, 64)], 4, "a whole number from 8 to 64"),
        (Annotated[float, Range(0.5, 1.5)], 2.0, "a number from 0.5 to 1.5"),
        (Literal["max", "average"], "min", "one of max, average"),
        (Literal[1, 2], True, "one of 1, 2"),
    ],
)
def test_a_default_that_its_own_type_does_not_allow_is_refused(annotation, default, expected):
    def init(self, images: ImageSpec, value: annotation = default): ...

    assert refusal(init) == f"the default does not fit: value must be {expected}, not {default!r}."


def test_an_annotation_that_names_nothing_known_is_refused():
    def init(self, images: ImageSpec, width: "Number" = 3): ...  # noqa: F821

    assert refusal(init) == ("the annotations of Net cannot be read: name 'Number' is not defined.")


def test_a_help_text_where_the_type_belongs_is_refused_in_the_same_words():
    def init(self, images: ImageSpec, width: "Channels of each branch" = 3): ...  # noqa: F722

    assert refusal(init).startswith("the annotations of Net cannot be read: ")


@pytest.mark.parametrize(("low", "high"), [(3, 3), (4, 3), (math.nan, 1), (0, math.nan)])
def test_an_empty_range_is_refused(low, high):
    with pytest.raises(OptionError, match="is empty: its first number must be below its second"):
        Range(low, high)


@pytest.mark.parametrize("step", [0, -1, 8])
def test_a_step_that_does_not_fit_its_range_is_refused(step):
    with pytest.raises(OptionError, match="the step must be above 0 and within the range"):
        Range(1, 8, step=step)


# --- checking a value


@given(ranges(st.integers()), st.data())
@property_test
def test_a_whole_number_in_range_is_kept_and_parsed_back_from_its_text(limits, data):
    value = data.draw(st.integers(limits.low, limits.high))
    option = Option("width", int, limits.low, range=limits)
    assert option.check(value) == option.parse(str(value)) == value
    assert type(option.parse(str(value))) is int


@given(ranges(finite), st.data())
@property_test
def test_a_number_in_range_is_kept_and_parsed_back_from_its_text(limits, data):
    value = data.draw(st.floats(limits.low, limits.high))
    option = Option("rate", float, limits.low, range=limits)
    assert option.check(value) == option.parse(str(value)) == value
    assert type(option.parse(str(value))) is float


@given(st.one_of(st.integers(), finite))
@property_test
def test_an_option_without_limits_takes_every_number_of_its_type(value):
    kind = type(value)
    option = Option("value", kind, kind(0))
    assert option.check(value) == option.parse(str(value)) == value


@given(st.booleans())
def test_a_switch_is_parsed_back_from_its_text(value):
    option = Option("skip", bool, True)
    assert option.parse(str(value)) is option.check(value) is value


@given(
    st.lists(
        st.one_of(st.text(max_size=5), st.integers(), st.booleans()),
        min_size=1,
        unique_by=str,
    )
)
@property_test
def test_every_choice_is_parsed_back_from_its_text(choices):
    option = Option("pool", str, choices[0], choices=tuple(choices))
    assert choices
    for choice in choices:
        parsed = option.parse(str(choice))
        assert parsed == option.check(choice) == choice
        assert type(parsed) is type(choice)


def test_choices_that_read_the_same_as_text_are_refused():
    def init(self, images: ImageSpec, kernel: Literal[3, "3"] = 3): ...

    assert "kernel" in refusal(init)


@pytest.mark.parametrize("kind", [int, float])
@given(data=st.data())
@property_test
def test_a_number_outside_its_range_is_refused(kind, data):
    numbers = st.integers() if kind is int else finite
    limits = data.draw(ranges(numbers))
    value = data.draw(numbers.filter(lambda number: not limits.low <= number <= limits.high))
    option = Option("width", kind, limits.low, range=limits)
    with pytest.raises(OptionError, match=r"^width must be a (whole )?number from .*, not "):
        option.check(value)
    with pytest.raises(OptionError, match=r"^width must be a (whole )?number from .*, not "):
        option.parse(str(value))


@given(finite.filter(lambda number: not number.is_integer()))
@property_test
def test_a_fraction_is_no_whole_number(value):
    with pytest.raises(OptionError, match=r"^width must be a whole number, not "):
        Option("width", int, 1).check(value)


@pytest.mark.parametrize("value", NOT_NUMBERS, ids=repr)
@pytest.mark.parametrize(
    "option",
    [
        Option("value", int, 1),
        Option("value", int, 1, range=Range(0, 5)),
        Option("value", float, 1.0),
        Option("value", float, 1.0, range=Range(-math.inf, math.inf)),
    ],
    ids=lambda option: f"{option.type.__name__}-{bool(option.range)}",
)
def test_what_is_no_number_or_not_finite_is_refused(option, value):
    with pytest.raises(OptionError) as error:
        option.check(value)
    assert str(error.value) == f"value must be {option.expected()}, not {value!r}."


@pytest.mark.parametrize("text", ["nan", "inf", "-inf", "Infinity", "", "three", "0x10", "1e999"])
def test_text_that_means_no_finite_number_is_refused(text):
    with pytest.raises(OptionError) as error:
        Option("rate", float, 1.0).parse(text)
    assert str(error.value) == f"rate must be a number, not {text!r}."


@pytest.mark.parametrize("text", ["1.5", "1e3", "true", "", " "])
def test_text_that_means_no_whole_number_is_refused(text):
    with pytest.raises(OptionError) as error:
        Option("width", int, 1).parse(text)
    assert str(error.value) == f"width must be a whole number, not {text!r}."


def test_a_number_too_large_for_floating_point_is_refused_as_any_other_outside_the_range():
    limits = Range(1, 9)
    with pytest.raises(OptionError, match=r"^width must be a whole number from 1 to 9, not 1000"):
        Option("width", int, 1, range=limits).check(10**400)
    with pytest.raises(OptionError, match=r"^width must be a whole number from 1 to 9, not '100"):
        Option("width", int, 1, range=limits).parse(str(10**400))
    with pytest.raises(OptionError, match=r"^rate must be a number, not 1000"):
        Option("rate", float, 1.0).check(10**400)


@pytest.mark.parametrize("value", [0, 1, 1.0, "true", None])
def test_a_switch_takes_only_true_and_false(value):
    with pytest.raises(OptionError) as error:
        Option("skip", bool, True).check(value)
    assert str(error.value) == f"skip must be true or false, not {value!r}."


@pytest.mark.parametrize("value", ["min", "Max", "", 1, True, 2.0, None])
def test_a_choice_takes_only_what_is_among_its_choices_and_of_their_type(value):
    option = Option("pool", str, "max", choices=("max", "average", 2, False))
    with pytest.raises(OptionError) as error:
        option.check(value)
    assert str(error.value) == f"pool must be one of max, average, 2, False, not {value!r}."


def test_a_choice_that_is_not_there_is_refused_as_text_too():
    with pytest.raises(OptionError) as error:
        Option("pool", str, "max", choices=("max", "average")).parse("min")
    assert str(error.value) == "pool must be one of max, average, not 'min'."


@pytest.mark.parametrize(
    ("option", "value", "kept"),
    [(Option("width", int, 1), 16.0, 16), (Option("rate", float, 1.0), 3, 3.0)],
)
def test_a_number_that_fits_is_returned_in_the_type_of_the_option(option, value, kept):
    assert option.check(value) == kept
    assert type(option.check(value)) is type(kept)


@pytest.mark.parametrize("end", [8, 64])
def test_both_ends_belong_to_the_range(end):
    assert Option("width", int, 16, range=Range(8, 64)).check(end) == end


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("true", True),
        ("on", True),
        ("YES", True),
        ("1", True),
        ("False", False),
        ("off", False),
        ("no", False),
        ("0", False),
    ],
)
def test_a_switch_is_parsed_from_the_usual_words(text, value):
    assert Option("skip", bool, True).parse(text) is value


@pytest.mark.parametrize("text", ["", "2", "ja", "truee"])
def test_a_switch_is_not_parsed_from_other_words(text):
    with pytest.raises(OptionError) as error:
        Option("skip", bool, True).parse(text)
    assert str(error.value) == f"skip must be true or false, not {text!r}."


@pytest.mark.parametrize(("low", "high"), [(1, 1_000_001), (0.1234567, 2.0), (-16_777_217, 0)])
def test_a_refusal_names_the_ends_of_the_range_exactly(low, high):
    option = Option("size", type(low), low, range=Range(low, high))
    with pytest.raises(OptionError) as error:
        option.check(high + 1)
    limits = str(error.value).partition(" from ")[2].partition(", not ")[0]
    assert [float(end.replace(",", "")) for end in limits.split(" to ")] == [low, high]


# --- filling in what was left out

OPTIONS = (
    Option("width", int, 16, range=Range(8, 64)),
    Option("skip", bool, True),
    Option("pool", str, "max", choices=("max", "average")),
)


def test_fill_adds_the_defaults_in_the_order_of_the_options():
    filled = fill(OPTIONS, {"pool": "average", "width": 32.0})
    assert list(filled.items()) == [("width", 32), ("skip", True), ("pool", "average")]
    assert type(filled["width"]) is int


def test_fill_does_not_touch_the_values_it_is_given():
    given_values = {"width": 32}
    fill(OPTIONS, given_values)
    assert given_values == {"width": 32}


@pytest.mark.parametrize(
    ("options", "name", "sentence"),
    [
        (OPTIONS, "widht", "there is no option 'widht'; did you mean 'width'?"),
        (OPTIONS, "xyz", "there is no option 'xyz'; there are width, skip, pool."),
        ((), "width", "there is no option 'width'; there is none."),
    ],
)
def test_fill_refuses_an_option_that_does_not_exist(options, name, sentence):
    with pytest.raises(OptionError) as error:
        fill(options, {name: 16})
    assert str(error.value) == sentence


def test_fill_refuses_a_value_that_does_not_fit():
    with pytest.raises(OptionError, match=r"^width must be a whole number from 8 to 64, not 4.$"):
        fill(OPTIONS, {"width": 4})


@pytest.mark.parametrize(
    ("name", "known", "end"),
    [
        ("residul", ["plain", "residual"], "did you mean 'residual'?"),
        ("zzz", ["plain", "residual"], "there are plain, residual."),
        ("zzz", [], "there is none."),
    ],
)
def test_suggest_ends_the_sentence_with_what_was_meant_or_with_all_there_is(name, known, end):
    assert suggest(name, iter(known)) == end


# --- as data, and as words


def test_describe_returns_plain_values():
    def init(
        self,
        images: ImageSpec,
        width: Annotated[int, Range(8, 64, step=8), "Channels"] = 16,
        rate: float = 0.5,
        skip: bool = True,
        pool: Literal["max", "average"] = "max",
        kernel: Literal[3, 5] = 3,
    ): ...

    described = [option.describe() for option in read(init)]
    nothing = {"low": None, "high": None, "choices": [], "optional": False, "help": ""}
    assert described == [
        nothing
        | {"name": "width", "type": "int", "default": 16}
        | {"low": 8, "high": 64, "help": "Channels"},
        nothing | {"name": "rate", "type": "float", "default": 0.5},
        nothing | {"name": "skip", "type": "bool", "default": True},
        nothing
        | {"name": "pool", "type": "choice", "default": "max", "choices": ["max", "average"]},
        nothing | {"name": "kernel", "type": "choice", "default": 3, "choices": [3, 5]},
    ]
    assert json.loads(json.dumps(described)) == described


@pytest.mark.parametrize(
    ("name", "label"), [("width", "Width"), ("use_skip", "Use skip"), ("lambda_", "Lambda")]
)
def test_the_label_is_the_name_as_people_write_it(name, label):
    assert Option(name, int, 1).label == label
