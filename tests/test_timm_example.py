"""The example package: installed into a new environment, found, checked and uninstalled."""

import json
import shutil
import subprocess
import sys
import sysconfig
import venv
from collections import Counter
from pathlib import Path

import pytest

from explorer import ImageSpec
from explorer.inspection.outline import outline
from explorer.inspection.parts import blocks

HOME = Path(__file__).parents[1] / "examples" / "architecture-explorer-timm"
# How many blocks of each kind.
MODELS = {
    "mobilenetv3_small_050": {"product": 9, "sum": 7},
    "mobilenetv2_035": {"sum": 10},
    "lcnet_050": {"product": 2},
    "resnet10t": {"sum": 4},
    "convnext_atto": {"sum": 5},
    "vit_tiny_patch16_224": {"sum": 8},
    "mixer": {"sum": 8},
}


@pytest.fixture(scope="module")
def python(tmp_path_factory):
    """The Python of an environment that has what is needed, but not the package."""
    folder = tmp_path_factory.mktemp("fresh")
    venv.create(folder)
    python = folder / ("Scripts" if sys.platform == "win32" else "bin") / "python"
    packages = run(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))").strip()
    # What is installed here is seen there, so that nothing is downloaded.
    here = sysconfig.get_path("purelib")
    Path(packages, "here.pth").write_text(f"import site; site.addsitedir({here!r})\n")
    return python


def run(python, *arguments):
    done = subprocess.run([python, *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def pip(python, *arguments):
    """Run this environment's pip for that one, which has none."""
    return run(sys.executable, "-m", "pip", "--python", python, *arguments)


def offered(python):
    listed = json.loads(run(python, "-m", "explorer", "list", "--json"))
    return {architecture["name"]: architecture["origin"] for architecture in listed}


def test_the_package_is_installed_found_checked_and_uninstalled(python, tmp_path):
    source = shutil.copytree(HOME, tmp_path / "package")
    # Without an index, so that pip checks what the package declares against what is there.
    options = ["--no-index", "--no-build-isolation", "--no-cache-dir", "--quiet"]
    pip(python, "install", *options, str(source))
    assert offered(python)["timm"] == "architecture-explorer-timm 0.1.0"
    result = json.loads(
        run(python, "-m", "explorer", "check", "architecture_explorer_timm", "--json")
    )
    assert result["ok"], result
    assert [report["name"] for report in result["reports"]] == ["timm"]
    pip(python, "uninstall", "--yes", "--quiet", "architecture-explorer-timm")
    assert "timm" not in offered(python)


@pytest.fixture
def package(monkeypatch):
    monkeypatch.syspath_prepend(HOME)
    import architecture_explorer_timm

    return architecture_explorer_timm


@pytest.mark.parametrize(("name", "merges"), MODELS.items())
def test_the_skips_gates_and_attentions_of_a_model_are_found(package, name, merges):
    images = ImageSpec(1, 28, 10)
    seen = outline(package.small_timm(images, model=name), images)
    found = list(blocks(seen.parts))
    assert Counter(block.kind for block in found) == merges
    assert not seen.graph.unused
    residuals = [block for block in found if block.kind == "sum"]
    assert all("residual" in block.branches for block in residuals)
    assert all(
        any(b.is_skip for b in block.branches.values()) or block.branches["shortcut"].parts
        for block in residuals
    )


@pytest.mark.parametrize("name", MODELS)
def test_small_images_keep_pixels_to_look_at(package, name):
    images = ImageSpec(1, 28, 10)
    seen = outline(package.small_timm(images, model=name), images)
    maps = [block.shape[1:] for block in blocks(seen.parts) if len(block.shape) == 3]
    assert all(min(size) >= 2 for size in maps)
