"""Runs: what was asked, how it stands, what came of it.

A run's id is the hash of its spec, so the same question is the same run, for everyone who shares a
store. No torch and no database needed.
"""

import enum
import hashlib
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from explorer.errors import ExplorerError
from explorer.plugin.options import Value
from explorer.training.events import Epoch, Started
from explorer.training.recipe import PRESETS, Recipe

KEPT_BETWEEN = 10
_ASIDE = (
    "epochs",
    "seed",
    "train_size",
    "gradients_every",
    "score_every",
)  # told of elsewhere, or of no effect


class UnknownRunError(ExplorerError, LookupError):
    """The store holds no run of that id."""


class RunIsBusyError(ExplorerError, RuntimeError):
    """The run is being trained, so it cannot be deleted or trained by another."""


class Status(enum.StrEnum):
    """How a run stands."""

    QUEUED = "queued"
    RUNNING = "running"
    FINISHED = "finished"
    STOPPED = "stopped"
    FAILED = "failed"
    INTERRUPTED = "interrupted"

    @property
    def is_live(self) -> bool:
        """Whether someone is at it, or about to be."""
        return self in (Status.QUEUED, Status.RUNNING)

    @property
    def is_resumable(self) -> bool:
        """Whether it ended before its time and may be taken up again."""
        return self in (Status.STOPPED, Status.FAILED, Status.INTERRUPTED)


@dataclass(frozen=True, slots=True)
class RunSpec:
    """All that decides what a training comes to.

    Attributes:
        architecture: The architecture's name.
        options: A value for each of its options.
        dataset: The data set's name.
        recipe: How it is trained.
        fingerprint: The hash of the plugin's source.
        dataset_version: Which state of the data set's images; empty for those that never change.
    """

    architecture: str
    options: Mapping[str, Value]
    dataset: str
    recipe: Recipe
    fingerprint: str
    dataset_version: str = ""

    @property
    def id(self) -> str:
        """Twelve hexadecimal digits; equal specs have equal ids."""
        return spec_id(self.to_json())

    def to_json(self) -> dict[str, Any]:
        """The spec as plain values."""
        version = {"dataset_version": self.dataset_version} if self.dataset_version else {}
        return {
            "architecture": self.architecture,
            "options": dict(self.options),
            "dataset": self.dataset,
            "recipe": self.recipe.to_json(),
            "fingerprint": self.fingerprint,
            **version,
        }

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> "RunSpec":
        """A spec from plain values."""
        return cls(**{**values, "recipe": Recipe.from_json(values["recipe"])})


def spec_id(values: Mapping[str, Any]) -> str:
    """Return the id of a spec from its plain values: twelve hexadecimal digits."""
    text = json.dumps(values, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:12]


@dataclass(frozen=True, slots=True)
class Run:
    """What the store knows of a run, but for its steps and its weights.

    Attributes:
        id: The hash of its spec.
        spec: What was asked.
        status: How it stands.
        reason: Why it failed, or was stopped; may be empty.
        created: When it was first asked for.
        started: What its last start said of itself, if it ever started.
        epochs: The epochs that are finished, in order.
    """

    id: str
    spec: RunSpec
    status: Status
    reason: str
    created: datetime
    started: Started | None
    epochs: tuple[Epoch, ...]

    @property
    def recipe_name(self) -> str:
        """The preset that it is nearest to, and what it does otherwise."""
        own = self.spec.recipe.to_json()
        names = [name for name in own if name not in _ASIDE]
        changed = {
            preset: {name: own[name] for name in names if own[name] != known.to_json().get(name)}
            for preset, known in PRESETS.items()
        }
        nearest = min(changed, key=lambda preset: len(changed[preset]))
        words = [
            f"{name.replace('_', ' ')} {f'{value:g}' if isinstance(value, float) else value}"
            for name, value in changed[nearest].items()
        ]
        return f"{nearest} with {', '.join(words)}" if words else nearest

    @property
    def options_text(self) -> str:
        """Its architecture's options and their values, in a line; may be empty."""
        return ", ".join(f"{name} {value}" for name, value in self.spec.options.items())

    @property
    def title(self) -> str:
        """What it is, in a line: architecture, options, data set, recipe, seed."""
        recipe = self.spec.recipe
        values = self.options_text
        network = f"{self.spec.architecture} ({values})" if values else self.spec.architecture
        amount = _epochs(recipe)
        if recipe.train_size:
            amount += f" of {recipe.train_size:,} images"
        how = f"{self.recipe_name}, {amount}"
        return f"{network} · {self.spec.dataset} · {how} · seed {recipe.seed}"

    @property
    def best_accuracy(self) -> float | None:
        """The best test accuracy of any epoch, 0–1."""
        return max((epoch.test_accuracy for epoch in self.epochs), default=None)

    @property
    def last_accuracy(self) -> float | None:
        """The test accuracy after the last finished epoch, 0–1."""
        return self.epochs[-1].test_accuracy if self.epochs else None

    @property
    def seconds(self) -> float:
        """The wall time of all finished epochs."""
        return sum(epoch.seconds for epoch in self.epochs)


def titles(runs: Sequence[Run]) -> dict[str, str]:
    """A title for each run, by id, that no other of them has."""
    told = {run.id: run.title for run in runs}
    for tell in (lambda run: f"code {run.spec.fingerprint[:6]}", lambda run: run.id):
        counts = Counter(told.values())
        told |= {r.id: f"{told[r.id]} · {tell(r)}" for r in runs if counts[told[r.id]] > 1}
    return told


def distinguish(runs: Sequence[Run]) -> dict[str, str]:
    """A short label for each run, by id: its architecture and what tells it from the others."""
    facts = [_facts(run) for run in runs]
    labels = {}
    for run, own in zip(runs, facts, strict=True):
        telling = [
            text
            for key, text in own.items()
            if any(other.get(key, text) != text for other in facts)
        ]
        labels[run.id] = " · ".join([run.spec.architecture, *telling])
    return labels


def _facts(run: Run) -> dict[str, str]:
    spec, recipe = run.spec, run.spec.recipe
    facts = {name: f"{name} {value}" for name, value in spec.options.items()}
    facts[".dataset"] = spec.dataset
    if spec.dataset_version:
        facts[".version"] = f"{spec.dataset} {spec.dataset_version[:6]}"
    facts[".recipe"] = run.recipe_name
    facts[".epochs"] = _epochs(recipe)
    facts[".images"] = f"{recipe.train_size:,} images" if recipe.train_size else "all images"
    facts[".seed"] = f"seed {recipe.seed}"
    facts[".gradients"] = "gradients recorded" if recipe.gradients_every else "no gradients"
    facts[f".code of {spec.architecture}"] = f"code {spec.fingerprint[:6]}"
    return facts


def _epochs(recipe: Recipe) -> str:
    return "1 epoch" if recipe.epochs == 1 else f"{recipe.epochs} epochs"


def epochs_to_keep(epochs: int) -> set[int]:
    """Whose weights to keep of a run of `epochs`: the first, the last and up to ten between."""
    most = KEPT_BETWEEN + 1
    if epochs <= most + 1:
        return set(range(1, epochs + 1))
    return {1 + round(i * (epochs - 1) / most) for i in range(most + 1)}
