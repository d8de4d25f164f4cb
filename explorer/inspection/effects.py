"""How much of another image's answer comes with each part that is patched. No torch needed."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray


def effects(
    before: NDArray[np.float32],
    donor: NDArray[np.float32],
    patched: Mapping[str, NDArray[np.float32]],
) -> Mapping[str, float] | None:
    """Return how far each patch moves the answer of one image to that of another.

    It is the normalised logit difference (Zhang & Nanda 2023, arXiv:2309.16042, section 2): how far
    the logit of the donor's class is above that of the image's own class, where 0 is as in the
    image's own run and 1 as in the donor's. A patch can go beyond both.

    Args:
        before: The logits of the image, `(num_classes,)`.
        donor: Those of the donor.
        patched: Those of the image with one part of the donor's run, by the part's name.

    Returns:
        By the part's name; `None` if both are predicted to be of the same class.
    """
    own, other = int(before.argmax()), int(donor.argmax())

    def apart(logits: NDArray[np.float32]) -> float:
        return float(logits[other]) - float(logits[own])

    start, end = apart(before), apart(donor)
    if own == other or not np.isfinite(end - start) or end == start:
        return None
    return {name: (apart(logits) - start) / (end - start) for name, logits in patched.items()}
