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

    text: Line = Field(description="the question, of at most 200 characters")
    kind: Literal["choice", "number", "class"] = Field(description="choice, number or class")
    choices: tuple[Choice, ...] = Field(
        (),
        max_length=MOST_CHOICES,
        description=f"a list of 2 to {MOST_CHOICES} different answers, each of at most "
        f"{LONGEST_ANSWER} characters, where `kind` is choice, and else left out",
    )
    low: Number = Field(-LARGEST, description="a number, the least that can be answered")
    high: Number = Field(LARGEST, description="a number, larger than `low`")
    unit: Annotated[str, Field(max_length=20)] = Field(
        "", description="the unit of the number, of at most 20 characters"
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

    title: Line = Field(description="the title, of at most 200 characters")
    text: Text = Field("", description="text of at most 5,000 characters")
    page: Literal["inside", "train"] = Field("inside", description="inside or train")
    values: dict[str, Values] = Field(
        default_factory=dict,
        max_length=50,
        description="what the page shows, by the names that an address has, each a value or a list",
    )
    controls: Annotated[tuple[Choice, ...], BeforeValidator(_listed)] = Field(
        (), max_length=50, description="a list of names that an address has, navigation or train"
    )
    ask: Question | None = Field(None, description="a question: its text, its kind, and more")
    after: Text = Field("", description="text of at most 5,000 characters")

    @model_validator(mode="before")
    @classmethod
    def _read_link(cls, given: Any) -> Any:
        """Put what `link`, a copied address, says in the place of `page` and `values`."""
        if not isinstance(given, dict) or "link" not in given:
            return given
        link, *others = (given.get(name) for name in ("link", "page", "values"))
        if not isinstance(link, str) or any(others) or "?" not in link:
            raise ValueError(
                "`link` should be an address from *Copy link*, in the place of `page` and `values`"
            )
        try:
            parts = urlsplit(link)
            said = parse_qs(parts.query, keep_blank_values=True, max_num_fields=200)
        except ValueError:
            raise ValueError("`link` should be an address as *Copy link* gives it") from None
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
                raise ValueError(
                    f"`values` has {_shown(name)}, which is nothing of the page {self.page}; "
                    f"{suggest(name, known)}"
                )
        for name in self.controls:
            others = (NAVIGATION, *([TRAIN] if self.page == "train" else []))
            if name not in others and (name == "lesson" or not belongs(name, self.page)):
                raise ValueError(
                    f"`controls` has {_shown(name)}, which is no control of the page {self.page}; "
                    f"{suggest(name, [*known, *others])}"
                )
        if self.ask and self.ask.kind == "class" and self.page != "inside":
            raise ValueError("`ask.kind` should be choice or number on the page train")
        return self


def read_worksheet(file: Path) -> Worksheet:
    """Read a lesson.

    Raises:
        WorksheetError: It has mistakes; the message is a sentence about each.
    """
    found = _read(file)
    if isinstance(found, Worksheet):
        return found
    raise WorksheetError(" ".join(found))


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
            "There are no lessons here; the setting EXPLORER_LESSONS names a folder."
        )
    file = folder / f"{name}.yaml"
    if not NAME.fullmatch(name) or not file.is_file():
        raise WorksheetError(f"There is no lesson {_shown(name)} here; ask for its link again.")
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
    try:
        with open(file, "rb") as opened:
            content = opened.read(MOST_BYTES + 1)
    except OSError as error:
        return [f"{file.name} cannot be read: {error.strerror or 'it is no file'}."]
    if len(content) > MOST_BYTES:
        return [f"{file.name} should have at most {MOST_BYTES:,} bytes."]
    try:
        given = yaml.load(content.decode("utf-8"), _Loader)
    except UnicodeDecodeError:
        return [f"{file.name} should be text in UTF-8."]
    except _GivenTwiceError as error:
        return [f"{file.name}: the key `{cut(str(error), LONGEST_VALUE)}` should be given once."]
    except yaml.YAMLError as error:
        return [f"{file.name} should be YAML: {_problem(error)}."]
    except RecursionError:
        return [f"{file.name} should be YAML of a few levels, and has too many."]
    if not isinstance(given, dict):
        return [f"{file.name} should have a line `title: …` and more keys like it."]
    try:
        return Worksheet.model_validate(given)
    except ValidationError as error:
        found = dict.fromkeys(_sentences(error))
        return [f"{file.name}: {words}{'' if words.endswith('?') else '.'}" for words in found]


class _GivenTwiceError(ExplorerError):
    pass


class _Loader(yaml.BaseLoader):  # type: ignore[misc]
    """Reads all values as text; refuses keys that are given twice, and aliases."""

    def compose_node(self, parent: Any, index: Any) -> Any:
        if self.check_event(yaml.AliasEvent):
            # A few aliases of aliases are gigabytes.
            event = self.peek_event()
            raise yaml.composer.ComposerError(
                None, None, "an alias, written with *, cannot be used", event.start_mark
            )
        return super().compose_node(parent, index)

    def construct_mapping(self, node: Any, deep: bool = False) -> Any:
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        for place, key in enumerate(keys):
            if not isinstance(key, str):
                raise yaml.constructor.ConstructorError(
                    None, None, "a key should be a word", node.start_mark
                )
            if key in keys[:place]:
                raise _GivenTwiceError(key)
        return super().construct_mapping(node, deep)


def _problem(error: yaml.YAMLError) -> str:
    words = " ".join(str(getattr(error, "problem", None) or "it cannot be read").split())
    mark = getattr(error, "problem_mark", None)
    return cut(words, 200) + (f" (line {mark.line + 1})" if mark else "")


def _sentences(error: ValidationError) -> Iterator[str]:
    """Yield what is wrong, and what would be right, for each mistake."""
    for each in error.errors():
        place = [part for part in each["loc"] if not isinstance(part, int)]
        if each["type"] == "extra_forbidden":
            fields = Question.model_fields if len(place) > 1 else Worksheet.model_fields
            known = [*fields, *(["link"] if fields is Worksheet.model_fields else [])]
            name = str(place[-1])
            yield f"there is no key {_shown(name)} here; {suggest(name, known)}".rstrip(".")
            continue
        own = str(each.get("ctx", {}).get("error", ""))
        if each["type"] == "value_error" and own.startswith("`"):
            prefix = "".join(f"{part}." for part in place)
            yield (
                own if own.startswith(f"`{prefix}") else own.replace("`", f"`{prefix}", 1)
            ).rstrip(".")
            continue
        model: type[BaseModel] = Question if place[:1] == ["ask"] and len(place) > 1 else Worksheet
        field = str(place[1] if model is Question else place[0])
        key = ".".join(map(str, place[: 2 if model is Question else 1]))
        wanted = model.model_fields[field].description
        if each["type"] == "missing":
            yield f"the key `{key}` is missing; it is {wanted}"
        else:
            yield f"`{key}` should be {wanted}, not {_shown(each['input'])}"


def _wrong(model: type[BaseModel], field: str, value: object) -> ValueError:
    return ValueError(
        f"`{field}` should be {model.model_fields[field].description}, not {_shown(value)}"
    )


def _shown(value: object) -> str:
    if isinstance(value, Mapping):
        return "several keys"
    return repr(cut(str(value), LONGEST_VALUE))
