import copy
import math
from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from training.splits import Remembers

from explorer.data.loader import Data, Split
from explorer.spec import ImageSpec
from explorer.training import checkpoint
from explorer.training.checkpoint import CheckpointError
from explorer.training.events import Epoch, Moment, Score, Started, Step, Update
from explorer.training.loop import DivergedError, evaluate, train
from explorer.training.recipe import Recipe

SPEC = ImageSpec(channels=3, size=8, num_classes=4)
RECIPES = {
    "sgd": Recipe("sgd", 0.05, momentum=0.5, weight_decay=0.01, batch_size=16, epochs=3),
    "sgd without momentum": Recipe("sgd", 0.05, momentum=0.0, batch_size=16, epochs=3),
    "nesterov": Recipe(
        "nesterov", 0.05, 0.9, weight_decay=0.001, schedule="one-cycle", batch_size=16, epochs=3
    ),
    "adamw": Recipe("adamw", 0.01, weight_decay=0.1, schedule="one-cycle", batch_size=16, epochs=3),
}
every_recipe = pytest.mark.parametrize("recipe", RECIPES.values(), ids=RECIPES)


@pytest.fixture(autouse=True)
def clock(monkeypatch):
    """A clock on which steps take no time, so that reports come by their number alone."""

    class Clock:
        now, tick = 0.0, 1e-6

        def __call__(self):
            self.now += self.tick
            return self.now

    clock = Clock()
    monkeypatch.setattr("explorer.training.loop.perf_counter", clock)
    return clock


def split(length, seed):
    generator = torch.Generator().manual_seed(seed)
    labels = torch.randint(SPEC.num_classes, (length,), generator=generator)
    noise = torch.randint(0, 128, (length, 3, 8, 8), generator=generator)
    # The class shows in the brightness of one quarter of the image.
    for quarter in range(4):
        rows, columns = divmod(quarter, 2)
        bright = (labels == quarter).view(-1, 1, 1, 1) * 100
        noise[:, :, 4 * rows : 4 * rows + 4, 4 * columns : 4 * columns + 4] += bright
    channels = torch.full((3, 1, 1), 0.4), torch.full((3, 1, 1), 0.25)
    return Split(noise.to(torch.uint8), labels, *channels)


def data(train_size=200, test_size=301):
    return Data(SPEC, split(train_size, seed=1), split(test_size, seed=2))


def net(seed=0):
    torch.manual_seed(seed)
    return nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1, bias=False),
        nn.BatchNorm2d(8),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(8, 8, 3),
        nn.Flatten(),
        nn.Dropout(0.3),
        nn.Linear(32, 4),
    )


def numbers(event):
    """An event without what depends on the clock."""
    match event:
        case Step():
            return replace(event, images_per_second=0.0)
        case Epoch():
            return replace(event, images_per_second=0.0, seconds=0.0, checkpoint=None)
    return event


def trained(model, images, recipe, resume=None):
    """All events, and the checkpoint taken after each epoch."""
    events, checkpoints = [], {}
    for event in train(model, images, recipe, resume):
        events.append(numbers(event))
        if isinstance(event, Epoch):
            checkpoints[event.epoch] = event.checkpoint()
    return events, checkpoints


def recorded(images):
    return Remembers(images.images, images.labels, images.mean, images.std)


# What is yielded, and when.


def test_events_come_in_order_and_reports_every_twenty_steps_with_the_first_and_the_last():
    events = list(train(net(), data(train_size=180), Recipe(batch_size=4, epochs=2)))
    kinds = [type(event) for event in events]
    assert kinds == [Started, *[Step] * 4, Epoch, *[Step] * 3, Epoch]
    steps = [(event.step, event.epoch) for event in events if isinstance(event, Step)]
    assert steps == [(1, 1), (20, 1), (40, 1), (45, 1), (65, 2), (85, 2), (90, 2)]
    assert [event.epoch for event in events if isinstance(event, Epoch)] == [1, 2]


def test_an_epoch_that_ends_on_a_report_does_not_report_twice():
    events = list(train(net(), data(train_size=160), Recipe(batch_size=4, epochs=2)))
    assert [event.step for event in events if isinstance(event, Step)] == [1, 20, 40, 60, 80]


