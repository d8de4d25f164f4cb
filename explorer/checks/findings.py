"""What an examination finds."""

import inspect
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, TypeAlias, TypeVar

from explorer.errors import explain, place

Verdict: TypeAlias = Literal["ok", "note", "error"]
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Finding:
    """What a check found.

    Attributes:
        check: The check's name.
        verdict: `ok`; `note`, if it works and its author may want to know something; or `error`, if
            something here will not work.
        text: A sentence for the author.
        place: The file and the line in the author's code that it speaks of; empty if all is well.
    """

    check: str
    verdict: Verdict
    text: str
    place: str = ""


@dataclass(frozen=True, slots=True)
class Report:
    """All that an examination found of an architecture or a data set.

    Attributes:
        kind: `architecture` or `data set`.
        name: Its name.
        facts: What it is, as plain values.
        findings: What each check found.
    """

    kind: Literal["architecture", "data set"]
    name: str
    facts: Mapping[str, Any]
    findings: tuple[Finding, ...]

    @property
    def passed(self) -> bool:
        """Whether nothing was found that will not work."""
        return all(finding.verdict != "error" for finding in self.findings)

    def to_json(self) -> dict[str, Any]:
        """The report as plain values."""
        findings = [asdict(finding) for finding in self.findings]
        return {"kind": self.kind, "name": self.name, **self.facts, "findings": findings}


# What a check yields: a verdict, a sentence, and a place where it is not that of the definition.
Found: TypeAlias = Iterator[tuple[Verdict, str] | tuple[Verdict, str, str]]


def run_check(
    name: str, check: Callable[[T], Found], subject: T, location: Path | None, home: str
) -> Iterator[Finding]:
    """Run one check; what the author's code raises meanwhile is a finding as well."""
    try:
        for verdict, text, *where in check(subject):
            yield Finding(name, verdict, text, "".join(where) or ("" if verdict == "ok" else home))
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # a plugin may even call sys.exit
        yield Finding(name, "error", explain(error, location), place(error, location) or home)


def place_of(code: Any) -> str:
    """The file and line where a class or function is defined, or nothing."""
    try:
        file, (_, line) = inspect.getsourcefile(code), inspect.getsourcelines(code)
    except (OSError, TypeError):
        return ""
    return f"{file}:{line}"
