"""What a check finds, and the report of all checks."""

import inspect
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, TypeAlias, TypeVar

from explorer.errors import explain, place
from explorer.language import later
from explorer.plugin.architecture import printing_to_stderr

# Pages show the names of the checks in the reader's language.
NAMES = (
    *(later("options"), later("size"), later("fits"), later("ranges"), later("logits")),
    *(later("gradients"), later("branches"), later("affine"), later("answers"), later("repeats")),
    *(later("learns"), later("keeps"), later("compiles"), later("devices")),
    *(later("reads"), later("files"), later("classes"), later("pixels"), later("overlap")),
    *(later("computes"), later("says"), later("numbers"), later("translations")),
)

Verdict: TypeAlias = Literal["ok", "note", "error"]
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Finding:
    """What a check found.

    Attributes:
        check: The check's name.
        verdict: `ok`; `note` if it works, but the author may want to know something; or `error` if
            something does not work.
        text: A sentence for the author.
        place: File and line in the author's code; empty if all is well.
    """

    check: str
    verdict: Verdict
    text: str
    place: str = ""


@dataclass(frozen=True, slots=True)
class Report:
    """What all checks found of an architecture, a data set or a lesson.

    Attributes:
        kind: `architecture`, `data set` or `lesson`.
        name: Its name.
        facts: What it is, as plain values.
        findings: What each check found.
    """

    kind: Literal["architecture", "data set", "lesson"]
    name: str
    facts: Mapping[str, Any]
    findings: tuple[Finding, ...]

    @property
    def passed(self) -> bool:
        """Whether no check found an error."""
        return all(finding.verdict != "error" for finding in self.findings)

    def to_json(self) -> dict[str, Any]:
        """Return the report as plain values."""
        findings = [asdict(finding) for finding in self.findings]
        return {"kind": self.kind, "name": self.name, **self.facts, "findings": findings}


# What a check yields: a verdict, a sentence, and a place if it is not that of the definition.
Found: TypeAlias = Iterator[tuple[Verdict, str] | tuple[Verdict, str, str]]


def run_check(
    name: str, check: Callable[[T], Found], subject: T, location: Path | None, home: str
) -> list[Finding]:
    """Run one check; an exception that the author's code raises is a finding too.

    A check that found an error says of nothing else that it is ok.
    """
    found = []
    try:
        with printing_to_stderr():
            for verdict, text, *where in check(subject):
                at = "".join(where) or ("" if verdict == "ok" else home)
                found.append(Finding(name, verdict, text, at))
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # a plugin may even call sys.exit
        found.append(
            Finding(name, "error", explain(error, location), place(error, location) or home)
        )
    if any(finding.verdict == "error" for finding in found):
        return [finding for finding in found if finding.verdict != "ok"]
    return found


def place_of(code: Any) -> str:
    """Return the file and line where a class or function is defined; empty if there is none."""
    try:
        file, (_, line) = inspect.getsourcefile(code), inspect.getsourcelines(code)
    except (OSError, TypeError):
        return ""
    return f"{file}:{line}"