def test_slow_steps_are_reported_one_by_one(clock):
    clock.tick = 0.6
    events = list(train(net(), data(train_size=20), Recipe(batch_size=4, epochs=1)))
    assert [event.step for event in events if isinstance(event, Step)] == [1, 2, 3, 4, 5]


def test_the_device_is_read_once_a_report_and_once_a_scoring_and_never_between(monkeypatch):
    reads = []

    def counted(name):
        original = getattr(torch.Tensor, name)

        def read(self, *args, **options):
            reads.append(name)
            return original(self, *args, **options)

        monkeypatch.setattr(torch.Tensor, name, read)

    for name in ("tolist", "item", "numpy", "__bool__", "__float__", "__int__"):
        counted(name)
    events = train(net(), data(train_size=400), Recipe(batch_size=4, epochs=2))
    next(events)  # making the optimiser may look at its learning rate
    reads.clear()
    reports = [event for event in events if isinstance(event, Step)]
    assert len(reports) <= 1 + 200 / 20
    assert reads == ["tolist"] * (len(reports) + 2)


def test_started_says_what_is_about_to_happen():
    model = net()
    model[0].weight.requires_grad_(False)
    started = next(train(model, data(), Recipe(batch_size=64, epochs=7)))
    assert started == Started(
        device="cpu",
        parameters=8 + 8 + 8 * 8 * 9 + 8 + 32 * 4 + 4,
        train_size=200,
        test_size=301,
        steps_per_epoch=4,
        epochs=7,
        finished_epochs=0,
    )


def test_the_learning_rate_reported_is_the_schedule_s_at_that_step():
    recipe = Recipe("adamw", 0.01, schedule="one-cycle", batch_size=4, epochs=2)
    steps = [event for event in train(net(), data(), recipe) if isinstance(event, Step)]
    assert len(steps) > 2
    for event in steps:
        assert event.learning_rate == recipe.learning_rate_at(event.step - 1, 100)


def test_the_reports_of_an_epoch_add_up_to_its_own_numbers():
    events = list(train(net(), data(train_size=180), Recipe(batch_size=4, epochs=1)))
    steps, epoch = events[1:-1], events[-1]
    assert [step.images for step in steps] == [4, 76, 80, 20]
    loss = sum(step.loss * step.images for step in steps) / 180
    accuracy = sum(step.accuracy * step.images for step in steps) / 180
    assert epoch.train_loss == pytest.approx(loss)
    assert epoch.train_accuracy == pytest.approx(accuracy)


def test_time_is_measured_with_the_scoring_for_seconds_and_without_for_images(clock):
    model = net()

    def slow_scoring(module, _):
        clock.now += 0.0 if module.training else 5.0

    model.register_forward_pre_hook(slow_scoring)
    clock.tick = 0.01
    epoch = list(train(model, data(200, 100), Recipe(batch_size=50, epochs=1)))[-1]
    assert 5 < epoch.seconds < 6
    assert epoch.images_per_second > 200 / 1


# What it computes.


def plain_loop(model, batches, recipe, steps):
    """The textbook's training loop, with the optimisers written out from their papers.

    Returns:
        Mean loss and accuracy over all images, each scored when it was met.
    """
    state = {}
    losses = hits = images = 0
    model.train()
    for step, (inputs, labels) in enumerate(batches):
        rate = recipe.learning_rate_at(step, steps)
        outputs = model(inputs)
        loss = F.cross_entropy(outputs, labels)
        model.zero_grad()
        loss.backward()
        losses += loss.item() * len(labels)
        hits += (outputs.argmax(1) == labels).sum().item()
        images += len(labels)
        with torch.no_grad():
            for p in model.parameters():
                g = p.grad.clone()
                if recipe.optimiser == "adamw":
                    m, v = state.setdefault(p, (torch.zeros_like(p), torch.zeros_like(p)))
                    m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g * g
                    state[p] = m, v
                    m, v = m / (1 - 0.9 ** (step + 1)), v / (1 - 0.999 ** (step + 1))
                    p -= rate * recipe.weight_decay * p
                    p -= rate * m / (v.sqrt() + 1e-8)
                else:
                    g += recipe.weight_decay * p
                    state[p] = recipe.momentum * state[p] + g if p in state else g
                    nesterov = recipe.optimiser == "nesterov"
                    p -= rate * (g + recipe.momentum * state[p] if nesterov else state[p])
    return losses / images, hits / images


