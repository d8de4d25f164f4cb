"""A network that is looked into, and the answers to all questions about it."""

from collections.abc import Collection, Hashable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from explorer.data.loader import Data
from explorer.inspection.ablation import (
    Means,
    ablated,
    channels_of,
    mean_outputs,
    switched_off,
)
from explorer.inspection.activations import dead_channels, record
from explorer.inspection.answers import answers
from explorer.inspection.arithmetic import arithmetic
from explorer.inspection.attribution import attribution, grad_cam
from explorer.inspection.cost import measure
from explorer.inspection.excitation import Excitation
from explorer.inspection.exciting import excitations
from explorer.inspection.fields import ReceptiveField
from explorer.inspection.gradients import branch_norms, gradient_norms
from explorer.inspection.linearity import as_one_layer, linearity, linearity_between
from explorer.inspection.logit_attribution import logit_attribution, logit_falls
from explorer.inspection.outline import blank
from explorer.inspection.parts import in_running_order
from explorer.inspection.patching import patched, patched_each
from explorer.inspection.receptive import receptive_fields
from explorer.inspection.recording import Recording
from explorer.inspection.results import (
    Cost,
    Filters,
    Instead,
    Linearity,
    LogitAttribution,
    Method,
    OneLayer,
    costs,
)
from explorer.inspection.scores import Answers
from explorer.inspection.session import Cache, Outline, Pixels, Session
from explorer.inspection.tracing import Trace, trace
from explorer.inspection.units import Arithmetic
from explorer.inspection.weights import filters

BATCH = 64  # images that are timed, and whose gradients are taken


