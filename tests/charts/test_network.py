import json
import re
from collections import Counter
from dataclasses import replace
from itertools import count, pairwise
from xml.etree import ElementTree

import numpy as np
import pytest
import torch
from built_ins import REGISTRY
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from explorer.branches import Branches
from explorer.charts.hues import branch_hues
from explorer.charts.layout import lay_out
from explorer.charts.marks import LARGE, SIZE, Group, Words, fitted, text_width, wrapped
from explorer.charts.network import Box, Fork, Lane, Repeat, fold, network, walk
from explorer.charts.stages import stage_name, stages
from explorer.charts.svg import network_svg
from explorer.charts.thumbnails import thumbnails
from explorer.inspection.activations import record
from explorer.inspection.fields import by_reach
from explorer.inspection.outline import outline
from explorer.inspection.parts import Block, Branch, Node, Point, blocks, branches, joined, nodes
from explorer.inspection.receptive import receptive_fields
from explorer.spec import ImageSpec

MNIST = ImageSpec(1, 28, 10)
ARCHITECTURES = REGISTRY.architectures
DIRECTIONS = ("horizontal", "vertical")
SVG = "{http://www.w3.org/2000/svg}"
# Of each block of `inception`, in the order of its channels.
BRANCHES = ["branch1x1", "branch5x5", "branch3x3", "branch_pool"]


def read(parts, direction, **options):
    return ElementTree.fromstring(network_svg(parts, MNIST, direction, **options))


def draw(model, direction="horizontal", **options):
    return read(outline(model, MNIST).parts, direction, **options)


def built(name, **options):
    return ARCHITECTURES[name].build(MNIST, options)


def first_block(name) -> Block:
    return next(blocks(outline(built(name), MNIST).parts))


def classes(element) -> list[str]:
    return element.get("class", "").split()


def words(svg) -> list[str]:
    """The words of the drawing, without those of its legend."""
    own = set(legend(svg))
    return [text.text for text in svg.iter(f"{SVG}text") if text.text not in own]


def legend(svg) -> list[str]:
    found = [g for g in svg.iter(f"{SVG}g") if "legend" in classes(g)]
    return [text.text for group in found for text in group.iter(f"{SVG}text")]


def titles(svg) -> list[str]:
    return [title.text for title in svg.iter(f"{SVG}title")]


def groups(svg, of: str) -> dict[str, ElementTree.Element]:
    """The groups that have a `data-name` or a `data-branch`, by it."""
    return {g.get(of): g for g in svg.iter(f"{SVG}g") if g.get(of) is not None}


def stands_for(svg, one: str, all: str, style: str = "") -> Counter[str]:
    """What is named by the groups of a drawing, and how often; of folded ones, all of them."""
    named = Counter()
    for group in svg.iter(f"{SVG}g"):
        if group.get(one) is not None and (not style or style in classes(group)):
            found = json.loads(group.get(all)) if group.get(all) else [group.get(one)]
            assert found[0] == group.get(one)
            named.update(found)
    return named


def box(rectangle) -> tuple[float, float, float, float]:
    x, y, width, height = (float(rectangle.get(key)) for key in ("x", "y", "width", "height"))
    return x, y, x + width, y + height


def box_of_text(text) -> tuple[float, float, float, float]:
    style = text.get("class", "")
    size = LARGE if style == "times" else SIZE
    width, x = text_width(text.text, style), float(text.get("x"))
    left = x - {None: 0, "middle": width / 2, "end": width}[text.get("text-anchor")]
    middle = float(text.get("y")) - 0.35 * size
    return left, middle - 0.58 * size, left + width, middle + 0.58 * size


def is_within(inner, outer, slack=0.11) -> bool:
    return (
        inner[0] >= outer[0] - slack
        and inner[1] >= outer[1] - slack
        and inner[2] <= outer[2] + slack
        and inner[3] <= outer[3] + slack
    )


def overlap(one, other) -> bool:
    across = min(one[2], other[2]) - max(one[0], other[0])
    down = min(one[3], other[3]) - max(one[1], other[1])
    return across > 0.11 and down > 0.11


