"""The messages for plugin authors, read from the code that says them."""

import ast
from collections.abc import Iterator
from pathlib import Path

EXPLORER = Path(__file__).parents[2] / "explorer"
RAISED = {
    "PluginError",
    "BranchesError",
    "DataSetError",
    "OptionError",
    "TemplateError",
    "ValueError",
    "RuntimeError",
    "DataError",
}
RAISING = [
    "branches.py",
    "plugin/loading.py",
    "plugin/options.py",
    "plugin/sources.py",
    "data/dataset.py",
    "data/cache.py",
    "data/readers.py",
    "data/mnist/__init__.py",
    "plugin/templates/__init__.py",
]


def template(node: ast.expr) -> str | None:
    """A text as it stands in the code, with `…` where a value is put in."""
    match node:
        case ast.Constant(value=str(text)):
            return text
        case ast.JoinedStr(values=values):
            return "".join(template(value) or "…" for value in values)
        case ast.BinOp(left=left, op=ast.Add(), right=right):
            return (template(left) or "…") + (template(right) or "…")
    return None


def raised() -> Iterator[str]:
    """The messages of all errors that a plugin's author may be told."""
    for name in RAISING:
        for node in ast.walk(ast.parse((EXPLORER / name).read_text(encoding="utf-8"))):
            match node:
                case ast.Call(func=ast.Name(id=error), args=[first, *_]) if error in RAISED:
                    if text := template(first):
                        yield text


def explained() -> Iterator[str]:
    """The sentences that `explain` makes of other errors."""
    for name in ("errors.py", "plugin/diagnosis.py"):
        for node in ast.walk(ast.parse((EXPLORER / name).read_text(encoding="utf-8"))):
            if isinstance(node, ast.Return) and node.value:
                text = template(node.value) or ""
                if text.startswith(("It ", "A hook", "The ", "There ")):
                    yield text


def found() -> Iterator[str]:
    """What a passport's checks say where all is not well."""
    for name in ("form", "behaviour", "images"):
        tree = ast.parse((EXPLORER / "checks" / f"{name}.py").read_text(encoding="utf-8"))
        for node in ast.walk(tree):
            match node:
                case ast.Yield(value=ast.Tuple(elts=[ast.Constant(value=verdict), text, *_])):
                    if verdict in ("note", "error"):
                        yield template(text) or "…"
