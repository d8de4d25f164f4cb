"""The example package: installed into a new environment, found, checked and uninstalled."""

import json
import shutil
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

import pytest
import timm
import torch

from explorer import Branches, ImageSpec
from explorer.branches import add

HOME = Path(__file__).parents[1] / "examples" / "architecture-explorer-timm"
MODELS = ["mobilenetv3_small_050", "mobilenetv2_035", "lcnet_050", "resnet10t"]


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


@pytest.mark.parametrize("name", MODELS)
def test_a_model_whose_skips_are_branches_answers_as_timm_s(package, name):
    torch.manual_seed(0)
    theirs = timm.create_model(name, in_chans=3, num_classes=10)
    torch.manual_seed(0)
    ours = timm.create_model(name, in_chans=3, num_classes=10)
    package.open_skips(ours)
    x = torch.randn(2, 3, 64, 64)
    with torch.no_grad():
        for _ in range(2):
            assert torch.equal(theirs(x), ours(x))  # in training, where running means move
        assert torch.equal(theirs.eval()(x), ours.eval()(x))
    blocks = [module for module in ours.modules() if isinstance(module, Branches)]
    skips = sum(getattr(module, "has_skip", False) for module in theirs.modules())
    assert len(blocks) == (4 if name == "resnet10t" else skips)
    assert all(list(block) == ["skip", "residual"] and block.merge is add for block in blocks)


@pytest.mark.parametrize("name", MODELS)
def test_small_images_keep_pixels_to_look_at(package, name):
    model = package.Timm(ImageSpec(1, 28, 10), model=name).eval()
    sizes = []
    for block in model.modules():
        if isinstance(block, Branches):
            block.register_forward_hook(lambda _, __, output: sizes.append(output.shape[2]))
    assert model(torch.randn(1, 1, 28, 28)).shape == (1, 10)
    assert min(sizes, default=4) >= 4
