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
from explorer import language
from explorer.charts.ahead import MissingViews, Payloads, packed, payloads
from explorer.charts.browser import drawing_words, lanes_words
from explorer.charts.curves import Trace, accuracy_curves, loss_curves
from explorer.charts.marks import cut_wide
from explorer.charts.network import merge_of
from explorer.charts.stages import Stage, stage_name, stages
from explorer.charts.style import Plain
from explorer.charts.svg import network_svg
from explorer.charts.words import detailed
from explorer.data.dataset import DataSet
from explorer.inspection.fields import by_reach
from explorer.inspection.parts import Block, blocks
from explorer.inspection.precompute import Off, Precomputed, Shown
from explorer.language import again, author, later, listed, plural, say
from explorer.text import dimensions
from explorer.training.events import Moment

MOST_BYTES = 12_000_000  # of a page
SMALLER = 0.9  # of the room for maps, each time that a page came out too large
LEAST = 1000  # bytes; no view is smaller
LONGEST = 80  # Latin letters of the words for a part

_HERE = Path(__file__).parent
_COMPONENTS = _HERE.parent / "ui" / "components"  # the app's; they are read, not imported
_EXPORT = "export default function"

# What page.html says.
_TEXT = {
    "scriptless": later(
        "This page draws with JavaScript, which is off in this browser; switch it on for this page."
    ),
    "cannot": later("This page cannot be shown in this browser: {reason}."),
    "old": later("it cannot unpack data; use a newer browser"),
    "learned": later("How it learned"),
    "dashed": later(
        "Test solid, training dashed. Point at a curve, or move along it with the arrow keys."
    ),
    "as_table": later("As a table"),
    "epoch": later("epoch"),
    "training_accuracy": later("training accuracy"),
    "test_accuracy": later("test accuracy"),
    "training_loss": later("training loss"),
    "test_loss": later("test loss"),
    "inside": later("Look inside"),
    "how": later(
        "Choose an image and a part of the network. Switch a branch off: its maps, what follows "
        "and the prediction change. All of it was computed before."
    ),
    "test_images": later("Test images"),
    "part": later("Part"),
    "all_on": later("Switch all on"),
    "open_app": later("Open this in the explorer"),
    "worth": later("What each branch is worth"),
    "branch": later("branch"),
    "accuracy_without": later("accuracy without it"),
    "points": later("points"),
    "image_without": later("this image without it"),
    "not_here": later("What is not in this page"),
    "close": later("Close"),
    "previous_map": later("Previous map"),
    "next_map": later("Next map"),
}
# What page.js says, which fills the named places.
_WORDS = {
    "comma": later(", "),
    "noSwitch": later(
        "There is no switch {switches} in this page. This combination was not computed (off: "
        "{off}); open it in the explorer:"
    ),
    "notComputed": later(
        "This combination was not computed (off: {off}); open it in the explorer:"
    ),
    "noMaps": later(
        "The feature maps of {part} are not in this page for this image and these switches; open "
        "them in the explorer:"
    ),
    "answer": later("{label} ({share})"),
    "unknown": later("Not computed"),
    "predicted": later("Predicted: {answer}"),
    "wrong": later("Predicted: {answer}; the label is {label}"),
    "change": later("{accuracy}, {points} points"),
    "intact": later("With everything on: {answer}"),
    "dashed": later("Dashed: with everything on."),
    "right": later("{label}, right"),
    "takenFor": later("{label} taken for {other}"),
    "mistake": later("a mistake: {label} taken for {other}"),
    "flip": later("without {path}, {label} is taken for {other}"),
    "map": later("Channel {channel} of {name}"),
    "mapOf": later("{name}, channel {channel} of {channels}"),
    "range": later("{height}×{width}, from {least} to {most}"),
    "pixel": later("row {row}, column {column}: {value}"),
    "epoch": later("epoch"),
}


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
    return [
        say(
            "Of each layer, the first {count} of up to {most} channels are in this page.",
            count=found.channels,
            most=most,
        )
    ]


