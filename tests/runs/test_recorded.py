import re
from pathlib import Path

import pytest
from built_ins import REGISTRY

from explorer.data.mnist import MNIST
from explorer.inspection.ablation import ablated
from explorer.inspection.answers import answers
from explorer.inspection.linearity import linearity
from explorer.inspection.outline import outline
from explorer.inspection.results import costs
from explorer.runs.recorded import ARCHITECTURES, open_examples
from explorer.runs.restore import load_network
from explorer.runs.run import Status
from explorer.runs.store import StoreError
from explorer.training.checkpoint import load_weights
from explorer.training.events import Moment
from explorer.training.loop import evaluate
from explorer.training.recipe import preset

README = Path(__file__).parents[2] / "README.md"


@pytest.fixture(scope="module")
def examples():
    store = open_examples()
    yield store
    store.close()


def test_the_tutorials_nets_were_trained_by_its_recipe_to_the_end(examples):
    runs = examples.runs()
    assert sorted(run.spec.architecture for run in runs) == sorted(ARCHITECTURES)
    for run in runs:
        assert run.status is Status.FINISHED
        assert run.spec.recipe == preset("tutorial").changed(score_every=300)
        assert len(run.epochs) == 10
        assert len(examples.steps(run.id)) > 400


def test_they_come_as_far_as_the_tutorial(examples):
    least = {"plain": 0.985, "inception": 0.985, "residual": 0.987}
    runs = examples.runs()
    assert len(runs) == len(least)
    for run in runs:
        assert run.last_accuracy >= least[run.spec.architecture]


@pytest.mark.parametrize("epoch", [1, 10])
@pytest.mark.parametrize("name", ARCHITECTURES)
def test_their_weights_give_the_accuracy_that_was_recorded(examples, mnist, name, epoch):
    run = next(run for run in examples.runs() if run.spec.architecture == name)
    model = REGISTRY[name].build(MNIST.images)
    load_weights(model, examples.weights(run.id, Moment(epoch)))
    recorded = run.epochs[epoch - 1].test_accuracy
    # Another processor rounds otherwise, which may turn an image or two.
    assert evaluate(model, mnist.test)[1] == pytest.approx(recorded, abs=3e-4)


def test_they_were_made_with_the_plugins_as_they_are(examples):
    runs = examples.runs()
    assert len(runs) == len(ARCHITECTURES)
    for run in runs:
        assert run.spec.fingerprint == REGISTRY[run.spec.architecture].fingerprint


def without(examples, mnist, name, *off) -> float:
    """The test accuracy, in percent, with some branches switched off."""
    run = next(run for run in examples.runs() if run.spec.architecture == name)
    model = load_network(run, Moment(10), examples, REGISTRY, mnist.device)
    with ablated(model, outline(model, mnist.spec), off):
        return 100 * answers(model, mnist.test).accuracy


def test_what_the_readme_says_of_their_branches_is_so(examples, mnist):
    readme = README.read_text(encoding="utf-8")
    intact = without(examples, mnist, "inception")
    for branch in ("incep2.branch1x1", "incep1.branch5x5", "incep1.branch3x3"):
        lost = intact - without(examples, mnist, "inception", branch)
        said = [float(number) for number in re.findall(r"\b(\d+\.\d\d)\b", readme)]
        # Another processor rounds otherwise, which may turn an image or two.
        assert min(abs(lost - number) for number in said) < 0.04, (branch, lost)
    for branch, said in (("block2.skip", 32.33), ("block2.residual", 98.45)):
        assert f"{said} %" in readme
        assert without(examples, mnist, "residual", branch) == pytest.approx(said, abs=0.1)


def test_what_the_readme_says_of_weights_and_multiply_adds_is_so(mnist):
    readme = README.read_text(encoding="utf-8")
    model = REGISTRY["inception"].build(mnist.spec)
    macs = {cost.name: cost.macs for cost in costs(outline(model, mnist.spec).parts)}
    last = linearity(model, mnist.spec)[-1]
    direct = [24 * channels * 5 * 5 * side**2 for channels, side in ((10, 12), (20, 4))]
    reduced = [macs[f"incep{block}.branch5x5"] for block in (1, 2)]
    for number in (*reduced, *direct, last.tail_parameters):
        assert f"{number:,}" in readme
    assert f"{last.tail_replacement.parameters:,}" in readme


def test_they_cannot_be_changed(examples):
    with pytest.raises(StoreError, match="readonly"):
        examples.delete(examples.runs()[0].id)
