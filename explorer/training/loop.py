"""Training as a generator: it reads like a script, and yields what happens.

Whoever iterates owns the progress bar. Stopping is closing the generator, failing is an exception,
finishing is exhaustion; while it is suspended, nothing changes the parameters.
"""

import contextlib
import functools
import math
from collections.abc import Callable, Iterator
from itertools import islice
from time import perf_counter

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from explorer.data.loader import Data, Split, evaluation_batch
from explorer.errors import ExplorerError
from explorer.language import listed, say
from explorer.outputs import first_output
from explorer.training import checkpoint
from explorer.training.checkpoint import read_generators, set_generators
from explorer.training.cuda_graph import fastest
from explorer.training.events import (
    Checkpoint,
    Epoch,
    Event,
    Gradients,
    Moment,
    Score,
    Started,
    Step,
)
from explorer.training.gradient_norms import recorded_norms
from explorer.training.layout import prepare
from explorer.training.recipe import Recipe
from explorer.training.step import PlainStepper, StepOutput, products
from explorer.training.updates import parameters_of, update

REPORT_STEPS = 20
REPORT_SECONDS = 0.5
SCORE_IMAGES = 1000


class DivergedError(ExplorerError, FloatingPointError):
    """The loss is no longer a number."""


def train(
    model: nn.Module,
    data: Data,
    recipe: Recipe,
    resume: Checkpoint | None = None,
    *,
    closely: bool = False,
) -> Iterator[Event]:
    """Train `model` on `data` by `recipe`, on the device of the data.

    The model is moved there and trained in place. `Started` comes first; a `Step` after the first
    step and then every 20 steps (or half second, if they are slow); `Gradients` and `Score` as
    often as the recipe asks for them; an `Epoch` after each epoch. On a CPU, equal arguments give
    equal numbers to the bit, resumed or not.

    Args:
        model: Takes `(N, C, H, W)` images, returns `(N, num_classes)` logits, or these first and
            then auxiliary ones, which have no share in the loss.
        data: The images.
        recipe: How to train.
        resume: The checkpoint of a `Step` or an `Epoch`, to go on from there.
        closely: Whether each step is a `Step` and an `Update`, which says what it did.

    Raises:
        DivergedError: The loss became infinite or not a number.
        CheckpointError: The checkpoint to resume from is of another network.
    """
    data, optimiser, note = prepare(model, data, recipe)
    torch.manual_seed(recipe.seed)
    finished, seconds, sums = 0, 0.0, None
    if resume:
        sums = checkpoint.restore(resume, model, optimiser)
        finished, seconds = resume.moment.epoch, resume.seconds
        finished -= not resume.moment.is_whole
    images, scored = data.train.subset(recipe.train_size), data.test.first(SCORE_IMAGES)
    steps = math.ceil(len(images) / recipe.batch_size)
    take, launched = fastest(PlainStepper(model, images, optimiser, recipe), recipe.batch_size)
    step = resume.moment.step if resume and resume.moment.step else finished * steps
    numbers = data.train.numbers(recipe.train_size)

    yield Started(
        device=_describe(data.device),
        parameters=sum(p.numel() for p in model.parameters() if p.requires_grad),
        train_size=len(images),
        test_size=len(data.test),
        steps_per_epoch=steps,
        epochs=recipe.epochs,
        finished_epochs=finished,
        note=listed([each for each in (note, launched) if each], say("; ")),
    )
    for epoch in range(finished + 1, recipe.epochs + 1):
        meter = _Meter(images, seconds, step - (epoch - 1) * steps, sums)
        seconds, sums = 0.0, None

        def keep(step: int, epoch: int = epoch, meter: _Meter = meter) -> Checkpoint:
            moment = Moment(epoch, step)
            seconds, sums = meter.seconds, meter.sums()
            return checkpoint.take(model, optimiser, moment, seconds=seconds, sums=sums)

        model.train()
        batches = images.order(recipe.batch_size, _order_seed(recipe, epoch))
        for indices in islice(batches, meter.steps, None):
            lr = recipe.learning_rate_at(step, recipe.epochs * steps)
            before = parameters_of(model) if closely else {}
            output = take(indices, lr)
            step += 1
            meter.add(output)
            if closely:
                yield update(step, epoch, numbers[indices], output, model, before)
            if recipe.gradients_every and (step - 1) % recipe.gradients_every == 0:
                norms = recorded_norms(model)
                if all(map(math.isfinite, norms.values())):
                    yield Gradients(step, epoch, norms)
            # After the last step of an epoch, all test images are scored.
            if recipe.score_every and step % recipe.score_every == 0 and step < epoch * steps:
                with meter.paused():
                    loss, accuracy = _score(model, scored)
                if math.isfinite(loss):
                    yield Score(step, epoch, loss, accuracy, len(scored))
            # Last of what a step yields, since it is where a training can be resumed.
            if closely or step == 1 or meter.is_due():
                yield meter.report(step, epoch, lr, keep)
        if meter.has_news:
            yield meter.report(step, epoch, lr, keep)
        train_loss, train_accuracy = meter.means()
        trained = meter.seconds
        test_loss, test_accuracy = evaluate(model, data.test)
        lr = recipe.learning_rate_at(step - 1, recipe.epochs * steps)
        _demand_finite(test_loss, step, lr, data.test)
        yield Epoch(
            epoch=epoch,
            train_loss=train_loss,
            train_accuracy=train_accuracy,
            test_loss=test_loss,
            test_accuracy=test_accuracy,
            seconds=meter.seconds,
            images_per_second=len(images) / (trained - meter.seconds_paused),
            checkpoint=functools.partial(checkpoint.take, model, optimiser, Moment(epoch)),
        )


