"""Which network a state dict is of."""

import pytest
import torch
from built_ins import REGISTRY
from torch import nn

from explorer.plugin import matching
from explorer.plugin.matching import differences, find_match
from explorer.spec import ImageSpec

GREY = ImageSpec(1, 28, 10)


@pytest.fixture(autouse=True)
def _patience(monkeypatch):
    """Let the search end by what it finds, however busy the machine is."""
    monkeypatch.setattr(matching, "SECONDS", 120.0)


def weights(name, **options):
    return REGISTRY[name].build(GREY, options).state_dict()


def match(tensors, name, **options):
    architecture = REGISTRY[name]
    values = architecture.complete(options)
    return find_match(tensors, REGISTRY, architecture, values, GREY)


@pytest.mark.parametrize("name", ["plain", "residual", "inception", "residual-bn", "densenet"])
def test_a_network_s_own_weights_do_not_differ(name):
    assert differences(REGISTRY[name].build(GREY), weights(name)) == ""


def test_what_is_missing_unknown_of_another_shape_or_type_is_named():
    model = nn.Sequential(nn.Linear(3, 4), nn.Linear(4, 2))
    state = model.state_dict()
    assert differences(model, {}) == "it has no 0.weight, 0.bias, 1.weight and 1 more"
    assert differences(model, {**state, "b": torch.zeros(1), "a": torch.zeros(1)}) == (
        "the network has no a, b"
    )
    assert differences(
        model, {**state, "0.weight": torch.zeros(4, 5), "0.bias": torch.ones(())}
    ) == ("0.weight is 4×5 and should be 4×3, 0.bias is a single number and should be 4")
    assert differences(model, {name: tensor[None] for name, tensor in state.items()}).endswith(
        ", and 1 more"
    )
    assert differences(model, {**state, "0.bias": torch.zeros(4, dtype=torch.int8)}) == (
        "0.bias is of int8 and should be of float32"
    )
    assert differences(model, {**state, "0.bias": torch.zeros(4, dtype=torch.float16)}) == ""


def test_long_names_and_shapes_are_cut():
    model = nn.Sequential(nn.Linear(3, 4))
    said = differences(model, {"9" * 10_000: torch.zeros(1), "0.weight": torch.zeros([1] * 60)})
    assert len(said) < 250
    assert "9" * 59 + "…" in said
    assert "1×1×1" in said


def test_files_from_before_batches_were_counted_fit():
    model = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4))
    older = {n: t for n, t in model.state_dict().items() if "num_batches" not in n}
    assert differences(model, older) == ""
    model.load_state_dict(older)


def test_a_lazy_layer_takes_any_shape():
    model = nn.Sequential(nn.Flatten(), nn.LazyLinear(10))
    assert differences(model, nn.Sequential(nn.Flatten(), nn.Linear(784, 10)).state_dict()) == ""


def test_other_options_of_the_same_architecture_are_found():
    found = match(weights("residual-bn", width=24), "residual-bn")
    assert found == "residual-bn --set width=24"
    several = weights("residual-bn", width=24, blocks=2)
    assert match(several, "residual-bn") == "residual-bn --set width=24 --set blocks=2"
    default = match(weights("residual-bn"), "residual-bn", width=8)
    assert default == "residual-bn"


def test_another_architecture_is_found_and_its_options():
    assert match(weights("inception"), "plain") == "inception"
    assert match(weights("residual-bn", width=24), "plain") == "residual-bn --set width=24"


def test_weights_of_no_network_here_match_none():
    assert match({"weight": torch.zeros(3, 3)}, "plain") == ""


def test_the_search_ends_and_leaves_random_numbers_unchanged(monkeypatch):
    before = torch.get_rng_state()
    monkeypatch.setattr(matching, "SECONDS", 0.0)
    assert match(weights("inception"), "plain") == ""
    monkeypatch.undo()
    torch.set_rng_state(before)
    match({"weight": torch.zeros(3, 3)}, "plain")
    assert torch.equal(torch.get_rng_state(), before)
