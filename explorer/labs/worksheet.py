"""A worksheet: a lesson that is a page with a few controls, and a question.

It says what the page shows, which controls it has, and what it asks before it shows the answer.

An operator writes it as a YAML file; `explorer lessons check FILE` says what is wrong with one. It
is read strictly: all values are text until the key they belong to says what they are, so `yes` and
`07` are what is written, and a key that is unknown or given twice is a mistake.
"""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import parse_qs, urlsplit

import yaml
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    field_validator,
    model_validator,
)

from explorer.errors import ExplorerError
from explorer.labs.address import TABLE, belongs, names
from explorer.labs.words import together
from explorer.language import Sentence, later, say
from explorer.text import cut, suggest

# Controls that no address has: the other pages and links to them, and the button of the page Train.
NAVIGATION, TRAIN = "navigation", "train"
MOST_BYTES = 64_000  # of a file
MOST_CHOICES = 20
LARGEST = 1e9  # of a number that is asked for, where the lesson says nothing
LONGEST_ANSWER = 100  # characters
LONGEST_VALUE = 60  # characters of a value that cannot be used, as a sentence repeats it
NAME = re.compile("[A-Za-z0-9][A-Za-z0-9_-]{0,59}")  # of a lesson; its file is `NAME.yaml`


class WorksheetError(ExplorerError, ValueError):
    """A lesson cannot be used; the message names its file, the key, and what would be right."""


