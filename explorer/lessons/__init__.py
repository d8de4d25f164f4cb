"""Lessons: everything that the author of one imports.

`lesson.py` says what a lesson is, `figures.py` what it can show, `text.py` how its text is written.
"""

from explorer.lessons.figures import (
    Area,
    Areas,
    Axis,
    Bar,
    Bars,
    Box,
    Grid,
    Grids,
    Line,
    Lines,
    Surface,
    Surfaces,
    Table,
)
from explorer.lessons.lesson import Lesson, Look, Part, Shown, Source, Trained

__all__ = [
    "Area",
    "Areas",
    "Axis",
    "Bar",
    "Bars",
    "Box",
    "Grid",
    "Grids",
    "Lesson",
    "Line",
    "Lines",
    "Look",
    "Part",
    "Shown",
    "Source",
    "Surface",
    "Surfaces",
    "Table",
    "Trained",
]