def is_legible(svg) -> None:
    """No text is on another one, and everything is within the picture and within its frame."""
    left, top, width, height = map(float, svg.get("viewBox").split())
    picture = (left, top, left + width, top + height)
    texts = [(text.text, box_of_text(text)) for text in svg.iter(f"{SVG}text")]
    texts.sort(key=lambda text: text[1][1])
    for place, (one, its_box) in enumerate(texts):
        for other, other_box in texts[place + 1 :]:
            if other_box[1] >= its_box[3]:
                break
            assert not overlap(its_box, other_box), (one, other)
    for text, place in texts:
        assert is_within(place, picture), text
    for rectangle in svg.iter(f"{SVG}rect"):
        assert is_within(box(rectangle), picture)
    for path in svg.iter(f"{SVG}path"):
        for x, y in re.findall(r"(-?[\d.]+),(-?[\d.]+)", path.get("d")):
            assert is_within((float(x), float(y)) * 2, picture)
    for part in svg.iter(f"{SVG}g"):
        if "part" in classes(part):
            frame = next(r for r in part.iter(f"{SVG}rect") if "frame" in classes(r))
            for text in part.iter(f"{SVG}text"):
                assert is_within(box_of_text(text), box(frame)), text.text


def all_branches(parts) -> Counter[str]:
    return Counter(list(branches(parts)))


def all_names(parts) -> Counter[str]:
    nested = [block.name for block in blocks(parts) if block not in parts]
    return Counter([*map(stage_name, stages(parts)), *nested])


# Built-in networks


@pytest.mark.parametrize("direction", DIRECTIONS)
@pytest.mark.parametrize("name", ARCHITECTURES)
def test_every_built_in_is_drawn_whole_and_legibly(name, direction):
    parts = outline(built(name), MNIST).parts
    svg = read(parts, direction)
    is_legible(svg)
    assert stands_for(svg, "data-name", "data-names") == all_names(parts)
    assert stands_for(svg, "data-branch", "data-branches") == all_branches(parts)
    assert words(svg)[0] == "image"
    assert "1×28×28" in words(svg)
    assert "10 classes" in " ".join(words(svg))


@pytest.mark.parametrize("name", ["inception", "googlenet", "resnet", "densenet", "mlp"])
def test_a_vertical_drawing_of_up_to_four_branches_is_at_most_300_pixels_wide(name):
    assert float(draw(built(name), "vertical").get("width")) <= 300


@pytest.mark.parametrize(("direction", "side"), [("horizontal", "width"), ("vertical", "height")])
def test_three_times_the_equal_blocks_make_no_drawing_longer(direction, side):
    small, large = (draw(built("resnet", n=n), direction) for n in (3, 9))
    assert float(large.get(side)) == pytest.approx(float(small.get(side)), abs=2)


# Branches


@pytest.mark.parametrize("direction", DIRECTIONS)
def test_each_branch_has_its_name_in_ink_beside_a_square_in_its_hue(direction):
    lanes = groups(draw(built("inception"), direction), "data-branch")
    for name, hue in branch_hues(first_block("inception")).items():
        label = next(g for g in lanes[f"incep1.{name}"].iter(f"{SVG}g") if "name" in classes(g))
        square, text = list(label)
        # In narrow lanes without what all names begin with.
        shown = name if direction == "horizontal" else name.removeprefix("branch").strip("_")
        assert (square.get("fill"), text.text, text.get("fill")) == (hue, shown, None)
        assert square.get("width") == square.get("height") == "8"


def test_no_text_has_a_colour_of_its_own_or_is_below_12_pixels():
    svg = draw(built("inception"))
    assert {text.get("fill") for text in svg.iter(f"{SVG}text")} == {None}
    style = svg.find(f"{SVG}style").text
    assert re.findall(r"^text {(.*)}$", style, re.MULTILINE) == [" fill: currentColor; "]
    sizes = [float(size) for size in re.findall(r"font(?:-size)?: ([\d.]+)px", style)]
    assert sorted(sizes) == [SIZE, LARGE]
    assert SIZE >= 12


@pytest.mark.parametrize("direction", DIRECTIONS)
def test_a_concatenation_is_a_strip_in_the_branches_hues_as_long_as_their_channels(direction):
    model = built("inception")
    first = groups(draw(model, direction), "data-name")["incep1"]
    side = "height" if direction == "horizontal" else "width"
    strip = [r for r in first.iter(f"{SVG}rect") if "stripe" in classes(r)]
    place = "y" if direction == "horizontal" else "x"
    strip.sort(key=lambda stripe: float(stripe.get(place)))
    hues = branch_hues(first_block("inception"))
    assert [stripe.get("fill") for stripe in strip] == list(hues.values())
    breadths = [float(stripe.get(side)) for stripe in strip]
    assert [round(88 * b / sum(breadths)) for b in breadths] == [16, 24, 24, 24]


