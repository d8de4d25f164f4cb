"""The document of the architecture names what is there, by full path, and leaves nothing out."""

import ast
import importlib.util
import re
from functools import cache
from pathlib import Path

import pytest
from test_layers import FLOORS

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
LISTED = re.findall(r"^\| `([^`]+)` \|", TEXT.split("\n## Every file\n")[1], re.MULTILINE)
FOLDERS = ("explorer", "plugins", "benchmarks", "deploy", "docs")
PROSE = TEXT.split("\n## Every file\n")[0]
NAMED = sorted(set(re.findall(r"`([\w./]+\.py):([\w.]+)`", PROSE)))
PATHS = sorted(set(re.findall(r"`((?:[\w.]+/)+(?:[\w.]+)?)[:`]", TEXT)))


def maker():
    file = ROOT / "docs" / "make_architecture.py"
    spec = importlib.util.spec_from_file_location("make_architecture", file)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@cache
def names(file: Path) -> frozenset[str]:
    """The functions, classes and methods of a module, `Class.method` among them."""
    found = set()
    for node in ast.parse(file.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            found.add(node.name)
        if isinstance(node, ast.ClassDef):
            own = [inner.name for inner in node.body if isinstance(inner, ast.FunctionDef)]
            found |= {f"{node.name}.{name}" for name in own}
    return frozenset(found)


def test_every_module_of_the_explorer_is_listed_once():
    modules = [
        p
        for pattern in ("*.py", *(f"{folder}/**/*" for folder in FOLDERS))
        for p in maker().files(pattern)
    ]
    assert len(modules) > 100
    missing = sorted(set(modules) - set(LISTED))
    gone = sorted(set(LISTED) - set(modules))
    twice = sorted({path for path in LISTED if LISTED.count(path) > 1})
    assert (missing, gone, twice) == ([], [], []), (
        f"Run `python docs/make_architecture.py`. Not listed: {missing}; listed and not there: "
        f"{gone}; listed twice: {twice}."
    )


def test_the_tables_say_what_the_files_say():
    assert maker().architecture(TEXT) == TEXT, "Run `python docs/make_architecture.py`."


@pytest.mark.parametrize("path", LISTED)
def test_every_module_says_what_it_is_for(path):
    assert maker().purpose(path), f"{path} begins with no docstring and no comment."


@pytest.mark.parametrize(("path", "name"), NAMED, ids=[":".join(pair) for pair in NAMED])
def test_every_function_that_is_named_exists(path, name):
    if (ROOT / path).is_file() and name in names(ROOT / path):
        return
    last = name.rpartition(".")[2]
    same = [
        f"{file.relative_to(ROOT)}:{other}"
        for file in sorted((ROOT / "explorer").rglob("*.py"))
        for other in sorted(names(file))
        if other.rpartition(".")[2] == last
    ]
    there = f"of that name there is {', '.join(same)}" if same else "nothing has that name"
    pytest.fail(f"docs/architecture.md names {path}:{name}, which is not there; {there}.")


@pytest.mark.parametrize("path", PATHS)
def test_every_path_that_is_named_exists(path):
    assert (ROOT / path).exists(), f"docs/architecture.md names {path}, which is not there."


def test_both_walks_name_each_of_their_steps():
    for title in ("From a click on Train to a point on the curve", "From an image to a lane"):
        walk = PROSE.split(f"\n## {title}")[1].split("\n## ")[0]
        steps = re.split(r"^\d+\. ", walk, flags=re.MULTILINE)[1:]
        assert len(steps) >= 8
        assert [
            step for step in steps if not re.search(r"`explorer/[\w./]+(:[\w.]+)?`", step)
        ] == []


def test_the_rooms_are_listed_from_the_ground_up():
    [listed] = re.findall(r"^## The rooms\n.*?^```\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL)
    there = {path.stem for path in (ROOT / "explorer").iterdir()}
    floors = [[room for room in rooms if room in there and room[0] != "_"] for rooms in FLOORS]
    assert [line.split() for line in listed.splitlines()] == [rooms for rooms in floors if rooms]
