import time
from math import isnan
from urllib.parse import parse_qs, urlencode

import pytest
import sqlalchemy
from built_ins import REGISTRY
from PIL import Image
from streamlit.testing.v1 import AppTest

from explorer.engines.ownership import new_owner
from explorer.engines.perform import perform
from explorer.plugin.registry import discover
from explorer.runs.exchange import export_weights, import_weights
from explorer.runs.recorded import open_examples
from explorer.runs.run import UNTRAINED, RunSpec, Status
from explorer.training.events import Epoch, Started, Step
from explorer.training.recipe import preset
from explorer.ui import app as frame
from explorer.ui import state
from explorer.ui.pages import checks as reports

SCRIPT = "../../explorer/ui/entry/script.py"


class IdleEngine:
    """Takes runs on and leaves them waiting, so that a page can be looked at in that state."""

    def __init__(self, store):
        self.store, self.stopped, self.steps = store, [], []

    def submit(self, spec, visitor, steps=None):
        self.steps.append(steps)
        run = self.store.add(spec)
        return run if run.status is Status.FINISHED else self.store.claim(run.id, "idle")

    def stop(self, id):
        self.stopped.append(id)

    def waiting(self, id):
        return "number 3 in the queue, begins in about 2 min 10 s"


@pytest.fixture
def engine(monkeypatch, store, fresh):
    engine = IdleEngine(store)
    monkeypatch.setattr(state, "engine", lambda: engine)
    monkeypatch.setattr(frame, "FIRST", "train")  # what a script without an address shows
    return engine


@pytest.fixture
def app(engine):
    return AppTest.from_file(SCRIPT, default_timeout=60)


def runs_page():
    import streamlit as st

    from explorer.ui.pages import runs
    from explorer.ui.pages.inside import page as inside

    runs.page(st.Page(print, url_path="train"), st.Page(inside.page))


def plugins_page():
    from explorer.ui.pages import plugins

    plugins.page()


def spec(name="plain", **changes) -> RunSpec:
    architecture = REGISTRY[name]
    recipe = preset("fast").changed(train_size=256, **changes)
    return RunSpec(name, architecture.complete({}), "mnist", recipe, architecture.fingerprint)


def trained(store, settings, spec):
    owner = new_owner()
    run = store.claim(store.add(spec).id, owner)
    for _ in perform(run, owner, store, REGISTRY, settings):
        pass
    return store.run(run.id)


def texts(app) -> str:
    elements = [*app.markdown, *app.info, *app.warning, *app.error, *app.caption]
    return "\n".join(element.value for element in elements)


def button(app, label):
    (found,) = (each for each in app.button if each.label == label)
    return found


def choose(app, architecture: str) -> None:
    """Choose a network, as the picker does when it is clicked."""
    app.session_state["architecture"] = architecture
    app.run()


def offered(app) -> str:
    """Return what the picker of networks shows, as JSON."""
    return next(
        each.proto.json
        for each in app.get("bidi_component")
        if each.proto.component_name == "explorer_gallery"
    )


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
    choose(app, "residual-bn")
    app.slider(key="residual-bn.width").set_value(24)
    app.toggle(key="residual-bn.skip").set_value(False)
    app.number_input(key="fast.seed").set_value(7).run()
    button(app, "Train").click().run()
    assert not app.exception
    (run,) = engine.store.runs()
    assert run.spec.architecture == "residual-bn"
    assert run.spec.options == {"width": 24, "blocks": 3, "skip": False}
    assert run.spec.recipe == preset("fast").changed(seed=7)
    assert app.query_params["run"] in (run.id, [run.id])
    assert "number 3 in the queue, begins in about" in app.get("progress")[0].proto.text


