"""Augmentation: each batch's images moved and mirrored at random, on the device.

Random numbers come from torch's own generator there, so a resumed run draws what the uninterrupted
one would have drawn.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from explorer.training.recipe import Augment

SHARE = 8  # an image moves by up to its size over this


def augmented(images: Tensor, how: Augment) -> Tensor:
    """Move each image by its own number of pixels, and mirror it with probability 0.5 if asked to.

    What moves in from outside is black. After He et al. 2015, arXiv:1512.03385, section 4.2: 4
    pixels of 32, and a horizontal flip for every second image.

    Args:
        images: `uint8`, `(N, C, H, W)`.
        how: `none` returns the images as they are.

    Returns:
        `uint8`, `(N, C, H, W)`, in channels-last layout if something was done.
    """
    if how == "none":
        return images
    count, _, height, width = images.shape
    far = max(1, height // SHARE)
    device = images.device
    moves = torch.randint(2 * far + 1, (2, count, 1), device=device)
    rows = torch.arange(height, device=device) + moves[0]
    columns = torch.arange(width, device=device) + moves[1]
    if how == "shift+flip":
        mirrored = torch.rand(count, 1, device=device) < 0.5
        columns = torch.where(mirrored, columns.flip(1), columns)
    padded = F.pad(images, (far, far, far, far)).permute(0, 2, 3, 1)
    number = torch.arange(count, device=device)[:, None, None]
    return padded[number, rows[:, :, None], columns[:, None, :]].permute(0, 3, 1, 2)
