"""The built-in plugins: the tutorial's nets, exactly, and the others."""

from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from explorer import Branches, ImageSpec
from explorer.inspection import parts
from explorer.inspection.outline import outline
from explorer.inspection.parts import Block, nodes
from explorer.plugin.registry import load
from explorer.plugin.sources import in_folders

REGISTRY = load(in_folders([Path(__file__).parent.parent / "plugins"]))
BUILT_IN = REGISTRY.architectures
TUTORIAL = ["plain", "residual", "residual-as-printed", "inception"]
GREY, COLOUR = ImageSpec(1, 28, 10), ImageSpec(3, 32, 7)


def build(name: str, images: ImageSpec = GREY, **values) -> nn.Module:
    return BUILT_IN[name].build(images, values)


def pictures(images: ImageSpec, number: int = 2, dtype=torch.float32) -> torch.Tensor:
    return torch.randn(number, images.channels, images.size, images.size, dtype=dtype)


def blocks(model: nn.Module, images: ImageSpec = GREY) -> list[Block]:
    """The blocks that are found in a network."""
    return list(parts.blocks(outline(model, images).parts))


def merging(model: nn.Module) -> list[nn.Module]:
    """The modules in whose `forward` branches are merged."""
    return [model.get_submodule(block.path) for block in blocks(model)]


def declared(model: nn.Module) -> list[Branches]:
    """The blocks of a network that says itself what its branches are."""
    return [module for module in model.modules() if isinstance(module, Branches)]


def count_parameters(model: nn.Module) -> int:
    return sum(parameter.numel() for parameter in model.parameters())


def ends(option) -> tuple:
    if option.range:
        return option.range.low, option.range.high
    return option.choices or (False, True)


def extremes() -> list:
    """Every architecture with each option at each of its ends, and with all at their first."""
    found = []
    for name, architecture in BUILT_IN.items():
        every = [{option.name: end} for option in architecture.options for end in ends(option)]
        every += [{option.name: ends(option)[0] for option in architecture.options}, {}]
        found += [pytest.param(name, values, id=f"{name}-{values}") for values in every]
    return found


def test_every_built_in_loads():
    assert REGISTRY.broken == ()
    further = {"resnet", "resnet34", "googlenet", "network-in-network", "densenet", "mlp"}
    measured = {"deep", "windows", "inception-relu"}  # by the lessons
    assert {*TUTORIAL, "residual-bn", "inception-bn", *further, *measured} == set(BUILT_IN)


@pytest.mark.parametrize(
    ("name", "number"),
    [
        ("plain", 8_490),
        ("residual", 41_514),
        ("residual-as-printed", 41_514),
        ("inception", 97_298),
    ],
)
def test_a_tutorial_net_has_the_tutorials_number_of_parameters(name, number):
    assert BUILT_IN[name].parameters == count_parameters(build(name)) == number
    assert f"{number:,}" in BUILT_IN[name].description


@pytest.mark.parametrize("name", BUILT_IN)
def test_a_built_in_says_what_it_is_in_a_sentence(name):
    assert BUILT_IN[name].summary.endswith(".")
    assert len(BUILT_IN[name].summary) <= 120


@pytest.mark.parametrize("images", [GREY, COLOUR], ids=str)
@pytest.mark.parametrize(("name", "values"), extremes())
def test_a_built_in_answers_at_both_ends_of_each_option(name, values, images):
    model = build(name, images, **values)
    for training in (True, False):
        answer = model.train(training)(pictures(images))
        assert answer.shape == (2, images.num_classes)
        assert answer.isfinite().all()


# The last batch of an epoch may be of one image.
@pytest.mark.parametrize(("name", "values"), extremes())
def test_a_built_in_learns_from_a_single_image(name, values):
    answer = build(name, **values).train()(pictures(GREY, 1))
    assert answer.shape == (1, GREY.num_classes)
    assert answer.isfinite().all()


# --- the tutorial's nets, written a second time as formulas over their parameters


def layer(x, w, name, **options):
    return F.conv2d(x, w[f"{name}.weight"], w[f"{name}.bias"], **options)