def _missing(missing: MissingViews, most_bytes: int) -> list[str]:
    if not missing.left_out:
        return []
    return [
        say(
            "To keep this page below {size:.3g} MB, the feature maps of {count:,} of {all:,} "
            "combinations of image, part and switch are not in it; their predictions are.",
            size=most_bytes / 1e6,
            count=missing.left_out,
            all=missing.all,
        )
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
    network, images = run.spec.architecture, author(dataset.title)
    given = {
        "words": {**{name: say(text) for name, text in _WORDS.items()}, **_scored(found)},
        "curves": [] if run.spec.imported else _curves(trace),
        "classes": [author(name) for name in dataset.classes],
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
        "drawing": drawing_words(),
        "lanes": lanes_words(),
    }
    blobs = [packed(given), *held.texts]
    return Template((_HERE / "page.html").read_text(encoding="utf-8")).substitute(
        {name: escape(say(text)) for name, text in _TEXT.items()},
        language=language.current(),
        policy=_policy(script, [style, *_styles(drawings)], _attributes(drawings)),
        title=escape(say("{network} on {dataset}", network=network, dataset=images)),
        heading=say("{network} on {dataset}", network=_bdi(network), dataset=_bdi(images)),
        subtitle=escape(again(run.title_after(moment))),
        facts="".join(
            f"<div><dt>{escape(name)}</dt><dd dir='auto'>{escape(text)}</dd></div>"
            for name, text in _facts(trace, moment, dataset, found)
        ),
        curves="hidden" if run.spec.imported else "",
        epochs=_table(trace),
        left_out="".join(f"<li dir='auto'>{escape(again(text))}</li>" for text in left_out),
        lacks="" if left_out else "hidden",
        citation=_citation(dataset),
        written=say(
            "Feature maps are rounded: each to 255 steps of its own scale. Written by Architecture "
            "Explorer {version} from run {run}. This page loads nothing from elsewhere.",
            version=escape(explorer.__version__),
            run=escape(run.id),
        ),
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
        facts.append((say("Test accuracy"), f"{100 * scores.test_accuracy:.2f} %"))
    facts.append((say("Parameters"), f"{found.parameters:,}"))
    facts.append((say("Multiply-adds for one image"), f"{found.macs:,}"))
    if run.spec.imported:
        facts.append((say("Weights"), say("imported, {weights}", weights=run.spec.imported)))
    else:
        size = run.started.train_size if run.started else recipe.train_size
        amount = (
            plural(
                "{n} epoch of {size:,} images",
                "{n} epochs of {size:,} images",
                recipe.epochs,
                size=size,
            )
            if size
            else plural("{n} epoch", "{n} epochs", recipe.epochs)
        )
        facts.append((say("Trained for"), amount))
        how = say("{recipe}, seed {seed}", recipe=run.recipe_name, seed=recipe.seed)
        facts.append((say("Recipe"), how))
    if run.options_text:
        facts.append((say("Options"), again(run.options_text)))
    images = detailed([author(dataset.title), dimensions(_shape(found))])
    facts.append((say("Images"), images))
    facts.append((say("Run"), run.id))
    facts.append((say("Code"), run.spec.fingerprint[:12]))
    return facts


def _shape(found: Precomputed) -> tuple[int, int, int]:
    return found.spec.channels, found.spec.size, found.spec.size


def _citation(dataset: DataSet) -> str:
    images = _bdi(author(dataset.title))
    if not dataset.citation:
        return say("The images are from {dataset}.", dataset=images)
    citation = _bdi(author(dataset.citation))
    return say("The images are from {dataset}: {citation}.", dataset=images, citation=citation)


def _bdi(text: str) -> str:
    """Return a text as HTML that has a direction of its own."""
    return f"<bdi>{escape(text)}</bdi>"


def _scored(found: Precomputed) -> dict[str, str]:
    """Return what the page says of how many test images were scored."""
    if found.scored < found.test_images:
        accuracy = say(
            "Accuracy on the first {count:,} test images: {accuracy} %",
            count=found.scored,
            accuracy="{accuracy}",
        )
        scored = say(
            "Accuracy on the first {count:,} test images with this branch alone switched off "
            "(ablation); with everything on, it is {accuracy} %.",
            count=found.scored,
            accuracy="{accuracy}",
        )
    else:
        accuracy = say("Accuracy on all test images: {accuracy} %")
        scored = say(
            "Accuracy on all {count:,} test images with this branch alone switched off "
            "(ablation); with everything on, it is {accuracy} %.",
            count=found.test_images,
            accuracy="{accuracy}",
        )
    return {"accuracy": accuracy, "scored": scored}


def _first(opened: Mapping[str, Stage]) -> str:
    """Return the name of the first block, or else of the first stage, if there is one."""
    first_block = (name for name, stage in opened.items() if isinstance(stage, Block))
    return next(first_block, next(iter(opened), ""))


def _words(stage: Stage) -> str:
    if isinstance(stage, Block):
        return cut_wide(merge_of(stage), LONGEST)
    return cut_wide(listed([again(layer.text) for layer in stage], ","), LONGEST)


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
        {
            "name": say("Accuracy"),
            "keys": say("Accuracy by epoch; arrow keys move along the curves"),
            **_curve(
                accuracy_curves([trace]),
                say("epoch {epoch}: training accuracy {value}"),
                say("epoch {epoch}: test accuracy {value}"),
            ),
        },
        {
            "name": say("Loss"),
            "keys": say("Loss by epoch; arrow keys move along the curves"),
            **_curve(
                loss_curves([trace]),
                say("epoch {epoch}: training loss {value}"),
                say("epoch {epoch}: test loss {value}"),
            ),
        },
    ]


def _curve(figure: Plain, training: str, test: str) -> dict[str, Any]:
    """Return what a chart of the app shows, without the library that it is made for there.

    Args:
        figure: The chart.
        training: What a point of a training curve says.
        test: What one of a test curve says.
    """
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
                "dash": _is_dashed(line),
                "end": say("training {value}") if _is_dashed(line) else say("test {value}"),
                "reading": training if _is_dashed(line) else test,
                "x": line["x"],
                "y": line["y"],
                "texts": line["customdata"],
            }
            for line in figure["data"]
            if _is_dashed(line) or "marker" in line  # training and test
        ],
    }


def _is_dashed(line: Mapping[str, Any]) -> bool:
    return bool(line["line"]["dash"] == "dash")


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
    shared = [
        (_COMPONENTS / f"{name}.js").read_text(encoding="utf-8")
        for name in ("fill", "region", "table")
    ]
    before = "\n".join(shared)
    parts = f"{before}\nconst lanes = {lanes};\nconst drawing = {drawing};\n{text}"
    return f'(() => {{\n"use strict";\n{parts}}})();'


def _component(name: str, others: str = "") -> str:
    """Return a component as an expression: what it shows, its styles, and others of its names."""
    script = (_COMPONENTS / f"{name}.js").read_text(encoding="utf-8")
    style = "\n".join(
        (_COMPONENTS / f"{each}.css").read_text(encoding="utf-8") for each in ("table", name)
    )
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
