"""Draws the glossary's words of training."""

import numpy as np

from explorer.charts.glossary.digits import DIGITS, digit
from explorer.charts.glossary.pen import (
    BLUE,
    GREY,
    MARK,
    WIDTH,
    Axes,
    cells,
    dot,
    frame,
    line,
    n,
    picture,
    words,
)
from explorer.charts.style import WEIGHTS
from explorer.language import say
from explorer.text import signed


def learning_rate() -> str:
    """Draw steps on a parabola whose learning rate is too small, good and too large."""
    xs = np.linspace(-2.2, 2.2, 41)
    rates = {say("too small"): 0.03, say("good"): 0.3, say("too large"): 1.07}
    drawn = ""
    for place, (name, rate) in enumerate(rates.items()):
        axes = Axes(6 + 86 * place, 8, 76, 84, (-2.2, 2.2), (-0.1, 4.9))
        reached = [-1.0 if rate > 1 else -1.9]
        for _ in range(5):
            reached.append(reached[-1] - rate * 2 * reached[-1])  # the loss is x², its slope 2x
        steps = [axes.at(x, x**2) for x in reached]
        drawn += axes.curve(xs, xs**2, GREY) + line(*steps, hue=MARK)
        drawn += "".join(dot(*step, MARK, 3) for step in steps)
        drawn += words(44 + 86 * place, 108, name)
    return drawn


def epoch() -> str:
    """Draw the order of the images in two epochs, a batch for each step; one image is marked."""
    chance, images, batches, side = np.random.default_rng(4), 12, 3, 17
    drawn = ""
    for number in range(2):
        y = 60 * number
        drawn += words(12, y + 7, say("epoch {epoch:.2g}", epoch=number + 1), "start")
        order = chance.permutation(images).reshape(batches, -1)
        for place, batch in enumerate(order):
            x = 12 + (side * len(batch) + 16) * place
            right = x + side * len(batch)
            for each, image in enumerate(batch):
                pixels = digit(DIGITS[image % len(DIGITS)], 9)
                drawn += picture(x + side * each, y + 17, side, pixels)
                drawn += frame(x + side * each, y + 17, side, side) if image == 0 else ""
            drawn += line((x, y + 36), (x, y + 39), (right, y + 39), (right, y + 36), width=1)
            text = say("step {step:,}", step=number * batches + place + 1)
            drawn += words((x + right) / 2, y + 48, text)
    return drawn


def step() -> str:
    """Draw lines of equal loss, and steps across them."""
    axes = Axes(0, 0, WIDTH, 104, (-6.5, 6.5), (-2.6, 2.6))
    wide, rate = 1.9, 0.34  # the loss is (x / wide)² + y²
    x, y = axes.at(0, 0)
    drawn = dot(x, y, radius=2)
    for radius in (0.6, 1.2, 1.8, 2.4):
        across, down = axes.at(wide * radius, -radius)
        drawn += (
            f'<ellipse cx="{n(x)}" cy="{n(y)}" rx="{n(across - x)}" ry="{n(down - y)}" '
            f'stroke="{GREY}" stroke-opacity="0.7"/>'
        )
    at = [np.array([-4.4, 1.9])]
    for _ in range(5):
        at.append(at[-1] - rate * 2 * at[-1] / (wide**2, 1))
    (left, top), *others = (axes.at(*point) for point in at)
    drawn += line(*others) + "".join(dot(*place, radius=2.5) for place in others)
    drawn += line((left, top), others[0], hue=MARK, width=2, arrow=True)
    drawn += dot(left, top, MARK, 3) + words(left - 9, top, say("step"), "end")
    return drawn + words(130, 112, say("lines of equal loss"))


def batch() -> str:
    """Draw a batch among images, the gradients of its images, and their mean."""
    chance, across = np.random.default_rng(3), 5
    images = chance.integers(len(DIGITS), size=across**2)
    chosen = chance.choice(images.size, 6, replace=False)
    drawn = ""
    for place, image in enumerate(images):
        left, top = 10 + 20 * (place % across), 4 + 20 * (place // across)
        drawn += picture(left, top, 18, digit(DIGITS[image], 9))
        drawn += frame(left, top, 18, 18) if place in chosen else ""
    start = np.array([142.0, 84.0])
    ends = start + (66, -36) + 22 * chance.normal(size=(chosen.size, 2))
    drawn += "".join(line(start, end, width=1, arrow=True) for end in ends)
    drawn += line(start, ends.mean(axis=0), width=3, hue=MARK, arrow=True) + dot(*start)
    return drawn + words(59, 112, say("batch")) + words(192, 112, say("mean gradient"))


def gradient() -> str:
    """Draw a loss over a parameter, its slope at two values, and the ways that training goes."""
    lowest = -0.2
    axes = Axes(14, 6, 234, 88, (-1.9, 3.6), (lowest, 3.4))
    xs = np.linspace(-1.65, 3.6, 61)
    drawn = axes.lines(-1.9, lowest) + axes.curve(xs, np.exp(-xs) + xs - 1, GREY)
    for x, across, up in ((-1.3, 46, 0), (2.3, -38, 14)):
        loss, slope = np.exp(-x) + x - 1, 1 - np.exp(-x)
        reach = 0.9 / np.hypot(1, slope)
        tangent = [axes.at(x + way, loss + slope * way) for way in (-reach, reach)]
        point, foot = axes.at(x, loss), axes.at(x, lowest)
        drawn += line(*tangent, hue=BLUE, width=3) + line(point, foot, width=1, dashed=True)
        drawn += line(foot, axes.at(x - slope / 2, lowest), hue=MARK, width=3, arrow=True)
        text = say("slope {slope}", slope=signed(slope, 1))
        drawn += dot(*point, MARK) + words(point[0] + across, point[1] - up, text)
    return drawn + words(22, 9, say("loss"), "start") + words(131, 110, say("parameter"))


def parameters() -> str:
    """Draw a convolution's kernels, a square for each, one of them large, and its biases."""
    inputs, outputs, side = 16, 32, 5
    chance = np.random.default_rng(0)
    weights = chance.normal(size=(inputs, outputs, 3, 3))
    x, y, (row, column) = 88, 4, (5, 4)
    drawn = cells(x, y, side, weights.mean((-2, -1)), WEIGHTS, lines=False)
    drawn += cells(x, 90, side, chance.normal(size=(1, outputs)), WEIGHTS, lines=False)
    corner = x + side * column, y + side * row
    for down, end in ((10, 0), (64, side)):
        drawn += line((64, down), (corner[0], corner[1] + end), hue=MARK, width=1)
    drawn += frame(*corner, side, side) + cells(10, 10, 18, weights[row, column], WEIGHTS)
    drawn += frame(10, 10, 54, 54) + words(80, 92, say("biases"), "end")
    total = weights.size + outputs
    text = f"{outputs}·{inputs}·{weights[0, 0].size} + {outputs} = {total:,}"
    return drawn + words(168, 111, text)
