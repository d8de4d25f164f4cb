"""The import rules of the house: what may import what, and what the core does without."""

import ast
import json
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

import explorer

ROOT = Path(__file__).parent.parent
PLUGINS = sorted((ROOT / "plugins").rglob("*.py"))
MODULES = {
    ".".join(file.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): file
    for file in sorted((ROOT / "explorer").rglob("*.py"))
}

# Where a library may be imported. Everything else does without.
HOMES = {
    "streamlit": ["explorer.ui"],
    "plotly": ["explorer.charts"],
    "sqlalchemy": ["explorer.runs"],
    "torchvision": ["explorer.data"],
    "ray": ["explorer.engines.ray"],
}

# The rooms, from the ground up. What is in one of them imports from those below it, and from its
# own. Where a module is named, it belongs to that floor wherever its file is.
FLOORS = [
    [
        "errors",
        "language",
        "logs",
        "text",
        "files",
        "passwords",
        "settings",
        "spec",
        "modes",
        "outputs",
        "branches",
    ],
    ["data", "lessons"],
    ["plugin", "hooks"],
    ["training"],
    ["runs"],
    ["inspection"],
    ["statistics"],
    ["checks", "testing"],
    ["engines"],
    ["charts"],
    ["labs"],
    ["cli", "ui", "__main__"],
]

# What trains and looks inside, with no idea of pages, charts, engines and stores.
CORE = [
    f"explorer.{name}"
    for name in (
        "errors",
        "language",
        "text",
        "files",
        "spec",
        "modes",
        "outputs",
        "branches",
        "data",
        "lessons",
        "plugin",
    )
] + ["explorer.hooks", "explorer.training", "explorer.inspection", "explorer.checks"]

# What authors begin with imports the public names, as their own files will.
TEMPLATES = "explorer.plugin.templates."


def within(module: str, homes: list[str]) -> bool:
    return any(module == home or module.startswith(f"{home}.") for home in homes)


def imports(file: Path, package: str = "") -> Iterator[str]:
    """The full name of each module, or name in a module, that a file imports anywhere in it."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            parents = package.split(".")[: len(package.split(".")) - node.level + 1]
            prefix = ".".join([*(parents if node.level else []), *filter(None, [node.module])])
            yield from (f"{prefix}.{alias.name}" for alias in node.names)


@cache
def imported_by(module: str) -> frozenset[str]:
    file = MODULES[module]
    is_package = file.name == "__init__.py"
    return frozenset(imports(file, module if is_package else module.rpartition(".")[0]))


def users_of(library: str) -> set[str]:
    return {module for module in MODULES if any(within(i, [library]) for i in imported_by(module))}


def test_imports_are_read_wherever_and_however_they_are_written(tmp_path):
    file = tmp_path / "module.py"
    file.write_text(
        "import a.b as c\n"
        "from d import e\n"
        "from . import f\n"
        "from ..g import h\n"
        "def later():\n"
        "    if True:\n"
        "        import i\n"
    )
    assert set(imports(file, "x.y")) == {"a.b", "d.e", "x.y.f", "x.g.h", "i"}


@pytest.mark.parametrize("library", HOMES)
def test_a_library_is_imported_in_its_home_only(library):
    elsewhere = {module for module in users_of(library) if not within(module, HOMES[library])}
    assert elsewhere == set()


@pytest.mark.parametrize("library", ["streamlit", "plotly", "sqlalchemy", "torchvision"])
def test_a_library_that_has_a_home_is_imported_there(library):
    assert any(within(module, HOMES[library]) for module in users_of(library))


def floor(module: str) -> int | None:
    """The floor of a module, from 0; of the package itself, which is the authors' door, none."""
    room = module.removeprefix("explorer").removeprefix(".").partition(".")[0]
    return next((number for number, rooms in enumerate(FLOORS) if room in rooms), None)


def arrows() -> Iterator[tuple[str, str]]:
    """Each import between two modules of the house; templates are somebody else's files."""
    for module in MODULES:
        if module == "explorer" or module.startswith(TEMPLATES):
            continue
        for name in imported_by(module):
            if within(name, ["explorer"]):
                yield module, name


def test_every_module_is_on_a_floor():
    assert len(MODULES) > 90
    assert [m for m in MODULES if m != "explorer" and floor(m) is None] == []


def test_no_import_points_upward():
    upward = [f"{a} imports {b}" for a, b in arrows() if (floor(b) or 0) > floor(a)]
    assert upward == []


def test_no_two_rooms_import_each_other():
    def room(module: str) -> str:
        return module.split(".")[1]

    between = {(room(a), room(b)) for a, b in arrows() if "." in b and room(a) != room(b)}
    assert between
    assert {pair for pair in between if pair[::-1] in between} == set()


def test_nothing_of_the_house_imports_the_authors_door():
    found = list(arrows())
    assert found
    assert [f"{a} imports {b}" for a, b in found if b in public()] == []


def public() -> set[str]:
    return {f"explorer.{name}" for name in explorer.__all__}


