"""What the server and a child that answers questions say to each other. No torch needed."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from explorer.data.dataset import DataSet
from explorer.inspection.parts import Part
from explorer.plugin.catalogue import Description
from explorer.plugin.sources import Source
from explorer.spec import ImageSpec


@dataclass(frozen=True, slots=True)
class Answer:
    """What comes back of one question.

    Attributes:
        value: The answer; `None` if it failed.
        reason: Why it failed, in a sentence; empty if it did not.
        trace: The traceback of that.
    """

    value: Any
    reason: str = ""
    trace: str = ""


@dataclass(frozen=True, slots=True)
class Drawn:
    """A network as it is with some options, on some images.

    Attributes:
        images: The images for which it is built.
        parts: What it is made of.
        parameters: How many trainable parameters it has.
        macs: Its multiply-adds for one image.
    """

    images: ImageSpec
    parts: tuple[Part, ...]
    parameters: int
    macs: int


@dataclass(frozen=True, slots=True)
class Needed:
    """The plugins that a network and its images need.

    Attributes:
        architecture: The plugin of the network.
        dataset: The plugin of the images; `None` where no image is read.
        known: The plugin's networks as they were described, which need not be tried again. It may
            register others, whose names belong to other plugins.
        datasets: All data sets as they are described, by name.
    """

    architecture: Source
    dataset: Source | None
    known: Mapping[str, Description]
    datasets: Mapping[str, DataSet]
