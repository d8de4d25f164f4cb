"""Draws the glossary's words of layers that slide a window over their input."""

import numpy as np

from explorer.charts.glossary.digits import EDGE, convolved, digit, rectified, windows
from explorer.charts.glossary.pen import (
    GREY,
    MARK,
    bar,
    cells,
    dot,
    frame,
    line,
    picture,
    sign,
    words,
)
from explorer.charts.style import INK, POSITIVE, ROLES, SIGNED, WEIGHTS
from explorer.language import plural, say
from explorer.text import dimensions, significant


def convolution() -> str:
    """Draw a window over an input, the kernel, and the sum that the window gives."""
    image = np.zeros((5, 5))
    image[[0, 0, 0, 0, 1, 2, 3, 4], [1, 2, 3, 4, 4, 3, 2, 2]] = 2
    weights = np.array([[0, 0, 2], [0, 1, 0], [1, 0, -1]])
    bias, row, column, side = 1, 1, 2, 17
    output = convolved(image, weights) + bias
    drawn = cells(4, 17, side, image, numbers=True) + words(46, 8, say("input"))
    drawn += frame(4 + side * column, 17 + side * row, 3 * side, 3 * side) + words(98, 60, "∗")
    drawn += cells(107, 34, side, weights, WEIGHTS, numbers=True) + words(132, 8, say("kernel"))
    drawn += words(181, 60, f"{_term(bias)} =") + words(230, 8, say("output"))
    drawn += cells(204, 34, side, output, SIGNED, numbers=True)
    drawn += frame(204 + side * column, 34 + side * row, side, side)
    seen = windows(image, 3)[row, column]
    products = [f"{x:g}·{w}" for x, w in zip(seen.flat, weights.flat, strict=True) if x * w]
    total = significant(output[row, column])
    return drawn + words(130, 112, f"{' + '.join(products)} {_term(bias)} = {total}")


def _term(number: float) -> str:
    """Write a number that is added."""
    return f"{'+' if number >= 0 else '−'} {abs(number)}"


def kernel() -> str:
    """Draw a kernel, and some of the places of an image where it is applied."""
    weights = np.array([[-0.4, 0.1, 0.6], [-0.5, 0.3, 0.7], [-0.6, 0.2, 0.4]])
    drawn = picture(160, 8, 90, digit("7", 15))
    for row, column in ((1, 2), (5, 9), (10, 5)):
        x, y = 160 + 6 * column, 8 + 6 * row
        drawn += line((94, 53), (x, y + 9), hue=MARK, width=1) + frame(x, y, 18, 18)
    drawn += cells(10, 11, 28, weights, WEIGHTS, numbers=True) + frame(10, 11, 84, 84)
    return drawn + words(52, 110, say("kernel")) + words(205, 110, say("image"))


def filter_() -> str:
    """Draw a filter's kernels, one for each channel, and the one map that they give."""
    image = digit("7", 12)
    channels = [image, *(rectified(convolved(image, way, padding=1)) for way in (EDGE.T, -EDGE))]
    kernels = [EDGE, EDGE.T, np.eye(3) - 1 / 3]
    output = np.zeros((10, 10))
    drawn = ""
    for place, (values, weights) in enumerate(zip(channels, kernels, strict=True)):
        y = 4 + 33 * place
        output += convolved(values, weights)
        drawn += cells(18, y, 2.5, values, lines=False) + words(58, y + 15, "∗")
        drawn += cells(68, y, 10, weights, WEIGHTS) + line((102, y + 15), (134, 52))
    drawn += frame(65, 1, 36, 102) + sign(143, 52, "Σ") + line((152, 52), (177, 52), arrow=True)
    drawn += line((143, 82), (143, 63), arrow=True) + words(143, 90, say("bias"))
    drawn += cells(180, 17, 7, output, SIGNED, lines=False) + words(33, 112, say("channels"))
    return drawn + words(84, 112, say("filter")) + words(215, 112, say("feature map"))


def receptive_field() -> str:
    """Draw a unit, what it sees of the layer before, and what it sees of the image."""
    image = digit("7", 9)
    once = rectified(convolved(image, EDGE))
    twice = rectified(convolved(once, EDGE.T))
    side, middle, window = 9, 50, len(EDGE)
    units = say("{size} units", size=dimensions((window, window)))
    pixels = say("{size} pixels", size=dimensions((2 * window - 1, 2 * window - 1)))
    drawn, seen, begun = "", 1, 0.0
    panels = ((208, twice, say("1 unit")), (111, once, units), (8, image, pixels))
    for place, (x, values, text) in enumerate(panels):
        half, reach = side * len(values) / 2, side * seen / 2
        left = x + half - reach
        drawn += cells(x, middle - half, side, values, INK if values is image else POSITIVE)
        drawn += frame(left, middle - reach, 2 * reach, 2 * reach)
        for way in (-1, 1) if place else ():
            end = (begun, middle + way * (reach - side * (window - 1) / 2))
            drawn += line((left + 2 * reach, middle + way * reach), end, hue=MARK, width=1)
        drawn += words(x + half, 108, text)
        begun, seen = left, seen + window - 1
    return drawn


