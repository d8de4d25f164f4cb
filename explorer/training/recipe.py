"""How to train: a recipe, the presets, and the learning rate at each step. No torch needed."""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any, Literal, get_args

from explorer.errors import ExplorerError

Optimiser = Literal["sgd", "nesterov", "adamw"]
Schedule = Literal["constant", "one-cycle"]
Precision = Literal["float32", "tf32", "bfloat16"]

OPTIMISERS: tuple[Optimiser, ...] = get_args(Optimiser)
SCHEDULES: tuple[Schedule, ...] = get_args(Schedule)
PRECISIONS: tuple[Precision, ...] = get_args(Precision)

# Smith & Topin, "Super-Convergence" (arXiv:1708.07120): rise for three tenths of the steps from a
# 25th of the peak, then fall to a 10,000th of where it began; both along a cosine.
RISE, START, END = 0.3, 1 / 25, 1 / 250_000

GRADIENTS_EVERY = 50  # steps, in the presets


class RecipeError(ExplorerError, ValueError):
    """A recipe that cannot be followed; the message says what would be right."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """How a network is trained.

    Attributes:
        optimiser: `sgd`, `nesterov` (SGD with Nesterov's momentum) or `adamw` (Loshchilov & Hutter,
            arXiv:1711.05101).
        learning_rate: The step size; under `one-cycle`, its peak.
        momentum: For `sgd` and `nesterov`; `adamw` has its own (β₁ = 0.9, β₂ = 0.999) and ignores
            this one.
        weight_decay: How strongly weights are pulled to zero.
        schedule: `constant`, or `one-cycle`.
        batch_size: Images a step.
        epochs: Passes over the training images.
        seed: Of the initial weights, the order of the images and any dropout.
        train_size: How many training images to use, the same ones for every seed; all if `None`.
        gradients_every: Record the norm of each layer's gradient at every so many steps; `None`:
            never. What is learned is the same with and without.
        precision: Of the factors in convolutions and matrix products while training: `float32` (24
            significant bits), `tf32` (11, on GPUs that have it; elsewhere `float32`) or `bfloat16`
            (8, the rest by autocast). Weights, updates and scoring are `float32` in each. The fewer
            bits, the quicker on a processor made for it, and the further from the same numbers.

    Raises:
        RecipeError: A value is out of its range.
    """

    optimiser: Optimiser = "sgd"
    learning_rate: float = 0.01
    momentum: float = 0.5
    weight_decay: float = 0.0
    schedule: Schedule = "constant"
    batch_size: int = 64
    epochs: int = 10
    seed: int = 0
    train_size: int | None = None
    gradients_every: int | None = None
    precision: Precision = "float32"

    def __post_init__(self) -> None:
        def demand(holds: bool, name: str, expected: str) -> None:
            if not holds:
                raise RecipeError(f"{name} must be {expected}, not {getattr(self, name)!r}.")

        def whole(value: object, low: int, high: int) -> bool:
            return type(value) is int and low <= value <= high

        def number(value: object) -> bool:
            return type(value) in (int, float) and math.isfinite(value)  # type: ignore[arg-type]

        demand(self.optimiser in OPTIMISERS, "optimiser", "one of " + ", ".join(OPTIMISERS))
        demand(
            number(self.learning_rate) and 0 < self.learning_rate <= 10,
            "learning_rate",
            "above 0 and at most 10",
        )
        demand(
            number(self.momentum) and 0 <= self.momentum < 1, "momentum", "from 0 to just below 1"
        )
        demand(
            self.optimiser != "nesterov" or self.momentum > 0,
            "momentum",
            "above 0 for the nesterov optimiser",
        )
        demand(
            number(self.weight_decay) and 0 <= self.weight_decay <= 1, "weight_decay", "from 0 to 1"
        )
        demand(self.schedule in SCHEDULES, "schedule", "one of " + ", ".join(SCHEDULES))
        demand(whole(self.batch_size, 1, 10_000), "batch_size", "a whole number from 1 to 10,000")
        demand(whole(self.epochs, 1, 1_000), "epochs", "a whole number from 1 to 1,000")
        demand(whole(self.seed, 0, 2**31 - 1), "seed", "a whole number from 0 to 2,147,483,647")
        demand(
            self.train_size is None or whole(self.train_size, 1, 10_000_000),
            "train_size",
            "a whole number of at least 1, or nothing for all images",
        )
        demand(
            self.gradients_every is None or whole(self.gradients_every, 1, 1_000_000),
            "gradients_every",
            "a whole number of at least 1, or nothing for never",
        )
        demand(self.precision in PRECISIONS, "precision", "one of " + ", ".join(PRECISIONS))
        for name in ("learning_rate", "momentum", "weight_decay"):
            # 1 equals 1.0 but is written otherwise, and equal recipes must have equal hashes.
            object.__setattr__(self, name, float(getattr(self, name)))

    def learning_rate_at(self, step: int, steps: int) -> float:
        """The learning rate of step `step` (from 0) of `steps` in all."""
        if self.schedule == "constant":
            return self.learning_rate
        rise = RISE * steps
        if step < rise:
            low, high, way = START, 1.0, step / rise
        else:
            low, high, way = 1.0, END, (step - rise) / (steps - 1 - rise)
        return self.learning_rate * (low + (high - low) * (1 - math.cos(math.pi * way)) / 2)

    def changed(self, **values: Any) -> "Recipe":
        """A recipe with some values replaced; a value of `None` leaves the recipe's own."""
        return replace(self, **{name: value for name, value in values.items() if value is not None})

    def to_json(self) -> dict[str, Any]:
        """The recipe as plain values."""
        values = asdict(self)
        # Recipes from before these have the hash that they had.
        if self.gradients_every is None:
            del values["gradients_every"]
        if self.precision == "float32":
            del values["precision"]
        return values

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> "Recipe":
        """A recipe from plain values; those of a later version that are unknown here are refused.

        Raises:
            RecipeError: A value is unknown or out of its range.
        """
        if unknown := set(values) - {field.name for field in fields(cls)}:
            raise RecipeError(f"A recipe has no {', '.join(sorted(unknown))}.")
        return cls(**values)


PRESETS: Mapping[str, Recipe] = {
    "tutorial": Recipe(gradients_every=GRADIENTS_EVERY),
    "fast": Recipe(
        "adamw",
        0.006,
        weight_decay=0.01,
        schedule="one-cycle",
        epochs=1,
        gradients_every=GRADIENTS_EVERY,
    ),
}


def preset(name: str) -> Recipe:
    """The preset of that name.

    Raises:
        RecipeError: There is none.
    """
    try:
        return PRESETS[name]
    except KeyError:
        raise RecipeError(f"There is no recipe {name!r}; choose {' or '.join(PRESETS)}.") from None
