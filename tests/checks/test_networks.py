"""The checks of an architecture: each finds what it is there to find, and nothing else."""

import json
import random
import re
from dataclasses import replace
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from built_ins import REGISTRY
from torch import nn

from explorer import ImageSpec
from explorer.checks import images, lessons, networks
from explorer.checks.examined import Examined, shown_as
from explorer.checks.findings import NAMES, run_check
from explorer.plugin.constructor import read
from explorer.plugin.registry import load
from explorer.plugin.sources import from_target

ROOT = Path(__file__).parents[2]
BUILT_IN = REGISTRY.architectures

# A network that passes, with places for what could be wrong with it.
PLUGIN = '''
import random
import torch
import torch.nn.functional as F
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


def test_a_good_network_gets_one_ok_from_each_check(tmp_path, data):
    report = networks.examine(network(tmp_path)[0], data)
    assert [(f.check, f.verdict) for f in report.findings] == [
        (name, "ok") for name in networks.CHECKS
    ]
    assert all(f.text.endswith(".") and f.place == "" for f in report.findings)
    assert report.passed


def test_a_report_has_every_layer_and_its_parameters_as_plain_values(tmp_path, data):
    report = json.loads(json.dumps(networks.examine(network(tmp_path)[0], data).to_json()))
    assert report["name"] == "net"
    assert [layer["name"] for layer in report["layers"]] == [
        "block.3x3.0",
        "block.3x3.1",
        "block.5x5.0",
        "block.5x5.1",
        "block.cat()",
        "pool",
        "linear",
    ]
    assert report["layers"][0]["shape"] == [4, 28, 28]
    assert report["layers"][0]["parameters"] == 4 * 9 + 4
    assert report["layers"][0]["macs"] == 4 * 9 * 28 * 28
    assert report["parameters"] == 40 + 104 + 1290
    assert report["macs"] == sum(layer["macs"] for layer in report["layers"])
    assert report["options"][0]["low"] == 2
    assert report["images"] == [1, 28, 28]


def test_a_network_with_auxiliary_logits_passes_all_checks_and_is_told_so(tmp_path, data):
    late = "y = (y, y.detach()) if self.training else y"
    report = networks.examine(network(tmp_path, late=late)[0], data)
    assert [f.text for f in report.findings if f.verdict == "error"] == []
    notes = [(f.check, f.text) for f in report.findings if f.verdict == "note"]
    assert notes == [
        ("logits", "It gives 2 outputs in training mode; the loss takes the first."),
    ]


def test_what_has_no_widget_and_whose_grey_is_repeated_is_noted(tmp_path, data):
    images = 'images: ImageSpec, width: Annotated[int, Range(2, 8), "Channels"] = 4'
    another = 'num_classes, act="relu", width: Annotated[int, Range(2, 8), "Channels"] = 4'
    text = PLUGIN.replace(images, another).replace("images.num_classes", "num_classes")
    text = text.replace("images.channels", "3")
    architecture, _ = network(tmp_path, replaced=(PLUGIN, text))
    (kept, _) = findings(architecture, data, "options")
    assert kept.text == "There is no widget for act: the constructor's own default is taken."
    grey, coloured = findings(architecture, data, "fits")
    assert (grey.verdict, grey.text) == (
        "note",
        "It takes colour images only; it is given the grey of 1×28×28 in each of three channels.",
    )
    assert coloured.text == "It takes images of 3×32×32."
    (ranges,) = findings(architecture, data, "ranges")
    assert ranges.verdict == "ok"


def test_a_network_is_checked_on_the_images_that_it_takes(tmp_path, data):
    only = "assert images.channels == 3 and images.size == 64, '64 pixels in colour, please'"
    report = networks.examine(network(tmp_path, init=only)[0], data)
    findings = {finding.check: finding for finding in report.findings}
    assert report.passed
    assert {f.check for f in report.findings if f.verdict == "note"} == {"fits"}
    assert findings["fits"].text == "It takes images of 3×64×64."
    assert findings["size"].text.endswith("multiply-adds for an image of 3×64×64.")
    assert findings["ranges"].text == "It answers and can be differentiated in 3 settings."
    assert findings["learns"].text.endswith("on 512 images of MNIST, made 3×64×64.")
    assert report.to_json()["layers"][0]["shape"] == [4, 64, 64]


def test_mnist_is_shown_in_colour_at_any_size_with_fewer_classes(data):
    shown = shown_as(data, ImageSpec(3, 32, 4), 100, 20)
    images, labels = next(shown.train.batches(100))
    assert images.shape == (100, 3, 32, 32)
    assert set(labels.tolist()) == {0, 1, 2, 3}
    assert torch.equal(images[:, 0], images[:, 1])
    assert torch.equal(images[:, 0], images[:, 2])
    small = F.interpolate(images[:, :1], (28, 28), mode="bilinear")
    ones = data.train.normalise(data.train.images[data.train.labels < 4])
    nearest = torch.cdist(small.flatten(1), ones.flatten(1)).argmin(1)
    assert torch.equal(data.train.labels[data.train.labels < 4][nearest], labels)


def test_mnist_is_shown_unchanged_where_it_fits(data):
    shown, drawn = shown_as(data, data.spec, 50, 20), data.train.subset(50)
    assert torch.equal(shown.train.images, drawn.images)
    assert torch.equal(shown.train.labels, drawn.labels)
    assert (len(shown.train), len(shown.test)) == (50, 20)


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
        "fits",
        "note",
        r"^It does not take images of 3×32×32, and is not offered for them: It raised "
        r"AssertionError, line \d+: grey, please\.$",
        "grey, please",
    ),
    (
        {"late": "y = y[:, :9] if x.shape[1] == 3 and len(x) == 4 else y"},
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
        r"^It answers with probabilities: remove the softmax at its end",
        "class Net",
    ),
    (
        {"late": "y = y.relu()"},
        "logits",
        "note",
        r"^All its logits are 0 or above, as after a ReLU: remove what comes after",
        "class Net",
    ),
    (
        {
            "early": "if self.training: nn.functional.batch_norm(y.mean((2, 3)), None, None, "
            "training=True)"
        },
        "logits",
        "note",
        r"^It cannot be trained on a batch of one image, .*: Its batch normalisation in line \d+ ",
        "batch_norm",
    ),
    (
        {"init": "self.spare = nn.Linear(3, 3)"},
        "gradients",
        "note",
        r"^No gradient reaches spare\.weight, spare\.bias: the result is not used in `forward`",
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
        r"^It has no branches that could be switched off: each of its layers takes what",
        "class Net",
    ),
    (
        {"init": "self.other = Branches({'a': nn.Identity()})"},
        "branches",
        "note",
        r"^The block other is not run\.$",
        "class Net",
    ),
    (
        {"replaced": (", nn.ReLU()),\n        })", ")})"), "init": "self.block['3x3'].pop(1)"},
        "affine",
        "note",
        r"^The block block is one affine map: Conv2d\(1, 8, 5×5\) could replace it; an activation",
        "class Net",
    ),
    (
        {"late": "y = y + torch.rand(1)"},
        "answers",
        "error",
        r"^It gives two answers to the same images in evaluation mode: be random in training only",
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
        r"^Equal seeds give different networks or steps, so no run can be repeated: take random",
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
        {"late": "y = y * (0.9 if self.training and random.random() < 0.5 else 1)"},
        "repeats",
        "error",
        r"^Equal seeds give different networks or steps",
        "class Net",
    ),
    (
        {"late": "y = y + (y.detach() - y) * 2"},
        "learns",
        "error",
        r"^The loss does not fall: from 2\.\d+ in the first quarter to \d+\.\d+ in the last of 32",
        "class Net",
    ),
    (
        {"early": "y = y * 0.1"},
        "learns",
        "note",
        r"^The loss falls slowly: from 2\.30 in the first quarter to 2\.\d\d in the last of 32 "
        r"steps on 512 images of MNIST; if it stays slow in a longer training, raise",
        "class Net",
    ),
    (
        {"early": "y = y * 0"},
        "learns",
        "error",
        r"^It gives all images the same answer, and the loss goes from 2\.\d+ in the first quarter",
        "class Net",
    ),
    (
        {"late": "y = y * float('nan')"},
        "learns",
        "error",
        r"^The loss is nan at the first step, before anything is learned: the network itself",
        "class Net",
    ),
    (
        {"init": "self.sign = torch.randn(1)", "late": "y = y * self.sign"},
        "keeps",
        "error",
        r"^It answers differently after its weights are stored and loaded: make each tensor that",
        "class Net",
    ),
    (
        {"init": "self.sign = torch.ones(10)", "late": "y = y * self.sign"},
        "devices",
        "error",
        r"^Not all of it moves to another device: It raised RuntimeError, line \d+: .*device.* "
        r"Register tensors with `self\.register_buffer` \(sign\), and create",
        "y * self.sign",
    ),
    (
        {"late": "exec('pass')"},
        "compiles",
        "note",
        r"^torch\.compile cannot compile it in one piece: ",
        "class Net",
    ),
    (
        {"late": "y = y + torch.compiler.is_compiling()"},
        "compiles",
        "note",
        r"^It answers differently when torch\.compile has compiled it\.$",
        "class Net",
    ),
]


@pytest.mark.parametrize(
    ("wrong", "check", "verdict", "sentence", "line"),
    WRONG,
    ids=[f"{check}-{number}" for number, (_, check, *_) in enumerate(WRONG)],
)
def test_what_is_wrong_is_found_with_its_line(
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


def test_the_name_of_each_check_can_be_translated():
    checks = {*networks.CHECKS, *images.CHECKS, *lessons.CHECKS, "translations"}
    assert sorted(NAMES) == sorted(checks)


@pytest.mark.parametrize("check", [*networks.CHECKS])
def test_every_check_is_seen_to_fail(check):
    assert check in {check for _, check, *_ in WRONG} | {"size"}


@pytest.mark.parametrize(
    ("wrong", "check"),
    [(wrong, check) for wrong, check, verdict, *_ in WRONG if verdict == "error"],
    ids=[f"{check}-{i}" for i, (_, check, verdict, *_) in enumerate(WRONG) if verdict == "error"],
)
def test_a_check_that_finds_an_error_calls_nothing_ok(tmp_path, data, wrong, check):
    found = findings(network(tmp_path, **wrong)[0], data, check)
    assert {finding.verdict for finding in found} in ({"error"}, {"error", "note"})


def test_what_is_ok_before_an_error_is_not_said_and_a_note_is():
    def check(_):
        yield "ok", "All is well."
        yield "note", "It is slow."
        raise LookupError("nothing here")

    found = run_check("check", check, None, None, "")
    assert [finding.verdict for finding in found] == ["note", "error"]


def test_a_coin_that_a_network_tosses_in_each_step_is_found_whatever_it_shows(tmp_path, data):
    coin = "y = y * (0.9 if self.training and random.random() < 0.5 else 1)"
    architecture, _ = network(tmp_path, late=coin)
    verdicts = []
    for seed in range(40):
        random.seed(seed)
        verdicts += [found.verdict for found in findings(architecture, data, "repeats")]
    assert verdicts == ["error"] * 40


def test_torch_s_own_coin_is_repeated(tmp_path, data):
    coin = "y = y * (0.9 if self.training and torch.rand(()) < 0.5 else 1)"
    architecture, _ = network(tmp_path, late=coin)
    assert [f.verdict for f in findings(architecture, data, "repeats")] == ["ok"]


def test_two_options_that_do_not_go_together_are_found(tmp_path, data):
    architecture, _ = network(
        tmp_path,
        replaced=('"Channels"] = 4', '"Channels"] = 4, over: Annotated[int, Range(1, 8)] = 1'),
        init="self.narrow = nn.Conv2d(1, width // over if width < 4 and over > 2 else 1, 1)"
        "; assert self.narrow.out_channels, 'none left'",
    )
    (found,) = findings(architecture, data, "ranges")
    assert found.text.startswith("With width=2, over=8 on images of 1×28×28: It raised")


def test_one_mistake_that_shows_at_many_ends_is_reported_once(tmp_path, data):
    architecture, _ = network(tmp_path, early="assert len(x) < 4, 'few'")
    assert len(findings(architecture, data, "ranges")) == 1


def test_what_the_author_s_code_raises_in_a_check_is_a_finding(tmp_path, data):
    architecture, _ = network(tmp_path)

    class Leaves(architecture.constructor.function):
        def forward(self, x):
            raise SystemExit

    leaves = replace(architecture, constructor=read(Leaves))
    (found,) = findings(leaves, data, "answers")
    assert (found.verdict, found.text[:20]) == ("error", "It ends the program ")
    report = networks.examine(leaves, data)
    assert report.to_json()["layers"] == []
    assert not report.passed


def test_a_network_that_makes_a_table_at_its_first_run_can_still_learn(tmp_path, data):
    table = "self.table = torch.full((4, 4), 0.5) if self.table is None else self.table"
    architecture, _ = network(
        tmp_path, init="self.table = None", early=f"{table}; y = y * self.table"
    )
    for check in ("logits", "answers"):
        assert [found.verdict for found in findings(architecture, data, check)] == ["ok"]


def test_checks_leave_torch_s_random_numbers_unchanged(tmp_path, data):
    architecture, _ = network(tmp_path, init="self.drop = nn.Dropout()", early="y = self.drop(y)")
    before = torch.get_rng_state()
    networks.examine(architecture, data)
    assert torch.equal(torch.get_rng_state(), before)


# Defaults of a net that takes long to train. Both ends of its options are built all the same.
SMALLER = {"resnet34": {"depth": 18, "width": 8}}


@pytest.mark.parametrize("name", BUILT_IN)
def test_every_built_in_passes_all_checks(name, data):
    architecture, smaller = BUILT_IN[name], SMALLER.get(name, {})
    options = [replace(o, default=smaller.get(o.name, o.default)) for o in architecture.options]
    constructor = replace(architecture.constructor, options=tuple(options))
    report = networks.examine(replace(architecture, constructor=constructor), data)
    # affine speaks of blocks alone
    assert {f.check for f in report.findings} >= {*networks.CHECKS} - {"affine"}
    assert [f for f in report.findings if f.verdict == "error"] == []


def test_the_mistake_in_print_is_found():
    (found,) = networks.run(Examined(BUILT_IN["residual-as-printed"], None), "gradients")
    assert "No gradient reaches block1.conv1.weight" in found.text


def test_a_class_without_a_file_has_no_place(tmp_path, data):
    architecture, _ = network(tmp_path)
    nowhere = type("Nowhere", (nn.Sequential,), {"__module__": "nowhere"})
    assert Examined(replace(architecture, constructor=read(nowhere)), data).home == ""