def plain_scoring(model, images):
    """Mean loss and accuracy, one image after the other."""
    model.eval()
    losses, hits = [], []
    with torch.no_grad():
        for image, label in zip(images.images, images.labels, strict=True):
            pixels = (image.double() / 255 - images.mean) / images.std
            probabilities = model(pixels.float()[None]).double().softmax(1)[0]
            losses.append(-probabilities[label].log().item())
            hits.append(probabilities.argmax().item() == label.item())
    return sum(losses) / len(losses), sum(hits) / len(hits)


@every_recipe
def test_the_numbers_are_those_of_a_plain_loop_over_the_same_batches(recipe):
    recipe = recipe.changed(epochs=1, seed=3)
    images = data()
    recording = recorded(images.train)
    *_, epoch = train(net(5), Data(SPEC, recording, images.test), recipe)

    model = net(5)
    torch.manual_seed(recipe.seed)  # of the Dropout
    train_loss, train_accuracy = plain_loop(model, recording.drawn, recipe, steps=13)
    test_loss, test_accuracy = plain_scoring(model, images.test)
    assert len(recording.drawn) == 13
    assert epoch.train_loss == pytest.approx(train_loss, rel=1e-4)
    assert epoch.train_accuracy == train_accuracy
    assert epoch.test_loss == pytest.approx(test_loss, rel=1e-4)
    assert epoch.test_accuracy == test_accuracy


def test_the_weights_are_those_of_a_plain_loop_over_two_epochs():
    recipe, images = RECIPES["nesterov"].changed(epochs=2), data(96)
    recording, model, other = recorded(images.train), net(5), net(5)
    list(train(model, Data(SPEC, recording, images.test), recipe))
    torch.manual_seed(recipe.seed)
    plain_loop(other, recording.drawn, recipe, steps=12)
    assert model.state_dict()
    for (name, weights), wanted in zip(
        model.state_dict().items(), other.state_dict().values(), strict=True
    ):
        assert torch.allclose(weights, wanted, rtol=1e-3, atol=1e-5), name


def test_it_learns_what_there_is_to_learn():
    *_, epoch = train(net(), data(), Recipe("adamw", 0.01, batch_size=16, epochs=3))
    assert epoch.test_accuracy > 0.9


@pytest.mark.parametrize("size", [1, 249, 250, 251, 601])
def test_evaluation_equals_one_made_by_hand(size):
    model, images = net(), split(size, seed=4)
    loss, accuracy = evaluate(model, images)
    wanted_loss, wanted_accuracy = plain_scoring(model, images)
    assert loss == pytest.approx(wanted_loss, rel=1e-5)
    assert accuracy == wanted_accuracy


def test_evaluation_changes_nothing_but_the_mode():
    model = net().train()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    evaluate(model, split(300, seed=4))
    assert not model.training
    assert torch.is_grad_enabled()
    assert not torch.is_inference_mode_enabled()
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())
    assert all(parameter.grad is None for parameter in model.parameters())


def test_every_epoch_trains_in_training_mode_and_scores_in_evaluation_mode():
    model, images, modes = net(), data(200, 100), []
    model.register_forward_pre_hook(lambda module, _: modes.append(module.training))
    list(train(model, images, Recipe(batch_size=100, epochs=3)))
    assert modes[-9:] == [True, True, False] * 3


def test_the_network_trains_in_channels_last_layout():
    model = net()
    list(train(model, data(), Recipe(epochs=1)))
    assert model[0].weight.is_contiguous(memory_format=torch.channels_last)
    assert not model[0].weight.is_contiguous()


