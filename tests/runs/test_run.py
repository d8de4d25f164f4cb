import json
from dataclasses import replace
from datetime import UTC, datetime
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from explorer import language
from explorer.language import sentences
from explorer.runs.run import (
    UNTRAINED,
    Run,
    RunSpec,
    SpecError,
    Status,
    distinguish,
    epochs_to_keep,
    titles,
)
from explorer.training.events import Epoch, Moment
from explorer.training.recipe import Recipe, preset

# A busy machine is slow, not wrong.
property_test = settings(deadline=None)

SPEC = RunSpec(
    architecture="residual-bn",
    options={"width": 16, "skip": True},
    dataset="mnist",
    recipe=preset("tutorial"),
    fingerprint="0123456789abcdef",
)


def run(spec=SPEC, epochs=(), status=Status.FINISHED):
    return Run(spec.id, spec, status, "", datetime(2024, 1, 1, tzinfo=UTC), None, tuple(epochs))


def epoch(number, test_accuracy, seconds=2.0):
    return Epoch(number, 0.5, 0.9, 0.4, test_accuracy, seconds, 1000.0)


def test_an_id_is_twelve_hexadecimal_digits_and_stays_what_it_is():
    # If this changes, every recorded run and every link to one is lost.
    plain = replace(SPEC, recipe=Recipe())
    assert plain.id == "ef4f745f660c"
    assert replace(plain, recipe=Recipe(gradients_every=50)).id == "e84e12162443"


@pytest.mark.parametrize(
    "other",
    [
        replace(SPEC, architecture="residual"),
        replace(SPEC, options={"width": 24, "skip": True}),
        replace(SPEC, options={"width": 16, "skip": False}),
        replace(SPEC, options={"width": 16}),
        replace(SPEC, options={"width": 16, "skips": True}),
        replace(SPEC, dataset="kmnist"),
        replace(SPEC, fingerprint="0123456789abcdee"),
        *(
            replace(SPEC, recipe=SPEC.recipe.changed(**change))
            for change in (
                {"optimiser": "nesterov"},
                {"learning_rate": 0.02},
                {"momentum": 0.6},
                {"weight_decay": 0.1},
                {"schedule": "one-cycle"},
                {"batch_size": 65},
                {"epochs": 11},
                {"seed": 1},
                {"train_size": 100},
            )
        ),
    ],
    ids=lambda spec: str(spec.recipe if spec.recipe != SPEC.recipe else spec),
)
def test_every_field_counts_towards_the_id(other):
    assert other.id != SPEC.id


def test_the_order_of_the_options_does_not_count():
    assert replace(SPEC, options={"skip": True, "width": 16}).id == SPEC.id


names = st.text(min_size=1, max_size=8)
specs = st.builds(
    RunSpec,
    architecture=names,
    options=st.dictionaries(
        names, st.booleans() | st.integers(-5, 500) | st.floats(0.01, 5) | names, max_size=4
    ),
    dataset=names,
    recipe=st.builds(
        Recipe,
        optimiser=st.sampled_from(["sgd", "adamw"]),
        learning_rate=st.floats(0.001, 10),
        momentum=st.floats(0, 0.99),
        epochs=st.integers(1, 50),
        seed=st.integers(0, 9),
        train_size=st.none() | st.integers(1, 500),
    ),
    fingerprint=names,
)


@property_test
@given(specs)
def test_a_spec_and_its_id_survive_json(spec):
    again = RunSpec.from_json(json.loads(json.dumps(spec.to_json())))
    assert again == spec
    assert again.id == spec.id


@property_test
@given(specs, specs)
def test_specs_that_say_something_else_have_other_ids(first, second):
    same = json.dumps(first.to_json(), sort_keys=True) == json.dumps(
        second.to_json(), sort_keys=True
    )
    assert (first.id == second.id) == same


