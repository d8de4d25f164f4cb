import copy
import functools
import re

import pytest
import torch
import torch.nn.functional as F
from built_ins import REGISTRY
from captum.attr import LayerGradCam
from inspection.trees import Breaks, Noise, settle, unchanged
from torch import nn

from explorer.branches import Branches
from explorer.inspection.attribution import AttributionError, attribution, grad_cam
from explorer.inspection.parts import Block, nodes
from explorer.inspection.results import METHODS
from explorer.inspection.tracing import trace
from explorer.spec import ImageSpec

MNIST = ImageSpec(1, 28, 10)
ARCHITECTURES = REGISTRY.architectures
BLACK = torch.full((1, 1, 1), -0.4242)


@pytest.fixture
def image(digits):
    return digits.normalise(digits.images[3:4])[0]


class Constant(nn.Module):
    """Says the same to every image."""

    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(1, 10)

    def forward(self, x):
        return self.linear(0 * x.flatten(1)[:, :1])


class OnePixel(nn.Module):
    """Looks at one pixel."""

    def forward(self, x):
        return x[:, 0, 5, 7, None] * torch.tensor([1.0, -2.0])


@pytest.mark.parametrize("target", [0, 7])
@pytest.mark.parametrize("name", ["plain", "inception", "residual"])
def test_integrated_gradients_sum_to_the_difference_of_the_logits(name, target, example, image):
    model = example(name)
    found = attribution(model, image, target, "integrated gradients", BLACK)
    with torch.no_grad():
        logits = model(torch.stack([image, BLACK.expand(1, 28, 28)]))[:, target]
    assert found.shape == (28, 28)
    assert abs(logits[0] - logits[1]) > 0.5
    assert found.sum().item() == pytest.approx((logits[0] - logits[1]).item(), abs=0.25)


def test_integrated_gradients_of_a_smooth_network_sum_to_the_difference_to_many_digits():
    layers = [nn.Conv2d(2, 3, 3), nn.Tanh(), nn.Flatten(), nn.Linear(27, 4), nn.Sigmoid()]
    model, image, black = (
        nn.Sequential(*layers).double(),
        torch.randn(2, 5, 5),
        torch.zeros(2, 1, 1),
    )
    found = attribution(model, image.double(), 1, "integrated gradients", black)
    with torch.no_grad():
        logits = model(torch.stack([image, torch.zeros(2, 5, 5)]).double())[:, 1]
    assert found.sum().item() == pytest.approx((logits[0] - logits[1]).item(), rel=1e-5)


