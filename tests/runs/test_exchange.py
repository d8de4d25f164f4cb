"""Weights that come from elsewhere become runs, and go out as they came."""

import json
import math
from dataclasses import replace

import pytest
import safetensors
import torch
from built_ins import REGISTRY
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from torch import nn

from explorer.data.cache import DataError
from explorer.data.mnist import MNIST
from explorer.engines.perform import perform
from explorer.plugin.catalogue import MisfitError
from explorer.plugin.constructor import read
from explorer.runs.exchange import digest, export_weights, import_weights
from explorer.runs.restore import load_network, open_network
from explorer.runs.run import MissingWeightsError, Status, UnknownRunError
from explorer.runs.store import StoreError
from explorer.spec import ImageSpec
from explorer.training.events import Moment
from explorer.training.loop import evaluate
from explorer.training.weight_files import WeightFileError, read_weights

CPU = torch.device("cpu")
FEW = 200
GREY = ImageSpec(1, 28, 10)


@pytest.fixture
def imported(store, cache, tmp_path):
    """Import a state dict, or a whole checkpoint, through a file."""

    def imported(state, name="plain", dataset=MNIST, file="net.pt", registry=REGISTRY, **options):
        if state is not None:
            torch.save(state, tmp_path / file)
        return import_weights(
            tmp_path / file, registry[name], options, dataset, store, registry, cache
        )

    return imported


@pytest.fixture
def few(monkeypatch, mnist):
    """Score on a few images, where the accuracy is not what a test is about."""
    small = replace(mnist, test=mnist.test.first(FEW))
    monkeypatch.setattr("explorer.runs.exchange.load_data", lambda *_: small)


def network(name="plain", seed=1, **options):
    torch.manual_seed(seed)
    return REGISTRY[name].build(GREY, options)


def example(examples, name):
    return next(run for run in examples.runs() if run.spec.architecture == name)


def logits(model, mnist):
    with torch.no_grad():
        return model.eval()(mnist.test.normalise(mnist.test.images[:300]))


def test_an_imported_network_is_a_finished_run_with_the_accuracy_that_it_had(
    imported, store, examples, mnist, tmp_path
):
    recorded = example(examples, "residual")
    export_weights(recorded, None, examples, tmp_path / "net.safetensors")
    found = imported(None, "residual", file="net.safetensors")
    assert (found.was_there, found.notes) == (False, ())
    assert store.runs() == [found.run]
    assert found.run.status is Status.FINISHED
    assert found.run.spec.imported == digest(read_weights(tmp_path / "net.safetensors"))
    (epoch,) = found.run.epochs
    # Another processor rounds otherwise, which may turn an image or two.
    assert epoch.test_accuracy == pytest.approx(recorded.last_accuracy, abs=3e-4)
    assert epoch.test_loss == pytest.approx(recorded.epochs[-1].test_loss, rel=1e-3)
    assert 0.97 < epoch.train_accuracy <= 1
    assert (epoch.seconds, found.run.started.test_size) == (0.0, len(mnist.test))
    assert REGISTRY.is_current(found.run.spec)


@pytest.mark.parametrize("kind", [".safetensors", ".pt"])
@pytest.mark.usefixtures("few")
def test_what_was_exported_and_imported_gives_equal_logits_to_the_bit(
    imported, store, examples, mnist, tmp_path, kind
):
    recorded = example(examples, "inception")
    assert export_weights(recorded, 4, examples, tmp_path / f"net{kind}") == Moment(4)
    run = imported(None, "inception", file=f"net{kind}").run
    before = load_network(recorded, Moment(4), examples, REGISTRY, CPU)
    after = load_network(run, Moment(1), store, REGISTRY, CPU)
    assert torch.equal(
        logits(before, mnist.laid_out(torch.contiguous_format)),
        logits(after, mnist.laid_out(torch.contiguous_format)),
    )
    assert store.weights(run.id, Moment(1)) == examples.weights(recorded.id, Moment(4))


@pytest.mark.usefixtures("few")
def test_a_file_says_which_run_its_weights_are_of(imported, store, tmp_path):
    run = imported(network("residual-bn", width=8).state_dict(), "residual-bn", width=8).run
    assert export_weights(run, None, store, tmp_path / "out.safetensors") == Moment(1)
    with safetensors.safe_open(tmp_path / "out.safetensors", "pt") as opened:
        metadata = opened.metadata()
    assert metadata.pop("format") == "pt"
    assert {name: json.loads(text) for name, text in metadata.items()} == {
        "architecture": "residual-bn",
        "options": {"width": 8, "blocks": 3, "skip": True},
        "dataset": "mnist",
        "run": run.id,
        "epoch": 1,
    }


def test_weights_that_were_not_kept_are_not_exported(examples, tmp_path):
    run = example(examples, "plain")
    with pytest.raises(MissingWeightsError, match="has no weights of epoch 11; kept are"):
        export_weights(run, 11, examples, tmp_path / "net.pt")
    assert list(tmp_path.glob("net*")) == []


