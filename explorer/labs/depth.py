"""What depth does to a network: whole blocks removed from it, and the paths that are left.

After Andreas Veit et al., "Residual Networks Behave Like Ensembles of Relatively Shallow Networks",
arXiv:1605.06431, sections 4.1 to 4.3.
"""

import math
import random
from collections.abc import Collection, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

from torch import Tensor, nn

from explorer.data.loader import Split
from explorer.inspection.answers import answers

IMAGES = 1_000  # test images that are scored
DRAWS = 8  # random choices of blocks to remove, of each number
SEED = 0


def blocks_of(model: nn.Module) -> list[nn.Module]:
    """Return the blocks of a network that keeps them in a sequence `blocks`, as `deep` does."""
    found: Any = model.blocks
    return list(found)


@contextmanager
def without(blocks: Collection[nn.Module]) -> Iterator[None]:
    """Let blocks give what they are given, until the block is left.

    Args:
        blocks: Modules whose output has the shape of their input.
    """

    def give(module: nn.Module, given: tuple[Tensor, ...], output: Tensor) -> Tensor:
        return given[0]

    with ExitStack() as hooks:
        for block in blocks:
            hooks.callback(block.register_forward_hook(give).remove)
        yield


def removals(model: nn.Module, test: Split) -> dict[str, Any]:
    """Return the accuracy on test images with blocks removed, without training again.

    Returns:
        `intact`, the accuracy of the whole network; `one`, that without each block; `several`, for
        1, 2, … blocks that are removed the accuracies of random choices of them.
    """
    split, blocks = test.first(IMAGES), blocks_of(model)

    def accuracy(removed: Sequence[nn.Module]) -> float:
        with without(removed):
            return answers(model, split).accuracy

    draw = random.Random(SEED)
    several = [
        [accuracy(draw.sample(blocks, number)) for _ in range(DRAWS)]
        for number in range(1, len(blocks) + 1)
    ]
    return {
        "intact": accuracy([]),
        "one": [accuracy([block]) for block in blocks],
        "several": several,
    }


def path_lengths(blocks: int) -> list[float]:
    """Return which share of the paths through residual blocks pass 0, 1, … of them.

    Each block is passed or skipped, so 2ⁿ paths lead through n blocks, binomially distributed
    (section 4.1).
    """
    return [math.comb(blocks, length) / 2**blocks for length in range(blocks + 1)]
