"""A run as one page that needs no server: curves, the network, and switches computed beforehand.

A pure function from plain values to HTML. The page asks for nothing: no script, style, font or
picture comes from elsewhere, and its content policy forbids it. Lanes and drawing are drawn by what
the app draws them with, `explorer/ui/components/lanes.js` and `drawing.js`.
"""

import base64
import hashlib
import json
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from html import escape, unescape
from pathlib import Path
from string import Template
from typing import Any

import explorer
from explorer.charts.ahead import MissingViews, Payloads, packed, payloads
from explorer.charts.curves import Trace, accuracy_curves, loss_curves
from explorer.charts.stages import Stage, stage_name, stages
from explorer.charts.style import Plain
from explorer.charts.svg import network_svg
from explorer.data.dataset import DataSet
from explorer.inspection.fields import by_reach
from explorer.inspection.parts import Block, blocks
from explorer.inspection.precompute import Off, Precomputed, Shown
from explorer.text import cut, dimensions
from explorer.training.events import Moment

MOST_BYTES = 12_000_000  # of a page
SMALLER = 0.9  # of the room for maps, each time that a page came out too large
LEAST = 1000  # bytes; no view is smaller
LONGEST = 80  # characters of the words for a part

_HERE = Path(__file__).parent
_COMPONENTS = _HERE.parent / "ui" / "components"  # the app's; they are read, not imported
_EXPORT = "export default function"


@dataclass(frozen=True, slots=True)
class Page:
    """A page, and what it lacks.

    Attributes:
        html: The page.
        left_out: Sentences on what was left out to keep it small, or could not be computed.
    """

    html: str
    left_out: tuple[str, ...]


def page(
    trace: Trace,
    moment: Moment,
    dataset: DataSet,
    found: Precomputed,
    *,
    off: Collection[str] = (),
    url: str = "",
    most_bytes: int = MOST_BYTES,
) -> Page:
    """Write a run as a page.

    Args:
        trace: The run and what it reported.
        moment: When the network was as it is shown.
        dataset: What it was trained on.
        found: What was computed of it.
        off: What is switched off at first.
        url: Where the explorer runs, if the page is to link to it.
        most_bytes: Feature maps are left out where the page would have more bytes.
    """
    opened: dict[str, Stage] = {stage_name(stage): stage for stage in stages(found.parts)}
    opened |= {block.name: block for block in blocks(found.parts)}
    room = float(most_bytes)
    while True:
        held = payloads(found, opened, room)
        left_out = (*_cut(found), *_missing(held.missing, most_bytes), *found.failed)
        html = _html(trace, moment, dataset, found, opened, off, url, held, left_out)
        excess = len(html.encode()) - most_bytes
        if excess <= 0 or not held.views:
            return Page(html, left_out)
        # What is left by all else; less each time, since what views take is estimated.
        room = min(SMALLER * room, sum(map(len, held.texts)) - excess)
        room = room if room > LEAST else 0


def _cut(found: Precomputed) -> list[str]:
    most = max((part.shape[0] for part in found.parts if len(part.shape) == 3), default=0)
    if most <= found.channels:
        return []
    return [f"Of each layer, the first {found.channels} of up to {most} channels are in this page."]


def _missing(missing: MissingViews, most_bytes: int) -> list[str]:
    if not missing.left_out:
        return []
    return [
        f"To keep this page below {most_bytes / 1e6:.3g} MB, the feature maps of "
        f"{missing.left_out:,} of {missing.all:,} combinations of image, part and switch are not "
        "in it; their predictions are."
    ]


