import pytest
from sqlalchemy.exc import OperationalError

from explorer.checkpoint import load_weights
from explorer.data.catalogue import dataset
from explorer.examples import ARCHITECTURES, open_examples
from explorer.recipe import preset
from explorer.registry import discover
from explorer.runs import Status
from explorer.training import evaluate

REGISTRY = discover()


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
        assert run.spec.recipe == preset("tutorial")
        assert len(run.epochs) == 10
        assert len(examples.steps(run.id)) > 400


def test_they_come_as_far_as_the_tutorial(examples):
    least = {"plain": 0.985, "inception": 0.985, "residual": 0.987}
    for run in examples.runs():
        assert run.last_accuracy >= least[run.spec.architecture]


@pytest.mark.parametrize("epoch", [1, 10])
@pytest.mark.parametrize("name", ARCHITECTURES)
def test_their_weights_give_the_accuracy_that_was_recorded(examples, mnist, name, epoch):
    run = next(run for run in examples.runs() if run.spec.architecture == name)
    model = REGISTRY[name].build(dataset("mnist").images)
    load_weights(model, examples.weights(run.id, epoch))
    recorded = run.epochs[epoch - 1].test_accuracy
    # Another processor rounds otherwise, which may turn an image or two.
    assert evaluate(model, mnist.test)[1] == pytest.approx(recorded, abs=3e-4)


def test_they_were_made_with_the_plugins_as_they_are(examples):
    for run in examples.runs():
        assert run.spec.fingerprint == REGISTRY[run.spec.architecture].fingerprint


def test_they_cannot_be_changed(examples):
    with pytest.raises(OperationalError, match="readonly"):
        examples.delete(examples.runs()[0].id)
