import copy
from dataclasses import dataclass

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
from explorer.inspection.ablation import ablated
from explorer.inspection.graph import GraphError
from explorer.inspection.parts import Block, Node, Point, blocks, branches, nodes, parameters
from explorer.inspection.tracing import by_image, trace, twin
from explorer.inspection.watching import Watch
from explorer.modes import evaluating


def shapes(images, model):
    return trace(model, images, keep=lambda output: tuple(output.shape)).kept


class Reports(Watch):
    """Notes all that it is told."""

    def __init__(self, model):
        super().__init__(model)
        self.seen = []

    def run_begins(self):
        self.seen.append("run begins")

    def run_ends(self):
        self.seen.append("run ends")

    def module_begins(self, path, is_layer):
        self.seen.append(("module", path, is_layer))

    def before_layer(self, point, module, args, kwargs):
        self.seen.append(("begin", point.name, module, tuple(args[0].shape)))

    def after_layer(self, point, module, args, kwargs, output):
        self.seen.append(("end", point.name, module, tuple(output.shape)))

    def operation(self, point, func, args, kwargs):
        output = func(*args, **kwargs)
        self.seen.append(("operation", point.name, tuple(output.shape)))
        return output


class PlainCode(nn.Module):
    """Has a layer and does the rest in plain code."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(1, 2, 1)

    def forward(self, x):
        return torch.relu(self.conv(torch.relu(x)))


def test_within_evaluating_every_module_evaluates_and_afterwards_each_has_its_own_mode_again():
    model = nn.Sequential(nn.Dropout(), nn.Sequential(nn.BatchNorm2d(1), nn.ReLU())).train()
    model[1].eval()
    model[1][1].train()
    with unchanged(model), evaluating(model):
        assert not any(module.training for module in model.modules())
    with unchanged(model), pytest.raises(ZeroDivisionError), evaluating(model):
        raise ZeroDivisionError


def test_watching_reports_each_module_layer_and_operation_from_the_outside_in():
    model = nn.Sequential(PlainCode(), nn.Flatten())
    watch = Reports(model)
    image = torch.randn(3, 1, 4, 4)
    with torch.no_grad():
        wanted = model(image)
        with unchanged(model), watch.watching():
            assert torch.equal(model(image), wanted)
        model(image)  # nobody watches any more
    once = [
        "run begins",
        ("module", "", False),
        ("module", "0", False),
        ("operation", "0.relu()", (3, 1, 4, 4)),
        ("module", "0.conv", True),
        ("begin", "0.conv", model[0].conv, (3, 1, 4, 4)),
        ("end", "0.conv", model[0].conv, (3, 2, 4, 4)),
        ("operation", "0.relu()#2", (3, 2, 4, 4)),
        ("module", "1", True),
        ("begin", "1", model[1], (3, 2, 4, 4)),
        ("end", "1", model[1], (3, 32)),
        "run ends",
    ]
    assert watch.seen == once


def test_each_run_that_is_watched_is_counted_from_the_beginning():
    model = nn.Sequential(PlainCode(), nn.Flatten())
    watch = Reports(model)
    with watch.watching():
        model(torch.randn(3, 1, 4, 4))
        first, watch.seen = watch.seen, []
        model(torch.randn(3, 1, 4, 4))
    assert watch.seen == first


@pytest.mark.parametrize("raising", ["model", "before_layer", "after_layer", "operation"])
def test_watching_leaves_no_hook_after_an_exception(raising):
    def fail(*_):
        raise RuntimeError("on purpose")

    layers = PlainCode(), nn.ReLU()
    model = (Breaks if raising == "model" else nn.Sequential)(*layers)
    watch = Reports(model)
    if raising != "model":
        setattr(watch, raising, fail)
    with (
        unchanged(model),
        pytest.raises(RuntimeError, match="on purpose"),
        watch.watching(),
    ):
        model(torch.zeros(1, 1, 2, 2))
    seen = list(watch.seen)
    torch.relu(torch.zeros(1))
    nn.Sequential(*layers)(torch.zeros(1, 1, 2, 2))
    assert watch.seen == seen


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


def test_what_is_kept_of_the_branches_of_a_sum_in_place_is_what_they_gave():
    class Adds(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv = nn.Conv2d(1, 1, 1)

        def forward(self, x):
            out = self.conv(x)
            out += x
            return out

    model, image = nn.Sequential(Adds()), torch.randn(1, 1, 4, 4)
    run = trace(model, image, keep=torch.clone)
    conv, skip = branches(run.parts)
    with torch.no_grad():
        assert torch.equal(run.kept[conv], model[0].conv(image))
        assert torch.equal(run.kept[skip], image)
        assert torch.equal(run.kept["0"], model[0].conv(image) + image)


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
        count=True,
    ).parts
    assert conv == Node(
        1,
        Point("0", 1),
        "Conv2d",
        "conv 1×2",
        inputs=(0,),
        operands=(0,),
        input_shape=(2, 4, 6),
        shape=(3, 4, 5),
        weights=(("0.weight", 3 * 2 * 2), ("0.bias", 3)),
        macs=3 * 2 * 2 * 4 * 5,
    )
    assert (conv.name, conv.path, conv.is_layer, conv.parameters) == ("0", "0", True, 15)
    assert (flat.input_shape, flat.shape, flat.parameters, flat.macs) == ((3, 4, 5), (60,), 0, 0)
    assert (linear.input_shape, linear.shape, linear.macs) == ((60,), (7,), 420)


def test_multiply_adds_are_counted_only_if_they_are_asked_for():
    run = trace(nn.Conv2d(1, 2, 3), torch.randn(1, 1, 5, 5), torch.clone)
    assert (run.macs, run.parts[0].macs) == (0, 0)


def test_an_operation_between_layers_is_a_part_as_a_layer_is():
    run = trace(PlainCode(), torch.randn(3, 1, 4, 5), torch.clone)
    assert [(part.name, part.kind, part.input_shape, part.shape) for part in run.parts] == [
        ("relu()", "relu", (1, 4, 5), (1, 4, 5)),
        ("conv", "Conv2d", (1, 4, 5), (2, 4, 5)),
        ("relu()#2", "relu", (2, 4, 5), (2, 4, 5)),
    ]
    first, conv, last = run.parts
    assert (first.path, first.parameters) == ("", 0)
    assert [part.is_layer for part in (first, conv, last)] == [False, True, False]
    assert [node.inputs for node in run.parts] == [(0,), (1,), (2,)]
    assert list(run.kept) == ["relu()", "conv", "relu()#2"]
    assert torch.equal(run.kept["relu()#2"], run.kept["conv"].clamp(min=0))


def test_what_hands_its_very_input_on_is_no_part():
    class Hands(nn.Module):
        def forward(self, x):
            return x

    model = nn.Sequential(nn.Identity(), nn.ReLU(), Hands(), nn.Sequential(nn.Identity()))
    run = trace(model, torch.randn(1, 1, 2, 2), torch.clone)
    assert [part.name for part in run.parts] == list(run.kept) == ["1"]
    assert run.begun == ("", "0", "1", "2", "3", "3.0")


def test_a_dropout_is_a_part_although_it_changes_nothing_in_evaluation():
    run = trace(nn.Sequential(nn.ReLU(), nn.Dropout()), torch.randn(1, 1, 2, 2), torch.clone)
    assert [part.name for part in run.parts] == ["0", "1"]
    assert torch.equal(run.kept["1"], run.kept["0"])


def test_what_does_not_reach_the_answer_is_no_part_but_kept_and_called_unused():
    class Wasteful(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv, self.idle = nn.Conv2d(1, 2, 1), nn.Conv2d(1, 3, 1)

        def forward(self, x):
            torch.relu(self.idle(x))
            return self.conv(x)

    run = trace(Wasteful(), torch.randn(1, 1, 2, 2), torch.clone)
    assert [part.name for part in run.parts] == ["conv"]
    assert [node.name for node in run.graph.unused] == ["idle", "relu()"]
    assert list(run.kept) == ["idle", "relu()", "conv"]


def test_an_answer_that_does_not_come_from_the_image_is_refused_with_a_sentence():
    class Elsewhere(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv = nn.Conv2d(1, 1, 1)

        def forward(self, x):
            return torch.from_numpy(self.conv(x).numpy() * 2)

    model, image = Elsewhere(), torch.randn(1, 1, 2, 2)
    with unchanged(model), pytest.raises(GraphError, match="cannot be followed back to the image"):
        trace(model, image, torch.clone)


def test_a_layer_that_computes_with_numpy_is_followed_from_outside():
    class Elsewhere(nn.Module):
        def forward(self, x):
            return torch.from_numpy(x.numpy() * 2)

    run = trace(nn.Sequential(Elsewhere(), nn.Flatten()), torch.randn(1, 1, 2, 2), torch.clone)
    assert [part.name for part in run.parts] == ["0", "1"]


def test_of_several_outputs_the_first_is_the_answer():
    class Two(nn.Module):
        def __init__(self):
            super().__init__()
            self.head, self.auxiliary = nn.Linear(4, 3), nn.Linear(4, 2)

        def forward(self, x):
            auxiliary = self.auxiliary(x.flatten(1))
            return {"logits": self.head(x.flatten(1)), "auxiliary": auxiliary}

    images = torch.randn(5, 1, 2, 2)
    run = trace(model := Two(), images, torch.clone)
    assert torch.equal(run.output, model.head(images.flatten(1)))
    assert [part.name for part in run.parts] == ["head"]
    assert [run.graph[number].name for number in run.graph.outputs] == ["head", "auxiliary"]


def test_a_module_that_is_used_twice_is_listed_twice():
    relu = nn.ReLU()
    model = nn.Sequential(relu, nn.Conv2d(1, 2, 1), relu)
    run = trace(model, torch.randn(1, 1, 2, 2), keep=torch.clone)
    assert [part.name for part in run.parts] == ["0", "1", "0#2"]
    assert [part.point.call for part in run.parts] == [1, 1, 2]
    assert list(run.kept) == ["0", "1", "0#2"]
    assert run.kept["0#2"].shape == (1, 2, 2, 2)


def test_a_block_that_is_used_twice_is_listed_twice_with_its_branches():
    block = Branches({"skip": nn.Identity(), "conv": nn.Conv2d(2, 2, 1)}, merge="add")
    run = trace(nn.Sequential(block, block), torch.randn(1, 2, 3, 3), keep=torch.clone)
    first, second = run.parts
    assert (first.name, second.name) == ("0", "0#2")
    assert (first.path, second.path) == ("0", "0")
    assert [part.name for part in second.branches["conv"].parts] == ["0.conv#2"]
    assert list(branches(run.parts)) == ["0.skip", "0.conv", "0#2.skip", "0#2.conv"]
    assert [branch.is_skip for branch in second.branches.values()] == [True, False]
    assert torch.equal(run.kept["0#2.skip"], run.kept["0"])
    assert torch.equal(run.kept["0#2.conv"], run.kept["0.conv#2"])
    assert torch.equal(run.kept["0#2"], run.kept["0#2.skip"] + run.kept["0#2.conv"])


def test_a_module_that_serves_in_two_branches_is_kept_under_the_name_of_each():
    conv = nn.Conv2d(1, 2, 3, padding=1)
    model = nn.Sequential(nn.Conv2d(1, 1, 1), Branches({"a": conv, "b": conv}))
    run = trace(model, torch.randn(1, 1, 5, 5), keep=torch.clone)
    block = run.parts[1]
    inside = {name: [p.name for p in branch.parts] for name, branch in block.branches.items()}
    assert inside == {"a": ["1.a"], "b": ["1.a#2"]}
    assert {branch.shape for branch in block.branches.values()} == {(2, 5, 5)}
    assert block.parameters == 2 * 9 + 2
    wanted = conv(run.kept["0"].clone())
    for branch in block.branches.values():
        assert torch.equal(run.kept[branch.path], wanted)


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
    assert (block.path, block.name) == ("", "cat()")
    assert list(branches(run.parts)) == ["cat().a", "cat().b"]
    assert set(run.kept) == {"a", "cat()", "cat().a", "cat().b"}
    assert torch.equal(run.kept["cat()"], run.output)


@pytest.mark.parametrize("merge", ["concat", "add"])
def test_a_container_of_one_path_merges_nothing(merge):
    block = Branches({"a": nn.Conv2d(1, 2, 1)}, merge)
    run = trace(nn.Sequential(block, nn.ReLU()), IMAGES, keep=torch.clone)
    assert [part.name for part in run.parts] == ["0.a", "1"]
    assert not branches(run.parts)


@pytest.mark.parametrize(
    ("merge", "paths", "operations"), [("concat", 2, []), ("add", 2, []), ("add", 3, ["0.add()"])]
)
def test_a_container_of_skips_alone_is_a_block_of_skips(merge, paths, operations):
    names = "abc"[:paths]
    block = Branches({name: nn.Identity() for name in names}, merge)
    run = trace(nn.Sequential(block), torch.randn(1, 1, 3, 3), keep=torch.clone)
    (found,) = run.parts
    assert [(name, branch.is_skip) for name, branch in found.branches.items()] == [
        (name, True) for name in names
    ]
    assert set(run.kept) == {"0", *operations, *(f"0.{name}" for name in names)}


@pytest.mark.parametrize("order", ["abc", "acb", "cab"])
@pytest.mark.parametrize("merge", ["concat", "add"])
def test_each_of_two_skips_keeps_its_own_name(merge, order):
    paths = {"a": nn.Identity(), "b": nn.Identity(), "c": nn.Conv2d(1, 1, 1)}
    model = nn.Sequential(Branches({name: paths[name] for name in order}, merge))
    (block,) = trace(model, torch.randn(1, 1, 3, 3), keep=torch.clone).parts
    skips = {name: branch.is_skip for name, branch in block.branches.items()}
    assert skips == {name: name != "c" for name in order}
    assert list(skips) == list(order)


def test_skips_keep_their_names_beside_a_branch_that_begins_with_the_same_concatenation():
    inner = nn.Sequential(Branches({"a": nn.Identity(), "b": nn.Identity()}), nn.Conv2d(2, 1, 1))
    model = nn.Sequential(Branches({"one": nn.Identity(), "two": nn.Identity(), "c": inner}))
    (block,) = trace(model, torch.randn(1, 1, 3, 3), keep=torch.clone).parts
    assert list(block.branches) == ["one", "two", "c"]
    assert [part.name for part in block.branches["c"].parts] == ["0.c.0", "0.c.1"]


def test_a_container_is_a_block_without_parameters_too_but_plain_code_is_none():
    class Plain(nn.Module):
        def forward(self, x):
            return x + torch.relu(x)

    block = Branches({"skip": nn.Identity(), "relu": nn.ReLU()}, merge="add")
    run = trace(nn.Sequential(Plain(), nn.Sequential(nn.ReLU()), block), IMAGES, keep=torch.clone)
    assert [(part.name, isinstance(part, Block)) for part in run.parts][-1] == ("2", True)
    assert list(branches(run.parts)) == ["2.skip", "2.relu"]


def test_a_merge_in_plain_code_is_a_block_where_a_path_learns_or_it_is_a_matrix_product():
    class Adds(nn.Module):
        def __init__(self, layer):
            super().__init__()
            self.layer = layer

        def forward(self, x):
            return x + self.layer(x)

    class Attends(nn.Module):
        def forward(self, x):
            return torch.relu(x) @ torch.sigmoid(x)

    def kinds(model):
        return [
            part.kind for part in trace(model, IMAGES, torch.clone).parts if isinstance(part, Block)
        ]

    assert kinds(Adds(nn.Conv2d(1, 1, 1))) == ["sum"]
    assert kinds(Adds(nn.ReLU())) == []
    assert kinds(nn.Sequential(Adds(nn.ReLU()), Adds(nn.BatchNorm2d(1)))) == ["sum"]

    class Whole(nn.Module):
        def __init__(self):
            super().__init__()
            self.attends = Attends()
            self.conv = nn.Conv2d(1, 1, 1)

        def forward(self, x):
            x = self.conv(x)
            return torch.relu(x) @ torch.sigmoid(x)

    assert kinds(Whole()) == ["matrix product"]


def test_the_whole_model_may_be_one_layer():
    model = nn.Conv2d(1, 2, 3)
    run = trace(model, torch.randn(1, 1, 5, 5), keep=torch.clone, count=True)
    (layer,) = run.parts
    assert (layer.path, layer.kind, layer.parameters, layer.macs) == ("", "Conv2d", 20, 2 * 9 * 9)
    assert list(run.kept) == [""]


def test_multiply_adds_between_the_modules_count_for_their_operation_and_for_the_whole():
    class Mixed(nn.Module):
        def __init__(self):
            super().__init__()
            self.linear = nn.Linear(4, 3)

        def forward(self, x):
            x = x.flatten(1)
            return self.linear(x) @ torch.ones(3, 5)

    run = trace(Mixed(), torch.randn(6, 1, 2, 2), keep=torch.clone, count=True)
    macs = {part.name: part.macs for part in run.parts}
    assert macs == {"linear": 4 * 3, "matmul()": 3 * 5}
    assert run.macs == 4 * 3 + 3 * 5


def test_modules_that_give_or_take_something_else_than_a_tensor_are_no_hindrance():
    class Pair(nn.Module):
        def forward(self, x):
            return x, 3 * x

    class Sum(nn.Module):
        def forward(self, pair):
            return pair[0] + pair[1]

    run = trace(nn.Sequential(Pair(), Sum()), torch.ones(1, 1, 2, 2), keep=torch.clone)
    assert [(part.kind, part.input_shape, part.shape) for part in run.parts] == [
        ("Pair", (1, 2, 2), (1, 2, 2)),
        ("add", (1, 2, 2), (1, 2, 2)),
    ]
    assert run.output.sum() == 16


IMAGES = torch.randn(2, 1, 8, 8)


@pytest.mark.parametrize("name", UNUSUAL)
def test_a_network_with_unusual_modules_is_watched_and_answers_as_it_does_unwatched(name):
    torch.manual_seed(0)
    model = UNUSUAL[name]().train()
    with unchanged(model):
        run = trace(model, IMAGES, keep=torch.clone, count=True)
    with torch.no_grad():
        torch.testing.assert_close(run.output, model.eval()(IMAGES))
    assert run.macs > 0
    assert {part.name for part in run.parts} <= set(run.kept)
    total = sum(p.numel() for p in model.parameters())
    assert parameters(nodes(run.parts)) == total


@pytest.mark.parametrize("norm", ["weight_norm", "spectral_norm", "orthogonal"])
def test_a_layer_whose_weight_is_computed_is_that_layer_and_the_computation_none(norm):
    model = parametrized(norm)
    conv, _, _, linear = trace(model, IMAGES, keep=torch.clone, count=True).parts
    assert (conv.path, conv.kind, conv.text, conv.shape) == ("0", "Conv2d", "conv 3×3", (4, 6, 6))
    assert (linear.path, linear.kind, linear.text) == ("3", "Linear", "linear")
    for part in (conv, linear):
        own = model[int(part.path)].parameters()
        assert part.parameters == sum(parameter.numel() for parameter in own)
    assert conv.macs >= 4 * 9 * 36


def test_modules_that_run_on_parameters_are_no_parts_and_what_uses_their_results_has_them():
    model = Queries()
    run = trace(model, IMAGES, keep=torch.clone, count=True)
    assert [part.name for part in run.parts] == ["embed", "add()", "key", "matmul()", "mean()"]
    macs = {part.name: part.macs for part in run.parts}
    assert macs == {
        "embed": 64 * 4,
        "add()": 0,
        "key": 64 * 16,
        "matmul()": 3 * 4 * 64,
        "mean()": 0,
    }
    assert run.macs == 64 * 4 + 64 * 16 + 3 * 4 * 64
    weights = {part.name: sorted(name for name, _ in part.weights) for part in run.parts}
    assert weights["add()"] == ["position"]
    assert weights["matmul()"] == ["norm.bias", "norm.weight", "queries"]
    assert not run.graph.unused


def test_modules_that_take_no_tensor_or_give_several_or_one_number_an_image():
    run = trace(Odd(), IMAGES, keep=torch.clone)
    shapes = {part.name: (part.input_shape, part.shape) for part in nodes(run.parts)}
    assert shapes == {
        "mul()": ((1, 8, 8), (1, 8, 8)),
        "pair": ((1, 8, 8), (1, 8, 8)),
        "sum": ((1, 8, 8), (1,)),
        "linear": ((1,), (3,)),
        "mean": ((1, 8, 8), (1,)),
        "add()": ((3,), (3,)),
    }
    assert all(len(kept) == len(IMAGES) and kept.ndim > 1 for kept in run.kept.values())
    # One number for all images is the same for each of them.
    assert torch.equal(run.kept["mean"], run.kept["mean"][:1].expand(2, 1))


@pytest.mark.parametrize(
    ("shape", "wanted"),
    [
        ((3, 5, 4), (3, 5, 4)),
        ((3,), (3, 1)),
        ((7, 3, 5), (3, 7, 5)),
        ((12, 5), (3, 4, 5)),
        ((7, 5), (3, 7, 5)),
        ((), (3, 1)),
    ],
)
def test_a_tensor_is_sorted_by_image(shape, wanted):
    tensor = torch.randn(shape)
    found = by_image(tensor, 3)
    assert tuple(found.shape) == wanted
    assert set(found.flatten().tolist()) == set(tensor.flatten().tolist())


def test_every_run_of_every_module_is_listed_in_the_order_in_which_they_began():
    relu = nn.ReLU()
    model = nn.Sequential(nn.Sequential(relu, nn.Conv2d(1, 2, 1)), relu)
    assert trace(model, IMAGES, keep=id).begun == ("", "0", "0.0", "0.1", "0.0")


def test_a_block_that_runs_more_modules_than_its_branches_is_watched():
    class Twice(Branches):
        def forward(self, x):
            return super().forward(self["a"](x))

    run = trace(Twice({"a": nn.Sigmoid(), "b": nn.ReLU()}), IMAGES, keep=torch.clone)
    first, block = run.parts
    assert (first.name, block.shape) == ("a", (2, 8, 8))
    inside = {name: [p.name for p in branch.parts] for name, branch in block.branches.items()}
    assert inside == {"a": ["a#2"], "b": ["b"]}


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


class ChannelsLast(nn.Module):
    """A stem, and then maps whose channels are on the last side, as in ConvNeXt and Swin."""

    def __init__(self):
        super().__init__()
        self.stem, self.mix = nn.Conv2d(1, 6, 3), nn.Conv2d(6, 6, 1)
        self.norm, self.linear = nn.LayerNorm(6), nn.Linear(6, 5)
        self.head = nn.Linear(5, 3)

    def forward(self, x):
        x = self.stem(x)
        y = self.norm(self.mix(x).permute(0, 2, 3, 1))
        y = torch.tanh(y + x.permute(0, 2, 3, 1))
        y = self.linear(y).relu()
        return self.head(y.mean((1, 2)))


def test_maps_whose_channels_are_last_are_kept_as_other_maps_are():
    model, images = ChannelsLast(), torch.randn(2, 1, 7, 8)
    run = trace(model, images, keep=torch.clone)
    shapes = {node.name: node.shape for node in run.graph.nodes}
    assert shapes["norm"] == shapes["tanh()"] == (6, 5, 6)
    assert shapes["linear"] == shapes["relu()"] == (5, 5, 6)
    with torch.no_grad():
        wanted = model.norm(model.mix(model.stem(images)).permute(0, 2, 3, 1))
    assert torch.equal(run.kept["norm"], wanted.permute(0, 3, 1, 2))
    (block,) = blocks(run.parts)
    assert {branch.shape for branch in block.branches.values()} == {(6, 5, 6)}
    with torch.no_grad(), ablated(model, run, ["relu():2"]):
        off = trace(model, images, keep=torch.clone).kept["relu()"]
    assert not off[:, 2].any()
    assert torch.equal(off[:, 3], run.kept["relu()"][:, 3])


def test_tensors_in_a_dataclass_are_followed_and_replaced():
    @dataclass
    class Pair:
        one: torch.Tensor
        other: torch.Tensor

    class Two(nn.Module):
        def forward(self, x):
            return Pair(x + 1, x * 2)

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.two, self.linear = Two(), nn.Linear(4, 3)

        def forward(self, x):
            pair = self.two(x.flatten(1))
            return self.linear(pair.one) + pair.other[:, :3]

    model, images = Net(), torch.randn(2, 1, 2, 2)
    run = trace(model, images, keep=torch.clone)
    assert [node.name for node in nodes(run.parts)] == ["two", "linear", "add()"]
    with torch.no_grad(), ablated(model, run, ["two:0"]):
        found = model(images)
    one = images.flatten(1) + 1
    one[:, 0] = 0
    with torch.no_grad():
        assert torch.allclose(found, model.linear(one) + 2 * images.flatten(1)[:, :3])


class Merges(nn.Module):
    """Two convolutions and an operation that merges what they give."""

    def __init__(self, merge):
        super().__init__()
        self.one, self.other = nn.Conv2d(1, 2, 1), nn.Conv2d(1, 2, 1)
        self.table = nn.Parameter(torch.randn(2, 1, 1))
        self.merge = merge

    def forward(self, x):
        left, right = self.one(x), self.other(x)
        return self.merge(left, right, self.table).flatten(1)[:, :3]


def written(left, right, _):
    y = torch.zeros_like(left)
    y[:, :1] = left[:, :1]
    y[:, 1:] = right[:, 1:]
    return y


@pytest.mark.parametrize(
    ("kind", "merge"),
    [
        ("sum", lambda left, right, _: left + right),
        ("sum", lambda left, right, _: left - right),
        ("sum", lambda left, right, _: torch.add(left, right, alpha=2)),
        ("sum", lambda left, right, _: left.sub_(right)),
        ("concat", lambda left, right, _: torch.cat([left, right])),
        ("concat", lambda left, right, _: torch.hstack([left, right])),
        ("stack", lambda left, right, _: torch.stack([left, right], 1)),
        ("product", lambda left, right, _: left * right),
        ("product", lambda left, right, _: left / (1 + right.exp())),
        ("maximum", lambda left, right, _: torch.maximum(left, right)),
        ("maximum", lambda left, right, _: torch.minimum(left, right)),
        ("matrix product", lambda left, right, _: left @ right.transpose(2, 3)),
        ("matrix product", lambda left, right, _: torch.einsum("ncij,nckj->ncik", left, right)),
        ("write", written),
        ("merge", lambda left, right, _: torch.lerp(left, right, 0.3)),
        ("merge", lambda left, right, _: torch.where(right > 0, left, right)),
    ],
)
def test_every_way_of_merging_two_tensors_is_a_block_of_its_kind(kind, merge):
    (block,) = blocks(trace(Merges(merge), IMAGES, keep=torch.clone).parts)
    assert block.kind == kind
    # What is computed on the spot has no name of its own, but that of its layer.
    assert [name in ("left", "right", "one", "other") for name in block.branches] == [True] * 2
    assert [len(list(nodes(branch.parts))) >= 1 for branch in block.branches.values()] == [True] * 2


@pytest.mark.parametrize(
    "merge",
    [
        lambda left, right, table: left + table,  # a position embedding
        lambda left, right, table: left * torch.linspace(0, 1, left.shape[3]),
        lambda left, right, table: (
            torch.cat([left, table.expand(2, 1, left.shape[3])[None]], 2)
            if len(left) == 1
            else left
        ),
        lambda left, right, table: 0.5 * left * (1 + torch.tanh(left)),  # an activation by hand
        lambda left, right, table: (left - left.mean(1, keepdim=True)) / left.std(),
    ],
)
def test_what_comes_not_from_the_image_or_has_no_parameter_makes_no_block(merge):
    run = trace(Merges(merge), IMAGES, keep=torch.clone)
    assert list(blocks(run.parts)) == []
    assert [node.name for node in run.graph.unused] == ["other"]