def _html(
    trace: Trace,
    moment: Moment,
    dataset: DataSet,
    found: Precomputed,
    opened: Mapping[str, Stage],
    off: Collection[str],
    url: str,
    held: Payloads,
    left_out: Sequence[str],
) -> str:
    run = trace.run
    drawings = [_drawing(found, state) for state in found.scores]
    script = _script()
    style = (_HERE / "page.css").read_text(encoding="utf-8")
    given = {
        "curves": [] if run.spec.imported else _curves(trace),
        "classes": dataset.classes,
        "parts": [{"name": name, "text": _words(stage)} for name, stage in opened.items()],
        "first": next(
            (n for n, s in opened.items() if isinstance(s, Block)), next(iter(opened), "")
        ),
        "states": list(found.scores),
        "scores": [[score.accuracy, score.loss] for score in found.scores.values()],
        "scored": found.scored,
        "total": found.test_images,
        "off": sorted(off),
        "drawings": drawings,
        "images": [_image(shown, list(found.scores), dataset.classes) for shown in found.images],
        "app": f"{url.rstrip('/')}/inside" if url else "",
        "net": run.id,
        "epoch": moment.epoch,
        "file": run.spec.architecture,
    }
    blobs = [packed(given), *held.texts]
    return Template((_HERE / "page.html").read_text(encoding="utf-8")).substitute(
        policy=_policy(script, [style, *_styles(drawings)], _attributes(drawings)),
        title=escape(f"{run.spec.architecture} on {dataset.title}"),
        heading=f"<bdi>{escape(run.spec.architecture)}</bdi> on <bdi>{escape(dataset.title)}</bdi>",
        subtitle=escape(run.title_after(moment)),
        facts="".join(
            f"<div><dt>{escape(name)}</dt><dd dir='auto'>{escape(text)}</dd></div>"
            for name, text in _facts(trace, moment, dataset, found)
        ),
        curves="hidden" if run.spec.imported else "",
        epochs=_table(trace),
        left_out="".join(f"<li dir='auto'>{escape(text)}</li>" for text in left_out),
        lacks="" if left_out else "hidden",
        citation=_citation(dataset),
        version=escape(explorer.__version__),
        run=escape(run.id),
        style=style,
        data="\n".join(f'<script type="application/octet-stream">{b}</script>' for b in blobs),
        script=script,
    )


def _facts(
    trace: Trace, moment: Moment, dataset: DataSet, found: Precomputed
) -> list[tuple[str, str]]:
    run, recipe = trace.run, trace.run.spec.recipe
    facts = []
    if scores := next((e for e in run.epochs if Moment(e.epoch) == moment), None):
        facts.append(("Test accuracy", f"{100 * scores.test_accuracy:.2f} %"))
    facts.append(("Parameters", f"{found.parameters:,}"))
    facts.append(("Multiply-adds for one image", f"{found.macs:,}"))
    if run.spec.imported:
        facts.append(("Weights", f"imported, {run.spec.imported}"))
    else:
        size = run.started.train_size if run.started else recipe.train_size
        amount = f"{recipe.epochs} epochs" if recipe.epochs != 1 else "1 epoch"
        facts.append(("Trained for", f"{amount} of {size:,} images" if size else amount))
        facts.append(("Recipe", f"{run.recipe_name}, seed {recipe.seed}"))
    if run.options_text:
        facts.append(("Options", run.options_text))
    facts.append(("Images", f"{dataset.title}, {dimensions(_shape(found))}"))
    facts.append(("Run", run.id))
    facts.append(("Code", run.spec.fingerprint[:12]))
    return facts


def _shape(found: Precomputed) -> tuple[int, int, int]:
    return found.spec.channels, found.spec.size, found.spec.size


def _citation(dataset: DataSet) -> str:
    words = f": <bdi>{escape(dataset.citation)}</bdi>" if dataset.citation else ""
    return f"The images are from <bdi>{escape(dataset.title)}</bdi>{words}."


def _first(opened: Mapping[str, Stage]) -> str:
    """Return the name of the first block, or else of the first stage, if there is one."""
    first_block = (name for name, stage in opened.items() if isinstance(stage, Block))
    return next(first_block, next(iter(opened), ""))


def _words(stage: Stage) -> str:
    if isinstance(stage, Block):
        return cut(f"{stage.kind} of {', '.join(stage.branches)}", LONGEST)
    return cut(", ".join(layer.text for layer in stage), LONGEST)


