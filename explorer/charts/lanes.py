"""The view of one block: a lane for each branch, and in it a mosaic of maps for each layer.

A pure function from recorded maps to what the browser draws (`explorer/ui/components/lanes.js`).
Values are sent as half-precision floats: three digits are enough to read, and keep a block below
300 kB.
"""

import base64
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias, get_args

import numpy as np
from numpy.typing import NDArray

from explorer.charts.hues import branch_hues
from explorer.charts.stages import Stage
from explorer.charts.style import POSITIVE, SIGNED
from explorer.charts.words import merge_words, off_words
from explorer.inspection.fields import ReceptiveField, by_reach
from explorer.inspection.parts import Block, Branch, Part
from explorer.inspection.recording import as_maps
from explorer.language import again, author, listed, plural, say
from explorer.text import dimensions, signed, thousands

Maps: TypeAlias = Mapping[str, NDArray[np.float32]]
Scale: TypeAlias = Literal["map", "layer", "model"]
SCALES: tuple[Scale, ...] = get_args(Scale)

_REORDERS = ("Flatten", "Unflatten", "Permute")
PERCENTILE = 99  # so that a single bright pixel does not darken all others
MOST_TILES = 256  # of one mosaic
QUIET = 0.05  # of where a mosaic's colours end; a map that stays below is dimmed


@dataclass(frozen=True, slots=True)
class Shares:
    """How much each branch of a block gave to the answer.

    Attributes:
        values: How far the logit falls when the branch is switched off, by the branch's name.
        target: The class that the logit is of.
    """

    values: Mapping[str, float]
    target: str


@dataclass(frozen=True, slots=True)
class View:
    """What a block, or a stage without branches, made of one image.

    Attributes:
        stage: The block or the stage.
        maps: The recorded output of each part by name, `(C, H, W)` or `(features,)`.
        fields: The receptive field of each part by name.
        off: The paths of the branches, and of channels such as `conv1:3`, that are switched off.
        trail: The names of the blocks in whose branches it is, the outermost first.
        shares: What the branches of the block gave to the answer, if that is known.
        dead: The channels of each part that are 0 for every image that was tried, by name.
    """

    stage: Stage
    maps: Maps
    fields: Mapping[str, ReceptiveField]
    off: Collection[str] = ()
    trail: Sequence[str] = ()
    shares: Shares | None = None
    dead: Mapping[str, Sequence[int]] = field(default_factory=dict)


def limit(maps: Sequence[NDArray[np.float32]]) -> float:
    """Return the value at which colours end: the 99th percentile of all magnitudes, above 0."""
    found = [np.abs(values[np.isfinite(values)]).ravel() for values in maps]
    magnitudes = np.concatenate(found) if found else np.zeros(0)
    if not magnitudes.size or not magnitudes.max():
        return 1.0
    return float(np.percentile(magnitudes, PERCENTILE) or magnitudes.max())


def quiet(values: NDArray[np.float32]) -> list[int]:
    """Return the channels of maps `(C, H, W)` that are 0, or nearly so, beside the others."""
    if not len(values):
        return []
    most = np.abs(np.nan_to_num(values)).reshape(len(values), -1).max(axis=1)
    return [int(channel) for channel in np.flatnonzero(most <= QUIET * limit([values]))]


def lanes(
    view: View, image: NDArray[np.uint8], scale: Scale, others: Sequence[Maps] = ()
) -> dict[str, Any]:
    """Return what the browser needs to draw a view.

    Args:
        view: What to draw.
        image: What went in, `(C, H, W)`.
        scale: Which maps share their colours.
        others: The maps of the networks beside it: outputs of the same name share their colours
            under `layer`, all outputs under `model`.
    """
    colours = _Colours(scale, [view.maps, *others])
    picture = {"pixels": _bytes(_rgb(image)), "height": image.shape[1], "width": image.shape[2]}
    if isinstance(view.stage, Block):
        block = view.stage
        hues = branch_hues(block)
        order = by_reach(block, view.fields)
        drawn = [_lane(view, block, name, hues[name], colours) for name in order]
        merge = _merge(view, block, hues, colours)
    else:
        drawn = [{"stages": [_mosaic(view, layer, colours) for layer in _shown(view.stage)]}]
        merge = None
    return {
        "image": picture,
        "title": _title(view.stage),
        "trail": list(view.trail),
        "shares": _shares_words(view.shares),
        "lanes": drawn,
        "merge": merge,
    }


def _shares_words(shares: Shares | None) -> str:
    if shares is None:
        return ""
    return say(
        "Bar beside a switch: by how much the logit of {label} falls if it is off.",
        label=author(shares.target),
    )


def _title(stage: Stage) -> str:
    if isinstance(stage, Block):
        return say(
            "{block}: {merge} of {count}, {shape}",
            block=stage.name,
            merge=merge_words(stage.kind),
            count=len(stage.branches),
            shape=dimensions(stage.shape),
        )
    return f"{stage[0].name}: {listed([again(layer.text) for layer in stage], ',')}"


class _Colours:
    """Which ramp, and where it ends, for the maps of one mosaic."""

    def __init__(self, scale: Scale, networks: Sequence[Maps]) -> None:
        self.scale = scale
        self.networks = networks
        self.everything = [output for maps in networks for output in maps.values()]
        self.end = limit(self.everything) if scale == "model" else 0.0

    def of(self, values: NDArray[np.float32], names: Sequence[str]) -> dict[str, Any]:
        """Return the colours of a mosaic of `values`, shared by all outputs of these names."""
        group = [maps[name] for maps in self.networks for name in names if name in maps]
        if self.scale == "model":
            group, ends = self.everything, [self.end]
        elif self.scale == "layer":
            ends = [limit(group)]
        else:
            ends = [limit([channel]) for channel in values]
        signed = any(bool((member < 0).any()) for member in group)
        ramp = SIGNED if signed else POSITIVE
        return {"ends": [_round(end) for end in ends], "signed": signed, "ramp": ramp}


