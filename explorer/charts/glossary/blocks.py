"""Draws the glossary's words of blocks: their branches, and what each gives."""

import numpy as np

from explorer.charts.glossary.digits import convolved, digit
from explorer.charts.glossary.pen import (
    GREY,
    HEIGHT,
    MARK,
    Axes,
    bar,
    box,
    cells,
    dot,
    frame,
    head,
    lane,
    line,
    path,
    sign,
    words,
)
from explorer.charts.style import ROLES, SIGNED
from explorer.language import say
from explorer.text import percent, signed

_LANES = {"1×1": "1x1", "3×3": "3x3", "5×5": "5x5"}
_MIDDLE = HEIGHT / 2


def residual() -> str:
    """Draw x, F(x) and their sum on one scale."""
    x = digit("7", 9)
    correction = x - convolved(x, np.full((3, 3), 1 / 9), padding=1)
    maps = {"x": x, "F(x)": correction, "x + F(x)": x + correction}
    most = max(float(np.abs(values).max()) for values in maps.values())
    drawn = words(87, 50, "+") + words(173, 50, "=")
    for place, (name, values) in enumerate(maps.items()):
        left = 8 + 86 * place
        drawn += cells(left, 14, 8, values, SIGNED, most=most) + words(left + 36, 100, name)
    return drawn


def skip() -> str:
    """Draw layers, the arc around them, and the gradient that comes back along it."""
    start, end, y, hue = 46, 206, 86, ROLES["skip"]
    drawn = line((12, y), (78, y)) + line((118, y), (134, y)) + line((174, y), (end - 9, y))
    drawn += box(78, y - 13, 40, 26) + box(134, y - 13, 40, 26)
    drawn += path(f"M{start},{y}C{start},22 {end},22 {end},{y - 12}", hue, 3)
    drawn += head((end, y - 9), (0, 1), hue) + dot(start, y, hue)
    left, right = start - 9, end + 9
    drawn += path(f"M{right},{y - 13}C{right},1 {left},1 {left},{y - 12}", MARK, dashed=True)
    drawn += head((left, y - 7), (0, 1), MARK)
    drawn += sign(end, y, "+") + line((end + 9, y), (248, y), arrow=True)
    drawn += words(126, 10, say("gradient")) + words(126, 54, say("skip"))
    drawn += words(12, 110, "x", "start") + words(126, 110, "F(x)")
    return drawn + words(end, 110, "x + F(x)")


def branch() -> str:
    """Draw branches from where they split to where they are merged."""
    names = {**_LANES, say("pool"): "pool"}
    drawn, size = "", 80 / len(names)
    for place, (name, role) in enumerate(names.items()):
        y, end = 24 + 26 * place, _MIDDLE - 40 + size * (place + 0.5)
        drawn += lane((28, _MIDDLE), y, (230, end), ROLES[role], 60)
        drawn += words(130, y - 9, name) + bar(230, end - size / 2, 10, size, ROLES[role])
    drawn += bar(18, _MIDDLE - 20, 10, 40)
    return drawn + words(23, 112, say("split")) + words(235, 112, say("merge"))


def ablation() -> str:
    """Draw a block of which one branch is off, and the accuracy before and after."""
    drawn = ""
    for place, role in enumerate(_LANES.values()):
        y, is_off = 28 + 32 * place, place == 1
        drawn += lane((22, 60), y, (126, 60), GREY if is_off else ROLES[role], 36, dashed=is_off)
    for way in (-6, 6):
        drawn += line((68, 60 - way), (80, 60 + way), hue=MARK, width=3)
    drawn += bar(14, 44, 8, 32) + bar(126, 44, 8, 32) + words(204, 9, say("accuracy"))
    # Three features decide the class; of a network that sees two, a branch is off that sees one.
    features = np.random.default_rng(0).normal(size=(400, 3)) * (1, 1.2, 0.3)
    correct = features.sum(axis=1) > 0
    before, after = (
        float(((features[:, :seen].sum(axis=1) > 0) == correct).mean()) for seen in (2, 1)
    )
    top, base = 30, 98
    tall = base - top
    for x, name, share in ((182, say("before"), before), (232, say("after"), after)):
        drawn += bar(x - 17, base, 34, -tall * share) + words(x, 110, name)
        drawn += words(x, top - tall * (before - 1) - 8, percent(share))
    lost = tall * (before - after)
    return drawn + frame(216, base - tall * before, 32, lost, dashed=True)


def shares() -> str:
    """Draw how the contributions of branches sum to a logit."""
    gains = {"1×1": 1.3, "3×3": 3.4, "5×5": -1.1}
    base = 0.8  # with no branch
    ends = base + np.cumsum([0.0, *gains.values()])
    axes = Axes(8, 18, 244, 76, (0, 5), (0, float(ends.max())))
    columns = [(say("none"), 0.0, base, GREY)]
    for place, (name, gain) in enumerate(gains.items()):
        columns.append((name, ends[place], gain, ROLES[_LANES[name]]))
    columns.append((say("logit"), 0.0, ends[-1], GREY))
    drawn = line(axes.at(0, 0), axes.at(5, 0), width=1)
    for place, (name, begin, gain, hue) in enumerate(columns):
        x, y = axes.at(place + 0.15, begin)
        _, end = axes.at(place, begin + gain)
        drawn += bar(x, y, 34, end - y, hue) + words(x + 17, 108, name)
        drawn += words(x + 17, min(y, end) - 9, signed(gain, 1))
        if place < len(columns) - 1:
            drawn += line((x + 34, end), (x + 49, end), width=1)
    return drawn
