"""Whatever an address, a plugin or a network gives, each database keeps it or has none of it."""

import itertools
import json
import re
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from explorer.errors import ExplorerError
from explorer.runs.run import MissingWeightsError, RunSpec, Status, UnknownRunError
from explorer.runs.store import RunStore, find_run
from explorer.training import events
from explorer.training.events import Checkpoint, Epoch, Gradients, Moment, Started, Step
from explorer.training.recipe import Recipe

TEXTS = st.text(st.characters(exclude_categories=()), max_size=200)  # with NUL and surrogates
SHORT = st.text(st.characters(exclude_categories=()), max_size=12)
NUMBERS = st.integers(-(2**70), 2**70)
FLOATS = st.floats(allow_nan=True, allow_infinity=True)

SPEC = RunSpec("plain", {}, "mnist", Recipe(epochs=3), "0123456789abcdef")
STARTED = Started("cpu", 8490, 60_000, 10_000, steps_per_epoch=40, epochs=3)
EPOCH = Epoch(
    1, 0.5, 0.9, 0.4, 0.9, 2.0, 1000.0, lambda: Checkpoint(Moment(1), b"weights", b"state")
)

any_value = settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@pytest.fixture
def store(database):
    store = RunStore(database.url)
    yield store
    store.close()


seeds = itertools.count()


def begun(store, owner="me"):
    """A run that nobody has asked for before."""
    spec = replace(SPEC, recipe=SPEC.recipe.changed(seed=next(seeds)))
    id = store.claim(store.add(spec).id, owner).id
    store.begin(id, owner)
    return id


def readable(text):
    return re.sub("[\0\ud800-\udfff]", "\ufffd", text)


@any_value
@given(TEXTS | st.from_regex("[0-9a-f]{1,20}"))
def test_any_text_is_the_id_of_a_run_or_of_none(store, text):
    known = store.add(SPEC)
    assert store.runs() == [known]
    assume(text != known.id)
    asks = [store.run, lambda id: store.claim(id, "me")]
    if not known.id.startswith(text):
        asks.append(lambda id: find_run(id, [store]))
    for ask in asks:
        with pytest.raises(UnknownRunError):
            ask(text)
    with pytest.raises(MissingWeightsError):
        store.weights(text, Moment(1))
    assert store.steps(text) == store.scores(text) == store.gradients(text) == []
    assert store.kept_epochs(text) == []
    assert store.checkpoint(text) is None
    assert store.ids(text) == ([known.id] if known.id.startswith(text) else [])
    store.begin(text, "me")
    store.request_stop(text)
    assert not store.append(text, "me", STARTED)
    assert not store.end(text, "me", Status.FAILED)
    store.delete(text)
    assert store.runs() == [known]


@any_value
@given(TEXTS, TEXTS)
def test_any_text_may_own_a_run_and_no_other_text_owns_it(store, owner, other):
    id = begun(store, owner)
    if readable(other) != readable(owner):
        assert not store.append(id, other, STARTED)
        assert not store.end(id, other, Status.FAILED)
    assert store.append(id, owner, STARTED)
    store.renew(owner)
    assert store.end(id, owner, Status.PAUSED)


@any_value
@given(TEXTS, TEXTS)
def test_any_reason_and_traceback_can_be_read_again(store, reason, trace):
    id = begun(store)
    assert store.end(id, "me", Status.FAILED, reason, trace)
    run = store.run(id)
    assert (run.reason, run.traceback) == (readable(reason), readable(trace))


@any_value
@given(
    TEXTS,
    st.dictionaries(
        TEXTS, TEXTS | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    ),
)
def test_any_names_and_options_are_kept_as_they_are(store, name, options):
    spec = replace(SPEC, architecture=name, options=options, dataset=name[::-1])
    run = store.add(spec)
    assert (run.id, run.spec) == (spec.id, spec)
    store.delete(run.id)


@any_value
@given(FLOATS, st.dictionaries(SHORT, FLOATS), TEXTS, st.integers(1, 2**63 - 1))
def test_any_number_that_is_reported_is_kept(store, number, norms, note, step):
    id = begun(store)
    happened = [
        replace(STARTED, note=note),
        Step(step, 1, number, 0.5, number, 9.0, 64),
        Gradients(step, 1, norms),
        replace(EPOCH, test_loss=number),
    ]
    for event in happened:
        json.loads(json.dumps(events.to_json(event), allow_nan=False))
        assert store.append(id, "me", event)
    run = store.run(id)
    found = [run.started, *store.steps(id), *store.gradients(id), *run.epochs]
    assert list(map(repr, found)) == list(map(repr, happened))  # one NaN is not another


@any_value
@given(NUMBERS)
def test_any_number_may_be_asked_for(store, number):
    id = begun(store)
    assert store.append(id, "me", STARTED)
    assert store.append(id, "me", Step(7, 1, 0.5, 0.5, 0.01, 9.0, 64))
    assert store.append(id, "me", EPOCH)
    assert len(store.steps(id, number)) == (number < 7)
    if number == 1:
        assert store.weights(id, Moment(number)) == b"weights"
    else:
        with pytest.raises(MissingWeightsError):
            store.weights(id, Moment(number))


def test_a_number_of_a_damaged_or_later_event_is_refused_with_a_sentence(store, database):
    id = begun(store)
    assert store.append(id, "me", Step(7, 1, 0.5, 0.5, 0.01, 9.0, 64))
    for value in ('"nan"', '"1e5"', "[]", "null", "{}"):
        content = json.dumps(events.to_json(Step(7, 1, 0.5, 0.5, 0.01, 9.0, 64)))
        content = content.replace('"loss": 0.5', f'"loss": {value}')
        database.execute("UPDATE events SET content = :content", content=content)
        with pytest.raises(ExplorerError, match="loss cannot be"):
            store.steps(id)