@property_test
@given(specs, specs)
def test_a_spec_with_one_field_of_another_has_another_id_unless_they_agree_in_it(first, second):
    for field in ("architecture", "dataset", "recipe", "fingerprint"):
        value = getattr(second, field)
        mixed = replace(first, **{field: value})
        assert (mixed.id == first.id) == (value == getattr(first, field))


@pytest.mark.parametrize(
    ("written", "meant"),
    [({"learning_rate": 1}, {"learning_rate": 1.0}), ({"momentum": 0}, {"momentum": 0.0})],
)
def test_equal_specs_have_equal_ids_even_where_a_number_was_written_without_its_point(
    written, meant
):
    first = replace(SPEC, recipe=replace(SPEC.recipe, **written))
    second = replace(SPEC, recipe=replace(SPEC.recipe, **meant))
    assert first == second
    assert first.id == second.id


@property_test
@given(st.integers(1, 1000))
def test_kept_are_the_first_and_the_last_epoch_and_at_most_ten_between(epochs):
    kept = epochs_to_keep(epochs)
    assert {1, epochs} <= kept <= set(range(1, epochs + 1))
    assert len(kept) == min(epochs, 12)


@property_test
@given(st.integers(2, 1000))
def test_the_kept_epochs_are_evenly_spread(epochs):
    kept = sorted(epochs_to_keep(epochs))
    gaps = [after - before for before, after in pairwise(kept)]
    assert max(gaps) - min(gaps) <= 1


def test_only_queued_and_running_are_live_and_only_what_ended_early_is_resumable():
    assert {status for status in Status if status.is_live} == {Status.QUEUED, Status.RUNNING}
    assert {status for status in Status if status.is_resumable} == {
        Status.PAUSED,
        Status.FAILED,
        Status.INTERRUPTED,
    }


@pytest.mark.parametrize(
    ("change", "title"),
    [
        ({}, "residual-bn (width 16, skip True) · mnist · tutorial, 10 epochs · seed 0"),
        ({"options": {}}, "residual-bn · mnist · tutorial, 10 epochs · seed 0"),
        (
            {"recipe": preset("fast").changed(seed=3, epochs=5, train_size=1000)},
            "residual-bn (width 16, skip True) · mnist · fast, 5 epochs of 1,000 images · seed 3",
        ),
        (
            {"recipe": preset("fast").changed(learning_rate=0.01)},
            "residual-bn (width 16, skip True) · mnist · "
            "fast with learning rate 0.01, 1 epoch · seed 0",
        ),
        (
            {"recipe": Recipe(batch_size=128), "dataset": "kmnist"},
            "residual-bn (width 16, skip True) · kmnist · "
            "tutorial with batch size 128, 10 epochs · seed 0",
        ),
    ],
)
def test_a_title_says_in_a_line_what_a_run_is(change, title):
    assert run(replace(SPEC, **change)).title == title


def test_a_run_knows_its_best_and_last_accuracy_and_its_seconds():
    found = run(epochs=[epoch(1, 0.95), epoch(2, 0.98, seconds=1.5), epoch(3, 0.97)])
    assert found.best_accuracy == 0.98
    assert found.last_accuracy == 0.97
    assert found.seconds == 5.5


def test_a_run_without_a_finished_epoch_has_no_accuracy():
    found = run()
    assert found.best_accuracy is None
    assert found.last_accuracy is None
    assert found.seconds == 0


def test_labels_name_what_differs_and_nothing_else():
    other = replace(SPEC, recipe=SPEC.recipe.changed(seed=1))
    assert distinguish([run(), run(other)]) == {
        SPEC.id: "residual-bn · seed 0",
        other.id: "residual-bn · seed 1",
    }


def test_a_run_alone_is_called_by_its_architecture():
    assert distinguish([run()]) == {SPEC.id: "residual-bn"}
    assert distinguish([]) == {}


