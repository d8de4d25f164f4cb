import threading
import time
from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch
from torch import nn

from explorer.data.cache import DataError
from explorer.data.loader import Data, Split
from explorer.engines import training
from explorer.engines.ownership import leased, new_owner
from explorer.engines.perform import ChangedPluginError, perform
from explorer.plugin.registry import discover
from explorer.runs.run import RunSpec, Status
from explorer.runs.store import LEASE_SECONDS, RunStore
from explorer.spec import ImageSpec
from explorer.training.events import Checkpoint, Epoch, Moment, Started, Step, Update
from explorer.training.loop import train
from explorer.training.recipe import PRESETS, Recipe

PLUGIN = """
import sys

from torch import nn

from explorer import hookimpl


@hookimpl
def register_architectures(register):
    register(Misfit)


CALLS = []


class Misfit(nn.Module):
    def __init__(self, images):
        super().__init__()
        self.norm = nn.BatchNorm2d(images.channels)
        self.linear = nn.Linear(images.channels * images.size**2, images.num_classes)
        self.dropout = nn.Dropout(0.2)

    def forward(self, x):
        if self.training and len(x) > 2:  # a plugin is tried on two images when it is loaded
            {deed}
        return self.linear(self.dropout(self.norm(x).flatten(1)))
"""
DEED_LINE = 1 + PLUGIN.splitlines().index("            {deed}")


@pytest.fixture
def data(monkeypatch):
    """Few and small images, in place of the real ones."""
    generator = torch.Generator().manual_seed(0)

    def split(length):
        return Split(
            torch.randint(256, (length, 1, 8, 8), generator=generator).to(torch.uint8),
            torch.randint(10, (length,), generator=generator),
            torch.full((1, 1, 1), 0.5),
            torch.full((1, 1, 1), 0.3),
        )

    data = Data(ImageSpec(1, 8, 10), split(100), split(50))
    monkeypatch.setattr("explorer.engines.perform.load_data", lambda *_: data)
    return data


@pytest.fixture
def ask(tmp_path, data, store, settings):
    """Have a plugin whose training forward does `deed`, and ask for a run of it."""

    def ask(deed="pass", **recipe):
        (tmp_path / "plugins").mkdir(exist_ok=True)
        (tmp_path / "plugins" / "misfit.py").write_text(PLUGIN.format(deed=deed), encoding="utf-8")
        registry = discover([tmp_path / "plugins"])
        spec = RunSpec(
            "misfit",
            {},
            "mnist",
            Recipe(**{"epochs": 3, "batch_size": 4, **recipe}),
            registry["misfit"].fingerprint,
        )
        run = store.claim(store.add(spec).id, "me")

        def start(steps=None):
            return perform(store.run(run.id), "me", store, registry, settings, steps)

        return run, start

    return ask


def numbers(event):
    if isinstance(event, Epoch):
        return replace(event, seconds=0.0, images_per_second=0.0, checkpoint=None)
    return event


def test_a_run_whose_events_run_out_is_finished_and_all_is_recorded(ask, store):
    run, start = ask()
    events = list(start())
    found = store.run(run.id)
    assert (found.status, found.reason) == (Status.FINISHED, "")
    assert found.started == events[0]
    assert found.epochs == tuple(event for event in events if isinstance(event, Epoch))
    assert store.steps(run.id) == [event for event in events if isinstance(event, Step)]
    assert store.kept_epochs(run.id) == [1, 2, 3]


def test_each_event_is_in_the_store_before_it_is_passed_on(ask, store):
    run, start = ask()
    for event in start():
        found = store.run(run.id)
        assert found.status is Status.RUNNING
        match event:
            case Started():
                assert found.started == event
            case Step():
                assert store.steps(run.id)[-1] == event
            case Epoch():
                assert found.epochs[-1] == event
                assert store.checkpoint(run.id) == event.checkpoint()


def test_the_numbers_are_those_of_training_a_network_built_with_the_run_s_seed(
    ask, store, data, tmp_path
):
    run, start = ask(seed=7)
    recorded = [numbers(event) for event in start() if isinstance(event, Epoch)]
    torch.manual_seed(7)
    model = discover([tmp_path / "plugins"])["misfit"].build(data.spec)
    events = train(model, data, run.spec.recipe)
    assert recorded == [numbers(event) for event in events if isinstance(event, Epoch)]


