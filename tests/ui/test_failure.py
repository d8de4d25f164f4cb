"""What a visitor sees where something fails: a sentence, and a folded traceback."""

import sqlite3

import pytest
from streamlit.runtime.scriptrunner.script_runner import ScriptRunner
from streamlit.testing.v1 import AppTest

import streamlit_app
from explorer.errors import ExplorerError
from explorer.runs.run import RunSpec, Status
from explorer.training.recipe import Recipe
from explorer.ui import failure, state

SPEC = RunSpec("plain", {}, "mnist", Recipe(epochs=1), "0")


class ForgottenError(ExplorerError):
    """An error that no list of errors has."""


@pytest.fixture(autouse=True)
def _own_store(fresh, monkeypatch):
    monkeypatch.setattr(state, "engine", lambda: None)


@pytest.fixture
def handled(monkeypatch):
    """Let the script runner of `AppTest` call the handler, as that of the app does."""
    start = ScriptRunner.__init__

    def start_with_handler(self, *arguments, **options):
        start(self, *arguments, **options, on_script_error=failure.show)

    monkeypatch.setattr(ScriptRunner, "__init__", start_with_handler)


def app():
    return AppTest.from_file("../../explorer/ui/entry/script.py", default_timeout=60)


def errors(app) -> str:
    return "\n".join(element.value for element in app.error)


def folded(app) -> str:
    """What stands in the expander with the technical details."""
    [expander] = [each for each in app.expander if each.label == "Technical details"]
    assert not expander.proto.expanded
    return "\n".join(code.value for code in expander.code)


def test_the_app_hands_what_fails_to_the_page_that_explains_it():
    assert streamlit_app.app._on_script_error is failure.show


def on_a_page():
    import streamlit as st

    from explorer.text import dimensions

    st.button("again")
    dimensions(None)  # a fault of ours


def in_a_fragment():
    import streamlit as st

    from explorer.text import dimensions

    st.fragment(lambda: dimensions(None))()


def in_a_callback():
    import streamlit as st

    from explorer.text import dimensions

    st.button("again", key="press", on_click=dimensions, args=(None,))


@pytest.mark.parametrize("script", [on_a_page, in_a_fragment, in_a_callback])
def test_a_fault_of_ours_is_a_sentence_and_a_folded_traceback_wherever_it_is(
    handled, script, caplog
):
    app = AppTest.from_function(script).run()
    if script is in_a_callback:
        app.button(key="press").click().run()
    assert not app.exception
    assert "The explorer itself failed, not a plugin: TypeError in text.py, line " in errors(app)
    assert "in dimensions" in folded(app)
    assert folded(app).startswith("Traceback (most recent call last)")
    [record] = [each for each in caplog.records if each.name == "explorer.ui.failure"]
    assert record.exc_info[0] is TypeError


def in_a_network():
    import torch
    from torch import nn

    nn.Linear(3, 4)(torch.zeros(1, 5))


def test_a_fault_of_a_network_is_not_called_ours(handled):
    app = AppTest.from_function(in_a_network, default_timeout=60).run()
    assert errors(app).startswith("The code of a plugin failed here. It raised RuntimeError: ")
    assert "shapes cannot be multiplied" in folded(app)


def with_an_error_of_ours():
    from explorer.settings import SettingsError

    raise SettingsError("The setting X cannot be used.")


def test_an_error_of_ours_is_its_sentence_alone(handled):
    app = AppTest.from_function(with_an_error_of_ours).run()
    assert errors(app) == "The setting X cannot be used."
    assert not app.exception
    assert len(app.expander) == 0


def test_an_error_that_nobody_has_listed_is_a_sentence_on_a_page(monkeypatch):
    def fail():
        raise ForgottenError("It is too late.")

    monkeypatch.setattr("explorer.ui.app.reload.offer", fail)
    shown = app().run()
    assert errors(shown) == "It is too late."
    assert not shown.exception


# Runs that failed, and runs that cannot be read.


def test_a_failed_run_shows_its_traceback_folded(store):
    run = store.claim(store.add(SPEC).id, "me")
    store.begin(run.id, "me")
    store.end(run.id, "me", Status.FAILED, "It raised KeyError.", "Traceback …\nKeyError: 'x'")
    shown = app()
    shown.query_params["run"] = run.id
    shown.run()
    assert "**plain** failed. It raised KeyError." in errors(shown)
    assert folded(shown) == "Traceback …\nKeyError: 'x'"


def test_a_run_that_failed_without_a_traceback_shows_none(store):
    run = store.claim(store.add(SPEC).id, "me")
    store.end(run.id, "me", Status.FAILED, "It took too long.")
    shown = app()
    shown.query_params["run"] = run.id
    shown.run()
    assert "It took too long." in errors(shown)
    assert [each.label for each in shown.expander if each.label == "Technical details"] == []


def test_a_run_that_is_deleted_while_it_is_watched_is_said_to_be_gone(store):
    run = store.add(SPEC)
    shown = app()
    shown.query_params["run"] = run.id
    assert f"There is no run '{run.id}'" not in warnings(shown.run())
    find = state.find_run
    with pytest.MonkeyPatch.context() as later:
        # The page has found it; the panel looks again.
        seen = []

        def find_once(id):
            if seen:
                store.delete(id)
            seen.append(id)
            return find(id)

        later.setattr(state, "find_run", find_once)
        shown.run()
    assert not shown.exception
    assert f"There is no run '{run.id}'" in warnings(shown)


def warnings(app) -> str:
    return "\n".join(element.value for element in app.warning)


@pytest.fixture
def unreadable(store, tmp_path):
    """A run of a later version; its id."""
    id = store.add(SPEC).id
    with sqlite3.connect(tmp_path / "runs.sqlite") as connection:
        connection.execute("UPDATE runs SET spec = json_set(spec, '$.recipe.warmup', 3)")
    connection.close()
    return id


def runs_page():
    import streamlit as st

    from explorer.ui.pages import runs
    from explorer.ui.pages.inside import page as inside

    runs.page(st.Page(print, url_path="train"), st.Page(inside.page))


def test_a_run_that_cannot_be_read_is_listed_and_can_be_deleted(store, unreadable):
    readable = store.add(RunSpec("plain", {}, "mnist", Recipe(seed=1), "0"))
    page = AppTest.from_function(runs_page, default_timeout=60).run()
    assert not page.exception
    assert f"Run {unreadable} cannot be read: " in warnings(page)
    assert "A recipe has no warmup" in warnings(page)
    assert next(iter(page.dataframe[0].value["run"])) == readable.id
    page.button(key=f"delete.{unreadable}").click().run()
    assert not page.exception
    assert warnings(page) == ""
    assert store.unreadable() == []
    assert [run.id for run in store.runs()] == [readable.id]


def test_an_address_of_a_run_that_cannot_be_read_gets_a_sentence_and_the_page(unreadable):
    shown = app()
    shown.query_params["run"] = unreadable
    shown.run()
    assert not shown.exception
    assert f"Run {unreadable} cannot be read: " in warnings(shown)
    assert shown.selectbox(key="architecture").value
