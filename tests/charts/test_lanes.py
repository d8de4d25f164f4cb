import base64
import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from built_ins import REGISTRY
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from torch import nn

from explorer.branches import Branches
from explorer.charts.hues import branch_hues
from explorer.charts.lanes import QUIET, Shares, View, lanes, limit, quiet
from explorer.charts.stages import stages, trail
from explorer.charts.style import POSITIVE, SIGNED
from explorer.inspection.activations import record
from explorer.inspection.parts import blocks
from explorer.inspection.receptive import receptive_fields
from explorer.spec import ImageSpec

MNIST = ImageSpec(1, 28, 10)
ARCHITECTURES = REGISTRY.architectures
IMAGE = np.arange(784, dtype=np.uint8).reshape(1, 28, 28)


def seen(model, off=()):
    """What a page knows of a network and one image."""
    image = torch.randn(1, 1, 28, 28, generator=torch.Generator().manual_seed(0))
    recording = record(model, image)
    return recording, recording.arrays(), receptive_fields(model, (1, 28, 28))


def view_of(name: str, block: str, off=()) -> View:
    recording, maps, fields = seen(ARCHITECTURES[name].build(MNIST))
    part = next(part for part in blocks(recording.parts) if part.name == block)
    return View(part, maps, fields, off)


def values(mosaic) -> np.ndarray:
    halves = np.frombuffer(base64.b64decode(mosaic["values"]), "<f2")
    return halves.reshape(mosaic["channels"], mosaic["height"], mosaic["width"])


def mosaics(drawn):
    merge = drawn["merge"] or {"terms": [], "total": None}
    stages = [stage for lane in drawn["lanes"] for stage in lane["stages"]]
    return [*stages, *merge["terms"], *filter(None, [merge["total"]])]


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_what_is_sent_is_what_was_recorded(name):
    small = {"depth": 18, "width": 8} if name == "resnet34" else {}
    recording, maps, fields = seen(ARCHITECTURES[name].build(MNIST, small))
    parts = [*blocks(recording.parts), *stages(recording.parts)]
    assert parts
    for part in parts:
        drawn = lanes(View(part, maps, fields), IMAGE, "layer")
        assert mosaics(drawn)
        for mosaic in mosaics(drawn):
            recorded = maps[mosaic["name"]].ravel()[: values(mosaic).size]
            assert_allclose(values(mosaic).ravel(), recorded, rtol=1e-3, atol=1e-6)
            assert mosaic["shape"] == "×".join(map(str, maps[mosaic["name"]].shape))


# `windows` keeps 64 channels on maps of 14×14, and is not what a page opens with.
@pytest.mark.parametrize("name", sorted(ARCHITECTURES.keys() - {"windows"}))
def test_a_whole_block_is_less_than_300_kilobytes(name):
    recording, maps, fields = seen(ARCHITECTURES[name].build(MNIST))
    parts = [*blocks(recording.parts), *stages(recording.parts)]
    assert parts
    for part in parts:
        sent = json.dumps(lanes(View(part, maps, fields), IMAGE, "layer"))
        assert len(sent.encode()) < 300_000


def test_lanes_come_in_the_order_of_what_they_see_in_the_hues_of_their_branches():
    view = view_of("inception", "incep1")
    drawn = lanes(view, IMAGE, "layer")
    assert [lane["name"] for lane in drawn["lanes"]] == [
        "branch1x1",
        "branch_pool",
        "branch5x5",
        "branch3x3",
    ]
    for lane in drawn["lanes"]:
        assert lane["hue"] == branch_hues(view.stage)[lane["name"]]
    assert drawn["lanes"][1]["facts"][0] == "sees 10×10 pixels"
    assert [stage["text"] for stage in drawn["lanes"][3]["stages"]] == [
        "conv 1×1",
        "conv 3×3",
        "conv 3×3",
    ]


def test_a_concatenation_is_striped_in_its_branches_hues_in_the_order_of_its_channels():
    view = view_of("inception", "incep1")
    merge = lanes(view, IMAGE, "layer")["merge"]
    hues = branch_hues(view.stage)
    assert [(part["name"], part["channels"]) for part in merge["strip"]] == [
        ("branch1x1", 16),
        ("branch5x5", 24),
        ("branch3x3", 24),
        ("branch_pool", 24),
    ]
    assert merge["total"]["hues"][15:17] == [hues["branch1x1"], hues["branch5x5"]]
    assert len(merge["total"]["hues"]) == merge["total"]["channels"] == 88


