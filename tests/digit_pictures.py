"""Pictures of digits as people make them: scanned, photographed, drawn; from MNIST's test digits.

Each condition is a way in which a picture differs from an image of MNIST. It takes a digit's ink,
puts it on paper of 200 to 1,000 pixels, and lights, rules, soils or photographs that paper, with
strengths drawn from a seeded generator. `benchmarks/pictures.py` asks a network about them, and
`tests/data/test_ink.py` looks at a few of each.
"""

import io
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

from explorer.data.drawings import SIDE, ink_to_png

Floats = NDArray[np.float64]

_PENS = ((20, 20, 25), (30, 45, 120), (60, 60, 65), (15, 60, 110))  # black, blue, grey, dark blue
_COLOURED_PENS = ((190, 30, 40), (30, 130, 60), (120, 40, 140), (220, 110, 20), (25, 80, 190))
_COLOURED_PAPERS = ((250, 235, 150), (245, 200, 205), (195, 225, 245), (205, 240, 205))


@dataclass(frozen=True)
class Sheet:
    """Paper with a digit on it.

    Attributes:
        ink: How much of each pixel is inked, 0-1, `(H, W)`.
        pen: The ink's colour, 0-1, `(3,)`.
        paper: The paper's colour, 0-1, `(3,)`.
    """

    ink: Floats
    pen: Floats
    paper: Floats

    @property
    def side(self) -> int:
        """The shorter side, in pixels."""
        return min(self.ink.shape)

    def colours(self, more: Floats | float = 0.0) -> Floats:
        """Return the colours, `(H, W, 3)`; `more` ink is on the paper besides, 0-1, `(H, W)`."""
        share = np.maximum(self.ink, more)[..., None]
        return self.paper * (1 - share) + self.pen * share


def pictures(
    condition: str, digits: NDArray[np.uint8], seed: int
) -> Iterator[tuple[int, Image.Image]]:
    """Yield a picture of each digit, `(N, 28, 28)`, and the digit's index."""
    make = CONDITIONS[condition]
    for number, digit in enumerate(digits):
        chance = np.random.default_rng([seed, number, *condition.encode()])
        yield number, make(digit, chance)


# --- a digit's ink


