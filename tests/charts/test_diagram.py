import pytest
from torch import nn

from explorer.branches import Branches
from explorer.charts.diagram import diagram
from explorer.charts.style import branch_hues
from explorer.inspection.outline import outline
from explorer.plugin.registry import discover
from explorer.spec import ImageSpec

MNIST = ImageSpec(1, 28, 10)
ARCHITECTURES = discover().architectures


def labels(drawing) -> list[str]:
    return [label.text for label in drawing.layout.annotations]


def draw(model, images=MNIST):
    return diagram(outline(model, images), images)


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_every_built_in_can_be_drawn_within_its_own_height(name):
    drawing = draw(ARCHITECTURES[name].build(MNIST))
    bottom, top = drawing.layout.yaxis.range
    assert (round(bottom), top) == (drawing.layout.height, 0)
    for label in drawing.layout.annotations:
        assert 0 <= label.y <= bottom
        assert 0 <= label.x <= 1


def test_each_branch_has_its_name_in_its_hue():
    model = ARCHITECTURES["inception"].build(MNIST)
    written = " ".join(labels(draw(model)))
    for name, hue in branch_hues(model.mix1).items():
        assert f"<b style='color:{hue}'>{name}</b>" in written


def test_a_concatenation_is_a_strip_as_wide_as_its_channels():
    drawing = draw(ARCHITECTURES["inception"].build(MNIST))
    hues = list(branch_hues(["1x1", "5x5", "3x3", "pool"]).values())
    strip = [shape for shape in drawing.layout.shapes if shape.fillcolor in hues][:4]
    widths = [shape.x1 - shape.x0 for shape in strip]
    assert [round(width / sum(widths) * 88) for width in widths] == [16, 24, 24, 24]


def test_a_sum_is_a_circle_and_a_skip_an_empty_lane():
    block = Branches(
        {"skip": nn.Identity(), "residual": nn.Conv2d(1, 1, 3, padding=1)}, merge="add"
    )
    drawing = draw(nn.Sequential(block, nn.Flatten(), nn.Linear(784, 10)))
    assert [shape.type for shape in drawing.layout.shapes].count("circle") == 1
    assert "identity" not in " ".join(labels(drawing))


def test_blocks_within_branches_and_long_names_are_drawn_too():
    inner = Branches({"a": nn.Identity(), "b": nn.Conv2d(1, 2, 1)})
    block = Branches({"a very long name for a branch": inner, "c": nn.Conv2d(1, 3, 1)})
    drawing = draw(nn.Sequential(block, nn.Flatten(), nn.Linear(6 * 784, 10)))
    assert any("a very long name" in label and "…" in label for label in labels(drawing))
    assert any("6×28×28" in label for label in labels(drawing))


def test_a_network_without_modules_is_drawn_as_what_goes_in_and_out():
    class Nothing(nn.Module):
        def forward(self, x):
            return x.flatten(1)[:, :10]

    written = " ".join(labels(draw(Nothing())))
    assert "image 1×28×28" in written
    assert "10 classes" in written
