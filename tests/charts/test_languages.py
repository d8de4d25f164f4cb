"""Charts and drawings say everything in the language that is spoken where they are drawn."""

import json
import pickle
import re
from gettext import NullTranslations
from xml.etree import ElementTree

import numpy as np
import pytest
import torch
from built_ins import REGISTRY
from charts.test_page import computed, data_set, read
from charts.test_page import trace as trace_of_a_run
from plotly.graph_objects import Figure

from explorer.charts import patching
from explorer.charts.answers import answers
from explorer.charts.bars import Worth, probabilities, shares, worths
from explorer.charts.browser import drawing_words, lanes_words
from explorer.charts.curves import Trace, accuracy_curves, loss_curves
from explorer.charts.grids import gradient_history, gradients_by_depth
from explorer.charts.lanes import Shares, View, lanes
from explorer.charts.lessons import draw, with_guess
from explorer.charts.maps import saliency
from explorer.charts.page import page
from explorer.charts.svg import network_svg
from explorer.charts.updates import update_sizes
from explorer.inspection.activations import record
from explorer.inspection.outline import outline
from explorer.inspection.parts import blocks, branches, nodes
from explorer.inspection.receptive import receptive_fields
from explorer.labs.one_by_one import turns
from explorer.language import again, say, sentences, speaking
from explorer.lessons import Axis, Line, Lines, Shown
from explorer.spec import ImageSpec
from explorer.statistics.intervals import Interval
from explorer.training.events import Gradients, Moment, Update

MNIST = ImageSpec(1, 28, 10)
SVG = "{http://www.w3.org/2000/svg}"
# What is no name: a word of three letters or more, other than what Plotly or a chart has as code.
WORD = re.compile(r"[A-Za-z]{3,}")


class Marked(NullTranslations):
    """Puts what is translated between marks; what is in no place of it is left out."""

    def gettext(self, message):
        return re.sub(r"[A-Za-z’']+(?![^{]*\})", "译", message)

    def ngettext(self, one, many, number):
        return self.gettext(one if number == 1 else many)


@pytest.fixture(autouse=True)
def chinese(monkeypatch):
    """Speak a language in which each word is another."""
    known = sentences.catalogue
    monkeypatch.setattr(
        sentences, "catalogue", lambda name: Marked() if name == "zh-CN" else known(name)
    )
    with speaking("zh-CN"):
        yield


SHOWN = ("text", "ticktext", "name", "customdata", "says", "columns")


def said(chart):
    """All texts that a chart shows."""
    whole = json.loads(chart.to_json() if isinstance(chart, Figure) else json.dumps(chart))

    def texts(value, key=""):
        if isinstance(value, dict):
            for name, each in value.items():
                yield from texts(each, name)
        elif isinstance(value, list):
            for each in value:
                yield from texts(each, key)
        elif isinstance(value, str) and key in SHOWN:
            yield value
        elif isinstance(value, str) and key == "hovertemplate":
            yield re.sub(r"%\{.*?\}|</?extra>", "", value)

    whole["layout"].pop("template", None)
    return [re.sub(r"<.*?>", "", text) for text in texts(whole)]


def trace(examples):
    run = examples.runs()[0]
    return Trace(run, examples.steps(run.id), "1×1 · 2", examples.scores(run.id))


CHARTS = {
    "probabilities": lambda _: probabilities([0.9, 0.1], "01", 0, before=[0.5, 0.5]),
    "worths": lambda _: worths([Worth("1", "#000000", 0.5, 1.0, Interval(0.4, 0.3, 0.5, 9))]),
    "shares": lambda _: shares({"1": [0.1, 0.2]}, [0.0, 0.1], {"1": "#000000"}, "01", [0.3, 0.1]),
    "answers": lambda _: answers({"1": 3, "2": 4}, "2"),
    "history": lambda _: gradient_history([Gradients(1, 1, {"1": 1.0})], 10),
    "depth": lambda _: gradients_by_depth([Gradients(1, 1, {"1": 1.0})], 10),
    "saliency": lambda _: saliency(
        np.zeros((1, 4, 4), np.uint8), [("1", np.ones((4, 4), np.float32))]
    ),
    "updates": lambda _: update_sizes(
        Update(7, 1, (0,), (1,), (0.5,), {"1": 1.0}, {"1": 0.1}, {"1": 2.0}), ["1"]
    ),
    "patched": lambda _: patching.answers(*np.full((3, 2), 0.5, np.float32), "01"),
    "carried": lambda _: patching.carried([patching.Carried("1", 0, "", False, 0.5)], "1"),
    "accuracy": lambda examples: accuracy_curves([trace(examples)], quiet=[trace(examples)]),
    "loss": lambda examples: loss_curves([trace(examples)], axis="seconds"),
}


