import re
from xml.etree import ElementTree

import pytest
from torch import nn

from explorer.branches import Branches
from explorer.charts.overview import overview
from explorer.charts.style import branch_hues
from explorer.inspection.outline import outline
from explorer.inspection.receptive import receptive_fields
from explorer.plugin.registry import discover
from explorer.spec import ImageSpec

MNIST = ImageSpec(1, 28, 10)
ARCHITECTURES = discover().architectures
SVG = "{http://www.w3.org/2000/svg}"


def draw(model, **options):
    fields = receptive_fields(model, (1, 28, 28))
    return ElementTree.fromstring(overview(outline(model, MNIST), MNIST, fields, **options))


def names(svg) -> list[str]:
    return [part.get("data-name") for part in svg.iter(f"{SVG}g")]


def words(svg) -> list[str]:
    return [text.text for text in svg.iter(f"{SVG}text")]


def lanes(svg) -> dict[str, tuple[float, float]]:
    """Where each lane is and how tall, by its hue."""
    return {
        lane.get("fill"): (float(lane.get("y")), float(lane.get("height")))
        for lane in svg.iter(f"{SVG}rect")
        if lane.get("fill") and float(lane.get("width")) > 50
    }


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_every_part_of_every_built_in_can_be_opened_and_lies_within_the_picture(name):
    model = ARCHITECTURES[name].build(MNIST)
    svg = draw(model)
    blocks = [path for path, module in model.named_modules() if isinstance(module, Branches)]
    assert set(blocks) <= set(names(svg))
    assert {"flatten", "linear", "average"} & set(" ".join(names(svg)).replace(".", " ").split())
    left, top, width, height = map(float, svg.get("viewBox").split())
    for frame in svg.iter(f"{SVG}rect"):
        assert left <= float(frame.get("x")) <= float(frame.get("x")) + float(frame.get("width"))
        assert float(frame.get("x")) + float(frame.get("width")) <= width
        assert top <= float(frame.get("y"))
        assert float(frame.get("y")) + float(frame.get("height")) <= top + height


def test_lanes_are_as_tall_as_their_channels_in_the_order_of_what_they_see():
    model = ARCHITECTURES["inception"].build(MNIST)
    svg = draw(nn.Sequential(model.mix(1), nn.Flatten(), nn.Linear(88 * 784, 10)))
    hues = branch_hues(["1x1", "5x5", "3x3", "pool"])
    drawn = {name: lanes(svg)[hue] for name, hue in hues.items()}
    assert drawn["5x5"][1] == drawn["3x3"][1] == drawn["pool"][1]
    assert drawn["1x1"][1] / drawn["5x5"][1] == pytest.approx(16 / 24, rel=0.02)
    assert sorted(drawn, key=lambda name: drawn[name][0]) == ["1x1", "pool", "5x5", "3x3"]


def test_ribbons_are_as_wide_as_the_multiply_adds_of_what_they_lead_to():
    paths = {"little": nn.Conv2d(1, 4, 3, padding=1), "much": nn.Conv2d(1, 4, 5, padding=2)}
    model = nn.Sequential(Branches(paths), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 10))
    svg = draw(model)
    widths = {
        path.find(f"{SVG}title").text: float(path.get("stroke-width"))
        for path in svg.iter(f"{SVG}path")
        if path.find(f"{SVG}title") is not None
    }
    little, much = 4 * 9 * 784, 4 * 25 * 784
    ratio = widths[f"{little:,} multiply-adds"] / widths[f"{much:,} multiply-adds"]
    assert ratio == pytest.approx(9 / 25, rel=0.02)


def test_a_skip_is_an_arc_that_begins_and_ends_on_the_middle_line_above_its_block():
    svg = draw(ARCHITECTURES["residual"].build(MNIST))
    hue = branch_hues(["skip", "residual"])["skip"]
    arcs = [path.get("d") for path in svg.iter(f"{SVG}path") if path.get("stroke") == hue]
    assert len(arcs) == 2
    for arc in arcs:
        start, first, second, end = re.findall(r"(-?[\d.]+),(-?[\d.]+)", arc)
        assert start[1] == end[1] == "0"
        assert float(first[1]) == float(second[1]) < -20
    assert words(svg).count("+") == 2


def test_what_is_open_and_what_is_off_can_be_seen():
    model = ARCHITECTURES["residual"].build(MNIST)
    svg = draw(model, opened="block2", off=["block1.skip"])
    opened = [
        part.get("data-name") for part in svg.iter(f"{SVG}g") if "opened" in part.get("class")
    ]
    assert opened == ["block2"]
    off = [path for path in svg.iter(f"{SVG}path") if path.get("class") == "off"]
    assert len(off) == 1


def test_names_are_escaped():
    paths = {"<b>&\"'": nn.Conv2d(1, 2, 1), "x": nn.Conv2d(1, 2, 1)}
    model = nn.Sequential(Branches(paths, "add"), nn.Flatten(), nn.Linear(2 * 784, 10))
    svg = draw(model)
    assert "<b>&\"'" in words(svg)


def test_a_network_without_blocks_and_one_that_is_a_single_layer_can_be_drawn():
    assert names(draw(ARCHITECTURES["plain"].build(MNIST))) == ["conv1", "conv2", "flatten"]

    class Own(nn.Module):
        def __init__(self):
            super().__init__()
            self.weight = nn.Parameter(nn.init.normal_(nn.Parameter(nn.Linear(784, 10).weight)))

        def forward(self, x):
            return x.flatten(1) @ self.weight.T

    assert words(draw(Own()))[-4:-2] == ["Own", "10"]