def test_each_epoch_has_an_order_of_its_own_over_all_images():
    images = data(96)
    recording = recorded(images.train)
    list(train(net(), Data(SPEC, recording, images.test), Recipe(batch_size=96, epochs=2)))
    (first, _), (second, _) = recording.drawn
    assert not torch.equal(first, second)
    assert sorted(first.flatten(1).sum(1).tolist()) == pytest.approx(
        sorted(second.flatten(1).sum(1).tolist())
    )


def test_train_size_limits_the_images_and_picks_the_same_for_every_seed_and_epoch():
    images, met = data(), []
    for seed in (1, 2):
        recording = recorded(images.train)
        recipe = Recipe(batch_size=16, epochs=2, seed=seed, train_size=40)
        started = next(train(net(), Data(SPEC, recording, images.test), recipe))
        assert (started.train_size, started.steps_per_epoch) == (40, 3)
        list(train(net(), Data(SPEC, recording, images.test), recipe))
        assert [len(labels) for _, labels in recording.drawn] == [16, 16, 8] * 2
        for epoch in (recording.drawn[:3], recording.drawn[3:]):
            met.append({tuple(image.flatten().tolist()) for batch, _ in epoch for image in batch})
    assert len(met[0]) == 40
    assert met == [met[0]] * 4


def test_a_train_size_beyond_all_images_means_all():
    assert next(train(net(), data(), Recipe(train_size=5000))).train_size == 200


# The same again, to the bit.


@every_recipe
def test_the_same_seed_gives_the_same_numbers_to_the_bit(recipe):
    first, first_checkpoints = trained(net(), data(), recipe)
    torch.rand(7)  # whatever the generator's state
    second, second_checkpoints = trained(net(), data(), recipe)
    assert first == second
    assert first_checkpoints == second_checkpoints


def test_another_seed_gives_other_numbers():
    recipe = RECIPES["adamw"]
    first, _ = trained(net(), data(), recipe)
    second, _ = trained(net(), data(), recipe.changed(seed=1))
    assert first[0] == second[0]
    for one, other in zip(first[1:], second[1:], strict=True):
        assert one != other


@every_recipe
@pytest.mark.parametrize("finished", [1, 2])
def test_a_resumed_training_equals_an_uninterrupted_one_to_the_bit(recipe, finished):
    events, checkpoints = trained(net(), data(), recipe)
    end = next(
        i for i, event in enumerate(events) if isinstance(event, Epoch) and event.epoch == finished
    )
    torch.manual_seed(4321)
    resumed, resumed_checkpoints = trained(net(99), data(), recipe, resume=checkpoints[finished])
    assert resumed[0] == replace(events[0], finished_epochs=finished)
    assert resumed[1:] == events[end + 1 :]
    assert resumed_checkpoints == {
        epoch: taken for epoch, taken in checkpoints.items() if epoch > finished
    }


@every_recipe
@pytest.mark.parametrize("paused", [1, 7, 13, 15, 21])  # 13: the last step of an epoch
def test_a_training_paused_at_a_step_goes_on_from_there_to_the_bit(recipe, paused, monkeypatch):
    monkeypatch.setattr("explorer.training.loop.REPORT_STEPS", 1)
    events, checkpoints = trained(net(), data(), recipe)
    begun = train(net(), data(), recipe)
    for event in begun:
        if isinstance(event, Step) and event.step == paused:
            taken = event.checkpoint()
            break
    assert taken.moment == Moment(event.epoch, paused)
    assert taken.seconds > 0
    at = events.index(numbers(event))
    torch.manual_seed(4321)
    resumed, resumed_checkpoints = trained(net(99), data(), recipe, resume=taken)
    assert resumed[0] == replace(events[0], finished_epochs=event.epoch - 1)
    assert resumed[1:] == events[at + 1 :]
    assert resumed_checkpoints == {
        epoch: kept for epoch, kept in checkpoints.items() if epoch >= event.epoch
    }


