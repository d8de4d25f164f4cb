"""Every question that can be asked about a network, whichever process the network is in.

The page *Look inside* and the command `explorer inspect` both ask here, so they show equal numbers.
What goes in and comes out are plain values and arrays; `network.py` has the network and answers. No
torch needed.
"""

import hashlib
import logging
import threading
from collections import OrderedDict
from collections.abc import Callable, Collection, Hashable, Iterable, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields, is_dataclass, replace
from functools import reduce
from pathlib import Path
from typing import Any, Protocol, TypeVar, cast

import numpy as np
from numpy.typing import NDArray

from explorer.errors import explain
from explorer.inspection.excitation import Excitation, affordable, all_merged
from explorer.inspection.fields import ReceptiveField
from explorer.inspection.parts import Node, Part, branches, in_running_order, nodes
from explorer.inspection.recording import Recording
from explorer.inspection.results import (
    Cost,
    Filters,
    Instead,
    Linearity,
    LogitAttribution,
    Method,
    OneLayer,
)
from explorer.inspection.scores import Answers
from explorer.inspection.units import Arithmetic
from explorer.language import current, english, say
from explorer.spec import ImageSpec

MOST_BYTES = 2**26  # of results that a session without a shared cache keeps
_NOT_KEPT = object()  # `None` may be a result

_log = logging.getLogger(__name__)
T = TypeVar("T")
Pixels = NDArray[np.uint8]


class Answering(Protocol):
    """Answers questions about one network: the methods of `network.Network`, by name."""

    def __call__(self, question: str, /, *args: object) -> Any:
        """Return the answer."""
        ...


@dataclass(frozen=True)
class Outline:
    """What a network is, whatever its weights.

    Attributes:
        images: The images as it sees them.
        parts: The layers, operations and blocks in running order.
        unused: What is computed and does not reach the answer.
        begun: The path of each module in the order in which they began to run.
        channels: How many channels of each part can be switched off, by name.
        macs: All multiply-adds for one image.
    """

    images: ImageSpec
    parts: tuple[Part, ...]
    unused: tuple[Node, ...]
    begun: tuple[str, ...]
    channels: Mapping[str, int]
    macs: int


class Cache:
    """Keeps the results that were used last; several sessions may share one.

    Args:
        most: How many bytes of results are kept.
    """

    def __init__(self, most: int) -> None:
        self._most, self._bytes = most, 0
        self._kept: OrderedDict[Hashable, tuple[Any, int]] = OrderedDict()
        self._lock = threading.Lock()
        self._finding: dict[Hashable, tuple[threading.Lock, int]] = {}

    def __len__(self) -> int:
        return len(self._kept)

    def get(self, key: Hashable) -> Any:
        """Return the result of this key, or `None`."""
        kept = self._look_up(key)
        return None if kept is _NOT_KEPT else kept

    def put(self, key: Hashable, result: Any) -> None:
        """Keep a result, and forget those that were unused for longest if they are too many."""
        size = weight(result)
        with self._lock:
            self._bytes += size - self._kept.pop(key, (None, 0))[1]
            self._kept[key] = result, size
            while self._bytes > self._most and len(self._kept) > 1:
                self._bytes -= self._kept.popitem(last=False)[1][1]

    def once(self, key: Hashable, find: Callable[[], T]) -> T:
        """Return the result of this key, or find it; of several who ask at once, one finds it."""
        if (kept := self._look_up(key)) is not _NOT_KEPT:
            return cast(T, kept)
        with self._one_at_a_time(key):
            if (kept := self._look_up(key)) is _NOT_KEPT:
                kept = find()
                self.put(key, kept)
            return cast(T, kept)

    def _look_up(self, key: Hashable) -> object:
        with self._lock:
            if key not in self._kept:
                return _NOT_KEPT
            self._kept.move_to_end(key)
            return self._kept[key][0]

    @contextmanager
    def _one_at_a_time(self, key: Hashable) -> Any:
        with self._lock:
            lock, waiting = self._finding.get(key, (threading.Lock(), 0))
            self._finding[key] = lock, waiting + 1
        try:
            with lock:
                yield
        finally:
            with self._lock:
                lock, waiting = self._finding.pop(key)
                if waiting > 1:
                    self._finding[key] = lock, waiting - 1


def weight(result: Any) -> int:
    """Estimate how many bytes a result takes: what its arrays and texts have, and a little more."""
    if isinstance(result, np.ndarray):
        return 200 + int(result.nbytes)
    if isinstance(result, str | bytes):
        return 50 + len(result)
    if isinstance(result, Mapping):
        return 200 + sum(weight(value) + 100 for value in result.values())
    if isinstance(result, list | tuple | set | frozenset):
        return 100 + sum(map(weight, result))
    if is_dataclass(result):
        return 100 + sum(weight(getattr(result, each.name)) for each in fields(result))
    return 50


