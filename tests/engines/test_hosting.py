"""What a visitor may do with runs, and the sentence that refuses more."""

from dataclasses import dataclass, replace
from types import SimpleNamespace

import pytest

from explorer.data.dataset import UnknownDataSetError
from explorer.engines.asking import AnswerError
from explorer.engines.children import Nursery
from explorer.engines.hosting import Hosting, NotYoursError
from explorer.engines.limits import LimitError, demand_memory, most_epochs, recipe_ends
from explorer.engines.local import LocalEngine
from explorer.engines.plugins import Plugins
from explorer.plugin.catalogue import UnknownArchitectureError
from explorer.runs.keeping import make_room, pin, pinned
from explorer.runs.run import Status, UnknownRunError, spec_of
from explorer.runs.store import RunStore
from explorer.runs.wishes import wished_by
from explorer.settings import Settings
from explorer.training.events import Checkpoint, Epoch, Moment
from explorer.training.recipe import preset


@dataclass(frozen=True)
class Person:
    id: str
    is_operator: bool = False


ANN, BOB, OPERATOR = Person("ann"), Person("bob"), Person("op", is_operator=True)


class IdleChild(SimpleNamespace):
    """A process that trains nothing, until the test ends it."""


class Queue(LocalEngine):
    """An engine whose runs wait for ever."""

    def _serve(self):
        pass


@pytest.fixture(scope="module")
def nursery():
    nursery = Nursery()
    yield nursery
    nursery.close()


@pytest.fixture
def host(nursery, tmp_path, cache, mnist):
    """Begin a hosted app with these limits."""
    opened = []

    def host(**limits):
        settings = Settings(
            hosted=True,
            database_url=f"sqlite:///{tmp_path / 'runs.sqlite'}",
            cache=cache,
            **{"run_memory": None, **limits},
        )
        store, plugins = RunStore(settings.database_url), Plugins(nursery, settings)
        engine = Queue(store, settings, nursery, plugins.needed)
        hosting = Hosting(store, settings, plugins, lambda: engine)
        opened.append((engine, plugins, store))
        return SimpleNamespace(hosting=hosting, engine=engine, store=store, plugins=plugins)

    yield host
    for engine, plugins, store in opened:
        engine.close()
        plugins.close()
        store.close()


def spec(app, name="plain", values=None, **changes):
    catalogue = app.plugins.whole_catalogue
    recipe = preset("fast").changed(**{"train_size": 500, **changes})
    return spec_of(catalogue[name], values or {}, catalogue.dataset("mnist"), recipe)


def test_a_visitor_s_run_is_theirs_and_nobody_else_stops_or_deletes_it(host):
    app = host()
    run = app.hosting.submit(spec(app), ANN)
    assert run.status is Status.QUEUED
    assert app.hosting.mine(ANN) == {run.id: True}
    assert app.hosting.mine(BOB) == {}
    assert app.hosting.mine(OPERATOR) is None
    with pytest.raises(NotYoursError, match="somebody else's"):
        app.hosting.stop(run.id, BOB)
    with pytest.raises(NotYoursError, match="by the operator only"):
        app.hosting.delete(run.id, BOB)
    assert app.hosting.stop(run.id, ANN) is True
    assert app.store.run(run.id).status is Status.PAUSED


def test_a_run_that_two_asked_for_goes_on_for_the_other(host):
    app = host()
    one, other = app.hosting.submit(spec(app), ANN), app.hosting.submit(spec(app), BOB)
    assert one.id == other.id
    [task] = app.engine.queue()
    assert task.visitors == {"ann", "bob"}
    with pytest.raises(NotYoursError):
        app.hosting.delete(one.id, ANN)
    assert app.hosting.stop(one.id, ANN) is False
    assert app.store.run(one.id).status is Status.QUEUED
    assert app.engine.queue()[0].visitors == {"bob"}
    assert app.hosting.stop(one.id, BOB) is True
    assert app.store.run(one.id).status is Status.PAUSED


