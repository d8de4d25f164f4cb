"""A network, its images, and every question that can be asked about them.

The page *Look inside* and the command `explorer inspect` both ask here, so they show equal numbers.
"""

import logging
import threading
from collections import OrderedDict
from collections.abc import Callable, Collection, Hashable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol, TypeVar

from torch import Tensor, nn

from explorer.data.loader import Data
from explorer.errors import explain
from explorer.inspection.ablation import Instead, Means, ablated, channels_of, mean_outputs
from explorer.inspection.activations import Recording, record
from explorer.inspection.answers import Answers, answers
from explorer.inspection.attribution import Method, attribution, grad_cam
from explorer.inspection.cost import Cost, costs, measure
from explorer.inspection.gradients import branch_norms, gradient_norms
from explorer.inspection.linearity import Linearity, linearity, linearity_between
from explorer.inspection.logit_attribution import LogitAttribution, logit_attribution
from explorer.inspection.outline import blank
from explorer.inspection.parts import Node, Part, branches, in_running_order, nodes
from explorer.inspection.patching import patched
from explorer.inspection.receptive import ReceptiveField, receptive_fields
from explorer.inspection.tracing import Trace, trace
from explorer.inspection.weights import Filters, filters

BATCH = 64  # images that are timed, and whose gradients are taken
MOST_ANSWERS = 128  # that a session without a shared cache keeps

_log = logging.getLogger(__name__)
T = TypeVar("T")


class Worker(Protocol):
    """Runs a function and returns what it returns."""

    def __call__(self, job: Callable[[], T], /) -> T:
        """Run `job`."""
        ...


def at_once(job: Callable[[], T], /) -> T:
    """Run `job` in the thread that asks."""
    return job()


_THREAD = "inspection"
_executor = ThreadPoolExecutor(1, _THREAD)


def in_one_thread(job: Callable[[], T], /) -> T:
    """Run `job` in the one thread that does all inspection of this process, and wait for it.

    Visitors share a network, and a hook on it is seen by all of them, so they take turns. That it
    is always the same thread also saves torch from setting up its own threads for each visitor.
    """
    if threading.current_thread().name.startswith(_THREAD):  # a job that asks something else
        return job()
    return _executor.submit(job).result()


