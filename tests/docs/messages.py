"""The messages for plugin authors, read from the code that gives them."""

import ast
import string
from collections.abc import Iterator
from pathlib import Path

EXPLORER = Path(__file__).parents[2] / "explorer"
RAISED = {
    "PluginError",
    "MisfitError",
    "BranchesError",
    "DataSetError",
    "ToneError",
    "OptionError",
    "TemplateError",
    "ValueError",
    "RuntimeError",
    "OutputError",
    "DataError",
    "LessonError",
    "LessonTextError",
}
RAISING = [
    "branches.py",
    "lessons/text.py",
    "engines/bench.py",
    "outputs.py",
    "plugin/architecture.py",
    "plugin/constructor.py",
    "plugin/lessons.py",
    "plugin/loading.py",
    "plugin/options.py",
    "plugin/registry.py",
    "plugin/sources.py",
    "data/dataset.py",
    "data/cache.py",
    "data/readers.py",
    "data/arrays.py",
    "data/folders.py",
    "data/tones.py",
    "data/mnist/__init__.py",
    "plugin/templates/__init__.py",
]


def template(node: ast.expr) -> str | None:
    """Return a text as it is in the code, with `…` for each value that is put in."""
    match node:
        case ast.Call(func=ast.Name(id="say"), args=[ast.Constant(value=str(text))], keywords=[]):
            return text
        case ast.Call(func=ast.Name(id="say"), args=[ast.Constant(value=str(text))]):
            parts = string.Formatter().parse(text)
            return "".join(words + ("" if place is None else "…") for words, place, *_ in parts)
        case ast.Constant(value=str(text)):
            return text
        case ast.JoinedStr(values=values):
            return "".join(template(value) or "…" for value in values)
        case ast.BinOp(left=left, op=ast.Add(), right=right):
            return (template(left) or "…") + (template(right) or "…")
    return None


def raised() -> Iterator[str]:
    """Yield the messages of all errors that a plugin's author may meet."""
    for name in RAISING:
        for node in ast.walk(ast.parse((EXPLORER / name).read_text(encoding="utf-8"))):
            match node:
                case ast.Call(func=ast.Name(id=error), args=[first, *_]) if error in RAISED:
                    if text := template(first):
                        yield text


def explained() -> Iterator[str]:
    """Yield the sentences that `explain` makes of other errors."""
    for name in ("errors.py", "plugin/diagnosis.py"):
        for node in ast.walk(ast.parse((EXPLORER / name).read_text(encoding="utf-8"))):
            if isinstance(node, ast.Return) and node.value:
                text = template(node.value) or ""
                if text.startswith(("It ", "A hook", "The ", "There ")):
                    yield text


def found() -> Iterator[str]:
    """Yield what the checks say when they find something."""
    for name in ("form", "behaviour", "images", "translations"):
        tree = ast.parse((EXPLORER / "checks" / f"{name}.py").read_text(encoding="utf-8"))
        for node in ast.walk(tree):
            match node:
                case ast.Yield(value=ast.Tuple(elts=[ast.Constant(value=verdict), text, *_])):
                    if verdict in ("note", "error"):
                        yield template(text) or "…"
