"""How runs look: a run has the same hue and the same shape of marker on every page.

Runs that differ only in their seed share both. Each family of such runs has a place, in the order
in which families were first made, and the looks of the places repeat after the last one. So any
eight families that were made one after the other look different; where two that are further apart
meet in one figure, the later one takes a look that is free there.
"""

import threading
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import NamedTuple

from explorer.charts.style import RUNS
from explorer.runs.run import Run, spec_id


class Look(NamedTuple):
    """How a run is drawn.

    Attributes:
        hue: Its colour, `#rrggbb`.
        symbol: The shape of its markers, as Plotly names it.
        sign: The same shape as a character.
    """

    hue: str
    symbol: str
    sign: str


_SYMBOLS = {
    "circle": "●",
    "square": "■",
    "triangle-up": "▲",
    "diamond": "◆",
    "triangle-down": "▼",
    "pentagon": "⬟",
    "star": "★",
    "hexagon": "⬢",
}
LOOKS = tuple(
    Look(hue, symbol, sign) for hue, (symbol, sign) in zip(RUNS, _SYMBOLS.items(), strict=True)
)
_NOWHERE: Mapping[str, int] = MappingProxyType({})


def family(run: Run) -> str:
    """Return what is equal for runs that differ only in their seed."""
    values = run.spec.to_json()
    return spec_id({**values, "recipe": {**values.get("recipe", {}), "seed": None}})


def looks(runs: Iterable[Run], places: Mapping[str, int] = _NOWHERE) -> dict[str, Look]:
    """Return how each run of a figure looks, by its id.

    Args:
        runs: All runs of the figure.
        places: The place of each family; of those that have none, in the order of their creation.
    """
    return _looks({run.id: family(run) for run in sorted(runs, key=_age)}, places)


def _looks(families: Mapping[str, str], places: Mapping[str, int]) -> dict[str, Look]:
    found: dict[str, Look] = {}
    for name in families.values():
        if name not in found:
            place = places.get(name, len(found))
            found[name] = _free(place, {look.hue for look in found.values()}, len(found))
    return {id: found[name] for id, name in families.items()}


def _free(place: int, taken: set[str], before: int) -> Look:
    """Return the look of a place, or the next one whose hue is not taken.

    Where all are taken, hues come again with other shapes.
    """
    for further in range(len(LOOKS)):
        look = LOOKS[(place + further) % len(LOOKS)]
        if look.hue not in taken:
            return look
    other = LOOKS[(before + before // len(LOOKS)) % len(LOOKS)]
    return LOOKS[before % len(LOOKS)]._replace(symbol=other.symbol, sign=other.sign)


class Places:
    """The places of families, for all visitors and as long as the server lives."""

    def __init__(self) -> None:
        self._families: dict[str, str] = {}  # by the ids of runs
        self._places: dict[str, int] = {}
        self._lock = threading.Lock()

    def looks(self, runs: Iterable[Run]) -> dict[str, Look]:
        """Return how each run of a figure looks, by its id; what is new gets the next place."""
        with self._lock:
            own = {}
            for run in sorted(runs, key=_age):
                name = own[run.id] = self._families.get(run.id) or family(run)
                self._families[run.id] = name
                self._places.setdefault(name, len(self._places))
            return _looks(own, self._places)


def _age(run: Run) -> tuple[float, str]:
    return run.created.timestamp(), run.id
