"""How to train: a recipe, the presets, and the learning rate at each step.

Each field is declared once, with its range and its help; checks, widgets and command-line options
are read from that. Nothing here needs torch.
"""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Annotated, Any, Literal

from explorer.errors import ExplorerError
from explorer.language import later, listed, say
from explorer.plugin.options import OptionError, Range, read_fields
from explorer.text import suggest

Optimiser = Literal["sgd", "nesterov", "adamw"]
Schedule = Literal["constant", "one-cycle"]
Precision = Literal["float32", "tf32", "bfloat16"]
Augment = Literal["none", "shift", "shift+flip"]

# Smith & Topin, "Super-Convergence" (arXiv:1708.07120): rise for three tenths of the steps from a
# 25th of the peak, then fall to a 10,000th of where it began; both along a cosine.
RISE, START, END = 0.3, 1 / 25, 1 / 250_000

# Fields that came later, with the value that does what was done before there was a choice. It is
# left out of a recipe's plain values, so that older recipes keep the hash that they have.
_LATER = {
    "gradients_every": None,
    "precision": "float32",
    "augment": "none",
    "label_smoothing": 0.0,
    "clip_norm": None,
    "score_every": None,
}

# Each field that decides how it is learned, in a word or two, within a text that compares recipes.
WORDS: Mapping[str, str] = {
    "optimiser": later("optimiser"),
    "learning_rate": later("learning rate"),
    "momentum": later("momentum"),
    "weight_decay": later("weight decay"),
    "schedule": later("schedule"),
    "batch_size": later("batch size"),
    "precision": later("precision"),
    "augment": later("augment"),
    "label_smoothing": later("label smoothing"),
    "clip_norm": later("clip norm"),
}


