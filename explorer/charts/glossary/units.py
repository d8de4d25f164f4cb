"""Draws the glossary's words of what units and channels give."""

import numpy as np

from explorer.charts.glossary.digits import EDGE, convolved, digit, rectified, strongest
from explorer.charts.glossary.pen import (
    BLUE,
    GREY,
    MARK,
    Axes,
    bar,
    cells,
    frame,
    line,
    picture,
    words,
)
from explorer.charts.style import BRANCHES, INK, POSITIVE, SIGNED, WEIGHTS
from explorer.language import say
from explorer.text import dimensions, significant


def feature_map() -> str:
    """Draw an image, a kernel, and the map whose largest values are where it answers most."""
    image = digit("7", 14)
    found = rectified(convolved(image, EDGE))
    row, column = strongest(found)
    drawn = picture(10, 10, 84, image) + cells(114, 26, 10, EDGE, WEIGHTS)
    drawn += frame(10 + 6 * column, 10 + 6 * row, 18, 18)
    drawn += words(129, 14, say("filter")) + line((102, 70), (156, 70), arrow=True)
    drawn += cells(166, 10, 7, found, lines=False) + frame(166 + 7 * column, 10 + 7 * row, 7, 7)
    return drawn + words(52, 108, say("image")) + words(208, 108, say("feature map"))


def channel() -> str:
    """Draw an image of one channel, one of three, and the output of a layer."""
    image = digit("7", 14)
    answer = rectified(convolved(image, EDGE, padding=1))
    primaries = (BRANCHES[2], BRANCHES[0], BRANCHES[3])  # the nearest to red, green and blue
    colours = [((0.0, INK[0][1]), (1.0, hue)) for hue in primaries]
    stacks = (
        (say("grey image"), [(image, INK)], 0.0),
        (say("colour image"), [(image, ramp) for ramp in colours], 12.0),
        (say("layer"), [(answer, POSITIVE)] * 16, 1.8),
    )
    drawn = ""
    for place, (name, planes, apart) in enumerate(stacks):
        x, begin = 43 + 87 * place, -21 - apart * (len(planes) - 1) / 2
        for number, (values, ramp) in enumerate(planes):
            off = begin + apart * number
            drawn += picture(x + off, 60 + off, 42, values, ramp)
        shape = dimensions((len(planes), 28, 28))
        drawn += words(x, 9, name) + words(x, 111, shape)
    return drawn


def batch_norm() -> str:
    """Draw the values of a channel over a batch, before and after."""
    before = np.random.default_rng(1).normal(3, 1.8, 1000)
    after = (before - before.mean()) / before.std()
    drawn, edges = "", np.arange(-4, 9.5, 0.5)
    for place, (name, values, hue) in enumerate(
        ((say("before"), before, GREY), (say("after"), after, BLUE))
    ):
        top = 2 + 54 * place
        counts, _ = np.histogram(values, edges)
        axes = Axes(8, top + 16, 244, 34, (edges[0], edges[-1]), (0, 200))
        text = say(
            "{name}: mean {mean}, variance {variance}",
            name=name,
            mean=significant(abs(round(values.mean(), 1))),
            variance=significant(values.var()),
        )
        drawn += words(8, top + 8, text, "start")
        for left, count in zip(edges, counts, strict=False):
            x, y = axes.at(left, 0)
            drawn += bar(x, y, 8, axes.at(0, count)[1] - y, hue)
        drawn += axes.lines(0, 0)
    return drawn + words(axes.at(0, 0)[0], 114, "0")


def activation() -> str:
    """Draw a feature map, and the values of some of its units."""
    image = digit("7", 9)
    found = rectified(convolved(image, EDGE))
    row, column = strongest(found[1:-1, 1:-1])
    drawn = cells(10, 12, 11, found) + frame(10 + 11 * column, 12 + 11 * row, 33, 33)
    near = np.round(found[row : row + 3, column : column + 3], 1)
    drawn += line((10 + 11 * (column + 3), 12 + 11 * row), (160, 9), width=1, hue=MARK)
    drawn += line((10 + 11 * (column + 3), 12 + 11 * (row + 3)), (160, 93), width=1, hue=MARK)
    drawn += cells(160, 9, 28, near, most=found.max(), numbers=True) + frame(160, 9, 84, 84)
    return drawn + words(48, 108, say("feature map")) + words(202, 108, say("activations"))


def relu() -> str:
    """Draw the function, and what it makes of some values."""
    axes = Axes(12, 10, 96, 84, (-3, 3), (-1, 3))
    drawn = axes.lines(0, 0) + axes.curve([-3, 0, 3], [0, 0, 3]) + words(60, 110, "max(0, x)")
    values = np.array([[-2.0, 1, -1, 3]])
    drawn += cells(132, 18, 28, values, SIGNED, numbers=True)
    for place in range(4):
        drawn += line((146 + 28 * place, 50), (146 + 28 * place, 70), arrow=True)
    return drawn + cells(132, 74, 28, rectified(values), numbers=True)


def dead_filter() -> str:
    """Draw the maps that four filters give for three images; one filter is dead."""
    filters = ((EDGE, 0.0), (EDGE.T, 0.0), (-EDGE, 0.0), (EDGE, -9.0))  # kernels and biases
    drawn = ""
    for row, name in enumerate("704"):
        image, y = digit(name, 14), 5 + 33 * row
        drawn += picture(14, y, 30, image)
        for column, (weights, bias) in enumerate(filters):
            found = rectified(convolved(image, weights) + bias)
            drawn += cells(78 + 44 * column, y, 30 / 12, found, most=2, lines=False)
    drawn += frame(206, 1.5, 38, 103) + words(29, 113, say("images"))
    return drawn + words(137, 113, say("feature maps")) + words(225, 113, say("dead"))