def test_lanes_come_in_the_order_that_is_asked_for_and_slabs_are_as_tall_as_their_channels():
    model = built("inception")
    fields = receptive_fields(model, (1, 28, 28))
    svg = draw(model, order=lambda block: by_reach(block, fields))
    lanes = groups(svg, "data-branch")
    lasts = {}
    for name, hue in branch_hues(first_block("inception")).items():
        rectangles = lanes[f"incep1.{name}"].iter(f"{SVG}rect")
        slabs = [r for r in rectangles if r.get("fill") == hue and r.get("width") == "10"]
        lasts[name] = max(map(box, slabs[1:]), key=lambda slab: slab[0])  # not the stripe
    heights = {name: bottom - top for name, (_, top, _, bottom) in lasts.items()}
    small, *large = (heights[name] for name in BRANCHES)
    assert large == [large[0]] * 3
    assert small / large[0] == pytest.approx(16 / 24, rel=0.02)
    order = ["branch1x1", "branch_pool", "branch5x5", "branch3x3"]
    assert sorted(lasts, key=lambda name: lasts[name][1]) == order


@pytest.mark.parametrize("direction", DIRECTIONS)
def test_ribbons_are_as_thick_as_the_multiply_adds_of_what_they_lead_to(direction):
    paths = {"little": nn.Conv2d(1, 4, 3, padding=1), "much": nn.Conv2d(1, 4, 5, padding=2)}
    model = nn.Sequential(Branches(paths), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 10))
    thickness = {
        path.find(f"{SVG}title").text: float(path.get("stroke-width"))
        for path in draw(model, direction).iter(f"{SVG}path")
        if path.find(f"{SVG}title") is not None
    }
    little, much = 4 * 9 * 784, 4 * 25 * 784
    ratio = thickness[f"{little:,} multiply-adds"] / thickness[f"{much:,} multiply-adds"]
    assert ratio == pytest.approx(9 / 25, rel=0.02)


def points(path) -> list[tuple[float, float]]:
    return [(float(x), float(y)) for x, y in re.findall(r"(-?[\d.]+),(-?[\d.]+)", path.get("d"))]


@pytest.mark.parametrize("direction", DIRECTIONS)
def test_a_skip_is_an_arc_around_the_other_branch_from_the_middle_line_back_to_it(direction):
    svg = draw(built("residual"), direction)
    lanes = groups(svg, "data-branch")
    for block in ("block1", "block2"):
        skip, residual = (lanes[f"{block}.{name}"] for name in ("skip", "residual"))
        there, back = skip.findall(f"{SVG}path")
        across = 1 if direction == "horizontal" else 0
        middle = points(there)[0][across]
        outside = points(there)[-1][across]
        assert points(back)[-1][across] == middle
        assert points(back)[0][across] == outside
        assert outside < min(box(r)[across] for r in residual.iter(f"{SVG}rect"))
        assert [text.text for text in skip.iter(f"{SVG}text")] == ["skip"]
    assert words(svg).count("+") == 2
    assert "identity" not in " ".join(words(svg))


@pytest.mark.parametrize("direction", DIRECTIONS)
def test_a_merge_of_an_author_is_drawn_as_what_it_does(direction):
    def rescale(outputs):
        return outputs[0] * outputs[1]

    pool = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Sigmoid())
    block = Branches({"maps": nn.Identity(), "excitation": pool}, merge=rescale)
    model = nn.Sequential(nn.Conv2d(1, 4, 3), block, nn.Flatten(), nn.LazyLinear(10))
    svg = draw(model, direction)
    assert "×" in words(svg)
    assert "product 4×26×26" in words(svg)
    is_legible(svg)


@pytest.mark.parametrize("direction", DIRECTIONS)
def test_blocks_within_branches_are_drawn_and_can_be_opened(direction):
    inner = Branches({"a": nn.Identity(), "b": nn.Conv2d(1, 2, 1)})
    long = "a very long name for a branch"
    model = nn.Sequential(
        Branches({long: inner, "c": nn.Conv2d(1, 3, 1)}), nn.Flatten(), nn.Linear(6 * 784, 10)
    )
    svg = draw(model, direction)
    assert set(groups(svg, "data-name")) == {"0", f"0.{long}", "1"}
    assert set(groups(svg, "data-branch")) == {
        f"0.{long}",
        "0.c",
        f"0.{long}.a",
        f"0.{long}.b",
    }
    assert "concat 6×28×28" in words(svg)
    assert any(word.startswith("a very") and word.endswith("…") for word in words(svg))
    assert any(title.startswith(f"0.{long}\n") for title in titles(svg))
    is_legible(svg)