def pooling() -> str:
    """Draw windows of 2×2 values, and their maxima and means."""
    values = np.array([[1, 3, 0, 4], [2, 6, 2, 2], [5, 1, 7, 3], [1, 1, 1, 9]])
    seen = windows(values, 2, stride=2)
    drawn = cells(10, 14, 23, values, numbers=True)
    for row, column in np.ndindex(seen.shape[:2]):
        drawn += frame(10 + 46 * column, 14 + 46 * row, 46, 46)
    pooled = {say("maximum"): seen.max((-2, -1)), say("mean"): seen.mean((-2, -1))}
    for place, (name, result) in enumerate(pooled.items()):
        x = 134 + 66 * place
        drawn += cells(x, 37, 23, result, most=values.max(), numbers=True)
        drawn += words(x + 23, 24, name)
    return drawn + line((108, 60), (128, 60), arrow=True)


def stride() -> str:
    """Draw the places of a window that moves by one pixel, and of one that moves by two."""
    pixels = digit("0", 9)[2]
    drawn, window, side = "", 3, 12
    for left, stride in ((10, 1), (142, 2)):
        means = windows(pixels[None].repeat(window, axis=0), window, stride).mean((-2, -1))
        middle = left + side * len(pixels) / 2
        drawn += words(middle, 9, say("stride {stride}", stride=stride))
        drawn += cells(left, 20, side, pixels[None])
        for place in range(means.size):
            x, y = left + side * stride * place, 39 + 8 * stride * place
            drawn += bar(x, y, side * window, 4, ROLES["3x3"])
        drawn += cells(middle - side * means.size / 2, 100, side, means)
    return drawn


def padding() -> str:
    """Draw a map with zeros around it, and the output, which is as large as the map."""
    values = np.rint(2 * digit("7", 5))
    padded, output = np.pad(values, 1), convolved(values, EDGE, padding=1)
    side, inner = 14, 14 * len(values)
    drawn = cells(14, 5, side, padded) + frame(14 + side, 5 + side, inner, inner, GREY)
    for row, column in np.argwhere(np.pad(np.zeros_like(values), 1, constant_values=1)):
        x, y = 14 + side * (column + 0.5), 5 + side * (row + 0.5)
        drawn += words(x, y, "0", hue=INK[0][1])
    drawn += frame(14, 5, 3 * side, 3 * side) + line((124, 54), (152, 54), arrow=True)
    drawn += cells(168, 19, side, output, SIGNED) + frame(168, 19, side, side)
    text = say("{size} and zeros", size=dimensions(values.shape))
    return drawn + words(63, 112, text) + words(203, 112, dimensions(output.shape))


def one_by_one() -> str:
    """Draw the channels at one place, the matrix that multiplies them, and what comes out."""
    image = digit("7", 8)
    edges = [rectified(convolved(image, kernel, padding=1)) for kernel in (EDGE, EDGE.T, -EDGE)]
    channels = np.stack([image, *edges])
    matrix = np.array([[0.6, -0.4, 0.3, 0.8], [-0.5, 0.9, 0.7, -0.2]])
    output = np.einsum("oc,chw->ohw", matrix, channels)
    side, middle, row, column = 16, 50, 1, 6
    drawn = cells(98, middle - side, side, matrix, WEIGHTS) + words(130, 82, say("matrix"))
    drawn += words(88, middle, "×") + words(172, middle, "=")
    for maps, ramp, x, vector in ((channels, POSITIVE, 8, 62), (output, SIGNED, 228, 182)):
        most = float(np.abs(maps).max())
        for values, off in zip(maps, np.arange(len(maps)) - (len(maps) - 1) / 2, strict=True):
            top, at = middle + 25 * off - 12, middle + side * off
            place = x + 3 * column + 1.5, top + 3 * row + 1.5
            drawn += cells(x, top, 3, values, ramp, most=most, lines=False)
            drawn += line(place, (vector + (side if vector < x else 0), at), hue=MARK, width=1)
            drawn += frame(place[0] - 2.5, place[1] - 2.5, 5, 5)
            value = values[row : row + 1, column : column + 1]
            drawn += cells(vector, at - side / 2, side, value, ramp, most=most)
    count = plural("{n} channel", "{n} channels", len(channels))
    drawn += words(4, 112, count, "start")
    return drawn + words(256, 112, plural("{n} channel", "{n} channels", len(output)), "end")


def multiply_adds() -> str:
    """Draw a kernel, and each place where its weights are used."""
    output = convolved(digit("7", 10), EDGE)
    drawn = cells(14, 20, 18, EDGE, WEIGHTS) + cells(152, 4, 9, digit("7", 10))
    for row, column in np.ndindex(output.shape):
        drawn += dot(152 + 9 * (column + 1.5), 4 + 9 * (row + 1.5), MARK, 2)
    drawn += line((68, 20), (152, 4), hue=MARK, width=1)
    drawn += line((68, 74), (152, 31), hue=MARK, width=1) + frame(152, 4, 27, 27)
    text = say(
        "{weights} weights × {places} places = {product}",
        weights=EDGE.size,
        places=output.size,
        product=EDGE.size * output.size,
    )
    return drawn + words(130, 111, text)
