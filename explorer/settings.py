"""Settings, read from environment variables that begin with `EXPLORER_`.

The class `Settings` is the one table of them: a line has a setting's name and type, its default at
home and on a server for others, and what it is. Parsing, `explorer settings`, the tables of
docs/hosting.md and the operator's page are made from it.
"""

import os
import re
import typing
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple
from urllib.parse import urlsplit

import platformdirs
from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    TypeAdapter,
    ValidationError,
    model_validator,
)
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from explorer.errors import ExplorerError
from explorer.language import bare, later, listed, say, small
from explorer.passwords import demand_hash
from explorer.text import cut, suggest

PREFIX = "EXPLORER_"
LONGEST_VALUE = 80  # characters of a value that cannot be used, as a sentence repeats it
SHORTEST_SECRET = 32  # characters
_NAME = "architecture-explorer"

Origin = Literal["default", "hosted default", "environment"]


class SettingsError(ExplorerError, ValueError):
    """An environment variable has a value that cannot be used; the message names it."""


def data_folder() -> Path:
    """Return the folder of the user's own data: runs, and the key that signs cookies."""
    return Path(platformdirs.user_data_dir(_NAME))


def _no_limit(value: Any) -> Any:
    return None if isinstance(value, str) and value.strip().lower() == "none" else value


def _names(value: Any) -> Any:
    if isinstance(value, str):
        return tuple(filter(None, (part.strip() for part in value.split(","))))
    return value


def _paths(value: Any) -> Any:
    if isinstance(value, str):
        return tuple(Path(part) for part in value.split(os.pathsep) if part)
    return value


def _origin_of_page(text: str) -> str:
    # The text goes into a header; nothing may be in it that ends the directive there.
    form = (
        r"https?://(\*\.)?[a-z0-9]([a-z0-9.-]*[a-z0-9])?(:\d{1,5})?|https?://\[[0-9a-f:]+\](:\d+)?"
    )
    text = text.lower().rstrip("/")
    if not re.fullmatch(form, text):
        raise ValueError(say("Each origin should be like https://example.org, without a path"))
    return text


def _address(text: str) -> str:
    parts = urlsplit(text)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
        raise ValueError(say("It should be like https://example.org/explorer"))
    return text.rstrip("/")


def _secret(text: str) -> str:
    if len(text) < SHORTEST_SECRET:
        raise ValueError(
            say("It should have at least {number} random characters", number=SHORTEST_SECRET)
        )
    return text


# `none` lifts a limit, and then there is none.
_Whole = Annotated[Annotated[int, Field(ge=1)] | None, BeforeValidator(_no_limit)]
_Number = Annotated[
    Annotated[float, Field(gt=0, allow_inf_nan=False)] | None, BeforeValidator(_no_limit)
]
_Names = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_names)]
_Origins = Annotated[
    tuple[Annotated[str, AfterValidator(_origin_of_page)], ...], NoDecode, BeforeValidator(_names)
]
_Secret = Annotated[str | None, AfterValidator(lambda text: text and _secret(text))]


class _Extra(NamedTuple):
    """What a setting has beside what pydantic keeps: where it belongs, and how it is shown."""

    group: str
    unit: str
    hosted: Any
    is_limit: bool
    is_secret: bool
    shown: str


_SAME = object()  # hosted as at home


def _setting(
    group: str,
    help: str,
    home: Any = None,
    hosted: Any = _SAME,
    *,
    unit: str = "",
    is_limit: bool = False,
    is_secret: bool = False,
    made: tuple[Any, str] | None = None,
    **bounds: Any,
) -> Any:
    """Declare a setting.

    Args:
        group: The heading under which it is listed.
        help: What it is, in one sentence.
        home: Its default.
        hosted: Its default where `EXPLORER_HOSTED` is on.
        unit: Of a number.
        is_limit: Whether it is a number that may be lifted.
        is_secret: Whether its value is never shown.
        made: In place of `home`, a function that makes the default, and words for it.
        bounds: More for `pydantic.Field`.
    """
    extra = _Extra(group, unit, hosted, is_limit, is_secret, made[1] if made else "")
    default = {"default_factory": made[0]} if made else {"default": home}
    return Field(**default, description=help, json_schema_extra={"explorer": extra}, **bounds)  # type: ignore[dict-item]


def _limit(group: str, help: str, home: Any = None, hosted: Any = _SAME, unit: str = "") -> Any:
    """Declare a setting that is a limit, and none where it is `None`."""
    return _setting(group, help, home, hosted, unit=unit, is_limit=True)


