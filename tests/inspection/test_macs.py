import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from explorer.inspection.macs import MacCounter


def counted(run):
    with MacCounter() as counter:
        run()
    return counter.total


ATTENTION = torch.randn(2, 4, 6, 8)  # images, heads, places, features


@pytest.mark.parametrize(
    ("run", "macs"),
    [
        (lambda: F.linear(torch.randn(5, 7), torch.randn(3, 7), torch.randn(3)), 5 * 7 * 3),
        (lambda: F.conv2d(torch.randn(2, 4, 9, 9), torch.randn(6, 2, 3, 3), groups=2), 2 * 5292),
        (lambda: torch.einsum("nij,njk->nik", torch.randn(2, 3, 4), torch.randn(2, 4, 5)), 120),
        (lambda: F.scaled_dot_product_attention(*[ATTENTION] * 3), 2 * 4 * 2 * 6 * 6 * 8),
        (lambda: torch.randn(3, 4) * 2 + 1, 0),
    ],
    ids=["linear", "convolution", "einsum", "attention", "element by element"],
)
@pytest.mark.parametrize("mode", [torch.enable_grad, torch.no_grad, torch.inference_mode])
def test_multiply_adds_are_those_of_the_formula_in_every_mode(mode, run, macs):
    with mode():
        assert counted(run) == macs


def test_the_count_of_networks_by_others_is_torchs(stranger):
    images = torch.randn(2, 1, 32, 32)
    with torch.no_grad(), FlopCounterMode(display=False) as theirs:
        stranger(images)
    with torch.no_grad():
        assert 2 * counted(lambda: stranger(images)) == theirs.get_total_flops() > 0


def test_what_is_counted_is_computed_as_ever_and_differentiated():
    model, images = nn.Sequential(nn.Conv2d(1, 2, 3), nn.Flatten(), nn.Linear(8, 3)), None
    images = torch.randn(2, 1, 4, 4)
    wanted = model(images)
    with MacCounter() as counter:
        found = model(images)
    assert torch.equal(found, wanted)
    assert counter.total == 2 * (2 * 2 * 18 + 24)
    found.sum().backward()
    assert all(parameter.grad is not None for parameter in model.parameters())


def test_nothing_is_counted_before_and_after():
    counter = MacCounter()
    torch.randn(2, 3) @ torch.randn(3, 4)
    with counter:
        torch.randn(2, 3) @ torch.randn(3, 4)
    torch.randn(2, 3) @ torch.randn(3, 4)
    assert counter.total == 24