def test_a_run_that_is_closed_is_paused_and_goes_on_from_that_step_to_the_same_numbers(ask, store):
    run, start = ask()
    whole = [numbers(event) for event in start() if isinstance(event, Epoch)]
    weights = store.weights(run.id, Moment(3))
    store.delete(run.id)

    run, start = ask()
    events = start()
    while not (isinstance(last := next(events), Step) and len(store.run(run.id).epochs) == 1):
        pass
    events.close()
    paused = store.run(run.id)
    assert paused.status is Status.PAUSED
    assert [numbers(epoch) for epoch in paused.epochs] == whole[:1]
    assert paused.kept == Moment(2, last.step)
    assert store.moments(run.id) == [Moment(1), Moment(2, last.step)]
    assert paused.seconds > sum(epoch.seconds for epoch in paused.epochs)

    store.claim(run.id, "me")
    assert store.steps(run.id)[-1] == last
    resumed = list(start())
    assert resumed[0].finished_epochs == 1
    assert resumed[1].step > last.step
    found = store.run(run.id)
    assert found.status is Status.FINISHED
    assert [numbers(epoch) for epoch in found.epochs] == whole
    assert store.weights(run.id, Moment(3)) == weights
    steps = [step.step for step in store.steps(run.id)]
    assert steps == sorted(set(steps))
    assert steps[-1] == 75


def test_whoever_breaks_off_stops_the_run_even_without_closing_it(ask, store):
    run, start = ask()
    for _ in start():
        break
    assert store.run(run.id).status is Status.PAUSED


def test_a_stop_that_is_asked_for_pauses_the_run_at_its_next_report(ask, store):
    run, start = ask()
    events = start()
    while not isinstance(next(events), Epoch):
        pass
    before = len(store.steps(run.id))
    store.request_stop(run.id)
    (last,) = events
    found = store.run(run.id)
    assert found.status is Status.PAUSED
    assert len(found.epochs) == 1
    assert len(store.steps(run.id)) == before + 1
    assert found.kept == Moment(2, last.step)
    assert store.weights(run.id, found.kept) == last.checkpoint().weights


def test_steps_are_taken_one_by_one_to_the_same_numbers(ask, store):
    run, start = ask()
    whole = [numbers(event) for event in start() if isinstance(event, Epoch)]
    weights = store.weights(run.id, Moment(3))
    store.delete(run.id)

    run, start = ask()
    for number in (1, 2, 3):
        happened = list(start(steps=1))
        assert [type(event) for event in happened][-2:] == [Update, Step]
        assert happened[-1].step == number
        assert store.run(run.id).status is Status.PAUSED
        assert store.run(run.id).kept == Moment(1, number)
        store.claim(run.id, "me")
    updates = store.updates(run.id)
    assert [update.step for update in updates] == [1, 2, 3]
    assert all(len(update.images) == len(update.losses) == 4 for update in updates)
    assert all(norm > 0 for norm in updates[-1].updates.values())
    list(start())
    assert [numbers(epoch) for epoch in store.run(run.id).epochs] == whole
    assert store.weights(run.id, Moment(3)) == weights


def test_a_step_that_ends_the_run_finishes_it(ask, store):
    run, start = ask()
    list(start(steps=74))
    assert store.run(run.id).kept == Moment(3, 74)
    store.claim(run.id, "me")
    happened = list(start(steps=1))
    assert store.run(run.id).kept == Moment(3, 75)
    store.claim(run.id, "me")
    assert isinstance(list(start(steps=1))[-1], Epoch)
    assert store.run(run.id).status is Status.FINISHED
    assert isinstance(happened[-1], Step)


def test_a_training_is_kept_now_and_then(ask, store, monkeypatch):
    monkeypatch.setattr("explorer.engines.perform.KEEP_SECONDS", 0.0)
    monkeypatch.setattr("explorer.engines.perform.KEEP_SHARE", 1e9)
    run, start = ask("CALLS.append(1)\n            if len(CALLS) == 47: 1 / 0")
    with pytest.raises(ZeroDivisionError):
        list(start())
    failed = store.run(run.id)
    assert failed.status is Status.FAILED
    assert failed.kept == Moment(2, store.steps(run.id)[-1].step)


@pytest.mark.parametrize(
    ("deed", "error", "reason"),
    [
        ("1 / 0", ZeroDivisionError, "It raised ZeroDivisionError, line {line}: division by zero."),
        (
            "raise LookupError",
            LookupError,
            "It raised LookupError, line {line}: without a message.",
        ),
        (
            "sys.exit(3)",
            SystemExit,
            "It ends the program (sys.exit) where it should only define things; remove that.",
        ),
    ],
    ids=["an error", "an error without a message", "an exit"],
)
def test_what_a_network_raises_fails_the_run_with_a_sentence_and_reaches_the_caller(
    ask, store, deed, error, reason
):
    run, start = ask(deed)
    with pytest.raises(error):
        list(start())
    found = store.run(run.id)
    assert found.status is Status.FAILED
    assert found.reason == reason.format(line=DEED_LINE)
    assert found.status.is_resumable


