"""What a part of a lesson can show: figures as plain values.

A lesson says what is to be seen, with its numbers; colours, sizes and fonts are the explorer's, so
that what a figure names has its hue in every lesson.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

Scale: TypeAlias = Literal["linear", "log", "steps"]
Ramp: TypeAlias = Literal["signed", "positive", "weights", "grey"]


@dataclass(frozen=True, slots=True)
class Axis:
    """An axis of a figure.

    Attributes:
        title: What it measures, with its unit.
        scale: Even, logarithmic, or with one place for each value that occurs.
        low: Where it begins; `None` if that follows from the values.
        high: Where it ends; likewise.
        percent: Whether values are shares, 0–1, that are written in percent.
    """

    title: str
    scale: Scale = "linear"
    low: float | None = None
    high: float | None = None
    percent: bool = False


@dataclass(frozen=True, slots=True)
class Line:
    """A line through points.

    Attributes:
        label: What it shows.
        x: Where its points are, in order.
        y: Their values; one that is not finite is a gap.
        low: The lower ends of their intervals; empty if there are none.
        high: The upper ends.
        role: What it is of, such as "skip", "plain" or "3x3", which decides its hue; by its label
            if that is empty.
        dashed: Whether it is dashed: what is of training images is.
        marked: Whether its points are marked, and what the dot of a single value is.
    """

    label: str
    x: Sequence[float]
    y: Sequence[float]
    low: Sequence[float] = ()
    high: Sequence[float] = ()
    role: str = ""
    dashed: bool = False
    marked: bool = True


@dataclass(frozen=True, slots=True)
class Lines:
    """Lines over one axis.

    Attributes:
        says: What is to be seen, in a sentence with the numbers that matter.
        lines: The lines.
        x: The axis below.
        y: The axis at the side.
        at: Where on the axis below the chosen value is, which is marked; `None` if nothing is.
    """

    says: str
    lines: Sequence[Line]
    x: Axis
    y: Axis
    at: float | None = None


@dataclass(frozen=True, slots=True)
class Bar:
    """A value with its interval.

    Attributes:
        label: What it is the value of.
        value: The value.
        low: The lower end of its interval; `None` if it has none.
        high: The upper end.
        each: The single values that it is the mean of; may be empty.
        role: Decides its hue, as that of a `Line`.
        before: A value it had before, drawn as an outline; `None` if there is none.
    """

    label: str
    value: float
    low: float | None = None
    high: float | None = None
    each: Sequence[float] = ()
    role: str = ""
    before: float | None = None


@dataclass(frozen=True, slots=True)
class Bars:
    """Values side by side, from the top down.

    Attributes:
        says: What is to be seen, in a sentence.
        bars: The values.
        axis: What they measure.
        dots: Whether only the ends are drawn, as where the axis does not begin at zero.
    """

    says: str
    bars: Sequence[Bar]
    axis: Axis
    dots: bool = False


@dataclass(frozen=True, slots=True)
class Box:
    """A frame around cells of a grid.

    Attributes:
        row: Of its upper left cell.
        column: Likewise.
        rows: How many it has.
        columns: Likewise.
        role: Decides its hue.
    """

    row: int
    column: int
    rows: int
    columns: int
    role: str = ""


@dataclass(frozen=True, slots=True)
class Grid:
    """Numbers in rows and columns, as colours.

    Attributes:
        title: What stands above it, in one line or more.
        values: In rows, from the top; one that is not finite has no colour.
        ramp: Which colours: of signed values, of those never below zero, of weights, or of pixels.
        boxes: Frames around cells.
        rows: What the rows are; may be empty.
        columns: What the columns are; may be empty.
        across: What stands below it: what the columns are, all together.
        down: What stands beside it: what the rows are.
        role: Whose hue its title has; may be empty.
    """

    title: str
    values: Sequence[Sequence[float]]
    ramp: Ramp = "positive"
    boxes: Sequence[Box] = ()
    rows: Sequence[str] = ()
    columns: Sequence[str] = ()
    across: str = ""
    down: str = ""
    role: str = ""


@dataclass(frozen=True, slots=True)
class Grids:
    """Grids side by side.

    Attributes:
        says: What is to be seen, in a sentence.
        grids: The grids.
        unit: What their colours measure; may be empty.
        shared: Whether those of one ramp share a scale.
        log: Whether colours follow the logarithm of the values.
        square: Whether cells are squares, as pixels are.
    """

    says: str
    grids: Sequence[Grid]
    unit: str = ""
    shared: bool = True
    log: bool = False
    square: bool = True


@dataclass(frozen=True, slots=True)
class Area:
    """An amount that is drawn as a square.

    Attributes:
        label: What it is.
        amount: How large the square is.
        role: Decides its hue.
    """

    label: str
    amount: float
    role: str = ""


@dataclass(frozen=True, slots=True)
class Areas:
    """Amounts of several designs, as squares on one scale.

    Attributes:
        says: What is to be seen, in a sentence.
        designs: For each design its name and its squares.
        unit: Of the amounts.
    """

    says: str
    designs: Sequence[tuple[str, Sequence[Area]]]
    unit: str


@dataclass(frozen=True, slots=True)
class Surface:
    """A value over a plane, and a path on it.

    Attributes:
        title: What stands above it, in one line or more.
        values: In rows, from the top, as `Grid` has them.
        x: Where the columns are.
        y: Where the rows are.
        path: Points of a path, `(x, y)`; may be empty.
    """

    title: str
    values: Sequence[Sequence[float]]
    x: Sequence[float]
    y: Sequence[float]
    path: Sequence[tuple[float, float]] = ()


@dataclass(frozen=True, slots=True)
class Surfaces:
    """Surfaces side by side, on one scale.

    Attributes:
        says: What is to be seen, in a sentence.
        surfaces: The surfaces.
        unit: What their height measures.
        solid: Whether they are drawn as solids, which can be turned, and not as contours.
    """

    says: str
    surfaces: Sequence[Surface]
    unit: str
    solid: bool = False


@dataclass(frozen=True, slots=True)
class Table:
    """Words and numbers in rows.

    Attributes:
        says: What is to be seen, in a sentence.
        columns: What stands above them.
        rows: The rows, each as long as `columns`; numbers are written as they are.
    """

    says: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]


Figure: TypeAlias = Lines | Bars | Grids | Areas | Surfaces | Table