class _MistakeError(ExplorerError, ValueError):
    """A key says what cannot be; the message has a place for the key.

    Attributes:
        key: Within its part of the lesson, such as `low` of a question.
        message: The message, which is said later.
        values: What stands in its other places.
    """

    def __init__(self, key: str, message: str, **values: object) -> None:
        super().__init__(key)
        self.key, self.message, self.values = key, message, values

    def said(self, prefix: str) -> str:
        """Return the sentence; the key comes after a prefix such as `ask.`."""
        return say(self.message, key=f"{prefix}{self.key}", **self.values)


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _listed(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


Line = Annotated[str, AfterValidator(_one_line), Field(min_length=1, max_length=200)]
Choice = Annotated[str, AfterValidator(_one_line), Field(min_length=1, max_length=LONGEST_ANSWER)]
Text = Annotated[str, Field(max_length=5_000)]
Number = Annotated[float, Field(ge=-LARGEST, le=LARGEST, allow_inf_nan=False)]
Values = Annotated[
    tuple[Annotated[str, Field(max_length=5_000)], ...],
    BeforeValidator(_listed),
    Field(max_length=100),
]
_STRICT = ConfigDict(extra="forbid", frozen=True)


class Question(BaseModel):
    """What is asked before the answer is shown.

    Attributes:
        text: The question.
        kind: Whether a choice, a number or a class of the data set answers it.
        choices: What can be chosen.
        low: The least number.
        high: The greatest.
        unit: Of the number.
    """

    model_config = _STRICT

    text: Line = Field(description=later("the question, of at most 200 characters"))
    kind: Literal["choice", "number", "class"] = Field(description=later("choice, number or class"))
    choices: tuple[Choice, ...] = Field(
        (),
        max_length=MOST_CHOICES,
        description=later(
            "a list of 2 to {most} different answers, each of at most {longest} characters, where "
            "`kind` is choice, and else left out"
        ),
    )
    low: Number = Field(-LARGEST, description=later("a number, the least that can be answered"))
    high: Number = Field(LARGEST, description=later("a number, larger than `low`"))
    unit: Annotated[str, Field(max_length=20)] = Field(
        "", description=later("the unit of the number, of at most 20 characters")
    )

    @field_validator("choices")
    @classmethod
    def _differ(cls, choices: tuple[str, ...]) -> tuple[str, ...]:
        if len(set(choices)) != len(choices):
            raise ValueError("two are equal")
        return choices

    @model_validator(mode="after")
    def _fits(self) -> "Question":
        if (self.kind == "choice") != (len(self.choices) >= 2):
            raise _wrong(type(self), "choices", list(self.choices))
        if self.low >= self.high:
            raise _wrong(type(self), "high", self.high)
        return self


class Worksheet(BaseModel):
    """A lesson, as its file says it.

    Attributes:
        title: Its title.
        text: What stands below the title.
        page: The page that it is on.
        values: What the page shows, by the names that an address has.
        controls: The names of the controls that are shown; the others keep what `values` says.
        ask: What is asked before the answer is shown.
        after: What stands there when it is.
    """

    model_config = _STRICT

    title: Line = Field(description=later("the title, of at most 200 characters"))
    text: Text = Field("", description=later("text of at most 5,000 characters"))
    page: Literal["inside", "train"] = Field("inside", description=later("inside or train"))
    values: dict[str, Values] = Field(
        default_factory=dict,
        max_length=50,
        description=later(
            "what the page shows, by the names that an address has, each a value or a list"
        ),
    )
    controls: Annotated[tuple[Choice, ...], BeforeValidator(_listed)] = Field(
        (),
        max_length=50,
        description=later("a list of names that an address has, navigation or train"),
    )
    ask: Question | None = Field(
        None, description=later("a question: its text, its kind, and more")
    )
    after: Text = Field("", description=later("text of at most 5,000 characters"))

    @model_validator(mode="before")
    @classmethod
    def _read_link(cls, given: Any) -> Any:
        """Put what `link`, a copied address, says in the place of `page` and `values`."""
        if not isinstance(given, dict) or "link" not in given:
            return given
        link, *others = (given.get(name) for name in ("link", "page", "values"))
        if not isinstance(link, str) or any(others) or "?" not in link:
            raise _MistakeError(
                "link",
                later(
                    "`{key}` should be an address from *Copy link*, in the place of `page` and "
                    "`values`."
                ),
            )
        try:
            parts = urlsplit(link)
            said = parse_qs(parts.query, keep_blank_values=True, max_num_fields=200)
        except ValueError:
            raise _MistakeError(
                "link", later("`{key}` should be an address as *Copy link* gives it.")
            ) from None
        page = parts.path.rstrip("/").rpartition("/")[2] or "train"
        left_out = [row.name for row in TABLE if not row.page] + ["embed", "embed_options"]
        values = {name: value for name, value in said.items() if name not in left_out}
        rest = {name: value for name, value in given.items() if name != "link"}
        return {**rest, "page": page if page in ("inside", "train") else "train", "values": values}

    @model_validator(mode="after")
    def _has_names_of_its_page(self) -> "Worksheet":
        known = names(self.page)
        for name in self.values:
            if name == "lesson" or not belongs(name, self.page):
                raise _MistakeError(
                    "values",
                    later("`{key}` has {name}, which is nothing of the page {page}; {meant}"),
                    name=_shown(name),
                    page=self.page,
                    meant=suggest(name, known),
                )
        for name in self.controls:
            others = (NAVIGATION, *([TRAIN] if self.page == "train" else []))
            if name not in others and (name == "lesson" or not belongs(name, self.page)):
                raise _MistakeError(
                    "controls",
                    later("`{key}` has {name}, which is no control of the page {page}; {meant}"),
                    name=_shown(name),
                    page=self.page,
                    meant=suggest(name, [*known, *others]),
                )
        if self.ask and self.ask.kind == "class" and self.page != "inside":
            raise _MistakeError(
                "ask.kind", later("`{key}` should be choice or number on the page train.")
            )
        return self


def read_worksheet(file: Path) -> Worksheet:
    """Read a lesson.

    Raises:
        WorksheetError: It has mistakes; the message is a sentence about each.
    """
    found = _read(file)
    if isinstance(found, Worksheet):
        return found
    raise WorksheetError(together(found))


def mistakes(file: Path) -> list[str]:
    """Return a sentence for each mistake in a lesson's file."""
    found = _read(file)
    return [] if isinstance(found, Worksheet) else found


def find_worksheet(folder: Path | None, name: str) -> Worksheet:
    """Return the lesson of this name.

    Raises:
        WorksheetError: There is none, or it has mistakes.
    """
    if folder is None:
        raise WorksheetError(
            say("There are no lessons here; the setting EXPLORER_LESSONS names a folder.")
        )
    file = folder / f"{name}.yaml"
    if not NAME.fullmatch(name) or not file.is_file():
        raise WorksheetError(
            say("There is no lesson {name} here; ask for its link again.", name=_shown(name))
        )
    return read_worksheet(file)


def worksheets(folder: Path) -> dict[str, Worksheet | WorksheetError]:
    """Return all lessons of a folder by name, and in the place of those with mistakes why."""
    found: dict[str, Worksheet | WorksheetError] = {}
    for file in sorted(folder.glob("*.yaml")):
        if NAME.fullmatch(file.stem):
            try:
                found[file.stem] = read_worksheet(file)
            except WorksheetError as error:
                found[file.stem] = error
    return found


def address_of(page: str) -> str:
    """Return the address of a page, after the name of the server."""
    return f"/{page}"


def _read(file: Path) -> Worksheet | list[str]:
    name = file.name
    try:
        with open(file, "rb") as opened:
            content = opened.read(MOST_BYTES + 1)
    except OSError as error:
        reason = error.strerror or say("it is no file")
        return [say("{file} cannot be read: {reason}.", file=name, reason=reason)]
    if len(content) > MOST_BYTES:
        return [say("{file} should have at most {most:,} bytes.", file=name, most=MOST_BYTES)]
    try:
        given = yaml.load(content.decode("utf-8"), _Loader)
    except UnicodeDecodeError:
        return [say("{file} should be text in UTF-8.", file=name)]
    except _GivenTwiceError as error:
        key = cut(str(error), LONGEST_VALUE)
        return [say("{file}: the key `{key}` should be given once.", file=name, key=key)]
    except yaml.YAMLError as error:
        return [say("{file} should be YAML: {reason}.", file=name, reason=_problem(error))]
    except RecursionError:
        return [say("{file} should be YAML of a few levels, and has too many.", file=name)]
    if not isinstance(given, dict):
        return [say("{file} should have a line `title: …` and more keys like it.", file=name)]
    try:
        return Worksheet.model_validate(given)
    except ValidationError as error:
        found = dict.fromkeys(_sentences(error))
        return [say("{file}: {sentence}", file=name, sentence=sentence) for sentence in found]


class _GivenTwiceError(ExplorerError):
    pass


class _Loader(yaml.BaseLoader):  # type: ignore[misc]
    """Reads all values as text; refuses keys that are given twice, and aliases."""

    def compose_node(self, parent: Any, index: Any) -> Any:
        if self.check_event(yaml.AliasEvent):
            # A few aliases of aliases are gigabytes.
            event = self.peek_event()
            raise yaml.composer.ComposerError(
                None, None, say("an alias, written with *, cannot be used"), event.start_mark
            )
        return super().compose_node(parent, index)

    def construct_mapping(self, node: Any, deep: bool = False) -> Any:
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        for place, key in enumerate(keys):
            if not isinstance(key, str):
                raise yaml.constructor.ConstructorError(
                    None, None, say("a key should be a word"), node.start_mark
                )
            if key in keys[:place]:
                raise _GivenTwiceError(key)
        return super().construct_mapping(node, deep)


def _problem(error: yaml.YAMLError) -> str:
    problem = getattr(error, "problem", None) or say("it cannot be read")
    words = problem if isinstance(problem, Sentence) else cut(_one_line(str(problem)), 200)
    mark = getattr(error, "problem_mark", None)
    return say("{reason} (line {line})", reason=words, line=mark.line + 1) if mark else words


def _sentences(error: ValidationError) -> Iterator[str]:
    """Yield what is wrong, and what would be right, for each mistake."""
    for each in error.errors():
        place = [part for part in each["loc"] if not isinstance(part, int)]
        if each["type"] == "extra_forbidden":
            fields = Question.model_fields if len(place) > 1 else Worksheet.model_fields
            known = [*fields, *(["link"] if fields is Worksheet.model_fields else [])]
            name = str(place[-1])
            meant = suggest(name, known)
            yield say("there is no key {name} here; {meant}", name=_shown(name), meant=meant)
            continue
        own = each.get("ctx", {}).get("error")
        if isinstance(own, _MistakeError):
            yield own.said("".join(f"{part}." for part in place))
            continue
        model: type[BaseModel] = Question if place[:1] == ["ask"] and len(place) > 1 else Worksheet
        field = str(place[1] if model is Question else place[0])
        key = ".".join(map(str, place[: 2 if model is Question else 1]))
        wanted = _wanted(model, field)
        if each["type"] == "missing":
            yield say("the key `{key}` is missing; it is {wanted}.", key=key, wanted=wanted)
        else:
            yield say(_SHOULD_BE, key=key, wanted=wanted, given=_shown(each["input"]))


_SHOULD_BE = later("`{key}` should be {wanted}, not {given}.")


def _wrong(model: type[BaseModel], field: str, value: object) -> _MistakeError:
    return _MistakeError(field, _SHOULD_BE, wanted=_wanted(model, field), given=_shown(value))


def _wanted(model: type[BaseModel], field: str) -> str:
    """Return what the value of a key is."""
    description = model.model_fields[field].description or ""
    return say(description, most=MOST_CHOICES, longest=LONGEST_ANSWER)


def _shown(value: object) -> str:
    if isinstance(value, Mapping):
        return say("several keys")
    return repr(cut(str(value), LONGEST_VALUE))
