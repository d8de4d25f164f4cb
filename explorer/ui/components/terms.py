"""Explains the words of the field where a page first uses them."""

from pathlib import Path

import streamlit as st

from explorer.labs.glossary import ENTRIES
from explorer.language import current, say
from explorer.ui.http.glossary import PATH

_HERE = Path(__file__).parent

_mount = st.components.v2.component(
    "explorer_terms",
    html='<nav class="terms"></nav>',
    css=(_HERE / "terms.css").read_text(encoding="utf-8"),
    js=(_HERE / "terms.js").read_text(encoding="utf-8"),
    isolate_styles=False,  # what it marks is all over the page
)


def terms() -> None:
    """Mark the first use of each word of the glossary on this page, and list those words below."""
    _mount(
        data={
            "words": {
                "here": say("Words on this page"),
                "all": say("All words"),
                "close": say("Close"),
            },
            "figures": f"{PATH.lstrip('/')}/{{name}}.svg?lang={current()}",
            "page": f"glossary?lang={current()}",
            "terms": [
                {
                    "name": entry.name,
                    "term": say(entry.term),
                    "text": say(entry.text),
                    "also": [say(word) for word in entry.also],
                }
                for entry in ENTRIES
            ],
        },
        key="terms",
    )
