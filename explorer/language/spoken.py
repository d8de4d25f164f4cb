"""Which language is spoken: in this thread, by this process, and nearest to what is asked for."""

import contextlib
import os
from collections.abc import Callable, Iterator, Mapping
from contextvars import ContextVar

ENGLISH = "en"
# By the names that an address has; each is written in its own language.
LANGUAGES: Mapping[str, str] = {ENGLISH: "English", "zh-CN": "中文"}

_spoken: ContextVar[str | None] = ContextVar("spoken", default=None)
_default = ENGLISH
_who_knows: list[Callable[[], str | None]] = []


def current() -> str:
    """Return the name of the spoken language, one of `LANGUAGES`."""
    if (spoken := _spoken.get()) is not None:
        return spoken
    for knows in _who_knows:
        if found := knows():
            _spoken.set(found)
            return found
    return _default


def speak(name: str) -> None:
    """Speak a language in this thread from now on."""
    _spoken.set(name)


@contextlib.contextmanager
def speaking(name: str) -> Iterator[None]:
    """Speak a language within."""
    token = _spoken.set(name)
    try:
        yield
    finally:
        _spoken.reset(token)


def ask(knows: Callable[[], str | None]) -> None:
    """Let a function say what to speak in a thread that has not spoken yet; `None` if unknown."""
    if knows not in _who_knows:
        _who_knows.append(knows)


def follow_environment() -> None:
    """Speak in all threads what the environment says, as gettext reads it."""
    global _default
    for variable in ("LANGUAGE", "LC_ALL", "LC_MESSAGES", "LANG"):
        if value := os.environ.get(variable):
            found = (match(each.split(".")[0]) for each in value.split(":"))
            _default = next(filter(None, found), ENGLISH)
            return


def match(locale: str | None) -> str | None:
    """Return the language that is nearest to a locale such as `zh-Hans-CN`; `None` if none is."""
    wanted = (locale or "").replace("_", "-").lower()
    names = {name.lower(): name for name in LANGUAGES}
    if wanted in names:
        return names[wanted]
    family = wanted.split("-")[0]
    return next((name for lower, name in names.items() if lower.split("-")[0] == family), None)


def folder(name: str) -> str:
    """Return the name of a language as folders have it: `zh_CN`."""
    return name.replace("-", "_")
