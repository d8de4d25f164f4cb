import copy

import pytest
import torch
from inspection.trees import (
    UNUSUAL,
    Breaks,
    CachesATable,
    Noise,
    Odd,
    Queries,
    parametrized,
    unchanged,
)
from torch import nn

from explorer.branches import Branches
from explorer.inspection.parts import Block, Layer
from explorer.inspection.tracing import evaluating, trace, twin, watched


def shapes(images, model):
    return trace(model, images, keep=lambda output: tuple(output.shape)).kept


def test_within_evaluating_every_module_evaluates_and_afterwards_each_has_its_own_mode_again():
    model = nn.Sequential(nn.Dropout(), nn.Sequential(nn.BatchNorm2d(1), nn.ReLU())).train()
    model[1].eval()
    model[1][1].train()
    with unchanged(model), evaluating(model):
        assert not any(module.training for module in model.modules())
    with unchanged(model), pytest.raises(ZeroDivisionError), evaluating(model):
        raise ZeroDivisionError


def test_watching_reports_when_each_module_begins_and_ends_from_the_outside_in():
    model = nn.Sequential(nn.Sequential(nn.Conv2d(1, 2, 1)), nn.Flatten())
    seen = []

    def watch(when):
        return lambda path, module, value: seen.append((when, path, module, tuple(value.shape)))

    image = torch.randn(3, 1, 4, 4)
    with unchanged(model), watched(model, watch("begin"), watch("end")):
        model(image)
    model(image)  # nobody watches any more
    assert seen == [
        ("begin", "", model, (3, 1, 4, 4)),
        ("begin", "0", model[0], (3, 1, 4, 4)),
        ("begin", "0.0", model[0][0], (3, 1, 4, 4)),
        ("end", "0.0", model[0][0], (3, 2, 4, 4)),
        ("end", "0", model[0], (3, 2, 4, 4)),
        ("begin", "1", model[1], (3, 2, 4, 4)),
        ("end", "1", model[1], (3, 32)),
        ("end", "", model, (3, 32)),
    ]


@pytest.mark.parametrize("raising", ["model", "before", "after"])
def test_watching_leaves_no_hook_after_an_exception(raising):
    def fail(*_):
        raise RuntimeError("on purpose")

    def nothing(*_):
        pass

    model = (Breaks if raising == "model" else nn.Sequential)(nn.Conv2d(1, 1, 1), nn.ReLU())
    before, after = (fail if raising == name else nothing for name in ("before", "after"))
    with (
        unchanged(model),
        pytest.raises(RuntimeError, match="on purpose"),
        watched(model, before, after),
    ):
        model(torch.zeros(1, 1, 2, 2))


def test_a_trace_changes_nothing_about_a_network_in_training():
    model = nn.Sequential(
        nn.BatchNorm2d(1), nn.Dropout(), nn.Flatten(), nn.Linear(16, 10), nn.RReLU()
    ).train()
    model(torch.randn(2, 1, 4, 4)).sum().backward()
    model[3].eval()
    model[3].bias.requires_grad_(False)
    images = torch.randn(2, 1, 4, 4)
    with unchanged(model):
        trace(model, images, keep=torch.clone)


def test_a_network_that_draws_at_random_leaves_the_generator_unchanged():
    model = Noise()
    with unchanged(model):
        run = trace(model, torch.zeros(1, 1, 2, 2), keep=torch.clone)
    assert run.output.any()


@pytest.mark.parametrize("mode", [True, False])
def test_a_trace_leaves_no_hook_and_no_mode_after_an_exception(mode):
    block = Branches({"a": nn.Identity(), "b": nn.BatchNorm2d(1)}, merge="add")
    model = Breaks(block, nn.Dropout()).train(mode)
    model[1].train(not mode)
    with unchanged(model), pytest.raises(RuntimeError, match="on purpose"):
        trace(model, torch.ones(2, 1, 4, 4), keep=torch.clone)
    assert torch.is_grad_enabled()
    assert not torch.is_inference_mode_enabled()


def test_what_is_kept_is_taken_at_the_moment_at_which_it_is_made():
    model = nn.Sequential(nn.Conv2d(1, 2, 1), nn.ReLU(inplace=True))
    image = torch.randn(1, 1, 4, 4)
    kept = trace(model, image, keep=torch.clone).kept
    assert torch.equal(kept["0"], model[0](image))
    assert kept["0"].min() < 0
    later = trace(model, image, keep=lambda output: output).kept
    assert later["0"].min() == 0  # no copy, so the ReLU wrote into it


def test_the_answer_is_the_one_of_evaluation_mode():
    model = nn.Sequential(nn.Flatten(), nn.Linear(4, 3), nn.Dropout(0.9)).train()
    image = torch.randn(2, 1, 2, 2)
    answer = trace(model, image, keep=lambda _: None).output
    assert torch.equal(answer, model.eval()(image))
    assert not answer.requires_grad


