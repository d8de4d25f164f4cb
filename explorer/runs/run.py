"""Runs: what was asked for, their status, and the epochs that they finished.

A run's id is the hash of its spec, so the same question is the same run, for everyone who shares a
store. Nothing here needs torch or a database.
"""

import enum
import hashlib
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, dataclass, fields
from datetime import datetime
from functools import lru_cache
from typing import Any

from explorer.data.dataset import DataSet
from explorer.errors import ExplorerError
from explorer.language import later, listed, plural, say
from explorer.plugin.catalogue import Description
from explorer.plugin.options import Value
from explorer.text import suggest
from explorer.training.events import Epoch, Moment, Started
from explorer.training.recipe import PRESETS, WORDS, Recipe

KEPT_BETWEEN = 10
MOST_NAME, MOST_NOTE = 60, 2_000  # characters
GUESSING = 1.5  # times the accuracy of guessing; a network below it has learned nothing
UNTRAINED = Recipe(epochs=1)  # what the spec of an imported run holds in place of a recipe
_NOTHING_KEPT = Moment(0)
# Said elsewhere, or without effect on what is learned.
_ASIDE = ("epochs", "seed", "train_size", "gradients_every", "score_every")


class UnknownRunError(ExplorerError, LookupError):
    """The store holds no run with this id."""


class RunIsBusyError(ExplorerError, RuntimeError):
    """The run is being trained, or is finished, so it cannot be deleted or trained by another."""


class SpecError(ExplorerError, ValueError):
    """A spec cannot be read; the message says why, as a sentence."""


class UnreadableRunError(ExplorerError, ValueError):
    """The record of a run cannot be read; the message says why."""


class LongNameError(ExplorerError, ValueError):
    """The name or the note of a run is too long; the message says how long it may be."""


class MissingWeightsError(ExplorerError, LookupError):
    """The weights after an epoch were not kept; the message says which were."""


class Status(enum.StrEnum):
    """Where a run is between its request and its end."""

    QUEUED = later("queued")
    RUNNING = later("running")
    FINISHED = later("finished")
    PAUSED = later("paused")
    FAILED = later("failed")
    INTERRUPTED = later("interrupted")

    @property
    def is_live(self) -> bool:
        """Whether it is being trained, or waits for it."""
        return self in (Status.QUEUED, Status.RUNNING)

    @property
    def is_resumable(self) -> bool:
        """Whether it ended before its last epoch, so that it can be continued."""
        return self in (Status.PAUSED, Status.FAILED, Status.INTERRUPTED)


@dataclass(frozen=True, slots=True)
class RunSpec:
    """All that decides the outcome of a training, or which weights were imported in place of one.

    Attributes:
        architecture: The architecture's name.
        options: A value for each of its options.
        dataset: The data set's name.
        recipe: How it is trained; `UNTRAINED` if its weights were imported.
        fingerprint: The hash of the plugin's source.
        dataset_version: Which state of the data set's images; empty for those that never change.
        imported: The hash of the weights, if they were trained elsewhere and imported; else empty.
    """

    architecture: str
    options: Mapping[str, Value]
    dataset: str
    recipe: Recipe
    fingerprint: str
    dataset_version: str = ""
    imported: str = ""

    @property
    def id(self) -> str:
        """Twelve hexadecimal digits; equal specs have equal ids."""
        return spec_id(self.to_json())

    def to_json(self) -> dict[str, Any]:
        """Return the spec as plain values; without a recipe if there was no training."""
        version = {"dataset_version": self.dataset_version} if self.dataset_version else {}
        how = {"imported": self.imported} if self.imported else {"recipe": self.recipe.to_json()}
        return {
            "architecture": self.architecture,
            "options": dict(self.options),
            "dataset": self.dataset,
            **how,
            "fingerprint": self.fingerprint,
            **version,
        }

    @classmethod
    def from_json(cls, values: Any) -> "RunSpec":
        """Make a spec from plain values.

        Raises:
            SpecError: A field is missing, unknown, as one of a later version, or of a wrong type.
            RecipeError: The same, in the recipe.
        """
        if not isinstance(values, dict):
            raise SpecError(
                say("A spec is an object with named fields, not {given}.", given=repr(values))
            )
        if values.get("imported"):
            values = {"recipe": UNTRAINED.to_json(), **values}
        for field in fields(cls):
            if field.name not in values and field.default is MISSING:
                raise SpecError(say("Its {name} is missing.", name=field.name))
        for name, value in values.items():
            if name not in _TYPES:
                raise SpecError(
                    say(
                        "A spec has no {name}; {suggestion}",
                        name=name,
                        suggestion=suggest(name, _TYPES),
                    )
                )
            if not isinstance(value, _TYPES[name]):
                raise SpecError(say("Its {name} cannot be {value}.", name=name, value=repr(value)))
        for name, value in values["options"].items():
            if not isinstance(value, str | int | float):
                raise SpecError(
                    say("Its option {name} cannot be {value}.", name=name, value=repr(value))
                )
        return cls(**{**values, "recipe": Recipe.from_json(values["recipe"])})