@pytest.mark.usefixtures("few")
def test_equal_weights_are_one_run_and_others_another(imported, store):
    state = network().state_dict()
    first = imported(state)
    again = imported({"state_dict": state}, file="other.ckpt")
    assert (again.run, again.was_there) == (first.run, True)
    other = imported(network(seed=2).state_dict())
    assert other.run.id != first.run.id
    assert len(store.runs()) == 2


@pytest.mark.parametrize(
    "rename",
    [
        lambda name: f"module.{name}",
        lambda name: f"_orig_mod.{name}",
        lambda name: f"_orig_mod.module.{name}",
        lambda name: f"module._orig_mod.{name}",
        lambda name: f"module.module.{name}",
        lambda name: name.replace(".", "._orig_mod.", 1),
    ],
)
@pytest.mark.usefixtures("few")
def test_the_names_that_wrappers_add_to_are_understood(imported, rename):
    state = network().state_dict()
    renamed = {rename(name): tensor for name, tensor in state.items()}
    assert imported(renamed).run.spec.imported == digest(state)


@pytest.mark.usefixtures("few")
def test_wrapped_networks_are_imported_as_what_they_wrap(imported):
    model = network()
    compiled = torch.compile(model, backend="eager")
    assert all(name.startswith("_orig_mod.") for name in compiled.state_dict())
    parallel = nn.DataParallel(model)
    assert all(name.startswith("module.") for name in parallel.state_dict())
    runs = {imported(each.state_dict()).run.id for each in (model, compiled, parallel)}
    assert len(runs) == 1


def refusal(imported, store, *arguments, **options):
    with pytest.raises(WeightFileError) as refused:
        imported(*arguments, **options)
    assert store.runs() == []
    sentence = str(refused.value)
    assert "\n" not in sentence
    return sentence


def test_weights_of_other_options_are_refused_with_the_options_that_fit(imported, store, tmp_path):
    state = network("residual-bn", width=24).state_dict()
    sentence = refusal(imported, store, state, "residual-bn")
    assert sentence.startswith(
        f"{tmp_path / 'net.pt'} does not fit residual-bn (width 16, blocks 3, skip True): "
        "conv.weight is 24×1×"
    )
    assert sentence.endswith(" more. It fits residual-bn --set width=24.")


def test_weights_of_another_network_are_refused_with_the_one_that_fits(imported, store):
    sentence = refusal(imported, store, network("inception").state_dict())
    unknown = "incep1.branch1x1.bias, incep1.branch1x1.weight, "
    assert f"does not fit plain: the network has no {unknown}" in sentence
    assert sentence.endswith("It fits inception.")


def test_weights_that_fit_nothing_here_are_refused_with_what_could_be_done(imported, store):
    sentence = refusal(imported, store, {"weight": torch.zeros(3)})
    assert (
        "it has no conv1.weight, conv1.bias, conv2.weight and 3 more; the network has no weight"
        in (sentence)
    )
    assert sentence.endswith(
        ". Give the options that it was trained with (--set OPTION=VALUE), or another "
        "architecture; `explorer list` names them."
    )


@pytest.mark.usefixtures("few")
def test_other_numbers_are_converted_and_that_is_said(imported, store, mnist):
    state = network().state_dict()
    half = {name: tensor.half() for name, tensor in state.items()}
    found = imported(half)
    assert found.notes[0] == "Weights were converted from float16 to float32."
    model = load_network(found.run, Moment(1), store, REGISTRY, CPU)
    assert all(tensor.dtype == torch.float32 for tensor in model.state_dict().values())
    assert torch.equal(model.conv1.weight, half["conv1.weight"].float())
    assert imported({n: t.float() for n, t in half.items()}).run == found.run


def test_numbers_of_another_kind_are_refused(imported, store):
    state = {name: tensor.to(torch.int32) for name, tensor in network().state_dict().items()}
    assert "conv1.weight is of int32 and should be of float32" in refusal(imported, store, state)


@pytest.mark.usefixtures("few")
def test_weights_that_are_no_numbers_are_taken_where_they_do_no_harm_and_named(imported, store):
    state = network("residual-as-printed").state_dict()
    # What this network computes there, it never uses.
    state["block1.conv1.weight"][0] = math.inf
    found = imported(state, "residual-as-printed")
    assert found.notes[0] == ("block1.conv1.weight holds values that are infinite or not numbers.")
    assert math.isfinite(found.run.epochs[0].test_loss)


@pytest.mark.parametrize("value", [math.nan, math.inf])
@pytest.mark.usefixtures("few")
def test_weights_with_which_the_loss_is_no_number_are_refused(imported, store, tmp_path, value):
    state = network().state_dict()
    state["linear.bias"][3] = value
    assert refusal(imported, store, state) == (
        f"With the weights of {tmp_path / 'net.pt'}, the loss is nan; import weights with which "
        "the network gives finite logits."
    )


