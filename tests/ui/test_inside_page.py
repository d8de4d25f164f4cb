from dataclasses import replace

import pytest
from streamlit.testing.v1 import AppTest
from ui.test_pages import IdleEngine, spec, texts, trained

from explorer.engines.perform import perform
from explorer.plugin.registry import discover
from explorer.runs.recorded import open_examples
from explorer.runs.run import Status
from explorer.ui import state
from explorer.ui.pages.inside import subject


def inside_page():
    from explorer.ui.pages.inside import page as inside

    inside.page()


@pytest.fixture
def app(monkeypatch, store):
    cached = (state.settings, state.store, state._loaded, state.changed_plugins, subject._load)
    for cache in cached:
        cache.clear()
    monkeypatch.setattr(state, "engine", lambda: IdleEngine(store))
    yield AppTest.from_function(inside_page, default_timeout=120)
    for cache in cached:
        cache.clear()


def example(name: str) -> str:
    return next(run.id for run in open_examples().runs() if run.spec.architecture == name)


def drawn(app) -> str:
    return "\n".join(str(component.proto) for component in app.get("bidi_component"))


def test_without_any_run_the_page_shows_an_example_and_has_something_to_say(app):
    app.run()
    assert not app.exception
    assert app.selectbox(key="net").value == example("inception")
    said = texts(app)
    assert "**Predicted: 7 (>99.9 %)**" in said
    assert "Accuracy on the first 1,000 test images: **98.80 %**" in said
    assert "Exact: all that follows is linear" in said
    for name in ("mix1.5x5.1", "mix2.1x1"):
        assert name in drawn(app)


def test_the_newest_run_comes_first(app, store, settings):
    run = trained(store, settings, spec("residual-bn"))
    app.run()
    assert not app.exception
    assert app.selectbox(key="net").value == run.id
    assert "the only one whose weights are kept" in texts(app)
    assert "block3.skip" in drawn(app)


def test_the_address_says_network_epoch_part_image_and_what_is_off(app):
    app.query_params["net"] = example("residual")
    app.query_params["epoch"] = "1"
    app.query_params["part"] = "block2"
    app.query_params["image"] = "4"
    app.query_params["off"] = ["block2.skip", "conv1:3", "no.such.branch"]
    app.run()
    assert not app.exception
    assert app.select_slider(key="epoch").value == 1
    assert app.number_input(key="image").value == 4
    said = texts(app)
    assert "points with `block2.skip`, `conv1:3` switched off (ablation)" in said
    assert "no.such.branch" not in said
    assert "block2.residual.0" in drawn(app)


def test_an_address_that_leads_nowhere_gets_a_sentence(app):
    app.query_params["net"] = "nosuchrun"
    app.query_params["epoch"] = "77"
    app.query_params["part"] = "nosuchpart"
    app.run()
    assert not app.exception
    assert "There is no trained run `nosuchrun` here" in texts(app)
    assert app.select_slider(key="epoch").value == 10


def test_the_images_classified_incorrectly_are_gone_through_one_by_one(app):
    app.query_params["net"] = example("plain")
    app.run()
    app.selectbox(key="filter").set_value("classified incorrectly").run()
    assert not app.exception
    first = app.session_state["image"]
    assert "; the label is " in texts(app)
    assert f"Test image {first:,}, 1 of 114" in texts(app)
    app.button(key="image.Next").click().run()
    assert app.session_state["image"] != first
    assert "; the label is " in texts(app)
    app.button(key="image.Previous").click().run()
    assert app.session_state["image"] == first
    app.button(key="image.Previous").click().run()
    assert "114 of 114" in texts(app)


def test_a_link_to_the_images_classified_incorrectly_begins_with_the_first(app):
    app.query_params["net"] = example("plain")
    app.query_params["filter"] = "classified incorrectly"
    app.run()
    assert not app.exception
    assert "1 of 114" in texts(app)
    assert "; the label is " in texts(app)


def test_all_test_images_are_scored_when_it_is_asked_for(app):
    app.query_params["net"] = example("residual")
    app.query_params["off"] = "block2.skip"
    app.run()
    app.button(key="score").click().run()
    assert not app.exception
    said = texts(app)
    assert "Intact: 99.08 % on all 10,000 test images." in said
    assert "Accuracy on all test images: **32." in said
    by_class = app.dataframe[0].value
    assert len(by_class) == 10
    assert (by_class["points"] < 0).any()


