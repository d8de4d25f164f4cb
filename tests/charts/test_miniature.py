from collections import Counter
from xml.etree import ElementTree

import pytest
from built_ins import REGISTRY
from torch import nn

from explorer.charts.hues import branch_hues
from explorer.charts.miniature import HEIGHT, WIDTH, miniature_svg
from explorer.inspection.outline import outline
from explorer.inspection.parts import Block
from explorer.spec import ImageSpec

MNIST = ImageSpec(1, 28, 10)
SVG = "{http://www.w3.org/2000/svg}"


def drawn(model) -> ElementTree.Element:
    return ElementTree.fromstring(miniature_svg(outline(model, MNIST).parts))


@pytest.mark.parametrize("name", ["plain", "inception", "residual-bn", "densenet", "mlp"])
def test_every_network_fits_the_drawing_and_has_no_words(name):
    svg = drawn(REGISTRY[name].build(MNIST))
    assert svg.get("viewBox") == f"0 0 {WIDTH} {HEIGHT}"
    assert svg.get("aria-hidden") == "true"
    assert not list(svg.iter(f"{SVG}text"))
    bars = list(svg.iter(f"{SVG}rect"))
    assert bars
    assert all(float(bar.get("x")) + float(bar.get("width")) <= WIDTH + 1 for bar in bars)
    assert all(float(bar.get("y")) >= 0 for bar in bars)
    assert all(float(bar.get("y")) + float(bar.get("height")) <= HEIGHT for bar in bars)


def test_each_branch_is_a_line_of_its_hue():
    svg = drawn(REGISTRY["inception"].build(MNIST))
    drawn_hues = Counter(line.get("stroke") for line in svg.iter(f"{SVG}path"))
    parts = outline(REGISTRY["inception"].build(MNIST), MNIST).parts
    blocks = [part for part in parts if isinstance(part, Block)]
    wanted = Counter(hue for block in blocks for hue in branch_hues(block).values())
    assert wanted <= drawn_hues
    assert len(wanted) == 4


def test_a_network_without_a_part_is_a_line():
    svg = drawn(nn.Sequential(nn.Flatten(), nn.Flatten()))
    assert len(list(svg.iter(f"{SVG}path"))) == 1