def test_what_a_step_did_is_what_its_update_says():
    recipe = Recipe(batch_size=8, epochs=1, learning_rate=0.1, momentum=0.0, train_size=24)
    images = data()
    model = net().eval()
    before = {name: value.detach().clone() for name, value in model.named_parameters()}
    events = iter(train(model, images, recipe, closely=True))
    update = next(event for event in events if isinstance(event, Update))
    step = next(events)
    assert (step.step, step.epoch) == (update.step, update.epoch) == (1, 1)
    assert len(set(update.images)) == 8
    assert set(update.images) <= set(images.train.numbers(24).tolist())
    correct = images.train.labels[list(update.images)].tolist()
    assert step.accuracy == sum(map(int.__eq__, correct, update.predicted)) / 8
    assert step.loss == pytest.approx(sum(update.losses) / 8, rel=1e-5)
    for layer, gradient in update.gradients.items():
        own = [name for name in before if name.rpartition(".")[0] == layer]
        weights = torch.cat([before[name].flatten() for name in own]).norm()
        assert update.weights[layer] == pytest.approx(weights.item(), rel=1e-5)
        assert update.updates[layer] == pytest.approx(0.1 * gradient, rel=1e-3)  # plain SGD


def test_looking_closely_changes_nothing_that_is_learned():
    recipe = RECIPES["adamw"]
    _, plain = trained(net(), data(), recipe)
    closely = train(net(), data(), recipe, closely=True)
    taken = [event.checkpoint() for event in closely if isinstance(event, Epoch)]
    assert taken == list(plain.values())


def test_a_training_resumed_twice_equals_an_uninterrupted_one_to_the_bit():
    recipe = RECIPES["adamw"]
    events, checkpoints = trained(net(), data(), recipe)
    taken = None
    for epoch in (1, 2, 3):
        for event in train(net(epoch - 1), data(), recipe, taken):
            if isinstance(event, Epoch):
                taken = event.checkpoint()
                break
    assert numbers(event) == events[-1]
    assert taken == checkpoints[3]


def test_resuming_after_the_last_epoch_has_nothing_left_to_do():
    recipe = RECIPES["sgd"]
    events, checkpoints = trained(net(), data(), recipe)
    resumed, _ = trained(net(99), data(), recipe, resume=checkpoints[3])
    assert resumed == [replace(events[0], finished_epochs=3)]


def test_resuming_from_another_network_s_checkpoint_is_refused_before_anything_is_said():
    other = nn.Sequential(nn.Flatten(), nn.Linear(3 * 64, 4))
    taken = checkpoint.take(other, torch.optim.SGD(other.parameters(), 0.1), Moment(1))
    with pytest.raises(CheckpointError, match="do not fit Sequential"):
        next(train(net(), data(), Recipe(), resume=taken))


def test_an_epoch_s_checkpoint_is_a_copy_that_training_on_does_not_change():
    events = train(net(), data(), RECIPES["adamw"])
    first = next(event for event in events if isinstance(event, Epoch)).checkpoint()
    before = bytes(first.weights), bytes(first.training_state)
    last = [event.checkpoint() for event in events if isinstance(event, Epoch)][-1]
    assert (first.weights, first.training_state) == before
    assert last.weights != first.weights


def test_an_epoch_s_checkpoint_scores_what_the_epoch_says():
    images, epochs = data(), 0
    for event in train(net(), images, RECIPES["sgd"]):
        if isinstance(event, Epoch):
            epochs += 1
            model = net(77)
            checkpoint.load_weights(model, event.checkpoint().weights)
            assert evaluate(model, images.test) == pytest.approx(
                (event.test_loss, event.test_accuracy)
            )
    assert epochs == RECIPES["sgd"].epochs


# Stopping and failing.


def test_the_caller_never_finds_gradients_switched_off():
    modes = [
        (
            torch.is_grad_enabled(),
            torch.is_inference_mode_enabled(),
            torch.is_autocast_enabled("cpu"),
        )
        for _ in train(net(), data(), RECIPES["sgd"])
    ]
    assert len(modes) > 2
    assert set(modes) == {(True, False, False)}


def test_closing_in_mid_epoch_leaves_nothing_switched_and_the_weights_where_they_are():
    model = net()
    events = train(model, data(), Recipe(batch_size=4, epochs=2))
    assert next(event.step for event in events if isinstance(event, Step) and event.step > 1) == 20
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    events.close()
    assert list(events) == []
    assert torch.is_grad_enabled()
    assert not torch.is_inference_mode_enabled()
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())