def test_a_residual_block_shows_x_and_f_of_x_and_their_sum_on_one_scale():
    merge = lanes(view_of("residual", "block1"), IMAGE, "layer")["merge"]
    assert [term["text"] for term in merge["terms"]] == ["x", "F(x)"]
    assert merge["total"]["text"] == "x + F(x)"
    x, f = map(values, merge["terms"])
    assert values(merge["total"]) == pytest.approx(x + f, abs=2e-2)
    assert merge["terms"][0]["ends"] == merge["terms"][1]["ends"] == merge["total"]["ends"]
    assert merge["terms"][0]["ramp"] == merge["total"]["ramp"] == SIGNED


def test_a_branch_that_is_off_says_so():
    drawn = lanes(view_of("residual", "block1", ["block1.skip"]), IMAGE, "layer")
    assert {lane["name"]: lane["on"] for lane in drawn["lanes"]} == {
        "skip": False,
        "residual": True,
    }
    assert [term["on"] for term in drawn["merge"]["terms"]] == [False, True]


def test_what_is_never_below_zero_goes_from_white_to_blue():
    recording, maps, fields = seen(ARCHITECTURES["plain"].build(MNIST))
    drawn = lanes(View(stages(recording.parts)[0], maps, fields), IMAGE, "layer")
    ramps = {stage["name"]: stage["ramp"] for stage in drawn["lanes"][0]["stages"]}
    assert ramps == {"conv1": SIGNED, "pool": SIGNED, "relu()": POSITIVE}


def test_each_scale_says_where_colours_end():
    view = view_of("residual", "block1")
    one = lanes(view, IMAGE, "layer")["lanes"][1]["stages"][0]
    assert one["ends"] == pytest.approx([limit([view.maps["block1.conv1"]])], rel=1e-3)
    each = lanes(view, IMAGE, "map")["lanes"][1]["stages"][0]
    channel = limit([view.maps["block1.conv1"][3]])
    assert len(each["ends"]) == 16
    assert each["ends"][3] == pytest.approx(channel, rel=1e-3)
    ends = {tuple(mosaic["ends"]) for mosaic in mosaics(lanes(view, IMAGE, "model"))}
    assert len(ends) == 1


def test_two_networks_share_the_scale_of_what_has_the_same_name():
    view = view_of("residual", "block1")
    louder = {name: 10 * output for name, output in view.maps.items()}
    end = lanes(view, IMAGE, "layer", [louder])["lanes"][1]["stages"][0]["ends"]
    both = [view.maps["block1.conv1"], louder["block1.conv1"]]
    assert end == pytest.approx([limit(both)], rel=1e-3)
    alone = lanes(view, IMAGE, "layer", [{"other": louder["block1.conv1"]}])
    assert alone["lanes"][1]["stages"][0]["ends"] < end


def test_a_block_within_a_branch_is_one_stage_of_its_lane():
    inner = Branches({"a": nn.Conv2d(1, 2, 3, padding=1), "b": nn.Conv2d(1, 3, 1)})
    outer = Branches({"long": nn.Sequential(inner, nn.ReLU()), "short": nn.Conv2d(1, 5, 1)}, "add")
    model = nn.Sequential(outer, nn.Flatten(), nn.Linear(5 * 784, 10))
    recording, maps, fields = seen(model)
    drawn = lanes(View(recording.parts[0], maps, fields), IMAGE, "layer")
    lane = next(lane for lane in drawn["lanes"] if lane["name"] == "long")
    assert [stage["text"] for stage in lane["stages"]] == ["block 0.long.0", "ReLU"]


@given(st.lists(st.floats(-1e6, 1e6, width=32), min_size=1, max_size=50))
def test_the_end_of_the_colours_is_above_zero_and_not_beyond_the_greatest(numbers):
    end = limit([np.array(numbers, np.float32)])
    greatest = max(map(abs, numbers))
    assert 0 < end <= greatest or (greatest == 0 and end == 1)


def test_one_bright_pixel_does_not_darken_the_rest():
    quiet = np.ones(1000, np.float32)
    quiet[0] = 1e6
    assert limit([quiet]) == pytest.approx(1)