def shrink(x, w, name):
    """The tutorial's step between blocks: 5×5 convolution, halved by maxima, rectified."""
    return layer(x, w, name).unfold(2, 2, 2).unfold(3, 2, 2).amax((-1, -2)).clamp(min=0)


def classify(x, w):
    return x.reshape(len(x), -1) @ w["linear.weight"].T + w["linear.bias"]


def plain_formula(x, w):
    return classify(shrink(shrink(x, w, "conv1"), w, "conv2"), w)


def residual_formula(x, w, *, printed: bool):
    for number in (1, 2):
        x = shrink(x, w, f"conv{number}")
        first = layer(x, w, f"block{number}.conv1", padding=1).clamp(min=0)
        second = layer(x if printed else first, w, f"block{number}.conv2", padding=1)
        x = (x + second).clamp(min=0)
    return classify(x, w)


def inception_formula(x, w):
    for number in (1, 2):
        x = shrink(x, w, f"conv{number}")
        block = f"incep{number}"
        # The mean of each 3×3 window, in which the border's zeros count as well.
        mean = x.new_full((x.shape[1], 1, 3, 3), 1 / 9)
        one = layer(x, w, f"{block}.branch1x1")
        five = layer(x, w, f"{block}.branch5x5_1")
        five = layer(five, w, f"{block}.branch5x5_2", padding=2)
        three = layer(x, w, f"{block}.branch3x3_1")
        three = layer(three, w, f"{block}.branch3x3_2", padding=1)
        three = layer(three, w, f"{block}.branch3x3_3", padding=1)
        pool = F.conv2d(x, mean, padding=1, groups=x.shape[1])
        pool = layer(pool, w, f"{block}.branch_pool")
        x = torch.cat([one, five, three, pool], dim=1)
    return classify(x, w)


FORMULAS = {
    "plain": plain_formula,
    "residual": lambda x, w: residual_formula(x, w, printed=False),
    "residual-as-printed": lambda x, w: residual_formula(x, w, printed=True),
    "inception": inception_formula,
}