class Explosive(nn.Module):
    """Its gradients are so large that one step makes the weights too big to multiply."""

    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(3 * 64, 4)

    def forward(self, x):
        return self.linear(x.flatten(1)) * 1e20 * 1e10


def test_a_loss_that_is_no_number_ends_the_training_with_a_sentence():
    events = train(Explosive(), data(), Recipe(learning_rate=10, batch_size=20, epochs=2))
    seen = []
    with pytest.raises(DivergedError) as failure:
        seen.extend(events)
    assert str(failure.value) in {
        f"The loss became {value} by step 10, at a learning rate of 10; try a lower learning rate."
        for value in ("nan", "inf")
    }
    assert not any(isinstance(event, Epoch) for event in seen)
    assert torch.is_grad_enabled()


def test_weights_that_explode_in_the_last_step_of_an_epoch_end_it_too():
    # The loss is still a number in the only step there is; only the scoring shows what it did.
    events = train(Explosive(), data(20), Recipe(learning_rate=10, batch_size=20, epochs=1))
    seen = []
    with pytest.raises(DivergedError):
        seen.extend(events)
    assert all(math.isfinite(event.loss) for event in seen if isinstance(event, Step))
    assert not any(isinstance(event, Epoch) for event in seen)


def test_images_that_are_no_numbers_are_named_and_not_the_learning_rate():
    plain = data()
    wrong = replace(plain, train=replace(plain.train, std=plain.train.std * 0))
    with pytest.raises(DivergedError, match=r"by step 1, since the images .* mean and std\.$"):
        list(train(net(), wrong, Recipe(batch_size=20)))
    tested = replace(plain, test=replace(plain.test, mean=plain.test.mean * torch.nan))
    with pytest.raises(DivergedError, match="since the images that the network gets are not all"):
        list(train(net(), tested, Recipe(batch_size=20)))


def test_a_network_that_gives_no_numbers_at_once_is_named_and_not_the_learning_rate():
    class Rooted(nn.Linear):
        def forward(self, x):
            return super().forward(x.flatten(1)) + (x.sum() * 0 - 1).log()

    with pytest.raises(DivergedError, match=r"^The loss is nan at the first step"):
        list(train(Rooted(3 * 64, 4), data(), Recipe(batch_size=20)))


def test_batch_normalisation_of_single_values_trains_if_one_image_would_be_left():
    class Pooled(nn.Module):
        def __init__(self):
            super().__init__()
            self.norm, self.linear = nn.BatchNorm2d(3), nn.Linear(3, 4)

        def forward(self, x):
            return self.linear(self.norm(x.mean((2, 3), keepdim=True)).flatten(1))

    events = list(train(Pooled(), data(41), Recipe(batch_size=20, epochs=1)))
    assert [event.step for event in events if isinstance(event, Step)] == [1, 3]
    assert sum(event.images for event in events if isinstance(event, Step)) == 41


def test_what_the_network_raises_reaches_the_caller():
    class Broken(nn.Module):
        def __init__(self):
            super().__init__()
            self.linear = nn.Linear(3 * 64, 4)

        def forward(self, x):
            raise ZeroDivisionError("in the plugin")

    with pytest.raises(ZeroDivisionError, match="in the plugin"):
        list(train(Broken(), data(), Recipe()))


# Scores within an epoch.


def without(events, kind):
    return [event for event in events if not isinstance(event, kind)]


@every_recipe
def test_scoring_within_an_epoch_changes_nothing_that_is_learned(recipe):
    plain, kept = trained(net(), data(), recipe)
    events, checkpoints = trained(net(), data(), recipe.changed(score_every=3))
    assert any(isinstance(event, Score) for event in events)
    assert without(events, Score) == plain
    assert checkpoints == kept