@pytest.mark.parametrize("name", CHARTS)
def test_a_chart_says_everything_in_the_language_that_is_spoken(name, examples):
    texts = said(CHARTS[name](examples))
    assert [text for text in texts if WORD.search(text)] == []
    assert "译" in "".join(texts)


@pytest.mark.parametrize("direction", ["horizontal", "vertical"])
@pytest.mark.parametrize("name", ["residual", "inception", "resnet"])
def test_a_drawing_says_everything_in_the_language_that_is_spoken(name, direction):
    parts = outline(REGISTRY[name].build(MNIST, {}), MNIST).parts
    svg = ElementTree.fromstring(network_svg(parts, MNIST, direction, unfolds=True))
    own = [element.text for element in svg.iter() if element.tag in (f"{SVG}text", f"{SVG}title")]
    own += [element.get("aria-label") for element in svg.iter() if element.get("aria-label")]
    every = [*nodes(parts), *blocks(parts)]
    names = {each.name for each in every} | {*branches(parts)}
    names |= {name for block in blocks(parts) for name in block.branches}
    # The words of layers, such as `conv 5×5`, are said where they are made.
    texts = {node.text for node in nodes(parts)}
    for known in sorted(names | texts, key=len, reverse=True):
        own = [text.replace(known, "") for text in own]
    assert [text for text in own if WORD.search(re.sub(r"\S+\.py|block\d\S*", "", text))] == []


def test_lanes_say_everything_in_the_language_that_is_spoken():
    model = REGISTRY["residual"].build(MNIST, {}).eval()
    recording = record(model, torch.zeros(1, 1, 28, 28))
    maps, fields = recording.arrays(), receptive_fields(model, (1, 28, 28))
    block = next(blocks(recording.parts))
    off = [branch.path for branch in block.branches.values()]
    drawn = lanes(
        View(block, maps, fields, off, shares=Shares({}, "7")), np.zeros((1, 28, 28)), "layer"
    )
    facts = [fact for lane in drawn["lanes"] for fact in lane["facts"]]
    for text in (*facts, drawn["shares"], *(lane["off"] for lane in drawn["lanes"])):
        assert not WORD.search(text), text
    words = [*lanes_words().values(), *drawing_words().values()]
    assert not [text for text in words if WORD.search(re.sub(r"\{.*?\}", "", text))]


def test_a_page_without_a_server_is_in_the_language_that_is_spoken():
    found = computed(REGISTRY, "residual-bn", images=1, width=8, blocks=1)
    made = page(trace_of_a_run("7"), Moment(2), data_set(title="7", citation="8"), found)
    reader, given, _ = read(made)
    assert dict(reader.tags)["html"] == {"lang": "zh-CN"}
    # Names: of the run and its code, of its recipe, and of its images.
    text = re.sub(r"[0-9a-f]{12}|tutorial|letters", "", reader.text)
    assert [word for word in WORD.findall(text) if word not in given["file"]] == []
    words = {**given["words"], **given["lanes"], **given["drawing"]}
    curves = [each for curve in given["curves"] for each in (curve["name"], curve["keys"])]
    curves += [line[name] for c in given["curves"] for line in c["lines"] for name in NAMED]
    for said in (*words.values(), *curves):
        assert not WORD.search(re.sub(r"\{.*?\}", "", said)), said


NAMED = ("name", "end", "reading")


def test_a_figure_of_a_lesson_is_said_again_where_it_is_drawn():
    with speaking("en"):
        sent = pickle.dumps(turns(None))
        there = pickle.loads(sent)
        english = draw(there.figure, "turns")
    here = draw(there.figure, "turns")
    texts = said(here)
    assert [text for text in texts if WORD.search(text)] == []
    assert {line["name"] for line in english["data"]} == {"behind a 1×1", "alone"}
    assert pickle.loads(sent).figure.lines[1].label == again(there.figure.lines[1].label) == "译"
    assert again(there.origin) == "译 译."


def test_what_is_drawn_has_one_hue_in_all_languages_and_a_guess_finds_its_line():
    def shown():
        line = Line(say("skip"), (1, 2), (0.1, 0.2))
        lines = [Line(say("several of them"), (1, 2), (0.1, 0.2)), line]
        figure = Lines(say("It falls."), lines, Axis(say("step")), Axis(say("loss")))
        return Shown({}, figure, guessed=line.label)

    with speaking("en"):
        found = pickle.dumps(shown())
        wanted = draw(shown().figure, "a")
    there = pickle.loads(found)
    own = draw(there.figure, "a")
    hues = [[line["line"]["color"] for line in plain["data"]] for plain in (own, wanted)]
    assert hues[0] == hues[1]
    assert len(with_guess(own, there, "0.1 0.2")["data"]) == 3