def _enlarged(digit: NDArray[np.uint8], size: int, turn: float = 0.0) -> Floats:
    """Return a digit's ink, its longer side `size` pixels, with edges as sharp as a pen's."""
    rows, columns = (np.flatnonzero(digit.any(axis)) for axis in (1, 0))
    cut = digit[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    small, smooth = Image.fromarray(np.pad(cut, 3)), Image.Resampling.BICUBIC
    zoom = size / max(len(rows), len(columns))
    large = small.resize([max(8, round(side * zoom)) for side in small.size], smooth)
    turned = large.rotate(turn, smooth, expand=True)
    blurred = ndimage.gaussian_filter(np.asarray(turned, float) / 255, 0.4 * zoom)
    steep = np.clip((blurred - 0.4) * max(1.0, 0.9 * zoom) + 0.5, 0, 1)
    return _cut(steep)


def _cut(ink: Floats) -> Floats:
    rows, columns = (np.flatnonzero((ink > 0.1).any(axis)) for axis in (1, 0))
    return ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


def _stroked(digit: NDArray[np.uint8], size: int, pen: float, *, scribbled: bool = False) -> Floats:
    """Return the digit as a round pen of `pen` pixels draws it, its longer side `size` pixels.

    Scribbled, the pen goes over the places where the digit is thicker until they are full.
    """
    shape = np.pad(_enlarged(digit, 100), 2)
    line = _thinned(shape > 0.5)
    extent = max(np.ptp(places) for places in np.nonzero(line))
    zoom = max(0.1, min((size - pen) / max(1, extent), size / max(shape.shape)))
    margin = int(pen / zoom) + 2
    away = ndimage.distance_transform_edt(~np.pad(line, margin))
    away = zoom * _zoomed(ndimage.gaussian_filter(away, 0.7), zoom)
    ink = np.clip(pen / 2 - away + 0.5, 0, 1)
    return _cut(np.maximum(ink, _zoomed(np.pad(shape, margin), zoom)) if scribbled else ink)


def _zoomed(values: Floats, zoom: float) -> Floats:
    zoomed: Floats = ndimage.zoom(values, zoom, order=1, mode="nearest")
    return zoomed


def _thinned(shape: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return a shape's middle line, one pixel wide (Zhang & Suen, 1984)."""
    shape = np.pad(shape, 1)
    around = ((-1, 0), (-1, 1), (0, 1), (1, 1), (1, 0), (1, -1), (0, -1), (-1, -1))
    while True:
        before = shape
        for first, second in (((0, 2, 4), (2, 4, 6)), ((0, 2, 6), (0, 4, 6))):
            near = np.stack([np.roll(shape, (-r, -c), (0, 1)) for r, c in around])
            count = near.sum(axis=0)
            changes = (~near & np.roll(near, -1, axis=0)).sum(axis=0)
            goes = (count >= 2) & (count <= 6) & (changes == 1)
            goes &= ~near[list(first)].all(axis=0) & ~near[list(second)].all(axis=0)
            shape = shape & ~goes
        if (shape == before).all():
            return shape[1:-1, 1:-1]


# --- paper


def _size(chance: Generator, least: int = 200, most: int = 1000) -> tuple[int, int]:
    longer = int(np.exp(chance.uniform(np.log(least / 0.7), np.log(most))))
    shorter = round(longer * chance.uniform(0.7, 1))
    return (longer, shorter) if chance.random() < 0.6 else (shorter, longer)


def _placed(ink: Floats, size: tuple[int, int], chance: Generator, margin: float = 0.06) -> Floats:
    """Place ink somewhere on an empty sheet, away from its edges."""
    sheet = np.zeros(size)
    edge = round(margin * min(size))
    room = [side - own - 2 * edge for side, own in zip(size, ink.shape, strict=True)]
    top, left = (edge + int(chance.integers(0, max(1, each + 1))) for each in room)
    sheet[top : top + ink.shape[0], left : left + ink.shape[1]] = ink
    return sheet


def _colour(values: tuple[int, ...], chance: Generator) -> Floats:
    return np.clip(np.array(values) / 255 * chance.uniform(0.9, 1.1), 0, 1)


def _sheet(
    digit: NDArray[np.uint8],
    chance: Generator,
    *,
    share: tuple[float, float] = (0.3, 0.75),
    turn: float = 0.0,
    size: tuple[int, int] | None = None,
) -> Sheet:
    size = size or _size(chance)
    longer = max(8, round(chance.uniform(*share) * min(size)))
    ink = _placed(_enlarged(digit, longer, turn), size, chance)
    white = np.full(3, chance.uniform(0.86, 1)) * [1, 1, chance.uniform(0.93, 1)]
    return Sheet(ink, _colour(_PENS[chance.integers(len(_PENS))], chance), white)


def _grid(sheet: Sheet) -> tuple[Floats, Floats]:
    """Return each pixel's place, from -1 to 1 downwards and to the right."""
    height, width = sheet.ink.shape
    rows, columns = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
    return rows, columns


def _picture(colours: Floats, chance: Generator, noise: float = 1.0) -> Image.Image:
    """Return colours, 0-1, as a camera or a scanner records them; noise is in levels of 255."""
    recorded = 255 * colours + noise * chance.standard_normal(colours.shape, np.float32)
    return Image.fromarray(recorded.round().clip(0, 255).astype(np.uint8))


def _compressed(picture: Image.Image, quality: int) -> Image.Image:
    file = io.BytesIO()
    picture.save(file, "JPEG", quality=quality)
    return Image.open(file)


# --- light


def _slope(sheet: Sheet, chance: Generator) -> Floats:
    """Light from one side: at the other, a fifth to a half is missing."""
    rows, columns = _grid(sheet)
    angle = chance.uniform(0, 2 * np.pi)
    along = np.sin(angle) * rows + np.cos(angle) * columns
    along = (along - along.min()) / np.ptp(along)
    return 1 - chance.uniform(0.2, 0.5) * along


def _vignette(sheet: Sheet, chance: Generator) -> Floats:
    """A lens that is darker towards the corners, by a quarter to a half."""
    rows, columns = _grid(sheet)
    return 1 - chance.uniform(0.25, 0.5) * (rows**2 + columns**2) / 2


def _half(sheet: Sheet, chance: Generator, soft: float) -> Floats:
    """Return which side of a line each pixel is on, 0-1; the line passes near the middle."""
    rows, columns = _grid(sheet)
    angle = chance.uniform(0, 2 * np.pi)
    away = np.sin(angle) * rows + np.cos(angle) * columns - chance.uniform(-0.4, 0.4)
    return 1 / (1 + np.exp(-np.clip(away / soft, -50, 50)))


def _shadow(sheet: Sheet, chance: Generator) -> Floats:
    """The edge of a shadow that takes a quarter to a half of the light."""
    return 1 - chance.uniform(0.25, 0.5) * _half(sheet, chance, chance.uniform(0.003, 0.02))


# --- the conditions


def _clean(digit: NDArray[np.uint8], chance: Generator) -> Image.Image:
    return _picture(_sheet(digit, chance).colours(), chance)


def _lit(*lights: Callable[[Sheet, Generator], Floats]) -> "Condition":
    def make(digit: NDArray[np.uint8], chance: Generator) -> Image.Image:
        sheet = _sheet(digit, chance)
        colours = sheet.colours()
        for light in lights:
            colours = colours * light(sheet, chance)[..., None]
        return _picture(colours, chance, 2)

    return make


def _soft_shadow(digit: NDArray[np.uint8], chance: Generator) -> Image.Image:
    sheet = _sheet(digit, chance)
    rows, columns = (each * chance.choice([-1, 1]) for each in _grid(sheet))
    soft = chance.uniform(0.02, 0.1)
    in_corner = 1 / (1 + np.exp(-np.clip(np.minimum(rows, columns) / soft, -50, 50)))
    return _picture(sheet.colours() * (1 - 0.1 * in_corner)[..., None], chance)


def _rules(sheet: Sheet, chance: Generator, *, tilt: float = 0.0, across: bool = True) -> Floats:
    """Return ruled lines, 0-1, a seventeenth to a fifth of the sheet apart."""
    rows, columns = np.indices(sheet.ink.shape).astype(float)
    place, other = (rows, columns) if across else (columns, rows)
    apart = sheet.side * chance.uniform(0.06, 0.2)
    thick = max(1.0, apart * chance.uniform(0.02, 0.06))
    way = (place + np.tan(np.radians(tilt)) * other + chance.uniform(0, apart)) % apart
    return np.clip(thick / 2 + 0.5 - np.abs(way - apart / 2), 0, 1)


def _printed(sheet: Sheet, lines: Floats, chance: Generator) -> Floats:
    """Return the colours of a sheet on which lines were printed before it was written on."""
    tone = np.array(
        [chance.uniform(0.45, 0.7), chance.uniform(0.6, 0.75), chance.uniform(0.7, 0.9)]
    )
    ruled = sheet.paper * (1 - lines[..., None] * (1 - tone))
    return ruled * (1 - sheet.ink[..., None]) + sheet.pen * sheet.ink[..., None]


def _ruled(digit: NDArray[np.uint8], chance: Generator) -> Image.Image:
    sheet = _sheet(digit, chance)
    return _picture(_printed(sheet, _rules(sheet, chance), chance), chance, 2)


def _ruled_and_photographed(digit: NDArray[np.uint8], chance: Generator) -> Image.Image:
    sheet = _sheet(digit, chance)
    lines = _rules(sheet, chance, tilt=chance.uniform(-4, 4))
    light = _slope(sheet, chance)[..., None]
    return _compressed(_picture(_printed(sheet, lines, chance) * light, chance, 4), 75)


def _squared(digit: NDArray[np.uint8], chance: Generator) -> Image.Image:
    sheet = _sheet(digit, chance)
    state = chance.bit_generator.state
    down = _rules(sheet, chance)
    chance.bit_generator.state = state  # as far apart in both directions
    lines = np.maximum(down, _rules(sheet, chance, across=False))
    return _picture(_printed(sheet, lines, chance), chance, 2)


def _one_line(digit: NDArray[np.uint8], chance: Generator) -> Image.Image:
    """A line as dark as the ink across the sheet, at any height: beside the digit or through it."""
    sheet = _sheet(digit, chance)
    rows, columns = np.indices(sheet.ink.shape).astype(float)
    height, width = sheet.ink.shape
    middle = chance.uniform(0.1, 0.9) * height
    slant = np.tan(np.radians(chance.uniform(-2, 2))) * (columns - width / 2)
    thick = max(1.0, chance.uniform(0.002, 0.008) * sheet.side)
    line = np.clip(thick / 2 + 0.5 - np.abs(rows - middle - slant), 0, 1)
    return _picture(sheet.colours(line * chance.uniform(0.4, 1)), chance)


def _framed(digit: NDArray[np.uint8], chance: Generator) -> Image.Image:
    """A scanner's frame: one dark pixel along the edges."""
    sheet = _sheet(digit, chance)
    colours = sheet.colours()
    inset = int(chance.integers(0, 3))
    frame = np.zeros(sheet.ink.shape, bool)
    for axis, side in enumerate(frame.shape):
        lines = np.moveaxis(frame, axis, 0)
        lines[inset] = lines[side - 1 - inset] = True
    colours[frame] = chance.uniform(0, 0.4)
    return _picture(colours, chance)


def _on_a_table(digit: NDArray[np.uint8], chance: Generator) -> Image.Image:
    """A sheet on a dark table, seen at a slight angle."""
    sheet = _sheet(digit, chance, share=(0.3, 0.6))
    height, width = sheet.ink.shape
    rows, columns = np.indices(sheet.ink.shape).astype(float)
    turn = np.radians(chance.uniform(-6, 6))
    y, x = rows - height / 2, columns - width / 2
    down, right = y * np.cos(turn) - x * np.sin(turn), y * np.sin(turn) + x * np.cos(turn)
    half = [side / 2 * chance.uniform(0.75, 0.95) for side in (height, width)]
    inside = np.minimum(half[0] - np.abs(down), half[1] - np.abs(right))
    # The digit is on the sheet: where it would not be, the sheet is larger.
    need = float(np.min(inside[sheet.ink > 0.05], initial=np.inf))
    on_paper = np.clip(inside + max(0.0, 0.03 * sheet.side - need) + 0.5, 0, 1)[..., None]
    wood = np.array([0.30, 0.22, 0.16]) * chance.uniform(0.4, 1.4)
    grain = ndimage.gaussian_filter(chance.normal(0, 1, sheet.ink.shape), (1, 12))
    table = wood * (1 + 0.6 * grain[..., None])
    return _picture(sheet.colours() * on_paper + table * (1 - on_paper), chance, 2)


def _specks(digit: NDArray[np.uint8], chance: Generator) -> Image.Image:
    sheet = _sheet(digit, chance)
    rows, columns = np.indices(sheet.ink.shape)
    dust = np.zeros(sheet.ink.shape)
    for _ in range(chance.integers(15, 60)):
        y, x = (chance.uniform(0, side) for side in sheet.ink.shape)
        radius = max(0.6, sheet.side * chance.uniform(0.001, 0.006))
        reach = int(radius) + 2
        part = np.s_[
            max(0, int(y) - reach) : int(y) + reach, max(0, int(x) - reach) : int(x) + reach
        ]
        away = np.hypot(rows[part] - y, columns[part] - x)
        dark = chance.uniform(0.3, 1) * np.clip(radius + 0.5 - away, 0, 1)
        dust[part] = np.maximum(dust[part], dark)
    return _picture(sheet.colours(dust), chance)


def _noisy(digit: NDArray[np.uint8], chance: Generator) -> Image.Image:
    return _picture(0.85 * _sheet(digit, chance).colours(), chance, chance.uniform(10, 30))


def _jpeg(digit: NDArray[np.uint8], chance: Generator) -> Image.Image:
    return _compressed(
        _picture(_sheet(digit, chance).colours(), chance), int(chance.integers(8, 30))
    )


def _pencil(digit: NDArray[np.uint8], chance: Generator) -> Image.Image:
    """A hard pencil: a tenth to a third of the light is missing, and the paper's grain shows."""
    sheet = _sheet(digit, chance)
    grain = ndimage.gaussian_filter(chance.normal(0, 1, sheet.ink.shape), 0.8)
    grain = np.clip(0.8 + 0.35 * grain / grain.std(), 0, 1.3)
    left = 1 - chance.uniform(0.12, 0.35) * sheet.ink * grain
    return _picture(sheet.paper * left[..., None], chance, 1.5)


def _with_pen(least: float, most: float) -> "Condition":
    """Return digits that a pen drew, so many hundredths of their size thick."""

    def make(digit: NDArray[np.uint8], chance: Generator) -> Image.Image:
        size = _size(chance, 300)
        longer = round(chance.uniform(0.4, 0.75) * min(size))
        ink = _stroked(digit, longer, max(1.5, longer * chance.uniform(least, most) / 100))
        sheet = _sheet(digit, chance, size=size)
        return _picture(Sheet(_placed(ink, size, chance), sheet.pen, sheet.paper).colours(), chance)

    return make


def _coloured(digit: NDArray[np.uint8], chance: Generator) -> Image.Image:
    sheet = _sheet(digit, chance)
    pen = _colour(_COLOURED_PENS[chance.integers(len(_COLOURED_PENS))], chance)
    paper = _colour(_COLOURED_PAPERS[chance.integers(len(_COLOURED_PAPERS))], chance)
    return _picture(Sheet(sheet.ink, pen, paper).colours(), chance, 2)


def _turned(digit: NDArray[np.uint8], chance: Generator) -> Image.Image:
    return _picture(_sheet(digit, chance, turn=chance.uniform(-12, 12)).colours(), chance)


def _small(digit: NDArray[np.uint8], chance: Generator) -> Image.Image:
    size = _size(chance, 700)
    return _picture(_sheet(digit, chance, share=(0.05, 0.12), size=size).colours(), chance)


def _transparent(digit: NDArray[np.uint8], chance: Generator) -> Image.Image:
    sheet = _sheet(digit, chance)
    pen = chance.choice([sheet.pen, np.ones(3)])
    colours = np.broadcast_to(pen, (*sheet.ink.shape, 3))
    pixels = np.concatenate([colours, sheet.ink[..., None]], axis=-1)
    return Image.fromarray((255 * pixels).round().astype(np.uint8), "RGBA")


def _blackboard(digit: NDArray[np.uint8], chance: Generator) -> Image.Image:
    """Chalk on a wiped board, lit from one side."""
    sheet = _sheet(digit, chance)
    board = _colour((45, 60, 52), chance)
    wiped = ndimage.gaussian_filter(chance.normal(0, 1, sheet.ink.shape), 0.06 * sheet.side)
    board = board * np.clip(1 + 0.25 * wiped / wiped.std(), 0.5, 2)[..., None]
    grain = np.clip(ndimage.gaussian_filter(chance.normal(0.85, 0.5, sheet.ink.shape), 0.7), 0.3, 1)
    share = (sheet.ink * grain)[..., None]
    chalked = board * (1 - share) + 0.9 * share
    return _picture(chalked * _slope(sheet, chance)[..., None], chance, 2)


def _by_mouse(digit: NDArray[np.uint8], chance: Generator) -> Image.Image:
    """A drawing on the app's canvas: white on black, by a round pen of 20 of 240 pixels."""
    longer = round(chance.uniform(0.55, 0.9) * SIDE)
    ink = _placed(
        _stroked(digit, longer, 20 / 240 * SIDE, scribbled=True), (SIDE, SIDE), chance, 0.03
    )
    return Image.open(io.BytesIO(ink_to_png(ink >= 0.5)))


Condition = Callable[[NDArray[np.uint8], Generator], Image.Image]

CONDITIONS: Mapping[str, Condition] = {
    "clean scan": _clean,
    "light from one side": _lit(_slope),
    "vignette": _lit(_vignette),
    "light from one side, vignette": _lit(_slope, _vignette),
    "edge of a shadow": _lit(_shadow),
    "soft shadow of 10 % on a quarter": _soft_shadow,
    "ruled paper": _ruled,
    "ruled paper, photographed": _ruled_and_photographed,
    "one ruled line": _one_line,
    "squared paper": _squared,
    "scanner's frame": _framed,
    "sheet on a dark table": _on_a_table,
    "specks": _specks,
    "sensor noise": _noisy,
    "JPEG, quality 8 to 30": _jpeg,
    "faint pencil": _pencil,
    "fine pen": _with_pen(3, 6),
    "thick marker": _with_pen(16, 22),
    "coloured ink on coloured paper": _coloured,
    "turned by up to 12°": _turned,
    "small digit on a large sheet": _small,
    "transparent background": _transparent,
    "blackboard": _blackboard,
    "drawn by mouse": _by_mouse,
}
