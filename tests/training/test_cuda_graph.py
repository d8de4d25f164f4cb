"""What a graph does is CUDA's; here, a stand-in with other memory follows the same rules.

Capturing runs nothing that lasts, a replay writes its results where those of the capture lay, and
knows no memory but that.
"""

import pytest
import torch
from torch import nn

from explorer.data.loader import Split
from explorer.training import cuda_graph as capture
from explorer.training.cuda_graph import CapturedStepper, CaptureError, fastest
from explorer.training.recipe import Recipe
from explorer.training.step import PlainStepper, StepOutput, make_optimiser

CPU = torch.device("cpu")
RECIPES = {
    "sgd": Recipe("sgd", 0.05, momentum=0.5, weight_decay=0.01),
    "nesterov": Recipe("nesterov", 0.05, 0.9),
    "adamw": Recipe("adamw", 0.01, weight_decay=0.1),
}
every_recipe = pytest.mark.parametrize("recipe", RECIPES.values(), ids=RECIPES)


def split(length=100):
    generator = torch.Generator().manual_seed(1)
    images = torch.randint(256, (length, 2, 6, 6), generator=generator, dtype=torch.uint8)
    labels = torch.randint(3, (length,), generator=generator)
    return Split(images, labels, torch.full((2, 1, 1), 0.4), torch.full((2, 1, 1), 0.3))


def plain_stepper(recipe, head=None):
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Conv2d(2, 4, 3),
        nn.BatchNorm2d(4),
        nn.ReLU(),
        nn.Dropout(0.2),
        nn.Flatten(),
        head or nn.Linear(64, 3),
    )
    model.to(memory_format=torch.channels_last).train()
    return PlainStepper(model, split(), make_optimiser(model, recipe, CPU), recipe)


def memory_of(plain):
    optimiser = plain.optimiser
    state = [value for own in optimiser.state.values() for value in own.values()]
    return [*plain.model.parameters(), *plain.model.buffers(), *state]


class StandIn:
    """Takes the place of a graph; `at` lists where everything was when it was captured."""

    def __init__(self, plain, step):
        self.plain, self.step = plain, step
        self.output = step()
        self.gradients = [p.grad for p in plain.model.parameters()]
        self.at = [tensor.data_ptr() for tensor in memory_of(plain)]

    def replay(self):
        assert [tensor.data_ptr() for tensor in memory_of(self.plain)] == self.at
        output = self.step()
        gradients = [p.grad for p in self.plain.model.parameters()]
        for old, new in zip(
            [*self.output, *self.gradients], [*output, *map(torch.clone, gradients)], strict=True
        ):
            old.copy_(new)
        for p in self.plain.model.parameters():
            p.grad = None


def standing_in(plain):
    def capture(step):
        stand = StandIn(plain, step)
        return stand, stand.output

    return capture


def captured(plain, size=16):
    return CapturedStepper(plain, size, standing_in(plain))


def contents(plain):
    return [tensor.detach().clone() for tensor in memory_of(plain)]


def equal(one, other):
    return all(torch.equal(a, b) for a, b in zip(one, other, strict=True))


@every_recipe
def test_captured_steps_are_the_plain_ones_to_the_bit_smaller_batches_included(recipe):
    plain, other = plain_stepper(recipe), plain_stepper(recipe)
    take = captured(other)
    for stepper in (plain, take):
        torch.manual_seed(3)
        stepper.outputs = [
            stepper(indices, lr)
            for lr in (0.05, 0.01)
            for indices in split().order(16, seed=1)  # the last one holds 4
        ]
    assert equal(contents(plain), contents(other))
    for one, two in zip(plain.outputs, take.outputs, strict=True):
        assert equal(one, two)


@every_recipe
@pytest.mark.parametrize("steps", [0, 3])
def test_capturing_leaves_all_as_it_was(recipe, steps):
    plain, other = plain_stepper(recipe), plain_stepper(recipe)
    for stepper in (plain, other):
        torch.manual_seed(5)
        for indices in list(split().order(16, seed=2))[:steps]:
            stepper(indices, 0.03)
    generator = torch.get_rng_state()
    captured(other)
    assert torch.equal(torch.get_rng_state(), generator)
    weights = list(plain.model.state_dict().values()), list(other.model.state_dict().values())
    assert equal(*weights)
    if steps:
        assert equal(contents(plain), contents(other))
    assert all(p.grad is None for p in other.model.parameters())