# Not in inference mode: a table that a network keeps from here could not be used in training.
@torch.no_grad()
def evaluate(model: nn.Module, split: Split) -> tuple[float, float]:
    """Score `model` on all images of `split`; return the mean cross-entropy (nats) and accuracy.

    The model is left in evaluation mode.
    """
    model.eval()
    totals = torch.zeros(2, dtype=_wide(split.device), device=split.device)
    with products("float32", split.device):
        for inputs, labels in split.batches(evaluation_batch(split.device)):
            logits = first_output(model(inputs))
            totals[0] += F.cross_entropy(logits, labels, reduction="sum")
            totals[1] += (logits.argmax(dim=1) == labels).sum()
    loss, accuracy = (totals / len(split)).tolist()
    return loss, accuracy


def _score(model: nn.Module, split: Split) -> tuple[float, float]:
    """Evaluate within an epoch, so that nothing that is learned changes."""
    generators = read_generators(split.device)
    score = evaluate(model, split)
    set_generators(split.device, generators)
    model.train()
    return score


class _Meter:
    """Keeps losses and logits on the device, and sums and reads them only when a report is due.

    So a step computes nothing for it, which saves a few per cent of its time in small networks.

    Args:
        split: The images that are trained on.
        seconds: How long the epoch took before it was interrupted.
        steps: How many steps were taken in that time.
        sums: What `sums` returned then; `None` at the beginning of an epoch.
    """

    def __init__(self, split: Split, seconds: float, steps: int, sums: Tensor | None) -> None:
        self.split = split
        self.totals = torch.zeros(2, dtype=_wide(split.device), device=split.device)
        self.outputs: list[StepOutput] = []
        self.images, self.seconds_paused = 0, 0.0
        self.steps = steps
        self.began = perf_counter() - seconds
        loss = correct = 0.0
        if sums is not None:
            loss, correct, images, self.seconds_paused = sums.tolist()
            self.images = int(images)
            self.totals.copy_(sums[:2])
        self.last = (loss, correct, self.images, perf_counter())

    def add(self, output: StepOutput) -> None:
        self.outputs.append(output)
        self.images += len(output.labels)
        self.steps += 1

    @contextlib.contextmanager
    def paused(self) -> Iterator[None]:
        """Do not count the time in the block as training."""
        began = perf_counter()
        yield
        seconds = perf_counter() - began
        self.seconds_paused += seconds
        self.last = (*self.last[:3], self.last[3] + seconds)

    def _sum(self) -> tuple[float, float]:
        losses, logits, labels = zip(*self.outputs, strict=True)
        sizes = self.totals.new_tensor([len(own) for own in labels])
        self.totals[0] += (torch.stack(losses) * sizes).sum()
        self.totals[1] += (torch.cat(logits).argmax(dim=1) == torch.cat(labels)).sum()
        self.outputs.clear()
        loss, correct = self.totals.tolist()
        return loss, correct

    @property
    def seconds(self) -> float:
        """Wall time of the epoch so far."""
        return perf_counter() - self.began

    def sums(self) -> Tensor:
        """Return all that a meter needs to go on from the last report, `float64`, `(4,)`."""
        loss, correct, images, _ = self.last
        return torch.tensor([loss, correct, images, self.seconds_paused], dtype=torch.float64)

    @property
    def has_news(self) -> bool:
        return self.images > self.last[2]

    def is_due(self) -> bool:
        return self.steps % REPORT_STEPS == 0 or perf_counter() - self.last[3] > REPORT_SECONDS

    def report(
        self, step: int, epoch: int, learning_rate: float, keep: Callable[[int], Checkpoint]
    ) -> Step:
        loss, correct = self._sum()
        now = perf_counter()
        last_loss, last_correct, last_images, last_time = self.last
        _demand_finite(loss, step, learning_rate, self.split)
        self.last = (loss, correct, self.images, now)
        images = self.images - last_images
        return Step(
            step=step,
            epoch=epoch,
            loss=(loss - last_loss) / images,
            accuracy=(correct - last_correct) / images,
            learning_rate=learning_rate,
            images_per_second=images / max(now - last_time, 1e-9),
            images=images,
            checkpoint=functools.partial(keep, step),
        )

    def means(self) -> tuple[float, float]:
        loss, correct = self.last[:2]
        return loss / self.images, correct / self.images