def _lane(view: View, block: Block, name: str, hue: str, colours: _Colours) -> dict[str, Any]:
    branch = block.branches[name]
    seen = view.fields.get(branch.path)
    facts = [say("sees {field}", field=seen.in_words)] if seen else []
    if branch.parameters:
        facts.append(plural("{n:,} parameter", "{n:,} parameters", branch.parameters))
    facts += [say("{number} multiply-adds", number=thousands(branch.macs))] if branch.macs else []
    facts += [say("goes on from {part}", part=branch.shared[-1])] if branch.shared else []
    unchanged = [say("passes its input on unchanged"), *facts[:1]]
    return {
        "name": name,
        "path": branch.path,
        "hue": hue,
        "on": branch.path not in view.off,
        "off": off_words(block.kind),
        "share": _share(view, name) if branch.path not in view.off else None,
        "facts": unchanged if branch.is_skip else facts,
        "stages": [_mosaic(view, part, colours) for part in _shown(branch.parts)],
    }


def _share(view: View, name: str) -> dict[str, Any] | None:
    """Return a branch's share, from −1 to 1 of the largest in its block, and how it is written."""
    if view.shares is None or name not in view.shares.values:
        return None
    value = view.shares.values[name]
    most = max(map(abs, view.shares.values.values()))
    return {"length": _round(value / most) if most else 0.0, "text": signed(value, 2)}


def _merge(view: View, block: Block, hues: Mapping[str, str], colours: _Colours) -> dict[str, Any]:
    """Return the merged output; of a sum also what is summed, all on one scale."""
    branches, axis = block.branches.values(), block.axis
    if axis is not None:
        sizes = {branch.name: branch.shape[axis] for branch in branches}
        strip = [{"name": n, "hue": hues[n], "channels": size} for n, size in sizes.items()]
        total = _tiles(view, block.name, _merged(block), block.shape, colours, [block.name])
        if axis == 0:
            total["hues"] = [hues[name] for name, size in sizes.items() for _ in range(size)]
        return {"kind": "concat", "strip": strip, "terms": [], "total": total}
    is_sum = block.kind == "sum"
    # A sum's terms are compared, so they share their colours even where layers do not.
    group = [*(branch.path for branch in branches), block.name]
    terms = []
    for branch in branches:
        own = group if is_sum else [branch.path]
        mosaic = _tiles(view, branch.path, _term(block, branch), branch.shape, colours, own)
        on = branch.path not in view.off
        terms.append({**mosaic, "hue": hues[branch.name], "on": on})
    own = group if is_sum else [block.name]
    total = _tiles(view, block.name, _merged(block), block.shape, colours, own)
    return {"kind": block.kind, "strip": [], "terms": terms, "total": total}


def _term(block: Block, branch: Branch) -> str:
    if block.kind != "sum":
        return branch.name
    if branch.is_skip:
        return "x"
    is_residual = len(block.branches) == 2 and any(b.is_skip for b in block.branches.values())
    return "F(x)" if is_residual else branch.name


def _merged(block: Block) -> str:
    if block.kind != "sum":
        return merge_words(block.kind)
    return " + ".join(_term(block, branch) for branch in block.branches.values())


def _shown(parts: Sequence[Part]) -> list[Part]:
    """Return the parts that are drawn, without those that put the same values in another order."""
    shown = [part for part in parts if isinstance(part, Block) or part.kind not in _REORDERS]
    return shown or list(parts)


def _mosaic(view: View, part: Part, colours: _Colours) -> dict[str, Any]:
    text = say("block {name}", name=part.name) if isinstance(part, Block) else again(part.text)
    mosaic = _tiles(view, part.name, text, part.shape, colours, [part.name])
    if isinstance(part, Block):
        mosaic["opens"] = part.name
    return mosaic


def _tiles(
    view: View,
    name: str,
    text: str,
    shape: tuple[int, ...],
    colours: _Colours,
    group: Sequence[str],
) -> dict[str, Any]:
    values = as_maps(view.maps[name])[:MOST_TILES]
    seen = view.fields.get(name)
    dead = [channel for channel in view.dead.get(name, ()) if channel < len(values)]
    return {
        "name": name,
        "text": text,
        "shape": dimensions(shape),
        "channels": len(values),
        "height": values.shape[1],
        "width": values.shape[2],
        "values": _bytes(values.clip(-65504, 65504).astype("<f2")),
        "rows": seen.rows.spans if seen else None,
        "columns": seen.columns.spans if seen else None,
        "field": str(seen) if seen else None,
        "quiet": quiet(values),
        "dead": dead,
        "off": [
            int(switch[len(name) + 1 :]) for switch in view.off if switch.startswith(f"{name}:")
        ],
        **colours.of(values, group),
    }


def _rgb(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return an image `(C, H, W)` of one or three channels as `(H, W, 3)`."""
    return np.ascontiguousarray(np.broadcast_to(image, (3, *image.shape[1:])).transpose(1, 2, 0))


def _bytes(values: NDArray[Any]) -> str:
    return base64.b64encode(np.ascontiguousarray(values).tobytes()).decode()


def _round(value: float) -> float:
    return float(f"{value:.4g}")