@pytest.mark.usefixtures("few")
def test_a_network_that_guesses_is_taken_and_that_is_said(imported):
    state = {name: torch.zeros_like(tensor) for name, tensor in network().state_dict().items()}
    (note,) = imported(state).notes
    assert note.startswith("It is no better than guessing on mnist: it may have been trained on")


@pytest.mark.usefixtures("few")
def test_tensors_that_a_file_has_once_though_two_layers_share_them_are_taken(
    imported, store, tmp_path
):
    class Tied(nn.Sequential):
        def __init__(self, images: ImageSpec):
            one = nn.Linear(784, 784)
            super().__init__(nn.Flatten(), one, nn.ReLU(), one, nn.Linear(784, images.num_classes))

    tied = replace(REGISTRY["plain"], name="tied", constructor=read(Tied))
    registry = replace(REGISTRY, architectures={"tied": tied})
    safetensors.torch.save_model(Tied(GREY), str(tmp_path / "tied.safetensors"))
    assert len(read_weights(tmp_path / "tied.safetensors")) == 4
    found = imported(None, "tied", file="tied.safetensors", registry=registry)
    assert set(load_network(found.run, Moment(1), store, registry, CPU).state_dict()) == {
        f"{layer}.{kind}" for layer in (1, 3, 4) for kind in ("weight", "bias")
    }


@pytest.mark.usefixtures("few")
def test_a_network_with_lazy_layers_is_imported_and_opened(imported, store, cache):
    class Lazy(nn.Sequential):
        def __init__(self, images: ImageSpec):
            super().__init__(nn.Flatten(), nn.LazyLinear(images.num_classes))

    lazy = replace(REGISTRY["plain"], name="lazy", constructor=read(Lazy))
    registry = replace(REGISTRY, architectures={"lazy": lazy})
    state = {"1.weight": torch.randn(10, 784), "1.bias": torch.randn(10)}
    run = imported(state, "lazy", registry=registry).run
    model, data = open_network(run, Moment(1), store, registry, cache)
    assert evaluate(model, data.test.first(FEW))[1] == run.last_accuracy


def test_images_that_the_network_cannot_take_are_refused_and_nothing_is_read(imported, store):
    with pytest.raises(MisfitError):
        imported(
            None,
            "plain",
            file="nowhere.pt",
            dataset=replace(MNIST, name="x", images=ImageSpec(1, 1, 10)),
        )
    assert store.runs() == []


@pytest.mark.usefixtures("few")
def test_a_network_that_fails_while_it_is_scored_leaves_no_run(imported, store):
    class Picky(REGISTRY["plain"].constructor.function):
        def forward(self, x):
            if len(x) > 8:
                raise LookupError("too many")
            return super().forward(x)

    picky = replace(REGISTRY["plain"], constructor=read(Picky))
    registry = replace(REGISTRY, architectures={"plain": picky})
    sentence = refusal(imported, store, network().state_dict(), registry=registry)
    assert sentence.startswith("The network cannot be scored: It raised LookupError")


@pytest.mark.parametrize("where", ["load_data", "pack_weights", "RunStore.add_imported"])
def test_whatever_fails_no_run_is_left(imported, store, monkeypatch, where):
    def fail(*_, **__):
        raise DataError("Not today.")

    monkeypatch.setattr(f"explorer.runs.exchange.{where}", fail)
    with pytest.raises(DataError):
        imported(network().state_dict())
    assert store.runs() == []


@pytest.mark.usefixtures("few")
def test_imported_weights_cannot_be_trained_further(imported, store, settings):
    run = imported(network().state_dict()).run
    assert not run.status.is_resumable
    store.delete(run.id)
    with pytest.raises(UnknownRunError):
        store.add(run.spec)
    with pytest.raises((UnknownRunError, StoreError)):
        list(perform(store.claim(run.id, "me"), "me", store, REGISTRY, settings))


numbers = st.floats(allow_nan=False, width=32)
states = st.dictionaries(
    st.text("abc.", min_size=1, max_size=4),
    st.lists(numbers, max_size=3).map(torch.tensor) | numbers.map(torch.tensor),
    max_size=3,
)


@hypothesis_settings(deadline=None)
@given(states, states)
def test_state_dicts_have_equal_hashes_just_where_they_are_equal(one, other):
    def plain(state):
        return {n: (list(t.shape), str(t.dtype), t.numpy().tobytes()) for n, t in state.items()}

    assert (digest(one) == digest(other)) == (plain(one) == plain(other))
    assert digest(dict(reversed(one.items()))) == digest(one)


def test_tensors_of_every_kind_have_a_hash():
    kinds = [torch.float32, torch.bfloat16, torch.float8_e4m3fn, torch.complex64, torch.bool]
    found = {digest({"a": torch.zeros(2, 3).to(kind)}) for kind in kinds}
    found |= {digest({"a": torch.zeros(3, 2)}), digest({"a": torch.zeros(0)})}
    found |= {digest({"a": torch.zeros(())}), digest({"b": torch.zeros(())}), digest({})}
    assert len(found) == len(kinds) + 5
