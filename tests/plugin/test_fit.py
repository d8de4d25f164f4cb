"""A network is offered for the images that it takes, and says which these are."""

import json
import re
import sys
import threading

import pytest
import torch
from torch import nn
from typer.testing import CliRunner

from explorer import ImageSpec
from explorer.cli import app
from explorer.plugin.architecture import printing_to_stderr
from explorer.plugin.loading import KINDS
from explorer.plugin.registry import MisfitError, discover, load
from explorer.plugin.sources import from_target

GREY, COLOUR = ImageSpec(1, 28, 10), ImageSpec(3, 32, 10)

PLUGIN = '''
import torch
from torch import nn
from explorer import DataSet, ImageSpec, hookimpl

@hookimpl
def register_architectures(register):
    register(WideNet)

class WideNet(nn.Module):
    """A network that may not take every image."""

    built, ran = [], []

    def __init__(self, images: ImageSpec, width: int = 4, skip: bool = True):
        super().__init__()
        c, s, k = images.channels, images.size, images.num_classes
        self.built.append(images)
        BUILDING
        self.conv = nn.Conv2d(c, width, 3, padding=1)
        self.linear = nn.Linear(width, k)

    def forward(self, x):
        c, s = x.shape[1:3]
        self.ran.append(tuple(x.shape))
        RUNNING
        return self.linear(self.conv(x).mean((2, 3)))
'''

# A network for colour only, as most are written: nothing checks, torch refuses.
COLOUR_CONV = "self.conv = nn.Conv2d(3, width, 3, padding=1)"
LARGE = "assert s >= 32, 'too small'"


def source(tmp_path, building="pass", running="pass", more=""):
    text = PLUGIN.replace("BUILDING", building).replace("RUNNING", running) + more
    (tmp_path / "wide.py").write_text(text, encoding="utf-8")
    return tmp_path / "wide.py"


def load_file(file):
    registry = load([from_target(str(file))])
    assert registry.broken == ()
    return registry["wide-net"]


def only(channels, size):
    return f"assert (c, s) == ({channels}, {size}), 'other images, please'"


# --- when it is loaded


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_a_network_for_one_kind_of_images_loads_and_is_described_on_it(tmp_path, kind):
    network = load_file(source(tmp_path, only(kind.channels, kind.size)))
    assert network.images == kind
    assert network.parameters == (9 * kind.channels + 1) * 4 + 5 * 10


def test_a_network_that_torch_refuses_to_run_on_grey_images_loads(tmp_path):
    running = "x = nn.functional.conv2d(x, torch.ones(3, 3, 1, 1))"
    assert load_file(source(tmp_path, running=running)).images == COLOUR


def test_a_network_for_the_data_set_of_its_own_plugin_loads(tmp_path):
    more = """
@hookimpl
def register_datasets(register):
    register(DataSet(name="dots", images=ImageSpec(2, 8, 3), classes="abc", read=print))
"""
    building = "assert (c, s, k) == (2, 8, 3), 'dots, please'"
    registry = load([from_target(str(source(tmp_path, building, more=more)))])
    assert registry.broken == ()
    assert registry["wide-net"].images == ImageSpec(2, 8, 3)
    assert list(registry.fitting(registry["wide-net"])) == ["dots"]
    assert registry["wide-net"].needs(GREY) == "2-channel images of 8×8 pixels"


def test_a_network_that_takes_the_usual_images_is_built_and_tried_once(tmp_path):
    network = load_file(source(tmp_path))
    assert network.constructor.function.built == [GREY]
    assert network.constructor.function.ran == [(2, 1, 28, 28)] * 2  # evaluated, and trained
    assert network.misfit(GREY) == ""
    assert network.constructor.function.built == [GREY]


# On 1×28×28 it fails early, for its channels; its author must read what is wrong on 3×32×32.
@pytest.mark.parametrize(
    ("running", "reason"),
    [
        (
            "return self.linear(self.conv(x).flatten(1))",
            r"^WideNet .*: It raised RuntimeError, line 27: .*multiplied \(2x4096 and 4x10\)",
        ),
        (
            "return self.conv(x).mean((2, 3))",
            r"^WideNet .*: It answers two images with \(2, 4\) where \(2, num_classes\) = ",
        ),
    ],
)
def test_a_broken_network_for_colour_is_not_refused_for_grey_images(tmp_path, running, reason):
    file = source(tmp_path, running=f"assert c == 3, 'colour, please'\n        {running}")
    (broken,) = load([from_target(str(file))]).broken
    assert re.search(reason, broken.reason)


def test_a_network_that_fails_on_all_images_alike_is_refused_for_the_first(tmp_path):
    file = source(tmp_path, running="return self.linear(x.flatten(1))")
    (broken,) = load([from_target(str(file))]).broken
    assert "(2x784 and 4x10)" in broken.reason


# --- which data sets it fits


def test_it_is_offered_for_the_data_sets_that_it_fits(tmp_path):
    source(tmp_path, building=LARGE)
    registry = discover([tmp_path])
    assert list(registry.fitting(registry["wide-net"])) == ["mnist-scales", "cifar-10"]
    assert list(registry.fitting(registry["plain"])) == list(registry.datasets)


def test_a_misfit_is_a_sentence_with_the_author_s_line(tmp_path):
    network = load_file(source(tmp_path, building=LARGE))
    assert network.misfit(COLOUR) == ""
    assert network.misfit(GREY) == "It raised AssertionError, line 19: too small."