@pytest.mark.parametrize("floors", [1, 2, 3, 4, 5, 7])
def test_an_upward_import_is_found(floors):
    below, above = FLOORS[0][0], FLOORS[floors][0]
    assert floor(f"explorer.{above}.x") > floor(f"explorer.{below}")


@pytest.mark.parametrize(
    "module", [m for m in MODULES if within(m, CORE) and not m.startswith(TEMPLATES)]
)
def test_the_core_imports_nothing_of_the_house_but_the_core(module):
    own = {name for name in imported_by(module) if within(name, ["explorer"])}
    others = {name for name in own if not within(name, CORE)}
    assert others == set()


@pytest.mark.parametrize("module", MODULES)
def test_nothing_imports_a_plugin_by_name(module):
    homes = ["plugins", "explorer.plugins"]
    by_name = {name for name in imported_by(module) if within(name, homes)}
    assert by_name == set()


@pytest.mark.parametrize("file", PLUGINS, ids=lambda file: file.stem)
def test_a_built_in_plugin_imports_what_any_author_may(file):
    public = {f"explorer.{name}" for name in explorer.__all__}
    allowed = ["torch", "torchvision", *sys.stdlib_module_names]
    # The embedded files and the lessons have no other home than the explorer itself.
    allowed += ["explorer.data.mnist", "explorer.labs", "explorer.lessons"]
    assert {name for name in imports(file) if not within(name, allowed)} <= public


def test_the_public_names_are_what_a_plugin_author_needs():
    networks = {"Branches", "ImageSpec", "Range", "hookimpl"}
    data = {"DataSet", "image_folder", "npz_file", "torchvision_reader"}
    assert set(explorer.__all__) == networks | data
    assert all(hasattr(explorer, name) for name in explorer.__all__)
    with pytest.raises(AttributeError, match="module 'explorer' has no attribute 'Brunches'"):
        _ = explorer.Brunches


def test_the_app_file_imports_the_pages_and_nothing_else():
    assert set(imports(ROOT / "streamlit_app.py")) == {
        "streamlit.App",
        "explorer.ui.server.MIDDLEWARE",
        "explorer.ui.server.ROUTES",
        "explorer.ui.server.SCRIPT",
        "explorer.ui.server.lifespan",
        "explorer.ui.server.show_failure",
    }


# --- the core, alone

# Libraries are hidden, not made to fail: torch looks whether numpy is there, and does without.
HIDE = """
import sys
from importlib.machinery import PathFinder

HIDDEN = set(sys.argv[1].split())

class Finder(PathFinder):
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        if name.partition(".")[0] not in HIDDEN:
            return super().find_spec(name, path, target)

sys.meta_path = [Finder if finder is PathFinder else finder for finder in sys.meta_path]
"""

TRAIN = """
import math

import torch

from explorer.data.loader import Data, Split
from explorer.training.events import Epoch, Started, Step
from explorer.training.recipe import Recipe
from explorer.plugin.registry import discover
from explorer.spec import ImageSpec
from explorer.training.loop import train

registry = discover()
# Lessons need more, and say so.
assert [broken.source.name for broken in registry.broken] == ["lessons"], registry.broken
assert "which is not installed" in registry.broken[0].reason, registry.broken
assert {"plain", "residual", "inception", "residual-bn"} <= set(registry.architectures)

spec = ImageSpec(1, 28, 10)

def split(size):
    images = torch.randint(0, 256, (size, 1, 28, 28), dtype=torch.uint8)
    return Split(images, torch.arange(size) % 10, torch.full((1, 1, 1), 0.5), torch.ones(1, 1, 1))

model = registry["residual-bn"].build(spec, {"width": 8, "blocks": 1})
before = model.linear.weight.clone()
recipe = Recipe("adamw", schedule="one-cycle", batch_size=16, epochs=2)
events = list(train(model, Data(spec, split(48), split(20)), recipe))

assert isinstance(events[0], Started) and isinstance(events[1], Step)
epochs = [event for event in events if isinstance(event, Epoch)]
assert [epoch.epoch for epoch in epochs] == [1, 2]
assert all(math.isfinite(epoch.train_loss + epoch.test_loss) for epoch in epochs)
assert not torch.equal(model.linear.weight, before)

loaded = HIDDEN & {name.partition(".")[0] for name in sys.modules}
assert not loaded, loaded
print("trained")
"""

NEEDED_BY_OTHERS = [
    "streamlit",
    "plotly",
    "sqlalchemy",
    "pydantic",
    "pydantic_settings",
    "typer",
    "rich",
    "platformdirs",
    "psutil",
    "torchvision",
    "PIL",
    "ray",
    "safetensors",
    "numpy",
]


