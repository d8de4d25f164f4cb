"""What was refused is read, and does not stay for ever."""

import pytest
from streamlit.testing.v1 import AppTest

PAGE = """
import streamlit as st

from explorer.ui import said

said.show()
st.button("Delete", on_click=said.say, args=("This run is another visitor's.",))
st.button("Show")
if st.session_state.pop("a run ended", False):
    said.run_again()
"""


@pytest.fixture
def page(fresh):
    return AppTest.from_string(PAGE).run()


@pytest.mark.parametrize("ended", [False, True])
def test_a_refusal_stays_when_the_page_runs_by_itself_until_the_visitor_does_something(page, ended):
    page.session_state["a run ended"] = ended
    page.button[0].click().run()
    assert [error.value for error in page.error] == ["This run is another visitor's."]
    page.button[1].click().run()
    assert not page.error


def test_each_refusal_takes_the_place_of_the_one_before(page):
    page.button[0].click().run()
    page.button[0].click().run()
    assert len(page.error) == 1