_RUN, _QUEUE = later("What a run may take"), later("What waits and what is kept")
_LOOK, _PICTURES = later("Plugins and questions"), later("Pictures from visitors")
_OFFERED, _PEOPLE = later("What is offered"), later("Who is who")
_SERVER = later("The app itself")
_UNITS: Mapping[str, str] = {
    "": "{number:,.15g}",
    "seconds": later("{number:,.15g} seconds"),
    "MB": later("{number:,.15g} MB"),
    "bytes": later("{number:,.15g} bytes"),
}

# What pydantic says of each kind of error, within a sentence.
_REASONS: Mapping[str, str] = {
    "bool_parsing": later("input should be a valid boolean, unable to interpret input"),
    "int_parsing": later("input should be a valid integer, unable to parse string as an integer"),
    "float_parsing": later("input should be a valid number, unable to parse string as a number"),
    "finite_number": later("input should be a finite number"),
    "greater_than": later("input should be greater than {gt:g}"),
    "greater_than_equal": later("input should be greater than or equal to {ge:g}"),
    "less_than_equal": later("input should be less than or equal to {le:g}"),
}


class Settings(BaseSettings):
    """The explorer's settings; each is the environment variable `EXPLORER_` with its name.

    A limit that is `None` is no limit.
    """

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True, env_ignore_empty=True)

    hosted: bool = _setting(
        _SERVER,
        later(
            "Whether the app is for others: then each limit has its hosted default, and who opens "
            "the app is a visitor, not its operator."
        ),
        home=False,
    )
    database_url: str = _setting(
        _SERVER,
        later("Where runs are kept, as a SQLAlchemy URL."),
        made=(
            lambda: f"sqlite:///{data_folder() / 'runs.sqlite'}",
            later("an SQLite file in the user's data folder"),
        ),
    )
    cache: Path = _setting(
        _SERVER,
        later("The folder of the decoded data sets."),
        made=(lambda: Path(platformdirs.user_cache_dir(_NAME)), later("the user's cache folder")),
    )
    plugins: Annotated[tuple[Path, ...], NoDecode, BeforeValidator(_paths)] = _setting(
        _SERVER, later("Folders with more plugins, separated as in `PATH`."), home=()
    )
    workers: int = _setting(
        _SERVER,
        later("How many runs are trained at once; they share the cores."),
        home=1,
        ge=1,
        le=64,
    )
    stop_grace: float = _setting(
        _SERVER,
        later("How long a run has to stop by itself before its process is killed."),
        home=10.0,
        unit="seconds",
        gt=0,
        allow_inf_nan=False,
    )
    log_level: Literal["debug", "info", "warning", "error", "critical"] = _setting(
        _SERVER, later("How serious a message must be to enter the log."), home="info"
    )
    log_format: Literal["text", "json"] = _setting(
        _SERVER, later("How the log is written: as text, or a JSON object a line."), home="text"
    )
    public_url: Annotated[str | None, AfterValidator(lambda url: url and _address(url))] = _setting(
        _SERVER, later("The address under which visitors reach the app.")
    )
    lessons: Path | None = _setting(_SERVER, later("The folder of the files of lessons."))
    frame_origins: _Origins = _setting(
        _SERVER,
        later(
            "Origins of pages that may show the app in a frame, separated by commas; without any, "
            "only the app itself."
        ),
        home=(),
    )

    max_epochs: _Whole = _limit(_RUN, later("Epochs of a run."), hosted=10)
    max_image_epochs: _Whole = _limit(
        _RUN, later("Images that a run trains on, times its epochs."), hosted=600_000
    )
    time_limit: _Number = _limit(
        _RUN, later("How long a run may take."), home=4 * 3600.0, hosted=15 * 60.0, unit="seconds"
    )
    max_parameters: _Whole = _limit(_RUN, later("Parameters of a network."), hosted=5_000_000)
    max_macs: _Whole = _limit(
        _RUN, later("Multiply-adds of a network for one image."), hosted=300_000_000
    )
    run_memory: _Whole = _limit(
        _RUN, later("Memory that a run may take at its peak."), hosted=1500, unit="MB"
    )
    log_bytes: _Whole = _limit(
        _RUN, later("How much of what a run prints is kept."), home=64 * 1024, unit="bytes"
    )

    queue_per_visitor: _Whole = _limit(
        _QUEUE, later("Runs of one visitor that wait or are trained."), hosted=3
    )
    queue_total: _Whole = _limit(_QUEUE, later("Runs of all visitors that wait."), hosted=60)
    runs_disk: _Whole = _limit(
        _QUEUE,
        later("Space for all runs; beyond it, the oldest that nobody pinned are forgotten."),
        hosted=2000,
        unit="MB",
    )
    pins_per_visitor: _Whole = _limit(
        _QUEUE, later("Runs that are pinned since one visitor copied a link to them."), hosted=20
    )
    pins_disk: _Whole = _limit(
        _QUEUE, later("Space for all runs that are pinned so."), hosted=1000, unit="MB"
    )

    load_time: _Number = _limit(
        _LOOK,
        later("How long the plugins may take to load."),
        home=60.0,
        hosted=30.0,
        unit="seconds",
    )
    load_memory: _Whole = _limit(
        _LOOK, later("Memory that loading plugins may take."), home=4000, hosted=1500, unit="MB"
    )
    inspect_time: _Number = _limit(
        _LOOK,
        later("How long one question on *Look inside* may take."),
        home=60.0,
        hosted=20.0,
        unit="seconds",
    )

    upload_bytes: _Whole = _limit(
        _PICTURES,
        later("The size of an uploaded file."),
        home=20_000_000,
        hosted=5_000_000,
        unit="bytes",
    )
    upload_pixels: _Whole = _limit(
        _PICTURES,
        later("The pixels of an uploaded picture."),
        home=50_000_000,
        hosted=12_000_000,
    )
    uploads_per_minute: _Whole = _limit(_PICTURES, later("Uploads of one visitor."), hosted=12)

    offered_plugins: _Names = _setting(
        _OFFERED, later("Names of the plugins, separated by commas; without any, all."), home=()
    )
    offered_datasets: _Names = _setting(
        _OFFERED, later("Names of the data sets, separated by commas; without any, all."), home=()
    )
    offered_pages: _Names = _setting(
        _OFFERED,
        later(
            "Names of the pages (why, train, inside, runs, plugins, glossary), separated by "
            "commas; without any, all."
        ),
        home=(),
    )
    offered_recipes: _Names = _setting(
        _OFFERED, later("Names of the recipes, separated by commas; without any, all."), home=()
    )

    secret_key: _Secret = _setting(
        _PEOPLE,
        later("Signs the cookies; whoever changes it makes all visitors new ones."),
        is_secret=True,
        made=(lambda: None, later("made once, and kept in the user's data folder")),
    )
    operator_password_hash: Annotated[
        str | None, AfterValidator(lambda text: text and demand_hash(text))
    ] = _setting(
        _PEOPLE,
        later("What `explorer hash-password` prints for the operator's password."),
        is_secret=True,
    )
    operator_emails: _Names = _setting(
        _PEOPLE,
        later("Who is the operator where people sign in by OpenID, separated by commas."),
        home=(),
    )
    metrics_token: _Secret = _setting(
        _PEOPLE,
        later("The bearer token with which `/metrics` is read from elsewhere."),
        is_secret=True,
    )

    @model_validator(mode="before")
    @classmethod
    def _take_hosted_defaults(cls, given: Any) -> Any:
        if not isinstance(given, dict):
            return given
        try:
            hosted = TypeAdapter(bool).validate_python(given.get("hosted", False))
        except ValidationError:
            return given  # it is refused in its own name
        return {**cls._hosted_defaults(), **given} if hosted else given

    @classmethod
    def _hosted_defaults(cls) -> dict[str, Any]:
        extras = {name: _extra(field) for name, field in cls.model_fields.items()}
        return {name: e.hosted for name, e in extras.items() if e.hosted is not _SAME}


