"""Lists of runs in TOML files, such as those that `explorer warm` trains.

    [[run]]
    architecture = "residual-bn"
    options = {skip = false}
    recipe = "fast"
    epochs = 2
    seeds = [0, 1, 2]

`dataset` is `mnist` and `recipe` is `fast` where there is none. An option may be a list, `{layers =
[4, 8], skip = [true, false]}`: there is a run for each combination. `weights` says which ones
`explorer record` keeps: "none", "last" or "all"; `measure` is a list of what it measures of the
trained network. All other keys are fields of the recipe, as the command line has them.
"""

import itertools
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal, NamedTuple, get_args

from explorer.errors import ExplorerError
from explorer.language import say
from explorer.plugin.catalogue import Catalogue, Description
from explorer.runs.run import RunSpec, spec_of
from explorer.text import suggest
from explorer.training.recipe import OPTIONS, PRESETS, preset

Weights = Literal["none", "last", "all"]

_OWN = ("architecture", "options", "dataset", "recipe", "seeds", "weights", "measure")
_FIELDS = tuple(option.name for option in OPTIONS)


class ListError(ExplorerError, ValueError):
    """A list of runs cannot be read; the message names the entry, and what would be right."""


class Wanted(NamedTuple):
    """A run of a list.

    Attributes:
        spec: What is trained.
        weights: Which of its weights a record keeps.
        measure: What a record has measured of its network, by the names of `labs.measures`.
    """

    spec: RunSpec
    weights: Weights
    measure: tuple[str, ...] = ()


def read_list(file: Path, catalogue: Catalogue[Description]) -> list[Wanted]:
    """Return all runs of a file, in its order, each once.

    Args:
        file: In TOML.
        catalogue: What plugins offer.

    Raises:
        ListError: The file cannot be read, or names what there is not.
    """
    try:
        content = tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise ListError(
            say("{file} cannot be read ({reason}).", file=file, reason=error.strerror)
        ) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ListError(
            say("{file} is no TOML file: {reason}.", file=file, reason=error)
        ) from error
    entries = content.pop("run", None)
    if content or not isinstance(entries, list) or not entries:
        raise ListError(say("{file} should have tables [[run]] and nothing else.", file=file))
    found: list[Wanted] = []
    for number, entry in enumerate(entries, 1):
        try:
            found += _runs(entry, catalogue)
        except ExplorerError as error:
            raise ListError(
                say("{file}, run {number}: {reason}", file=file, number=number, reason=error)
            ) from error
    return list({wanted.spec.id: wanted for wanted in found}.values())


def _runs(entry: Any, catalogue: Catalogue[Description]) -> Iterator[Wanted]:
    if not isinstance(entry, Mapping):
        raise ListError(say("a run is a table, with an architecture."))
    for name in entry:
        if name not in (*_OWN, *_FIELDS):
            raise ListError(
                say(
                    "there is no key {name!r}; {suggestion}",
                    name=name,
                    suggestion=suggest(name, (*_OWN, *_FIELDS)),
                )
            )
    architecture = catalogue[_text(entry, "architecture", None)]
    dataset = catalogue.dataset(_text(entry, "dataset", "mnist"))
    options, seeds = entry.get("options", {}), entry.get("seeds", [entry.get("seed", 0)])
    if not isinstance(options, Mapping):
        raise ListError(say("options is a table, such as {width = 16}."))
    if not isinstance(seeds, list) or not seeds or ("seed" in entry and "seeds" in entry):
        raise ListError(say("seeds is a list, such as [0, 1, 2], and stands for seed."))
    name = _text(entry, "recipe", "fast")
    if name not in PRESETS:
        raise ListError(
            say(
                "there is no recipe {name!r}; {suggestion}",
                name=name,
                suggestion=suggest(name, PRESETS),
            )
        )
    weights = entry.get("weights", "none")
    if weights not in get_args(Weights):
        raise ListError(say('weights is "none", "last" or "all".'))
    measure = entry.get("measure", [])
    if not isinstance(measure, list) or not all(isinstance(each, str) for each in measure):
        raise ListError(say('measure is a list of names, such as ["training_accuracy"].'))
    changed = {each: entry[each] for each in _FIELDS if each in entry and each != "seed"}
    for values in _combinations(options):
        for seed in seeds:
            recipe = preset(name).changed(**changed, seed=seed)
            yield Wanted(spec_of(architecture, values, dataset, recipe), weights, tuple(measure))


def _combinations(options: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the options with one value of each list."""
    listed = [value if isinstance(value, list) else [value] for value in options.values()]
    for values in itertools.product(*listed):
        yield dict(zip(options, values, strict=True))


def _text(entry: Mapping[str, Any], name: str, default: str | None) -> str:
    value = entry.get(name, default)
    if not isinstance(value, str):
        raise ListError(say("{name} is a text, and not {value}.", name=name, value=repr(value)))
    return value