def run_without(hidden: list[str], script: str, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", HIDE + script, " ".join(hidden), *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_hidden_library_cannot_be_imported():
    with pytest.raises(AssertionError, match="ModuleNotFoundError: No module named 'plotly'"):
        run_without(["plotly"], "import plotly.graph_objects")


def test_the_core_discovers_and_trains_with_nothing_but_torch_and_pluggy():
    assert run_without(NEEDED_BY_OTHERS, TRAIN) == "trained\n"


def test_the_core_looks_inside_with_nothing_but_torch_and_numpy_and_pluggy():
    inside = [m for m in MODULES if within(m, CORE) and not m.startswith(TEMPLATES)]
    # What is found out is arrays. Turning a visitor's picture into an image takes Pillow as well.
    lines = [f"import {module}" for module in inside if module != "explorer.data.pictures"]
    assert "import explorer.inspection.network" in lines
    others = [library for library in NEEDED_BY_OTHERS if library != "numpy"]
    assert run_without(others, "\n".join([*lines, "print('imported')"])) == "imported\n"


# Imports each module that it is given, and prints the error of each that fails.
IMPORT = """
import importlib, json

errors = {}
for module in sys.argv[2].split():
    try:
        importlib.import_module(module)
    except ImportError as error:
        errors[module] = str(error)
print(json.dumps(errors))
"""

# What starts quickly imports neither torch nor numpy; the server no torch.
QUICK = [
    "explorer",
    "explorer.spec",
    "explorer.hooks",
    "explorer.plugin.options",
    "explorer.training.recipe",
    "explorer.training.events",
    "explorer.runs.run",
    "explorer.settings",
    "explorer.runs.store",
    "explorer.cli",
    "explorer.engines.machine",
]
# The pages, what they draw, and what is known in the server of plugins, runs and networks, whose
# code is in other processes.
SERVER = [
    *(m for m in MODULES if within(m, ["explorer.ui", "explorer.charts"])),
    *(
        f"explorer.{name}"
        for name in (
            *("data.dataset", "data.cache", "data.pictures", "data.readers"),
            *("plugin.catalogue", "plugin.options", "plugin.sources", "plugin.templates"),
            *("training.recipe", "training.events"),
            *("runs.run", "runs.store", "runs.recorded"),
            *("inspection.parts", "inspection.recording", "inspection.scores"),
            *("inspection.fields", "inspection.results", "inspection.session"),
            *("inspection.precompute",),
            *("engines.plugins", "engines.asking", "engines.questions", "engines.plain"),
            *("engines.children", "engines.local", "engines.queue", "engines.output"),
            *("engines.ownership", "engines.machine"),
        )
    ),
]


@cache
def import_errors(hidden: str, modules: str) -> dict[str, str]:
    return json.loads(run_without(hidden.split(), IMPORT, modules))


@pytest.mark.parametrize("module", QUICK)
def test_what_promises_to_start_quickly_does_without_torch(module):
    assert import_errors("torch numpy", " ".join(QUICK)).get(module) is None


@pytest.mark.parametrize("module", SERVER)
def test_the_server_does_without_torch(module):
    assert import_errors("torch torchvision", " ".join(SERVER)).get(module) is None


# Imports each module that it is given, and prints those after which torch is there.
AFTER = """
import importlib, json

print(json.dumps([m for m in sys.argv[2].split() if importlib.import_module(m) and TORCH()]))
""".replace("TORCH()", "'torch' in sys.modules")


def test_the_server_does_not_load_torch_where_it_is_there():
    assert len(SERVER) > 60
    assert json.loads(run_without([], AFTER, " ".join(SERVER))) == []
    loads = "explorer.spec explorer.inspection.session explorer.inspection.network"
    assert json.loads(run_without([], AFTER, loads)) == ["explorer.inspection.network"]


def reached_from(module: str) -> dict[str, str]:
    """All that a module imports, early or late, itself or by others; and by which other."""
    found, left = {module: ""}, [module]
    while left:
        by = left.pop()
        for name in imported_by(by):
            while within(name, ["explorer"]) and name not in MODULES:
                name = name.rpartition(".")[0]
            # The authors' door opens what they ask for.
            if name != "explorer" and name not in found:
                found[name] = by
                left += [name] * (name in MODULES)
    return found


@pytest.mark.parametrize("module", SERVER)
def test_nothing_in_the_server_imports_torch_later(module):
    reached = reached_from(module)
    assert module in reached
    assert {name: by for name, by in reached.items() if within(name, ["torch"])} == {}


def test_a_late_import_is_followed():
    assert reached_from("explorer.plugin.registry")["torch"]
    assert "explorer.inspection.network" in reached_from("explorer.cli.inspecting")


def test_an_import_of_a_hidden_library_is_found():
    errors = import_errors("torch", "explorer explorer.training.loop explorer.spec")
    assert errors == {"explorer.training.loop": "No module named 'torch'"}


@pytest.mark.parametrize(
    "module",
    [m for m in MODULES if within(m, ["explorer.inspection", "explorer.charts", "explorer.ui"])],
)
def test_what_looks_inside_knows_no_architecture_by_name(module, registry):
    names = set(registry.architectures)
    tree = ast.parse(MODULES[module].read_text(encoding="utf-8"))
    texts = {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant)}
    if module == "explorer.inspection.blocks":
        texts.discard("residual")  # He et al.'s word for the branch beside the skip connection
    assert texts & names == set()