def test_what_is_chosen_on_train_comes_back_from_the_address(app, store, settings):
    run = trained(store, settings, spec())
    query = (
        f"run={run.id}&architecture=residual-bn&recipe=tutorial&residual-bn.width=24"
        "&residual-bn.skip=false&tutorial.epochs=3&tutorial.seed=7&tutorial.train_size=500"
        "&tutorial.learning_rate=0.02"
    )
    app.query_params.update(parse_qs(query))
    app.run()
    assert not app.exception
    assert "The address asks for" not in texts(app)
    assert [box.key for box in app.number_input] == ["tutorial.epochs", "tutorial.seed"]
    app.session_state["details"] = True  # the expander is opened
    app.run()
    assert app.number_input(key="tutorial.train_size").value == 500
    assert app.toggle(key="residual-bn.skip").value is False
    assert parse_qs(urlencode(app.session_state["visit"].written, doseq=True)) == parse_qs(query)
    choose(app, "plain")
    assert "residual-bn.width" not in app.query_params


def test_what_train_cannot_use_is_named_and_the_default_is_there(app):
    app.query_params.update(
        {"recipe": "weird", "fast.epochs": "abc", "architecture": "residual-bn"}
    )
    app.query_params["residual-bn.blocks"] = "99"
    app.run()
    assert not app.exception
    for named in ("`recipe=weird`", "`fast.epochs=abc`", "`residual-bn.blocks=99`"):
        assert named in texts(app)
    assert app.number_input(key="fast.epochs").value == preset("fast").epochs


def paused(store, settings, spec, steps=None):
    """Train some steps of a run, each looked at closely."""
    owner = new_owner()
    run = store.claim(store.add(spec).id, owner)
    for _ in perform(run, owner, store, REGISTRY, settings, steps):
        pass
    return store.run(run.id)


def test_a_paused_run_shows_what_its_last_step_did_and_can_be_stepped_or_resumed(
    app, engine, store, settings
):
    run = paused(store, settings, spec(), steps=2)
    app.query_params["run"] = run.id
    app.run()
    assert not app.exception
    assert "paused at step 2 of 4" in app.get("progress")[0].proto.text
    said = texts(app)
    assert "**Step 2 of plain**" in said
    assert "of 64 images of its batch were classified correctly" in said
    assert "parameters (norms)" in plots(app)
    assert "Look inside plain" in str(app.get("page_link")[0].proto)
    app.button(key=f"train.step.{run.id}").click().run()
    assert not app.exception
    assert engine.steps == [1]
    assert "Step 2 of plain" not in texts(app)  # it waits for another


def test_a_resumed_run_goes_to_its_end(app, engine, store, settings):
    run = paused(store, settings, spec(), steps=2)
    app.query_params["run"] = run.id
    app.run()
    app.button(key=f"train.resume.{run.id}").click().run()
    assert not app.exception
    assert engine.steps == [None]


def test_a_first_step_is_taken_without_a_run(app, engine):
    app.run()
    button(app, "Step").click().run()
    assert not app.exception
    assert engine.steps == [1]
    assert len(engine.store.runs()) == 1


def test_a_run_is_called_by_its_name_wherever_it_is(app, store, settings):
    run = trained(store, settings, spec())
    store.rename(run.id, "first *try*", "a [note](https://example.com)")
    app.query_params["run"] = run.id
    app.run()
    assert not app.exception
    assert "first *try*" in plots(app)
    assert "a \\[note\\](https:" in texts(app)
    assert "first *try* · plain" in app.multiselect(key="picker").options[0]


def test_pause_asks_the_engine(app, engine):
    run = engine.submit(spec(), "home")
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
    app.session_state["details"] = True
    app.run()
    app.selectbox(key="fast.optimiser").set_value("nesterov").run()
    app.number_input(key="fast.momentum").set_value(0.0).run()
    assert "momentum must be above 0 for the nesterov optimiser" in texts(app)
    assert button(app, "Train").disabled
    app.session_state["details"] = False  # what was chosen counts where it is folded away too
    app.run()
    assert "momentum must be above 0 for the nesterov optimiser" in texts(app)
    assert button(app, "Train").disabled


def test_the_runs_page_lists_own_runs_and_examples(engine, store, settings):
    trained(store, settings, spec())
    app = AppTest.from_function(runs_page, default_timeout=60).run()
    assert not app.exception
    table = app.dataframe[0].value
    assert next(iter(table["architecture"])) == "plain"
    assert len(table) == 4
    assert list(table["status"])[1:] == ["example"] * 3