def read_settings() -> Settings:
    """Read the settings from the environment.

    Raises:
        SettingsError: One of them cannot be used.
    """
    try:
        return Settings()
    except ValidationError as error:
        first = error.errors()[0]
        field = str(first["loc"][0])
        extra = _extra(Settings.model_fields[field])
        name, reason, given = PREFIX + field.upper(), _reason(first), first["input"]
        if extra.is_secret:
            raise SettingsError(
                say("The setting {name} cannot be used: {reason}.", name=name, reason=reason)
            ) from error
        if extra.is_limit:
            raise SettingsError(
                say(
                    "The setting {name} cannot be used: {reason}, or `none` for no limit, not "
                    "{given}.",
                    name=name,
                    reason=reason,
                    given=_repeated(field, given),
                )
            ) from error
        raise SettingsError(
            say(
                "The setting {name} cannot be used: {reason}, not {given}.",
                name=name,
                reason=reason,
                given=_repeated(field, given),
            )
        ) from error


def _reason(error: ErrorDetails) -> str:
    """Say, within a sentence, what is wrong with a value."""
    kind, context = error["type"], error.get("ctx", {})
    if kind == "value_error":
        return small(bare(str(context["error"])))
    if kind == "literal_error":
        known = re.findall("'[^']*'", context["expected"])
        return say("input should be {known}", known=listed(known, say(" or ")))
    return say(_REASONS[kind], **context) if kind in _REASONS else small(bare(error["msg"]))


