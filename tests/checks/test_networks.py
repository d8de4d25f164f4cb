"""The report of an architecture: each check finds what it is there to find, and nothing else."""

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import nn

from explorer.checks import networks
from explorer.checks.examined import Examined
from explorer.plugin.registry import discover, load
from explorer.plugin.sources import from_target

ROOT = Path(__file__).parents[2]
BUILT_IN = discover().architectures

# A network that holds, with places for what could be wrong with it.
PLUGIN = '''
import random
import torch
from torch import nn
from typing import Annotated
from explorer import Branches, ImageSpec, Range, hookimpl

@hookimpl
def register_architectures(register):
    register(Net)

class Net(nn.Module):
    """Two windows."""

    def __init__(self, images: ImageSpec, width: Annotated[int, Range(2, 8), "Channels"] = 4):
        super().__init__()
        self.block = Branches({
            "3x3": nn.Sequential(nn.Conv2d(images.channels, width, 3, padding=1), nn.ReLU()),
            "5x5": nn.Sequential(nn.Conv2d(images.channels, width, 5, padding=2), nn.ReLU()),
        })
        self.pool = nn.AdaptiveAvgPool2d(4)
        self.linear = nn.Linear(2 * width * 16, images.num_classes)
        INIT

    def forward(self, x):
        y = self.pool(self.block(x))
        EARLY
        y = self.linear(y.flatten(1))
        LATE
        return y
'''


def network(tmp_path, *, init="pass", early="pass", late="pass", replaced=("", "")):
    text = PLUGIN.replace(*replaced) if replaced[0] else PLUGIN
    text = text.replace("INIT", init).replace("EARLY", early).replace("LATE", late)
    (tmp_path / "net.py").write_text(text, encoding="utf-8")
    registry = load([from_target(str(tmp_path / "net.py"))])
    assert registry.broken == ()
    return registry["net"], text


@pytest.fixture(scope="module")
def data(mnist):
    return replace(mnist, test=mnist.test.first(100))


def findings(architecture, data, check):
    return networks.run(Examined(architecture, data), check)


def test_a_network_that_holds_gets_one_ok_from_each_check(tmp_path, data):
    report = networks.examine(network(tmp_path)[0], data)
    assert [(f.check, f.verdict) for f in report.findings] == [
        (name, "ok") for name in networks.CHECKS
    ]
    assert all(f.text.endswith(".") and f.place == "" for f in report.findings)
    assert report.passed


def test_a_passport_tells_every_layer_and_parameter_as_plain_values(tmp_path, data):
    told = json.loads(json.dumps(networks.examine(network(tmp_path)[0], data).to_json()))
    assert told["name"] == "net"
    assert [layer["name"] for layer in told["layers"]] == [
        "block.3x3.0",
        "block.3x3.1",
        "block.5x5.0",
        "block.5x5.1",
        "pool",
        "linear",
    ]
    assert told["layers"][0]["shape"] == [4, 28, 28]
    assert told["layers"][0]["parameters"] == 4 * 9 + 4
    assert told["layers"][0]["macs"] == 4 * 9 * 28 * 28
    assert told["parameters"] == 40 + 104 + 1290
    assert told["macs"] == sum(layer["macs"] for layer in told["layers"])
    assert told["options"][0]["low"] == 2