def imported(store, settings, tmp_path, wanted="plain"):
    """A run of the weights of a shipped example."""
    recorded = next(run for run in open_examples().runs() if run.spec.architecture == wanted)
    export_weights(recorded, None, open_examples(), tmp_path / "net.safetensors")
    registry = REGISTRY
    given = tmp_path / "net.safetensors", registry[wanted], {}, registry.dataset("mnist")
    return import_weights(*given, store, registry, settings.cache).run


def test_an_imported_run_is_in_the_table_without_a_recipe(engine, store, settings, tmp_path):
    run = imported(store, settings, tmp_path)
    app = AppTest.from_function(runs_page, default_timeout=60).run()
    assert not app.exception
    row = app.dataframe[0].value.iloc[0]
    assert (row["run"], row["status"], row["recipe"]) == (run.id, "finished", "imported")
    assert (row["epochs"], row["images"]) == ("", "")
    assert isnan(row["seed"])
    assert isnan(row["seconds"])
    assert row["best"] == pytest.approx(100 * run.best_accuracy)


def test_an_imported_run_is_on_the_chart_and_cannot_be_resumed(app, store, settings, tmp_path):
    run = imported(store, settings, tmp_path)
    app.query_params["run"] = run.id
    app.run()
    assert not app.exception
    assert "plain was imported, not trained here: its lines are level" in texts(app)
    assert f"{100 * run.best_accuracy:.2f} %" in plots(app)
    assert [button.key for button in app.button if "resume" in (button.key or "")] == []
    app.multiselect(key="picker").set_value([run.id, open_examples().runs()[0].id]).run()
    assert not app.exception
    assert f"plain · mnist · imported {run.spec.imported[:6]}" in app.multiselect[0].options


def test_imported_weights_that_only_guess_are_not_said_to_have_learned_nothing(app, store):
    architecture = REGISTRY["plain"]
    fingerprint = architecture.fingerprint
    spec = RunSpec("plain", {}, "mnist", UNTRAINED, fingerprint, imported="0123456789ab")
    started = Started("cpu", 8490, 10_000, 10_000, 1, 1)
    store.add_imported(spec, started, Epoch(1, 2.3, 0.1, 2.3, 0.1, 0.0, 0.0), b"")
    app.query_params["run"] = spec.id
    app.run()
    assert not app.exception
    assert "**plain** is no better than guessing on mnist. It was imported, and may have" in (
        texts(app)
    )
    assert "learned nothing" not in texts(app)


# Plugins


@pytest.fixture
def folder(engine, monkeypatch, tmp_path, fresh):
    """A folder with more plugins."""
    folder = tmp_path / "more"
    folder.mkdir()
    monkeypatch.setenv("EXPLORER_PLUGINS", str(folder))
    fresh()
    return folder


OWN = '''
from torch import nn
from explorer import hookimpl

@hookimpl
def register_architectures(register):
    register(Own)

class Own(nn.Sequential):
    """A net of my own."""
    def __init__(self, images, width: int = 4):
        pixels = images.size**2 * images.channels
        super().__init__(nn.Flatten(), nn.Linear(pixels, images.num_classes))
'''


def test_the_plugins_page_shows_what_is_broken_its_sentence_first(folder):
    (folder / "unfinished.py").write_text("import nosuchmodule\n")
    while state.plugins().loading:  # on a busy machine, the page would say that it still is
        time.sleep(0.05)
    app = AppTest.from_function(plugins_page, default_timeout=60).run()
    assert not app.exception
    assert "1 is broken" in texts(app)
    assert "It imports 'nosuchmodule', which is not installed" in texts(app)
    assert "import nosuchmodule" in app.code[0].value
    architectures, datasets = (frame.value for frame in app.dataframe[-2:])
    assert "residual-as-printed" in list(architectures["architecture"])
    assert next(iter(datasets["data set"])) == "mnist"