def test_the_branches_of_an_author_s_merge_have_their_names_shapes_and_scales():
    def rescale(outputs):
        return outputs[0] * outputs[1]

    pool = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Sigmoid())
    block = Branches({"maps": nn.Identity(), "excitation": pool}, merge=rescale)
    model = nn.Sequential(nn.Conv2d(1, 4, 3), block, nn.Flatten(), nn.LazyLinear(10))
    recording, maps, fields = seen(model)
    (part,) = blocks(recording.parts)
    merge = lanes(View(part, maps, fields), IMAGE, "layer")["merge"]
    assert [term["text"] for term in merge["terms"]] == ["maps", "excitation"]
    assert [term["shape"] for term in merge["terms"]] == ["4×26×26", "4×1×1"]
    assert merge["terms"][0]["ends"] != merge["terms"][1]["ends"]
    assert merge["total"]["text"] == "product"


def test_what_a_branch_that_is_off_gives_is_said_by_its_merge():
    paths = {"maps": nn.Identity(), "gate": nn.Sequential(nn.Conv2d(4, 4, 1), nn.Sigmoid())}
    block = Branches(paths, merge=lambda outputs: outputs[0] * outputs[1])
    model = nn.Sequential(nn.Conv2d(1, 4, 3), block, nn.Flatten(), nn.Linear(4 * 676, 10))
    recording, maps, fields = seen(model)
    (part,) = blocks(recording.parts)
    drawn = lanes(View(part, maps, fields, ["1.gate"]), IMAGE, "layer")
    assert {lane["name"]: lane["off"] for lane in drawn["lanes"]} == {
        "maps": "ones",
        "gate": "ones",
    }
    drawn = lanes(view_of("residual", "block1"), IMAGE, "layer")
    assert {lane["off"] for lane in drawn["lanes"]} == {"zeros"}


def test_the_share_of_each_branch_that_is_on_is_beside_its_switch():
    view = view_of("residual", "block1", ["block1.skip"])
    shares = Shares({"skip": 0.0, "residual": -2.5}, "7")
    drawn = lanes(replace(view, shares=shares), IMAGE, "layer")
    assert drawn["shares"] == "Bar beside a switch: by how much the logit of 7 falls if it is off."
    skip, residual = drawn["lanes"]
    assert skip["share"] is None
    assert residual["share"] == {"length": -1, "text": "−2.50"}
    both = lanes(
        replace(view, off=(), shares=Shares({"skip": 5.0, "residual": -2.5}, "7")), IMAGE, "layer"
    )
    assert [lane["share"]["length"] for lane in both["lanes"]] == [1, -0.5]
    without = lanes(view, IMAGE, "layer")
    assert without["shares"] == ""
    assert {lane["share"] for lane in without["lanes"]} == {None}
    nothing = Shares({"skip": 0.0, "residual": 0.0}, "7")
    assert lanes(replace(view, off=(), shares=nothing), IMAGE, "layer")["lanes"][0]["share"] == {
        "length": 0,
        "text": "0.00",
    }


def test_maps_near_zero_are_dimmed_and_dead_channels_are_counted():
    maps = np.zeros((4, 3, 3), np.float32)
    maps[1] = 1
    maps[2, 0, 0] = 0.5 * QUIET
    maps[3, 0, 0] = np.nan
    assert quiet(maps) == [0, 2, 3]
    assert quiet(maps[:0]) == []
    view = view_of("residual", "block1")
    dead = {"block1.relu()": [2, 300], "elsewhere": [0]}
    found = {m["name"]: m["dead"] for m in mosaics(lanes(replace(view, dead=dead), IMAGE, "layer"))}
    assert found.pop("block1.relu()") == [2]  # and not one that is not drawn
    assert not any(found.values())


def test_the_way_back_from_a_block_within_a_branch_names_the_blocks_around_it():
    inner = Branches({"a": nn.Conv2d(1, 2, 3, padding=1), "b": nn.Conv2d(1, 3, 1)})
    outer = Branches({"long": nn.Sequential(inner, nn.ReLU()), "short": nn.Conv2d(1, 5, 1)}, "add")
    model = nn.Sequential(outer, nn.Flatten(), nn.Linear(5 * 784, 10))
    recording, maps, fields = seen(model)
    assert trail(recording.parts, "0") == []
    assert trail(recording.parts, "0.long.0") == ["0"]
    assert trail(recording.parts, "nothing") == []
    nested = list(blocks(recording.parts))[1]
    way = trail(recording.parts, nested.name)
    assert lanes(View(nested, maps, fields, trail=way), IMAGE, "layer")["trail"] == ["0"]
