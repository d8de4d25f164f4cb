"""Records: runs in a file, with what was measured of them."""

from datetime import date

import pytest

from explorer.runs.record_files import Made, NoRecordError, Records, note, noted, sign
from explorer.runs.run import RunSpec
from explorer.runs.store import RunStore
from explorer.training.recipe import preset

MADE = Made("A processor", date(2026, 11, 29), "2.15.0")


@pytest.fixture
def file(tmp_path):
    file = tmp_path / "few.sqlite"
    store = RunStore(f"sqlite:///{file}")
    for width in (4, 8):
        for seed in (2, 0, 1):
            recipe = preset("fast").changed(seed=seed)
            store.add(RunSpec("net", {"width": width}, "mnist", recipe, "f00"))
    store.close()
    return file


def test_runs_are_found_by_options_and_recipe_the_first_seed_first(file):
    records = Records(file)
    found = records.of("net", width=8, epochs=1, dataset="mnist")
    assert [run.spec.recipe.seed for run in found] == [0, 1, 2]
    assert {run.spec.options["width"] for run in found} == {8}
    assert len(records.of("net", seed=1)) == 2


@pytest.mark.parametrize(
    ("name", "wanted"), [("other", {}), ("net", {"width": 5}), ("net", {"height": 8})]
)
def test_what_is_not_there_is_said(file, name, wanted):
    with pytest.raises(NoRecordError, match=f"has no run of {name} with"):
        Records(file).of(name, **wanted)


def test_what_was_measured_comes_back(file):
    run = Records(file).of("net", width=4)[0]
    assert noted(file) == set()
    note(file, run.id, "removals", {"one": [0.5, 1 / 3]})
    note(file, run.id, "removals", {"one": [0.25]})
    assert noted(file) == {(run.id, "removals")}
    records = Records(file)
    assert records.measured(run, "removals") == {"one": [0.25]}
    with pytest.raises(NoRecordError, match=f"has no surface of the run {run.id}"):
        records.measured(run, "surface")


def test_a_record_says_where_and_when_it_was_made(file):
    sign(file, MADE)
    records = Records(file)
    assert records.made == MADE
    assert records.origin == ("Recorded on 29 November 2026 (A processor, torch 2.15.0), 6 runs.")
