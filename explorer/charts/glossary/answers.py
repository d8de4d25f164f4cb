"""Draws the glossary's words of what a network answers."""

import numpy as np

from explorer.charts.glossary.digits import DIGITS, digit
from explorer.charts.glossary.pen import (
    BLUE,
    MARK,
    ORANGE,
    Axes,
    bar,
    cells,
    dot,
    line,
    picture,
    words,
)
from explorer.charts.style import SIGNED
from explorer.language import say
from explorer.text import percent, signed, significant


def logit() -> str:
    """Draw a logit for each class, and the largest."""
    logits = np.array([-2.1, 0.6, 1.4, 2.2, -1.2, -0.4, -3.0, 4.6, -0.8, 1.1])
    axes = Axes(10, 24, 240, 72, (0, 10), (-3.2, 4.8))
    drawn = line(axes.at(0, 0), axes.at(10, 0), width=1)
    for place, value in enumerate(logits):
        x, y = axes.at(place + 0.2, 0)
        drawn += bar(x, y, 14, axes.at(0, value)[1] - y, BLUE if value > 0 else ORANGE)
        drawn += words(x + 7, 110, str(place))
    best = int(logits.argmax())
    return drawn + words(axes.at(best + 0.5, 0)[0], 12, say("predicted"))


def softmax() -> str:
    """Draw logits, and the probabilities that they become."""
    logits = np.array([2.0, 1.0, 0.0, -1.0])
    powers = np.exp(logits)
    drawn = words(62, 10, say("logits")) + words(196, 10, say("probabilities"))
    for place, (value, chance) in enumerate(zip(logits, powers / powers.sum(), strict=True)):
        y = 25 + 23 * place
        drawn += bar(54 + min(0, 20 * value), y, abs(20 * value), 14, BLUE if value > 0 else ORANGE)
        drawn += words(28, y + 7, significant(value), "end") + bar(152, y, 60 * chance, 14, BLUE)
        drawn += words(158 + 60 * chance, y + 7, percent(chance), "start")
    drawn += line((54, 22), (54, 114), width=1) + line((152, 22), (152, 114), width=1)
    return drawn + line((112, 68), (138, 68), arrow=True)


def cross_entropy() -> str:
    """Draw the loss over the probability of the correct class."""
    axes = Axes(24, 6, 222, 86, (0, 1), (0, 4))
    chances = np.linspace(np.exp(-4), 1, 80)
    drawn = axes.lines(0, 0) + axes.curve(chances, -np.log(chances))
    for chance in (0.05, 0.5, 0.95):
        loss = -np.log(chance)
        x, y = axes.at(chance, loss)
        drawn += dot(x, y, MARK)
        drawn += (
            words(x, y - 13, significant(loss))
            if chance > 0.9
            else words(x + 9, y - 3, significant(loss), "start")
        )
    drawn += words(36, 9, say("loss"), "start") + words(24, 110, "0") + words(246, 110, "1")
    return drawn + words(135, 110, say("probability of the correct class"))


def attribution() -> str:
    """Draw what each pixel of an image adds to a logit of a linear classifier, and their sum."""
    image = digit("7", 12)
    others = np.mean([digit(name, 12) for name in DIGITS if name != "7"], axis=0)
    given = image * (image - 1.5 * others)
    drawn = picture(8, 16, 72, image) + line((87, 52), (107, 52), arrow=True)
    drawn += cells(114, 16, 6, given, SIGNED, lines=False)
    for y, hue, name in ((42, BLUE, say("raises")), (62, ORANGE, say("lowers"))):
        drawn += bar(194, y - 5, 10, 10, hue) + words(209, y, name, "start")
    drawn += words(44, 108, say("image"))
    total = say("logit of {label}: {value}", label="7", value=signed(given.sum(), 1))
    return drawn + words(150, 108, total)


def confusion_matrix() -> str:
    """Draw how many images of each class are predicted to be of each."""
    chance, classes, side, left, top = np.random.default_rng(5), 4, 20, 108, 34
    correct = chance.integers(classes, size=160)
    slips = chance.random(correct.size) < 0.25
    predicted = np.where(slips, chance.integers(classes, size=correct.size), correct)
    counts = np.zeros((classes, classes), int)
    np.add.at(counts, (correct, predicted), 1)
    right = np.eye(classes, dtype=bool)
    shown = np.where(right, counts / counts.max(), -counts / counts[~right].max())
    drawn = cells(left, top, side, shown, SIGNED, numbers=counts)
    for name in range(classes):
        middle = side * (name + 0.5)
        drawn += words(left + middle, top - 8, str(name)) + words(left - 9, top + middle, str(name))
    middle = side * classes / 2
    drawn += words(left + middle, 9, say("predicted"))
    return drawn + words(left - 24, top + middle, say("correct"), "end")
