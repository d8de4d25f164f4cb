import re
from pathlib import Path

import pytest
from built_ins import REGISTRY

from explorer.plugin.registry import load
from explorer.plugin.sources import from_target
from explorer.runs.recorded import ARCHITECTURES, open_examples
from explorer.settings import Settings

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
RESULTS = (ROOT / "benchmarks" / "RESULTS.md").read_text(encoding="utf-8")


def row(first: str) -> list[str]:
    """The cells of the table row that begins with `first`."""
    [line] = re.findall(rf"^\| {re.escape(first)} \|(.*)\|$", README, re.MULTILINE)
    return [cell.strip() for cell in line.split("|")]


def test_the_plugin_in_the_readme_loads(tmp_path):
    (code,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    (tmp_path / "my_net.py").write_text(code, encoding="utf-8")
    registry = load([from_target(str(tmp_path / "my_net.py"))])
    assert registry.broken == ()
    assert list(registry.architectures) == ["my-net"]


def test_the_readme_lists_the_built_in_architectures_and_no_other():
    listed = re.findall(r"^\| `([a-z0-9-]+)` \|", README, re.MULTILINE)
    assert sorted(listed) == sorted(REGISTRY.architectures)


NAMED = re.findall(r"^\| `EXPLORER_(\w+)` \|", README, re.MULTILINE)


def test_the_readme_names_what_one_sets_at_home():
    assert {"DATABASE_URL", "CACHE", "PLUGINS", "WORKERS", "HOSTED"} <= set(NAMED)
    assert "(docs/hosting.md#settings) lists them" in README


@pytest.mark.parametrize("name", NAMED)
def test_the_settings_in_the_readme_have_their_defaults(name):
    default = Settings.model_fields[name.lower()].default
    *_, said = row(f"`EXPLORER_{name}`")
    if isinstance(default, int | float) and not isinstance(default, bool):
        assert said == f"{default:g}"
    else:
        assert said


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_the_accuracies_in_the_readme_are_those_of_the_recorded_runs(name):
    (run,) = [run for run in open_examples().runs() if run.spec.architecture == name]
    [table] = re.findall(r"^\| net \| parameters \|.*?\n\n", README, re.MULTILINE | re.DOTALL)
    [line] = re.findall(rf"^\| {name} \|(.*)\|$", table, re.MULTILINE)
    parameters, first, last, _ = (cell.strip() for cell in line.split("|"))
    assert parameters == f"{run.started.parameters:,}"
    assert first == f"{100 * run.epochs[0].test_accuracy:.2f} %"
    assert last == f"{100 * run.last_accuracy:.2f} %"


def test_each_of_the_two_commands_has_a_line_of_its_own():
    assert "    pip install -r requirements.txt && streamlit run streamlit_app.py\n" in README
    assert "    pip install -r requirements-dev.txt && pytest\n" in README


BENCHMARKS = [file.name for file in (ROOT / "benchmarks").glob("*.py") if file.name != "common.py"]


@pytest.mark.parametrize("name", BENCHMARKS)
def test_every_benchmark_is_named_beside_its_results(name):
    assert f"`python benchmarks/{name}`" in RESULTS
    assert f"python benchmarks/{name} " in README


@pytest.mark.parametrize("net", ["plain", "residual", "inception"])
def test_the_speeds_in_the_readme_are_those_of_the_results(net):
    said = re.search(rf"\| {net} \| ([\d.]+) ×.*\| (\d+) × sooner: ([\d.]+) %", README)
    step = re.search(rf"^{net} +explorer +[\d.]+ +([\d.]+)", RESULTS, re.MULTILINE)
    whole = re.search(rf"^{net} +[\d.]+ +([\d.]+) .* ([\d.]+)$", RESULTS, re.MULTILINE)
    assert said.groups() == (
        f"{float(step[1]):.1f}",
        f"{float(whole[2]):.0f}",
        f"{float(whole[1]):.2f}",
    )