# What is wrong, the check that finds it, its verdict, its sentence, and what its line holds.
WRONG = [
    (
        {"replaced": ('Annotated[int, Range(2, 8), "Channels"]', "int")},
        "options",
        "note",
        r"^The option width has no limits: write `Annotated\[int, Range\(low, high\)\]`",
        "width: int",
    ),
    (
        {"replaced": (', "Channels"]', "]")},
        "options",
        "note",
        r"^The option width is not explained: write `Annotated\[int, …, \"what it is\"\]`\.$",
        "width: Annotated",
    ),
    (
        {"init": "self.narrow = nn.Linear(4, 9 if width < 8 else width // 0)"},
        "ranges",
        "error",
        r"^With width=8 on images of 1×28×28: It raised ZeroDivisionError, line \d+: integer",
        "width // 0",
    ),
    (
        {"early": "assert x.shape[1] == 1, 'grey, please'"},
        "ranges",
        "error",
        r"^With defaults on images of 3×32×32: It raised AssertionError, line \d+: grey, please\.$",
        "grey, please",
    ),
    (
        {"late": "y = y[:, :9] if x.shape[1] == 3 else y"},
        "ranges",
        "error",
        r"^With defaults on images of 3×32×32, it answers four images with \(4, 9\) where",
        "class Net",
    ),
    (
        {"late": "y = y / (0 if x.shape[1] == 3 else 1)"},
        "ranges",
        "error",
        r"^With defaults on images of 3×32×32, its loss is (nan|inf) before it has learned\.$",
        "class Net",
    ),
    (
        {"late": "y = y.softmax(1)"},
        "logits",
        "error",
        r"^It answers with probabilities: leave the softmax at its end out",
        "class Net",
    ),
    (
        {"late": "y = y.relu()"},
        "logits",
        "note",
        r"^All its logits are 0 or above, as after a ReLU: leave out what comes after",
        "class Net",
    ),
    (
        {
            "early": "if self.training: nn.functional.batch_norm(y.mean((2, 3)), None, None, "
            "training=True)"
        },
        "logits",
        "note",
        r"^It cannot learn from a batch of one image, .*: It raised ValueError, line \d+: Expected",
        "batch_norm",
    ),
    (
        {"init": "self.spare = nn.Linear(3, 3)"},
        "gradients",
        "note",
        r"^No gradient reaches spare\.weight, spare\.bias: what it gives is not used in `forward`",
        "class Net",
    ),
    (
        {"early": "y = y.clamp(max=-1)"},
        "gradients",
        "note",
        r"^The gradient of block\.3x3\.0\.weight.* and \d more is zero on random images\.$|^The "
        r"gradient of block\.3x3\.0\.weight, .* is zero on random images\.$",
        "class Net",
    ),
    (
        {
            "replaced": ("Branches({", "dict({"),
            "init": "self.block = nn.Sequential(*self.block."
            "values())[0:1]; self.linear = nn.Linear(width * 16, images.num_classes)",
        },
        "branches",
        "note",
        r"^It names no branches, so there is none to switch off: put paths that run side by side",
        "class Net",
    ),
    (
        {"init": "self.other = Branches({'a': nn.Identity()})"},
        "branches",
        "note",
        r"^The block other is not run, or not all of its branches are\.$",
        "class Net",
    ),
    (
        {"init": "self.block.register_forward_hook(lambda block, _, output: output * 2)"},
        "branches",
        "error",
        r"^The block block does not give what its merge makes of its branches: override nothing",
        None,
    ),
    (
        {"replaced": (", nn.ReLU()),\n        })", ")})"), "init": "self.block['3x3'].pop(1)"},
        "affine",
        "note",
        r"^The block block acts as one affine map, so that Conv2d\(1, 8, 5×5\) could do what it",
        "class Net",
    ),
    (
        {"late": "y = y + torch.rand(1)"},
        "answers",
        "error",
        r"^Asked twice in evaluation mode, it answers differently: what is random in training must",
        "class Net",
    ),
    (
        {"early": "y = y - y.mean(0)"},
        "answers",
        "error",
        r"^In evaluation mode, the answer to an image depends on the others of its batch: average",
        "class Net",
    ),
    (
        {"init": "self.linear.weight.data *= random.random()"},
        "repeats",
        "error",
        r"^Equal seeds give different networks or steps, so no run can be repeated: draw random",
        "class Net",
    ),
    (
        {"late": "y = y * (1 + self.training * random.random())"},
        "repeats",
        "error",
        r"^Equal seeds give different networks or steps",
        "class Net",
    ),
    (
        {"early": "y = y * 0"},
        "learns",
        "error",
        r"^The loss does not fall: from 2\.\d+ in the first quarter to 2\.\d+ in the last of 32",
        "class Net",
    ),
    (
        {"init": "self.sign = torch.randn(1)", "late": "y = y * self.sign"},
        "keeps",
        "error",
        r"^It answers differently after its weights were stored and read back: make what it learns",
        "class Net",
    ),
    (
        {"init": "self.sign = torch.ones(10)", "late": "y = y * self.sign"},
        "devices",
        "error",
        r"^Not all of it moves to another device: It raised RuntimeError, line \d+: .*device.* "
        r"Register tensors with `self\.register_buffer` \(sign\), and make new",
        "y * self.sign",
    ),
    (
        {"late": "exec('pass')"},
        "compiles",
        "note",
        r"^torch\.compile cannot follow it in one piece: ",
        "class Net",
    ),
    (
        {"late": "y = y + torch.compiler.is_compiling()"},
        "compiles",
        "note",
        r"^Compiled by torch\.compile, it answers differently\.$",
        "class Net",
    ),
]


