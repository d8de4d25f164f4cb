"""What a question on *Look inside* is about."""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

from explorer.charts.lanes import Maps
from explorer.inspection.recording import Recording
from explorer.inspection.session import Session
from explorer.ui.pages.inside.picture import Picture
from explorer.ui.pages.inside.subject import Subject


@dataclass(frozen=True, slots=True)
class Case:
    """What a question is about.

    Attributes:
        subject: The network.
        recording: The output of each of its parts for the picture.
        maps: The same as arrays, `(C, H, W)` or `(features,)`.
        chosen: The picture.
        off: The paths of what is switched off.
    """

    subject: Subject
    recording: Recording
    maps: Maps
    chosen: Picture
    off: Sequence[str]

    @property
    def key(self) -> Hashable:
        """Identifies the picture and what is off, among all that a network is asked about."""
        return self.chosen.pixels.tobytes(), self.chosen.label, tuple(self.off)

    @property
    def session(self) -> Session:
        """The network, to be asked."""
        return self.subject.session