def test_the_plugins_page_shows_checks_diagram_and_source(folder):
    (folder / "own.py").write_text(OWN)
    app = AppTest.from_function(plugins_page, default_timeout=60)
    app.query_params["show"] = "own"
    app.run()
    assert "own is being checked" in texts(app)
    deadline = time.monotonic() + 120
    while "is being checked" in texts(app):
        assert time.monotonic() < deadline
        time.sleep(0.5)
        app.run()
    assert not app.exception
    assert "**branches** It has no branches" in texts(app)
    assert "**learns** The loss falls from" in texts(app)
    assert f"own.py:{1 + OWN.splitlines().index('class Own(nn.Sequential):')}" in texts(app)
    assert [*app.dataframe[0].value["layer"]] == ["0", "1"]
    assert OWN.strip() in [code.value for code in app.code]
    assert "flatten" in plots(app)


def test_checks_that_come_to_no_report_give_a_sentence(folder, monkeypatch):
    sentence = reports._run_checks(str(folder / "nowhere.py"), "own")
    assert sentence.startswith(
        "The checks came to no report: There is no file and no importable module"
    )
    monkeypatch.setattr(reports, "SECONDS", 0.01)
    assert "were given up" in reports._run_checks(str(folder / "nowhere.py"), "own")


LEAVES = """
from pathlib import Path

from explorer import hookimpl, image_folder

@hookimpl
def register_datasets(register):
    register(image_folder("leaves", Path(__file__).parent / "pictures", size=4))
"""


@pytest.fixture
def leaves(folder):
    """A data set of two pictures in each of two folders."""
    for number in range(4):
        picture = folder / "pictures" / "ab"[number % 2] / f"{number}.png"
        picture.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (4, 4), (number, 0, 0)).save(picture)
    (folder / "leaves.py").write_text(LEAVES)
    return folder / "pictures"


def report(text, training_images=2):
    finding = {"check": "reads", "verdict": "ok", "text": text, "place": ""}
    return {"findings": [finding], "training_images": training_images}


def checked(app):
    """Run a page until all that it shows has been checked."""
    deadline = time.monotonic() + 60
    while "is being checked" in texts(app.run()):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert not app.exception
    return texts(app)


def leaves_page():
    app = AppTest.from_function(plugins_page, default_timeout=60)
    app.query_params["show"] = "leaves (data)"
    return app


def test_a_data_set_is_checked_again_once_its_pictures_have_changed(leaves, monkeypatch):
    asked = []

    def count(*target_and_name):
        asked.append(target_and_name)
        return report(f"{len(list(leaves.rglob('*.png')))} pictures.")

    monkeypatch.setattr(reports, "_run_checks", count)
    app = leaves_page()
    assert "4 pictures." in checked(app)
    (leaves / "a" / "9.png").write_bytes((leaves / "a" / "0.png").read_bytes())
    assert "5 pictures." in checked(app)
    assert asked == [(str(leaves.parent / "leaves.py"), "leaves")] * 2


@pytest.mark.parametrize(
    "failure",
    [
        "The checks took longer than 5 minutes and were given up.",
        report("The network is away.", training_images=0),
    ],
    ids=["no report", "a data set that could not be read"],
)
def test_an_outcome_that_may_be_another_next_time_is_not_kept(leaves, monkeypatch, failure):
    outcomes = [failure, report("4 pictures.")]
    monkeypatch.setattr(reports, "_run_checks", lambda *_: outcomes.pop(0))
    app = leaves_page()
    assert (failure if isinstance(failure, str) else "The network is away.") in checked(app)
    app.button(key="check again").click()
    assert "4 pictures." in checked(app)
    assert not any(button.key == "check again" for button in app.button)
    assert "4 pictures." in checked(app)


def test_a_reload_is_offered_once_the_files_of_a_data_set_have_changed(app, leaves):
    app.run()
    assert "have changed" not in texts(app)
    (leaves / "a" / "0.png").unlink()
    state.changed_datasets.clear()
    app.run()
    assert "The files of `leaves` have changed." in texts(app)
    app.button(key="reload").click().run()
    assert not app.exception
    assert "have changed" not in texts(app)


