import pytest
import torch
from built_ins import REGISTRY
from safetensors.torch import load
from torch import nn, optim

from explorer.spec import ImageSpec
from explorer.training import checkpoint
from explorer.training.checkpoint import CheckpointError, load_weights, pack_weights
from explorer.training.events import Moment

GREY = ImageSpec(1, 28, 10)


def net(seed, width=6):
    torch.manual_seed(seed)
    return nn.Sequential(
        nn.Conv2d(1, width, 3, bias=False),
        nn.BatchNorm2d(width),
        nn.ReLU(),
        nn.Dropout(),
        nn.AdaptiveAvgPool2d(2),
        nn.Flatten(),
        nn.Linear(4 * width, 10),
    )


def step(model, optimiser, seed):
    images = torch.randn(8, 1, 28, 28, generator=torch.Generator().manual_seed(seed))
    optimiser.zero_grad()
    nn.functional.cross_entropy(model(images), torch.arange(8)).backward()
    optimiser.step()


def states(model):
    return {name: tensor.clone() for name, tensor in model.state_dict().items()}


def equal(first, second):
    return first.keys() == second.keys() and all(torch.equal(first[k], second[k]) for k in first)


OPTIMISERS = {
    "sgd": lambda p: optim.SGD(p, 0.1),
    "momentum": lambda p: optim.SGD(p, 0.1, momentum=0.9),
    "nesterov": lambda p: optim.SGD(p, 0.1, momentum=0.9, nesterov=True, weight_decay=0.01),
    "adamw": lambda p: optim.AdamW(p, 0.01),
}
every_optimiser = pytest.mark.parametrize("make", OPTIMISERS.values(), ids=OPTIMISERS)


def test_weights_and_buffers_survive_a_round_trip():
    model, other = net(1), net(2)
    step(model, optim.SGD(model.parameters(), 0.1), seed=0)
    checkpoint.load_weights(other, checkpoint.pack_weights(model))
    assert equal(states(model), states(other))
    assert other[1].num_batches_tracked == 1


def test_packed_weights_are_plain_safetensors_under_the_model_s_own_names():
    model = net(1)
    assert equal(load(checkpoint.pack_weights(model)), states(model))


@every_optimiser
def test_training_goes_on_from_a_checkpoint_as_if_nothing_had_happened(make):
    model = net(1)
    optimiser = make(model.parameters())
    for seed in range(3):
        step(model, optimiser, seed)
    taken = checkpoint.take(model, optimiser, Moment(1))
    for seed in range(3, 6):
        step(model, optimiser, seed)  # its Dropout draws from the restored generator

    other = net(2)
    torch.manual_seed(12345)
    other_optimiser = make(other.parameters())
    checkpoint.restore(taken, other, other_optimiser)
    for seed in range(3, 6):
        step(other, other_optimiser, seed)
    assert equal(states(model), states(other))


@every_optimiser
def test_the_optimiser_s_own_state_survives_a_round_trip(make):
    model = net(1)
    optimiser = make(model.parameters())
    step(model, optimiser, seed=0)
    other = net(2)
    other_optimiser = make(other.parameters())
    checkpoint.restore(checkpoint.take(model, optimiser, Moment(1)), other, other_optimiser)
    before, after = optimiser.state_dict(), other_optimiser.state_dict()
    assert before["param_groups"] == after["param_groups"]
    tensors = 0
    for index, state in before["state"].items():
        for name, value in state.items():
            if isinstance(value, torch.Tensor):
                tensors += 1
                assert torch.equal(value, after["state"][index][name])
                assert value.dtype == after["state"][index][name].dtype
    assert tensors or make is OPTIMISERS["sgd"]


@every_optimiser
def test_a_net_whose_weights_do_not_all_get_a_gradient_can_be_resumed(make):
    # Half of each of its blocks is computed and never used, and the optimiser has no state for it.
    architecture = REGISTRY["residual-as-printed"]

    def trained(model, optimiser, seeds):
        for seed in seeds:
            step(model, optimiser, seed)

    torch.manual_seed(1)
    model = architecture.build(GREY)
    optimiser = make(model.parameters())
    trained(model, optimiser, range(2))
    assert any(parameter.grad is None for parameter in model.parameters())
    taken = checkpoint.take(model, optimiser, Moment(1))
    trained(model, optimiser, range(2, 4))

    other = architecture.build(GREY)
    other_optimiser = make(other.parameters())
    checkpoint.restore(taken, other, other_optimiser)
    trained(other, other_optimiser, range(2, 4))
    assert equal(states(model), states(other))


