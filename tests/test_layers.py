"""The import rules of the house: what may import what, and what the core does without."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import explorer
from explorer.plugin.registry import discover

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
    "sqlalchemy": ["explorer.runs.schema", "explorer.runs.store"],
    "torchvision": ["explorer.data"],
    "ray": ["explorer.engines.ray"],
}

# What trains and looks inside, with no idea of pages, charts, engines and stores.
CORE = [
    "explorer.branches",
    "explorer.spec",
    "explorer.hooks",
    "explorer.plugin",
    "explorer.training",
    "explorer.checks",
    "explorer.data",
    "explorer.inspection",
]


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


def imported_by(module: str) -> set[str]:
    file = MODULES[module]
    is_package = file.name == "__init__.py"
    return set(imports(file, module if is_package else module.rpartition(".")[0]))


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
    assert {module for module in users_of(library) if not within(module, HOMES[library])} == set()


@pytest.mark.parametrize("library", ["streamlit", "plotly", "sqlalchemy", "torchvision"])
def test_a_library_that_has_a_home_is_imported_there(library):
    assert any(within(module, HOMES[library]) for module in users_of(library))


@pytest.mark.parametrize("module", [module for module in MODULES if within(module, CORE)])
def test_the_core_imports_nothing_of_the_house_but_the_core(module):
    own = {name for name in imported_by(module) if within(name, ["explorer"])}
    public = {f"explorer.{name}" for name in explorer.__all__}
    assert {name for name in own - public if not within(name, CORE)} == set()


@pytest.mark.parametrize("module", [m for m in MODULES if within(m, ["explorer.charts"])])
def test_charts_know_neither_pages_nor_engines_nor_the_store(module):
    above = [
        "explorer.ui",
        "explorer.cli",
        "explorer.engines",
        "explorer.runs.store",
        "explorer.runs.schema",
    ]
    assert {name for name in imported_by(module) if within(name, above)} == set()


@pytest.mark.parametrize("module", [m for m in MODULES if not within(m, ["explorer.ui"])])
def test_nothing_below_the_pages_imports_them(module):
    assert {name for name in imported_by(module) if within(name, ["explorer.ui"])} == set()


@pytest.mark.parametrize("module", MODULES)
def test_nothing_imports_a_plugin_by_name(module):
    homes = ["plugins", "explorer.plugins"]
    assert {name for name in imported_by(module) if within(name, homes)} == set()


@pytest.mark.parametrize("file", PLUGINS, ids=lambda file: file.stem)
def test_a_built_in_plugin_imports_what_any_author_may(file):
    public = {f"explorer.{name}" for name in explorer.__all__}
    allowed = ["torch", "torchvision", *sys.stdlib_module_names]
    assert {name for name in imports(file) if not within(name, allowed)} <= public


def test_the_public_names_are_what_a_plugin_author_needs():
    networks = {"Branches", "ImageSpec", "Range", "add", "concat", "hookimpl"}
    data = {"MNIST", "DataSet", "image_folder", "npz_file", "torchvision_reader"}
    assert set(explorer.__all__) == networks | data
    assert all(hasattr(explorer, name) for name in explorer.__all__)
    with pytest.raises(AttributeError, match="module 'explorer' has no attribute 'Brunches'"):
        _ = explorer.Brunches


def test_the_app_file_imports_the_pages_and_nothing_else():
    assert set(imports(ROOT / "streamlit_app.py")) == {
        "streamlit.App",
        "explorer.ui.server.ROUTES",
        "explorer.ui.server.SCRIPT",
        "explorer.ui.server.lifespan",
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
assert registry.broken == (), registry.broken
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
    "pebble",
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


def run_without(hidden: list[str], script: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", HIDE + script, " ".join(hidden)],
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


def test_the_core_looks_inside_with_nothing_but_torch_and_pluggy():
    inside = [module for module in MODULES if within(module, CORE)]
    # Decoding a data set takes numpy and torchvision, and `resident` asks for it late; turning a
    # visitor's picture into an image takes numpy and Pillow.
    heavy = ["explorer.data.cache", "explorer.data.pictures", "explorer.checks"]
    lines = [f"import {module}" for module in inside if not within(module, heavy)]
    assert run_without(NEEDED_BY_OTHERS, "\n".join([*lines, "print('imported')"])) == "imported\n"


@pytest.mark.parametrize(
    "module",
    [
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
    ],
)
def test_what_promises_to_start_quickly_does_without_torch(module):
    assert run_without(["torch", "numpy"], f"import {module}; print('imported')") == "imported\n"


@pytest.mark.parametrize("page", ["app", "server", "pages.train", "pages.runs", "pages.plugins", "live", "state"])
def test_a_page_shows_its_first_text_without_torch(page):
    script = f"import explorer.ui.{page}; print('imported')"
    assert run_without(["torch"], script) == "imported\n"


@pytest.mark.parametrize(
    "module",
    [m for m in MODULES if within(m, ["explorer.inspection", "explorer.charts", "explorer.ui"])],
)
def test_what_looks_inside_knows_no_architecture_by_name(module):
    names = set(discover().architectures)
    tree = ast.parse(MODULES[module].read_text(encoding="utf-8"))
    texts = {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant)}
    assert texts & names == set()
