"""The whole training step as one CUDA graph.

A small network's step on a GPU is a hundred kernels of a few microseconds each; launching them one
by one takes longer than running them. A graph launches them all at once. What it cannot hold, such
as a `forward` that reads a number back from the GPU, is found out before training begins, and
training goes on kernel by kernel, saying why.
"""

from collections.abc import Callable
from typing import Protocol

import torch
from torch import Tensor

from explorer.errors import ExplorerError
from explorer.training.checkpoint import read_generators, set_generators
from explorer.training.step import PlainStepper, StepOutput, Stepper

WARM_UP_STEPS = 3  # in which libraries choose their kernels and the optimiser makes its state

# How far the captured step may be from the plain one. A GPU sums in any order, and Adam's first
# step is as long for a gradient that is all rounding error as for any other.
LOSS_TOLERANCE = 1e-3
UPDATE_TOLERANCE = 0.25  # of the update's length


class CaptureError(ExplorerError, RuntimeError):
    """The step cannot be captured; the message says why, as a part of a sentence."""


class Graph(Protocol):
    """What was captured."""

    def replay(self) -> None:
        """Do it again, with what now lies in the same memory."""


Capture = Callable[[Callable[[], StepOutput]], tuple[Graph, StepOutput]]


def fastest(plain: PlainStepper, batch_size: int) -> tuple[Stepper, str]:
    """The quickest sound way to take steps on this device.

    Nothing is changed by looking for it: weights, optimiser and random generators are as before.

    Returns:
        The stepper, and why it launches kernel by kernel on a GPU where it could be one graph;
        empty if there is nothing to say.
    """
    if plain.images.device.type != "cuda" or batch_size > len(plain.images):
        return plain, ""
    try:
        return CapturedStepper(plain, batch_size, cuda_graph), ""
    except CaptureError as error:
        return plain, f"launched kernel by kernel, since {error}"


class CapturedStepper:
    """Takes steps by replaying one; smaller batches, at an epoch's end, are taken plainly.

    Args:
        plain: How steps are written.
        batch_size: Of the batches that are replayed.
        capture: Calls a function, and keeps what it does on the device, such as `cuda_graph`.

    Raises:
        CaptureError: It cannot be captured, or does not do what the plain step does.
    """

    def __init__(self, plain: PlainStepper, batch_size: int, capture: Capture) -> None:
        self._plain = plain
        self._indices = torch.arange(batch_size, device=plain.images.device)
        self._parameters = list(plain.model.parameters())
        plain.model.train()
        before = _State(plain)
        try:
            self._graph, self._taken = capture(lambda: plain.step(self._indices))
            self._gradients = [parameter.grad for parameter in self._parameters]
            before.restore()
            self._demand_equal(before)
        except CaptureError:
            raise
        except Exception as error:  # whatever the author's code or CUDA has against it
            first = str(error).strip().partition("\n")[0] or type(error).__name__
            raise CaptureError(f"it cannot be one CUDA graph: {first}") from error
        finally:
            before.restore()
            plain.optimiser.zero_grad()

    def __call__(self, indices: Tensor, lr: float) -> StepOutput:
        """Take a step."""
        if len(indices) != len(self._indices):
            return self._plain(indices, lr)
        self._plain.set_lr(lr)
        self._indices.copy_(indices)
        return self._replay()

    def _replay(self) -> StepOutput:
        self._graph.replay()
        # A plain step in between leaves gradients of its own; these are what was just computed.
        for parameter, gradient in zip(self._parameters, self._gradients, strict=True):
            parameter.grad = gradient
        # The next replay overwrites them.
        return StepOutput(*(tensor.clone() for tensor in self._taken))

    def _weights(self) -> Tensor:
        return torch.cat([parameter.detach().flatten() for parameter in self._parameters])

    def _demand_equal(self, before: "_State") -> None:
        begin = self._weights()
        wanted = self._plain.step(self._indices)
        plain = self._weights()
        before.restore()
        found = self._replay()
        replayed = self._weights()
        close = torch.allclose(found.loss, wanted.loss, LOSS_TOLERANCE, LOSS_TOLERANCE)
        if not close or (replayed - plain).norm() > UPDATE_TOLERANCE * (plain - begin).norm():
            raise CaptureError("as one CUDA graph it does not compute what it computes plainly")


def cuda_graph(step: Callable[[], StepOutput]) -> tuple[Graph, StepOutput]:
    """Run `step` until it has settled, then capture what it launches, without running that."""
    aside = torch.cuda.Stream()
    aside.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(aside):
        for _ in range(WARM_UP_STEPS):
            step()
    torch.cuda.current_stream().wait_stream(aside)
    graph = torch.cuda.CUDAGraph()
    # Another thread may be at the GPU meanwhile: the pages look inside networks.
    with torch.cuda.graph(graph, capture_error_mode="thread_local"):
        output = step()
    return graph, output


class _State:
    """All that steps change, to be put back where it lies: a graph knows only that memory."""

    def __init__(self, plain: PlainStepper) -> None:
        self._optimiser = plain.optimiser
        self._device = plain.images.device
        self._tensors = [*plain.model.parameters(), *plain.model.buffers(), *self._made()]
        self._copies = [tensor.detach().clone() for tensor in self._tensors]
        self._generators = read_generators(self._device)

    def restore(self) -> None:
        with torch.no_grad():
            for tensor, copy in zip(self._tensors, self._copies, strict=True):
                tensor.copy_(copy)
            known = set(map(id, self._tensors))
            for tensor in self._made():
                if id(tensor) not in known:  # made since; all optimisers begin with zeros
                    tensor.zero_()
        set_generators(self._device, self._generators)

    def _made(self) -> list[Tensor]:
        values = (value for state in self._optimiser.state.values() for value in state.values())
        return [value for value in values if isinstance(value, Tensor)]