def test_a_data_set_that_is_not_here_is_not_downloaded_to_be_looked_at(folder, monkeypatch):
    monkeypatch.setenv("EXPLORER_CACHE", str(folder / "cache"))
    app = AppTest.from_function(plugins_page, default_timeout=60)
    app.query_params["show"] = "kmnist (data)"
    app.run()
    assert not app.exception
    assert "It is examined once it is here" in texts(app)
    assert any("register_datasets" in code.value for code in app.code)


def test_an_edited_plugin_is_offered_to_be_reloaded_and_then_is_new(app, folder):
    (folder / "own.py").write_text(OWN)
    app.query_params["architecture"] = "own"
    app.run()
    assert "A net of my own." in texts(app)
    assert "has changed" not in texts(app)
    (folder / "own.py").write_text(OWN.replace("my own", "my very own"))
    state.changed_plugins.clear()
    app.run()
    assert "The code of `own` has changed." in texts(app)
    assert "A net of my own." in texts(app)
    app.button(key="reload").click().run()
    assert not app.exception
    assert "A net of my very own." in texts(app)
    assert "has changed" not in texts(app)


def test_a_plugin_that_takes_long_to_load_is_named_and_holds_up_no_page(app, folder, monkeypatch):
    monkeypatch.setattr("explorer.engines.plugins.PATIENCE", 0.1)
    waits = f"""
import pathlib, time
while not pathlib.Path({str(folder / "go")!r}).exists():
    time.sleep(0.05)
"""
    (folder / "own.py").write_text(waits + OWN)
    app.run()
    assert not app.exception
    assert "Still being loaded: `own`" in texts(app)
    assert '"own"' not in offered(app)
    (folder / "go").touch()
    assert "own" in state.plugins().whole_catalogue.architectures
    app.run()
    assert "Still being loaded" not in texts(app)
    assert '"own"' in offered(app)


def test_a_plugin_that_is_broken_by_an_edit_is_named_after_the_reload(app, folder):
    (folder / "own.py").write_text(OWN)
    app.run()
    broken = OWN.replace("nn.Flatten", "nn.Flat")
    (folder / "own.py").write_text(broken)
    state.changed_plugins.clear()
    app.run()
    app.button(key="reload").click().run()
    assert not app.exception
    lines = list(enumerate(broken.splitlines(), 1))
    first = next(n for n, text in lines if text.startswith("class Own"))
    line = next(n for n, text in lines if "nn.Flat(" in text)
    assert f"own is broken: Own (line {first}): It raised AttributeError, line {line}:" in texts(
        app
    )
    assert "own is broken" not in texts(app.run())


def test_a_network_for_colour_is_offered_grey_images_and_says_so(app, folder):
    (folder / "own.py").write_text(
        OWN.replace("(self, images, width: int = 4)", "(self, num_classes)")
        .replace("images.size**2 * images.channels", "3 * 28 * 28")
        .replace("images.num_classes", "num_classes")
    )
    app.query_params["architecture"] = "own"
    app.run()
    assert not app.exception
    assert (
        "own takes colour images: those of MNIST are grey, so it is given their grey in each of "
        "its three channels."
    ) in texts(app)


def test_runs_with_earlier_code_keep_their_fingerprint_and_say_so(folder, store, settings):
    (folder / "own.py").write_text(OWN)
    registry = discover([folder])
    recipe = preset("fast").changed(train_size=64)
    before = registry["own"].fingerprint
    run = store.claim(store.add(RunSpec("own", {"width": 4}, "mnist", recipe, before)).id, "me")
    for _ in perform(run, "me", store, registry, settings):
        pass
    page = AppTest.from_file("../../explorer/ui/entry/script.py", default_timeout=60)
    page.query_params["run"] = run.id
    assert "earlier code" not in texts(page.run())
    table = AppTest.from_function(runs_page, default_timeout=60).run().dataframe[0].value
    assert next(iter(table["code"])) == before[:6]

    (folder / "own.py").write_text(OWN + "# edited\n")
    state.reload_plugins()
    assert f"own was trained with earlier code (`{before[:6]}`)" in texts(page.run())
    table = AppTest.from_function(runs_page, default_timeout=60).run().dataframe[0].value
    assert next(iter(table["code"])) == f"{before[:6]} (earlier)"
    assert not any("earlier" in code for code in list(table["code"])[1:])