def test_the_operator_stops_and_deletes_anybody_s(host):
    app = host()
    run = app.hosting.submit(spec(app), ANN)
    assert app.hosting.stop(run.id, OPERATOR) is True
    app.hosting.delete(run.id, OPERATOR)
    with pytest.raises(UnknownRunError):
        app.store.run(run.id)
    assert wished_by(app.store, "ann") == {}


def test_lists_show_all_finished_runs_and_one_s_own(host):
    app = host()
    done, mine, theirs = (app.store.add(spec(app, seed=seed)) for seed in range(3))
    app.store.claim(done.id, "x")
    app.store.end(done.id, "x", Status.FINISHED)
    app.hosting.submit(mine.spec, ANN)
    app.hosting.submit(theirs.spec, BOB)
    runs = app.store.runs()
    assert len(runs) == 3
    assert {run.id for run in app.hosting.shown(runs, ANN)} == {done.id, mine.id}
    assert app.hosting.shown(runs, OPERATOR) == runs


def finished(app, seed, megabytes=1):
    """A finished run whose weights take so much."""
    run = app.store.claim(app.store.add(spec(app, seed=seed, epochs=1)).id, "x")
    app.store.begin(run.id, "x")
    weights = Checkpoint(Moment(1), bytes(megabytes * 1_000_000), b"")
    app.store.append(run.id, "x", Epoch(1, 0.1, 0.9, 0.1, 0.9, 1.0, 1.0, lambda: weights))
    app.store.end(run.id, "x", Status.FINISHED)
    return run.id


def test_a_link_keeps_a_finished_run_and_no_other(host):
    app = host()
    waiting = app.hosting.submit(spec(app), ANN)
    for who in (ANN, OPERATOR):
        with pytest.raises(LimitError, match="not finished, so it is not kept for the link"):
            app.hosting.pin(waiting.id, who)
    with pytest.raises(UnknownRunError):
        app.hosting.pin("nosuchrun", ANN)
    done = finished(app, 1)
    for who in (ANN, BOB):
        app.hosting.pin(done, who)
    assert pinned(app.store) == {done: "ann"}
    assert make_room(app.store, 0) == []
    assert app.store.run(done).status is Status.FINISHED


def test_one_visitor_keeps_so_many_runs_and_the_operator_any_number(host):
    app = host(pins_per_visitor=2)
    runs = [finished(app, seed) for seed in range(4)]
    for id in (*runs[:2], runs[0]):
        app.hosting.pin(id, ANN)
    with pytest.raises(LimitError, match="2 runs are kept for links of yours, as many as"):
        app.hosting.pin(runs[2], ANN)
    app.hosting.pin(runs[2], BOB)
    app.hosting.pin(runs[3], OPERATOR)
    assert set(pinned(app.store)) == set(runs)


def test_visitors_cannot_fill_the_disk_with_what_links_keep(host):
    app = host(pins_disk=5)
    runs = [finished(app, seed, megabytes=2) for seed in range(3)]
    pin(app.store, finished(app, 3, megabytes=4))  # the operator's, by `explorer warm`
    for id, who in zip(runs[:2], (ANN, BOB), strict=True):
        app.hosting.pin(id, who)
    with pytest.raises(LimitError, match="the 5 MB for runs that links keep are used here"):
        app.hosting.pin(runs[2], Person("eve"))
    assert runs[2] not in pinned(app.store)


LARGE = {"epochs": 40}