@property_test
@given(st.lists(specs, max_size=4, unique_by=lambda spec: spec.id))
def test_every_run_gets_a_label_that_begins_with_its_architecture(several):
    labels = distinguish([run(spec) for spec in several])
    assert set(labels) == {spec.id for spec in several}
    for spec in several:
        assert labels[spec.id].startswith(spec.architecture)


def test_a_data_set_that_never_changes_is_not_part_of_a_run_s_id_beyond_its_name():
    spec = RunSpec("plain", {}, "mnist", Recipe(), "f00")
    assert "dataset_version" not in spec.to_json()
    later = replace(spec, dataset_version="2")
    assert later.id != spec.id
    assert RunSpec.from_json(later.to_json()) == later


IMPORTED = replace(SPEC, recipe=UNTRAINED, imported="0123456789ab")


def test_the_spec_of_imported_weights_has_their_hash_and_no_recipe():
    values = IMPORTED.to_json()
    assert values["imported"] == "0123456789ab"
    assert "recipe" not in values
    assert "imported" not in SPEC.to_json()
    again = RunSpec.from_json(json.loads(json.dumps(values)))
    assert again == IMPORTED
    assert again.id == IMPORTED.id
    assert len({SPEC.id, IMPORTED.id, replace(IMPORTED, imported="f" * 12).id}) == 3
    with pytest.raises(SpecError, match=r"^Its recipe is missing\.$"):
        RunSpec.from_json({**values, "imported": ""})


@property_test
@given(specs, st.text("0123456789abcdef", min_size=12, max_size=12))
def test_the_spec_of_imported_weights_survives_json(spec, digest):
    imported = replace(spec, recipe=UNTRAINED, imported=digest)
    again = RunSpec.from_json(json.loads(json.dumps(imported.to_json())))
    assert again == imported
    assert again.id == imported.id != spec.id


def test_a_recipe_is_named_in_the_language_that_is_spoken(monkeypatch):
    spec = replace(SPEC, recipe=preset("fast").changed(momentum=0.9))
    monkeypatch.setattr(
        sentences, "translated", lambda _, text: text if language.current() == "en" else f"说{text}"
    )
    assert run(spec).recipe_name == "fast with momentum 0.9"
    with language.speaking("zh-CN"):
        assert run(spec).recipe_name == "说fast with 说说momentum 0.9"
    assert run(spec).recipe_name == "fast with momentum 0.9"


def test_imported_weights_are_called_so_and_by_no_recipe():
    found = run(IMPORTED, [epoch(1, 0.97)])
    assert found.recipe_name == "imported"
    assert found.title == "residual-bn (width 16, skip True) · mnist · imported 012345"
    assert found.title_after(Moment(1)) == found.title
    assert run().title_after(Moment(3)) == f"{run().title}, after epoch 3"
    other = replace(IMPORTED, imported="f" * 12)
    assert distinguish([found, run(other)]) == {
        IMPORTED.id: "residual-bn · weights 012345",
        other.id: "residual-bn · weights ffffff",
    }
    assert distinguish([found, run()]) == {
        IMPORTED.id: "residual-bn · imported",
        SPEC.id: "residual-bn · tutorial",
    }


def test_runs_with_equal_titles_get_different_ones():
    def made(fingerprint, **changes):
        spec = RunSpec("plain", {}, "mnist", Recipe(**changes), fingerprint)
        return Run(spec.id, spec, Status.FINISHED, "", datetime.now(UTC), None, ())

    alone, one, other = made("a" * 16, seed=1), made("a" * 16), made("b" * 16)
    found = titles([alone, one, other])
    assert found[alone.id] == alone.title
    assert found[one.id] == f"{one.title} · code aaaaaa"
    assert found[other.id] == f"{other.title} · code bbbbbb"
    silent = made("a" * 16, gradients_every=10)
    found = titles([one, silent])
    assert found[one.id] == f"{one.title} · code aaaaaa · {one.id}"
    assert len(set(found.values())) == 2
