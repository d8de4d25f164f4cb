"""Write the file tables of docs/architecture.md: `python docs/make_architecture.py`.

What a file is for is the first line of its docstring, or the first sentence of its first comment.
"""

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
FILE = ROOT / "docs" / "architecture.md"
TEMPLATE = "explorer/plugin/templates/package/"  # a plugin's files, not the explorer's
TABLE = re.compile(r"(<!-- files: (\S+) -->\n).*?(?=<!-- end -->)", re.DOTALL)


def architecture(text: str) -> str:
    """Return the document `text` with every table brought up to date."""
    return TABLE.sub(lambda found: found[1] + _table(found[2]), text)


def files(pattern: str) -> list[str]:
    """Return the paths of all modules that match `pattern`, from the top of the checkout.

    A package means its `__init__.py`: `explorer/data/`, before the modules in it.
    """
    found = [file for file in ROOT.glob(pattern) if file.suffix in (".py", ".js")]
    paths = [file.relative_to(ROOT).as_posix().removesuffix("__init__.py") for file in found]
    return sorted(path for path in paths if not path.startswith(TEMPLATE))


def purpose(path: str) -> str:
    """Return what the module at `path` is for, as it says itself."""
    file = ROOT / path
    text = (file / "__init__.py" if file.is_dir() else file).read_text(encoding="utf-8")
    if file.suffix == ".js":
        comment = re.match(r"(?:// .*\n)+", text)
        words = " ".join(re.findall(r"// (.*)\n", comment[0])) if comment else ""
        return re.split(r"(?<=\.) ", words)[0]
    return (ast.get_docstring(ast.parse(text)) or "").partition("\n")[0]


def _table(pattern: str) -> str:
    rows = [f"| `{path}` | {purpose(path)} |" for path in files(pattern)]
    return "\n".join(["", "| file | what it is for |", "| --- | --- |", *rows, "", ""])


if __name__ == "__main__":
    FILE.write_text(architecture(FILE.read_text(encoding="utf-8")), encoding="utf-8")
