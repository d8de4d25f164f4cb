"""Finds text in the source that no catalogue can have: literals that no call to `say` is around.

`python tests/literals.py explorer/charts` prints those of a folder.
"""

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

SAYS = ("say", "plural", "later")
# Two words of which the second is a small one, or one word that begins as a sentence or label does.
_PROSE = re.compile(r"[A-Za-z]{2,},? (?:\ufffd,? )?[a-z]{2,}|^\W*[A-Z][a-z]{2,}\W*$")
# What has these is CSS, HTML, SQL, an address or a path, or the name of something.
_CODE = re.compile(
    r"[{};]\s*$|[a-z-]+: ?[^ ]+;|^\s*<|^https?:|^\w+/|^[a-z]+\.[a-z.]+$|^(?:SELECT|PRAGMA) "
)
# Arguments that nobody reads, and functions whose arguments nobody reads on a page.
_UNREAD = {"key", "name", "icon", "type", "help_of", "url_path", "width", "format"}
_LOGS = {"debug", "info", "warning", "error", "exception", "critical"}
# What these are given is cited, printed by documents or metrics only, or split into names.
_NOT_SAID = {"Source", "Row", "Metric", "cast", "TypeVar"}
_ERRORS = {
    *("ValueError", "TypeError", "RuntimeError", "KeyError", "AssertionError"),
    *("AttributeError", "NotImplementedError", "IndexError", "LookupError", "OSError"),
}

LONGEST = 60  # characters of a text in the list below
# What nobody reads as text, by file: keys, code, names that are compared, words of libraries, and
# what only documents, logs and metrics have.
UNREAD = {
    "language/spoken.py": {"English"},
    "__init__.py": {
        "Branches",
    },
    "charts/bars.py": {
        "middle right",
    },
    "charts/exciting.py": {
        "class means",
    },
    "charts/grids.py": {
        "Viridis",
        "gradients by depth",
    },
    "charts/lanes.py": {
        "Flatten",
        "Unflatten",
        "Permute",
    },
    "charts/layout.py": {
        "frame block",
        "bold struck",
        "batch norm",
    },
    "charts/page.py": {
        "export default function",
        "bytes, format, halves, paint",
        "const component = function",
        "(() => {\n�\nreturn { show: component, style: �, � };\n})()",
        "default-src 'none'; script-src �; style-src 'unsafe-hashes' ",
    },
    "charts/patching.py": {
        "patched answers",
    },
    "charts/stages.py": {
        "Flatten",
        "Norm",
    },
    "charts/unit.py": {
        "ramp of weights",
        "end of weights",
        "scale of sources",
    },
    "charts/words.py": {
        "matrix product",
    },
    "checks/images.py": {
        "data set",
    },
    "cli/plugins.py": {
        "    explorer check ",
        "    pip install --editable ",
    },
    "data/cache.py": {
        "timed out",
        "urlopen error",
    },
    "engines/machine.py": {
        "model name",
    },
    "engines/output.py": {
        "\n… � bytes are left out …\n",
    },
    "engines/plain.py": {
        "Path",
    },
    "engines/plugins.py": {
        'File "�", line �, in ',
    },
    "errors.py": {
        "memory: you tried to allocate",
        "Expected more than 1 value per channel when training",
        "out of memory",
    },
    "inspection/attribution.py": {
        "integrated gradients",
    },
    "inspection/blocks.py": {
        "matrix product",
        "Conv",
    },
    "inspection/graph.py": {
        "Linear",
    },
    "inspection/linearity.py": {
        "Linear(�, �)",
    },
    "inspection/operations.py": {
        "input weight bias stride padding dilation groups",
        "input weight bias stride padding output_padding groups dilat",
        "input weight bias",
        "input weight",
        "bias input weight",
        "input kernel_size stride padding dilation ceil_mode",
        "input kernel_size stride padding ceil_mode count_include_pad",
        "input output_size",
        "input dim keepdim",
        "input running_mean running_var weight bias training momentum",
        "input running_mean running_var weight bias use_input_stats m",
        "input num_groups weight bias eps",
        "input normalized_shape weight bias eps",
        "input normalized_shape weight eps",
        "input negative_slope",
        "input min max",
        "input exponent",
        "input dim",
    },
    "inspection/results.py": {
        "matrix product",
    },
    "inspection/units.py": {
        "only the first step has a source of its own",
    },
    "labs/address.py": {
        "| name | value | what it chooses |",
    },
    "labs/inception.py": {
        "Linear(�, �)",
    },
    "labs/residual.py": {
        "of the training",
    },
    "language.py": {
        "English",
    },
    "plugin/constructor.py": {
        "got an unexpected keyword argument ",
    },
    "plugin/guard.py": {
        "torch's random numbers",
        "Python's random numbers",
        "NumPy's random numbers",
        "the environment",
        "the filters of warnings",
        " random numbers",
    },
    "plugin/loading.py": {
        "Lesson(…)",
    },
    "runs/database.py": {
        "lock|already exists|unique",
    },
    "runs/faults.py": {
        'database ".*" does not exist',
    },
    "runs/migrations.py": {
        "ALTER TABLE progress RENAME TO training_states",
        "ALTER TABLE runs ADD COLUMN traceback TEXT NOT NULL DEFAULT ",
        "DROP INDEX IF EXISTS ix_�_run",
        "ALTER TABLE events ALTER COLUMN kind TYPE VARCHAR(16)",
        "ALTER TABLE pins ADD COLUMN visitor VARCHAR(80) NOT NULL DEF",
        "UPDATE runs SET status = 'paused' WHERE status = 'stopped'",
    },
    "runs/packing.py": {
        "DELETE FROM � WHERE run = ?",
        "DELETE FROM runs WHERE id = ?",
        "DELETE FROM weights WHERE run = ?",
        "DELETE FROM weights WHERE run = ?1 AND epoch < (SELECT max(e",
        "UPDATE runs SET owner = ''",
        "DELETE FROM measured WHERE run NOT IN (SELECT id FROM runs)",
    },
    "runs/record_files.py": {
        "INSERT OR REPLACE INTO measured VALUES (?, ?, ?)",
        "INSERT OR REPLACE INTO made VALUES (?, ?)",
    },
    "runs/run.py": {
        ".code of ",
    },
    "training/events.py": {
        "Infinity",
        "-Infinity",
    },
    "ui/http/compressed.py": {
        "public, immutable, max-age=",
    },
    "ui/http/health.py": {
        "no answer",
    },
    "ui/http/metrics.py": {
        "The version that runs.",
        "Files taken.",
        "Files that were too large or too many.",
        "Whether the database answers.",
        "Runs that wait.",
        "Wall time of all finished epochs of all runs that are kept.",
        "Whether runs can be trained.",
        "Workers that had to be replaced.",
        "The metrics are for the operator: sign in, ask from this mac",
        "Pages that are open in browsers.",
        "Pages that were opened, opened again and closed.",
    },
    "ui/http/requests.py": {
        "Path=/",
        "Secure",
        "Partitioned",
    },
    "ui/http/visitors.py": {
        "private, no-cache",
    },
    "ui/pages/answers.py": {
        "show answers ",
    },
    "ui/pages/inside/excites.py": {
        "gone through",
        "exciting images",
        "class means",
    },
    "ui/pages/inside/feature_map.py": {
        "map is new",
    },
    "ui/pages/inside/page.py": {
        " of both",
    },
    "ui/pages/inside/patching.py": {
        "image of the donor",
        "donor and image",
    },
    "ui/pages/inside/picker.py": {
        "next epoch",
    },
    "ui/pages/inside/picture.py": {
        "ink version",
    },
    "ui/pages/inside/questions.py": {
        "filters of",
        "integrated gradients",
    },
    "ui/pages/inside/uploaded.py": {
        "pixels before",
        "picture done",
        "picture crop",
    },
    "ui/pages/inside/walk.py": {
        "step was played",
        "matrix product",
    },
    "ui/pages/inside/worth.py": {
        "shares of",
    },
    "ui/pages/plugins.py": {
        "data set",
    },
    "ui/pages/runs.py": {
        "data set",
    },
    "ui/state.py": {
        "before any page",
    },
    "ui/worksheets.py": {
        "open lesson",
    },
}


