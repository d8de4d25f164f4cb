"""Reads what the Dockerfile, compose.yaml and .dockerignore say, for the trial and the tests."""

import json
import re
import shlex
import shutil
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[1]
DOCKERFILE = ROOT / "deploy" / "Dockerfile"
COMPOSE = ROOT / "deploy" / "compose.yaml"
IGNORED = ROOT / ".dockerignore"


def instructions(dockerfile: str) -> list[tuple[str, str]]:
    """Return the instructions of a Dockerfile: the word, and the rest in one line."""
    lines = [line for line in dockerfile.splitlines() if not line.lstrip().startswith("#")]
    whole = re.sub(r"\\\n\s*", " ", "\n".join(lines))
    pairs = (line.split(maxsplit=1) for line in whole.splitlines() if line.strip())
    return [(word.upper(), rest) for word, rest in pairs]


def last_stage(dockerfile: str) -> list[tuple[str, str]]:
    """Return the instructions of what becomes the image."""
    found = instructions(dockerfile)
    begins = max(number for number, (word, _) in enumerate(found) if word == "FROM")
    return found[begins:]


def environment(dockerfile: str) -> dict[str, str]:
    """Return the variables that the image sets."""
    pairs = [
        pair for word, rest in last_stage(dockerfile) if word == "ENV" for pair in shlex.split(rest)
    ]
    return dict(pair.split("=", 1) for pair in pairs)


def command(dockerfile: str, word: str = "CMD") -> list[str]:
    """Return the words of the image's command, or of its `HEALTHCHECK`.

    Raises:
        ValueError: It is not in the exec form, in which signals reach the program.
    """
    (rest,) = [rest for each, rest in last_stage(dockerfile) if each == word]
    if not (found := re.search(r"\[.*\]$", rest)):
        raise ValueError(f"{word} must be a JSON list of words, not {rest}.")
    words: list[str] = json.loads(found[0])
    return words


def services(compose: str) -> dict[str, Any]:
    """Return the services of a compose file."""
    found: dict[str, Any] = yaml.safe_load(compose)["services"]
    return found


def copy_context(target: Path) -> None:
    """Copy into a folder what `docker build` sees of this checkout."""
    lines = IGNORED.read_text(encoding="utf-8").splitlines()
    for name in (line[1:] for line in lines if line.startswith("!")):
        source, place = ROOT / name, target / name
        place.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, place, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copyfile(source, place)