class Session:
    """A network that is looked into, and what was found in it so far.

    Args:
        answering: Has the network.
        location: The file or folder of its plugin, whose errors are the author's.
        network: Identifies its code, its options and its data set in a shared cache. Sessions of
            equal `network` share what does not depend on the weights.
        weights: Identifies its weights among those, such as the epoch.
        cache: Where results are kept; by default one for this session alone.
    """

    def __init__(
        self,
        answering: Answering,
        *,
        location: Path | None = None,
        network: Hashable = None,
        weights: Hashable = None,
        cache: Cache | None = None,
    ) -> None:
        self.location = location
        self._answering = answering
        self._network, self._weights = network, weights
        self._cache = Cache(MOST_BYTES) if cache is None else cache

    def explain(self, figure: str, error: BaseException) -> str:
        """Say in a sentence why a figure cannot be shown, and log the traceback.

        Each question below may fail, since the author's code may raise anything, while the others
        have an answer. Pages and reports catch that and show this sentence in its place.
        """
        _log.warning("%s cannot be measured", english(figure), exc_info=error)
        reason = explain(error, self.location)
        return say("{figure} cannot be measured: {reason}", figure=figure, reason=reason)

    def made(self, what: str, key: Hashable, make: Callable[[], T]) -> T:
        """Return what was made of answers before, by anybody who asked for the same, or make it.

        Args:
            what: A name for it, such as `drawing`.
            key: All that it depends on beside this network, its weights and the spoken language.
            make: Makes it, of answers of this session alone. Nobody may change the result.
        """
        key = self._network, self._weights, "made", what, key, current()
        return self._cache.once(key, make)

    # What does not depend on the weights.

    @property
    def outline(self) -> Outline:
        """What the network is."""
        return self._once(None, "outline")

    @property
    def images(self) -> ImageSpec:
        """The images as the network sees them."""
        return self.outline.images

    @property
    def labels(self) -> NDArray[np.int64]:
        """The classes of the test images, `int64`, `(N,)`."""
        return self._once(None, "labels")

    @property
    def parts(self) -> tuple[Part, ...]:
        """The layers, operations and blocks in running order."""
        return self.outline.parts

    @property
    def unused(self) -> tuple[Node, ...]:
        """What is computed and does not reach the answer."""
        return self.outline.unused

    @property
    def branches(self) -> list[str]:
        """The path of each branch, skips included, in running order."""
        return list(branches(self.parts))

    @property
    def channels(self) -> Mapping[str, int]:
        """How many channels of each part can be switched off, by name."""
        return self.outline.channels

    @property
    def fields(self) -> Mapping[str, ReceptiveField]:
        """The receptive field of each layer, branch and block, by name."""
        return self._once(None, "fields")

    @property
    def costs(self) -> list[Cost]:
        """The cost of each part, with the milliseconds of a forward pass of 64 test images."""
        return self._once(None, "costs")

    def can_be_off(self, switch: str) -> bool:
        """Return whether there is a branch of that path, or a channel such as `conv1:3`."""
        path, _, channel = switch.rpartition(":")
        # Digits of a plain number only: an address may say anything.
        is_number = channel.isascii() and channel.isdecimal() and len(channel) < 10
        return (is_number and int(channel) < self.channels.get(path, 0)) or switch in self.branches

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
        number = len(self.labels) if images is None else min(images, len(self.labels))
        asked = tuple(sorted(off)), number, instead if off else "zero"
        return self._once(self._weights, "answers", *asked)

    def excitations(
        self, off: Collection[str] = (), images: int | None = None
    ) -> Mapping[str, Excitation]:
        """Find the test images that excite each channel of each part most and least.

        Args:
            off: What is switched off, as `ablated` takes it.
            images: Only the first so many test images; all of them if `None`.

        Returns:
            By the name of the part; one that gives neither maps nor features is left out.

        Raises:
            AblationError: Something in `off` does not exist.
        """
        total = len(self.labels)
        number = total if images is None else min(images, total)
        # Piece by piece, so that no question takes long, and none is asked twice.
        size, switches = affordable(self.outline.macs, total), tuple(sorted(off))
        pieces = (
            self._once(self._weights, "excitations", switches, start, min(number, start + size))
            for start in range(0, number, size)
        )
        return self.made("excitations", (switches, number), lambda: reduce(all_merged, pieces))

    def dead(self, images: int) -> Mapping[str, Sequence[int]]:
        """Find the channels that are 0 everywhere for each of the first so many test images.

        Returns:
            Their numbers by the name of the part; parts without any are left out.
        """
        return self._once(self._weights, "dead", min(images, len(self.labels)))

    def linearity_between(self, first: str, last: str) -> Linearity:
        """Find out whether what is from one part to another, both included, is affine.

        Raises:
            UnknownPartError: There is no such part, or `last` does not follow from `first`.
        """
        return self._once(self._weights, "linearity_between", first, last)

    def linearity(self) -> list[Linearity]:
        """Find out which blocks are affine."""
        return self._once(self._weights, "linearity")

    def as_one_layer(self, block: str, images: int) -> OneLayer:
        """Build the linear layer that computes what is from a block's input to the logits.

        Args:
            block: The name of the block.
            images: On how many test images it is compared with the network.

        Raises:
            UnknownPartError: There is no such block.
        """
        return self._once(self._weights, "as_one_layer", block, images)

    def gradients(self) -> tuple[Mapping[str, float], Mapping[str, float]]:
        """Compute the gradient norm of each layer and of each branch, on 64 training images.

        Returns:
            By path, both in running order.
        """
        return self._once(self._weights, "gradients")

    def filters(self) -> Mapping[str, Filters]:
        """Return the filters of each two-dimensional convolution by path, in running order."""
        return self._once(self._weights, "filters")

    # What depends on one image, `uint8`, `(C, H, W)`.

    def test_image(self, number: int) -> Pixels:
        """Return a test image, `uint8`, `(C, H, W)`."""
        return self._once(None, "test_image", number)

    def test_images(self, numbers: Sequence[int]) -> Pixels:
        """Return some test images, `uint8`, `(N, C, H, W)`."""
        return self._once(None, "test_images", tuple(numbers))

    def record(self, image: Pixels, off: Collection[str] = ()) -> Recording:
        """Run an image through the network and keep the output of each part.

        The parts have their multiply-adds, unless this image takes a path of its own.

        Raises:
            AblationError: Something in `off` does not exist.
        """
        found: Recording = self._of_image("record", image, tuple(off))
        names = [[node.name for node in nodes(parts)] for parts in (found.parts, self.parts)]
        return replace(found, parts=self.parts) if names[0] == names[1] else found

    def arithmetic(
        self, image: Pixels, part: str, channel: int, off: Collection[str] = ()
    ) -> Arithmetic:
        """Find out how one channel of a part was computed for an image.

        Args:
            image: The image.
            part: The name of a layer, an operation, a block, or the path of a branch.
            channel: Which of its channels; of features, which of them.
            off: What is switched off.

        Raises:
            UnknownPartError: There is no such part, or no such channel of it.
        """
        return self._of_image("arithmetic", image, part, channel, tuple(off))

    def attribution(
        self, image: Pixels, target: int, method: Method, off: Collection[str] = ()
    ) -> NDArray[np.float32]:
        """Compute how much each pixel raises the logit of the class `target`, `(H, W)`."""
        return self._of_image("attribution", image, target, method, tuple(off))

    def grad_cam(
        self, image: Pixels, target: int, layer: str, off: Collection[str] = ()
    ) -> NDArray[np.float32]:
        """Compute Grad-CAM of the maps of one layer, `(H, W)`.

        Raises:
            AttributionError: The layer has none.
        """
        return self._of_image("grad_cam", image, target, layer, tuple(off))

    def logit_attribution(
        self, image: Pixels, block: str, off: Collection[str] = ()
    ) -> LogitAttribution:
        """Divide the logits of one image among the branches of a block."""
        return self._of_image("logit_attribution", image, block, tuple(off))

    def logit_falls(
        self, image: Pixels, block: str, off: Collection[str] = ()
    ) -> Mapping[str, NDArray[np.float32]]:
        """Find out how far each logit of one image falls without each branch of a block.

        Where the logit attribution is exact, this is the same, and sooner found.

        Returns:
            By the branch's name, `(num_classes,)`.
        """
        return self._of_image("logit_falls", image, block, tuple(off))

    def patched(
        self, image: Pixels, donor: Pixels, part: str, off: Collection[str] = ()
    ) -> NDArray[np.float32]:
        """Run an image with the output of one part taken from the run of another image.

        Returns:
            The logits, `(1, num_classes)`.

        Raises:
            UnknownPartError: There is no such part.
        """
        return self._of_image("patched", image, donor, part, tuple(off))

    def patched_each(
        self, image: Pixels, donor: Pixels, off: Collection[str] = ()
    ) -> Mapping[str, NDArray[np.float32]]:
        """Run an image with the output of each part in turn taken from the run of another image.

        Returns:
            The logits by the name of the part, `(num_classes,)`. A part that one of the images does
            not pass is left out.
        """
        return self._of_image("patched_each", image, donor, tuple(off))

    def _of_image(self, question: str, image: Pixels, *args: Any) -> Any:
        said = tuple(_digest(a) if isinstance(a, np.ndarray) else a for a in (image, *args))
        return self._cache.once(
            (self._network, self._weights, question, said),
            lambda: self._answering(question, image, *args),
        )

    def _once(self, weights: Hashable, question: str, *args: Any) -> Any:
        """Return what is kept of a question, or find it out."""
        return self._cache.once(
            (self._network, weights, question, args), lambda: self._answering(question, *args)
        )


def _digest(image: Pixels) -> bytes:
    """Hash an image, since a cache counts the room that answers take, and not the questions."""
    return hashlib.sha256(image.tobytes()).digest()