class Literal(NamedTuple):
    """Text in the source."""

    file: Path
    line: int
    text: str


def literals(file: Path) -> Iterator[Literal]:
    """Yield what reads as text and is not said."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    yield from (Literal(file, line, text) for line, text in _found(tree))


def _found(node: ast.AST) -> Iterator[tuple[int, str]]:
    if isinstance(node, ast.Call):
        name = _name(node.func)
        if name in SAYS:
            yield from _in(keyword.value for keyword in node.keywords)
            return
        if name in _ERRORS | _NOT_SAID or (name in _LOGS and _owner(node.func).endswith("log")):
            return
        if name == "split" and isinstance(getattr(node.func, "value", None), ast.Constant):
            return
        yield from _in(node.args)
        yield from _in(each.value for each in node.keywords if each.arg not in _UNREAD)
        yield from _found(node.func)
        return
    if isinstance(node, ast.Assign) and any(
        isinstance(target, ast.Name) and target.id.strip("_") in ("STYLE", "SHOWN", "all")
        for target in node.targets
    ):
        return
    if isinstance(node, ast.Subscript) and _name(node.value) == "Literal":
        return
    if isinstance(node, ast.arg | ast.AnnAssign) and node.annotation is not None:
        yield from _in([node.value] if isinstance(node, ast.AnnAssign) and node.value else [])
        return
    if isinstance(node, ast.JoinedStr):
        words = "\N{REPLACEMENT CHARACTER}".join(
            str(part.value) for part in node.values if isinstance(part, ast.Constant)
        )
        if _is_prose(words):
            yield node.lineno, words
        yield from _in(part.value for part in node.values if isinstance(part, ast.FormattedValue))
        for call in ast.walk(node):  # the collector of messages does not look into an f-string
            if isinstance(call, ast.Call) and _name(call.func) in SAYS and call.args:
                yield from ((call.lineno, arg.value) for arg in call.args if _is_text(arg))
        return
    if isinstance(node, ast.Constant):
        if isinstance(node.value, str) and _is_prose(node.value):
            yield node.lineno, node.value
        return
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        node.returns = None  # an annotation may be a text
    body = getattr(node, "body", None)
    docstring = None
    if (
        isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
        and body
    ):
        docstring = body[0] if ast.get_docstring(node, clean=False) is not None else None
    yield from _in(child for child in ast.iter_child_nodes(node) if child is not docstring)


def _in(nodes: object) -> Iterator[tuple[int, str]]:
    for node in nodes:  # type: ignore[attr-defined]
        yield from _found(node)


def _is_text(node: ast.AST) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str)


def _is_prose(text: str) -> bool:
    return bool(_PROSE.search(text)) and not _CODE.search(text)


def _name(node: ast.AST) -> str:
    return node.id if isinstance(node, ast.Name) else getattr(node, "attr", "")


def _owner(node: ast.AST) -> str:
    return _name(node.value) if isinstance(node, ast.Attribute) else ""


if __name__ == "__main__":
    for argument in sys.argv[1:]:
        place = Path(argument)
        for source in sorted(place.rglob("*.py")) if place.is_dir() else [place]:
            for each in literals(source):
                print(f"{each.file}:{each.line}: {each.text[:100]!r}")
