import json
import os
import re
from dataclasses import replace
from urllib.parse import parse_qs, urlencode

import numpy as np
import pytest
import torch
from built_ins import REGISTRY
from streamlit.testing.v1 import AppTest
from torch import nn
from typer.testing import CliRunner
from ui.test_pages import IdleEngine, imported, spec, texts, trained

from explorer.branches import Branches
from explorer.charts.bars import shares, worths
from explorer.cli import app as cli
from explorer.data.drawings import pack_ink
from explorer.data.pixels import pack_pixels
from explorer.engines.perform import perform
from explorer.inspection.session import Session
from explorer.inspection.tracing import trace
from explorer.plugin.registry import discover
from explorer.runs.recorded import open_examples
from explorer.runs.run import RunSpec, Status
from explorer.training.events import Moment
from explorer.training.recipe import preset
from explorer.ui import state
from explorer.ui.pages.inside import contributions, questions, subject, walk, worth


def inside_page():
    from explorer.ui.pages.inside import page as inside

    inside.page()


@pytest.fixture
def app(fresh, monkeypatch, store):
    monkeypatch.setattr(state, "engine", lambda: IdleEngine(store))
    return AppTest.from_function(inside_page, default_timeout=120)


def example(name: str) -> str:
    return next(run.id for run in open_examples().runs() if run.spec.architecture == name)


def drawn(app) -> str:
    return "\n".join(str(component.proto) for component in app.get("bidi_component"))


def test_without_any_run_the_page_shows_an_example_and_has_something_to_say(app):
    app.run()
    assert not app.exception
    assert app.selectbox(key="net").value == example("residual")
    said = texts(app)
    assert "**Predicted: 7 (" in said
    assert "Test accuracy 99.08 %" in said.splitlines()  # that of the run, on all test images
    assert "**Try:** switch `block2.skip` off" in said
    assert "32.3 % of the test images correctly, instead of 99.1 %, and takes this 7 for 2" in said
    assert "block2.skip" in drawn(app)


def test_the_switch_to_try_changes_the_answer(app):
    app.query_params["off"] = "block2.skip"
    app.run()
    assert not app.exception
    said = texts(app)
    assert "**Predicted: 2 (" in said
    assert "the label is 7" in said
    assert "**Try:**" not in said
    assert "points** without `block2.skip`" in said


def test_an_imported_run_can_be_looked_into(app, store, settings, tmp_path):
    run = imported(store, settings, tmp_path, "residual")
    app.run()
    assert not app.exception
    assert app.selectbox(key="net").value == run.id
    said = texts(app)
    assert f"Imported weights (`{run.spec.imported}`); nothing of their training is known" in said
    assert "**Predicted: 7 (" in said
    assert "block2.skip" in drawn(app)
    assert "epoch" not in said
    app.selectbox(key="other").set_value(example("residual")).run()
    assert not app.exception
    assert ", imported" in texts(app)


def test_the_newest_run_comes_first(app, store, settings):
    run = trained(store, settings, spec("residual"))
    app.run()
    assert not app.exception
    assert app.selectbox(key="net").value == run.id
    assert "the only one whose weights are kept" in texts(app)
    assert "block2.skip" in drawn(app)


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
    assert "points** without `block2.skip`, `conv1:3`" in said
    assert "The address asks for `off=no.such.branch`, which cannot be used here" in said
    assert "block2.conv1" in drawn(app)


SEVEN = pack_ink(np.pad(np.eye(60, dtype=bool), 26))
PICTURE = pack_pixels(np.pad(np.full((1, 20, 4), 255, np.uint8), ((0, 0), (4, 4), (12, 12))))
STATES = [
    "epoch=1&image=4&off=block2.skip&off=conv1%3A3&part=block1&scale=model&ask=Cost",
    "filter=classified+incorrectly&image=3520&ask=Pixels&class=0&cam=block1",
    "filter=3&image=18&instead=mean&shares=block1",
    f"source=Draw&drawing={SEVEN}&off=block2.skip&ask=Filters&filters=block1.conv1",
    f"source=Upload&picture={PICTURE}&ask=Mistakes",
    "source=Draw",
    "ask=Excites&excites=block1.conv1&channel=3",
    "image=4&ask=Patching&donor=17&patch=block1.skip",
    "ask=Mistakes&cell=7-2",
]