def _demand_finite(loss: float, step: int, learning_rate: float, split: Split) -> None:
    """Refuse a loss that is no number, and say what it comes from.

    Raises:
        DivergedError: The images are not finite numbers, or the network is not right from the
            beginning, or the steps were too long.
    """
    if math.isfinite(loss):
        return
    if not _are_finite(split):
        raise DivergedError(
            say(
                "The loss became {loss} by step {step:,}, since the images that the network gets "
                "are not all finite numbers: correct the data set's images, or its mean and std.",
                loss=loss,
                step=step,
            )
        )
    if step == 1:  # the network is as it was built when this loss is computed
        raise DivergedError(
            say(
                "The loss is {loss} at the first step, before anything is learned: the network "
                "itself answers so. Look in it for a division by 0, for a logarithm or a root of "
                "what may be 0 or less, and for initial weights that are too large.",
                loss=loss,
            )
        )
    raise DivergedError(
        say(
            "The loss became {loss} by step {step:,}, at a learning rate of {rate:g}; try a lower "
            "learning rate.",
            loss=loss,
            step=step,
            rate=learning_rate,
        )
    )


def _are_finite(split: Split) -> bool:
    batches = split.batches(evaluation_batch(split.device))
    return all(bool(images.isfinite().all()) for images, _ in batches)


def _order_seed(recipe: Recipe, epoch: int) -> int:
    # Each epoch has its own seed, so that a resumed run takes the images in the same order.
    return recipe.seed * 1_000_003 + epoch


def _wide(device: torch.device) -> torch.dtype:
    # Sums of ten thousands of losses need double precision, which Apple's GPUs do not have.
    return torch.float32 if device.type == "mps" else torch.float64


def _describe(device: torch.device) -> str:
    if device.type == "cuda":
        return f"cuda ({torch.cuda.get_device_name(device)})"
    return device.type