@pytest.mark.parametrize("name", ["plain", "residual"])
@pytest.mark.parametrize(
    ("question", "answer"),
    [
        ("Branches", ""),
        ("Pixels", "Blue raises the logit of the class"),
        ("Filters", "filters of 5×5"),
        ("Gradients", "How large was the gradient of the loss in each layer"),
        ("Cost", "What does each part cost?"),
        ("Linearity", "Is a block more than one layer?"),
        ("Mistakes", "Which class is taken for which (confusion matrix)?"),
    ],
)
def test_every_question_has_an_answer_for_networks_with_blocks_and_without(
    app, name, question, answer
):
    app.query_params["net"] = example(name)
    app.query_params["ask"] = question
    app.run()
    assert not app.exception
    assert answer in texts(app)


def test_a_run_that_recorded_no_gradients_says_so(app, store, settings):
    from dataclasses import replace

    own = spec()
    own = replace(own, recipe=replace(own.recipe, gradients_every=None))
    run = trained(store, settings, own)
    app.query_params["net"] = run.id
    app.query_params["ask"] = "Gradients"
    app.run()
    assert not app.exception
    assert "This run did not record its gradients" in texts(app)


def test_two_networks_see_the_same_image(app):
    app.query_params["net"] = example("residual")
    app.query_params["other"] = example("plain")
    app.run()
    assert not app.exception
    assert texts(app).count("**Predicted: 7 (") == 2
    assert "**plain**, epoch 10" in texts(app)


def test_a_channel_that_only_one_of_two_networks_has_is_off_in_that_one(app):
    app.query_params["net"] = example("residual")
    app.query_params["other"] = example("plain")
    app.query_params["off"] = ["conv1:15", "block1.skip", "conv1:99"]
    app.run()
    assert not app.exception
    said = [text for text in texts(app).splitlines() if text.startswith("Accuracy on")]
    assert "points with `conv1:15`, `block1.skip` switched off" in said[0]
    assert "switched off" not in said[1]


def test_the_drawing_and_the_upload_begin_empty(app):
    for source in ("Draw", "Upload"):
        app.query_params["source"] = source
        app.run()
        assert not app.exception
        assert "Nothing to see yet" in texts(app)


def test_a_run_of_a_plugin_that_is_gone_gets_a_sentence(app, store, settings, monkeypatch):
    run = trained(store, settings, spec())
    registry = discover()
    without = {name: a for name, a in registry.architectures.items() if name != "plain"}
    monkeypatch.setattr(state, "registry", lambda: replace(registry, architectures=without))
    app.query_params["net"] = run.id
    app.run()
    assert not app.exception
    assert "cannot be shown: There is no architecture 'plain'" in texts(app)


def test_a_run_of_older_code_is_shown_with_a_warning(app, store, settings):
    from dataclasses import replace

    from explorer.engines.perform import new_owner

    own = trained(store, settings, spec())
    older = store.claim(store.add(replace(own.spec, fingerprint="0" * 16)).id, owner := new_owner())
    store.begin(older.id, owner)
    for event in (own.started, *own.epochs):
        if hasattr(event, "epoch"):
            from explorer.training.events import Checkpoint

            kept = Checkpoint(store.weights(own.id, event.epoch), b"")
            event = replace(event, checkpoint=lambda kept=kept: kept)
        store.append(older.id, owner, event)
    store.end(older.id, owner, Status.FINISHED)
    app.query_params["net"] = older.id
    app.run()
    assert not app.exception
    assert "The code of plain has changed since this run was made" in texts(app)


def test_of_two_runs_that_differ_in_their_code_alone_the_one_that_was_asked_for_stays(
    app, store, settings
):
    own = trained(store, settings, spec())
    code = discover()
    older = replace(code["plain"], fingerprint="f" * 16)
    registry = replace(code, architectures={**code.architectures, "plain": older})
    asked = replace(own.spec, fingerprint="f" * 16)
    run = store.claim(store.add(asked).id, "me")
    for _ in perform(run, "me", store, registry, settings):
        pass
    for id, fingerprint in ((own.id, own.spec.fingerprint), (run.id, "f" * 16)):
        app.query_params["net"] = id
        app.session_state["net"] = id
        app.run()
        assert app.selectbox(key="net").value == id
        app.button(key="image.Next").click().run()
        assert not app.exception
        assert app.selectbox(key="net").value == id
        assert any(f"code {fingerprint[:6]}" in text for text in app.selectbox(key="net").options)
