"""The whole training step as one CUDA graph.

A small network's step on a GPU is a hundred kernels of a few microseconds each; launching them one
by one takes longer than running them. A graph launches them all at once. What cannot be captured,
such as a `forward` that reads a number back from the GPU, is found before training begins; training
then launches kernel by kernel and says why.
"""

from collections.abc import Callable
from typing import Protocol

import torch
from torch import Tensor

from explorer.errors import ExplorerError
from explorer.language import say
from explorer.training.state import State
from explorer.training.step import PlainStepper, StepOutput, Stepper

WARM_UP_STEPS = 3  # in which libraries choose their kernels and the optimiser makes its state

# How far the captured step may be from the plain one. A GPU sums in any order, and Adam's first
# step is as long for a gradient of rounding errors as for any other.
LOSS_TOLERANCE = 1e-3
UPDATE_TOLERANCE = 0.25  # of the update's length


class CaptureError(ExplorerError, RuntimeError):
    """The step cannot be captured; the message says why, as a part of a sentence."""


class Graph(Protocol):
    """What was captured."""

    def replay(self) -> None:
        """Launch what was captured again, on what is now in the same memory."""


Capture = Callable[[Callable[[], StepOutput]], tuple[Graph, StepOutput]]


def fastest(plain: PlainStepper, batch_size: int) -> tuple[Stepper, str]:
    """Return the fastest stepper on this device that computes what the plain one does.

    Parameters, optimiser and random generators do not change.

    Returns:
        The stepper; and on a GPU why it launches kernel by kernel, as a part of a sentence, or
        nothing if it does not.
    """
    if plain.images.device.type != "cuda" or batch_size > len(plain.images):
        return plain, ""
    try:
        return CapturedStepper(plain, batch_size, cuda_graph), ""
    except CaptureError as error:
        return plain, say("launched kernel by kernel, since {reason}", reason=error)


class CapturedStepper:
    """Takes steps by replaying one; smaller batches, at an epoch's end, are taken plainly.

    Args:
        plain: How steps are written.
        batch_size: Of the batches that are replayed.
        capture: Calls a function and keeps what it launches, such as `cuda_graph`.

    Raises:
        CaptureError: It cannot be captured, or does not do what the plain step does.
    """

    def __init__(self, plain: PlainStepper, batch_size: int, capture: Capture) -> None:
        self._plain = plain
        self._indices = torch.arange(batch_size, device=plain.images.device)
        self._parameters = list(plain.model.parameters())
        plain.model.train()
        before = State(plain.model, plain.images.device, plain.optimiser)
        try:
            self._graph, self._output = capture(lambda: plain.step(self._indices))
            self._gradients = [parameter.grad for parameter in self._parameters]
            before.restore()
            self._demand_equal(before)
        except CaptureError:
            raise
        except Exception as error:  # whatever the author's code or CUDA has against it
            first = str(error).strip().partition("\n")[0] or type(error).__name__
            raise CaptureError(
                say("it cannot be one CUDA graph: {reason}", reason=first)
            ) from error
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
        # A plain step in between leaves other tensors there; these were just computed.
        for parameter, gradient in zip(self._parameters, self._gradients, strict=True):
            parameter.grad = gradient
        # The next replay overwrites them.
        return StepOutput(*(tensor.clone() for tensor in self._output))

    def _values(self) -> Tensor:
        return torch.cat([parameter.detach().flatten() for parameter in self._parameters])

    def _demand_equal(self, before: State) -> None:
        begin = self._values()
        wanted = self._plain.step(self._indices)
        plain = self._values()
        before.restore()
        found = self._replay()
        replayed = self._values()
        close = torch.allclose(found.loss, wanted.loss, LOSS_TOLERANCE, LOSS_TOLERANCE)
        if not close or (replayed - plain).norm() > UPDATE_TOLERANCE * (plain - begin).norm():
            raise CaptureError(
                say("as one CUDA graph it does not compute what it computes plainly")
            )


def cuda_graph(step: Callable[[], StepOutput]) -> tuple[Graph, StepOutput]:
    """Run `step` until it has settled, then capture what it launches, without running that."""
    aside = torch.cuda.Stream()
    aside.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(aside):
        for _ in range(WARM_UP_STEPS):
            step()
    torch.cuda.current_stream().wait_stream(aside)
    graph = torch.cuda.CUDAGraph()
    # Another thread may use the GPU at the same time: the pages look inside networks.
    with torch.cuda.graph(graph, capture_error_mode="thread_local"):
        output = step()
    return graph, output
