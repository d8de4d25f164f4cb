"""How somebody reads the pages: in which language, and how large.

The address says it (`?lang=zh-CN`, `?big=1`), on every page; what it leaves out is as the browser
has it. It is read when the visitor comes, and when they go back or forward.
"""

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx

from explorer import language
from explorer.labs.address import BIG, LANGUAGE
from explorer.language import LANGUAGES, say
from explorer.ui import query_params
from explorer.ui.components.document import set_document
from explorer.ui.words import plain

CHOSEN = "reading"  # session key: what the address says of it, or the visitor chose

_FIXED = """<style>
.st-key-switches {
  position: fixed; top: 0.6rem; right: 3.5rem; z-index: 1000000; width: auto; overflow: visible;
}
.st-key-switches button { min-height: 2rem; }
</style>"""
# As a browser's zoom does: type, lines, drawings and charts alike, and the page is laid out anew.
_BIG = """<style>
:root { zoom: 1.5; }
[data-testid=stHeader], [data-testid=stToolbar] { display: none; }
.stMainBlockContainer { padding-top: 1rem; }
.st-key-switches { position: absolute; right: 1rem; top: 0; }
</style>"""


def begin() -> None:
    """Take from the address how this visitor reads, and speak their language from here on."""
    if CHOSEN not in st.session_state or query_params.went_back():
        said = st.query_params
        _choose(language.match(said.get(LANGUAGE)), said.get(BIG) in ("1", "true"))
    language.speak(_spoken())
    set_document(language.current())


def show_switches() -> None:
    """Show what changes the language and the size, unless the page is in a frame of another."""
    is_big = bool(chosen()[BIG])
    st.html(_FIXED + _BIG if is_big else _FIXED)
    if query_params.is_embedded():
        return
    with st.container(horizontal=True, key="switches"):
        for name, title in LANGUAGES.items():
            if name != language.current():
                st.button(
                    plain(title),
                    key=f"{CHOSEN}.{name}",
                    type="tertiary",
                    icon=":material/translate:",
                    on_click=_choose,
                    args=(name, is_big),
                )
        st.button(
            say("Normal size") if is_big else say("Large"),
            key=f"{CHOSEN}.big",
            type="tertiary",
            icon=":material/format_size:",
            help=say("Larger type and lines, and nothing around the page: for a projector."),
            on_click=_choose,
            args=(chosen()[LANGUAGE], not is_big),
        )


def chosen() -> dict[str, str | None]:
    """Return what is chosen, by its name in the address; `None` is what the browser says."""
    found: dict[str, str | None] = st.session_state[CHOSEN]
    return found


def _choose(name: str | None, is_big: bool) -> None:
    st.session_state[CHOSEN] = {LANGUAGE: name, BIG: "1" if is_big else None}
    query_params.say_everywhere(st.session_state[CHOSEN])


def _spoken() -> str:
    return chosen()[LANGUAGE] or language.match(st.context.locale) or language.ENGLISH


def _of_this_session() -> str | None:
    """Return the language of the visitor for whom this thread works, if it works for one."""
    if get_script_run_ctx(suppress_warning=True) is None or CHOSEN not in st.session_state:
        return None
    return _spoken()


# A fragment and a callback run in threads of their own, without the page's beginning.
language.ask(_of_this_session)