@pytest.mark.parametrize("images", [GREY, COLOUR], ids=str)
@pytest.mark.parametrize("name", TUTORIAL)
def test_a_tutorial_net_equals_its_formula(name, images):
    model = build(name, images).double()
    x = pictures(images, 5, torch.float64)
    expected = FORMULAS[name](x, dict(model.named_parameters()))
    torch.testing.assert_close(model(x), expected, rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize("name", TUTORIAL)
def test_a_tutorial_net_equals_its_formula_for_large_weights_of_either_sign(name):
    model = build(name).double()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.normal_(std=0.3)
    x = pictures(GREY, 5, torch.float64)
    expected = FORMULAS[name](x, dict(model.named_parameters()))
    torch.testing.assert_close(model(x), expected, rtol=1e-11, atol=1e-11)


def test_the_two_residual_formulas_differ():
    model = build("residual").double()
    x, w = pictures(GREY, 5, torch.float64), dict(model.named_parameters())
    corrected, printed = FORMULAS["residual"](x, w), FORMULAS["residual-as-printed"](x, w)
    assert (corrected - printed).abs().max() > 0.01


def test_the_tutorials_four_branches_have_16_24_24_and_24_channels():
    found = blocks(build("inception"))
    assert [block.input_shape[0] for block in found] == [10, 20]
    for block in found:
        assert {name: branch.shape[0] for name, branch in block.branches.items()} == {
            "branch1x1": 16,
            "branch5x5": 24,
            "branch3x3": 24,
            "branch_pool": 24,
        }


# --- what receives a gradient


def without_gradient(model: nn.Module, images: ImageSpec = GREY) -> dict[str, int]:
    answers = model.train()(pictures(images, 8))
    F.cross_entropy(answers, torch.arange(8) % images.num_classes).backward()
    return {
        name: p.numel()
        for name, p in model.named_parameters()
        if p.grad is None or not p.grad.any()
    }


@pytest.mark.parametrize("name", [name for name in BUILT_IN if name != "residual-as-printed"])
def test_every_parameter_receives_a_gradient(name):
    assert without_gradient(build(name)) == {}


def test_every_parameter_receives_a_gradient_without_the_skips():
    assert without_gradient(build("residual-bn", skip=False)) == {}


def test_11568_parameters_of_the_printed_residual_net_never_receive_a_gradient():
    idle = without_gradient(build("residual-as-printed"))
    assert set(idle) == {
        "block1.conv1.weight",
        "block1.conv1.bias",
        "block2.conv1.weight",
        "block2.conv1.bias",
    }
    assert sum(idle.values()) == 11_568
    assert "11,568" in BUILT_IN["residual-as-printed"].description


# --- what a block is as a function


def deviation_from_affine(block: nn.Module, channels: int) -> float:
    """How far f(x + y) + f(0) is from f(x) + f(y), which are equal for an affine f."""
    block = block.double().eval()
    x, y = torch.randn(2, 3, channels, 9, 9, dtype=torch.float64)
    with torch.no_grad():
        # A bias and running statistics as after some training, so that none of them is trivial.
        for tensor in (*block.parameters(), *block.buffers()):
            if tensor.is_floating_point():
                tensor.copy_(torch.rand_like(tensor) + 0.1)
        left, right = block(x + y) + block(torch.zeros_like(x)), block(x) + block(y)
    return ((left - right).abs().max() / left.abs().max()).item()


@pytest.mark.parametrize(("block", "channels"), [(0, 10), (1, 20)])
def test_the_tutorials_inception_block_is_affine(block, channels):
    assert deviation_from_affine(merging(build("inception"))[block], channels) < 1e-13
    assert "affine" in BUILT_IN["inception"].description


@pytest.mark.parametrize(("block", "channels"), [(0, 16), (1, 64)])
def test_the_inception_block_with_activations_is_not_affine(block, channels):
    assert deviation_from_affine(merging(build("inception-bn"))[block], channels) > 1e-3


def test_every_convolution_of_inception_bn_is_normalised_and_rectified():
    paths = [path for block in blocks(build("inception-bn")) for path in block.branches.values()]
    assert len(paths) == 8
    for path in paths:
        kinds = [node.kind for node in nodes(path.parts)]
        if kinds[0] == "max_pool2d":
            kinds = kinds[1:]
        assert kinds
        assert kinds == ["Conv2d", "BatchNorm2d", "ReLU"] * (len(kinds) // 3)


def test_the_pool_branch_of_inception_bn_pools_maxima_and_the_tutorials_means():
    for name, kind in [("inception-bn", "max_pool2d"), ("inception", "avg_pool2d")]:
        found = blocks(build(name))
        pools = [next(nodes(block.branches["branch_pool"].parts)).kind for block in found]
        assert pools == [kind, kind]


# --- options that mean what they say


@pytest.mark.parametrize("name", ["residual-bn", "inception-bn"])
def test_the_number_of_blocks_is_the_number_of_branchings(name):
    assert [len(blocks(build(name, blocks=n))) for n in (1, 2, 4)] == [1, 2, 4]


@pytest.mark.parametrize("name", ["residual-bn", "inception-bn"])
def test_the_width_is_the_number_of_channels_of_every_branch(name):
    for width in (8, 24):
        found = blocks(build(name, width=width))
        assert found
        for block in found:
            assert {branch.shape[0] for branch in block.branches.values()} == {width}


def test_without_the_skip_a_residual_net_has_the_same_parameters_in_a_plain_stack():
    with_skip, without = build("residual-bn", skip=True), build("residual-bn", skip=False)
    assert [list(block.branches) for block in blocks(with_skip)] == [["skip", "residual"]] * 3
    assert blocks(without) == []
    assert count_parameters(with_skip) == count_parameters(without)
    without.load_state_dict(with_skip.state_dict())

    block, bare = with_skip.double().eval().blocks[0], without.double().eval().blocks[0]
    x = torch.randn(2, 16, 6, 6, dtype=torch.float64) + 20
    assert (block(x) > 0).all()  # so its ReLU does nothing
    torch.testing.assert_close((block(x) - x).relu(), bare(x))


# --- the published nets


def convolutions(module: nn.Module) -> list[nn.Conv2d]:
    return [part for part in module.modules() if isinstance(part, nn.Conv2d)]


@pytest.mark.parametrize("n", [1, 3, 9])
def test_resnet_has_6n_plus_2_layers_in_stages_of_16_32_and_64_channels(n):
    model = build("resnet", n=n, skip=False)
    assert len(convolutions(model)) + 1 == 6 * n + 2
    widths = [block["residual"][2][0].out_channels for block in declared(model)]
    assert widths == [16] * n + [32] * n + [64] * n


def test_resnet_s_sizes_are_those_of_the_paper_s_table():
    # Section 4.2: maps of 32, 16 and 8 pixels; 0.27 million parameters for 20 layers (table 6).
    model = build("resnet", COLOUR, n=3)
    shapes = []
    for block in declared(model):
        block.register_forward_hook(lambda _, __, output: shapes.append(output.shape[2]))
    model.eval()(pictures(COLOUR))
    assert shapes == [32] * 3 + [16] * 3 + [8] * 3
    assert round(count_parameters(build("resnet", ImageSpec(3, 32, 10), n=3)) / 1e6, 2) == 0.27


def test_resnet_s_identity_shortcut_subsamples_and_pads_with_zeros():
    block = declared(build("resnet"))[1]
    x = torch.randn(2, 16, 7, 7)
    skip = block["skip"](x)
    assert skip.shape == (2, 32, 4, 4)
    assert torch.equal(skip[:, :16], x[:, :, ::2, ::2])
    assert not skip[:, 16:].any()
    assert count_parameters(block["skip"]) == 0


def test_resnet_s_projection_is_there_only_where_the_shape_changes():
    skips = [block["skip"] for block in declared(build("resnet", n=2, shortcut="projection"))]
    assert [bool(convolutions(skip)) for skip in skips] == [False, False, True, False, True, False]
    assert convolutions(skips[2])[0].kernel_size == (1, 1)


def test_without_skips_resnet_has_the_same_parameters_in_a_plain_stack():
    with_skip, without = build("resnet", n=2), build("resnet", n=2, skip=False)
    assert [list(block) for block in declared(without)] == [["residual"]] * 6
    without.load_state_dict(with_skip.state_dict())


@pytest.mark.parametrize("norm", [True, False])
def test_resnet_s_convolutions_have_a_bias_or_a_normalisation(norm):
    model = build("resnet", norm=norm)
    assert any(isinstance(part, nn.BatchNorm2d) for part in model.modules()) == norm
    assert all((layer.bias is None) == norm for layer in convolutions(model))


def test_without_normalisation_resnet_s_residuals_begin_at_zero_so_that_sums_do_not_grow():
    for block in declared(build("resnet", n=9, norm=False)):
        assert not block["residual"][2][0].weight.any()
    x = pictures(GREY, 8)
    assert build("resnet", n=9, norm=False)(x).std() < 5
    assert all(block["residual"][2][0].weight.any() for block in declared(build("resnet")))


@pytest.mark.parametrize("depth", [18, 34])
def test_resnet34_is_torchvision_s_net_weight_for_weight(depth):
    import torchvision.models

    theirs = getattr(torchvision.models, f"resnet{depth}")(num_classes=10)
    theirs.conv1 = nn.Conv2d(1, 64, 3, padding=1, bias=False)
    theirs.maxpool = nn.Identity()
    ours = build("resnet34", depth=depth, width=64)
    given = theirs.state_dict()
    # Both list a block's two convolutions first and its shortcut last.
    values = dict(zip(ours.state_dict(), given.values(), strict=True))
    ours.load_state_dict(values)
    x = pictures(GREY)
    with torch.no_grad():
        torch.testing.assert_close(ours.eval()(x), theirs.eval()(x), rtol=1e-4, atol=1e-4)


def module_3a(**values) -> Branches:
    return declared(build("googlenet", divisor=4, modules=1, **values))[0]


def test_googlenet_s_module_3a_has_the_paper_s_proportions():
    # Table 1: 192 channels in; 64, 96 and 128, 16 and 32, and 32; here each over 4.
    layers = {name: convolutions(path) for name, path in module_3a().items()}
    assert {n: [(c.in_channels, c.out_channels) for c in own] for n, own in layers.items()} == {
        "1x1": [(48, 16)],
        "3x3": [(48, 24), (24, 32)],
        "5x5": [(48, 4), (4, 8)],
        "pool": [(48, 8)],
    }


def test_googlenet_s_5x5_branch_has_a_true_5x5_window():
    assert convolutions(module_3a()["5x5"])[-1].kernel_size == (5, 5)
    assert convolutions(module_3a(reduce=False)["5x5"])[0].kernel_size == (5, 5)


def test_without_reductions_googlenet_s_larger_windows_see_all_channels():
    naive = module_3a(reduce=False)
    assert {name: len(convolutions(path)) for name, path in naive.items()} == {
        "1x1": 1,
        "3x3": 1,
        "5x5": 1,
        "pool": 0,
    }
    assert convolutions(naive["5x5"])[0].in_channels == 48
    assert naive(torch.randn(1, 48, 4, 4)).shape[1] == 16 + 32 + 8 + 48


def test_googlenet_halves_its_maps_before_modules_3_4_and_5():
    model, sizes = build("googlenet", COLOUR, modules=9), []
    for block in declared(model):
        block.register_forward_hook(lambda _, __, output: sizes.append(output.shape[2]))
    model.eval()(pictures(COLOUR))
    assert sizes == [16] * 2 + [8] * 5 + [4] * 2


def test_network_in_network_s_logits_are_the_means_of_a_map_a_class():
    model = build("network-in-network").eval()
    x = pictures(GREY)
    maps = nn.Sequential(*list(model)[:-2])(x)
    assert maps.shape[1] == GREY.num_classes
    torch.testing.assert_close(model(x), maps.mean((2, 3)))
    assert not any(isinstance(part, nn.Linear) for part in model.modules())
    kernels = [layer.kernel_size[0] for layer in convolutions(model)]
    assert kernels == [5, 1, 1, 5, 1, 1, 3, 1, 1]


@pytest.mark.parametrize("bottleneck", [True, False])
def test_densenet_grows_by_the_same_number_of_channels_at_every_layer(bottleneck):
    model = build("densenet", growth=6, layers=4, blocks=1, bottleneck=bottleneck)
    channels = []
    for block in declared(model):
        block.register_forward_hook(lambda _, x, y: channels.append((x[0].shape[1], y.shape[1])))
        assert len(convolutions(block["new"])) == 1 + bottleneck
    model.eval()(pictures(GREY))
    assert channels == [(12 + 6 * number, 18 + 6 * number) for number in range(4)]


def test_densenet_passes_its_input_on_unchanged():
    block = declared(build("densenet"))[0].eval()
    x = torch.randn(2, 16, 5, 5)
    assert torch.equal(block(x)[:, :16], x)


def test_an_mlp_without_activation_is_affine_and_with_one_it_is_not():
    pixels = nn.Unflatten(1, (1, 28, 28))
    for activation, affine in (("none", True), ("relu", False), ("tanh", False)):
        model = nn.Sequential(pixels, build("mlp", activation=activation, layers=3))
        x, y = torch.randn(2, 3, 784, dtype=torch.float64)
        model.double()
        left = model(x + y) + model(torch.zeros_like(x))
        assert torch.allclose(left, model(x) + model(y), 1e-9, 1e-9) == affine


@pytest.mark.parametrize("name", ["googlenet", "network-in-network", "mlp"])
def test_dropout_is_there_only_where_it_does_something(name):
    def dropouts(model):
        return [part.p for part in model.modules() if isinstance(part, nn.Dropout)]

    assert dropouts(build(name)) == []
    assert set(dropouts(build(name, dropout=0.3))) == {0.3}