class Cache:
    """Keeps the results that were used last; several sessions may share one.

    Args:
        size: How many results are kept.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._kept: OrderedDict[Hashable, Any] = OrderedDict()
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._kept)

    def get(self, key: Hashable) -> Any:
        """Return the result of this key, or `None`."""
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
            return self._kept.get(key)

    def put(self, key: Hashable, result: Any) -> None:
        """Keep a result, and forget the one that was unused for longest if there are too many."""
        with self._lock:
            self._kept[key] = result
            self._kept.move_to_end(key)
            while len(self._kept) > self._size:
                self._kept.popitem(last=False)


class Session:
    """A network that is looked into, and what was found in it so far.

    Args:
        model: The network, on the device of the images; unchanged by all questions.
        data: The images that it was trained on.
        location: The file or folder of its plugin, whose errors are the author's.
        network: Identifies its code, its options and its data set in a shared cache. Sessions of
            equal `network` share what does not depend on the weights.
        weights: Identifies its weights among those, such as the epoch.
        cache: Where results are kept; by default one for this session alone.
        worker: Runs all that uses the network.
    """

    def __init__(
        self,
        model: nn.Module,
        data: Data,
        *,
        location: Path | None = None,
        network: Hashable = None,
        weights: Hashable = None,
        cache: Cache | None = None,
        worker: Worker = at_once,
    ) -> None:
        self.model, self.data, self.location = model, data, location
        self._network, self._weights = network, weights
        self._cache = Cache(MOST_ANSWERS) if cache is None else cache
        self._work = worker

    def explain(self, figure: str, error: BaseException) -> str:
        """Say in a sentence why a figure cannot be shown, and log the traceback.

        Each question below may fail, since the author's code may raise anything, while the others
        have an answer. Pages and reports catch that and show this sentence in its place.
        """
        _log.warning("%s cannot be measured", figure, exc_info=error)
        return f"{figure} cannot be measured: {explain(error, self.location)}"

    # What does not depend on the weights.

    @property
    def parts(self) -> tuple[Part, ...]:
        """The layers, operations and blocks in running order."""
        return self.outline.parts

    @property
    def unused(self) -> tuple[Node, ...]:
        """What is computed and does not reach the answer."""
        return self.outline.graph.unused

    @property
    def branches(self) -> list[str]:
        """The path of each branch, skips included, in running order."""
        return list(branches(self.parts))

    @property
    def channels(self) -> Mapping[str, int]:
        """How many channels of each part can be switched off, by name."""
        return self.outline.kept

    @property
    def fields(self) -> Mapping[str, ReceptiveField]:
        """The receptive field of each layer, branch and block, by name."""
        spec = self.data.spec
        size = (spec.channels, spec.size, spec.size)
        return self._ask(("fields",), lambda: receptive_fields(self.model, size))

    @property
    def costs(self) -> list[Cost]:
        """The cost of each part, with the milliseconds of a forward pass of 64 test images."""
        test = self.data.test

        def find() -> list[Cost]:
            images = test.normalise(test.images[:BATCH])
            return costs(self.parts, measure(self.model, images, self.parts), self.unused)

        return self._ask(("costs",), find)

    @property
    def black(self) -> Tensor:
        """A black pixel after normalisation, `(C, 1, 1)`."""
        return -self.data.test.mean / self.data.test.std

    def can_be_off(self, switch: str) -> bool:
        """Return whether there is a branch of that path, or a channel such as `conv1:3`."""
        path, _, channel = switch.rpartition(":")
        is_channel = channel.isdecimal() and int(channel) < self.channels.get(path, 0)
        return is_channel or switch in self.branches

    def in_running_order(self, paths: Iterable[str]) -> list[str]:
        """Sort the paths of modules by when they first run."""
        return in_running_order(paths, self.outline.begun)

    # What depends on the weights.

    def answers(
        self, off: Collection[str] = (), images: int | None = None, instead: Instead = "zero"
    ) -> Answers:
        """Predict the test images, with some parts switched off.

        Args:
            off: What is switched off, as `ablated` takes it.
            images: Only the first so many test images; all of them if `None`.
            instead: What a branch that is off gives: zeros, or its mean over these images.

        Raises:
            AblationError: Something in `off` does not exist.
        """
        split = self.data.test.first(images)

        def find() -> Answers:
            means = self._means(len(split)) if off and instead == "mean" else None
            with self._ablated(off, means):
                return answers(self.model, split)

        question = ("answers", tuple(sorted(off)), len(split), instead if off else "")
        return self._ask(question, find, self._weights)

    def _means(self, images: int) -> Means:
        """What each branch gives on average over the first so many test images."""

        def find() -> Means:
            return mean_outputs(self.model, self.outline, self.data.test.first(images))

        return self._ask(("means", images), find, self._weights)

    def _ablated(
        self, off: Collection[str], means: Means | None = None
    ) -> AbstractContextManager[None]:
        return ablated(self.model, self.outline, off, means) if off else nullcontext()

    def linearity_between(self, first: str, last: str) -> Linearity:
        """Find out whether what is from one part to another, both included, is affine.

        Raises:
            UnknownPartError: There is no such part, or `last` does not follow from `first`.
        """

        def find() -> Linearity:
            return linearity_between(self.model, self.data.spec, first, last)

        return self._ask(("linearity", first, last), find, self._weights)

    def linearity(self) -> list[Linearity]:
        """Find out which blocks are affine."""
        return self._ask(
            ("linearity",), lambda: linearity(self.model, self.data.spec), self._weights
        )

    def gradients(self) -> tuple[Mapping[str, float], Mapping[str, float]]:
        """Compute the gradient norm of each layer and of each branch, on 64 training images.

        Returns:
            By path, both in running order.
        """
        train = self.data.train

        def find() -> tuple[Mapping[str, float], Mapping[str, float]]:
            images, labels = train.normalise(train.images[:BATCH]), train.labels[:BATCH]
            norms = gradient_norms(self.model, images, labels)
            ordered = {path: norms[path] for path in self.in_running_order(norms)}
            return ordered, branch_norms(self.parts, norms)

        return self._ask(("gradients",), find, self._weights)

    def filters(self) -> Mapping[str, Filters]:
        """Return the filters of each two-dimensional convolution by path, in running order."""

        def find() -> Mapping[str, Filters]:
            found = filters(self.model)
            return {path: found[path] for path in self.in_running_order(found)}

        return self._work(find)

    # What depends on one image, `uint8`, `(C, H, W)`. It is not kept.

    def record(self, image: Tensor, off: Collection[str] = ()) -> Recording:
        """Run an image through the network and keep the output of each part.

        The parts have their multiply-adds, unless this image takes a path of its own.

        Raises:
            AblationError: Something in `off` does not exist.
        """

        def find() -> Recording:
            with self._ablated(off):
                found = record(self.model, self._normalised(image))
            names = [[node.name for node in nodes(parts)] for parts in (found.parts, self.parts)]
            return replace(found, parts=self.parts) if names[0] == names[1] else found

        return self._work(find)

    def attribution(
        self, image: Tensor, target: int, method: Method, off: Collection[str] = ()
    ) -> Tensor:
        """Compute how much each pixel raises the logit of the class `target`, `(H, W)`."""

        def find() -> Tensor:
            with self._ablated(off):
                pixels = self._normalised(image)[0]
                return attribution(self.model, pixels, target, method, self.black)

        return self._work(find)

    def grad_cam(self, image: Tensor, target: int, layer: str, off: Collection[str] = ()) -> Tensor:
        """Compute Grad-CAM of the maps of one layer, `(H, W)`.

        Raises:
            AttributionError: The layer has none.
        """

        def find() -> Tensor:
            with self._ablated(off):
                return grad_cam(self.model, self.outline, layer, self._normalised(image)[0], target)

        return self._work(find)

    def logit_attribution(
        self, image: Tensor, block: str, off: Collection[str] = ()
    ) -> LogitAttribution:
        """Divide the logits of one image among the branches of a block."""

        def find() -> LogitAttribution:
            with self._ablated(off):
                return logit_attribution(self.model, self.outline, block, self._normalised(image))

        return self._work(find)

    def patched(self, image: Tensor, donor: Tensor, part: str, off: Collection[str] = ()) -> Tensor:
        """Run an image with the output of one part taken from the run of another image.

        Returns:
            The logits, `(1, num_classes)`.

        Raises:
            UnknownPartError: There is no such part.
        """

        def find() -> Tensor:
            given = self._normalised(donor)[0]
            with self._ablated(off):
                return patched(self.model, self.outline, part, self._normalised(image), given)

        return self._work(find)

    @property
    def outline(self) -> Trace[int]:
        """What a run of the network does, and how many channels of each output can be off."""

        def channels(output: Tensor) -> int:
            return channels_of(tuple(output.shape[1:]))

        image = blank(self.model, self.data.spec)
        return self._ask(("outline",), lambda: trace(self.model, image, channels, count=True))

    def _normalised(self, image: Tensor) -> Tensor:
        """One image as the network takes it, `(1, C, H, W)`."""
        test = self.data.test
        return test.normalise(image[None].to(test.device))

    def _ask(self, question: Hashable, find: Callable[[], T], weights: Hashable = None) -> T:
        """Return what is kept of a question, or find it out."""
        key = self._network, weights, question

        def look() -> T:
            found: T | None = self._cache.get(key)  # again, since others may have asked it by now
            if found is None:
                found = find()
                self._cache.put(key, found)
            return found

        kept: T | None = self._cache.get(key)
        return self._work(look) if kept is None else kept
