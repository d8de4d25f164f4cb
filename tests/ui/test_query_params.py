"""What is chosen is in the address and comes back from it, with one entry for each action."""

import ast
import re
from pathlib import Path
from urllib.parse import parse_qs

import fuzz
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from streamlit.testing.v1 import AppTest

from explorer.labs.address import ANY, TABLE
from explorer.ui import query_params
from explorer.ui.query_params import Number, OneOf, Plan, text_of

UI = Path(__file__).parents[2] / "explorer" / "ui"


def page():
    import streamlit as st

    from explorer.ui import query_params
    from explorer.ui.query_params import Number, OneOf

    name = st.session_state.get("page", "inside")
    with query_params.of(name):
        if name == "inside":
            if st.session_state.get("ends early"):
                st.stop()
            query_params.take("image", OneOf(range(100)))
            st.session_state.setdefault("image", 0)
            query_params.put("image", st.number_input("image", 0, 99, key="image") or None)
            query_params.take("scale", OneOf(("map", "layer", "model")))
            st.session_state.setdefault("scale", "layer")
            scale = st.selectbox("scale", ("map", "layer", "model"), key="scale")
            query_params.put("scale", scale)
            if (said := query_params.news("off")) is not None:
                st.session_state["off"] = said
            query_params.put_all("off", st.session_state.get("off", []))
            if st.session_state.get("quiet"):
                query_params.replace_entry()
        else:
            query_params.take("a.rate", Number(float, 0, 1, is_optional=True))
            st.session_state.setdefault("a.rate", 0.5)
            rate = st.session_state["a.rate"]
            query_params.put_all("a.rate", [] if rate == 0.5 else [rate])
            query_params.drop_options()
        st.session_state["link"] = query_params.link()


@pytest.fixture
def app():
    return AppTest.from_function(page)


def said(app) -> dict[str, list[str]]:
    """What the browser's address says."""
    found = dict(app.query_params)
    return {name: value if isinstance(value, list) else [value] for name, value in found.items()}


def replaced(app) -> list[str]:
    """What the last run replaced the address by."""
    return [
        re.search(r'"after": "([^"]*)"', component.proto.json)[1]
        for component in app.get("bidi_component")
    ]


TEXTS = st.text(min_size=1, max_size=20).filter(lambda text: max(text) < "\ud800")
STATES = st.fixed_dictionaries(
    {},
    optional={
        "image": st.integers(1, 99),
        "scale": st.sampled_from(["map", "model"]),
        "off": st.lists(TEXTS, min_size=1, max_size=4),
    },
)


@settings(max_examples=40, deadline=None)
@given(STATES)
def test_every_state_comes_back_from_its_link(state):
    app = AppTest.from_function(page).run()
    for name, value in state.items():
        app.session_state[name] = value
    app.run()
    assert not app.exception
    link = app.session_state["link"]
    fresh = AppTest.from_function(page)
    for name, values in parse_qs(link, keep_blank_values=True).items():
        fresh.query_params[name] = values
    fresh.run()
    assert not fresh.exception
    assert fresh.session_state["link"] == link
    assert {name: fresh.session_state[name] for name in state} == state
    assert replaced(fresh) == []


VALUES = st.lists(TEXTS, max_size=3)
WRITTEN = st.dictionaries(st.sampled_from(["image", "off", "scale", "net"]), VALUES)


@given(WRITTEN, WRITTEN, st.sets(st.sampled_from(["image", "off", "scale"])))
def test_an_address_of_a_lesson_says_what_differs_from_it(own, chosen, controls):
    plan = Plan("mine", "inside", own, controls)
    # What is hidden is as the lesson has it.
    shown = {
        name: v for name, v in {**own, **{n: chosen.get(n, []) for n in controls}}.items() if v
    }
    written = plan.write(shown)
    assert written["lesson"] == ["mine"]
    assert set(written) <= {"lesson", *controls}
    assert plan.read(written) == {"lesson": ["mine"], **shown}
    assert plan.write({name: values for name, values in own.items() if values}) == {
        "lesson": ["mine"]
    }
    assert plan.read({"net": ["evil"]}).get("net", []) == own.get("net", [])


def test_what_is_chosen_is_written_and_what_is_usual_is_left_out(app):
    app.run()
    assert said(app) == {}
    app.number_input(key="image").set_value(7).run()
    app.selectbox(key="scale").set_value("map").run()
    assert said(app) == {"image": ["7"], "scale": ["map"]}
    app.selectbox(key="scale").set_value("layer").run()
    assert said(app) == {"image": ["7"]}


def test_back_sets_what_the_address_says_and_leaves_out(app):
    app.run()
    app.number_input(key="image").set_value(7).run()
    app.selectbox(key="scale").set_value("map").run()
    del app.query_params["scale"]
    app.query_params["image"] = "7"
    app.run()
    assert app.selectbox(key="scale").value == "layer"
    assert app.number_input(key="image").value == 7
    app.query_params["scale"] = "map"  # and Forward again
    app.run()
    assert app.selectbox(key="scale").value == "map"


def test_an_address_that_says_nothing_leaves_all_as_it_was_and_is_replaced(app):
    app.run()
    app.number_input(key="image").set_value(7).run()
    app.session_state["page"] = "runs"
    app.query_params.clear()
    app.run()
    app.session_state["page"] = "inside"
    app.session_state["image"] = 7
    app.run()
    assert app.number_input(key="image").value == 7
    assert replaced(app) == ["image=7"]
    assert said(app) == {}  # no entry was added
    app.run()
    assert said(app) == {"image": ["7"]}


