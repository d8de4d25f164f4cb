"""What a visitor sees where something fails: a sentence, and a folded traceback."""

import re
import sqlite3
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from streamlit.runtime.scriptrunner.script_runner import ScriptRunner
from streamlit.testing.v1 import AppTest

import streamlit_app
from explorer.errors import ExplorerError, full_trace
from explorer.runs.run import RunSpec, Status
from explorer.settings import SettingsError
from explorer.training.recipe import Recipe
from explorer.ui import failure, state
from explorer.ui.http.visitors import Visitor

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

        def find_once(id, age=0.0):
            if seen:
                store.delete(id)
            seen.append(id)
            return find(id, age)

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
    assert shown.session_state["architecture"]


# What a visitor sees, who is not the operator.


@pytest.fixture
def as_a_visitor(monkeypatch):
    monkeypatch.setattr(failure, "visitor", lambda: Visitor("ab" * 16))


@pytest.mark.usefixtures("as_a_visitor")
@pytest.mark.parametrize("script", [on_a_page, in_a_fragment, in_a_callback, in_a_network])
def test_a_visitor_sees_a_number_and_the_log_has_it_with_the_traceback(handled, caplog, script):
    app = AppTest.from_function(script, default_timeout=60).run()
    if script is in_a_callback:
        app.button(key="press").click().run()
    assert not app.exception
    [reference] = re.findall(r"Reference ([0-9a-f]{8}):", errors(app))
    for told in ("Error", "Traceback", "text.py", "dimensions", "line "):
        assert told not in errors(app)
    assert len(app.expander) == 0
    [record] = [each for each in caplog.records if each.name == "explorer.ui.failure"]
    assert record.reference == reference
    assert reference in record.getMessage()
    assert record.exc_info[2] is not None


@pytest.mark.usefixtures("as_a_visitor")
def test_a_visitor_sees_no_traceback_of_a_failed_run(store):
    run = store.claim(store.add(SPEC).id, "me")
    store.end(run.id, "me", Status.FAILED, "It raised KeyError.", "Traceback …\nKeyError: 'x'")
    shown = app()
    shown.query_params["run"] = run.id
    shown.run()
    assert "It raised KeyError." in errors(shown)
    assert [each.label for each in shown.expander if each.label == "Technical details"] == []


def test_settings_that_cannot_be_used_make_nobody_the_operator(monkeypatch):
    def fail():
        raise SettingsError("The setting X cannot be used.")

    monkeypatch.setattr(failure, "visitor", fail)
    assert not failure.sees_everything()


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ("In /srv/app/my_net.py, line 3.", "In my_net.py, line 3."),
        ("The file /srv/app/my_net.py.", "The file my_net.py."),
        ('File "/usr/lib/python3.11/ast.py", line 50', 'File "ast.py", line 50'),
        (r"In C:\Users\Ada\nets\my_net.py:7", "In my_net.py:7"),
        ("~/plugins/my_net.py is broken", "my_net.py is broken"),
        ("from '/a/b c/net.py'", "from 'b c/net.py'"),
        ("(/data/mnist/train.npz)", "(train.npz)"),
        ("/a/b/", "b"),
        ("sqlite:////home/ada/runs.sqlite, cannot", "sqlite://…, cannot"),
        ("postgresql+psycopg://ada:***@db.internal/runs cannot", "postgresql+psycopg://… cannot"),
        ("在 /home/ada/nets/my_net.py，第 3 行。", "在 my_net.py，第 3 行。"),
        ("文件/home/ada/nets/my_net.py：无法读取", "文件my_net.py：无法读取"),
        ("（/data/mnist/train.npz）", "（train.npz）"),
        ("数据库sqlite:////home/ada/runs.sqlite，无法打开", "数据库sqlite://…，无法打开"),
        # What is no path stays.
        ("900 图像/秒，训练/验证/测试", "900 图像/秒，训练/验证/测试"),
        ("See https://example.org/a/b.", "See https://example.org/a/b."),
        ("1/2 of a km/h and 3×3/2", "1/2 of a km/h and 3×3/2"),
        ("images/s and/or epochs", "images/s and/or epochs"),
        ("EXPLORER_CACHE is empty.", "EXPLORER_CACHE is empty."),
        ("", ""),
    ],
)
def test_a_visitor_sees_no_folder(as_a_visitor, text, seen):
    assert failure.for_visitor(text) == seen


def test_a_folder_of_this_machine_is_hidden_whatever_is_in_its_name(monkeypatch, tmp_path):
    own = tmp_path / "my own plugins"
    own.mkdir()
    monkeypatch.syspath_prepend(own)
    text = failure.without_folders(f"{own}/net.py does not load: see {own / 'deep' / 'x.py'}")
    assert text == "net.py does not load: see x.py"


@pytest.mark.usefixtures("as_a_visitor")
def test_a_path_is_its_last_part_to_a_visitor():
    assert failure.shown_path("/srv/app/my_net.py") == "my_net.py"
    assert failure.shown_path(Path("/srv/app/my_net.py")) == "my_net.py"


def test_the_operator_sees_all_of_it():
    text = "In /srv/app/my_net.py, line 3, of sqlite:////home/ada/runs.sqlite"
    assert failure.for_visitor(text) == text
    assert failure.shown_path("/srv/app/my_net.py") == "/srv/app/my_net.py"


@settings(deadline=None)
@given(st.text(alphabet="ab/\\ .:~'\"(),CD-_1", max_size=40))
def test_no_absolute_path_is_left_of_any_text(text):
    left = failure.without_folders(text)
    assert not re.search(r"(?:^|[\s'\"(])(?:/|[A-Z]:[\\/])\w+/\w", left), left
    assert len(left) <= len(text)


@pytest.mark.usefixtures("as_a_visitor")
def test_a_traceback_of_this_machine_has_no_folder_for_a_visitor():
    try:
        state.store().run("none")
    except ExplorerError as error:
        text = full_trace(error)
    assert str(Path.cwd()) in text
    assert not re.search(r'File "[^"]*[/\\]', failure.for_visitor(text))