class RecipeError(ExplorerError, ValueError):
    """A recipe that cannot be followed; the message says what would be right."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """How a network is trained.

    Raises:
        RecipeError: A value is out of its range, or two of them do not go together.
    """

    optimiser: Annotated[
        Optimiser,
        later(
            "SGD, SGD with Nesterov's momentum, or AdamW (Loshchilov & Hutter, arXiv:1711.05101)."
        ),
    ] = "sgd"
    learning_rate: Annotated[
        float,
        Range(1e-9, 10),
        later("How far an update moves the parameters; with the one-cycle schedule, its peak."),
    ] = 0.01
    momentum: Annotated[
        float,
        Range(0, 0.999),
        later(
            "Share of the last update that the next one keeps. AdamW ignores it (β₁ = 0.9, "
            "β₂ = 0.999)."
        ),
    ] = 0.5
    weight_decay: Annotated[
        float, Range(0, 1), later("How strongly parameters are pulled to zero.")
    ] = 0.0
    schedule: Annotated[
        Schedule,
        later(
            "Keep the learning rate constant, or raise and lower it once (Smith & Topin, "
            "arXiv:1708.07120)."
        ),
    ] = "constant"
    batch_size: Annotated[
        int, Range(1, 10_000), later("Images in each batch; each step uses one batch.")
    ] = 64
    epochs: Annotated[int, Range(1, 1_000), later("Passes over the training images.")] = 10
    seed: Annotated[
        int,
        Range(0, 2**31 - 1),
        later(
            "Decides the initial parameters, the order of the images, dropout and augmentation. "
            "The same seed gives the same run; another seed shows how much was chance."
        ),
    ] = 0
    train_size: Annotated[
        int | None,
        Range(1, 10_000_000),
        later(
            "How many training images to use, the same ones for every seed; all without a number."
        ),
    ] = None
    gradients_every: Annotated[
        int | None,
        Range(1, 1_000_000),
        later(
            "Record the norm of each layer's gradient every so many steps, after clipping. Nothing "
            "that is learned changes."
        ),
    ] = None
    precision: Annotated[
        Precision,
        later(
            "Significant bits of the factors in convolutions and matrix products while training: "
            "float32 has 24, tf32 11 (on NVIDIA GPUs; elsewhere it is float32), bfloat16 8. Fewer "
            "are faster on a processor made for it and slower on others. Parameters, updates and "
            "scores are float32 in each."
        ),
    ] = "float32"
    augment: Annotated[
        Augment,
        later(
            "Move each training image by up to an eighth of its size at random; shift+flip also "
            "mirrors half of them (He et al. 2015, arXiv:1512.03385, section 4.2). Digits should "
            "not be mirrored."
        ),
    ] = "none"
    label_smoothing: Annotated[
        float,
        Range(0, 0.9),
        later(
            "Share of the target that is spread over all classes (Szegedy et al. 2015, "
            "arXiv:1512.00567, section 7)."
        ),
    ] = 0.0
    clip_norm: Annotated[
        float | None,
        Range(1e-6, 1_000_000),
        later(
            "Scale the gradient of each step down to this norm (Pascanu et al. 2012, "
            "arXiv:1211.5063, algorithm 1)."
        ),
    ] = None
    score_every: Annotated[
        int | None,
        Range(1, 1_000_000),
        later(
            "Measure the accuracy on the first 1,000 test images every so many steps. Nothing that "
            "is learned changes."
        ),
    ] = None

    def __post_init__(self) -> None:
        for option in OPTIONS:
            try:
                value = option.check(getattr(self, option.name))
            except OptionError as error:
                raise RecipeError(str(error)) from error
            # 1 equals 1.0 but is written otherwise, and equal recipes must have equal hashes.
            object.__setattr__(self, option.name, value)
        if self.optimiser == "nesterov" and not self.momentum:
            raise RecipeError(say("momentum must be above 0 for the nesterov optimiser, not 0.0."))

    def learning_rate_at(self, step: int, steps: int) -> float:
        """Return the learning rate of step `step` (from 0) of `steps` in all."""
        if self.schedule == "constant":
            return self.learning_rate
        rise = RISE * steps
        if step < rise:
            low, high, way = START, 1.0, step / rise
        else:
            low, high, way = 1.0, END, (step - rise) / (steps - 1 - rise)
        return self.learning_rate * (low + (high - low) * (1 - math.cos(math.pi * way)) / 2)

    def changed(self, **values: Any) -> "Recipe":
        """Return a recipe with some values replaced.

        Raises:
            RecipeError: There is no such field, or it may not have that value.
        """
        _demand_known(values)
        return replace(self, **values)

    def to_json(self) -> dict[str, Any]:
        """Return the recipe as plain values."""
        values = asdict(self)
        return {name: value for name, value in values.items() if _LATER.get(name, ...) != value}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> "Recipe":
        """Make a recipe from plain values.

        Raises:
            RecipeError: A field is unknown, as one of a later version, or a value is out of range.
        """
        _demand_known(values)
        return cls(**values)


OPTIONS = read_fields(Recipe)


def _demand_known(values: Mapping[str, Any]) -> None:
    names = [field.name for field in fields(Recipe)]
    for name in values:
        if name not in names:
            raise RecipeError(
                say(
                    "A recipe has no {name}; {suggestion}",
                    name=name,
                    suggestion=suggest(name, names),
                )
            )


PRESETS: Mapping[str, Recipe] = {
    "tutorial": Recipe(gradients_every=50, score_every=100),
    "fast": Recipe(
        "adamw",
        0.006,
        weight_decay=0.01,
        schedule="one-cycle",
        epochs=1,
        gradients_every=50,
        score_every=100,
    ),
}


def preset(name: str) -> Recipe:
    """Return the preset of this name.

    Raises:
        RecipeError: There is none.
    """
    try:
        return PRESETS[name]
    except KeyError:
        raise RecipeError(
            say(
                "There is no recipe {name!r}; choose {known}.",
                name=name,
                known=listed(list(PRESETS), say(" or ")),
            )
        ) from None
