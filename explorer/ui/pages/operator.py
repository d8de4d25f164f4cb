"""The page *Operator*: who is signed in, and how the app is."""

import platform
import shutil
from collections.abc import Iterator
from pathlib import Path

import streamlit as st

from explorer import __version__
from explorer.engines import status
from explorer.errors import ExplorerError
from explorer.language import again, later, say
from explorer.runs.run import Status
from explorer.settings import rows, unknown
from explorer.ui import outline, query_params, state
from explorer.ui.http import health, sign_in
from explorer.ui.http.visitors import HOME, visitor
from explorer.ui.pages import answers
from explorer.ui.tables import headings
from explorer.ui.words import plain

_COLUMNS = (later("variable"), later("value"), later("origin"))


def page() -> None:
    """Show how the app is to the operator, and the way to sign in to everybody else."""
    outline.page(say("Operator"))
    with query_params.of("operator"):
        _content()


def _content() -> None:
    who = visitor()
    if not who.is_operator:
        _sign_in()
        return
    _who(who.id)
    _numbers()
    answers.section()
    _disk()
    _settings()


def _sign_in() -> None:
    st.markdown(say("This page is for whoever runs the app."))
    if state.settings().operator_emails:
        st.button(say("Sign in"), icon=":material/login:", on_click=st.login, key="login")
    if sign_in.is_available():
        st.link_button(
            say("Sign in with the password"), _address(sign_in.SIGN_IN), icon=":material/key:"
        )
    elif not state.settings().operator_emails:
        st.info(
            say(
                "Nobody can sign in here: `explorer hash-password` prints the setting that gives "
                "the operator a password."
            )
        )


def _who(id: str) -> None:
    if id == HOME:
        st.markdown(say("You opened the app on its own machine, so you are its operator."))
        return
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(say("You are signed in as the operator."), width="stretch")
        if state.settings().operator_emails and st.user.get("is_logged_in"):
            st.button(say("Sign out"), icon=":material/logout:", on_click=st.logout, key="logout")
        else:
            st.link_button(say("Sign out"), _address(sign_in.SIGN_OUT), icon=":material/logout:")


def _numbers() -> None:
    counts = state.store().counts()
    engine = status.current()
    shown = [(say(each), str(counts[each])) for each in Status]
    if engine:
        shown.append((say("worker"), say("ready") if engine.is_alive else say("dead")))
        shown.append((say("workers replaced"), str(engine.restarts)))
    outline.section(say("Runs"))
    with st.container(horizontal=True):
        for label, value in shown:
            st.metric(plain(label), plain(value), width="content")


def _disk() -> None:
    outline.section(say("Disk and versions"))
    lines = [
        say("{what}: {size:,.1f} MB", what=what, size=size / 1e6)
        if size is not None
        else say("{what}: on another machine", what=what)
        for what, size in _sizes()
    ]
    free = min(shutil.disk_usage(health.existing(each)).free for each in health.kept_in())
    lines.append(say("free: {size:,.1f} GB", size=free / 1e9))
    lines.append(
        f"explorer {__version__} · Python {platform.python_version()} · Streamlit {st.__version__}"
    )
    st.caption("  \n".join(map(plain, lines)))


def _sizes() -> Iterator[tuple[str, int | None]]:
    """Yield what takes space on this disk, and how many bytes."""
    file = health.database_file()
    files = file.parent.glob(f"{file.name}*") if file else ()
    yield say("runs"), sum(map(_bytes, files)) if file else None
    cache = state.settings().cache
    yield say("decoded data sets"), sum(map(_bytes, cache.rglob("*")))


def _bytes(file: Path) -> int:
    try:
        return file.stat().st_size if file.is_file() else 0
    except OSError:  # it has just been removed
        return 0


def _settings() -> None:
    outline.section(say("Settings"))
    for sentence in unknown():
        st.warning(plain(sentence))
    st.dataframe(
        [
            {"variable": row.name, "value": again(row.text), "origin": say(row.origin)}
            for row in rows(state.settings())
        ],
        hide_index=True,
        column_config=headings(_COLUMNS),
    )


def _address(path: str) -> str:
    """Return the address of a page outside Streamlit, whose links need a whole one."""
    public = state.settings().public_url
    base = public or (st.context.url or "").removesuffix(sign_in.PAGE)
    if not base:
        raise ExplorerError(
            say("The browser does not say how it reached the app; reload the page.")
        )
    return base.rstrip("/") + path
