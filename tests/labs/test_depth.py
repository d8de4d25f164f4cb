"""Blocks that are removed, and the paths through those that are left."""

import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from explorer.data.loader import Split
from explorer.labs.depth import blocks_of, path_lengths, removals, without

MEAN = torch.zeros(1, 1, 1)


class Chain(nn.Module):
    """Blocks that each add one to what they are given."""

    def __init__(self, blocks):
        super().__init__()
        self.blocks = nn.Sequential(*(Plus() for _ in range(blocks)))

    def forward(self, x):
        return self.blocks(x).mean((2, 3)) * torch.tensor([1.0, -1.0])


class Plus(nn.Module):
    def forward(self, x):
        return x + 1


def split(number):
    images = torch.zeros(number, 1, 2, 2, dtype=torch.uint8)
    return Split(images, torch.zeros(number, dtype=torch.int64), MEAN, MEAN + 1)


def test_a_block_that_is_removed_gives_what_it_is_given_and_is_there_again_afterwards():
    model = Chain(3)
    image = torch.zeros(1, 1, 2, 2)
    with without(blocks_of(model)[:2]):
        assert model(image)[0, 0] == 1
    assert model(image)[0, 0] == 3


def test_removals_count_without_each_block_and_without_several():
    found = removals(Chain(3), split(8))
    assert found["intact"] == 1.0
    assert found["one"] == [1.0] * 3
    assert [len(each) for each in found["several"]] == [8] * 3
    # Without all of them both logits are equal, and the first class is predicted.
    assert found["several"][-1] == [1.0] * 8


@given(st.integers(1, 60))
def test_the_paths_of_all_lengths_are_all_paths_and_half_pass_a_block(blocks):
    shares = path_lengths(blocks)
    assert abs(sum(shares) - 1) < 1e-9
    assert shares == shares[::-1]
    mean = sum(length * share for length, share in enumerate(shares))
    assert abs(mean - blocks / 2) < 1e-9
