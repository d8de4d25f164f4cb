"""Tables whose numbers are written as in sentences, and are sorted as numbers."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from explorer.language import say


def numbers(rows: Sequence[Mapping[str, Any]], written: Mapping[str, Callable[[Any], str]]) -> Any:
    """Return a table for `st.dataframe`, which by itself writes a hyphen for a minus sign.

    Args:
        rows: The rows, by the names of the columns.
        written: Writes the numbers of a column, by its name.
    """
    import pandas  # Streamlit imports it for the first table, too

    return pandas.DataFrame(list(rows)).style.format(dict(written), na_rep="")


def headings(columns: Sequence[str]) -> dict[str, Any]:
    """Return what stands above the columns of a table, for its `column_config`.

    Args:
        columns: Their names in the rows, each a message of a constant.
    """
    return {name: say(name) for name in columns}