def test_a_network_that_draws_numbers_while_it_is_scored_learns_the_same():
    class Noisy(nn.Module):
        def __init__(self):
            super().__init__()
            self.net = net()

        def forward(self, x):
            return self.net(x + torch.randn_like(x))

    recipe = Recipe(batch_size=16, epochs=2)
    plain, kept = trained(Noisy(), data(), recipe)
    events, checkpoints = trained(Noisy(), data(), recipe.changed(score_every=1))
    assert without(events, Score)[-1].train_loss == plain[-1].train_loss
    assert checkpoints == kept


def test_a_score_is_that_of_the_first_thousand_test_images():
    images = data(64, test_size=1200)
    model = net()
    events = train(model, images, Recipe(batch_size=16, epochs=1, score_every=2))
    score = next(event for event in events if isinstance(event, Score))
    assert model.training
    wanted = evaluate(copy.deepcopy(model), images.test.first(1000))
    assert (score.step, score.epoch, score.images) == (2, 1, 1000)
    assert (score.loss, score.accuracy) == pytest.approx(wanted)


def test_scores_come_every_so_many_steps_but_for_the_last_of_an_epoch():
    events = list(train(net(), data(96), Recipe(batch_size=8, epochs=2, score_every=4)))
    scores = [(event.step, event.epoch) for event in events if isinstance(event, Score)]
    assert scores == [(4, 1), (8, 1), (16, 2), (20, 2)]  # 12 and 24 end an epoch


def test_the_time_that_scoring_takes_is_not_counted_as_training(clock):
    def slow_to_score():
        model = net()

        def wait(module, _):
            clock.now += 0 if module.training else 1000

        model.register_forward_pre_hook(wait)
        return model

    clock.tick = 0.01
    recipe = Recipe(batch_size=8, epochs=1)
    *_, plain = train(slow_to_score(), data(96), recipe)
    events = list(train(slow_to_score(), data(96), recipe.changed(score_every=2)))
    assert events[-1].seconds > plain.seconds + 5000
    assert events[-1].images_per_second == pytest.approx(plain.images_per_second, rel=0.5)
    assert all(event.images_per_second > 10 for event in events if isinstance(event, Step))


# Label smoothing, clipping, augmentation.


def test_label_smoothing_spreads_the_target_over_all_classes():
    images, smoothing = data(96), 0.3
    recording = recorded(images.train)
    recipe = Recipe(batch_size=96, epochs=1, label_smoothing=smoothing)
    model = net(5)
    (epoch,) = [
        e for e in train(model, replace(images, train=recording), recipe) if isinstance(e, Epoch)
    ]
    other = net(5).train()
    torch.manual_seed(recipe.seed)
    inputs, labels = recording.drawn[0]
    spread = F.one_hot(labels, 4) * (1 - smoothing) + smoothing / 4
    wanted = -(spread * other(inputs).log_softmax(1)).sum(1).mean()
    assert epoch.train_loss == pytest.approx(wanted.item(), rel=1e-4)


@pytest.mark.parametrize("limit", [1e-3, 0.5, 1e6])
def test_a_clipped_gradient_is_as_long_as_allowed_and_points_the_same_way(limit):
    def gradient(recipe):
        model = net(3)
        events = train(model, data(64), recipe)
        assert any(isinstance(event, Step) for event in events)
        return torch.cat([p.grad.flatten() for p in model.parameters()])

    recipe = Recipe(batch_size=64, epochs=1)
    whole, clipped = gradient(recipe), gradient(recipe.changed(clip_norm=limit))
    assert clipped.norm() == pytest.approx(min(limit, whole.norm().item()), rel=1e-3)
    assert F.cosine_similarity(whole, clipped, dim=0) == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize("how", ["shift", "shift+flip"])
def test_augmented_runs_repeat_and_resume_to_the_bit(how):
    recipe = Recipe(batch_size=16, epochs=3, augment=how)
    events, checkpoints = trained(net(), data(), recipe)
    assert trained(net(), data(), recipe) == (events, checkpoints)
    resumed, later = trained(net(9), data(), recipe, resume=checkpoints[1])
    assert later == {2: checkpoints[2], 3: checkpoints[3]}
    assert events[-1] == resumed[-1]
    assert events != trained(net(), data(), recipe.changed(augment="none"))[0]