@pytest.mark.parametrize("direction", DIRECTIONS)
def test_branches_that_are_all_skips_are_side_by_side(direction):
    paths = {"i": nn.Identity(), "j": nn.Identity()}
    svg = draw(nn.Sequential(Branches(paths), nn.Flatten(), nn.LazyLinear(10)), direction)
    assert set(groups(svg, "data-branch")) == {"0.i", "0.j"}
    is_legible(svg)


# What is open, what is off, what can be opened


@pytest.mark.parametrize("direction", DIRECTIONS)
def test_what_is_open_and_what_is_off_can_be_seen(direction):
    svg = draw(built("residual"), direction, opened="block2", off=["block1.skip"])
    opened = [name for name, g in groups(svg, "data-name").items() if "opened" in classes(g)]
    assert opened == ["block2"]
    off = {path: g for path, g in groups(svg, "data-branch").items() if "off" in classes(g)}
    assert list(off) == ["block1.skip"]
    (name,) = off["block1.skip"].iter(f"{SVG}text")
    assert "struck" in classes(name)
    assert "switched off: gives zeros" in off["block1.skip"].find(f"{SVG}title").text


def test_what_is_within_a_branch_that_is_off_looks_off_too():
    inner = Branches({"a": nn.Identity(), "b": nn.Conv2d(1, 1, 1)}, "add")
    outer = Branches({"x": nn.Sequential(inner), "y": nn.Identity()}, "add")
    svg = draw(nn.Sequential(outer, nn.Flatten(), nn.Linear(784, 10)), off=["0.x", "0.x.0.a"])
    off = {name for name, group in groups(svg, "data-name").items() if "off" in classes(group)}
    assert off == {"0.x.0"}


@pytest.mark.parametrize("opened", [None, "0"])
def test_nothing_is_marked_that_is_not_open(opened):
    class Own(nn.Module):  # its path is empty
        def __init__(self):
            super().__init__()
            self.weight = nn.Parameter(nn.Linear(784, 10).weight.detach())

        def forward(self, x):
            return x.flatten(1) @ self.weight.T

    svg = draw(Own(), opened=opened)
    assert list(groups(svg, "data-name")) == [""]
    assert not any("opened" in classes(group) for group in svg.iter(f"{SVG}g"))
    assert "Own" in words(svg)


def test_a_network_without_modules_is_drawn_as_what_goes_in_and_out():
    class Nothing(nn.Sequential):
        def forward(self, x):
            return nn.Identity()(x).flatten(1)[:, :10]

    parts = outline(nn.Sequential(Nothing(nn.ReLU())), MNIST).parts
    assert parts == ()
    assert words(read(parts, "vertical")) == ["image", "1×28×28", "10 classes"]


def test_names_are_escaped():
    paths = {"<b>&\"'": nn.Conv2d(1, 2, 1), "x": nn.Conv2d(1, 2, 1)}
    model = nn.Sequential(Branches(paths, "add"), nn.Flatten(), nn.Linear(2 * 784, 10))
    svg = draw(model)
    assert "<b>&\"'" in words(svg)
    assert "0.<b>&\"'" in groups(svg, "data-branch")


def test_what_can_be_opened_is_a_button_and_nothing_where_nothing_can():
    model = built("residual")
    for group in groups(draw(model), "data-name").values():
        assert group.get("role") == "button"
        assert group.get("tabindex") == "0"
        assert group.get("aria-label") == f"open {group.get('data-name')}"
    still = draw(model, opens=False)
    assert set(groups(still, "data-name")) == set(groups(draw(model), "data-name"))
    assert not any(group.get("role") or group.get("tabindex") for group in still.iter(f"{SVG}g"))
    assert still.get("role") == "img"
    label = "The network: conv 5×5, max-pool 2, ReLU; block1, sum of skip, residual; ReLU; "
    assert still.get("aria-label").startswith(label)


@pytest.mark.parametrize(
    ("name", "opened"), [("plain", ["conv1", "conv2", "linear"]), ("mlp", None)]
)
def test_a_network_without_blocks_is_a_chain_of_stages(name, opened):
    parts = outline(built(name), MNIST).parts
    found = list(groups(read(parts, "horizontal"), "data-name"))
    assert found == (opened or [stage_name(stage) for stage in stages(parts)])