def test_an_address_of_a_moment_ago_is_no_news(app, monkeypatch):
    """An action that was on its way when the address was written still says the one before."""
    app.run()
    app.number_input(key="image").set_value(7).run()
    monkeypatch.setattr(query_params, "went_back", lambda: False)
    app.query_params.clear()
    app.selectbox(key="scale").set_value("map").run()
    assert said(app) == {"image": ["7"], "scale": ["map"]}
    app.query_params["image"] = "3"
    app.run()
    assert app.number_input(key="image").value == 7
    assert said(app) == {"image": ["7"], "scale": ["map"]}


def test_what_cannot_be_used_is_named_once_and_replaced(app):
    app.query_params.update({"image": ["99999"], "scale": "x`y", "off": ["a"]})
    app.run()
    (note,) = app.caption
    assert "`image=99999`, `` scale=x`y ``, which cannot be used here" in note.value
    assert app.number_input(key="image").value == 0
    assert replaced(app) == ["off=a"]
    app.run()  # the browser may say it once more
    assert [*app.caption] == []
    assert said(app) == {"off": ["a"]}


def test_names_of_another_page_are_removed(app):
    app.query_params.update({"architecture": "x", "show": "y", "a.b": "1", "image": "3"})
    app.run()
    assert replaced(app) == ["image=3"]


def test_an_id_is_read_under_its_other_name(monkeypatch):
    def looking():
        from explorer.ui import query_params
        from explorer.ui.query_params import OneOf

        with query_params.of("inside"):
            query_params.take("net", OneOf(["one", "two"]))

    app = AppTest.from_function(looking)
    app.query_params["run"] = "two"
    app.run()
    assert app.session_state["net"] == "two"
    assert replaced(app) == ["net=two"]


def test_what_the_page_did_not_come_to_stays(app):
    app.query_params.update({"image": "3", "scale": "map"})
    app.session_state["ends early"] = True
    app.run()
    app.session_state["ends early"] = False
    app.run()
    assert app.number_input(key="image").value == 3
    assert app.selectbox(key="scale").value == "map"


def test_an_option_is_in_the_address_unless_it_is_the_usual_and_no_other_s(app):
    app.session_state["page"] = "train"
    app.query_params.update({"a.rate": "0.25", "b.width": "3"})
    app.run()
    assert app.session_state["a.rate"] == 0.25
    assert app.session_state["link"] == "a.rate=0.25"
    app.session_state["a.rate"] = None
    app.run()
    assert app.session_state["link"] == "a.rate="
    app.session_state["a.rate"] = 0.5
    app.run()
    assert app.session_state["link"] == ""


@pytest.mark.parametrize(
    ("text", "value"), [("3", 3), ("-3", -3), ("", None), ("2.5", ...), ("x", ...), ("11", ...)]
)
def test_a_whole_number_is_read_within_its_limits(text, value):
    read = Number(int, -5, 10, is_optional=True).read
    if value is ...:
        with pytest.raises(ValueError, match=re.escape(text)):
            read(text)
    else:
        assert read(text) == value


@pytest.mark.parametrize("text", ["1e400", "nan", "inf", "9" * 4000, "9" * 5000, "", "\0", "1,5"])
@pytest.mark.parametrize("type", [int, float])
def test_no_text_is_too_much_for_a_number(type, text):
    with pytest.raises(ValueError):  # noqa: PT011  it is whatever Python says of it
        Number(type, None, None).read(text)


@given(st.floats(0, 1) | st.integers(-(10**6), 10**6) | st.booleans())
def test_a_value_is_read_as_it_was_written(value):
    assert OneOf([value]).read(text_of(value)) == value
    if not isinstance(value, bool):
        assert Number(type(value), None, None).read(text_of(value)) == value


def test_the_table_has_every_name_that_a_page_uses_once():
    names = [row.name for row in TABLE]
    assert len({(row.page, row.name) for row in TABLE}) == len(names)
    constants, used = {}, set()
    for file in UI.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            match node:
                case ast.Assign(targets=[ast.Tuple(elts=keys)], value=ast.Tuple(elts=values)):
                    pairs = zip(keys, values, strict=False)
                    constants |= {(file, ast.unparse(key)): value for key, value in pairs}
                case ast.Assign(targets=[ast.Name(id=key)], value=value):
                    constants[file, key] = value
                case ast.Call(
                    func=ast.Attribute(value=ast.Name(id="query_params"), attr=function),
                    args=[name, *_],
                ) if function in ("take", "put", "put_all", "news"):
                    used.add((file, name))
                case ast.Call(
                    func=ast.Attribute(value=ast.Name(id="controls"), attr="choose"),
                    args=[name, *_],
                ):
                    used.add((file, name))
    found = set()
    for file, name in used:
        match constants.get((file, ast.unparse(name)), name):
            case ast.Constant(value=str(text)):
                found.add(text)
    assert found <= set(names)
    assert {"net", "off", "drawing", "ask", "recipe"} <= found
    assert ANY in names


def test_the_fuzzer_tries_every_name():
    names = {row.name for row in TABLE} - {ANY}
    assert names <= {*fuzz.ANYWHERE, *sum(fuzz.KEYS.values(), ())}


def test_a_name_that_no_page_has_is_not_taken():
    with pytest.raises(KeyError):
        query_params.take("image", OneOf([1]))  # outside of a page


def test_what_no_visitor_asked_for_replaces_the_entry_in_the_history(app):
    app.run()
    app.session_state["image"] = 4
    app.run()
    assert said(app) == {"image": ["4"]}
    for image in (5, 6):
        app.session_state["image"] = image
        app.session_state["quiet"] = True
        app.run()
        assert not app.exception
        # The server is told of the entry that was replaced as long as nothing else is entered.
        assert said(app) == {"image": ["4"]}
        assert replaced(app) == [f"image={image}"]
    app.session_state["quiet"] = False
    app.session_state["image"] = 7
    app.run()
    assert said(app) == {"image": ["7"]}
