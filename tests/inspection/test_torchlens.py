"""What one run of a network does, against what torchlens sees of it.

torchlens (https://github.com/johnmarktaylor91/torchlens) wraps every function of torch, while the
explorer asks for each operation by `__torch_function__`, so they share no code.
"""

import functools
import warnings
from typing import NamedTuple

import pytest
import torch
from inspection import others
from torch import nn

from explorer.inspection.parts import IMAGE
from explorer.inspection.tracing import trace
from explorer.inspection.watching import TRANSPARENT

torchlens = pytest.importorskip("torchlens")

pytestmark = pytest.mark.usefixtures("one_thread")

# What torchlens lists as an operation, and the explorer as the operand's tensor itself.
HANDED_ON = {
    "chunk": "views of its parts",
    "contiguous": "in another layout",
    "expand": "a view",
    "flatten": "a view, or in another layout",
    "permute": "a view",
    "reshape": "a view, or in another layout",
    "squeeze": "a view",
    "transpose": "a view",
    "unbind": "views of its parts",
    "unsqueeze": "a view",
    "view": "a view",
    "clone": "a copy",
    "float": "in another type",
    "cat": "a copy, where there is nothing to join to it",
    "getitem": "a view, as no network here indexes an activation by a tensor",
    "dropout": "the very tensor, as no network here trains",
    "identity": "what a module gives that returns its input; no operation of torch",
}
# These give a tensor of their operand's shape, in which there is nothing of its values.
NEW = {"new_zeros", "empty_like"}
# What has two names: `norm` calls `vector_norm`, `/` is `Tensor.div`, and of `torch.fft`.
SAME = {"vector_norm": "norm", "truediv": "div", "rfft2": "fft_rfft2", "irfft2": "fft_irfft2"}
# What torchlens cannot look into.
UNSEEN = {
    others.Scripted: "it refuses networks with a scripted module",
    others.Vmap: "a layer within `torch.vmap` is a part of one operation to it",
}


class Operation(NamedTuple):
    """A layer or an operation that runs.

    Attributes:
        path: Of the layer, or of the module in whose `forward` the operation is.
        call: Which call of that module.
        name: The operation's name; empty for a layer.
    """

    path: str
    call: int
    name: str


IMAGES = Operation("", 1, "image")


class Seen(NamedTuple):
    """What depends on the images, in running order.

    Attributes:
        operations: The images first.
        edges: Which one uses the result of which, by their places.
        outputs: The places of those that the network returns.
    """

    operations: list[Operation]
    edges: set[tuple[int, int]]
    outputs: set[int]


def theirs(model, images):
    """Return what torchlens sees, with layers as one operation and without what hands on."""
    layers = {
        path
        for path, module in model.named_modules()
        if isinstance(module, nn.MultiheadAttention)
        or {name for name, _ in module.named_children()} <= {"parametrizations"}
    }
    fused = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        with torch.no_grad(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            # Whatever runs afterwards in this process is to meet torch as it was.
            options = torchlens.options.CaptureOptions(unwrap_when_done=True)
            found = torchlens.trace(model, images, capture=options).layer_list
    finally:
        torch.backends.mha.set_fastpath_enabled(fused)
    operations, edges, outputs = [], set(), set()
    places: dict[str, set[int]] = {}  # what each result of torchlens comes from
    runs: dict[tuple[str, int], int] = {}  # the places of the layers
    for op in found:
        sources = set().union(*(places[parent] for parent in op.parents))
        name = plain_name(op.func_name)
        within = next((run for run in map(run_of, op.modules) if run[0] in layers), None)
        if op.is_input:
            operations.append(IMAGES)
            sources = {IMAGE}
        elif op.is_output:
            outputs |= sources
        elif name == "identity" or (within is None and hands_on(op, name)):
            pass
        elif within is None and name in NEW:
            sources = set()
        elif sources and within in runs:
            edges |= {(source, runs[within]) for source in sources - {runs[within]}}
            sources = {runs[within]}
        elif sources:
            place = len(operations)
            operations.append(Operation(*within, "") if within else Operation(*where(op), name))
            edges |= {(source, place) for source in sources}
            sources = {place}
            if within:
                runs[within] = place
        places[op.label] = places[op.layer_label] = sources
    return Seen(operations, edges, outputs)


def hands_on(op, name):
    """Tell whether an operation of torchlens is in the table."""
    return name in HANDED_ON and (name != "cat" or len(op.parents) == 1)


def run_of(module):
    """Return the path of a module and which call this is, of `layer1.0:2`."""
    path, _, call = module.rpartition(":")
    return path, int(call)


def where(op):
    """Return the module in whose `forward` an operation of torchlens is, and which call this is."""
    return run_of(op.modules[-1]) if op.modules else ("", 1)


def plain_name(name):
    """Return `add` for `__iadd__`, and `relu` for `relu_`."""
    name = name.strip("_")
    reflected = {f"{letter}{word}" for letter in "ir" for word in ("add", "sub", "mul", "truediv")}
    name = name[1:] if name in reflected else name
    return SAME.get(name, name)


def ours(model, images):
    """Return what the explorer sees."""
    graph = trace(model, images, lambda _: None).graph
    return Seen(
        [Operation(*node.point[:3]) for node in graph.nodes],
        {(source, node.number) for node in graph.nodes for source in node.inputs},
        set(graph.outputs),
    )


UNUSUAL = [unusual for unusual in others.UNUSUAL if unusual not in UNSEEN]


@functools.cache
def both(which):
    """Return what the explorer and torchlens see of the same run."""
    if isinstance(which, str):
        model, images = others.network(which), others.images(which)
    else:
        torch.manual_seed(0)
        model, images = which().eval(), torch.randn(2, 1, 8, 8)
    return ours(model, images), theirs(model, images)


each = pytest.mark.parametrize("which", [*others.NETWORKS, *UNUSUAL])


@each
def test_the_operations_are_those_that_torchlens_sees(which):
    found, wanted = both(which)
    assert found.operations == wanted.operations
    assert len(wanted.operations) > 2


@each
def test_the_edges_are_those_that_torchlens_sees(which):
    found, wanted = both(which)
    assert found.edges == wanted.edges


@each
def test_the_outputs_are_those_that_torchlens_sees(which):
    found, wanted = both(which)
    assert found.outputs == wanted.outputs != set()


def test_what_hands_on_is_known_to_the_explorer_by_its_name():
    """Of the others it knows that they give memory that was there before, or that one is joined."""
    assert set(HANDED_ON) - TRANSPARENT == {"cat", "getitem", "dropout", "identity"}