def test_parts_come_in_the_order_in_which_the_images_meet_them_not_as_they_are_listed():
    class Backwards(nn.Sequential):
        def forward(self, x):
            for layer in reversed(self):
                x = layer(x)
            return x

    parts = trace(Backwards(nn.ReLU(), nn.Sigmoid()), torch.randn(1, 1, 2, 2), torch.clone).parts
    assert [(part.path, part.kind) for part in parts] == [("1", "Sigmoid"), ("0", "ReLU")]


def test_a_layer_has_the_shapes_of_one_image():
    (conv, flat, linear) = trace(
        nn.Sequential(nn.Conv2d(2, 3, (1, 2)), nn.Flatten(), nn.Linear(3 * 4 * 5, 7)),
        torch.randn(9, 2, 4, 6),
        torch.clone,
    ).parts
    assert conv == Layer(
        "0", 1, "Conv2d", "conv 1×2", (2, 4, 6), (3, 4, 5), 3 * 2 * 2 + 3, 3 * 2 * 2 * 4 * 5
    )
    assert (flat.inputs, flat.shape, flat.parameters, flat.macs) == ((3, 4, 5), (60,), 0, 0)
    assert (linear.inputs, linear.shape, linear.macs) == ((60,), (7,), 420)


def test_a_module_that_is_used_twice_is_listed_twice():
    relu = nn.ReLU()
    model = nn.Sequential(relu, nn.Conv2d(1, 2, 1), relu)
    run = trace(model, torch.randn(1, 1, 2, 2), keep=torch.clone)
    assert [part.name for part in run.parts] == ["0", "1", "0#2"]
    assert [part.call for part in run.parts] == [1, 1, 2]
    assert list(run.kept) == ["0", "1", "0#2"]
    assert run.kept["0#2"].shape == (1, 2, 2, 2)


def test_a_block_that_is_used_twice_is_listed_twice_with_its_branches():
    block = Branches({"skip": nn.Identity(), "conv": nn.Conv2d(2, 2, 1)}, merge="add")
    run = trace(nn.Sequential(block, block), torch.randn(1, 2, 3, 3), keep=torch.clone)
    first, second = run.parts
    assert (first.name, second.name) == ("0", "0#2")
    assert [part.name for part in second.branches["conv"]] == ["0.conv#2"]
    assert second.branch_name("skip") == "0.skip#2"
    assert torch.equal(run.kept["0.skip#2"], run.kept["0"])
    assert torch.equal(run.kept["0#2"], run.kept["0.skip#2"] + run.kept["0.conv#2"])


def test_a_module_that_serves_in_two_branches_is_kept_under_the_name_of_each():
    conv = nn.Conv2d(1, 2, 3, padding=1)
    model = nn.Sequential(nn.Conv2d(1, 1, 1), Branches({"a": conv, "b": conv}))
    run = trace(model, torch.randn(1, 1, 5, 5), keep=torch.clone)
    block = run.parts[1]
    assert {name: len(inside) for name, inside in block.branches.items()} == {"a": 1, "b": 1}
    assert block.channels == {"a": 2, "b": 2}
    wanted = conv(run.kept["0"].clone())  # a clone is no inference tensor
    for name in block.branches:
        assert torch.equal(run.kept[block.branch_name(name)], wanted)


def test_a_layer_that_also_serves_as_a_branch_is_kept_under_the_branchs_name():
    relu = nn.ReLU()
    model = nn.Sequential(relu, nn.Conv2d(1, 1, 1), Branches({"relu": relu, "skip": nn.Identity()}))
    run = trace(model, torch.randn(1, 1, 5, 5), keep=torch.clone)
    assert torch.equal(run.kept["2.relu"], run.kept["1"].clamp(min=0))


def test_blocks_within_blocks_keep_their_place_and_their_outputs():
    inner = Branches({"a": nn.Conv2d(1, 2, 1), "b": nn.Identity()})
    model = nn.Sequential(Branches({"x": nn.Sequential(inner, nn.ReLU()), "y": nn.Identity()}))
    kept = shapes(torch.randn(1, 1, 3, 3), model)
    assert kept == {
        "0.x.0.a": (1, 2, 3, 3),
        "0.x.0.b": (1, 1, 3, 3),
        "0.x.0": (1, 3, 3, 3),
        "0.x.1": (1, 3, 3, 3),
        "0.x": (1, 3, 3, 3),
        "0.y": (1, 1, 3, 3),
        "0": (1, 4, 3, 3),
    }


def test_the_whole_model_may_be_one_block():
    model = Branches({"a": nn.Conv2d(1, 2, 1), "b": Branches({"c": nn.Identity()})})
    run = trace(model, torch.randn(1, 1, 3, 3), keep=torch.clone)
    (block,) = run.parts
    assert isinstance(block, Block)
    assert (block.path, block.name) == ("", "")
    assert [block.branch_name(name) for name in block.branches] == ["a", "b"]
    assert set(run.kept) == {"", "a", "b", "b.c"}
    assert torch.equal(run.kept[""], run.output)


def test_the_whole_model_may_be_one_layer():
    model = nn.Conv2d(1, 2, 3)
    run = trace(model, torch.randn(1, 1, 5, 5), keep=torch.clone)
    (layer,) = run.parts
    assert (layer.path, layer.kind, layer.parameters, layer.macs) == ("", "Conv2d", 20, 2 * 9 * 9)
    assert list(run.kept) == [""]


