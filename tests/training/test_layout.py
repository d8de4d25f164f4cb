"""What the explorer does to a network and its author did not is tried first, and taken back."""

import copy

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from explorer.data.loader import Data, Split
from explorer.spec import ImageSpec
from explorer.training.events import Epoch, Started
from explorer.training.layout import prepare, settle
from explorer.training.loop import evaluate, train
from explorer.training.recipe import Recipe

SPEC = ImageSpec(3, 8, 4)
RECIPE = Recipe(batch_size=16, epochs=1)


def split(count, seed):
    generator = torch.Generator().manual_seed(seed)
    images = torch.randint(0, 256, (count, 3, 8, 8), generator=generator, dtype=torch.uint8)
    labels = torch.arange(count) % 4
    return Split(images, labels, torch.full((3, 1, 1), 0.5), torch.full((3, 1, 1), 0.3))


@pytest.fixture
def data():
    return Data(SPEC, split(48, 1), split(40, 2))


class Net(nn.Module):
    """A small network; those below differ in one thing."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3, padding=1)
        self.norm = nn.BatchNorm2d(4)
        self.linear = nn.Linear(256, 4)

    def forward(self, x):
        return self.linear(self.norm(self.conv(x)).flatten(1))


class Views(Net):
    """As the tutorial writes it; `view` refuses maps that are channels-last."""

    def forward(self, x):
        return self.linear(self.norm(self.conv(x)).view(len(x), -1))


class Strides(Net):
    """Reads memory as it is, and so computes something else in another layout."""

    def forward(self, x):
        maps = self.norm(self.conv(x))
        return self.linear(maps.as_strided((len(x), 256), (256, 1)))


class ViewsGradients(Net):
    """Refuses another layout in the backward pass only."""

    class Pass(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x.clone()

        @staticmethod
        def backward(ctx, grad):
            return grad.view(-1).view_as(grad)

    def forward(self, x):
        return self.linear(F.relu(self.Pass.apply(self.conv(x))).permute(0, 2, 3, 1).flatten(1))


class Complex(Net):
    """Fused optimisers refuse complex parameters."""

    def __init__(self):
        super().__init__()
        self.phase = nn.Parameter(torch.ones(256, dtype=torch.complex64))

    def forward(self, x):
        return self.linear((self.norm(self.conv(x)).flatten(1) * self.phase).real)


class CachesTable(Net):
    """Makes a table when it first runs, and keeps it."""

    def forward(self, x):
        if not hasattr(self, "table"):
            self.table = torch.linspace(0, 1, 256)
        return self.linear(self.norm(self.conv(x)).flatten(1) * self.table)


class Stochastic(Net):
    """Draws random numbers in evaluation mode too."""

    def forward(self, x):
        return self.linear(F.dropout(self.norm(self.conv(x)).flatten(1)))


NETS = [Net, Views, Strides, ViewsGradients, Complex, CachesTable, Stochastic]
PLAIN_ONLY = [Views, Strides]


def plainly(model, data, recipe):
    """Train as anyone would, on the same batches, and return the parameters."""
    model.train()
    optimiser = torch.optim.SGD(model.parameters(), recipe.learning_rate, recipe.momentum)
    torch.manual_seed(recipe.seed)
    plain = data.laid_out(torch.contiguous_format).train
    for indices in plain.order(recipe.batch_size, recipe.seed * 1_000_003 + 1):
        images, labels = plain.gather(indices)
        optimiser.zero_grad()
        F.cross_entropy(model(images.contiguous()), labels).backward()
        optimiser.step()
    return [p.detach().clone() for p in model.parameters()]


@pytest.mark.parametrize("cls", NETS)
def test_a_network_that_trains_in_plain_pytorch_trains_here_to_the_same_parameters(cls, data):
    torch.manual_seed(0)
    model = cls()
    wanted = plainly(copy.deepcopy(model), data, RECIPE)
    events = list(train(model, data, RECIPE))
    assert isinstance(events[-1], Epoch)
    for found, parameter in zip(model.parameters(), wanted, strict=True):
        if cls is not Stochastic:  # its masks are drawn in the order of the memory
            assert torch.allclose(found, parameter, 1e-3, 1e-4)


@pytest.mark.parametrize("cls", NETS)
def test_the_network_is_left_in_a_layout_in_which_it_answers_as_in_the_plain_one(cls, data):
    torch.manual_seed(0)
    model = cls()
    plain = copy.deepcopy(model)
    laid_out, note = settle(model, data)
    assert (laid_out.test.memory_format is torch.contiguous_format) == bool(note)
    if cls in PLAIN_ONLY:
        assert note.startswith("in the plain memory layout, since it ")
    if cls is not Stochastic:
        wanted = evaluate(plain, data.laid_out(torch.contiguous_format).test)
        assert evaluate(model, laid_out.test) == pytest.approx(wanted, rel=1e-4)


def test_what_costs_speed_is_said_where_training_starts(data):
    def note(model):
        started = next(train(model, data, RECIPE))
        assert isinstance(started, Started)
        return started.note

    assert note(Net()) == ""
    assert note(Views()).startswith(
        "in the plain memory layout, since it does not run in the faster one: view size is not"
    )
    assert note(Strides()) == (
        "in the plain memory layout, since it computes something else in the faster one"
    )
    assert "one update for all parameters" in note(Complex())


@pytest.mark.parametrize("cls", NETS)
def test_trying_it_out_leaves_no_trace(cls, data):
    torch.manual_seed(0)
    model = cls()
    model.norm.eval()
    model.norm.weight.requires_grad_(False)
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    generator = torch.get_rng_state()
    _, optimiser, _ = prepare(model, data, RECIPE)
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())
    assert torch.equal(torch.get_rng_state(), generator)
    assert all(parameter.grad is None for parameter in model.parameters())
    assert not optimiser.state


def test_a_mode_that_was_set_by_hand_is_kept_by_settling(data):
    model = Net().train()
    model.norm.eval()
    settle(model, data)
    assert [module.training for module in (model, model.conv, model.norm)] == [True, True, False]


def test_a_network_that_runs_in_no_layout_says_why_when_it_is_trained(data):
    class Broken(Net):
        def forward(self, x):
            raise RuntimeError("not today")

    events = train(Broken(), data, RECIPE)
    assert next(events).note == ""
    with pytest.raises(RuntimeError, match=r"^not today$"):
        next(events)


def test_a_table_that_a_network_keeps_from_scoring_can_be_trained_with(data):
    model = CachesTable()
    evaluate(model, data.test)
    assert not model.table.is_inference()
    assert isinstance(list(train(model, data, RECIPE))[-1], Epoch)
