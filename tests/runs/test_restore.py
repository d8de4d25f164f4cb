import re
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from built_ins import REGISTRY
from torch import nn

from explorer.data.mnist import MNIST
from explorer.plugin.registry import Registry, discover
from explorer.runs.recorded import open_examples
from explorer.runs.restore import NetworkError, load_network, open_network
from explorer.runs.run import RunSpec, UnknownRunError, spec_of
from explorer.runs.store import RunStore, find_run
from explorer.spec import ImageSpec
from explorer.training.checkpoint import pack_weights
from explorer.training.events import Checkpoint, Epoch, Moment
from explorer.training.loop import evaluate
from explorer.training.recipe import Recipe

CPU = torch.device("cpu")
BN = REGISTRY["residual-bn"]


@pytest.fixture(scope="module")
def examples():
    store = open_examples()
    yield store
    store.close()


@pytest.fixture
def other_store(tmp_path):
    store = RunStore(f"sqlite:///{tmp_path / 'others.sqlite'}")
    yield store
    store.close()


def example(examples, name):
    return next(run for run in examples.runs() if run.spec.architecture == name)


def spec(architecture="residual-bn", **options):
    values = REGISTRY[architecture].complete(options)
    fingerprint = REGISTRY[architecture].fingerprint
    return RunSpec(architecture, values, "mnist", Recipe(epochs=1), fingerprint)


def trained(store, spec, model):
    """A run of `spec` whose first epoch left the weights of `model`."""
    run = store.add(spec)
    store.claim(run.id, "me")
    store.begin(run.id, "me")
    kept = Checkpoint(Moment(1), pack_weights(model), b"")
    store.append(run.id, "me", Epoch(1, 0.1, 0.9, 0.1, 0.9, 1.0, 1.0, checkpoint=lambda: kept))
    return store.run(run.id)


def refused(run, epoch, store):
    """The sentence with which restoring the network is refused."""
    with pytest.raises(NetworkError) as refusal:
        load_network(run, Moment(epoch), store, REGISTRY, CPU)
    sentence = str(refusal.value)
    assert sentence.startswith("The network of this run cannot be shown: ")
    assert sentence.endswith((".", "?"))
    assert "\n" not in sentence
    return sentence


@pytest.mark.parametrize("epoch", [1, 10])
def test_a_restored_network_is_as_accurate_as_recorded(examples, mnist, epoch):
    run = example(examples, "plain")
    model = load_network(run, Moment(epoch), examples, REGISTRY, mnist.device)
    loss, accuracy = evaluate(model, mnist.test)
    # Another processor rounds otherwise, which may turn an image or two.
    assert accuracy == pytest.approx(run.epochs[epoch - 1].test_accuracy, abs=3e-4)
    assert loss == pytest.approx(run.epochs[epoch - 1].test_loss, rel=1e-3)


def test_a_restored_network_is_in_evaluation_mode_on_its_device(examples):
    model = load_network(example(examples, "residual"), Moment(10), examples, REGISTRY, CPU)
    assert not any(module.training for module in model.modules())
    assert {p.device for p in model.parameters()} == {CPU}


def test_a_restored_network_has_the_parameters_and_statistics_of_its_run(store):
    model = BN.build(MNIST.images, {"width": 24, "blocks": 1})
    nn.init.uniform_(model.norm.running_var, 2, 3)
    run = trained(store, spec(width=24, blocks=1), model)
    found = load_network(run, Moment(1), store, REGISTRY, CPU)
    state = model.state_dict()
    assert found.state_dict().keys() == state.keys()
    assert all(torch.equal(tensor, state[name]) for name, tensor in found.state_dict().items())


def test_an_architecture_that_is_gone_is_named(examples):
    run = example(examples, "plain")
    gone = replace(run, spec=replace(run.spec, architecture="plane"))
    sentence = refused(gone, 10, examples)
    assert sentence.endswith("There is no architecture 'plane'; did you mean 'plain'?")


def test_weights_that_were_not_kept_are_said_to_be_missing_and_which_there_are(examples, store):
    run = example(examples, "plain")
    kept = "kept are [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]"
    assert f"Run {run.id} has no weights of epoch 11; {kept}." in refused(run, 11, examples)
    assert "has no weights of epoch 1; kept are []." in refused(store.add(spec()), 1, store)


def test_a_data_set_that_is_gone_is_named(examples):
    run = example(examples, "plain")
    gone = replace(run, spec=replace(run.spec, dataset="mnst"))
    sentence = refused(gone, 10, examples)
    assert sentence.endswith("There is no data set 'mnst'; did you mean 'mnist'?")


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"width": 7}, "residual-bn: width must be a whole number from 8 to 64, not 7."),
        ({"depth": 2}, "residual-bn: there is no option 'depth'; "),
    ],
)
def test_options_that_no_longer_fit_are_named(store, options, sentence):
    old = replace(spec(), options={**spec().options, **options})
    assert sentence in refused(trained(store, old, BN.build(MNIST.images)), 1, store)


def test_weights_of_another_shape_are_said_not_to_fit(store):
    narrow = BN.build(MNIST.images, {"width": 8})
    sentence = refused(trained(store, spec(width=16), narrow), 1, store)
    assert "The recorded weights do not fit ResidualBN" in sentence
    assert sentence.endswith("Train or import it again.")


