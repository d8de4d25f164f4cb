"""A network that visitors look at.

It is shared by all of them, and hooks on it are seen by all, so one thread does all the work, one
thing after the other. That it is always the same thread also spares torch from setting up its
threads anew for each visitor and each click.
"""

import contextlib
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
import streamlit as st
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from explorer.charts.lanes import Maps
from explorer.data.dataset import DataSet
from explorer.data.loader import Data, default_device, load_data
from explorer.inspection.ablation import ablated, branch_paths
from explorer.inspection.activations import Recording, record
from explorer.inspection.answers import Answers, answers
from explorer.inspection.attribution import METHODS, AttributionError, attribution, grad_cam
from explorer.inspection.cost import Cost, costs, measure
from explorer.inspection.gradients import branch_norms, gradient_norms
from explorer.inspection.linearity import Linearity, linearity
from explorer.inspection.outline import blank
from explorer.inspection.receptive import ReceptiveField, receptive_fields
from explorer.inspection.shares import Shares, branch_shares
from explorer.inspection.tracing import trace
from explorer.inspection.weights import Filters, filters
from explorer.runs.restore import dataset_of, is_current, load_network
from explorer.runs.run import Run
from explorer.ui import state

BATCH = 64  # images whose forward pass is timed

T = TypeVar("T")
_worker = ThreadPoolExecutor(1, "inspection")


def _work(function: Callable[[], T]) -> T:
    """Let the one thread do it, and wait."""
    return _worker.submit(function).result()


@dataclass(frozen=True)
class Subject:
    """A run's network as it was after one of its epochs.

    Attributes:
        run: The run.
        epoch: The epoch.
        model: The network.
        data: The images that it was trained on.
        dataset: What they are.
        fields: The receptive field of each of its parts by name.
        channels: How many channels each of its parts gives, by name.
    """

    run: Run
    epoch: int
    model: nn.Module
    data: Data
    dataset: DataSet
    fields: Mapping[str, ReceptiveField]
    channels: Mapping[str, int]

    @property
    def key(self) -> tuple[str, int]:
        """What tells it from every other subject."""
        return self.run.id, self.epoch

    @property
    def is_current(self) -> bool:
        """Whether code and images are still those that the run was made with."""
        return is_current(self.run, state.registry())

    @property
    def file(self) -> str:
        """How files that are saved of it begin."""
        return f"{self.run.spec.architecture}-epoch-{self.epoch}"

    @property
    def num_classes(self) -> int:
        """How many classes it tells apart."""
        return self.data.spec.num_classes

    @property
    def branches(self) -> list[str]:
        """The path of every branch."""
        return branch_paths(self.model)

    @property
    def black(self) -> Tensor:
        """What a black pixel is after normalisation, `(C, 1, 1)`."""
        return -self.data.test.mean / self.data.test.std

    def can_be_off(self, switch: str) -> bool:
        """Whether this network has a branch, or a module for a channel, of that name."""
        path, _, channel = switch.rpartition(":")
        is_channel = channel.isdecimal() and int(channel) < self.channels.get(path, 0)
        return is_channel or switch in self.branches

    def normalised(self, pixels: NDArray[np.uint8]) -> Tensor:
        """An image `(C, H, W)` as the network takes it, `(1, C, H, W)`."""
        test = self.data.test
        return test.normalise(torch.from_numpy(pixels)[None].to(test.images.device))

    def look(self, pixels: NDArray[np.uint8], off: Collection[str] = ()) -> tuple[Recording, Maps]:
        """Run one image through the network and keep everything; maps are `(C, H, W)`."""

        def run() -> Recording:
            with ablated(self.model, off):
                return record(self.model, self.normalised(pixels))

        recording = _work(run)
        return recording, {name: output[0].numpy() for name, output in recording.maps.items()}

    def attributions(
        self, pixels: NDArray[np.uint8], off: Collection[str], target: int, layer: str
    ) -> list[tuple[str, NDArray[np.float32]]]:
        """What each method says of each pixel, `(H, W)`, and Grad-CAM of one layer's maps."""

        def run() -> list[tuple[str, NDArray[np.float32]]]:
            image = self.normalised(pixels)[0]
            found: list[tuple[str, NDArray[np.float32]]] = []
            with ablated(self.model, off):
                for method in METHODS:
                    values = attribution(self.model, image, target, method, self.black)
                    found.append((method, values.numpy()))
                # A layer without maps has no Grad-CAM.
                with contextlib.suppress(AttributionError):
                    cam = grad_cam(self.model, layer, image, target)
                    found.append((f"Grad-CAM of {layer}", cam.numpy()))
            return found

        return _work(run)

    def shares(self, block: str, pixels: NDArray[np.uint8], off: Collection[str]) -> Shares:
        """What each branch of a block brought to the logits of one image."""

        def run() -> Shares:
            with ablated(self.model, off):
                return branch_shares(self.model, block, self.normalised(pixels))

        return _work(run)

    def filters(self) -> Mapping[str, Filters]:
        """The filters of all its convolutions."""
        return filters(self.model)