@pytest.mark.parametrize(
    ("wrong", "check", "verdict", "sentence", "line"),
    WRONG,
    ids=[f"{check}-{number}" for number, (_, check, *_) in enumerate(WRONG)],
)
def test_what_is_wrong_is_found_and_told_with_its_line(
    tmp_path, data, wrong, check, verdict, sentence, line
):
    architecture, text = network(tmp_path, **wrong)
    found = findings(architecture, data, check)
    worst = next(f for f in found if f.verdict != "ok")
    assert worst.verdict == verdict
    assert re.search(sentence, worst.text), worst.text
    if line:
        file, _, number = worst.place.rpartition(":")
        assert file == str(tmp_path / "net.py")
        assert line in text.splitlines()[int(number) - 1]


@pytest.mark.parametrize("check", [*networks.CHECKS])
def test_every_check_is_seen_to_fail(check):
    assert check in {check for _, check, *_ in WRONG} | {"size"}


def test_two_parameters_that_do_not_go_together_are_found(tmp_path, data):
    architecture, _ = network(
        tmp_path,
        replaced=('"Channels"] = 4', '"Channels"] = 4, over: Annotated[int, Range(1, 8)] = 1'),
        init="self.narrow = nn.Conv2d(1, width // over if width < 4 and over > 2 else 1, 1)"
        "; assert self.narrow.out_channels, 'none left'",
    )
    (found,) = findings(architecture, data, "ranges")
    assert found.text.startswith("With width=2, over=8 on images of 1×28×28: It raised")


def test_one_slip_that_shows_at_many_ends_is_told_once(tmp_path, data):
    architecture, _ = network(tmp_path, early="assert x.shape[1] == 1, 'grey, please'")
    assert len(findings(architecture, data, "ranges")) == 1


def test_what_the_author_s_code_raises_in_a_check_is_a_finding(tmp_path, data):
    architecture, _ = network(tmp_path)

    class Leaves(architecture.cls):
        def forward(self, x):
            raise SystemExit

    (found,) = findings(replace(architecture, cls=Leaves), data, "answers")
    assert (found.verdict, found.text[:20]) == ("error", "It ends the program ")
    report = networks.examine(replace(architecture, cls=Leaves), data)
    assert report.to_json()["layers"] == []
    assert not report.passed


def test_an_examination_leaves_torch_s_random_numbers_as_they_were(tmp_path, data):
    architecture, _ = network(tmp_path, init="self.drop = nn.Dropout()", early="y = self.drop(y)")
    before = torch.get_rng_state()
    networks.examine(architecture, data)
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("name", BUILT_IN)
def test_every_built_in_passes_its_own_passport(name, data):
    report = networks.examine(BUILT_IN[name], data)
    assert [f for f in report.findings if f.verdict == "error"] == []


def test_the_printed_slip_is_found():
    (found,) = networks.run(Examined(BUILT_IN["residual-as-printed"], None), "gradients")
    assert "No gradient reaches block1.residual.0.weight" in found.text


def test_a_module_that_is_no_file_has_no_place(tmp_path, data):
    architecture, _ = network(tmp_path)
    nowhere = type("Nowhere", (nn.Sequential,), {"__module__": "nowhere"})
    assert Examined(replace(architecture, cls=nowhere), data).home == ""
