"""A confusion matrix whose cells are buttons."""

from collections.abc import Callable, Sequence

from explorer.charts.grids import Cell
from explorer.language import say
from explorer.ui.components.component import component, hearing

_mount = component("confusion", '<div class="around"><table></table></div>', "fill")


def confusion_matrix(
    cells: Sequence[Sequence[Cell]],
    classes: Sequence[str],
    key: str,
    *,
    chosen: tuple[int, int] | None,
    on_cell: Callable[[Sequence[int]], object],
) -> None:
    """Show the matrix that `explorer.charts.grids.confusion` made.

    Args:
        cells: By correct class, then by predicted class.
        classes: Their names.
        key: Identifies the matrix.
        chosen: The correct and the predicted class of the cell that is marked.
        on_cell: Called when a cell with images was clicked; with its correct and its
            predicted class, as numbers.
    """
    data = {
        "classes": list(classes),
        "counts": [[cell.count for cell in row] for row in cells],
        "fills": [[cell.fill for cell in row] for row in cells],
        "chosen": chosen,
        "words": {
            "axis": say("predicted →"),
            "correct": say("{label}, predicted correctly"),
            "wrong": say("{label}, predicted as {predicted}"),
            "count": say("{cell}: {count}"),
        },
    }
    _mount(data=data, key=key, on_cell_change=hearing(key, "cell", on_cell))
