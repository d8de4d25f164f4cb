import pytest
import torch
import torch.nn.functional as F
from torch import nn

from explorer.data.loader import Split
from explorer.training.recipe import Recipe
from explorer.training.step import PlainStepper, make_optimiser, products

CPU = torch.device("cpu")
OPTIMISERS = {
    "sgd": Recipe("sgd", 0.05, momentum=0.5, weight_decay=0.01),
    "sgd without momentum": Recipe("sgd", 0.05, momentum=0.0),
    "nesterov": Recipe("nesterov", 0.05, 0.9),
    "adamw": Recipe("adamw", 0.01, weight_decay=0.1),
}


def split(length=64):
    generator = torch.Generator().manual_seed(1)
    images = torch.randint(256, (length, 2, 6, 6), generator=generator, dtype=torch.uint8)
    labels = torch.randint(3, (length,), generator=generator)
    return Split(images, labels, torch.full((2, 1, 1), 0.4), torch.full((2, 1, 1), 0.3))


def net():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(2, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(64, 3))
    return model.to(memory_format=torch.channels_last).train()


def stepper(recipe=OPTIMISERS["sgd"]):
    model = net()
    return PlainStepper(model, split(), make_optimiser(model, recipe, CPU), recipe)


def test_a_step_returns_loss_and_logits_before_the_update_and_the_labels():
    step, images, indices = stepper(), split(), torch.tensor([3, 60, 3, 7])
    logits = net()(images.normalise(images.images[indices]))
    output = step(indices, 0.05)
    assert torch.equal(output.labels, images.labels[indices])
    assert torch.allclose(output.logits, logits, atol=1e-6)
    assert output.loss.item() == pytest.approx(F.cross_entropy(logits, output.labels).item())
    assert not any(tensor.requires_grad for tensor in output)


@pytest.mark.parametrize("recipe", OPTIMISERS.values(), ids=OPTIMISERS)
def test_the_fused_update_equals_the_plain_one(recipe):
    # A fused kernel goes through memory in its order; the layers here are channels-last.
    step, plain = stepper(recipe), net()
    known = torch.optim.AdamW if recipe.optimiser == "adamw" else torch.optim.SGD
    options = {"lr": 0.02, "weight_decay": recipe.weight_decay, "foreach": False}
    if recipe.optimiser != "adamw":
        options |= {"momentum": recipe.momentum, "nesterov": recipe.optimiser == "nesterov"}
    optimiser = known(plain.parameters(), **options)
    for indices in split().order(16, seed=1):
        step(indices, 0.02)
        inputs, labels = split().gather(indices)
        optimiser.zero_grad()
        F.cross_entropy(plain(inputs), labels).backward()
        optimiser.step()
    assert len(list(plain.parameters())) > 2
    for own, wanted in zip(step.model.parameters(), plain.parameters(), strict=True):
        assert torch.allclose(own, wanted, atol=1e-5)


def test_the_rate_is_the_one_that_is_given():
    step = stepper(Recipe("sgd", 0.5, momentum=0.0))
    before = [weight.detach().clone() for weight in step.model.parameters()]
    step(torch.arange(8), 0.125)
    for weight, own in zip(step.model.parameters(), before, strict=True):
        assert torch.allclose(own - weight, 0.125 * weight.grad, atol=1e-7)


def products_seen(precision):
    """The type in which the first layer answered, and that of its weights' gradient."""
    step, seen = stepper(Recipe("sgd", precision=precision)), []
    step.model[0].register_forward_hook(lambda *watched: seen.append(watched[2].dtype))
    output = step(torch.arange(8), 0.01)
    assert output.loss.dtype is torch.float32
    return seen[0], step.model[0].weight.grad.dtype


def test_bfloat16_is_for_products_only():
    assert products_seen("bfloat16") == (torch.bfloat16, torch.float32)
    assert products_seen("float32") == (torch.float32, torch.float32)


def test_bfloat16_is_near_and_not_the_same():
    losses = {}
    for precision in ("float32", "tf32", "bfloat16"):
        step = stepper(Recipe("sgd", precision=precision))
        losses[precision] = [step(torch.arange(32), 0.05).loss.item() for _ in range(5)]
    assert losses["bfloat16"] != losses["float32"]
    assert losses["bfloat16"] == pytest.approx(losses["float32"], rel=0.05)
    assert losses["tf32"] == losses["float32"]  # a CPU has no TF32


class Backend:
    def __init__(self):
        self.fp32_precision = "as before"


@pytest.fixture
def backends(monkeypatch):
    own = Backend(), Backend()
    monkeypatch.setattr(torch.backends.cuda, "matmul", own[0])
    monkeypatch.setattr(torch.backends.cudnn, "conv", own[1], raising=False)
    return own


@pytest.mark.parametrize(
    ("precision", "wanted"), [("float32", "ieee"), ("tf32", "tf32"), ("bfloat16", "ieee")]
)
def test_a_gpu_multiplies_as_the_recipe_says_and_afterwards_as_before(backends, precision, wanted):
    def step():
        with products(precision, torch.device("cuda")):
            assert [own.fp32_precision for own in backends] == [wanted, wanted]
            raise KeyError

    with pytest.raises(KeyError):
        step()
    assert [own.fp32_precision for own in backends] == ["as before", "as before"]


def test_on_a_cpu_nothing_is_set(backends):
    with products("tf32", CPU):
        assert [own.fp32_precision for own in backends] == ["as before", "as before"]