def test_the_traceback_of_a_failed_run_is_kept_and_logged(ask, store, caplog):
    run, start = ask("1 / 0")
    with pytest.raises(ZeroDivisionError):
        list(start())
    trace = store.run(run.id).traceback
    assert trace.startswith("Traceback (most recent call last)")
    assert f'misfit.py", line {DEED_LINE}, in forward' in trace
    assert trace.endswith("ZeroDivisionError: division by zero")
    [record] = [record for record in caplog.records if record.levelname == "ERROR"]
    assert record.getMessage() == f"Run {run.id} failed"
    assert record.exc_info[0] is ZeroDivisionError


def test_a_fault_of_ours_fails_the_run_and_is_said_to_be_ours(ask, store, monkeypatch):
    run, start = ask()
    monkeypatch.setattr(RunStore, "checkpoint", lambda *_: ("one",))
    with pytest.raises(AttributeError):
        list(start())
    assert store.run(run.id).reason.startswith(
        "The explorer itself failed, not a plugin: AttributeError in training/"
    )


def test_a_lease_that_cannot_be_renewed_is_logged(settings, impatient, caplog):
    store = Watched(settings.database_url)
    store.failures = 1
    with leased(store, lambda: ["me"]):
        while not store.renewals:
            time.sleep(0.001)
    assert "A lease could not be renewed" in caplog.text
    store.close()


def test_an_interrupt_stops_the_run_and_reaches_the_caller(ask, store):
    run, start = ask("raise KeyboardInterrupt")
    with pytest.raises(KeyboardInterrupt):
        list(start())
    assert (store.run(run.id).status, store.run(run.id).reason) == (Status.PAUSED, "")


def test_a_loss_that_is_no_number_fails_the_run_with_that_reason(ask, store):
    run, start = ask("x = x * float('inf')")
    with pytest.raises(FloatingPointError):
        list(start())
    found = store.run(run.id)
    assert found.status is Status.FAILED
    assert found.reason == (
        "The loss is nan at the first step, before anything is learned: the network itself "
        "answers so. Look in it for a division by 0, for a logarithm or a root of what may be 0 "
        "or less, and for initial weights that are too large."
    )


def test_data_that_cannot_be_read_fail_the_run_with_their_own_sentence(ask, store, monkeypatch):
    def unreachable(*_):
        raise DataError("KMNIST could not be read from far away.")

    run, start = ask()
    monkeypatch.setattr("explorer.engines.perform.load_data", unreachable)
    with pytest.raises(DataError):
        list(start())
    found = store.run(run.id)
    assert (found.status, found.reason) == (
        Status.FAILED,
        "KMNIST could not be read from far away.",
    )


def test_a_plugin_that_was_edited_since_fails_the_run_and_says_so(ask, store, tmp_path, settings):
    run, _ = ask()
    (tmp_path / "plugins" / "misfit.py").write_text(PLUGIN.format(deed="...") + "\nedited = 1\n")
    with pytest.raises(ChangedPluginError):
        list(perform(run, "me", store, discover([tmp_path / "plugins"]), settings))
    found = store.run(run.id)
    assert found.status is Status.FAILED
    assert found.reason == (
        f"The code of misfit ({tmp_path / 'plugins' / 'misfit.py'}) has changed since this run "
        "began; start a new run with the current code."
    )
    assert found.started is None


def test_images_that_have_changed_since_fail_the_run_and_say_so(ask, store, settings, tmp_path):
    run, _ = ask()
    registry = discover([tmp_path / "plugins"])
    later = replace(registry.dataset("mnist"), version="2")
    registry = replace(registry, datasets={"mnist": later})
    with pytest.raises(ChangedPluginError):
        list(perform(run, "me", store, registry, settings))
    assert store.run(run.id).reason == (
        "The images of MNIST have changed since this run began; start a new run with the current "
        "ones."
    )


def test_a_plugin_that_is_gone_fails_the_run_and_says_what_there_is(ask, store, settings):
    run, _ = ask()
    with pytest.raises(LookupError):
        list(perform(run, "me", store, discover(), settings))
    found = store.run(run.id)
    assert found.status is Status.FAILED
    assert found.reason.startswith("There is no architecture 'misfit'; there are ")
    assert "plain" in found.reason


