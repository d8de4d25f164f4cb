"""One step of training: gather a batch, forward, backward, update."""

import contextlib
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple, Protocol

import torch
import torch.nn.functional as F
from torch import Tensor, nn, optim

from explorer.data.loader import Split
from explorer.outputs import first_output
from explorer.training.augment import augmented
from explorer.training.recipe import Precision, Recipe

# Where one kernel updates all parameters at once; elsewhere it is a few kernels for each.
FUSED = frozenset({"cpu", "cuda", "mps", "xpu"})


class StepOutput(NamedTuple):
    """What a step leaves behind, detached.

    Attributes:
        loss: The recipe's loss of the batch before the update, in nats, `()`.
        logits: The network's first output before the update, `(N, num_classes)`.
        labels: The correct classes, `int64`, `(N,)`.
    """

    loss: Tensor
    logits: Tensor
    labels: Tensor


class Stepper(Protocol):
    """Takes steps; on a GPU possibly as one CUDA graph (`explorer.training.cuda_graph`)."""

    def __call__(self, indices: Tensor, lr: float) -> StepOutput:
        """Take a step.

        Args:
            indices: The numbers of the batch's images, `int64`, `(N,)`, on the device.
            lr: The learning rate.
        """


class PlainStepper:
    """Takes steps the way they are written.

    Args:
        model: On the device of the images, in training mode when a step is taken.
        images: The training images.
        optimiser: From `make_optimiser`.
        recipe: Its precision, augmentation, label smoothing and clipping are followed.
    """

    def __init__(
        self, model: nn.Module, images: Split, optimiser: optim.Optimizer, recipe: Recipe
    ) -> None:
        self.model = model
        self.images = images
        self.optimiser = optimiser
        self.recipe = recipe

    def __call__(self, indices: Tensor, lr: float) -> StepOutput:
        """Take a step."""
        self.set_lr(lr)
        return self.step(indices)

    def set_lr(self, lr: float) -> None:
        """Set the learning rate of the next steps."""
        for group in self.optimiser.param_groups:
            group["lr"].fill_(lr)

    def step(self, indices: Tensor) -> StepOutput:
        """Take a step at the learning rate that is set; nothing in it waits for the device."""
        recipe, split = self.recipe, self.images
        images, labels = split.select(indices)
        inputs = split.normalise(augmented(images, recipe.augment))
        with products(recipe.precision, inputs.device):
            in_bfloat16 = recipe.precision == "bfloat16"
            with torch.autocast(inputs.device.type, torch.bfloat16, enabled=in_bfloat16):
                logits = first_output(self.model(inputs))
                loss = F.cross_entropy(logits, labels, label_smoothing=recipe.label_smoothing)
            self.optimiser.zero_grad()
            loss.backward()
        if recipe.clip_norm is not None:
            parameters = self.optimiser.param_groups[0]["params"]
            nn.utils.clip_grad_norm_(parameters, recipe.clip_norm)
        self.optimiser.step()
        return StepOutput(loss.detach(), logits.detach(), labels)


def make_optimiser(
    model: nn.Module, recipe: Recipe, device: torch.device, *, fused: bool = True
) -> optim.Optimizer:
    """Make the recipe's optimiser over the trainable parameters, its learning rate a tensor.

    Args:
        model: Whose parameters are updated.
        recipe: Which optimiser, and its settings.
        device: Where the parameters are.
        fused: Whether to update all parameters in one kernel, where the device has one.

    Raises:
        RuntimeError: A fused optimiser does not take parameters of these types.
    """
    parameters = [p for p in model.parameters() if p.requires_grad]
    # A CUDA graph of the step reads the learning rate from this memory, so it is set there.
    lr = torch.tensor(recipe.learning_rate, device=device)
    common: Mapping[str, Any] = {
        "weight_decay": recipe.weight_decay,
        "fused": fused and device.type in FUSED,
    }
    if recipe.optimiser == "adamw":
        return optim.AdamW(parameters, lr, capturable=device.type == "cuda", **common)
    return optim.SGD(
        parameters,
        lr,
        momentum=recipe.momentum,
        nesterov=recipe.optimiser == "nesterov",
        **common,
    )


@contextlib.contextmanager
def products(precision: Precision, device: torch.device) -> Iterator[None]:
    """Let a GPU multiply `float32` numbers as the recipe says while the block runs.

    Left to itself, torch rounds the factors of convolutions to TF32 and those of matrix products
    not. The network's own products in `bfloat16` are autocast's.
    """
    kinds: tuple[Any, ...] = ()
    if device.type == "cuda":
        kinds = torch.backends.cuda.matmul, torch.backends.cudnn.conv  # type: ignore[attr-defined]
    before = [kind.fp32_precision for kind in kinds]
    for kind in kinds:
        kind.fp32_precision = "tf32" if precision == "tf32" else "ieee"
    try:
        yield
    finally:
        for kind, own in zip(kinds, before, strict=True):
            kind.fp32_precision = own
