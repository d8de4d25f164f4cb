import pytest
import sqlalchemy
from streamlit.testing.v1 import AppTest

from explorer.engines.perform import new_owner, perform
from explorer.recipe import preset
from explorer.registry import discover
from explorer.runs import RunSpec, Status
from explorer.ui import state


class IdleEngine:
    """Takes runs on and leaves them waiting, so that a page can be looked at in that state."""

    def __init__(self, store):
        self.store, self.stopped = store, []

    def submit(self, spec):
        run = self.store.add(spec)
        return run if run.status is Status.FINISHED else self.store.claim(run.id, "idle")

    def stop(self, id):
        self.stopped.append(id)


@pytest.fixture
def engine(monkeypatch, store):
    for cached in (state.settings, state.store, state.registry):
        cached.clear()
    engine = IdleEngine(store)
    monkeypatch.setattr(state, "engine", lambda: engine)
    yield engine
    for cached in (state.settings, state.store, state.registry):
        cached.clear()


@pytest.fixture
def app(engine):
    return AppTest.from_file("../../explorer/ui/script.py", default_timeout=60)


def runs_page():
    import streamlit as st

    from explorer.ui import inside, runs

    runs.page(st.Page(print, url_path="train"), st.Page(inside.page))


def plugins_page():
    from explorer.ui import plugins

    plugins.page()


def spec(name="plain", **changes) -> RunSpec:
    architecture = discover()[name]
    recipe = preset("fast").changed(train_size=256, **changes)
    return RunSpec(name, architecture.complete({}), "mnist", recipe, architecture.fingerprint)


def trained(store, settings, spec):
    owner = new_owner()
    run = store.claim(store.add(spec).id, owner)
    for _ in perform(run, owner, store, discover(), settings):
        pass
    return store.run(run.id)


def texts(app) -> str:
    elements = [*app.markdown, *app.info, *app.warning, *app.error, *app.caption]
    return "\n".join(element.value for element in elements)


def plots(app) -> str:
    return "\n".join(str(chart.proto) for chart in app.get("bidi_component"))


def test_with_no_runs_the_page_says_what_to_do_and_shows_the_recorded_example(app):
    app.run()
    assert not app.exception
    assert "press **Train**" in texts(app)
    for name in ("plain", "inception", "residual"):
        assert name in plots(app)


def test_train_makes_the_run_that_the_widgets_describe_and_its_address(app, engine):
    app.run()
    app.selectbox(key="architecture").set_value("residual-bn").run()
    app.slider(key="residual-bn.width").set_value(24)
    app.toggle(key="residual-bn.skip").set_value(False)
    app.number_input(key="fast.seed").set_value(7).run()
    app.button[0].click().run()
    assert not app.exception
    (run,) = engine.store.runs()
    assert run.spec.architecture == "residual-bn"
    assert run.spec.parameters == {"width": 24, "blocks": 3, "skip": False}
    assert run.spec.recipe == preset("fast").changed(seed=7)
    assert app.query_params["run"] in (run.id, [run.id])
    assert "waiting for its turn" in app.get("progress")[0].proto.text


def test_stop_asks_the_engine(app, engine):
    run = engine.submit(spec())
    app.query_params["run"] = run.id
    app.run()
    app.button(key=f"train.stop.{run.id}").click().run()
    assert not app.exception
    assert engine.stopped == [run.id]


def test_an_address_opens_its_run_and_a_wrong_one_gets_a_sentence(app, store, settings):
    run = trained(store, settings, spec())
    app.query_params["run"] = [run.id, "nosuchrun"]
    app.run()
    assert not app.exception
    assert "There is no run `nosuchrun` here" in texts(app)
    assert f"{100 * run.best_accuracy:.2f} %" in plots(app)


def test_a_failed_run_says_why_and_can_be_taken_up_again(app, store, engine):
    run = store.claim(store.add(spec()).id, "me")
    store.begin(run.id, "me")
    store.end(run.id, "me", Status.FAILED, "The loss became nan by step 20.")
    app.query_params["run"] = run.id
    app.run()
    assert "The loss became nan by step 20." in texts(app)
    app.button(key=f"train.resume.{run.id}").click().run()
    assert store.run(run.id).status is Status.QUEUED


def test_an_impossible_recipe_gets_a_sentence_and_no_train_button(app):
    app.run()
    app.selectbox(key="fast.optimiser").set_value("nesterov").run()
    app.slider(key="fast.momentum").set_value(0.0).run()
    assert "momentum must be above 0 for the nesterov optimiser" in texts(app)
    assert app.button[0].disabled


def test_the_runs_page_lists_own_runs_and_examples(engine, store, settings):
    trained(store, settings, spec())
    app = AppTest.from_function(runs_page, default_timeout=60).run()
    assert not app.exception
    table = app.dataframe[0].value
    assert next(iter(table["architecture"])) == "plain"
    assert len(table) == 4
    assert list(table["status"])[1:] == ["example"] * 3


def test_the_plugins_page_shows_what_loaded_and_what_is_broken(engine, monkeypatch, tmp_path):
    (tmp_path / "more").mkdir()
    (tmp_path / "more" / "unfinished.py").write_text("import nosuchmodule\n")
    monkeypatch.setenv("EXPLORER_PLUGINS", str(tmp_path / "more"))
    state.settings.clear()
    app = AppTest.from_function(plugins_page, default_timeout=60).run()
    assert not app.exception
    assert "It imports 'nosuchmodule', which is not installed" in texts(app)
    assert "import nosuchmodule" in app.code[0].value
    assert "residual-as-printed" in list(app.dataframe[0].value["architecture"])


def test_a_setting_that_cannot_be_gets_a_sentence(app, monkeypatch):
    monkeypatch.setenv("EXPLORER_TIME_LIMIT", "soon")
    state.settings.clear()
    app.run()
    assert not app.exception
    assert "EXPLORER_TIME_LIMIT" in texts(app)


# What a page costs, in things that can be counted.


@pytest.fixture
def drawn(monkeypatch):
    """The names of the figures that were drawn, one after the other."""
    names = []
    for name in ("accuracy_curves", "loss_curves", "diagram"):
        original = getattr(state, name)

        def draw(*given, name=name, original=original):
            names.append(name)
            return original(*given)

        monkeypatch.setattr(state, name, draw)
    state.network.clear()
    state._recorded_curves.clear()
    return names


def test_what_is_over_is_drawn_once_however_often_the_page_runs(app, drawn):
    app.run()
    assert sorted(drawn) == ["accuracy_curves", "diagram", "loss_curves"]
    app.run().run()
    assert len(drawn) == 3


def test_a_live_run_is_drawn_anew_each_time(app, drawn, store):
    run = store.add(spec())
    store.claim(run.id, "worker")
    app.query_params["run"] = run.id
    app.run()
    drawn.clear()
    app.run()
    assert drawn == ["accuracy_curves", "loss_curves"]


def test_a_page_of_examples_asks_the_store_a_handful_of_questions(app):
    asked = []

    def listen(connection, cursor, statement, *_):
        asked.append(statement)

    app.run()
    where = sqlalchemy.engine.Engine, "before_cursor_execute", listen
    sqlalchemy.event.listen(*where)
    try:
        app.run()
    finally:
        sqlalchemy.event.remove(*where)
    assert 0 < len([statement for statement in asked if "SELECT" in statement]) <= 6, asked
