import math

import pytest
import torch
import torch.nn.functional as F
from built_ins import REGISTRY
from hypothesis import given
from inspection.trees import Breaks, networks, property_test, settle, unchanged
from torch import nn
from training.splits import Remembers

from explorer.branches import Branches
from explorer.data.loader import Data, Split
from explorer.inspection.gradients import branch_norms, gradient_norms
from explorer.inspection.parts import branches
from explorer.inspection.tracing import trace
from explorer.spec import ImageSpec
from explorer.training.events import Epoch, Gradients
from explorer.training.gradient_norms import recorded_norms
from explorer.training.loop import train
from explorer.training.recipe import Recipe

MNIST = ImageSpec(1, 28, 10)
ARCHITECTURES = REGISTRY.architectures


def norm(tensors):
    return math.sqrt(sum(float(t.double().square().sum()) for t in tensors if t is not None))


def norms_by_hand(model, images, labels):
    """The norm of each layer's gradient, from a backward pass of its own; leaves the gradients."""
    model.zero_grad()
    F.cross_entropy(model(images), labels).backward()
    return {
        path: norm(p.grad for p in layer.parameters(recurse=False))
        for path, layer in model.named_modules()
        if any(p.requires_grad for p in layer.parameters(recurse=False))
    }


def same(found, wanted):
    assert list(found) == list(wanted)
    assert found == pytest.approx(wanted, rel=1e-4, abs=1e-9)


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_the_norms_are_those_of_a_backward_pass_by_hand(name):
    model = settle(ARCHITECTURES[name].build(MNIST)).train()
    images, labels = torch.randn(8, 1, 28, 28), torch.arange(8)
    found = gradient_norms(model, images, labels)
    wanted = norms_by_hand(model, images, labels)
    same(found, wanted)
    same(recorded_norms(model), wanted)
    idle = {path for path, value in found.items() if value == 0}
    printed = name == "residual-as-printed"
    assert idle == ({"block1.conv1", "block2.conv1"} if printed else set())


def test_the_norms_of_networks_by_others_are_those_of_a_backward_pass_by_hand(stranger):
    images, labels = torch.randn(4, 1, 64, 64), torch.arange(4)
    stranger.eval()
    found = gradient_norms(stranger, images, labels)
    wanted = norms_by_hand(stranger, images, labels)
    stranger.train().zero_grad()
    same(found, wanted)


def test_where_no_weight_is_trained_there_is_no_norm_and_a_part_counts_alone():
    model = nn.Sequential(nn.Conv2d(1, 2, 3), nn.Flatten(), nn.Linear(8, 3))
    model[0].requires_grad_(False)
    model[2].weight.requires_grad_(False)
    images, labels = torch.randn(5, 1, 4, 4), torch.tensor([0, 1, 2, 0, 1])
    found = gradient_norms(model, images, labels)
    assert list(found) == ["2"]
    # The gradient in the logits is p - y, and that in the bias its mean over the batch.
    logits = model(images).detach()
    pull = (logits.softmax(1) - F.one_hot(labels, 3)).mean(0)
    assert found["2"] == pytest.approx(norm([pull]), rel=1e-4)


@pytest.mark.parametrize("mode", [True, False])
def test_the_network_keeps_its_mode_so_that_batch_norm_and_dropout_act_as_they_do(mode):
    model = nn.Sequential(nn.BatchNorm2d(1), nn.Dropout(0.5), nn.Flatten(), nn.Linear(16, 3))
    settle(model).train(mode)
    images, labels = torch.randn(8, 1, 4, 4), torch.arange(8) % 3
    torch.manual_seed(5)
    found = gradient_norms(model, images, labels)
    torch.manual_seed(5)
    same(found, norms_by_hand(model, images, labels))
    other = gradient_norms(model.train(not mode), images, labels)
    assert other["3"] != pytest.approx(found["3"], rel=1e-3)


def batch_norm_and_dropout():
    return [nn.BatchNorm2d(1), nn.Dropout(), nn.Flatten(), nn.Linear(16, 3)]


def test_weights_gradients_statistics_and_mode_are_left_unchanged():
    model = nn.Sequential(*batch_norm_and_dropout()).train()
    images, labels = torch.randn(8, 1, 4, 4), torch.arange(8) % 3
    model(images).sum().backward()
    model[1].eval()
    model[3].bias.requires_grad_(False)
    with unchanged(model):
        gradient_norms(model, images, labels)


