from contextlib import nullcontext

import pytest
import torch
from hypothesis import given
from inspection.trees import UNUSUAL, Breaks, by_hand, networks, property_test, settle, unchanged
from torch import fx, nn

from explorer.branches import Branches
from explorer.inspection.activations import record, statistics
from explorer.inspection.parts import Layer
from explorer.plugin.registry import discover
from explorer.spec import ImageSpec

MNIST = ImageSpec(1, 28, 10)
ARCHITECTURES = discover().architectures


def equal(maps, wanted):
    assert set(maps) == set(wanted)
    for name, output in wanted.items():
        torch.testing.assert_close(
            maps[name], output, msg=lambda text, name=name: f"{name}: {text}"
        )


class EachLayer(fx.Interpreter):
    """Runs a network operation by operation, and copies what each layer gives."""

    def __init__(self, model):
        super().__init__(fx.symbolic_trace(model))
        self.maps, self.runs = {}, []

    def call_module(self, target, args, kwargs):
        output = super().call_module(target, args, kwargs)
        self.runs.append(target)
        number = self.runs.count(target)
        self.maps[target if number == 1 else f"{target}#{number}"] = output.clone()
        return output


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_the_maps_of_every_built_in_are_those_of_a_forward_pass_by_hand(name):
    model, images = settle(ARCHITECTURES[name].build(MNIST)), torch.randn(3, 1, 28, 28)
    with torch.no_grad():
        wanted = {}
        answer = by_hand(model, images, seen=wanted)
    recording = record(model, images)
    equal(recording.maps, wanted)
    torch.testing.assert_close(recording.logits, answer)
    torch.testing.assert_close(recording.probabilities, answer.exp() / answer.exp().sum(1)[:, None])


@given(networks())
@property_test
def test_the_maps_of_random_nested_blocks_are_those_of_a_forward_pass_by_hand(drawn):
    model, images = drawn
    with torch.no_grad():
        wanted = {}
        by_hand(model, images, seen=wanted)
    equal(record(model, images).maps, wanted)


def test_the_maps_of_networks_by_others_are_those_of_each_layer_run_by_itself(stranger):
    images = torch.randn(2, 1, 32, 32)
    with unchanged(stranger):
        recording = record(stranger, images)
    assert all(isinstance(part, Layer) for part in recording.parts)
    stranger.eval()
    with torch.no_grad():
        each = EachLayer(stranger)
        answer = each.run(images)
    stranger.train()
    assert [part.path for part in recording.parts] == each.runs
    assert list(recording.maps) == list(each.maps)
    equal(recording.maps, each.maps)
    torch.testing.assert_close(recording.logits, answer)


def test_the_layer_before_an_in_place_relu_keeps_its_negative_values(stranger):
    recording = record(stranger, torch.randn(1, 1, 32, 32))
    normalised = [part.name for part in recording.parts if part.kind == "BatchNorm2d"]
    assert len(normalised) > 15
    assert all(recording.maps[name].min() < 0 for name in normalised)


def test_a_branch_and_a_block_before_an_in_place_relu_keep_their_negative_values():
    block = Branches({"skip": nn.Identity(), "conv": nn.Conv2d(1, 1, 1, bias=False)}, merge="add")
    nn.init.constant_(block["conv"].weight, 2)
    one = Branches({"only": nn.Conv2d(1, 1, 1)}, merge="add")  # hands its branch's own tensor on
    model = nn.Sequential(block, nn.ReLU(inplace=True), one, nn.ReLU(inplace=True))
    image = torch.randn(1, 1, 5, 5)
    maps = record(model, image).maps
    torch.testing.assert_close(maps["0.conv"], 2 * image)
    torch.testing.assert_close(maps["0"], 3 * image)
    torch.testing.assert_close(maps["1"], (3 * image).clamp(min=0))
    with torch.no_grad():
        assert torch.equal(maps["2.only"], one["only"](maps["1"]))
        assert torch.equal(maps["2"], maps["2.only"])
    assert maps["2"].min() < 0


def test_the_maps_are_copies_that_nothing_else_writes_into():
    model = nn.Sequential(nn.Identity(), nn.Identity(), nn.Flatten())
    image = torch.randn(1, 1, 3, 3)
    recording = record(model, image)
    before = image.clone()
    with torch.inference_mode():
        recording.maps["0"].zero_()
        recording.logits.fill_(7)
    assert torch.equal(image, before)
    assert torch.equal(recording.maps["1"], before)
    assert torch.equal(recording.maps["2"], before.flatten(1))


def test_the_maps_are_in_the_plain_layout_in_single_precision_and_without_gradients():
    model = nn.Sequential(nn.Conv2d(2, 3, 1)).double().to(memory_format=torch.channels_last)
    images = torch.randn(2, 2, 4, 4, dtype=torch.float64).to(memory_format=torch.channels_last)
    recording = record(model, images)
    for output in (recording.maps["0"], recording.logits):
        assert output.is_contiguous()
        assert output.dtype == torch.float32
        assert not output.requires_grad
    torch.testing.assert_close(recording.logits, model(images).detach().float())


def test_recording_leaves_a_network_in_training_unchanged_even_after_an_exception():
    layers = [nn.BatchNorm2d(1), nn.Dropout(), Branches({"a": nn.Identity()})]
    images = torch.randn(2, 1, 4, 4)
    for model in (nn.Sequential(*layers), Breaks(*layers)):
        model.train()[2].eval()
        fails = isinstance(model, Breaks)
        outcome = pytest.raises(RuntimeError, match="on purpose") if fails else nullcontext()
        with unchanged(model), outcome:
            record(model, images)


def test_statistics_are_those_of_plain_python():
    output = torch.tensor([[[[0.0, 0.0], [0.0, 0.0]], [[1.0, -2.0], [0.0, 5.0]]]])
    found = statistics(output)
    values = [0, 0, 0, 0, 1, -2, 0, 5]
    mean = sum(values) / 8
    assert found.mean == mean
    assert found.std == pytest.approx((sum((v - mean) ** 2 for v in values) / 8) ** 0.5)
    assert (found.low, found.high, found.zeros, found.dead) == (-2, 5, 5 / 8, 1)


def test_a_channel_is_dead_only_if_it_is_for_all_images():
    output = torch.zeros(2, 3, 2, 2)
    output[1, 0, 1, 1] = 1
    assert statistics(output).dead == 2
    assert statistics(torch.tensor([[0.0, 1.0], [0.0, 0.0]])).dead == 1


@pytest.mark.parametrize("name", UNUSUAL)
def test_every_output_of_a_network_with_unusual_modules_has_images_and_channels(name):
    recording = record(UNUSUAL[name](), torch.randn(2, 1, 8, 8))
    assert recording.maps
    for output in recording.maps.values():
        assert output.ndim > 1
        assert 0 <= statistics(output).dead <= output.shape[1]
    assert all(array.ndim > 0 for array in recording.arrays().values())


def test_the_arrays_are_the_maps_of_one_of_the_images():
    recording = record(nn.Sequential(nn.Conv2d(1, 2, 3), nn.Flatten()), torch.randn(3, 1, 5, 5))
    for number in range(3):
        arrays = recording.arrays(number)
        assert list(arrays) == ["0", "1"]
        assert all((arrays[name] == recording.maps[name][number].numpy()).all() for name in arrays)
