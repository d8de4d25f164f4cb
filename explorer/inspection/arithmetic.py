"""The arithmetic of one channel: which operation computed it, of which maps, with which numbers.

The network runs once more with the arguments of these operations kept. What is said of each is
compared with what it gave, so that no arithmetic is shown that is not the network's.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor, nn

from explorer.inspection.activations import copied
from explorer.inspection.calls import Call, Capture
from explorer.inspection.intervene import Change, Target, intervening
from explorer.inspection.operations import COPIES, Maps, Place, maps_of, rearranged, taken_apart
from explorer.inspection.parts import (
    IMAGE,
    Block,
    Operand,
    Point,
    UnknownPartError,
    blocks,
    branches,
)
from explorer.inspection.recording import as_maps
from explorer.inspection.tracing import Trace, trace
from explorer.inspection.units import (
    Arithmetic,
    Copied,
    Map,
    Merged,
    Normalised,
    Pointwise,
    Sign,
    Source,
    Step,
    SwitchedOff,
    Unknown,
    Weighted,
    computed,
)
from explorer.language import say
from explorer.modes import evaluating
from explorer.text import suggest

MOST_BEFORE, MOST_AFTER = 8, 3  # steps before and after the one that was asked for
TOLERANCE = 5e-3  # of the largest term; a GPU multiplies with ten bits


def arithmetic(
    model: nn.Module, images: Tensor, part: str, channel: int, changes: Mapping[Target, Change]
) -> Arithmetic:
    """Find out how one channel of a part was computed for one image.

    Args:
        model: Unchanged afterwards.
        images: One image, `(1, C, H, W)`, normalised, on the model's device.
        part: The name of a layer, an operation, a block, or the path of a branch.
        channel: Which of its channels; of features, which of them.
        changes: What is switched off.

    Raises:
        UnknownPartError: There is no such part, or no such channel of it.
    """
    with intervening(model, changes):
        seen = trace(model, images, copied)
    asking = _Asking(model, images, seen)
    number, found = asking.place(part, channel)
    maps = as_maps(seen.kept[part][0])
    if number == IMAGE or found < 0:
        sentence = (
            say("This is the image as the network sees it, with mean 0 and standard deviation 1.")
            if number == IMAGE
            else say(
                "This is what {name} gave, cut or put into another order.",
                name=asking.name(number),
            )
        )
        unknown = Unknown(part, "", maps[channel], sentence)
        return Arithmetic(part, channel, len(maps), (unknown,), 0, ())
    with (
        evaluating(model),
        torch.no_grad(),
        torch.random.fork_rng(devices=[]),
        (capture := Capture(model, asking.points(number))).watching(),
        intervening(model, changes),
    ):
        model(images)
    steps, asked, readers = asking.steps(capture, number, found)
    return Arithmetic(part, channel, len(maps), steps, asked, readers)


class _Asking:
    """What one run did, to be asked for the steps of a channel."""

    def __init__(self, model: nn.Module, images: Tensor, seen: Trace[Maps]) -> None:
        self._graph, self._kept = seen.graph, seen.kept
        self._blocks = {block.merge.number: block for block in blocks(seen.parts)}
        self._branches = {path: branch for path, (_, branch) in branches(seen.parts).items()}
        self._numbers = {node.name: node.number for node in seen.graph.nodes[1:]}
        self._numbers |= {block.name: number for number, block in self._blocks.items()}
        self._parts = {
            node.number: self._blocks[node.number].name
            if node.number in self._blocks
            else node.name
            for node in seen.graph.nodes[1:]
        } | {IMAGE: ""}
        self._maps = {
            number: as_maps(seen.kept[name][0]) for number, name in self._parts.items() if name
        } | {IMAGE: maps_of(images)}
        self._parameters = {id(p): name for name, p in model.named_parameters()}

    def place(self, part: str, channel: int) -> tuple[int, int]:
        """Return the node that gave a channel of a part, and which of the node's channels it is.

        Raises:
            UnknownPartError: There is no such part, or no such channel of it.
        """
        if part not in self._kept:
            raise UnknownPartError(
                say(
                    "There is no part {name!r}; {meant}", name=part, meant=suggest(part, self._kept)
                )
            )
        maps = as_maps(self._kept[part][0])
        if not 0 <= channel < len(maps):
            raise UnknownPartError(
                say(
                    "{name} has {count} channels, 0 to {last}, so there is no channel {channel}.",
                    name=part,
                    count=len(maps),
                    last=len(maps) - 1,
                    channel=channel,
                )
            )
        if part not in self._branches or part in self._numbers:
            return self._numbers[part], channel
        source = self._branches[part].source
        own = self._maps[source]
        if own.shape[1:] != maps.shape[1:]:
            return source, -1
        same = np.flatnonzero((own == maps[channel]).all(axis=(1, 2)))
        return source, int(same[np.abs(same - channel).argmin()]) if same.size else -1

    def name(self, number: int) -> str:
        """Return what the part is called that a node gives."""
        return self._parts[number]

    def points(self, number: int) -> list[Point]:
        """Return where the run has to be looked at closely, for a node and those around it."""
        numbers = [*self._backward(number), *self._forward(number)]
        inner = [n.number for i in numbers if i in self._blocks for n in self._blocks[i].inner]
        return [self._graph[each].point for each in (*numbers, *inner) if each != IMAGE]

    def steps(
        self, capture: Capture, number: int, channel: int
    ) -> tuple[tuple[Step, ...], int, tuple[str, ...]]:
        """Return the steps that gave a channel and follow it, which of them it is, and its readers.

        Args:
            capture: What these nodes were called with.
            number: The node's.
            channel: Which of its channels.
        """
        found: list[Step] = []
        for each in self._backward(number):
            own = self._steps_of(capture, each, channel)
            found = [*own, *found]
            if not self._goes_on(own[0], each, channel):
                break
        asked = len(found) - 1
        last = number
        for each in self._forward(number):
            own = self._steps_of(capture, each, channel)
            if not self._goes_on(own[0], each, channel):
                break
            found += own
            last = each
        alone = [
            step if not place else _following(step, found[place - 1])
            for place, step in enumerate(found)
        ]
        readers = tuple(self._parts[user] for user in self._users(last))
        return tuple(alone), asked, readers

    def _goes_on(self, step: Step, number: int, channel: int) -> bool:
        """Tell whether a step reads the same channel of the node before, and nothing else."""
        if not isinstance(step, Pointwise | Normalised) or step.source is None:
            return False
        before = self._graph[number].inputs[0]
        return before != IMAGE and (step.source.part, step.source.channel) == (
            self._parts[before],
            channel,
        )

    def _backward(self, number: int) -> list[int]:
        """Return a node and those before it, as far as each may work on single values."""
        found = [number]
        while len(found) <= MOST_BEFORE:
            node = self._graph[found[-1]]
            before = set(node.inputs)
            if len(before) != 1 or before == {IMAGE}:
                break
            (one,) = before
            if self._maps[one].shape != self._maps[node.number].shape:
                break
            found.append(one)
        return found

    def _forward(self, number: int) -> list[int]:
        """Return the nodes behind one, each the only one that reads the last and of its shape."""
        found: list[int] = []
        while len(found) < MOST_AFTER:
            users = self._users(found[-1] if found else number)
            if len(users) != 1 or len(set(self._graph[users[0]].inputs)) != 1:
                break
            if self._maps[users[0]].shape != self._maps[number].shape:
                break
            found += users
        return found

    def _users(self, number: int) -> list[int]:
        return [
            node.number
            for node in self._graph.nodes[number + 1 :]
            if number in node.inputs and node.number in self._graph.live
        ]

    def _steps_of(self, capture: Capture, number: int, channel: int) -> list[Step]:
        """Return what a node did, and that its channel is switched off if it is."""
        node, recorded = self._graph[number], self._maps[number]
        layer, operation = capture.layers.get(node.point), capture.operations.get(node.point)
        whole = layer.whole if layer else operation
        output = maps_of(whole.output, node.channels_last) if whole else recorded
        if output.shape != recorded.shape:
            output, whole = recorded, None
        place = Place(
            node,
            self._parts[number],
            channel,
            output,
            self._maps,
            {**self._parts, IMAGE: say("image")},
            self._parts,
            self._parameters,
        )
        step = self._checked(self._step(place, capture) if whole else None, place, whole)
        if np.array_equal(output[channel], recorded[channel], equal_nan=True):
            return [step]
        return [step, SwitchedOff(place.part, say("switched off"), recorded[channel])]

    def _step(self, place: Place, capture: Capture) -> Step | None:
        point = place.node.point
        try:
            if point in capture.layers:
                return _of_layer(capture.layers[point].whole, capture.layers[point].calls, place)
            step = taken_apart(capture.operations[point], place)
        except Exception:  # an operation may be called in a way that nobody foresaw
            return None
        return self._with_names(step, place, capture)

    def _checked(self, step: Step | None, place: Place, whole: Call | None) -> Step:
        """Return the step if it computes what the network has, or else that it is unknown."""
        is_exact = whole is None or whole.output.dtype in (torch.float32, torch.float64)
        if step is not None and _agrees(step, TOLERANCE if is_exact else 10 * TOLERANCE):
            return step
        return Unknown(
            *place.known,
            say(
                "{operation} works on more than sums, windows and single values, so the "
                "arithmetic of one unit is not shown; this is what it gave.",
                operation=place.node.text,
            ),
        )

    def _with_names(self, step: Step | None, place: Place, capture: Capture) -> Step | None:
        """Return a merge with its operands called as its branches, and inner sums taken apart."""
        block = self._blocks.get(place.node.number)
        if block is None:
            return step
        if isinstance(step, Copied):
            source = self._named(step.source, block, (place.node.number, step.operand))
            return replace(step, source=source)
        if not isinstance(step, Merged):
            return step
        found = list(self._operands(step, block, place, capture))
        sources, signs = (tuple(each) for each in zip(*found, strict=True))
        return replace(step, sources=sources, signs=signs)

    def _operands(
        self, step: Merged, block: Block, place: Place, capture: Capture
    ) -> Iterator[tuple[Source, Sign]]:
        """Yield each operand and its sign, of a sum that is an operand those of that sum."""
        for number, (source, sign) in enumerate(zip(step.sources, step.signs, strict=True)):
            inner = next((n for n in block.inner if self._parts[n.number] == source.part), None)
            if inner is not None and sign == "+":
                maps = self._maps[inner.number]
                own = replace(place, node=inner, part=inner.name, output=maps)
                taken = taken_apart(capture.operations[inner.point], own)
                if isinstance(taken, Merged):
                    yield from self._operands(taken, block, own, capture)
                    continue
            yield self._named(source, block, (place.node.number, number)), sign

    def _named(self, source: Source, block: Block, operand: Operand) -> Source:
        """Return an operand of a merge called as the branch that gives it."""
        for branch in block.branches.values():
            if operand not in branch.operands:
                continue
            given = as_maps(self._kept[branch.path][0])
            own = given[source.channel] if source.channel < len(given) else given[0]
            is_off = not (own == source.values).all()
            text = say("{branch}, switched off", branch=branch.name) if is_off else branch.name
            return replace(source, text=text, part=source.part or branch.path)
        return source


def _of_layer(whole: Call, calls: Sequence[Call], place: Place) -> Step | None:
    """Say how one channel of a layer is computed, from the operations that it is made of."""
    match [call.name for call in calls]:
        case names if COPIES.issuperset(names):
            return rearranged(whole, place)
        case [_]:
            return taken_apart(calls[0], place)
        case ["pad", "conv2d"]:
            return taken_apart(calls[1], place, before=calls[0])
    return None


def _following(step: Step, before: Step) -> Step:
    """Return a step that reads what the one before gave."""
    if (
        isinstance(step, Pointwise | Normalised)
        and step.source is not None
        and np.array_equal(step.source.values, before.values)
    ):
        return replace(step, source=None)
    return step


def _agrees(step: Step, tolerance: float) -> bool:
    """Tell whether a step computes what the network gave."""
    found = computed(step)
    if found is None:  # it is no sum
        return True
    if found.shape != step.values.shape:
        return False
    scale = max(float(np.abs(values).max()) for values in _terms(step)) if step.values.size else 1.0
    return bool(np.allclose(found, step.values, rtol=tolerance, atol=tolerance * scale))


def _terms(step: Step) -> Iterator[Map]:
    yield step.values
    if isinstance(step, Weighted):
        most = [float(np.abs(s.values).max()) for s in step.sources if s.values.size]
        yield np.abs(step.weights).max(axis=(1, 2)) * np.array(most, np.float32)
    if isinstance(step, Merged):
        yield from (source.values for source in step.sources)
