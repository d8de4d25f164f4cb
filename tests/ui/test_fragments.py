import asyncio

from serving import serving
from visiting import Visitor

SCRIPT = """
import streamlit as st

from explorer.ui.fragments import run_fragment_every


@st.fragment(run_every=0.1)
def looks():
    number = st.session_state["number"] = st.session_state.get("number", 0) + 1
    run_fragment_every(0.1 if number < 3 else 7.0)
    st.text(f"Look {number}")


looks()
"""


def test_a_fragment_says_how_often_it_is_run_from_now_on(tmp_path):
    script = tmp_path / "looks.py"
    script.write_text(SCRIPT)

    async def visit(address):
        visitor = Visitor(address)
        await visitor.arrive()
        for _ in range(100):
            await asyncio.sleep(0.05)
            if visitor.intervals == [7.0]:
                break
        await visitor.leave()
        return visitor.intervals, visitor.errors

    with serving(tmp_path / "none.sqlite", tmp_path, script) as (address, _):
        assert asyncio.run(visit(address)) == ([7.0], [])