def test_a_run_is_found_in_the_first_store_that_has_it(store, other_store):
    both, first, second = spec(blocks=1), spec(blocks=2), spec(blocks=3)
    for where, runs in ((store, (both, first)), (other_store, (both, second))):
        for run in runs:
            where.add(run)
    stores = [store, other_store]
    assert find_run(first.id, stores) == (store.run(first.id), store)
    assert find_run(second.id, stores) == (other_store.run(second.id), other_store)
    assert find_run(both.id, stores)[1] is store
    assert find_run(both.id, stores[::-1])[1] is other_store


def test_the_beginning_of_an_id_is_enough_where_no_other_run_has_it(store, other_store):
    runs = [store.add(spec(width=width)) for width in (8, 16, 24, 32, 40)]
    both = other_store.add(spec(width=8))
    stores = [store, other_store]
    beginnings = 0
    for run in runs:
        for length in range(1, 12):
            others = [other.id for other in runs if other.id.startswith(run.id[:length])]
            if others == [run.id]:
                beginnings += 1
                assert find_run(run.id[:length], stores) == (run, store)
            else:
                with pytest.raises(UnknownRunError, match=re.escape(", ".join(sorted(others)))):
                    find_run(run.id[:length], stores)
    assert beginnings > 40
    assert find_run(both.id[:8], stores[::-1]) == (both, other_store)
    for nothing in ("", "%", "_" * 12):
        with pytest.raises(UnknownRunError, match="There is no run "):
            find_run(nothing, stores)


@pytest.mark.parametrize("number", [1, 2])
def test_a_run_that_no_store_has_is_unknown(store, other_store, number):
    with pytest.raises(UnknownRunError, match=re.escape("There is no run 'abc'; ")):
        find_run("abc", [store, other_store][:number])


def test_a_run_is_current_as_long_as_its_plugins_code_is_what_it_was(examples, tmp_path):
    run = example(examples, "plain")
    assert REGISTRY.is_current(run.spec)
    assert not REGISTRY.is_current(replace(run.spec, fingerprint="0" * 64))
    assert not REGISTRY.is_current(replace(run.spec, architecture="gone"))


def test_a_plugin_whose_code_has_changed_is_noticed(store, tmp_path):
    source = (Path(__file__).parents[2] / "plugins" / "plain.py").read_text()
    plugin = tmp_path / "mine.py"
    plugin.write_text(source.replace("class Plain", "class Mine").replace("(Plain)", "(Mine)"))
    first = discover([tmp_path])
    mine = first["mine"]
    run = store.add(RunSpec("mine", {}, "mnist", Recipe(), mine.fingerprint))
    assert first.is_current(run.spec)
    plugin.write_text(plugin.read_text().replace("F.relu", "F.gelu"))
    assert not discover([tmp_path]).is_current(run.spec)


def test_a_plugin_whose_constructor_fails_now_gets_a_sentence(store):
    class Broken(nn.Module):
        def __init__(self, images, **values):
            raise ZeroDivisionError("no width")

    run = trained(store, spec(), BN.build(MNIST.images))
    registry = Registry(
        {BN.name: replace(BN, constructor=replace(BN.constructor, function=Broken))},
        {MNIST.name: replace(MNIST, version="")},
        (),
    )
    with pytest.raises(NetworkError, match=r"cannot be shown: .*no width"):
        load_network(run, Moment(1), store, registry, CPU)


OWN = """
from torch import nn

from explorer import hookimpl


@hookimpl
def register_architectures(register):
    register(Own)


class Own(nn.Module):
    def __init__(self, images):
        super().__init__()
        self.conv = nn.Conv2d(images.channels, 4, 3)
        self.linear = nn.Linear(4 * (images.size - 2) ** 2, images.num_classes)

    def forward(self, x):
        x = self.conv(x)
        return self.linear(x.FLATTEN)
"""


def test_a_network_for_colour_is_opened_with_the_grey_in_each_channel(store, settings, tmp_path):
    text = OWN.replace("FLATTEN", "flatten(1)").replace("images.channels, 4", "3, 4")
    (tmp_path / "own.py").write_text(text)
    registry = discover([tmp_path])
    own = registry["own"]
    seen = own.sees(MNIST.images)
    run = trained(store, spec_of(own, {}, MNIST, Recipe(epochs=1)), own.build(seen))
    model, data = open_network(run, Moment(1), store, registry, settings.cache)
    assert data.spec == seen == ImageSpec(3, 28, 10)
    images, _ = data.test.gather(torch.arange(4))
    assert images.shape == (4, 3, 28, 28)
    assert model(images).shape == (4, 10)


@pytest.mark.parametrize("flatten", ["flatten(1)", "view(len(x), -1)"])
def test_a_network_is_opened_in_a_layout_in_which_it_runs(store, settings, tmp_path, flatten):
    (tmp_path / "own.py").write_text(OWN.replace("FLATTEN", flatten))
    registry = discover([tmp_path])
    own = registry["own"]
    run = trained(store, spec_of(own, {}, MNIST, Recipe(epochs=1)), own.build(MNIST.images))
    model, data = open_network(run, Moment(1), store, registry, settings.cache)
    images, _ = data.test.gather(torch.arange(4))
    assert model(images).shape == (4, 10)
    plain = torch.contiguous_format if "view" in flatten else torch.channels_last
    assert data.test.memory_format is plain
    assert model.conv.weight.is_contiguous(memory_format=plain)