def spec_of(
    architecture: Description, values: Mapping[str, object], dataset: DataSet, recipe: Recipe
) -> RunSpec:
    """Return the spec of a run of this network on these images, as both are now.

    Raises:
        OptionError: A value does not fit its option.
    """
    return RunSpec(
        architecture.name,
        architecture.complete(values),
        dataset.name,
        recipe,
        architecture.fingerprint,
        dataset.version or "",
    )


# Of the fields as plain values.
_TYPES: Mapping[str, type] = {
    "architecture": str,
    "options": dict,
    "dataset": str,
    "recipe": dict,
    "fingerprint": str,
    "dataset_version": str,
    "imported": str,
}


def spec_id(values: Mapping[str, Any]) -> str:
    """Return the id of a spec from its plain values: twelve hexadecimal digits."""
    text = json.dumps(values, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:12]


@dataclass(frozen=True, slots=True)
class Run:
    """What the store knows of a run, except its steps and its weights.

    Attributes:
        id: The hash of its spec.
        spec: What was asked for.
        status: Where it is between its request and its end.
        reason: Why it failed, as a sentence; may be empty.
        created: When it was first asked for.
        started: The event of its last start, if there was one.
        epochs: The finished epochs, in order.
        traceback: Of the error that it failed with; may be empty.
        name: What somebody called it; may be empty.
        note: What somebody wrote about it; may be empty.
        kept: From where its training can go on; of a finished run, and before anything is kept,
            epoch 0.
        kept_seconds: How long the unfinished epoch took until then.
    """

    id: str
    spec: RunSpec
    status: Status
    reason: str
    created: datetime
    started: Started | None
    epochs: tuple[Epoch, ...]
    traceback: str = ""
    name: str = ""
    note: str = ""
    kept: Moment = _NOTHING_KEPT
    kept_seconds: float = 0.0

    @property
    def recipe_name(self) -> str:
        """The preset that it is nearest to, and the values that differ from it; or `imported`."""
        if self.spec.imported:
            return say("imported")
        return _recipe_name(self.spec.recipe)

    @property
    def options_text(self) -> str:
        """Its architecture's options and their values, in a line; may be empty."""
        return _options_text(self.spec)

    @property
    def title(self) -> str:
        """Its name if it has one, and what it is, in a line."""
        if not self.name:
            return self.subject
        return say("{title} · {fact}", title=self.name, fact=self.subject)

    @property
    def subject(self) -> str:
        """Architecture, options, data set, recipe and seed, in a line; or which weights."""
        recipe = self.spec.recipe
        network, dataset = network_words(self.spec), self.spec.dataset
        if self.spec.imported:
            return say(
                "{network} · {dataset} · imported {hash}",
                network=network,
                dataset=dataset,
                hash=self.spec.imported[:6],
            )
        how = {"recipe": self.recipe_name, "epochs": _epochs(recipe), "seed": recipe.seed}
        if recipe.train_size:
            return say(
                "{network} · {dataset} · {recipe}, {epochs} of {images:,} images · seed {seed}",
                network=network,
                dataset=dataset,
                images=recipe.train_size,
                **how,
            )
        return say(
            "{network} · {dataset} · {recipe}, {epochs} · seed {seed}",
            network=network,
            dataset=dataset,
            **how,
        )

    def title_after(self, moment: Moment) -> str:
        """Return the title, with the moment at which it is looked at if it was trained."""
        if self.spec.imported:
            return self.title
        return say("{title}, after {moment}", title=self.title, moment=moment)

    @property
    def best_accuracy(self) -> float | None:
        """The best test accuracy of any epoch, 0–1."""
        return max((epoch.test_accuracy for epoch in self.epochs), default=None)

    @property
    def last_accuracy(self) -> float | None:
        """The test accuracy after the last finished epoch, 0–1."""
        return self.epochs[-1].test_accuracy if self.epochs else None

    @property
    def moment(self) -> Moment:
        """How far it is: where it is kept, or after which epoch it ended."""
        return self.kept if self.kept.epoch else Moment(len(self.epochs))

    @property
    def seconds(self) -> float:
        """The wall time of all finished epochs, and of the unfinished one as far as it is kept."""
        return sum(epoch.seconds for epoch in self.epochs) + self.kept_seconds