@pytest.mark.parametrize("query", STATES, ids=range(len(STATES)))
def test_all_that_is_chosen_comes_back_from_the_address(app, query):
    query = f"net={example('residual')}&{query}"
    app.query_params.update(parse_qs(query))
    app.run()
    assert not app.exception
    assert "The address asks for" not in texts(app)
    assert parse_qs(urlencode(app.session_state["visit"].written, doseq=True)) == parse_qs(query)
    assert "explorer_address" not in drawn(app)  # nothing of it is corrected


def test_two_networks_on_one_scale_come_back_from_the_address(app):
    query = f"net={example('residual')}&other={example('plain')}&scale=map&epoch=3"
    app.query_params.update(parse_qs(query))
    app.run()
    assert not app.exception
    assert parse_qs(urlencode(app.session_state["visit"].written, doseq=True)) == parse_qs(query)


def test_an_address_that_leads_nowhere_gets_a_sentence(app):
    app.query_params["net"] = "nosuchrun"
    app.query_params["epoch"] = "77"
    app.query_params["part"] = "nosuchpart"
    app.run()
    assert not app.exception
    assert (
        "The address asks for `net=nosuchrun`, `epoch=77`, `part=nosuchpart`, which cannot be used "
        "here; the default is shown." in texts(app)
    )
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
    assert "On all 10,000 test images; the thin lines are 95 % intervals" in said
    assert re.search(
        r"Test accuracy 99\.08 %, \*\*−66\.\d\d points\*\* without `block2.skip`", said
    )
    assert re.search(r"95 % interval −67\.\d\d to −65\.\d\d, on all 10,000 test images", said)
    by_class = app.dataframe[0].value
    assert len(by_class) == 10
    assert (by_class["points"] < 0).any()


