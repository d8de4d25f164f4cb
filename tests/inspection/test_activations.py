import io
from collections import Counter
from contextlib import nullcontext

import numpy as np
import pytest
import torch
from built_ins import REGISTRY
from hypothesis import given
from inspection.trees import (
    MEASURED,
    UNUSUAL,
    Breaks,
    by_hand,
    networks,
    property_test,
    settle,
    unchanged,
)
from torch import fx, nn

from explorer.branches import Branches
from explorer.inspection.activations import dead_channels, record
from explorer.inspection.parts import IMAGE, blocks, branches, nodes
from explorer.inspection.recording import Recording, softmax, statistics, to_npz
from explorer.inspection.tracing import trace
from explorer.inspection.watching import TRANSPARENT
from explorer.spec import ImageSpec

MNIST = ImageSpec(1, 28, 10)
ARCHITECTURES = REGISTRY.architectures


def equal(maps, wanted):
    assert set(maps) == set(wanted)
    for name, output in wanted.items():
        torch.testing.assert_close(
            torch.from_numpy(maps[name]), output, msg=lambda text, name=name: f"{name}: {text}"
        )


class EachNode(fx.Interpreter):
    """Runs a network operation by operation, and copies what each layer and operation gives."""

    def __init__(self, model):
        super().__init__(fx.symbolic_trace(model))
        self.maps, self.calls = {}, Counter()

    def run_node(self, node):
        output = super().run_node(node)
        if node.op == "call_module":
            name = node.target
        elif node.op == "call_function" and not hands_on(node):
            modules = list(node.meta.get("nn_module_stack", ()))
            operation = f"{node.target.__name__.strip('_').removeprefix('i')}()"
            name = f"{modules[-1]}.{operation}" if modules else operation
        else:
            return output
        self.calls[name] += 1
        number = self.calls[name]
        # A dropout hands its input on, which a later layer may write into.
        self.maps[name if number == 1 else f"{name}#{number}"] = output.clone()
        return output


def hands_on(node):
    name = node.target.__name__
    return name in TRANSPARENT or (name == "cat" and len(node.args[0]) == 1)


@pytest.mark.parametrize("name", sorted(ARCHITECTURES.keys() - MEASURED))
def test_the_maps_of_every_built_in_are_those_of_a_forward_pass_by_hand(name):
    model, images = settle(ARCHITECTURES[name].build(MNIST)), torch.randn(3, 1, 28, 28)
    with torch.no_grad():
        wanted = {}
        answer = by_hand(model, images, seen=wanted)
    recording = record(model, images)
    equal(recording.maps, wanted)
    torch.testing.assert_close(torch.from_numpy(recording.logits), answer)
    torch.testing.assert_close(
        torch.from_numpy(recording.probabilities), answer.exp() / answer.exp().sum(1)[:, None]
    )


@given(networks())
@property_test
def test_the_maps_of_random_nested_blocks_are_those_of_a_forward_pass_by_hand(drawn):
    model, images = drawn
    with torch.no_grad():
        wanted = {}
        by_hand(model, images, seen=wanted)
    equal(record(model, images).maps, wanted)


def test_the_maps_of_networks_by_others_are_those_of_each_node_run_by_itself(stranger):
    images = torch.randn(2, 1, 32, 32)
    with unchanged(stranger):
        recording = record(stranger, images)
        run = trace(stranger, images, keep=lambda _: None)
    stranger.eval()
    with torch.no_grad():
        each = EachNode(stranger)
        answer = each.run(images)
    stranger.train()
    assert [node.name for node in run.graph.nodes[1:]] == list(each.maps)
    names = {block.name: block.merge.name for block in blocks(recording.parts)}
    for path, (_, branch) in branches(recording.parts).items():
        assert branch.source != IMAGE
        names[path] = run.graph[branch.source].name
    assert len(names) > 20
    own = {node.name for node in nodes(recording.parts)} & set(recording.maps)
    assert own | {block.merge.name for block in blocks(recording.parts)} == set(each.maps)
    equal(
        recording.maps,
        {name: each.maps[name] for name in own} | {n: each.maps[o] for n, o in names.items()},
    )
    torch.testing.assert_close(torch.from_numpy(recording.logits), answer)


def test_the_layer_before_an_in_place_relu_keeps_its_negative_values(stranger):
    recording = record(stranger, torch.randn(1, 1, 32, 32))
    normalised = [node.name for node in nodes(recording.parts) if node.kind == "BatchNorm2d"]
    assert len(normalised) > 15
    assert all(recording.maps[name].min() < 0 for name in normalised)