def test_an_activation_is_in_the_stage_of_the_layer_that_it_follows():
    found = [
        [layer.text for layer in stage] for stage in stages(outline(built("mlp"), MNIST).parts)
    ]
    assert found == [["flatten", "linear", "ReLU"], ["linear", "ReLU"], ["linear"]]
    head = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Dropout(), nn.Linear(1, 10))
    assert [len(stage) for stage in stages(outline(head, MNIST).parts)] == [4]


def test_the_details_of_a_stage_are_under_the_pointer():
    svg = draw(built("plain"))
    assert groups(svg, "data-name")["conv1"].find(f"{SVG}title").text == (
        "conv1\n"
        "conv 5×5: 1×28×28 → 10×24×24, 260 parameters, 144,000 multiply-adds\n"
        "max-pool 2: 10×24×24 → 10×12×12\n"
        "ReLU: 10×12×12 → 10×12×12"
    )


# Folding


@pytest.mark.parametrize("direction", DIRECTIONS)
def test_equal_blocks_with_what_is_between_them_are_drawn_once(direction):
    svg = draw(built("resnet", n=9), direction)
    assert [word for word in words(svg) if word.startswith("×")] == ["×9", "×8", "×8"]
    block = groups(svg, "data-name")["block1_1"]
    names = [f"block1_{number}" for number in range(1, 10)]
    assert json.loads(block.get("data-names")) == names
    assert block.get("aria-label") == "open block1_1, the first of 9 equal ones"
    assert block.find(f"{SVG}title").text.startswith(", ".join(names))
    skip = groups(svg, "data-branch")["block1_1.skip"]
    assert json.loads(skip.get("data-branches")) == [f"{name}.skip" for name in names]
    relu = groups(svg, "data-name")["relu1_1"]
    assert json.loads(relu.get("data-names")) == [f"relu1_{number}" for number in range(1, 10)]


def test_one_that_is_open_or_has_a_branch_off_is_drawn_by_itself():
    svg = draw(built("resnet", n=9), opened="block1_4", off=["block1_6.skip"])
    found = groups(svg, "data-name")
    assert "opened" in classes(found["block1_4"])
    assert found["block1_4"].get("data-names") is None
    assert found["block1_6"].get("data-names") is None
    assert json.loads(found["block1_1"].get("data-names")) == ["block1_1", "block1_2", "block1_3"]
    assert json.loads(found["block1_7"].get("data-names")) == ["block1_7", "block1_8", "block1_9"]


def test_what_differs_in_its_channels_is_not_folded():
    svg = draw(built("densenet"))
    assert not any(word.startswith("×") for word in words(svg))


def test_all_are_drawn_where_nothing_is_to_be_folded_and_a_fold_can_be_a_button():
    model = built("resnet", n=3)
    folded = draw(model, unfolds=True)
    (button, *_) = (g for g in folded.iter(f"{SVG}g") if g.get("data-unfold") is not None)
    assert (button.get("role"), button.get("tabindex")) == ("button", "0")
    assert button.get("aria-label").startswith("draw all of 3 times the same: block1_1")
    whole = draw(model, folded=False)
    assert not any(word.startswith("×") for word in words(whole))
    found = groups(whole, "data-name")
    assert {f"block1_{number}" for number in (1, 2, 3)} <= set(found)
    assert all(group.get("data-names") is None for group in found.values())
    assert not any(g.get("data-unfold") is not None for g in draw(model).iter(f"{SVG}g"))


@pytest.mark.parametrize("direction", DIRECTIONS)
def test_of_many_blocks_those_alone_have_words_in_their_lanes_that_are_open_or_changed(direction):
    svg = draw(built("densenet"), direction, opened="dense1_2", off=["dense2_1.skip"])
    found = groups(svg, "data-name")
    told = {
        name
        for name, group in found.items()
        if any("name" in classes(inner) for inner in group.iter(f"{SVG}g"))
    }
    assert told == {"dense1_2", "dense2_1"}
    assert found["dense3_3"].find(f"{SVG}title").text.startswith("dense3_3")
    is_legible(svg)


# Pictures and the legend


def test_the_legend_says_what_height_and_thickness_are_and_of_pictures_and_folds_only_if_any():
    parts = outline(built("inception"), MNIST).parts
    assert legend(read(parts, "horizontal")) == [
        "height: channels, up to 88",
        "thickness: multiply-adds, up to 2.82 M",
    ]
    assert legend(read(parts, "vertical"))[0] == "width: channels, up to 88"
    words_ = legend(read(parts, "horizontal", pictures={"conv1": "data:,"}))
    assert "its map with the most contrast" in words_
    assert "drawn once, there several times" in legend(draw(built("resnet", n=3)))


