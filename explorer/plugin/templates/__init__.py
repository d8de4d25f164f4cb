"""Templates of plugins: small ones that work, written under the author's name for them."""

import ast
import importlib.util
import keyword
import re
import shutil
import tempfile
from collections.abc import Iterable
from enum import StrEnum
from pathlib import Path

from explorer.errors import ExplorerError
from explorer.language import say
from explorer.text import suggest

_HERE = Path(__file__).parent


class TemplateError(ExplorerError, ValueError):
    """The plugin cannot be written; the message says what would be right."""


class Kind(StrEnum):
    """The template to begin with."""

    PLAIN = "plain"
    RESIDUAL = "residual"
    INCEPTION = "inception"
    PACKAGE = "package"


def new_plugin(name: str, kind: Kind, folder: Path, taken: Iterable[str]) -> Path:
    """Write a plugin into `folder`: a file, or the folder of a package that can be installed.

    Args:
        name: The architecture's name, in any of the usual spellings.
        kind: The template to begin with.
        folder: Where to write it.
        taken: The names of architectures that exist already.

    Returns:
        The file or folder that was written.

    Raises:
        TemplateError: It cannot have that name, or the name is taken; nothing is written then.
    """
    words = [word.lower() for word in re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z0-9]+", name)]
    module, hyphened = "_".join(words), "-".join(words)
    cls = "".join(map(_capital, words))
    plain = re.fullmatch(r"[A-Za-z0-9]+([ _-][A-Za-z0-9]+)*", name)
    if not plain or not module.isidentifier() or {module, cls} & {*keyword.kwlist}:
        raise TemplateError(
            say(
                "{name!r} cannot be a plugin's name; use letters, digits and hyphens, a letter "
                "first, such as my-net.",
                name=name,
            )
        )
    if cls in _names_in(kind):
        raise TemplateError(
            say(
                "{name!r} cannot be a plugin's name: the template uses the name {used} itself; "
                "choose another one, such as my-net.",
                name=name,
                used=cls,
            )
        )
    if hyphened in taken:
        raise TemplateError(
            say("There is an architecture {name!r} already; choose another name.", name=hyphened)
        )
    if kind is Kind.PACKAGE and importlib.util.find_spec(module):
        raise TemplateError(
            say("There is a module {name!r} already; choose another name.", name=module)
        )
    home = folder / (hyphened if kind is Kind.PACKAGE else f"{module}.py")
    names = {"MyNet": cls, "my_net": module, "my-net": hyphened}
    try:
        with tempfile.TemporaryDirectory(prefix=".new-", dir=folder) as scratch:
            ready = Path(scratch) / home.name
            _write(kind, ready, names)
            if home.exists():
                raise TemplateError(
                    say("{file} is there already; nothing was written over it.", file=home)
                )
            shutil.move(ready, home)
    except OSError as error:
        raise TemplateError(
            say(
                "{file} cannot be written ({reason}); run this in another folder.",
                file=home,
                reason=error.strerror,
            )
        ) from error
    return home


def read_kind(text: str) -> Kind:
    """Return the kind of that name.

    Raises:
        TemplateError: There is none.
    """
    try:
        return Kind(text)
    except ValueError:
        raise TemplateError(
            say(
                "There is no kind {kind!r}; {meant}",
                kind=text,
                meant=suggest(text, map(str, Kind)),
            )
        ) from None


def _names_in(kind: Kind) -> set[str]:
    """Return the names that a template uses, but for the one that becomes the author's."""
    file = _HERE / f"{Kind.INCEPTION if kind is Kind.PACKAGE else kind}.py"
    found: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text("utf-8"))):
        if isinstance(node, ast.Name):
            found.add(node.id)
        elif isinstance(node, ast.alias):
            found.add(node.asname or node.name)
        elif isinstance(node, ast.ClassDef):
            found.add(node.name)
    return found - {"MyNet"}


def _write(kind: Kind, ready: Path, names: dict[str, str]) -> None:
    def fill(text: str) -> str:
        for placeholder, name in names.items():
            text = text.replace(placeholder, name)
        return text

    if kind is not Kind.PACKAGE:
        ready.write_text(fill((_HERE / f"{kind}.py").read_text("utf-8")), "utf-8")
        return
    templates = {
        "pyproject.toml": "package/pyproject.toml",
        "my_net/__init__.py": "inception.py",
        "tests/test_my_net.py": "package/tests/test_my_net.py",
    }
    for place, template in templates.items():
        file = ready / fill(place)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(fill((_HERE / template).read_text("utf-8")), "utf-8")


def _capital(word: str) -> str:
    return word[:1].upper() + word[1:]
