"""Training as a generator: it reads like a script, and yields what happens.

Whoever iterates owns the progress bar. Stopping is closing the generator, failing is an exception,
finishing is exhaustion; while it is suspended nothing touches the weights.
"""

import math
from collections.abc import Iterator
from time import perf_counter

import torch
import torch.nn.functional as F
from torch import nn

from explorer.data.loader import Data, Split, evaluation_batch
from explorer.errors import ExplorerError
from explorer.training import checkpoint
from explorer.training.cuda_graph import fastest
from explorer.training.events import Checkpoint, Epoch, Event, Gradients, Started, Step
from explorer.training.gradient_norms import recorded_norms
from explorer.training.recipe import Recipe
from explorer.training.step import PlainStepper, StepOutput, make_optimiser, products

REPORT_STEPS = 20
REPORT_SECONDS = 0.5


class DivergedError(ExplorerError, FloatingPointError):
    """The loss is no longer a number."""


def train(
    model: nn.Module,
    data: Data,
    recipe: Recipe,
    resume: tuple[int, Checkpoint] | None = None,
) -> Iterator[Event]:
    """Train `model` on `data` by `recipe`, where the data lies.

    The model is moved to the data's device and trained in place. `Started` comes first, a `Step`
    after the first step and then every 20 steps (or half second, if they are slow), `Gradients` as
    often as the recipe asks for them, an `Epoch` after each epoch. On a CPU, equal arguments give
    equal numbers to the bit, resumed or not.

    Args:
        model: Takes `(N, C, H, W)` images, answers with `(N, num_classes)` logits.
        data: The images.
        recipe: How to train.
        resume: The number of an epoch and the checkpoint taken after it, to go on from there.

    Raises:
        DivergedError: The loss became infinite or not a number.
        CheckpointError: The checkpoint to resume from is of another network.
    """
    model.to(data.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    optimiser = make_optimiser(model, recipe, data.device)
    finished = 0
    torch.manual_seed(recipe.seed)
    if resume:
        finished = resume[0]
        checkpoint.restore(resume[1], model, optimiser)
    images = data.train.subset(recipe.train_size)
    steps = math.ceil(len(images) / recipe.batch_size)
    take, note = fastest(PlainStepper(model, images, optimiser, recipe), recipe.batch_size)

    yield Started(
        device=_describe(data.device),
        parameters=sum(p.numel() for p in model.parameters() if p.requires_grad),
        train_size=len(images),
        test_size=len(data.test),
        steps_per_epoch=steps,
        epochs=recipe.epochs,
        finished_epochs=finished,
        note=note,
    )
    for epoch in range(finished + 1, recipe.epochs + 1):
        began = perf_counter()
        meter = _Meter(data.device)
        model.train()
        step = (epoch - 1) * steps
        for indices in images.order(recipe.batch_size, _order_seed(recipe, epoch)):
            lr = recipe.learning_rate_at(step, recipe.epochs * steps)
            output = take(indices, lr)
            step += 1
            meter.add(output)
            if recipe.gradients_every and (step - 1) % recipe.gradients_every == 0:
                norms = recorded_norms(model)
                if all(map(math.isfinite, norms.values())):
                    yield Gradients(step, epoch, norms)
            if step == 1 or meter.is_due():
                yield meter.report(step, epoch, lr)
        if meter.has_news:
            yield meter.report(step, epoch, lr)
        train_loss, train_accuracy = meter.means()
        trained = perf_counter()
        test_loss, test_accuracy = evaluate(model, data.test)
        _demand_finite(test_loss, step, lr)
        yield Epoch(
            epoch=epoch,
            train_loss=train_loss,
            train_accuracy=train_accuracy,
            test_loss=test_loss,
            test_accuracy=test_accuracy,
            seconds=perf_counter() - began,
            images_per_second=len(images) / (trained - began),
            checkpoint=lambda: checkpoint.take(model, optimiser),
        )


@torch.inference_mode()
def evaluate(model: nn.Module, split: Split) -> tuple[float, float]:
    """Score `model` on all images of `split`; return the mean cross-entropy (nats) and accuracy.

    The model is left in evaluation mode.
    """
    model.eval()
    totals = torch.zeros(2, dtype=_wide(split.device), device=split.device)
    with products("float32", split.device):
        for inputs, labels in split.batches(evaluation_batch(split.device)):
            outputs = model(inputs)
            totals[0] += F.cross_entropy(outputs, labels, reduction="sum")
            totals[1] += (outputs.argmax(dim=1) == labels).sum()
    loss, accuracy = (totals / len(split)).tolist()
    return loss, accuracy


class _Meter:
    """Keeps losses and answers on the device, and sums and reads them only when a report is due.

    A step costs it no computation at all, which for small networks is a few per cent.
    """

    def __init__(self, device: torch.device) -> None:
        self.totals = torch.zeros(2, dtype=_wide(device), device=device)
        self.outputs: list[StepOutput] = []
        self.images = 0
        self.steps = 0
        self.last = (0.0, 0.0, 0, perf_counter())

    def add(self, output: StepOutput) -> None:
        self.outputs.append(output)
        self.images += len(output.labels)
        self.steps += 1

    def _sum(self) -> tuple[float, float]:
        losses, logits, labels = zip(*self.outputs, strict=True)
        sizes = self.totals.new_tensor([len(own) for own in labels])
        self.totals[0] += (torch.stack(losses) * sizes).sum()
        self.totals[1] += (torch.cat(logits).argmax(dim=1) == torch.cat(labels)).sum()
        self.outputs.clear()
        loss, hits = self.totals.tolist()
        return loss, hits

    @property
    def has_news(self) -> bool:
        return self.images > self.last[2]

    def is_due(self) -> bool:
        return self.steps % REPORT_STEPS == 0 or perf_counter() - self.last[3] > REPORT_SECONDS

    def report(self, step: int, epoch: int, learning_rate: float) -> Step:
        loss, hits = self._sum()
        now = perf_counter()
        last_loss, last_hits, last_images, last_time = self.last
        _demand_finite(loss, step, learning_rate)
        self.last = (loss, hits, self.images, now)
        images = self.images - last_images
        return Step(
            step=step,
            epoch=epoch,
            loss=(loss - last_loss) / images,
            accuracy=(hits - last_hits) / images,
            learning_rate=learning_rate,
            images_per_second=images / max(now - last_time, 1e-9),
            images=images,
        )

    def means(self) -> tuple[float, float]:
        loss, hits = self.last[:2]
        return loss / self.images, hits / self.images


def _demand_finite(loss: float, step: int, learning_rate: float) -> None:
    if not math.isfinite(loss):
        raise DivergedError(
            f"The loss became {loss} by step {step:,}, at a learning rate of "
            f"{learning_rate:g}; try a lower learning rate."
        )


def _order_seed(recipe: Recipe, epoch: int) -> int:
    # A seed for each epoch's order, so that a resumed run meets the images as it would have.
    return recipe.seed * 1_000_003 + epoch


def _wide(device: torch.device) -> torch.dtype:
    # Sums of ten thousands of losses want double precision, which Apple's GPUs do not have.
    return torch.float32 if device.type == "mps" else torch.float64


def _describe(device: torch.device) -> str:
    if device.type == "cuda":
        return f"cuda ({torch.cuda.get_device_name(device)})"
    return device.type