def test_frozen_weights_are_kept_with_the_rest():
    model, other = net(1), net(2)
    optimisers = []
    for one in (model, other):
        one[0].weight.requires_grad_(False)
        optimisers.append(optim.AdamW([p for p in one.parameters() if p.requires_grad]))
    step(model, optimisers[0], seed=0)
    checkpoint.restore(checkpoint.take(model, optimisers[0], Moment(1)), other, optimisers[1])
    assert equal(states(model), states(other))


def test_the_random_generator_goes_on_where_it_was():
    model = net(1)
    optimiser = optim.SGD(model.parameters(), 0.1)
    taken = checkpoint.take(model, optimiser, Moment(1))
    wanted = torch.rand(4)
    torch.manual_seed(99)
    checkpoint.restore(taken, model, optimiser)
    assert torch.equal(torch.rand(4), wanted)


def test_a_checkpoint_is_a_copy_that_training_on_does_not_reach():
    model = net(1)
    optimiser = optim.AdamW(model.parameters(), 0.1)
    step(model, optimiser, seed=0)
    taken, again = (
        checkpoint.take(model, optimiser, Moment(1)),
        checkpoint.take(model, optimiser, Moment(1)),
    )
    assert taken == again
    before = bytes(taken.weights), bytes(taken.training_state)
    step(model, optimiser, seed=1)
    assert (taken.weights, taken.training_state) == before
    assert checkpoint.take(model, optimiser, Moment(1)).weights != taken.weights


@pytest.mark.parametrize(
    "other",
    [
        lambda: net(2, width=7),
        lambda: nn.Sequential(*list(net(2))[:-1]),
        lambda: nn.Sequential(*net(2), nn.Linear(10, 10)),
    ],
    ids=["wider", "without its last layer", "with one layer more"],
)
def test_weights_of_another_shape_are_refused_and_change_nothing(other):
    packed, model = checkpoint.pack_weights(net(1)), other()
    before = states(model)
    with pytest.raises(CheckpointError) as refusal:
        checkpoint.load_weights(model, packed)
    assert str(refusal.value) == (
        "The recorded weights do not fit Sequential: its code or its options have changed "
        "since the run was made. Train or import it again."
    )
    assert equal(states(model), before)


def test_a_checkpoint_of_another_net_is_refused_and_changes_nothing():
    model, other = net(1), net(2, width=7)
    taken = checkpoint.take(model, optim.SGD(model.parameters(), 0.1), Moment(1))
    optimiser = optim.SGD(other.parameters(), 0.1, momentum=0.9)
    step(other, optimiser, seed=0)
    before = states(other)
    momentum = optimiser.state_dict()["state"][0]["momentum_buffer"].clone()
    generator = torch.get_rng_state()
    with pytest.raises(CheckpointError):
        checkpoint.restore(taken, other, optimiser)
    assert equal(states(other), before)
    assert torch.equal(optimiser.state_dict()["state"][0]["momentum_buffer"], momentum)
    assert torch.equal(torch.get_rng_state(), generator)


class Tied(nn.Module):
    def __init__(self):
        super().__init__()
        self.first = nn.Linear(5, 5)
        self.second = nn.Linear(5, 5)
        self.second.weight = self.first.weight


def test_tied_weights_are_kept_and_stay_tied():
    model, other = Tied(), Tied()
    optimiser = optim.SGD(other.parameters(), 0.1)
    taken = checkpoint.take(model, optim.SGD(model.parameters(), 0.1), Moment(1))
    checkpoint.restore(taken, other, optimiser)
    assert equal(states(model), states(other))
    assert other.second.weight is other.first.weight


def test_weights_in_channels_last_layout_are_kept_and_stay_in_it():
    def colour(seed):
        torch.manual_seed(seed)
        return nn.Sequential(nn.Conv2d(3, 8, 3), nn.Flatten(), nn.Linear(32, 2)).to(
            memory_format=torch.channels_last
        )

    model, other = colour(1), colour(2)
    assert not model[0].weight.is_contiguous()
    checkpoint.load_weights(other, checkpoint.pack_weights(model))
    assert equal(states(model), states(other))
    assert other[0].weight.is_contiguous(memory_format=torch.channels_last)
    # The same file serves a model in the usual layout.
    plain = colour(3).to(memory_format=torch.contiguous_format)
    checkpoint.load_weights(plain, checkpoint.pack_weights(model))
    assert equal(states(model), states(plain))


@pytest.mark.parametrize("content", [b"", b"not safetensors", pack_weights(nn.Linear(2, 2))[:-3]])
def test_damaged_weights_are_refused_and_change_nothing(content):
    model = nn.Linear(2, 2)
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    with pytest.raises(CheckpointError, match=r"^The recorded weights are damaged .*again\.$"):
        load_weights(model, content)
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())