def test_a_branch_and_a_block_before_an_in_place_relu_keep_their_negative_values():
    block = Branches({"skip": nn.Identity(), "conv": nn.Conv2d(1, 1, 1, bias=False)}, merge="add")
    nn.init.constant_(block["conv"].weight, 2)
    one = Branches({"only": nn.Conv2d(1, 1, 1)}, merge="add")  # hands its path's own tensor on
    model = nn.Sequential(block, nn.ReLU(inplace=True), one, nn.ReLU(inplace=True))
    image = torch.randn(1, 1, 5, 5)
    maps = {name: torch.from_numpy(found) for name, found in record(model, image).maps.items()}
    torch.testing.assert_close(maps["0.conv"], 2 * image)
    torch.testing.assert_close(maps["0"], 3 * image)
    torch.testing.assert_close(maps["1"], (3 * image).clamp(min=0))
    with torch.no_grad():
        assert torch.equal(maps["2.only"], one["only"](maps["1"]))
    assert maps["2.only"].min() < 0
    assert "2" not in maps


def test_the_maps_are_copies_that_nothing_else_writes_into():
    block = Branches({"skip": nn.Identity(), "other": nn.Identity()})
    model = nn.Sequential(nn.Dropout(), nn.Dropout(), nn.Flatten(2), block, nn.Flatten())
    image = torch.randn(1, 1, 3, 3)
    recording = record(model, image)
    before = image.clone()
    recording.maps["0"][:] = 0
    recording.logits[:] = 7
    assert torch.equal(image, before)
    assert np.array_equal(recording.maps["1"], before)
    assert np.array_equal(recording.maps["2"], before.flatten(2))
    assert np.array_equal(recording.maps["3.skip"], before.flatten(2))
    assert np.array_equal(recording.maps["4"], before.flatten(2).repeat(1, 2, 1).flatten(1))


def test_the_maps_are_arrays_in_the_plain_layout_in_single_precision():
    model = nn.Sequential(nn.Conv2d(2, 3, 1)).double().to(memory_format=torch.channels_last)
    images = torch.randn(2, 2, 4, 4, dtype=torch.float64).to(memory_format=torch.channels_last)
    recording = record(model, images)
    for output in (recording.maps["0"], recording.logits):
        assert type(output) is np.ndarray
        assert output.flags.c_contiguous
        assert output.dtype == np.float32
    torch.testing.assert_close(torch.from_numpy(recording.logits), model(images).detach().float())


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
    output = np.float32([[[[0, 0], [0, 0]], [[1, -2], [0, 5]]]])
    found = statistics(output)
    values = [0, 0, 0, 0, 1, -2, 0, 5]
    mean = sum(values) / 8
    assert found.mean == mean
    assert found.std == pytest.approx((sum((v - mean) ** 2 for v in values) / 8) ** 0.5)
    assert (found.low, found.high, found.zeros, found.dead) == (-2, 5, 5 / 8, 1)


def test_a_channel_is_dead_only_if_it_is_for_all_images():
    output = np.zeros((2, 3, 2, 2), np.float32)
    output[1, 0, 1, 1] = 1
    assert statistics(output).dead == 2
    assert statistics(np.float32([[0, 1], [0, 0]])).dead == 1


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
        assert all(np.array_equal(arrays[name], recording.maps[name][number]) for name in arrays)


def test_the_probabilities_are_the_softmax_of_the_logits_however_large_these_are():
    logits = 100 * torch.randn(50, 7)
    found = softmax(logits.numpy())
    assert found.dtype == np.float32
    torch.testing.assert_close(torch.from_numpy(found), logits.double().softmax(1).float())
    recording = Recording((), {}, np.float32([[1e30, -1e30, 1e30]]))
    assert recording.probabilities.tolist() == [[0.5, 0, 0.5]]
    assert softmax(np.float32([3, 3])).tolist() == [0.5, 0.5]


def test_the_file_has_the_image_and_what_each_part_gave_for_it():
    recording = record(nn.Sequential(nn.Conv2d(1, 2, 3), nn.Flatten()), torch.randn(2, 1, 5, 5))
    image = np.arange(25, dtype=np.uint8).reshape(1, 5, 5)
    with np.load(io.BytesIO(to_npz(image, recording))) as file:
        assert set(file) == {"image", "0", "1"}
        assert file["image"].dtype == np.uint8
        assert np.array_equal(file["image"], image)
        assert all(np.array_equal(file[name], recording.maps[name][0]) for name in ("0", "1"))


def test_dead_channels_are_those_that_are_zero_for_every_image_and_everywhere():
    model = nn.Sequential(nn.Conv2d(1, 4, 1), nn.ReLU(), nn.Flatten(), nn.Linear(16, 3))
    with torch.no_grad():
        model[0].weight.copy_(torch.tensor([1.0, -1.0, 1.0, 0.0]).reshape(4, 1, 1, 1))
        model[0].bias.copy_(torch.tensor([0.0, 0.0, -0.5, 0.0]))
    images = torch.zeros(2, 1, 2, 2)
    images[0, 0, 0, 0] = 0.4  # too little for the third channel
    assert dead_channels(model, images) == {"0": [3], "1": [1, 2, 3], "2": [*range(1, 16)]}
    images[1, 0, 0, 0] = 1
    assert dead_channels(model, images)["1"] == [1, 3]
    with unchanged(model):
        dead_channels(model, images)