class Row(NamedTuple):
    """A setting as it is shown to a person.

    Attributes:
        name: Of the environment variable.
        value: As plain data; of what is secret, only whether it is set.
        text: The value in words.
        origin: Where the value is from.
    """

    name: str
    value: Any
    text: str
    origin: Origin


def rows(settings: Settings, environment: Mapping[str, str] | None = None) -> list[Row]:
    """Return every setting with its value, masked where it is secret, and its origin."""
    given = {
        name.upper()
        for name, value in (os.environ if environment is None else environment).items()
        if value
    }

    def origin(name: str, extra: _Extra) -> Origin:
        if PREFIX + name.upper() in given:
            return later("environment")
        is_hosted = settings.hosted and extra.hosted is not _SAME
        return later("hosted default") if is_hosted else later("default")

    plain = settings.model_dump(mode="json")
    plain["database_url"] = masked(settings.database_url)

    def row(name: str, extra: _Extra) -> Row:
        value = plain[name]
        if extra.is_secret:
            value = later("set, and not shown") if value else extra.shown or None
        text = say(value) if extra.is_secret and value else _text(value, extra)
        return Row(PREFIX + name.upper(), value, text, origin(name, extra))

    return [row(name, extra) for name, extra in _table()]


def unknown(environment: Mapping[str, str] | None = None) -> list[str]:
    """Return a sentence for each variable that begins as a setting and is none."""
    known = {PREFIX + name.upper() for name in Settings.model_fields}
    names = os.environ if environment is None else environment
    return [
        say(
            "{name} is no setting; {suggestion}",
            name=name,
            suggestion=suggest(name.upper(), known),
        )
        for name in sorted(names)
        if name.upper().startswith(PREFIX) and name.upper() not in known
    ]


def tables() -> str:
    """Return all settings as Markdown tables, one for each group, for docs/hosting.md."""
    groups: dict[str, list[str]] = {}
    for name, extra in _table():
        field = Settings.model_fields[name]
        home = say(extra.shown) or _text(field.default, extra)
        hosted = home if extra.hosted is _SAME else _text(extra.hosted, extra)
        what = say(str(field.description))
        row = f"| `{PREFIX}{name.upper()}` | {home} | {hosted} | {what} |"
        groups.setdefault(extra.group, []).append(row)
    head = [say("| variable | at home | hosted | what it is |"), "| --- | --- | --- | --- |"]
    return "\n\n".join(
        "\n".join([f"### {say(group)}", "", *head, *lines]) for group, lines in groups.items()
    )


def masked(text: str) -> str:
    """Return the URL of a database, or a sentence that names one, without its password."""
    shown = re.sub(r"//([^:/@ ]*):[^ ]*@", r"//\1:***@", text)
    secret = r"(?i)([?&][^=&\s]*(?:pass|pwd|secret|token)[^=&\s]*=)[^&\s,;]*"
    shown = re.sub(secret, r"\1***", shown)
    return text if shown == text else shown  # a sentence stays one that can be said again


def _table() -> Iterator[tuple[str, _Extra]]:
    for name, field in Settings.model_fields.items():
        yield name, _extra(field)


def _extra(field: FieldInfo) -> _Extra:
    extra = field.json_schema_extra
    assert isinstance(extra, dict)
    return typing.cast(_Extra, extra["explorer"])


def _text(value: Any, extra: _Extra) -> str:
    if isinstance(value, bool):
        return say("on") if value else say("off")
    if value in (None, (), []):
        if extra.group == _OFFERED:
            return say("all")
        return say("no limit") if extra.is_limit else say("none")
    if isinstance(value, tuple | list):
        return ", ".join(map(str, value))
    if isinstance(value, int | float):
        return say(_UNITS[extra.unit], number=value)
    return str(value)


def _repeated(name: str, value: Any) -> str:
    return repr(cut(masked(str(value)) if name == "database_url" else str(value), LONGEST_VALUE))
