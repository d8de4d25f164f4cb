"""The visitors that load the app: what they do has to be what a browser does."""

import asyncio

import pytest
from serving import serving
from visiting import PATIENCE, Visitor

LARGE = 20_000  # bytes: more than Streamlit keeps no reference to
APP = f"""
import streamlit as st

st.text("Hello " + st.query_params.get("name", "nobody"))
number = st.number_input("Number", 0, 100, 7, key="number", bind="query-params")
st.text(f"The number is {{number}}")
sign = st.select_slider("Sign", ["minus", "plus"], "plus")
st.text(f"The sign is {{sign}}")
if st.button("Complain"):
    st.error("as asked")
st.button("Not now", disabled=True)
st.json([{{"large": "x" * {LARGE}}}])


@st.fragment(run_every=0.05)
def tick():
    state = st.session_state
    state.ticks = state.get("ticks", 0) + 1
    st.text(f"Tick {{state.ticks}}")
    state.presses = state.get("presses", 0) + st.button("In a fragment")
    st.text(f"Pressed {{state.presses}}")


tick()
"""


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    folder = tmp_path_factory.mktemp("visited")
    (folder / "app.py").write_text(APP)
    with serving(folder / "runs.sqlite", folder, folder / "app.py") as (address, _):
        yield address


def visit(address, act, query=""):
    """Let a visitor come, act and leave, and return it."""

    async def whole():
        visitor = Visitor(address, query=query)
        await visitor.arrive()
        try:
            await act(visitor)
        finally:
            await visitor.leave()
        return visitor

    return asyncio.run(whole())


def texts(visitor):
    return [shown.label for shown in visitor.shown.values() if shown.kind == "text"]


async def nothing(visitor):
    pass


def test_a_visit_shows_the_page_of_its_address(address):
    visitor = visit(address, nothing, "name=Ada&number=9")
    assert {"Hello Ada", "The number is 9", "The sign is plus"} <= set(texts(visitor))
    assert visitor.errors == []
    [first], [whole] = visitor.seconds["first text"], visitor.seconds["first run"]
    assert 0 < first <= whole


def test_a_change_runs_the_script_with_all_widgets_and_is_in_the_address(address):
    async def act(visitor):
        await visitor.change("Sign", "minus")
        await visitor.change("Number", 12)

    visitor = visit(address, act)
    assert {"The number is 12", "The sign is minus"} <= set(texts(visitor))
    assert "number=12" in visitor.query
    assert visitor.errors == []


def test_a_fragment_runs_by_its_timer_and_its_button_runs_nothing_else(address):
    async def act(visitor):
        async with asyncio.timeout(PATIENCE):
            while len(visitor.seconds["update"]) < 3:
                await asyncio.sleep(0.05)
            await visitor.click("In a fragment")
            while "Pressed 1" not in texts(visitor):  # a run of the timer may be through first
                await asyncio.sleep(0.05)

    visitor = visit(address, act)
    assert len(visitor.seconds["between updates"]) >= 2
    assert "The number is 7" in texts(visitor)
    assert visitor.errors == []


def test_a_large_message_comes_once(address):
    async def act(visitor):
        first = visitor.received
        assert first > LARGE
        await visitor.change("Number", 1)
        assert 0 < visitor.received - first < LARGE

    assert "json" in {shown.kind for shown in visit(address, act).shown.values()}


def test_what_fails_on_the_page_is_an_error_of_the_visit(address):
    async def act(visitor):
        await visitor.click("Complain")

    (error,) = visit(address, act).errors
    assert error == "On the page: as asked"


def test_an_exception_is_an_error_of_the_visit(tmp_path):
    (tmp_path / "app.py").write_text("1 / 0")
    seen = []
    with (
        pytest.raises(AssertionError, match="Traceback"),  # in the log, as it should be
        serving(tmp_path / "runs.sqlite", tmp_path, tmp_path / "app.py") as (address, _),
    ):
        seen += visit(address, nothing).errors
    (error,) = seen
    assert error.startswith("On the page: ZeroDivisionError")


def test_what_is_not_on_the_page_cannot_be_pressed(address):
    async def act(visitor):
        with pytest.raises(LookupError, match=r"no 'Nothing' on the page; there are .*Number"):
            await visitor.click("Nothing")
        with pytest.raises(LookupError, match="Not now"):
            await visitor.click("Not now")

    assert visit(address, act).errors == []


@pytest.mark.parametrize("address", ["http://192.0.2.1:8501", "http://0.0.0.0:1", "http://:1"])
def test_visitors_come_to_this_machine_only(address):
    with pytest.raises(ValueError, match="not on this machine"):
        Visitor(address)