def test_a_checkpoint_that_does_not_fit_fails_the_run_with_a_sentence(ask, store):
    run, start = ask()
    store.begin(run.id, "me")
    nothing = b"\x02\0\0\0\0\0\0\0{}"  # no tensor at all
    taken = Checkpoint(Moment(1), nothing, nothing)
    store.append(run.id, "me", Epoch(1, 0.1, 0.9, 0.1, 0.9, 1.0, 9.0, lambda: taken))
    store.end(run.id, "me", Status.PAUSED)
    store.claim(run.id, "me")
    with pytest.raises(ValueError, match="do not fit"):
        list(start())
    assert store.run(run.id).reason.startswith("The recorded weights do not fit Misfit: ")


def test_one_who_does_not_own_the_run_trains_nothing_and_changes_nothing(
    ask, store, settings, tmp_path
):
    run, _ = ask()
    registry = discover([tmp_path / "plugins"])
    assert list(perform(run, "another", store, registry, settings)) == []
    assert store.run(run.id) == run


def test_one_who_loses_the_run_to_another_ends_at_the_next_event(ask, store, monkeypatch):
    run, start = ask()
    events = start()
    next(events)
    clock = SimpleNamespace(time=lambda: time.time() + 2 * LEASE_SECONDS)
    monkeypatch.setattr("explorer.runs.store.time", clock)
    store.claim(run.id, "another")
    assert list(events) == []
    assert store.run(run.id).status is Status.QUEUED


def test_owners_are_unique_and_fit_the_store():
    owners = {new_owner() for _ in range(100)}
    assert len(owners) == 100
    assert all(0 < len(owner) <= 80 for owner in owners)


@pytest.fixture
def impatient(monkeypatch):
    """Renewals come every few milliseconds, and the store's clock does not move."""
    clock = SimpleNamespace(now=1_700_000_000.0)
    clock.time = lambda: clock.now
    monkeypatch.setattr("explorer.runs.store.time", clock)
    monkeypatch.setattr("explorer.engines.ownership.LEASE_SECONDS", 0.02)
    return clock


class Watched(RunStore):
    """A store that counts how often a lease was renewed, and whose first renewals may fail."""

    failures = renewals = 0

    def renew(self, owner):
        if self.failures:
            self.failures -= 1
            raise OSError("the database is away")
        super().renew(owner)
        self.renewals += 1


@pytest.mark.parametrize("failures", [0, 3], ids=["at once", "after some failures"])
def test_a_leased_owner_keeps_its_runs_and_one_that_has_left_loses_them(
    settings, impatient, failures
):
    store = Watched(settings.database_url)
    store.failures = failures
    run = store.claim(store.add(RunSpec("plain", {}, "mnist", Recipe(), "0")).id, "me")
    store.begin(run.id, "me")
    with leased(store, lambda: ["me"]):
        for _ in range(4):
            impatient.now += LEASE_SECONDS - 1
            # Of two renewals the first may have begun before the clock was set forward.
            enough = store.renewals + 2
            while store.renewals < enough:
                time.sleep(0.001)
        assert store.run(run.id).status is Status.RUNNING
        threads = {thread.name for thread in threading.enumerate()}
        assert "lease" in threads
    impatient.now += LEASE_SECONDS + 1
    assert store.run(run.id).status is Status.INTERRUPTED
    assert "lease" not in {thread.name for thread in threading.enumerate()}
    store.close()


def test_a_lease_ends_with_its_block_even_after_an_error(store, impatient):
    with pytest.raises(ZeroDivisionError), leased(store, lambda: ["me"]):
        raise ZeroDivisionError
    assert "lease" not in {thread.name for thread in threading.enumerate()}


def test_a_network_without_anything_to_train_fails_with_a_sentence(ask, store, monkeypatch):
    run, start = ask()
    build = nn.Flatten
    monkeypatch.setattr("explorer.plugin.registry.Architecture.build", lambda *_: build())
    with pytest.raises(ValueError, match="empty parameter list"):
        list(start())
    assert store.run(run.id).status is Status.FAILED
    assert "empty parameter list" in store.run(run.id).reason


def test_a_trainer_is_made_ready_by_a_step_of_each_recipe(settings, mnist, monkeypatch):
    """If that failed, each run would begin later, and its log with a traceback."""
    steps = []

    def watched(model, data, recipe):
        for event in train(model, data, recipe):
            steps.extend([recipe] if isinstance(event, Step) else [])
            yield event

    monkeypatch.setattr(training, "train", watched)
    training._rehearse(settings)
    assert steps == list(PRESETS.values())