def _image(shown: Shown, states: Sequence[Off], classes: Sequence[str]) -> dict[str, Any]:
    switch = shown.chosen.switch
    return {
        "number": shown.chosen.number,
        "why": shown.chosen.why,
        "switch": switch,
        "label": shown.label,
        "logits": [
            [float(f"{value:.5g}") for value in shown.passes[state].logits] for state in states
        ],
    }


def _drawing(found: Precomputed, off: Off) -> str:
    return network_svg(
        found.parts,
        found.spec,
        "horizontal",
        order=lambda block: by_reach(block, found.fields),
        off=off,
    )


# --- curves


def _curves(trace: Trace) -> list[dict[str, Any]]:
    return [
        {"name": "Accuracy", **_curve(accuracy_curves([trace]))},
        {"name": "Loss", **_curve(loss_curves([trace]))},
    ]


def _curve(figure: Plain) -> dict[str, Any]:
    """Return what a chart of the app shows, without the library that it is made for there."""
    x, y = figure["layout"]["xaxis"], figure["layout"]["yaxis"]
    return {
        "epochs": max(x["tickvals"]),
        "xticks": x["tickvals"],
        "range": y["range"],
        "ticks": [[place, text] for place, text in zip(y["tickvals"], y["ticktext"], strict=True)],
        "lines": [
            {
                "name": unescape(line["name"]),
                "colour": line["line"]["color"],
                "width": line["line"]["width"],
                "dash": line["line"]["dash"] == "dash",
                "x": line["x"],
                "y": line["y"],
                "texts": line["customdata"],
            }
            for line in figure["data"]
            if line["line"]["dash"] == "dash" or "marker" in line  # training and test
        ],
    }


def _table(trace: Trace) -> str:
    rows = [
        f"<tr><th scope='row'>{e.epoch}</th><td>{100 * e.train_accuracy:.2f} %</td>"
        f"<td>{100 * e.test_accuracy:.2f} %</td><td>{e.train_loss:.4f}</td>"
        f"<td>{e.test_loss:.4f}</td></tr>"
        for e in trace.run.epochs
    ]
    return "".join(rows)


# --- scripts, styles and the policy


@cache
def _script() -> str:
    """Return the page's script, with the app's own components in it."""
    lanes = _component("lanes", "bytes, format, halves, paint")
    drawing = _component("drawing")
    text = (_HERE / "page.js").read_text(encoding="utf-8")
    parts = f"const lanes = {lanes};\nconst drawing = {drawing};\n{text}"
    return f'(() => {{\n"use strict";\n{parts}}})();'


def _component(name: str, others: str = "") -> str:
    """Return a component as an expression: what it shows, its styles, and others of its names."""
    script = (_COMPONENTS / f"{name}.js").read_text(encoding="utf-8")
    style = (_COMPONENTS / f"{name}.css").read_text(encoding="utf-8")
    body = script.replace(_EXPORT, "const component = function", 1)
    text = json.dumps(style)
    return f"(() => {{\n{body}\nreturn {{ show: component, style: {text}, {others} }};\n}})()"


def _policy(script: str, styles: Sequence[str], attributes: Sequence[str]) -> str:
    """Return a content policy: nothing is loaded, and nothing runs but what is named by its hash.

    The blank icon is a `data:` picture; without one, browsers ask the host for an icon.
    """
    allowed = " ".join(dict.fromkeys(map(_hash, [*styles, *attributes])))
    return escape(
        f"default-src 'none'; script-src {_hash(script)}; style-src 'unsafe-hashes' {allowed}; "
        "img-src data:; base-uri 'none'; form-action 'none'"
    )


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _styles(drawings: Sequence[str]) -> list[str]:
    return [style for svg in drawings for style in re.findall("<style>(.*?)</style>", svg, re.S)]


def _attributes(drawings: Sequence[str]) -> list[str]:
    found = [text for svg in drawings for text in re.findall(r' style="([^"]*)"', svg)]
    return sorted(set(map(unescape, found)))
