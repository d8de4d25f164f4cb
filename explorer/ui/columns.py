"""Columns that go below one another where they would be too narrow."""

from collections.abc import Sequence

import streamlit as st
from streamlit.delta_generator import DeltaGenerator


def columns(key: str, sizes: Sequence[tuple[int, float]]) -> list[DeltaGenerator]:
    """Make columns beside one another, as many as fit in a line.

    Args:
        key: Identifies them.
        sizes: Of each, its least width in pixels at the usual size of type, and its share of the
            width that is left.
    """
    row = f".st-key-{key} > [data-testid=stLayoutWrapper] > [data-testid=stHorizontalBlock]"
    widths = "".join(
        f"{row} > [data-testid=stColumn]:nth-of-type({place}) "
        f"{{ flex: {share} 1 {least / 16:g}rem; min-width: min(100%, {least / 16:g}rem); }}"
        for place, (least, share) in enumerate(sizes, 1)
    )
    st.html(f"<style>{row} {{ flex-wrap: wrap; }} {widths}</style>")
    with st.container(key=key):
        return st.columns(len(sizes), gap="medium")
