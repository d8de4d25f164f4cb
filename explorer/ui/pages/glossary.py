"""The page *Glossary*: the words of the field that the pages use, each with a figure."""

import streamlit as st

from explorer.charts.glossary import glossary_svg
from explorer.labs.glossary import ENTRIES, Entry
from explorer.language import capital, current, say
from explorer.ui import outline, query_params
from explorer.ui.components.figure import figure
from explorer.ui.query_params import OneOf
from explorer.ui.words import plain

TERM = "term"  # a name in the address


def page() -> None:
    """Show all words, the one that the address names first."""
    with query_params.of("glossary"):
        outline.page(say("Glossary"))
        query_params.take(TERM, OneOf([entry.name for entry in ENTRIES]))
        chosen = st.session_state.get(TERM)
        query_params.put(TERM, chosen)
        for entry in sorted(ENTRIES, key=lambda entry: (entry.name != chosen, _order(entry))):
            _show(entry)


def _order(entry: Entry) -> bytes | str:
    """Return what words are sorted by: in Chinese by their sound, which GB 2312 encodes."""
    term = say(entry.term)
    return term.encode("gb18030") if current() == "zh-CN" else term.casefold()


def _show(entry: Entry) -> None:
    term = say(entry.term)
    with st.container(horizontal=True, vertical_alignment="center", gap="medium"):
        with st.container(width=300):
            figure(glossary_svg(entry.name, term), key=f"figure.{entry.name}")
        with st.container(width=520):
            outline.section(capital(term))
            st.markdown(plain(say(entry.text)))