@st.cache_resource(show_spinner=False, max_entries=40)
def load(id: str, epoch: int) -> Subject:
    """The network of a run after one of its epochs.

    Raises:
        NetworkError: It cannot be brought back.
        DataError: Its data set cannot be had.
    """
    run, store = state.find_run(id)
    device = default_device()
    registry = state.registry()
    dataset = dataset_of(run, registry)
    data = load_data(dataset, device, state.settings().cache)
    model = _work(lambda: load_network(run, epoch, store, registry, device))
    fields, channels = _fields(id, model, data), _channels(id, model, data)
    return Subject(run, epoch, model, data, dataset, fields, channels)


@st.cache_resource(show_spinner=False, max_entries=40)
def _fields(id: str, _model: nn.Module, _data: Data) -> Mapping[str, ReceptiveField]:
    size = _data.spec.size
    return _work(lambda: receptive_fields(_model, (_data.spec.channels, size, size)))


@st.cache_resource(show_spinner=False, max_entries=40)
def _channels(id: str, _model: nn.Module, _data: Data) -> Mapping[str, int]:
    image = blank(_model, _data.spec)
    return _work(lambda: trace(_model, image, keep=lambda output: output.shape[1])).kept


def score(subject: Subject, off: Collection[str], images: int | None) -> Answers:
    """The network's answers to the first `images` test images, or to all of them."""
    return _score(subject.key, tuple(sorted(off)), images, subject)


@st.cache_resource(show_spinner=False, max_entries=300)
def _score(key: Any, off: Sequence[str], images: int | None, _subject: Subject) -> Answers:
    test = _subject.data.test.first(images)

    def run() -> Answers:
        with ablated(_subject.model, off):
            return answers(_subject.model, test)

    return _work(run)


def verdicts(subject: Subject) -> list[Linearity]:
    """Which of its blocks are affine."""
    return _verdicts(subject.key, subject)


@st.cache_resource(show_spinner=False, max_entries=40)
def _verdicts(key: Any, _subject: Subject) -> list[Linearity]:
    return _work(lambda: linearity(_subject.model, _subject.data.spec))


def cost_table(subject: Subject, recording: Recording) -> list[Cost]:
    """What each part costs, with the milliseconds of a forward pass of 64 images."""
    return _cost_table(subject.run.id, subject, recording)


@st.cache_resource(show_spinner=False, max_entries=40)
def _cost_table(id: str, _subject: Subject, _recording: Recording) -> list[Cost]:
    images = _subject.data.test.normalise(_subject.data.test.images[:BATCH])
    return costs(_recording.parts, _work(lambda: measure(_subject.model, images)))


def gradient_table(subject: Subject) -> tuple[Mapping[str, float], Mapping[str, float]]:
    """The gradient norms of each layer and of each branch, on the first training images."""
    return _gradient_table(subject.key, subject)


@st.cache_resource(show_spinner=False, max_entries=40)
def _gradient_table(key: Any, _subject: Subject) -> tuple[Mapping[str, float], Mapping[str, float]]:
    train = _subject.data.train
    images, labels = train.normalise(train.images[:BATCH]), train.labels[:BATCH]
    norms = _work(lambda: gradient_norms(_subject.model, images, labels))
    return norms, branch_norms(_subject.model, norms)
