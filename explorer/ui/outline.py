"""The headings of a page, by which a screen reader goes through it: one title, and its sections."""

from html import escape

import streamlit as st

from explorer.ui.words import plain


def page(text: str) -> None:
    """Show the title of a page."""
    st.markdown(f"# {plain(text)}")


def section(text: str) -> None:
    """Show the heading of a section."""
    st.markdown(f"## {plain(text)}")


def heard(text: str) -> None:
    """Begin a section whose heading is heard and not seen, since its place shows what it is."""
    st.html(f'<h2 class="heard">{escape(text)}</h2>')