def test_a_network_is_tried_once_on_each_kind_of_images(tmp_path):
    network = load_file(source(tmp_path, building=LARGE))
    before = len(network.constructor.function.built)
    for _ in range(3):
        network.misfit(GREY)
        network.misfit(ImageSpec(3, 48, 10))
    # Grey images are refused, so coloured ones of their size are tried.
    assert len(network.constructor.function.built) == before + 3


def test_trying_leaves_torch_s_random_numbers_unchanged(tmp_path):
    network = load_file(source(tmp_path, building="torch.rand(3)"))
    torch.manual_seed(5)
    before = torch.get_rng_state()
    assert network.misfit(COLOUR) == ""
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize(
    ("building", "refused", "needs"),
    [
        ("assert c == 3 and s >= 32", GREY, "images of 32 pixels or more"),
        ("assert c == 3 and s >= 32", ImageSpec(3, 28, 10), "images of 32 pixels or more"),
        ("assert c == 3", ImageSpec(2, 28, 10), "colour images"),
        ("assert c == 1", COLOUR, "grey images"),
        ("assert s <= 28", COLOUR, "images of 28 pixels or fewer"),
        ("assert s == 28", COLOUR, "images of 28×28 pixels"),
        ("assert s in (28, 64)", COLOUR, "images of 28×28 or 64×64 pixels"),
        ("assert s > 8", ImageSpec(1, 8, 10), "images of 14 pixels or more"),
        ("assert k == 10", ImageSpec(1, 28, 47), ""),
    ],
)
def test_what_images_it_needs_is_found_by_trying(tmp_path, building, refused, needs):
    assert load_file(source(tmp_path, building)).needs(refused) == needs


def test_a_data_set_that_does_not_fit_is_refused_with_those_that_do(tmp_path):
    source(tmp_path, building=f"{LARGE}; {COLOUR_CONV}; assert c == 3")
    registry = discover([tmp_path])
    registry.require_fit(registry["wide-net"], {}, registry.dataset("cifar-10"))
    with pytest.raises(MisfitError) as refusal:
        registry.require_fit(registry["wide-net"], {}, registry.dataset("mnist"))
    assert str(refusal.value) == (
        "wide-net needs images of 32 pixels or more; those of mnist are 1×28×28. It fits "
        "mnist-scales, cifar-10."
    )


def test_options_that_do_not_fit_are_refused_in_the_words_of_the_author(tmp_path):
    source(tmp_path, building="assert width < s, 'too wide'")
    registry = discover([tmp_path])
    with pytest.raises(MisfitError) as refusal:
        registry.require_fit(registry["wide-net"], {"width": 30}, registry.dataset("mnist"))
    assert str(refusal.value) == (
        "wide-net does not fit mnist (1×28×28, 10 classes): It raised AssertionError, line 19: too "
        "wide. It fits mnist-scales, cifar-10."
    )
    registry.require_fit(registry["wide-net"], {"width": 30}, registry.dataset("cifar-10"))


# --- on the command line


@pytest.fixture
def explorer(tmp_path, monkeypatch):
    monkeypatch.setenv("EXPLORER_PLUGINS", str(tmp_path))
    return lambda *arguments: CliRunner().invoke(app, arguments)


def test_list_says_which_data_sets_a_network_fits(tmp_path, explorer):
    source(tmp_path, building=LARGE)
    told = {each["name"]: each for each in json.loads(explorer("list", "--json").stdout)}
    assert told["wide-net"]["images"] == [3, 32, 32]
    assert told["wide-net"]["fits"] == ["mnist-scales", "cifar-10"]
    assert "mnist" in told["plain"]["fits"]
    lines = explorer("list").stdout.splitlines()
    first = next(n for n, line in enumerate(lines) if line.startswith("wide-net "))
    assert lines[first + 1].strip() == "fits mnist-scales, cifar-10"
    assert sum("fits " in line for line in lines) == 1


def test_train_refuses_images_that_the_network_cannot_take(tmp_path, explorer):
    source(tmp_path, building=LARGE)
    done = explorer("train", "wide-net")
    assert done.exit_code == 2
    assert done.stderr.splitlines()[-1] == (
        "wide-net needs images of 32 pixels or more; those of mnist are 1×28×28. It fits "
        "mnist-scales, cifar-10."
    )


@pytest.mark.parametrize("command", [["list"], ["check", "wide.py", "--only", "wide-net"]])
def test_what_a_network_prints_does_not_spoil_json(tmp_path, explorer, monkeypatch, command):
    monkeypatch.chdir(tmp_path)
    source(tmp_path, "print('building')", "print('running')", more="print('importing')")
    done = explorer(*command, "--json")
    json.loads(done.stdout)
    for printed in ("importing", "building", "running"):
        # What is loaded for a list prints in another process, to which nobody listens.
        assert (printed in done.stderr) == (command[0] != "list")
        assert printed not in done.stdout


def test_two_threads_that_run_plugins_give_stdout_back():
    stdout, inside, leave = sys.stdout, threading.Event(), threading.Event()

    def other():
        with printing_to_stderr():
            inside.set()
            leave.wait(10)

    thread = threading.Thread(target=other)
    with printing_to_stderr():
        thread.start()
        assert not inside.wait(0.2)
    assert inside.wait(10)
    leave.set()
    thread.join()
    assert sys.stdout is stdout


def test_building_a_network_prints_on_stderr(tmp_path, capsys):
    network = load_file(source(tmp_path, "print('building')"))
    capsys.readouterr()
    assert isinstance(network.build(GREY), nn.Module)
    assert capsys.readouterr() == ("", "building\n")
