"""The switch that tells most about a network: what it loses by one branch, and an image that shows.

No torch needed.
"""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from explorer.inspection.results import Instead
from explorer.inspection.session import Session


@dataclass(frozen=True, slots=True)
class Telling:
    """What one branch does for a network.

    Attributes:
        off: The path of the branch.
        image: The number of a test image.
        label: Its class.
        predicted: What it is taken for while the branch is off.
        accuracy: Of the network on the test images, 0–1.
        without: The same while the branch is off.
    """

    off: str
    image: int
    label: int
    predicted: int
    accuracy: float
    without: float

    @property
    def lost(self) -> float:
        """How much accuracy the network loses by it."""
        return self.accuracy - self.without

    def to_json(self) -> dict[str, Any]:
        """Return it as plain values."""
        return asdict(self)


def telling_switch(
    session: Session, images: int | None = None, instead: Instead = "zero"
) -> Telling | None:
    """Find the branch without which most accuracy is lost, and the image that shows it best.

    Of the images that are classified correctly with the branch and incorrectly without it, that is
    the one on which the less confident of both answers is most confident.

    Args:
        session: The network.
        images: Look at the first so many test images; at all of them if `None`.
        instead: What the branch gives while it is off.

    Returns:
        `None` if no branch changes an answer.
    """
    intact = session.answers((), images)
    without = {path: session.answers((path,), images, instead) for path in session.branches}
    for path, off in sorted(without.items(), key=lambda item: item[1].accuracy):
        flipped = np.flatnonzero(intact.correct & ~off.correct)
        if not len(flipped):
            continue
        sure = np.minimum(intact.confidence, off.confidence)[flipped]
        image = int(flipped[sure.argmax()])
        return Telling(
            off=path,
            image=image,
            label=int(intact.labels[image]),
            predicted=int(off.predicted[image]),
            accuracy=intact.accuracy,
            without=off.accuracy,
        )
    return None
