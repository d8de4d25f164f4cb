"""What a question on *Look inside* is about."""

from collections.abc import Sequence
from dataclasses import dataclass

from explorer.inspection.activations import Recording
from explorer.ui.pages.inside.picture import Picture
from explorer.ui.pages.inside.subject import Subject


@dataclass(frozen=True, slots=True)
class Case:
    """What a question is about."""

    subject: Subject
    recording: Recording
    chosen: Picture
    off: Sequence[str]