@dataclass(frozen=True, slots=True)
class UnreadableRun:
    """A run whose record cannot be read, such as one of a later version of the explorer.

    Attributes:
        id: The hash of its spec.
        reason: Why it cannot be read, in a sentence or two.
    """

    id: str
    reason: str


def network_words(spec: RunSpec) -> str:
    """Return an architecture's name and its options, if it has any."""
    options = _options_text(spec)
    if not options:
        return spec.architecture
    return say("{name} ({options})", name=spec.architecture, options=options)


def _options_text(spec: RunSpec) -> str:
    return ", ".join(f"{name} {value}" for name, value in spec.options.items())


def _recipe_name(recipe: Recipe) -> str:
    nearest, changed = _nearest(recipe)
    words = [
        say(
            "{field} {value}",
            field=say(WORDS[name]),
            value=f"{value:g}" if isinstance(value, float) else value,
        )
        for name, value in changed
    ]
    if not words:
        return nearest
    return say("{recipe} with {changes}", recipe=nearest, changes=listed(words, ","))


@lru_cache(maxsize=1000)
def _nearest(recipe: Recipe) -> tuple[str, list[tuple[str, Any]]]:
    """Return the preset that differs least, and the values that do."""
    own = recipe.to_json()
    names = [name for name in own if name not in _ASIDE]
    changed = {
        preset: {name: own[name] for name in names if own[name] != known.to_json().get(name)}
        for preset, known in PRESETS.items()
    }
    nearest = min(changed, key=lambda preset: len(changed[preset]))
    return nearest, list(changed[nearest].items())


def titles(runs: Sequence[Run]) -> dict[str, str]:
    """Return a title for each run, by id, that no other of them has."""
    found = {run.id: run.title for run in runs}
    for fact in (lambda run: _code(run.spec), lambda run: run.id):
        counts = Counter(found.values())
        found |= {
            run.id: say("{title} · {fact}", title=found[run.id], fact=fact(run))
            for run in runs
            if counts[found[run.id]] > 1
        }
    return found


def distinguish(runs: Sequence[Run]) -> dict[str, str]:
    """Return a short label for each run, by id: what it is called, and how it differs from others.

    A name that somebody gave it is enough, unless two have the same; without one, it is called as
    its architecture.
    """
    facts = [_facts(run) for run in runs]
    labels = {}
    for run, own in zip(runs, facts, strict=True):
        differing = [
            text
            for key, text in own.items()
            if any(other.get(key, text) != text for other in facts)
        ]
        words = [run.name or run.spec.architecture, *differing]
        labels[run.id] = listed(words, " · ", " · ")
    names = Counter(run.name for run in runs)
    return labels | {run.id: run.name for run in runs if run.name and names[run.name] == 1}


def _facts(run: Run) -> dict[str, str]:
    spec, recipe = run.spec, run.spec.recipe
    facts = {name: f"{name} {value}" for name, value in spec.options.items()}
    facts[".dataset"] = spec.dataset
    if spec.dataset_version:
        facts[".version"] = f"{spec.dataset} {spec.dataset_version[:6]}"
    facts[".recipe"] = run.recipe_name
    if spec.imported:
        facts[".weights"] = say("weights {hash}", hash=spec.imported[:6])
    else:
        facts[".epochs"] = _epochs(recipe)
        facts[".images"] = (
            plural("{n:,} image", "{n:,} images", recipe.train_size)
            if recipe.train_size
            else say("all images")
        )
        facts[".seed"] = say("seed {seed}", seed=recipe.seed)
        facts[".gradients"] = (
            say("gradients recorded") if recipe.gradients_every else say("no gradients")
        )
    facts[f".code of {spec.architecture}"] = _code(spec)
    return facts


def _code(spec: RunSpec) -> str:
    return say("code {hash}", hash=spec.fingerprint[:6])


def _epochs(recipe: Recipe) -> str:
    return plural("{n} epoch", "{n} epochs", recipe.epochs)


def epochs_to_keep(epochs: int) -> set[int]:
    """Return the epochs whose weights are kept: the first, the last and up to ten between.

    Args:
        epochs: How many the run has.
    """
    most = KEPT_BETWEEN + 1
    if epochs <= most + 1:
        return set(range(1, epochs + 1))
    return {1 + round(i * (epochs - 1) / most) for i in range(most + 1)}