def test_the_statistics_are_left_unchanged_after_an_exception():
    model, images = Breaks(*batch_norm_and_dropout()).train(), torch.randn(8, 1, 4, 4)
    with unchanged(model), pytest.raises(RuntimeError, match="on purpose"):
        gradient_norms(model, images, torch.arange(8) % 3)


def test_before_any_backward_pass_the_recorded_norms_are_zero():
    assert recorded_norms(nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU())) == {"0": 0}


@given(networks())
@property_test
def test_the_norm_of_a_branch_is_that_of_all_its_weights_together(drawn):
    model, images = drawn
    norms = norms_by_hand(model, images, torch.arange(len(images)) % 3)
    parts = trace(model, images, keep=id).parts
    wanted = {}
    for path in branches(parts):
        own = [p for n, p in model.named_parameters() if n.startswith(f"{path}.")]
        if own:
            wanted[path] = norm(p.grad for p in own)
    same(branch_norms(parts, norms), wanted)


def test_the_branches_of_networks_by_others_have_the_norms_of_their_layers(stranger):
    parts = trace(stranger, torch.randn(1, 1, 32, 32), keep=id).parts
    paths = [
        path for path, module in stranger.named_modules() if [*module.parameters(recurse=False)]
    ]
    found = branch_norms(parts, dict.fromkeys(paths, 1.0))
    learning = {path: way for path, (_, way) in branches(parts).items() if way.parameters}
    assert list(found) == list(learning)
    assert len(found) > 7
    for path, (block, branch) in branches(parts).items():
        if path in found and block.kind == "sum":
            assert found[path] == pytest.approx(math.sqrt(2 if branch.name == "identity" else 4))


def test_a_branch_whose_name_begins_like_anothers_is_not_taken_for_it():
    paths = {"3": nn.Conv2d(1, 1, 1), "3x": nn.Conv2d(1, 1, 1), "skip": nn.Identity()}
    parts = trace(nn.Sequential(Branches(paths)), torch.randn(1, 1, 2, 2), keep=id).parts
    norms = {"0.3": 3.0, "0.3x": 4.0}
    assert branch_norms(parts, norms) == norms


# What training records.

RECIPE = Recipe("sgd", 0.05, momentum=0.0, batch_size=16, epochs=2, seed=3)


def net():
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(144, 3)
    )


def data():
    generator = torch.Generator().manual_seed(1)
    images = torch.randint(0, 256, (100, 1, 8, 8), generator=generator, dtype=torch.uint8)
    channels = torch.full((1, 1, 1), 0.4), torch.full((1, 1, 1), 0.25)
    labels = torch.arange(100) % 3
    split = Split(images, labels, *channels)
    return Data(ImageSpec(1, 8, 3), Remembers(images, labels, *channels), split)  # 7 steps an epoch


def recorded(events):
    return [event for event in events if isinstance(event, Gradients)]


def test_training_records_the_norms_of_the_first_step_and_then_of_every_so_many():
    images = data()
    events = recorded(train(net(), images, RECIPE.changed(gradients_every=5)))
    assert [(event.step, event.epoch) for event in events] == [(1, 1), (6, 1), (11, 2)]

    model, wanted = net().to(memory_format=torch.channels_last), []
    for inputs, labels in images.train.drawn:
        wanted.append(gradient_norms(model, inputs, labels))
        norms_by_hand(model, inputs, labels)
        with torch.no_grad():
            for p in model.parameters():
                p -= 0.05 * p.grad
    assert len(wanted) == 14
    for event in events:
        assert list(event.norms) == ["0", "1", "4"]
        assert event.norms == pytest.approx(wanted[event.step - 1], rel=1e-3)


def test_a_resumed_training_records_at_the_steps_at_which_it_would_have():
    recipe = RECIPE.changed(gradients_every=5)
    events = list(train(net(), data(), recipe))
    for event in train(net(), data(), recipe):
        if isinstance(event, Epoch):
            resume = event.checkpoint()
            break
    assert recorded(train(net(), data(), recipe, resume)) == recorded(events)[2:]


@pytest.mark.parametrize("every", [1, 5, 1000])
def test_what_is_learned_is_the_same_to_the_bit_with_and_without_a_record(every):
    def learned(recipe):
        model = net()
        epochs = [e for e in train(model, data(), recipe) if isinstance(e, Epoch)]
        scores = [(e.train_loss, e.train_accuracy, e.test_loss, e.test_accuracy) for e in epochs]
        return scores, [tensor.tolist() for tensor in model.state_dict().values()]

    assert learned(RECIPE.changed(gradients_every=every)) == learned(RECIPE)


def test_without_being_asked_training_records_no_norms():
    assert recorded(train(net(), data(), RECIPE)) == []