def test_multiply_adds_between_the_modules_count_for_the_whole_alone():
    class Mixed(nn.Module):
        def __init__(self):
            super().__init__()
            self.linear = nn.Linear(4, 3)

        def forward(self, x):
            x = x.flatten(1)
            return self.linear(x) @ torch.ones(3, 5)

    run = trace(Mixed(), torch.randn(6, 1, 2, 2), keep=torch.clone)
    assert [part.macs for part in run.parts] == [4 * 3]
    assert run.macs == 4 * 3 + 3 * 5


def test_modules_that_give_or_take_something_else_than_a_tensor_are_no_hindrance():
    class Pair(nn.Module):
        def forward(self, x):
            return x, x

    class Sum(nn.Module):
        def forward(self, pair):
            return pair[0] + pair[1]

    run = trace(nn.Sequential(Pair(), Sum()), torch.ones(1, 1, 2, 2), keep=torch.clone)
    assert [(part.kind, part.inputs, part.shape) for part in run.parts] == [("Sum", (), (1, 2, 2))]
    assert run.output.sum() == 8


IMAGES = torch.randn(2, 1, 8, 8)


@pytest.mark.parametrize("name", UNUSUAL)
def test_a_network_with_unusual_modules_is_watched_and_answers_as_it_does_unwatched(name):
    torch.manual_seed(0)
    model = UNUSUAL[name]().train()
    with unchanged(model):
        run = trace(model, IMAGES, keep=torch.clone)
    with torch.no_grad():
        torch.testing.assert_close(run.output, model.eval()(IMAGES))
    assert run.macs > 0
    assert {part.name for part in run.parts} <= set(run.kept)


@pytest.mark.parametrize("norm", ["weight_norm", "spectral_norm", "orthogonal"])
def test_a_layer_whose_weight_is_computed_is_that_layer_and_the_computation_none(norm):
    model = parametrized(norm)
    conv, _, _, linear = trace(model, IMAGES, keep=torch.clone).parts
    assert (conv.path, conv.kind, conv.text, conv.shape) == ("0", "Conv2d", "conv 3×3", (4, 6, 6))
    assert (linear.path, linear.kind, linear.text) == ("3", "Linear", "linear")
    for part in (conv, linear):
        own = model[int(part.path)].parameters()
        assert part.parameters == sum(parameter.numel() for parameter in own)
    assert conv.macs >= 4 * 9 * 36


def test_modules_that_run_on_parameters_count_as_layers_and_their_macs_count():
    run = trace(Queries(), IMAGES, keep=torch.clone)
    assert [part.path for part in run.parts] == ["embed", "drop", "norm", "key"]
    macs = {part.path: part.macs for part in run.parts}
    assert macs == {"embed": 64 * 4, "drop": 0, "norm": 0, "key": 64 * 16}
    assert run.macs == 64 * 4 + 64 * 16 + 3 * 4 * 64


def test_modules_that_take_no_tensor_or_give_none_or_one_number_an_image():
    run = trace(Odd(), IMAGES, keep=torch.clone)
    shapes = {part.path: (part.inputs, part.shape) for part in run.parts}
    assert shapes == {
        "table": ((), (1, 8, 8)),
        "sum": ((1, 8, 8), (1,)),
        "linear": ((1,), (3,)),
        "mean": ((), (1,)),
    }


def test_every_run_of_every_module_is_listed_in_the_order_in_which_they_began():
    relu = nn.ReLU()
    model = nn.Sequential(nn.Sequential(relu, nn.Conv2d(1, 2, 1)), relu)
    assert trace(model, IMAGES, keep=id).begun == ("", "0", "0.0", "0.1", "0.0")


def test_a_block_that_runs_more_modules_than_its_branches_is_watched():
    class Twice(Branches):
        def forward(self, x):
            return super().forward(self["a"](x))

    run = trace(Twice({"a": nn.Identity(), "b": nn.ReLU()}), IMAGES, keep=torch.clone)
    assert run.parts[0].shape == (2, 8, 8)


def test_a_network_that_cached_a_table_while_it_was_watched_can_be_trained():
    model = CachesATable()
    trace(model, IMAGES, keep=torch.clone)
    model(IMAGES).sum().backward()
    assert model.conv.weight.grad.any()


def test_a_twin_is_an_independent_copy_in_the_plain_layout_also_of_kept_activations():
    class Keeps(nn.Sequential):
        def forward(self, x):
            self.seen = super().forward(x)
            return self.seen

    model = Keeps(nn.Conv2d(1, 2, 3)).to(memory_format=torch.channels_last).train()
    model(IMAGES)
    with pytest.raises(RuntimeError, match="deepcopy"):
        copy.deepcopy(model)
    with unchanged(model):
        other = twin(model, torch.float64)
        other[0].weight.data.zero_()
    assert other.training
    assert other[0].weight.is_contiguous()
    assert other(IMAGES.double()).dtype == torch.float64
    assert model[0].weight.any()