@pytest.mark.parametrize(
    ("limits", "asked", "sentence"),
    [
        ({"max_epochs": 3}, {"epochs": 4}, "A run may have 3 epochs here, not 4."),
        (
            {"max_image_epochs": 100_000},
            {"epochs": 2, "train_size": None},
            "A run may train on 100,000 images here, counted once for each epoch; this one asks "
            "for 120,000. Possible are 1 epoch of these images, or 50,000 images in 2 epochs.",
        ),
        (
            {"max_image_epochs": 400},
            {},
            "A run may train on 400 images here, counted once for each epoch; this one asks for "
            "500. Possible are 400 images in 1 epoch.",
        ),
        (
            {"max_parameters": 8000},
            {},
            "A network may have 8,000 parameters here; with these options it has 8,490. Choose a "
            "smaller one.",
        ),
        (
            {"max_macs": 1000},
            {},
            "A network may take 1,000 multiply-adds for an image here; with these options it takes",
        ),
    ],
)
def test_a_run_over_a_limit_is_refused_with_what_is_possible_and_leaves_nothing(
    host, limits, asked, sentence
):
    app = host(**limits)
    large = spec(app, **asked)
    with pytest.raises(LimitError) as caught:
        app.hosting.submit(large, ANN)
    assert str(caught.value).startswith(sentence)
    assert app.store.runs() == []
    drawn = app.plugins.draw("plain", {}, "mnist")
    assert app.hosting.refusal(large, drawn, ANN) == str(caught.value)
    assert app.hosting.refusal(large, drawn, OPERATOR) == ""
    assert app.hosting.submit(large, OPERATOR).status is Status.QUEUED


def test_a_visitor_has_so_many_runs_at_once_and_all_have_so_many(host):
    app = host(queue_per_visitor=2, queue_total=3)
    for seed in range(2):
        app.hosting.submit(spec(app, seed=seed), ANN)
    with pytest.raises(LimitError, match="You have 2 runs that wait or are trained"):
        app.hosting.submit(spec(app, seed=2), ANN)
    app.hosting.submit(spec(app, seed=0), ANN)  # the same again is no more
    app.hosting.submit(spec(app, seed=3), BOB)
    with pytest.raises(LimitError, match="3 runs wait, as many as are possible here"):
        app.hosting.submit(spec(app, seed=4), BOB)
    app.hosting.stop(spec(app, seed=0).id, ANN)
    app.hosting.submit(spec(app, seed=4), BOB)
    assert len(app.engine.queue()) == 3


def test_what_is_not_offered_is_neither_shown_nor_trained(host):
    app = host(offered_plugins=("plain", "mlp"), offered_datasets=("mnist",))
    offered = app.hosting.offered(ANN)
    assert list(offered.architectures) == ["mlp", "plain"]
    assert list(offered.datasets) == ["mnist"]
    assert len(app.hosting.offered(OPERATOR).architectures) > 2
    with pytest.raises(UnknownArchitectureError, match="There is no architecture 'residual'"):
        app.hosting.submit(spec(app, "residual"), ANN)
    with pytest.raises(UnknownDataSetError, match="There is no data set 'kmnist'"):
        app.hosting.submit(replace(spec(app), dataset="kmnist"), ANN)
    assert app.hosting.submit(spec(app), ANN).status is Status.QUEUED


def test_the_memory_of_a_step_is_measured_and_limits_the_batch(host):
    app = host(run_memory=10_000)
    small = app.plugins.step_memory(spec(app, batch_size=16))
    large = app.plugins.step_memory(spec(app, batch_size=500))
    assert 0 <= small < large
    limited = host(run_memory=1)
    with pytest.raises((LimitError, AnswerError), match="smaller"):
        limited.hosting.submit(spec(limited, batch_size=500), ANN)
    assert limited.store.runs() == []


def test_a_refusal_for_memory_names_a_batch_that_fits():
    settings = Settings(run_memory=1000)
    demand_memory(settings, 999, 64)
    with pytest.raises(LimitError, match="Choose a batch of about 32 images"):
        demand_memory(settings, 2000, 64)
    with pytest.raises(LimitError, match="Choose a smaller network"):
        demand_memory(settings, 100_000, 64)
    demand_memory(Settings(), 10**9, 64)


def test_the_most_epochs_follow_from_both_limits():
    settings = Settings(max_epochs=10, max_image_epochs=300_000)
    assert most_epochs(settings, 60_000) == 5
    assert most_epochs(settings, 100) == 10
    assert most_epochs(settings, None) == 10
    assert most_epochs(Settings(), 60_000) is None
    assert recipe_ends(settings) == {"epochs": 10}
    assert recipe_ends(Settings()) == {}
