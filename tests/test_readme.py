import re
from pathlib import Path

import pytest

from explorer.plugin.registry import load
from explorer.plugin.sources import from_target
from explorer.runs.recorded import open_examples
from explorer.settings import Settings

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
TREE = README.split("## What is where")[1].split("```")[1]


def test_the_plugin_in_the_readme_loads(tmp_path):
    (code,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    (tmp_path / "my_net.py").write_text(code, encoding="utf-8")
    registry = load([from_target(str(tmp_path / "my_net.py"))])
    assert registry.broken == ()
    assert list(registry.architectures) == ["my-net"]


FILES = sorted(
    {*(ROOT / "explorer").rglob("*.py")} - {*(ROOT / "explorer").glob("templates/*/**/*")}
)


@pytest.mark.parametrize("file", FILES, ids=lambda f: f.name)
def test_the_tree_in_the_readme_has_every_file(file):
    if file.name in ("__init__.py", "__main__.py"):
        file = file.parent
    assert re.search(rf"^ *[\w., ]*\b{re.escape(file.name)}\b", TREE, re.MULTILINE), file


def test_the_readme_names_every_setting():
    for name in Settings.model_fields:
        assert f"`EXPLORER_{name.upper()}`" in README


def test_the_accuracies_in_the_readme_are_those_of_the_recorded_runs():
    for run in open_examples().runs():
        line = next(line for line in README.splitlines() if f"| {run.spec.architecture} |" in line)
        assert f"{100 * run.last_accuracy:.2f} %" in line


def test_both_commands_stand_alone_on_a_line():
    assert "    pip install -r requirements.txt && streamlit run streamlit_app.py\n" in README
    assert "    pip install -r requirements-dev.txt && pytest\n" in README


BENCHMARKS = [file.name for file in (ROOT / "benchmarks").glob("*.py") if file.name != "common.py"]


@pytest.mark.parametrize("name", BENCHMARKS)
def test_every_benchmark_is_named_beside_its_results(name):
    results = (ROOT / "benchmarks" / "RESULTS.md").read_text(encoding="utf-8")
    assert f"`python benchmarks/{name}`" in results
    assert f"python benchmarks/{name} " in README


def test_the_speeds_in_the_readme_are_those_of_the_results():
    results = (ROOT / "benchmarks" / "RESULTS.md").read_text(encoding="utf-8")
    for net in ("plain", "residual", "inception"):
        told = re.search(rf"\| {net} \| ([\d.]+) ×.*\| (\d+) × sooner: ([\d.]+) %", README)
        step = re.search(rf"^{net} +explorer +[\d.]+ +([\d.]+)", results, re.MULTILINE)
        whole = re.search(rf"^{net} +[\d.]+ +([\d.]+) .* ([\d.]+)$", results, re.MULTILINE)
        assert told.groups() == (
            f"{float(step[1]):.1f}",
            f"{float(whole[2]):.0f}",
            f"{float(whole[1]):.2f}",
        )