def test_integrated_gradients_of_a_linear_network_are_its_weights_times_what_is_not_black():
    model = nn.Sequential(nn.Flatten(), nn.Linear(3 * 5 * 5, 4))
    image, black = torch.randn(3, 5, 5), torch.randn(3, 1, 1)
    found = attribution(model, image, 2, "integrated gradients", black)
    wanted = (model[1].weight[2].view(3, 5, 5) * (image - black)).sum(0)
    torch.testing.assert_close(found, wanted.detach(), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("size", [8, 9, 28])
def test_occlusion_is_how_far_the_logit_falls_averaged_over_the_patches_on_a_pixel(size):
    conv = nn.Conv2d(2, 3, 3)
    model = nn.Sequential(conv, nn.ReLU(), nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(12, 4))
    image, black = torch.randn(2, size, size), torch.tensor([-1.0, 0.5]).view(2, 1, 1)
    fall, patches = torch.zeros(size, size), torch.zeros(size, size)
    with torch.no_grad():
        logit = model(image[None])[0, 1]
        # The last patch may stick out, so that every pixel is painted over at least once.
        for top in range(0, size - 2, 2):
            for left in range(0, size - 2, 2):
                painted = image.clone()
                painted[:, top : top + 4, left : left + 4] = black
                fall[top : top + 4, left : left + 4] += logit - model(painted[None])[0, 1]
                patches[top : top + 4, left : left + 4] += 1
    found = attribution(model, image, 1, "occlusion", black)
    torch.testing.assert_close(found, fall / patches, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("method", METHODS)
def test_to_a_network_that_always_says_the_same_no_pixel_matters(method, image):
    assert not attribution(Constant(), image, 4, method, BLACK).any()


@pytest.mark.parametrize("method", METHODS)
def test_pixels_that_a_network_never_looks_at_do_not_matter(method, image):
    image[0, 5, 7] = 2.0
    found = attribution(OnePixel(), image, 0, method, BLACK)
    against = attribution(OnePixel(), image, 1, method, BLACK)
    torch.testing.assert_close(against, -2 * found)
    reach = torch.zeros(28, 28, dtype=torch.bool)
    if method == "occlusion":
        reach[2:8, 4:10] = True  # of the patches of 4×4, two apart, that cover the pixel
    else:
        reach[5, 7] = True
    assert (found[reach] > 0).all()
    assert not found[~reach].any()
    assert found[5, 7].item() == pytest.approx(2.4242)


def seen(model, image):
    return trace(model, image[None], keep=lambda _: None)


def cam(model, name, image, target):
    return grad_cam(model, seen(model, image), name, image, target)


def cam_by_hand(maps, rest, target):
    """Selvaraju et al., eq. 1 and 2."""
    maps = maps.detach().requires_grad_()
    (gradient,) = torch.autograd.grad(rest(maps)[0, target], maps)
    weights = gradient[0].sum((1, 2)) / gradient[0, 0].numel()
    return (weights[:, None, None] * maps[0]).sum(0).clamp(min=0).detach()


def plain_steps(model):
    """What `plain` does, step by step."""
    return {
        "conv1": model.conv1,
        "pool": lambda x: F.max_pool2d(x, 2),
        "relu()": torch.relu,
        "conv2": model.conv2,
        "pool#2": lambda x: F.max_pool2d(x, 2),
        "relu()#2": torch.relu,
        "linear": lambda x: model.linear(x.flatten(1)),
    }


def chain(steps):
    return lambda x: functools.reduce(lambda x, step: step(x), steps, x)


@pytest.mark.parametrize("layer", ["conv1", "pool", "relu()", "conv2", "pool#2", "relu()#2"])
@pytest.mark.parametrize("target", [1, 3])
def test_grad_cam_of_a_layer_is_the_papers(layer, target, example, image):
    model = example("plain")
    steps = plain_steps(model)
    split, steps = list(steps).index(layer) + 1, list(steps.values())
    found = cam(model, layer, image, target)
    wanted = cam_by_hand(chain(steps[:split])(image[None]), chain(steps[split:]), target)
    torch.testing.assert_close(found, wanted, rtol=1e-4, atol=1e-6)
    assert wanted.any()


def test_grad_cam_of_a_block_and_of_the_last_layer_of_a_branch_is_the_papers(example, image):
    model = example("residual")
    block = model.block2
    with torch.no_grad():
        x = model.block1(torch.relu(F.max_pool2d(model.conv1(image[None]), 2)))
        x = torch.relu(F.max_pool2d(model.conv2(x), 2))
        residual = block.conv2(torch.relu(block.conv1(x)))

    def after_relu(maps):
        return model.linear(maps.flatten(1))

    def after_sum(maps):
        return after_relu(torch.relu(maps))

    heated = 0
    for path, maps, rest in [
        ("block2", x + residual, after_sum),
        ("block2.conv2", residual, lambda maps: after_sum(x + maps)),
        ("block2.relu()#2", torch.relu(x + residual), after_relu),
    ]:
        for target in (1, 5):
            wanted = cam_by_hand(maps, rest, target)
            found = cam(model, path, image, target)
            torch.testing.assert_close(found, wanted, rtol=1e-4, atol=1e-6)
            heated += bool(wanted.any())
    assert heated > 2


class InPlainCode(nn.Module):
    """A residual block and a concatenation in plain code; `merged` takes the place of a merge."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.stem = nn.Conv2d(1, 4, 3)
        self.conv1, self.conv2 = nn.Conv2d(4, 4, 3, padding=1), nn.Conv2d(4, 4, 3, padding=1)
        self.one, self.other = nn.Conv2d(4, 2, 1), nn.Conv2d(4, 3, 3, padding=1)
        self.linear = nn.Linear(5 * 16, 3)

    def forward(self, x):
        x = torch.relu(self.stem(x))
        return self.after_sum(self.sum(x))

    def sum(self, x):
        out = self.conv2(torch.relu(self.conv1(x)))
        out += x
        return out

    def after_sum(self, x):
        x = torch.relu(x)
        return self.after_cat(torch.cat([self.one(x), self.other(x)], 1))

    def after_cat(self, x):
        return self.linear(nn.functional.max_pool2d(torch.relu_(x), 2).flatten(1))


def test_grad_cam_of_a_merge_in_plain_code_is_the_papers():
    model, image = InPlainCode(), torch.randn(1, 10, 10)
    run = seen(model, image)
    found = {part.kind: part.name for part in run.parts if isinstance(part, Block)}
    assert set(found) == {"sum", "concat"}
    with torch.no_grad():
        added = model.sum(torch.relu(model.stem(image[None])))
        positive = torch.relu(added)
        together = torch.cat([model.one(positive), model.other(positive)], 1)

    def after_cat(x):
        return model.after_cat(x.clone())  # the ReLU writes into it

    for name, maps, rest in [
        (found["sum"], added, model.after_sum),
        (found["concat"], together, after_cat),
        ("add()", added, model.after_sum),
        ("relu()#3", positive, lambda x: after_cat(torch.cat([model.one(x), model.other(x)], 1))),
    ]:
        with unchanged(model):
            heat = grad_cam(model, run, name, image, 1)
        wanted = cam_by_hand(maps, rest, 1)
        assert wanted.any()
        torch.testing.assert_close(heat, wanted, rtol=1e-4, atol=1e-6)


def test_grad_cam_of_a_modules_output_is_captums(stranger):
    image = torch.randn(1, 64, 64)
    stranger.eval()
    run = seen(stranger, image)
    convolutions = [node for node in nodes(run.parts) if node.kind == "Conv2d"]
    heated = 0
    for node in (convolutions[number] for number in (0, 1, 3, 8, -1)):
        layer = stranger.get_submodule(node.path)
        theirs = LayerGradCam(stranger, layer).attribute(image[None], 3, relu_attributions=True)
        with unchanged(stranger):
            found = grad_cam(stranger, run, node.name, image, 3)
        wanted = theirs[0, 0].detach()
        heated += bool(wanted.any())
        torch.testing.assert_close(found, wanted, rtol=1e-3, atol=1e-5 * float(wanted.max()))
    assert heated
    stranger.train()


@pytest.mark.parametrize("path", ["0", "1"])
def test_a_relu_in_place_after_the_layer_does_not_write_into_what_is_explained(path):
    torch.manual_seed(1)
    model = nn.Sequential(
        nn.Conv2d(1, 4, 3), nn.ReLU(inplace=True), nn.Conv2d(4, 2, 3), nn.Flatten(), nn.Linear(8, 3)
    )
    image, twin = torch.randn(1, 6, 6), copy.deepcopy(model)
    twin[1].inplace = False
    split = int(path) + 1
    wanted = cam_by_hand(twin[:split](image[None]), twin[split:], 1)
    with unchanged(model):
        found = cam(model, path, image, 1)
    torch.testing.assert_close(found, wanted, rtol=1e-4, atol=1e-6)
    assert wanted.any()


def test_networks_by_others_can_be_explained(stranger):
    image = torch.randn(1, 32, 32)
    convolutions = [n for n, m in stranger.named_modules() if isinstance(m, nn.Conv2d)]
    with unchanged(stranger):
        heat = cam(stranger, convolutions[5], image, 3)
        found = attribution(stranger, image, 3, "integrated gradients", BLACK)
    assert heat.ndim == 2
    assert heat.min() >= 0
    assert found.shape == (32, 32)
    assert found.any()


class Recurrent(nn.Module):
    """Has a layer that gives a tuple, and one that it never uses."""

    def __init__(self):
        super().__init__()
        self.lstm = nn.LSTM(28, 4)
        self.idle = nn.Conv2d(1, 1, 1)
        self.linear = nn.Linear(4 * 28, 10)

    def forward(self, x):
        return self.linear(self.lstm(x[:, 0])[0].flatten(1))


@pytest.mark.parametrize(
    ("model", "path", "target", "sentence"),
    [
        ("plain", "conv9", 0, "There is no layer 'conv9' in this network."),
        ("plain", "linear", 0, "linear gives no maps, so there is no Grad-CAM of it."),
        ("mlp", "flatten", 0, "flatten gives no maps, so there is no Grad-CAM of it."),
        ("residual-bn", "mean()", 0, "mean() gives no maps, so there is no Grad-CAM of it."),
        (
            "residual-as-printed",
            "block1.conv1",
            0,
            "block1.conv1 has no Grad-CAM: no gradient of the logit reaches it",
        ),
        (Recurrent, "lstm", 0, "lstm gives no maps, so there is no Grad-CAM of it."),
        (Recurrent, "idle", 0, "There is no layer 'idle' in this network."),
    ],
)
def test_where_there_is_no_grad_cam_a_sentence_says_why(model, path, target, sentence, image):
    network = model() if model is Recurrent else ARCHITECTURES[model].build(MNIST)
    run = seen(network, image)
    with (
        unchanged(network),
        pytest.raises(AttributionError, match=f"^{re.escape(sentence)}") as refusal,
    ):
        grad_cam(network, run, path, image, target)
    assert str(refusal.value).endswith(".")


EXPLAIN = {
    **{
        method: lambda model, image, method=method: attribution(model, image, 0, method, BLACK)
        for method in METHODS
    },
    "grad-cam": lambda model, image: grad_cam(model, SEEN, "0", image, 0),
}
every_way = pytest.mark.parametrize("explain", EXPLAIN.values(), ids=EXPLAIN)


def layers():
    """A network in training whose weights have gradients, but for one that is not trained."""
    torch.manual_seed(0)
    block = Branches({"skip": nn.Identity(), "conv": nn.Conv2d(2, 2, 1)}, merge="add")
    model = nn.Sequential(
        nn.Conv2d(1, 2, 3), settle(nn.BatchNorm2d(2)), block, nn.Dropout(), nn.Flatten()
    )
    model.append(nn.Linear(72, 10)).train()
    model(torch.randn(4, 1, 8, 8)).square().sum().backward()
    model[5].weight.requires_grad_(False)
    model[1].eval()
    return model


SEEN = seen(layers(), torch.zeros(1, 8, 8))


@every_way
def test_explaining_leaves_the_network_unchanged_and_explains_evaluation_mode(explain):
    model, image = layers(), torch.randn(1, 8, 8)
    before = image.clone()
    with unchanged(model):
        found = explain(model, image)
    assert torch.equal(found, explain(model.eval(), image))
    assert torch.equal(image, before)
    assert not image.requires_grad
    assert not found.requires_grad


@every_way
def test_explaining_leaves_the_network_unchanged_after_an_exception(explain):
    model, image = Breaks(*layers(), Noise()), torch.randn(1, 8, 8)
    with unchanged(model), pytest.raises((RuntimeError, AttributionError), match="on purpose"):
        explain(model, image)