@pytest.mark.parametrize("name", ["plain", "residual"])
@pytest.mark.parametrize(
    ("question", "answer"),
    [
        ("Branches", ""),
        ("Pixels", "blue raises the logit of the class"),
        ("Filters", "filters of 5×5"),
        ("Gradients", "How large was the gradient of the loss in each layer"),
        ("Cost", "What does each part cost?"),
        ("Linearity", "Is a block more than one layer?"),
        ("Mistakes", "Which class is taken for which (confusion matrix)?"),
        ("Excites", "standard deviations above the mean of all images"),
        ("Patching", "of the way to the donor's answer"),
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
    said = [text for text in texts(app).splitlines() if text.startswith("Test accuracy")]
    assert "points** without `conv1:15`, `block1.skip`" in said[0]
    assert "without" not in said[1]


def test_the_drawing_and_the_upload_begin_empty(app):
    for source in ("Draw", "Upload"):
        app.query_params["source"] = source
        app.run()
        assert not app.exception
        assert "Nothing to see yet" in texts(app)


def test_a_run_of_a_plugin_that_is_gone_gets_a_sentence(app, store, settings, monkeypatch):
    run = trained(store, settings, spec())
    whole = state.catalogue()
    without = {name: a for name, a in whole.architectures.items() if name != "plain"}
    monkeypatch.setattr(state, "catalogue", lambda: replace(whole, architectures=without))
    app.run()
    assert not app.exception
    assert app.selectbox(key="net").value == example("residual")  # not on the newest, which is it
    app.query_params["net"] = run.id
    app.run()
    assert not app.exception
    assert f"The address asks for `net={run.id}`, which cannot be used here" in texts(app)


def test_a_run_of_older_code_is_shown_with_a_warning(app, store, settings):
    from dataclasses import replace

    from explorer.engines.ownership import new_owner

    own = trained(store, settings, spec())
    older = store.claim(store.add(replace(own.spec, fingerprint="0" * 16)).id, owner := new_owner())
    store.begin(older.id, owner)
    for event in (own.started, *own.epochs):
        if hasattr(event, "epoch"):
            from explorer.training.events import Checkpoint, Moment

            kept = Checkpoint(Moment(event.epoch), store.weights(own.id, Moment(event.epoch)), b"")
            event = replace(event, checkpoint=lambda kept=kept: kept)
        store.append(older.id, owner, event)
    store.end(older.id, owner, Status.FINISHED)
    app.query_params["net"] = older.id
    app.run()
    assert not app.exception
    assert "The code of plain or the images of mnist have changed since this run was made" in texts(
        app
    )


PLUGIN = """
from torch import nn
from explorer import hookimpl
from explorer.training.events import Moment


@hookimpl
def register_architectures(register):
    register(Wide)


class Wide(nn.Sequential):
    def __init__(self, images):
        super().__init__()
        self.conv = nn.Conv2d(images.channels, 4, 3, padding=DILATION, dilation=DILATION)
        self.relu = nn.ReLU()
        self.flatten = nn.Flatten()
        self.linear = nn.Linear(4 * images.size**2, images.num_classes)
"""


@pytest.fixture
def wide(tmp_path, monkeypatch, app, fresh):
    """Write the plugin's code, with this dilation of its kernel; its weights fit each."""

    def write(dilation):
        folder = tmp_path / "plugins"
        folder.mkdir(exist_ok=True)
        (folder / "wide.py").write_text(PLUGIN.replace("DILATION", str(dilation)), encoding="utf-8")
        if os.environ.get("EXPLORER_PLUGINS") != str(folder):
            monkeypatch.setenv("EXPLORER_PLUGINS", str(folder))
            fresh()
        state.reload_plugins()
        assert "wide" in state.plugins().whole_catalogue.architectures

    return write


def test_after_a_reload_every_epoch_is_shown_by_the_new_code_with_its_own_fields(
    app, store, settings, wide, tmp_path
):
    wide(1)
    architecture = state.catalogue()["wide"]
    recipe = preset("fast").changed(train_size=256, epochs=2)
    asked = RunSpec("wide", architecture.complete({}), "mnist", recipe, architecture.fingerprint)
    run = store.claim(store.add(asked).id, "me")
    for _ in perform(run, "me", store, discover([tmp_path / "plugins"]), settings):
        pass

    def fields():
        shown = [subject.load(run.id, Moment(epoch)) for epoch in (1, 2)]
        return [str(one.session.fields["conv"]) for one in shown]

    before = subject.load(run.id, Moment(1))
    assert str(before.session.fields["conv"]) == "3×3"
    wide(3)
    assert fields() == ["7×7", "7×7"]
    assert not subject.load(run.id, Moment(1)).is_current
    wide(1)
    assert fields() == ["3×3", "3×3"]
    app.query_params["net"] = run.id
    app.run()
    assert not app.exception
    assert "The code of wide or the images of mnist have changed" not in texts(app)
    wide(3)
    app.run()
    assert not app.exception
    assert "The code of wide or the images of mnist have changed" in texts(app)
    assert re.search(r'"field[^,]*7\\+u00d77', drawn(app))


def numbers(element) -> list[dict]:
    return element.value.to_dict("records")


def test_the_page_and_the_command_show_the_same_numbers(app, monkeypatch):
    arguments = ["inspect", example("inception"), "--image", "8", "--test-images", "1000"]
    printed = CliRunner().invoke(cli, [*arguments, "--off", "incep1.branch5x5", "--json"]).stdout
    found = json.loads(printed)
    app.query_params["net"] = example("inception")
    app.query_params["image"] = "8"
    app.query_params["off"] = "incep1.branch5x5"
    bars, contributions = [], []
    monkeypatch.setattr(worth, "worths", lambda *given: bars.append(given) or worths(*given))
    monkeypatch.setattr(
        worth, "shares", lambda *given: contributions.append(given) or shares(*given)
    )
    app.run()
    assert not app.exception
    said, score = texts(app), found["score"]
    best = found["prediction"]
    assert f"**Predicted: {best['class']} ({100 * best['probability']:.1f} %)" in said
    first = found["ablation"][0]
    intact = first["accuracy"] - first["accuracy_difference"]
    points = f"{100 * (score['accuracy'] - intact):.1f}".replace("-", "−")
    assert f"**{points} points** without `incep1.branch5x5`" in said
    [(each,)] = bars
    rows = {row["branch"]: row for row in found["ablation"]}
    assert [bar.branch for bar in each] == list(rows)
    for bar in each:
        row = rows[bar.branch]
        assert (bar.accuracy, bar.loss) == (row["accuracy"], row["loss"])
        assert row["accuracy_difference"] == pytest.approx(-bar.lost.value)
    [(values, bias, *_)] = contributions
    assert (values, bias) == tuple(
        found["logit_attribution"][-1][key] for key in ("branches", "bias")
    )

    def asked(question):
        app.query_params["ask"] = question
        app.session_state["ask"] = question
        app.run()
        assert not app.exception
        return texts(app)

    asked("Cost")
    shown = [
        (row["part"].strip(), row["parameters"], row["multiply-adds"])
        for row in numbers(app.dataframe[0])
    ]
    assert shown == [(row["name"], row["parameters"], row["macs"]) for row in found["cost"]]
    asked("Gradients")
    shown = {row["part"]: row["gradient norm"] for row in numbers(app.dataframe[0])}
    branches = {f"branch {path}": norm for path, norm in found["gradients"]["branches"].items()}
    assert shown == found["gradients"]["layers"] | branches
    said = asked("Linearity")
    for verdict in found["linearity"]:
        layer = verdict["replacement"]
        assert f"One `{layer['text']}` computes the same" in said
        assert f"That layer has {layer['parameters']:,} parameters" in said
    said = asked("Filters")
    first = found["filters"][0]
    assert f"`{first['path']}.weight` in the state dict" in said
    assert f"mean {first['mean']:.3g}, standard deviation {first['std']:.3g}" in said


@pytest.mark.parametrize(
    ("question", "broken", "sentence"),
    [
        ("Linearity", "linearity", "Linearity cannot be measured: "),
        ("Branches", "logit_attribution", "Logit attribution cannot be measured: "),
        ("Branches", "answers", "Ablation cannot be measured: "),
        ("Pixels", "attribution", "Attribution by occlusion cannot be measured: "),
        ("Gradients", "gradients", "Gradients cannot be measured: "),
        ("Filters", "filters", "Filters cannot be measured: "),
        ("Mistakes", "answers", "The confusion matrix cannot be measured: "),
        ("Excites", "excitations", "What excites a channel cannot be measured: "),
        ("Patching", "patched_each", "Patching cannot be measured: "),
    ],
)
def test_a_figure_that_fails_says_why_and_the_rest_of_the_page_is_there(
    app, monkeypatch, question, broken, sentence
):
    def fail(*_, **__):
        raise IndexError("on purpose")

    monkeypatch.setattr(Session, broken, fail)
    app.query_params.update({"net": example("inception"), "image": "0", "part": "incep1"})
    app.query_params["ask"] = question
    app.run()
    assert not app.exception
    said = texts(app)
    assert sentence in said
    assert "on purpose" in said
    assert "**Predicted: 7 (" in said
    assert "incep1.branch5x5_2" in drawn(app)


def test_a_network_that_runs_no_image_gets_a_sentence_and_the_other_one_is_shown(app, monkeypatch):
    record = Session.record

    def fail(session, *rest):
        if not session.branches:
            raise RuntimeError("on purpose")
        return record(session, *rest)

    monkeypatch.setattr(Session, "record", fail)
    app.query_params["net"] = example("plain")
    app.query_params["other"] = example("residual")
    app.run()
    assert not app.exception
    assert "The output of plain cannot be measured: " in texts(app)
    assert texts(app).count("**Predicted: 7 (") == 1
    app.query_params["other"] = []
    app.session_state["other"] = None
    app.run()
    assert not app.exception
    assert "**Predicted" not in texts(app)


@pytest.mark.parametrize("name", ["relu()", "incep1.avg_pool2d()", "incep2", "linear"])
def test_an_open_map_and_its_unit_stay_in_the_address_with_another_image(app, name):
    app.query_params["net"] = example("inception")
    app.query_params["map"] = f"{name}:9"
    app.query_params["unit"] = "0,0"
    app.run()
    app.button(key="image.Next").click().run()
    assert not app.exception
    said = np.ravel([app.query_params["map"], app.query_params["unit"]])
    assert list(said) == [f"{name}:9", "0,0"]
    assert "cannot be used" not in texts(app)


@pytest.mark.parametrize(
    ("map", "unit"),
    [("conv9:0", "0,0"), ("conv1:10", "0,0"), ("conv1", ""), ("conv1:x", ""), (":" * 50, "1,²")],
)
def test_a_map_that_there_is_not_is_named(app, map, unit):
    app.query_params["net"] = example("inception")
    app.query_params["map"] = map
    app.query_params["unit"] = unit
    app.run()
    assert not app.exception
    assert f"`map={map}`" in texts(app)


def parts_of(model):
    return trace(model, torch.zeros(1, 2, 8, 8), keep=id).parts


def test_grad_cam_begins_with_the_maps_that_are_closest_to_the_logits():
    def block():
        paths = {"a": nn.Conv2d(2, 2, 1), "b": nn.Sequential(nn.Conv2d(2, 2, 1), nn.ReLU())}
        return Branches(paths, merge="add")

    end = [nn.Flatten(), nn.Linear(128, 3)]
    stem = nn.Conv2d(2, 2, 1)
    layers = ["0", "1.a", "1.b.0", "1"]
    assert questions.cam_layers(parts_of(nn.Sequential(stem, block(), *end))) == layers
    model = nn.Sequential(stem, block(), stem, nn.ReLU(), *end)
    assert questions.cam_layers(parts_of(model)) == ["0", "1.a", "1.b.0", "1", "0#2"]
    assert questions.cam_layers(parts_of(nn.Sequential(nn.ReLU(), *end))) == []


def test_of_two_runs_that_differ_in_their_code_alone_the_one_that_was_asked_for_stays(
    app, store, settings
):
    own = trained(store, settings, spec())
    older = replace(REGISTRY["plain"], fingerprint="f" * 16)
    registry = replace(REGISTRY, architectures={**REGISTRY.architectures, "plain": older})
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


def test_a_branch_may_give_its_mean_in_place_of_zeros(app):
    app.run()
    (switch,) = [each for each in app.button_group if each.key == "instead"]
    assert "gives zeros" in texts(app)
    switch.set_value("mean").run()
    assert not app.exception
    assert "gives its mean" in texts(app)


def written(app) -> dict[str, list[str]]:
    return app.session_state["visit"].written


def test_a_channel_s_images_are_found_among_all_test_images_when_it_is_asked_for(app):
    app.query_params.update({"net": example("plain"), "ask": "Excites", "excites": "conv1"})
    app.run()
    assert "Among the first 2,000 test images" in texts(app)
    app.button(key="go through").click().run()
    assert not app.exception
    assert "Among all 10,000 test images" in texts(app)
    assert "go through" not in {button.key for button in app.button}
    assert "5×5 pixels" in texts(app)


def test_another_part_has_its_own_channel_and_both_come_back(app):
    app.query_params.update({"net": example("plain"), "ask": "Excites", "excites": "conv1"})
    app.run()
    app.selectbox(key="channel of conv1").set_value(3).run()
    assert written(app)["channel"] == ["3"]
    app.selectbox(key="excites").set_value("conv2").run()
    assert not app.exception
    assert "channel" not in written(app)
    app.selectbox(key="excites").set_value("conv1").run()
    assert written(app)["channel"] == ["3"]


def test_a_map_s_dialog_can_ask_what_excites_it(app):
    def page():
        import streamlit as st

        from explorer.ui.pages.inside import excites
        from explorer.ui.pages.inside import page as inside

        st.button("ask", key="dialog", on_click=excites.ask, args=("conv1", 2))
        inside.page()

    asked = AppTest.from_function(page, default_timeout=120)
    asked.query_params["net"] = example("plain")
    asked.run()
    asked.button(key="dialog").click().run()
    assert not asked.exception
    found = {name: written(asked)[name] for name in ("ask", "excites", "channel")}
    assert found == {"ask": ["Excites"], "excites": ["conv1"], "channel": ["2"]}


def test_a_dead_channel_says_so_in_place_of_images(app):
    query = {"net": example("plain"), "ask": "Excites", "excites": "conv1", "off": "conv1:3"}
    app.query_params.update({**query, "channel": "3"})
    app.run()
    assert not app.exception
    assert "This channel gives 0 for every test image" in texts(app)


def test_the_donor_is_of_another_class_and_the_next_one_of_a_third(app):
    app.query_params.update({"net": example("residual"), "ask": "Patching"})
    app.run()
    labels = [7, 2, 1]  # of the first test images
    assert app.number_input(key="donor").value == 1
    assert "donor" not in written(app)
    app.button(key="next donor").click().run()
    assert not app.exception
    assert app.number_input(key="donor").value == 2
    assert written(app)["donor"] == ["2"]
    assert labels[app.number_input(key="donor").value] not in labels[:2]
    # Another image of the donor's class: the donor gives way.
    app.session_state["image"] = 2
    app.run()
    assert not app.exception
    assert app.number_input(key="donor").value == 0


def test_a_donor_of_the_same_class_gets_a_sentence(app):
    query = {"net": example("residual"), "ask": "Patching", "donor": "17"}
    app.query_params.update(query)
    app.run()
    assert not app.exception
    assert "The network says 7 to both images. Choose a donor" in texts(app)


def test_all_that_follows_of_the_donor_gives_its_answer(app):
    query = {"net": example("residual"), "ask": "Patching", "donor": "1", "patch": "linear"}
    app.query_params.update(query)
    app.run()
    assert not app.exception
    said = texts(app)
    assert "in place of 7, as to the donor. That is 100 % of the way to the donor's answer." in said


def test_the_walk_goes_through_all_parts_and_says_what_each_does():
    inner = Branches({"skip": nn.Identity(), "conv": nn.Conv2d(3, 3, 1)}, merge="add")
    ways = {"a": nn.Sequential(inner, nn.ReLU()), "b": nn.Conv2d(3, 2, 3, padding=1)}
    model = nn.Sequential(
        nn.Conv2d(2, 3, 1), nn.ReLU(), Branches(ways), nn.Flatten(), nn.Linear(5 * 64, 3)
    )
    lines = [walk.line(step) for step in walk.through(parts_of(model))]
    assert lines == [
        "0: conv 1×1, ReLU; 2×8×8 → 3×8×8, 9 parameters",
        "2: 2 branches from one input, concatenated; 3×8×8 → 5×8×8, 68 parameters",
        "2.a.0: 2 branches from one input, added up; 3×8×8 → 3×8×8, 12 parameters",
        "3: flatten, linear; 5×8×8 → 3, 963 parameters",
    ]


def test_what_was_before_is_an_outline_while_something_is_off(app):
    app.query_params["net"] = example("residual")
    app.run()
    assert "with everything on" not in drawn(app)
    app.query_params["off"] = "block2.skip"
    app.run()
    assert not app.exception
    assert "Grey outline: with everything on." in texts(app)
    assert "with everything on" in drawn(app)


def test_the_shares_of_the_branches_are_beside_their_switches_unless_nothing_is_seen(app):
    app.query_params.update({"net": example("inception"), "image": "0", "part": "incep1"})
    app.run()
    words = "Bar beside a switch: by how much the logit of 7 falls if it is off."
    assert words in drawn(app)
    app.query_params["source"] = "Draw"
    app.run()
    assert not app.exception
    assert "Bar beside a switch" not in drawn(app)


def test_a_network_that_computes_too_much_has_no_shares_and_no_dead_channels(app, monkeypatch):
    monkeypatch.setattr(contributions, "AFFORDED", 1)
    app.query_params["net"] = example("inception")
    app.run()
    assert not app.exception
    assert "Bar beside a switch" not in drawn(app)


def test_a_cell_of_the_confusion_matrix_has_its_images(app):
    app.query_params.update({"net": example("inception"), "ask": "Mistakes", "cell": "7-2"})
    app.run()
    assert not app.exception
    assert "**4 images of 7, predicted as 2**" in texts(app)
    assert len([each for each in app.button if each.label.startswith("Open ")]) == 4
    app.query_params["cell"] = "7-7"
    app.run()
    assert "images of 7, predicted correctly**, the least confident first" in texts(app)
    app.query_params["cell"] = "0-1"
    app.run()
    assert "The address asks for `cell=0-1`, which cannot be used here" in texts(app)
    assert "Where is it most confident, and wrong?" in texts(app)


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (1.234, "by 1.2 times its largest output"),
        (0.5, "by 50 % of its largest output"),
        (0.0015, "by 0.15 % of its largest output"),
        (1e-5, "by less than a thousandth of its largest output"),
    ],
)
def test_how_far_a_block_is_from_affine_is_said_without_powers_of_ten(error, words):
    found = questions._missed(error)
    assert words in found
    assert not re.search(r"\de[+-]?\d|×10", found)