@pytest.mark.parametrize("direction", DIRECTIONS)
@pytest.mark.parametrize("name", ["inception", "residual", "densenet", "resnet34", "plain"])
def test_pictures_are_of_the_image_the_parts_and_the_branches_that_are_on(name, direction):
    model = built(name)
    recording = record(model, torch.rand(1, 1, 28, 28))
    pictures = thumbnails(np.zeros((1, 28, 28), np.uint8), recording.arrays())
    off = list(branches(recording.parts))[:1]
    svg = read(recording.parts, direction, pictures=pictures, off=off)
    found = list(svg.iter(f"{SVG}image"))
    shown = {picture.find(f"{SVG}title").text for picture in found if len(picture)}
    assert shown <= set(pictures)
    assert not shown & set(off)
    drawn = groups(svg, "data-name")
    assert {part.name for part in recording.parts if isinstance(part, Block)} & set(drawn) <= shown
    boxes = list(map(box, found))
    assert len(boxes) == len(shown) + 1  # the image has no title
    for place, one in enumerate(boxes):
        assert one[2] - one[0] == pytest.approx(one[3] - one[1], abs=0.2)
        assert not any(overlap(one, other) for other in boxes[place + 1 :])
        assert not any(overlap(one, box_of_text(text)) for text in svg.iter(f"{SVG}text"))
    is_legible(svg)


def conv(name: str, text: str = "conv 3×3") -> Box:
    return Box((name,), (text,), (text,), "1×2×2", 1, 9)


def expanded(nodes) -> list:
    return [
        same
        for node in nodes
        for same in (expanded(node.chain) * node.times if isinstance(node, Repeat) else [node])
    ]


def named(nodes) -> Counter[str]:
    return Counter(
        name
        for node in nodes
        for name in (named(node.chain).elements() if isinstance(node, Repeat) else node.names)
    )


@given(st.lists(st.sampled_from("abc"), max_size=24))
def test_folding_loses_nothing_and_leaves_no_equal_neighbours(letters):
    nodes = [conv(str(place), letter) for place, letter in enumerate(letters)]
    folded = fold(nodes)
    assert expanded(folded) == nodes
    assert named(folded) == Counter(str(place) for place in range(len(letters)))
    single = [node for node in folded if isinstance(node, Box)]
    assert len(single) == len({name for node in single for name in node.names})
    assert all(one != other for one, other in pairwise(folded))


def test_a_long_chain_is_folded_in_no_time_that_grows_with_its_square():
    nodes = [conv(str(place), f"conv {place}×{place}") for place in range(400)]
    compared = Counter()

    class Counted(Box):
        def __eq__(self, other):
            compared["nodes"] += 1
            return super().__eq__(other)

        __hash__ = None

    nodes = [Counted(n.names, n.words, n.facts, n.shape, n.channels, n.macs) for n in nodes]
    assert len(fold(nodes)) == 400
    assert compared["nodes"] <= 8 * 400


def test_the_longest_repeat_is_folded_and_begins_with_a_block():
    relu, block = conv("r", "ReLU"), Fork(("b",), "sum", (), (), (), "1×2×2", 1)
    assert fold([relu, block] * 3 + [relu]) == (relu, Repeat(3, (block, relu)))
    assert fold([block, block, relu] * 2) == (Repeat(2, (Repeat(2, (block,)), relu)),)


# Any network

LETTERS = st.characters(exclude_categories=("C", "Z", "M"))
LABELS = st.text(st.one_of(st.sampled_from("mWi <&\"'"), LETTERS), min_size=1, max_size=30)
SHAPES = st.one_of(
    st.tuples(st.integers(1, 2048), st.integers(1, 64), st.integers(1, 64)),
    st.tuples(st.integers(1, 5000)),
    st.tuples(st.integers(1, 50), st.integers(1, 500)),
    st.just(()),
)
KINDS = st.sampled_from(["Conv2d", "ReLU", "Identity", "Flatten", "BatchNorm2d", "Own"])
TEXTS = st.one_of(
    LABELS,
    st.sampled_from(["conv 3×3", "conv 11×11, stride 4, 12 groups", "batch norm", "max-pool 2"]),
)
AMOUNTS = st.sampled_from([0, 0, 1, 10**3, 10**9, 10**12])
LAYERS = st.tuples(KINDS, TEXTS, SHAPES, SHAPES, AMOUNTS, AMOUNTS)