def test_a_setting_that_cannot_be_gets_a_sentence(app, monkeypatch):
    monkeypatch.setenv("EXPLORER_TIME_LIMIT", "soon")
    state.settings.clear()
    app.run()
    assert not app.exception
    assert "EXPLORER_TIME_LIMIT" in texts(app)


def test_an_architecture_that_was_broken_and_is_mended_is_chosen_again(app, folder):
    (folder / "own.py").write_text(OWN)
    app.query_params["architecture"] = "own"
    app.run()
    for code in (OWN.replace("nn.Flatten", "nn.Flat"), OWN):
        (folder / "own.py").write_text(code)
        state.changed_plugins.clear()
        app.run()
        app.query_params["architecture"] = "own"
        app.button(key="reload").click().run()
        assert not app.exception
        broken = code != OWN
        assert app.session_state["architecture"] == ("residual" if broken else "own")


def test_runs_of_one_s_own_are_offered_where_none_is_on_the_chart(app, store):
    app.run()
    assert "No run yet: press **Train**" in texts(app)
    run = store.add(spec())
    app.query_params.pop("run", None)
    app.run()
    assert "Add one of your runs above" in texts(app)
    assert run.title in app.multiselect(key="picker").options


# What a page costs, in things that can be counted.


@pytest.fixture
def drawn(monkeypatch):
    """The names of the figures that were drawn, one after the other."""
    names = []
    for name in ("accuracy_curves", "loss_curves", "network_svg"):
        original = getattr(state, name)

        def draw(*given, name=name, original=original, **options):
            names.append(name)
            return original(*given, **options)

        monkeypatch.setattr(state, name, draw)
    state._drawing.clear()
    state._recorded_curves.clear()
    state._live_curves.clear()
    return names


def test_what_is_over_is_drawn_once_however_often_the_page_runs(app, drawn):
    app.run()
    assert sorted(drawn) == ["accuracy_curves", "network_svg"], "the loss is folded away"
    app.run().run()
    assert len(drawn) == 2


def test_a_live_run_is_drawn_once_a_step_however_many_watch(app, drawn, store, monkeypatch):
    app.run()  # what takes long at first, so that the lease of the run does not end meanwhile
    run = store.add(spec())
    store.claim(run.id, "worker")
    store.begin(run.id, "worker")
    store.append(run.id, "worker", Started("cpu", 8490, 256, 1000, 4, 1))
    watchers = [AppTest.from_file(SCRIPT, default_timeout=60) for _ in range(2)]
    monkeypatch.setattr("explorer.ui.live.SHARED_SECONDS", 0.0)  # all read, on a slow machine too
    read = []
    steps = store.steps
    monkeypatch.setattr(
        state.following()._store,
        "steps",
        lambda *given, **at: read.append(steps(*given, **at)) or read[-1],
    )
    for step in (1, 2, 3):
        store.append(run.id, "worker", Step(step, 1, 1.0, 0.5, 0.01, 9000.0, 64))
        drawn.clear()
        read.clear()
        for watcher in (*watchers, *watchers):
            store.renew("worker")
            watcher.query_params["run"] = run.id
            watcher.run()
            assert not watcher.exception
        assert [name for name in drawn if name != "network_svg"] == ["accuracy_curves"]
        assert len(read) == 4
        # What is known is not read again, but for the last step, by which a resumed run is seen.
        assert sum(map(len, read)) == (1 + 3 if step == 1 else 2 + 3)


@pytest.mark.parametrize("is_operator", [True, False])
def test_only_who_may_reload_asks_whether_there_is_something_to(app, monkeypatch, is_operator):
    asked = []
    assert state.plugins().whole_catalogue.architectures, "nothing is still being loaded"
    monkeypatch.setattr(state, "changed_plugins", lambda: asked.append("plugins") or [])
    monkeypatch.setattr("explorer.ui.failure.sees_everything", lambda: is_operator)
    app.run()
    assert not app.exception
    assert bool(asked) is is_operator


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
    assert 0 < len([statement for statement in asked if "SELECT" in statement]) <= 8, asked