@every_recipe
def test_the_output_of_a_step_stays_when_the_next_one_is_taken(recipe):
    take = captured(plain_stepper(recipe))
    first = take(torch.arange(16), 0.05)
    before = [tensor.clone() for tensor in first]
    take(torch.arange(16, 32), 0.05)
    assert equal(first, before)


def test_gradients_after_a_step_are_that_step_s_also_after_a_smaller_batch():
    recipe = RECIPES["adamw"]
    plain, other = plain_stepper(recipe), plain_stepper(recipe)
    take = captured(other)
    for stepper in (plain, take):
        torch.manual_seed(4)
        for indices in (torch.arange(16), torch.arange(5), torch.arange(20, 36)):
            stepper(indices, 0.01)
    gradients = [[p.grad for p in stepper.model.parameters()] for stepper in (plain, take._plain)]
    assert equal(*gradients)


def test_a_capture_that_fails_says_why_and_changes_nothing():
    plain = plain_stepper(RECIPES["adamw"])
    before = contents(plain)

    def fails(step):
        step()
        raise RuntimeError("operation not permitted when stream is capturing\nand much more")

    with pytest.raises(CaptureError) as refusal:
        CapturedStepper(plain, 16, fails)
    assert str(refusal.value) == (
        "it cannot be one CUDA graph: operation not permitted when stream is capturing"
    )
    weights = len(list(plain.model.parameters())) + len(list(plain.model.buffers()))
    assert equal(before[:weights], contents(plain)[:weights])


class Lazy(StandIn):
    """A graph that does nothing when it is replayed."""

    def replay(self):
        pass


class Forgetful(StandIn):
    """A graph that lacks the optimiser's update."""

    def replay(self):
        before = [p.detach().clone() for p in self.plain.model.parameters()]
        super().replay()
        with torch.no_grad():
            for p, own in zip(self.plain.model.parameters(), before, strict=True):
                p.copy_(own)


@pytest.mark.parametrize("wrong", [Lazy, Forgetful])
def test_a_graph_that_computes_something_else_is_not_trusted(wrong):
    plain = plain_stepper(RECIPES["sgd"])

    def capture(step):
        stand = wrong(plain, step)
        return stand, stand.output

    with pytest.raises(CaptureError, match="does not compute what it computes plainly"):
        CapturedStepper(plain, 16, capture)


# Which of the two it is.


class OnGpu:
    """Images that say that they are on a GPU."""

    device = torch.device("cuda")

    def __init__(self, length):
        self.length = length

    def __len__(self):
        return self.length


def on_gpu(length=100):
    plain = plain_stepper(RECIPES["sgd"])
    plain.images = OnGpu(length)
    return plain


def test_a_cpu_takes_plain_steps_and_says_nothing_of_it():
    plain = plain_stepper(RECIPES["sgd"])
    assert fastest(plain, 16) == (plain, "")


def test_where_no_batch_is_full_there_is_nothing_to_capture():
    plain = on_gpu(length=15)
    assert fastest(plain, 16) == (plain, "")


def test_on_a_gpu_steps_are_captured(monkeypatch):
    made = []
    monkeypatch.setattr(capture, "CapturedStepper", lambda *given: made.append(given) or "graph")
    plain = on_gpu()
    assert fastest(plain, 16) == ("graph", "")
    assert made == [(plain, 16, capture.cuda_graph)]


def test_what_cannot_be_captured_is_launched_kernel_by_kernel_and_says_why(monkeypatch):
    def refuse(*_):
        raise CaptureError("it reads a number back")

    monkeypatch.setattr(capture, "CapturedStepper", refuse)
    plain = on_gpu()
    assert fastest(plain, 16) == (
        plain,
        "launched kernel by kernel, since it reads a number back",
    )


def test_a_step_output_is_what_the_meter_reads():
    assert StepOutput._fields == ("loss", "logits", "labels")