def repeated(things):
    """Lists in which what follows one another is often equal."""
    runs = st.lists(st.tuples(st.lists(things, min_size=1, max_size=2), st.integers(1, 3)))
    return runs.map(lambda runs: [thing for own, times in runs for thing in own * times][:6])


@st.composite
def block_templates(draw, inner):
    ways = draw(st.dictionaries(LABELS, repeated(inner), min_size=1, max_size=5))
    merge = draw(st.sampled_from(["concat", "sum", "product", "matrix product"]))
    channels = [draw(st.integers(1, 999)) for _ in ways]
    return merge, ways, channels, draw(SHAPES), draw(AMOUNTS)


TEMPLATES = st.recursive(LAYERS, block_templates, max_leaves=12)


def make(template, path: str):
    """The part at a path: templates may be equal, paths never are."""
    if isinstance(template[0], str) and len(template) == 6:
        kind, text, inputs, shape, parameters, macs = template
        weights = ((path, parameters),) if parameters else ()
        return Node(1, Point(path, 1), kind, text, (0,), (0,), inputs, shape, weights, macs)
    kind, ways, channels, shape, amount = template
    made = {}
    for (name, inside), maps in zip(ways.items(), channels, strict=True):
        own = joined(path, name)
        parts = tuple(make(each, f"{own}.{place}") for place, each in enumerate(inside))
        made[name] = Branch(name, own, ((1, 0),), 1, parts, (), (maps, 1, 1))
    point = Point(path, 1, "add", 1)
    merge = Node(1, point, "add", "add", (0, 1), (0, 1), shape, shape, ((path, amount),), amount)
    return Block(path, kind, 0, merge, (), made, shape)


OUTLINES = repeated(st.one_of(LAYERS, TEMPLATES)).map(
    lambda templates: tuple(make(t, str(place)) for place, t in zip(count(), templates))
)


@settings(max_examples=80, deadline=None)
@given(OUTLINES, st.sampled_from(DIRECTIONS), st.randoms(use_true_random=False))
def test_any_network_is_drawn_whole_and_legibly(parts, direction, random):
    paths = all_branches(parts)
    names = list(all_names(parts))
    off = random.sample(sorted(paths), min(2, len(paths)))
    opened = random.choice(names) if names else None
    svg = read(parts, direction, opened=opened, off=off)
    is_legible(svg)
    assert stands_for(svg, "data-branch", "data-branches") == paths
    assert stands_for(svg, "data-name", "data-names") == all_names(parts)
    assert sum("opened" in classes(group) for group in svg.iter(f"{SVG}g")) == bool(names)
    assert stands_for(svg, "data-branch", "data-branches", "off") == Counter(off)
    lanes = [item for item in walk(network(parts)) if isinstance(item, Lane)]
    skips = [name for b in blocks(parts) for name, way in b.branches.items() if way.is_skip]
    assert sum(len(lane.paths) for lane in lanes if lane.is_skip) == len(skips)


# Text


@given(LABELS, st.floats(30, 200))
def test_text_that_is_fitted_fits_and_begins_as_it_did(text, room):
    short = fitted(text, room)
    assert text_width(short) <= room
    assert text.startswith(short.removesuffix("…"))


@given(st.lists(LABELS, min_size=1, max_size=5), st.floats(90, 300))
def test_wrapped_words_fit(words, room):
    lines = wrapped(words, room)
    assert lines
    assert all(text_width(line) <= room for line in lines)


@pytest.mark.parametrize(
    ("words", "room", "lines"),
    [
        (["conv 5×5", "max-pool 2", "ReLU"], 300, ["conv 5×5 · max-pool 2 · ReLU"]),
        (["conv 5×5", "max-pool 2", "ReLU"], 70, ["conv 5×5", "max-pool 2", "ReLU"]),
        (["conv 3×3, stride 2"], 70, ["conv 3×3,", "stride 2"]),
        (["batch norm"], 40, ["batch", "norm"]),
        (["AVeryLongNameOfAModuleThatSomebodyWrote"], 40, ["AVeryLong…"]),
    ],
)
def test_lines_break_between_words_and_never_before_a_number(words, room, lines):
    assert wrapped(words, room) == lines


# Branches that share layers


