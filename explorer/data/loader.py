"""Whole data sets as bytes on the device, where the batches are made.

A data set is moved to the device once in the life of a process, and all its runs share it. A batch
is a gather of `uint8` images by a permutation drawn on the device, then scaled and normalised by
the arithmetic of torchvision's `ToTensor` and `Normalize`, with the same result to the bit.
"""

import functools
import threading
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor

from explorer.data.dataset import DataSet
from explorer.spec import ImageSpec

# Images scored at once. The activations of a larger batch fall out of a CPU's cache; after a
# smaller one a GPU waits for the next launch.
_EVALUATION_BATCH, _EVALUATION_BATCH_GPU = 250, 2_500
_SUBSET_SEED = 0


@dataclass(frozen=True, slots=True)
class Split:
    """The training images or the test images of a data set, on the device.

    Attributes:
        images: `uint8`, `(N, C, H, W)`, or `(N, 1, H, W)` if all channels are the same grey.
        labels: `int64`, `(N,)`.
        mean: `(C, 1, 1)`, of pixels scaled to 0–1.
        std: `(C, 1, 1)`, likewise.
        memory_format: The layout of the normalised images.
    """

    images: Tensor
    labels: Tensor
    mean: Tensor
    std: Tensor
    memory_format: torch.memory_format = torch.channels_last

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def device(self) -> torch.device:
        """The device that holds the images."""
        return self.images.device

    def subset(self, size: int | None) -> "Split":
        """Return `size` images drawn at random, always the same ones; with `None`, all images."""
        if size is None or size >= len(self):
            return self
        indices = self.numbers(size)
        return replace(self, images=self.images[indices], labels=self.labels[indices])

    def numbers(self, size: int | None) -> Tensor:
        """Return which images `subset` takes, `int64`, `(size,)`; with `None`, all of them."""
        if size is None or size >= len(self):
            return torch.arange(len(self), device=self.device)
        return _permutation(len(self), _SUBSET_SEED, self.device)[:size]

    def first(self, size: int | None) -> "Split":
        """Return the first `size` images as they are stored; with `None`, all images."""
        if size is None:
            return self
        return replace(self, images=self.images[:size], labels=self.labels[:size])

    def batches(self, size: int, *, seed: int | None = None) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield all images once, in batches.

        Args:
            size: Images in a batch; the last may be smaller, and with a seed also the one before.
            seed: Decides the order; without one, it is the order in which they are stored.

        Yields:
            Images and labels as `gather` returns them.
        """
        if seed is not None:
            yield from map(self.gather, self.order(size, seed))
            return
        for start in range(0, len(self), size):
            part = slice(start, start + size)
            yield self.normalise(self.images[part]), self.labels[part]

    def order(self, size: int, seed: int) -> Iterator[Tensor]:
        """Yield the indices of all images once, in a random order, in batches.

        A single image at the end gets one from the batch before, where that keeps two or more:
        batch normalisation cannot train on a single value per channel.

        Args:
            size: Images in a batch; the last batch may be smaller.
            seed: Decides the order.

        Yields:
            The indices of a batch's images, `int64`, `(size,)`.
        """
        indices = _permutation(len(self), seed, self.device)
        sizes = [size] * (len(self) // size) + [len(self) % size] * bool(len(self) % size)
        if len(sizes) > 1 and size > 2 and sizes[-1] == 1:
            sizes[-2:] = [size - 1, 2]
        yield from indices.split(sizes)

    def gather(self, indices: Tensor) -> tuple[Tensor, Tensor]:
        """Return the images with these indices, normalised, and their labels.

        Args:
            indices: `int64`, `(size,)`, on the device.

        Returns:
            `float32` images `(size, C, H, W)`, and `int64` labels `(size,)`.
        """
        images, labels = self.select(indices)
        return self.normalise(images), labels

    def select(self, indices: Tensor) -> tuple[Tensor, Tensor]:
        """Return the images with these indices as they are stored, and their labels.

        Args:
            indices: `int64`, `(size,)`, on the device.

        Returns:
            `uint8` images `(size, C, H, W)`, and `int64` labels `(size,)`.
        """
        return self.images.index_select(0, indices), self.labels.index_select(0, indices)

    def normalise(self, images: Tensor) -> Tensor:
        """Scale `uint8` images `(N, C, H, W)` to 0–1, and normalise them by mean and std.

        The grey of `(N, 1, H, W)` is repeated in each channel that the split has.

        Returns:
            `float32`, `(N, C, H, W)`, in the split's layout.
        """
        images = images.expand(-1, len(self.mean), -1, -1)
        scaled = images.to(torch.float32, memory_format=self.memory_format)
        return scaled.div_(255).sub_(self.mean).div_(self.std)


@dataclass(frozen=True, slots=True)
class Data:
    """A data set on a device, ready to train on.

    Attributes:
        spec: Channels, size and number of classes.
        train: The training images.
        test: The test images.
    """

    spec: ImageSpec
    train: Split
    test: Split

    @property
    def device(self) -> torch.device:
        """The device that holds the images."""
        return self.train.device

    def seen_as(self, images: ImageSpec) -> "Data":
        """Return the same data as images of this kind: grey ones with their grey in each channel.

        The images are still stored once; `normalise` repeats them.
        """
        channels = images.channels
        if channels == self.spec.channels:
            return self

        def repeated(split: Split) -> Split:
            mean, std = (value.expand(channels, 1, 1) for value in (split.mean, split.std))
            return replace(split, mean=mean, std=std)

        return Data(images, repeated(self.train), repeated(self.test))

    def laid_out(self, memory_format: torch.memory_format) -> "Data":
        """Return the same data, whose normalised images come in this layout."""
        train = replace(self.train, memory_format=memory_format)
        return replace(self, train=train, test=replace(self.test, memory_format=memory_format))


_loading = threading.Lock()


def load_data(dataset: DataSet, device: torch.device, cache: Path) -> Data:
    """Return a data set on `device`; the same object for every call in a process.

    Raises:
        DataError: It cannot be downloaded or read.
    """
    with _loading:  # else two threads that ask at once would both load it
        return _load_data(dataset, device, cache)


@functools.lru_cache(maxsize=4)
def _load_data(dataset: DataSet, device: torch.device, cache: Path) -> Data:
    from explorer.data.cache import load_arrays, mean_and_std

    arrays = load_arrays(dataset, cache)
    mean, std = dataset.mean, dataset.std
    if not mean or not std:
        mean, std = mean_and_std(arrays.train_images)
    std = tuple(value or 1.0 for value in std)  # of a channel that is the same everywhere

    def split(images: object, labels: object) -> Split:
        def channels(values: tuple[float, ...]) -> Tensor:
            return torch.tensor(values, device=device).view(-1, 1, 1)

        return Split(
            torch.as_tensor(images, device=device),
            torch.as_tensor(labels, device=device),
            channels(mean),
            channels(std),
        )

    return Data(
        dataset.images,
        split(arrays.train_images, arrays.train_labels),
        split(arrays.test_images, arrays.test_labels),
    )


def evaluation_batch(device: torch.device) -> int:
    """Return how many images are scored fastest at once on `device`."""
    return _EVALUATION_BATCH if device.type == "cpu" else _EVALUATION_BATCH_GPU


def default_device() -> torch.device:
    """Return the machine's accelerator if it has one, else its CPU."""
    accelerator = torch.accelerator.current_accelerator(check_available=True)
    return accelerator or torch.device("cpu")


def _permutation(length: int, seed: int, device: torch.device) -> Tensor:
    generator = torch.Generator(device).manual_seed(seed)
    return torch.randperm(length, generator=generator, device=device)