class Network:
    """A network and its images. What each method returns is what `Session` says of it.

    Args:
        model: On the device of the images; unchanged by all questions.
        data: The images that it was trained on.
    """

    def __init__(self, model: nn.Module, data: Data) -> None:
        self._model, self._data = model, data
        self._means: dict[int, Means] = {}

    def __call__(self, question: str, /, *args: object) -> Any:
        """Answer a question by its name."""
        return getattr(self, question)(*args)

    def outline(self) -> Outline:
        """Run a blank image."""
        seen = self._seen
        return Outline(
            images=self._data.spec,
            parts=seen.parts,
            unused=seen.graph.unused,
            begun=seen.begun,
            channels=seen.kept,
            macs=seen.macs,
        )

    def labels(self) -> NDArray[np.int64]:
        """Copy the classes of the test images."""
        labels: NDArray[np.int64] = self._data.test.labels.cpu().numpy()
        return labels

    def fields(self) -> Mapping[str, ReceptiveField]:
        """Measure the receptive fields."""
        spec = self._data.spec
        return receptive_fields(self._model, (spec.channels, spec.size, spec.size))

    def costs(self) -> list[Cost]:
        """Measure the costs."""
        test = self._data.test
        images = test.normalise(test.images[:BATCH])
        seen = self._seen
        return costs(seen.parts, measure(self._model, images, seen.parts), seen.graph.unused)

    def answers(self, off: Collection[str], images: int, instead: Instead) -> Answers:
        """Predict the first test images."""
        split = self._data.test.first(images)
        means = self._mean_outputs(len(split)) if off and instead == "mean" else None
        with self._ablated(off, means):
            return answers(self._model, split)

    def excitations(self, off: Collection[str], start: int, stop: int) -> Mapping[str, Excitation]:
        """Run some test images."""
        test, classes = self._data.test, self._data.spec.num_classes
        with self._ablated(off):
            return excitations(self._model, test, classes, range(start, stop))

    def dead(self, images: int) -> Mapping[str, Sequence[int]]:
        """Run the first test images."""
        split = self._data.test.first(images)
        return dead_channels(self._model, split.normalise(split.images))

    def linearity_between(self, first: str, last: str) -> Linearity:
        """Test a stretch."""
        return linearity_between(self._model, self._data.spec, first, last)

    def linearity(self) -> list[Linearity]:
        """Test all blocks."""
        return linearity(self._model, self._data.spec)

    def as_one_layer(self, block: str, images: int) -> OneLayer:
        """Build the layer that computes what is from a block on."""
        test = self._data.test
        return as_one_layer(self._model, block, test.normalise(test.images[:images]))

    def gradients(self) -> tuple[Mapping[str, float], Mapping[str, float]]:
        """Differentiate the loss of some training images."""
        train = self._data.train
        images, labels = train.normalise(train.images[:BATCH]), train.labels[:BATCH]
        norms = gradient_norms(self._model, images, labels)
        ordered = {path: norms[path] for path in self._in_running_order(norms)}
        return ordered, branch_norms(self._seen.parts, norms)

    def filters(self) -> Mapping[str, Filters]:
        """Copy the filters."""
        found = filters(self._model)
        return {path: found[path] for path in self._in_running_order(found)}

    def test_image(self, number: int) -> Pixels:
        """Copy a test image."""
        image: Pixels = self.test_images([number])[0]
        return image

    def test_images(self, numbers: Sequence[int]) -> Pixels:
        """Copy some test images."""
        images: Pixels = self._data.test.images[list(numbers)].cpu().numpy()
        return images

    def record(self, image: Pixels, off: Collection[str]) -> Recording:
        """Run an image."""
        with self._ablated(off):
            return record(self._model, self._normalised(image))

    def arithmetic(
        self, image: Pixels, part: str, channel: int, off: Collection[str]
    ) -> Arithmetic:
        """Take a channel apart."""
        changes = switched_off(self._seen, off)
        return arithmetic(self._model, self._normalised(image), part, channel, changes)

    def attribution(
        self, image: Pixels, target: int, method: Method, off: Collection[str]
    ) -> NDArray[np.float32]:
        """Attribute a logit to the pixels."""
        with self._ablated(off):
            pixels = self._normalised(image)[0]
            return attribution(self._model, pixels, target, method, self.black).numpy()

    def grad_cam(
        self, image: Pixels, target: int, layer: str, off: Collection[str]
    ) -> NDArray[np.float32]:
        """Weight a layer's maps by the gradient of a logit."""
        with self._ablated(off):
            pixels = self._normalised(image)[0]
            return grad_cam(self._model, self._seen, layer, pixels, target).numpy()

    def logit_attribution(
        self, image: Pixels, block: str, off: Collection[str]
    ) -> LogitAttribution:
        """Divide the logits among the branches of a block."""
        with self._ablated(off):
            return logit_attribution(self._model, self._seen, block, self._normalised(image))

    def logit_falls(
        self, image: Pixels, block: str, off: Collection[str]
    ) -> Mapping[str, NDArray[np.float32]]:
        """Switch the branches of a block off, one after the other."""
        with self._ablated(off):
            return logit_falls(self._model, self._seen, block, self._normalised(image))

    def patched(
        self, image: Pixels, donor: Pixels, part: str, off: Collection[str]
    ) -> NDArray[np.float32]:
        """Run an image with a part of another one's run."""
        given = self._normalised(donor)[0]
        with self._ablated(off):
            logits = patched(self._model, self._seen, part, self._normalised(image), given)
        return logits.float().cpu().numpy()

    def patched_each(
        self, image: Pixels, donor: Pixels, off: Collection[str]
    ) -> Mapping[str, NDArray[np.float32]]:
        """Run an image with each part in turn of another one's run."""
        with self._ablated(off):
            given, taken = self._normalised(image)[0], self._normalised(donor)[0]
            found = patched_each(self._model, self._seen, given, taken)
        return {name: logits.numpy() for name, logits in found.items()}

    @property
    def black(self) -> Tensor:
        """A black pixel after normalisation, `(C, 1, 1)`."""
        return -self._data.test.mean / self._data.test.std

    @cached_property
    def _seen(self) -> Trace[int]:
        """What a run of the network does, and how many channels of each output can be off."""

        def channels(output: Tensor) -> int:
            return channels_of(tuple(output.shape[1:]))

        image = blank(self._model, self._data.spec)
        return trace(self._model, image, channels, count=True)

    def _mean_outputs(self, images: int) -> Means:
        """What each branch gives on average over the first so many test images."""
        if images not in self._means:
            split = self._data.test.first(images)
            self._means[images] = mean_outputs(self._model, self._seen, split)
        return self._means[images]

    def _ablated(
        self, off: Collection[str], means: Means | None = None
    ) -> AbstractContextManager[None]:
        return ablated(self._model, self._seen, off, means) if off else nullcontext()

    def _in_running_order(self, paths: Collection[str]) -> list[str]:
        return in_running_order(paths, self._seen.begun)

    def _normalised(self, image: Pixels) -> Tensor:
        """One image as the network takes it, `(1, C, H, W)`."""
        test = self._data.test
        return test.normalise(torch.from_numpy(image)[None].to(test.device))


def look_into(
    model: nn.Module,
    data: Data,
    *,
    location: Path | None = None,
    network: Hashable = None,
    weights: Hashable = None,
    cache: Cache | None = None,
) -> Session:
    """Return a session about a network of this process; the arguments are those of both."""
    return Session(
        Network(model, data), location=location, network=network, weights=weights, cache=cache
    )