class SeveralScales(nn.Module):
    """Two ways from one stem, of which a sum and a concatenation both make use."""

    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(1, 8, 3, padding=1)
        self.low, self.high = nn.Conv2d(8, 8, 3, padding=1), nn.Conv2d(8, 8, 5, padding=2)
        self.mix, self.deepen, self.linear = (
            nn.Conv2d(8, 8, 1),
            nn.Conv2d(8, 8, 1),
            nn.Linear(24, 10),
        )

    def forward(self, x):
        x = self.stem(x).relu()
        low, high = self.low(x).relu(), self.high(x).relu()
        mixed, deep = self.mix(low + high), self.deepen(high)
        return self.linear(torch.cat([mixed, low, deep], dim=1).mean((2, 3)))


@pytest.mark.parametrize("direction", DIRECTIONS)
def test_a_lane_that_shares_layers_begins_where_they_end_and_they_are_drawn_once(direction):
    svg = draw(SeveralScales(), direction)
    is_legible(svg)
    lanes = groups(svg, "data-branch")
    along = 0 if direction == "horizontal" else 1
    size = "width" if direction == "horizontal" else "height"
    ends = {}
    for name in ("low", "high"):
        slab = [r for r in lanes[f"add().{name}"].iter(f"{SVG}rect") if r.get(size) == "10"][-1]
        ends[name] = box(slab)[2 + along]
    for name, source in (("low", "low"), ("deep", "high")):
        shared, *others = (
            path for path in lanes[f"cat().{name}"].iter(f"{SVG}path") if "ribbon" in classes(path)
        )
        assert "shared" in classes(shared)
        assert points(shared)[0][along] == pytest.approx(ends[source], abs=0.2)
        assert not any("shared" in classes(path) for path in others)
    assert sum("5×5" in word for word in words(svg)) == 1
    assert not any("via" in word for word in words(svg))


def test_a_lane_that_goes_on_from_what_is_folded_says_so():
    conv_ = Box(("a",), ("conv 3×3",), (), "1×2×2", 1, 9, holds=("a",))
    lanes = [
        Lane((f"b.{name}",), name, name, "#000000", 1, 9, chain, via=via)
        for name, chain, via in (("x", (Repeat(3, (conv_,)),), ""), ("y", (), "a"))
    ]
    fork = Fork(("b",), "sum", tuple(lanes), ("x", "y"), (), "1×2×2", 1)
    piece = lay_out((fork,), "1×2×2", "10 classes", "horizontal")
    said = [mark.text for mark in every(piece.parts) if isinstance(mark, Words)]
    assert "via a" in " ".join(said)


def every(marks):
    for mark in marks:
        yield mark
        if isinstance(mark, Group):
            yield from every(mark.marks)


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_the_table_of_a_drawing_has_each_layer_once_and_all_parameters(name):
    model = built(name)
    parts = outline(model, MNIST).parts
    table = json.loads(read(parts, "horizontal").find(f"{SVG}metadata").text)
    assert table["columns"][table["branch"]] == "branch"
    assert {len(row) for row in table["rows"]} == {len(table["columns"])}
    skips = [b for block in blocks(parts) for b in block.branches.values() if b.is_skip]
    merges = list(blocks(parts))
    inner = {merge.name for block in merges for merge in (*block.inner, block.merge)}
    layers = [node.name for node in nodes(parts) if node.name not in inner]
    rows = [row[0] for row in table["rows"]]
    assert Counter(rows) == Counter(
        [*layers, *(block.name for block in merges), *(branch.path for branch in skips)]
    )
    used = sum(p.numel() for p in model.parameters() if p.requires_grad)
    assert sum(row[4] for row in table["rows"]) <= used
    paths = {row[2] for row in table["rows"]} - {""}
    assert paths <= {b.path for block in merges for b in block.branches.values()}


def test_a_row_of_the_table_says_what_a_layer_is_and_what_it_costs():
    svg = read(outline(built("residual"), MNIST).parts, "vertical")
    rows = json.loads(svg.find(f"{SVG}metadata").text)["rows"]
    assert rows[0] == ["conv1", "conv 5×5", "", "16×24×24", 416, 230_400]
    skip = ["block1.skip", "passes its input on unchanged", "block1.skip", "16×12×12", 0, ""]
    assert skip in rows
    assert ["block1", "sum of skip, residual", "", "16×12×12", 0, ""] in rows


def test_a_name_stays_text_in_the_table():
    name = '</metadata><script>"&amp;'
    parts = outline(built("plain"), MNIST).parts
    node = replace(next(nodes(parts)), text=name)
    (metadata,) = read([node], "horizontal").iter(f"{SVG}metadata")
    assert json.loads(metadata.text)["rows"][0][1] == name
