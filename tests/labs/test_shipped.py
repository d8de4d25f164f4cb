"""The lessons that ship: what they say is computed, at both ends of every control."""

import pytest
import torch

from explorer.checks import lessons as checks
from explorer.engines.bench import Bench, records
from explorer.labs import errata, inception, one_by_one, residual
from explorer.lessons import Shown
from explorer.plugin.lessons import describe
from explorer.plugin.sources import built_in
from explorer.runs.recorded import FILE as EXAMPLES
from explorer.runs.run import spec_of
from explorer.training.events import Epoch
from explorer.training.loop import train
from explorer.training.recipe import preset

LESSONS = [residual.LESSON, inception.LESSON, one_by_one.LESSON, errata.LESSON]
RECORDS = [residual.RECORDS, inception.RECORDS, one_by_one.RECORDS]
PARTS = [(lesson, part) for lesson in LESSONS for part in lesson.parts]
MOST_MEGABYTES = 25  # of all records together


@pytest.fixture(scope="module")
def make_bench(registry, cache):
    """Make a bench that has the architectures that a lesson uses, and no other."""
    return lambda uses: Bench(uses, lambda name: registry, cache)


@pytest.fixture
def bench(make_bench, lesson):
    return make_bench(lesson.uses)


@pytest.fixture(scope="module")
def sessions(make_bench):
    """Sessions about the recorded examples, by architecture."""
    examples = records(EXAMPLES)
    names = [run.spec.architecture for run in examples.runs]
    bench = make_bench(names)
    return {name: bench.look_into(examples, *examples.of(name)) for name in names}


def describing(lesson):
    source = next(source for source in built_in() if source.name == "lessons")
    return describe(lesson, source, "f00")


@pytest.mark.parametrize("lesson", LESSONS, ids=lambda lesson: lesson.name)
def test_every_slot_is_filled_and_no_number_is_typed(lesson, bench, sessions):
    description = describing(lesson)

    def show(part):
        options = description.parts[part.name].options
        session = [sessions[part.network]] if part.needs else []
        return part.show(bench, *session, **{each.name: each.default for each in options})

    report = checks.examine(lesson, description, show)
    assert [finding.verdict for finding in report.findings] == ["ok"] * 3, report.findings


@pytest.mark.parametrize(("lesson", "part"), PARTS, ids=lambda each: each.name)
def test_every_part_computes_at_both_ends_of_every_control(lesson, part, bench, sessions):
    options = describing(lesson).parts[part.name].options
    default = {option.name: option.default for option in options}
    session = [sessions[part.network]] if part.needs else []
    said = [part.show(bench, *session, **default)]
    for option in options:
        ends = (False, True) if option.type is bool else option.choices
        for end in ends or (option.type(option.range.low), option.type(option.range.high)):
            said.append(part.show(bench, *session, **{**default, option.name: end}))
    assert {type(shown) for shown in said} == {Shown}
    values = [text for shown in said for text in shown.values.values()]
    assert not [text for text in values if not isinstance(text, str) or "nan" in text]


def test_the_records_are_small():
    files = [*RECORDS, EXAMPLES]
    assert sum(file.stat().st_size for file in files) < MOST_MEGABYTES * 2**20


@pytest.mark.parametrize("file", RECORDS, ids=lambda file: file.stem)
def test_a_record_says_where_and_when_and_names_nobody(file):
    found = records(file)
    assert found.origin.startswith("Recorded on ")
    assert {run.status for run in found.runs} == {"finished"}


def test_the_smallest_recorded_run_comes_out_as_it_is_recorded(registry, mnist):
    run = records(residual.RECORDS).of(
        "deep", layers=4, norm=True, init="he", skip=True, gradients_every=10
    )[0]
    torch.manual_seed(run.spec.recipe.seed)
    model = registry["deep"].build(mnist.spec, dict(run.spec.options))
    events = list(train(model, mnist, run.spec.recipe))
    last = next(event for event in reversed(events) if isinstance(event, Epoch))
    # Another processor rounds otherwise, which grows over the steps.
    assert last.test_accuracy == pytest.approx(run.epochs[-1].test_accuracy, abs=0.03)


def test_a_training_that_a_lesson_offers_can_be_asked_for(registry, make_bench, sessions):
    offered = [
        each
        for lesson, part in PARTS
        for session in [[sessions[part.network]] if part.needs else []]
        for each in part.show(make_bench(lesson.uses), *session).trains
    ]
    asked = []
    for each in offered:
        architecture = registry[each.architecture]
        registry.require_fit(architecture, each.options, registry.dataset(each.dataset))
        recipe = preset(each.recipe).changed(**each.fields)
        asked.append(spec_of(architecture, each.options, registry.dataset(each.dataset), recipe))
    assert len(asked) == len(offered) > 5
