"""A page without a server says what was computed, asks for nothing, and takes any text as text."""

import base64
import hashlib
import json
import re
import struct
import zlib
from dataclasses import replace
from datetime import UTC, datetime
from html import unescape
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from explorer.charts.ahead import packed, rounded
from explorer.charts.curves import Trace
from explorer.charts.lanes import View, as_maps, lanes
from explorer.charts.page import page
from explorer.charts.stages import stage_name, stages
from explorer.data.dataset import DataSet
from explorer.data.loader import Data, Split
from explorer.inspection.network import look_into
from explorer.inspection.parts import blocks
from explorer.inspection.precompute import INTACT, precomputed
from explorer.runs.run import UNTRAINED, Run, RunSpec, Status
from explorer.spec import ImageSpec
from explorer.text import visible
from explorer.training.events import Epoch, Moment, Started
from explorer.training.recipe import preset

GREY = ImageSpec(1, 28, 10)
COMPONENTS = Path(__file__).parents[2] / "explorer" / "ui" / "components"


def data_set(name="letters", classes=tuple("abcdefghij"), citation="By nobody (CC0)", title=""):
    return DataSet(
        name=name,
        title=title,
        images=GREY,
        classes=classes,
        read=lambda _: [],
        mean=(0.5,),
        std=(0.5,),
        citation=citation,
        version="",
    )


LETTERS = data_set()


def data(size=24):
    generator = torch.Generator().manual_seed(1)
    images = torch.randint(0, 256, (size, 1, 28, 28), generator=generator, dtype=torch.uint8)
    half = torch.full((1, 1, 1), 0.5)
    split = Split(images, torch.arange(size) % 10, half, half)
    return Data(GREY, split, split)


def trace(name="net", options=None, imported=""):
    recipe = UNTRAINED if imported else preset("tutorial").changed(epochs=2, seed=3)
    spec = RunSpec(name, options or {}, "letters", recipe, "c0de" * 16, "", imported)
    done = tuple(Epoch(i, 0.4 / i, 0.9, 0.3 / i, 0.9 + i / 100, 5.0, 900.0) for i in (1, 2))
    started = Started("cpu", 8490, 6400, 1000, 100, 2)
    run = Run(spec.id, spec, Status.FINISHED, "", datetime.now(UTC), started, done)
    return Trace(run, [], name)


def computed(registry, name, images=2, off=(), **options):
    torch.manual_seed(0)
    model = registry[name].build(GREY, options).eval()
    return precomputed(look_into(model, data()), images, off)


@pytest.fixture(scope="module")
def found(registry):
    return computed(registry, "residual-bn", width=8, blocks=2)


class Reader(HTMLParser):
    """What a browser makes of a page: elements, attributes, texts, and the content of scripts."""

    def __init__(self, html):
        super().__init__()
        self.tags, self.scripts, self.styles, self.text, self.inside = [], [], [], "", ""
        self.feed(html)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        self.inside = tag
        if tag in ("script", "style"):
            (self.scripts if tag == "script" else self.styles).append("")

    def handle_endtag(self, tag):
        self.inside = ""

    def handle_data(self, text):
        if self.inside == "script":
            self.scripts[-1] += text
        elif self.inside == "style":
            self.styles[-1] += text
        else:
            self.text += text


def unpacked(text):
    whole = zlib.decompress(base64.b64decode(text), wbits=-15)
    (length,) = struct.unpack("<I", whole[:4])
    return json.loads(whole[4 : 4 + length]), whole[4 + length :]


def read(made):
    """Return what a page has: its reader, what is not of one image, and each image."""
    reader = Reader(made.html)
    common, *images = map(unpacked, reader.scripts[:-1])
    return reader, common[0], images


def values(content, mosaic):
    at, kind = mosaic["values"]
    shape = mosaic["channels"], mosaic["height"], mosaic["width"]
    size = np.prod(shape)
    if kind == "half":
        return np.frombuffer(content, "<f2", size, at).reshape(shape)
    steps = np.frombuffer(content, "<f4", shape[0], at)
    kinds = {"byte": np.uint8, "signed": np.int8}
    codes = np.frombuffer(content, kinds[kind], size, at + 4 * shape[0])
    return codes.reshape(shape) * steps[:, None, None]


def mosaics(view):
    merge = view["merge"] or {"terms": [], "total": None}
    own = [stage for lane in view["lanes"] for stage in lane["stages"]]
    return [*own, *merge["terms"], *filter(None, [merge["total"]])]


def test_every_image_part_and_switch_is_drawn_as_the_app_draws_it(found):
    _, given_, images = read(page(trace(), Moment(2), LETTERS, found))
    opened = {stage_name(s): s for s in stages(found.parts)} | {
        b.name: b for b in blocks(found.parts)
    }
    assert [part["name"] for part in given_["parts"]] == list(opened)
    assert given_["first"] == next(blocks(found.parts)).name
    assert given_["states"] == [list(state) for state in found.scores]
    assert len(images) == len(found.images) == 2
    for (seen, content), shown in zip(images, found.images, strict=True):
        for at, state in enumerate(found.scores):
            assert seen["index"][at].keys() == opened.keys()
            for name, stage in opened.items():
                maps = shown.passes[state].maps
                wanted = lanes(View(stage, maps, found.fields, state), shown.pixels, "layer")
                view = seen["views"][seen["index"][at][name]]
                assert len(mosaics(view)) == len(mosaics(wanted)) > 0
                for mosaic, other in zip(mosaics(view), mosaics(wanted), strict=True):
                    real = as_maps(maps[mosaic["name"]])
                    step = np.abs(real).max(axis=(1, 2), keepdims=True) / 127
                    assert (np.abs(values(content, mosaic) - real) <= step / 2 + 1e-6).all()
                    assert {**mosaic, "values": 0} == json.loads(json.dumps({**other, "values": 0}))
                assert view["title"] == wanted["title"]
                assert seen["pixels"] == wanted["image"]["pixels"]


def test_predictions_and_scores_are_those_that_were_computed(found):
    made = page(trace(), Moment(2), LETTERS, found, off=["b", "a"], url="https://example.org/x/")
    _, given_, _ = read(made)
    assert given_["scores"] == [[s.accuracy, s.loss] for s in found.scores.values()]
    assert (given_["scored"], given_["total"]) == (24, 24)
    for image, shown in zip(given_["images"], found.images, strict=True):
        assert (image["number"], image["label"]) == (shown.chosen.number, shown.label)
        wanted = [list(own.logits) for own in shown.passes.values()]
        np.testing.assert_allclose(image["logits"], wanted, rtol=1e-4)
    assert given_["off"] == ["a", "b"]
    assert given_["app"] == "https://example.org/x/inside"
    assert made.left_out == ()


def test_the_page_says_what_was_trained_and_whose_images_it_shows(found):
    reader, given_, _ = read(page(trace(options={"width": 8}), Moment(1), LETTERS, found))
    for fact in (
        "net on letters",
        "91.00 %",
        f"{found.parameters:,}",
        f"{found.macs:,}",
        "2 epochs of 6,400 images",
        "tutorial, seed 3",
        "width 8",
        "By nobody (CC0)",
        "Architecture Explorer 0.",
        trace(options={"width": 8}).run.id,
    ):
        assert fact in reader.text
    assert [curve["name"] for curve in given_["curves"]] == ["Accuracy", "Loss"]
    test = given_["curves"][0]["lines"][1]
    assert (test["name"], test["x"], test["texts"]) == ("net, test", [1, 2], ["91.00 %", "92.00 %"])
    assert (given_["net"], given_["epoch"]) == (trace(options={"width": 8}).run.id, 1)


def test_imported_weights_have_no_curves(found):
    made = page(trace(imported="abcdef012345"), Moment(1), LETTERS, found)
    reader, given_, _ = read(made)
    assert given_["curves"] == []
    assert "imported, abcdef012345" in reader.text
    assert "<section hidden>" in made.html


def test_the_policy_allows_nothing_but_what_is_in_the_page(found):
    reader, given_, _ = read(page(trace(), Moment(2), LETTERS, found))
    [policy] = [a["content"] for tag, a in reader.tags if a.get("http-equiv")]
    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))

    def digest(text):
        return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"

    assert rules["default-src"] == "'none'"
    assert rules["script-src"] == digest(reader.scripts[-1])
    assert rules["img-src"] == "data:"
    assert (rules["base-uri"], rules["form-action"]) == ("'none'", "'none'")
    allowed = rules["style-src"].split()
    drawn = "".join(given_["drawings"])
    styles = [*reader.styles, *re.findall("<style>(.*?)</style>", drawn, re.DOTALL)]
    attributes = [unescape(text) for text in re.findall(r' style="(.*?)"', drawn)]
    assert len(reader.styles) == 1
    assert attributes
    assert set(allowed) == {"'unsafe-hashes'", *map(digest, [*styles, *attributes])}
    assert "connect-src" not in rules
    sources = [v for _, a in reader.tags for k, v in a.items() if k in ("src", "href", "action")]
    assert sources == ["data:,"]
    assert [a for _, a in reader.tags if "style" in a] == []


def test_the_apps_components_are_in_the_page_as_they_are(found):
    reader = Reader(page(trace(), Moment(2), LETTERS, found).html)
    script = reader.scripts[-1]
    for name in ("lanes", "drawing"):
        text = (COMPONENTS / f"{name}.js").read_text(encoding="utf-8")
        assert text.count("export default function") == 1
        assert len(re.findall("^export ", text, re.MULTILINE)) == 1
        assert text.replace("export default function", "const component = function") in script
        styles = [(COMPONENTS / f"{n}.css").read_text(encoding="utf-8") for n in ("table", name)]
        assert json.dumps("\n".join(styles)) in script
    for name in ("fill", "region", "table"):
        assert script.count((COMPONENTS / f"{name}.js").read_text(encoding="utf-8")) == 1
    assert re.findall("^(?:ex|im)port ", script, re.MULTILINE) == []
    assert "</script" not in script


@pytest.mark.parametrize("name", ["mlp", "plain", "inception-bn", "densenet", "resnet"])
def test_any_architecture_can_be_written(registry, name):
    found = computed(registry, name, images=1)
    made = page(trace(name), Moment(2), LETTERS, found)
    _, given_, [(seen, _)] = read(made)
    assert len(given_["parts"]) == len(seen["index"][0]) > 1
    assert len(given_["drawings"]) == len(found.scores)
    assert len(made.html) < 6_000_000
    assert made.left_out == ()


def test_a_page_that_would_be_too_large_leaves_maps_out_and_says_so(registry):
    found = computed(registry, "resnet34", images=2, depth=18, width=8)
    whole = page(trace(), Moment(2), LETTERS, found)
    small = page(trace(), Moment(2), LETTERS, found, most_bytes=400_000)
    assert whole.left_out == ()
    assert len(small.html.encode()) <= 400_000 < len(whole.html.encode())
    [sentence] = small.left_out
    reader, given_, images = read(small)
    count, of = re.search(r"maps of ([\d,]+) of ([\d,]+) combinations", sentence).groups()
    views = sum(len(index) for seen, _ in images for index in seen["index"])
    assert int(of.replace(",", "")) - int(count.replace(",", "")) == views > 0
    assert sentence in reader.text
    # The intact network comes first, and no prediction is left out.
    assert len(images[0][0]["index"][0]) > len(images[1][0]["index"][-1])
    assert all(len(image["logits"]) == len(given_["states"]) for image in given_["images"])


def test_a_page_that_has_room_for_no_maps_still_has_its_predictions(found):
    _, given_, images = read(page(trace(), Moment(2), LETTERS, found, most_bytes=1))
    assert all(index == {} for seen, _ in images for index in seen["index"])
    assert len(images) == len(given_["images"]) == 2


def test_channels_that_are_left_out_are_named(found):
    made = page(trace(), Moment(2), LETTERS, replace(found, channels=2))
    assert made.left_out[0].startswith("Of each layer, the first 2 of up to ")


NASTY = [
    "</script><script>alert(1)</script>",
    "\"'><img src=x onerror=alert(1)>",
    "<!--<script>",
    "]]>",
    "שלום‮abc‬",
    "😀🏳️‍🌈",
    "$title ${script} $$",
    "\u2028\u2029\\",
    "&lt;b&gt;",
]


@settings(max_examples=25, deadline=None)
@given(st.data())
def test_any_text_stays_text(found, data):
    text = st.sampled_from(NASTY) | st.text(
        st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=12
    )
    name, option, title, citation, sentence = (data.draw(text) for _ in range(5))
    classes = tuple(f"{data.draw(text)}{number}" for number in range(10))
    dataset = data_set(classes=classes, citation=citation, title=title)
    made = page(
        trace(name, {option: option}), Moment(2), dataset, replace(found, failed=(sentence,))
    )
    plain = page(trace(), Moment(2), LETTERS, replace(found, failed=("x",)))
    reader, given_, images = read(made)
    wanted = Reader(
        page(trace(options={"a": 1}), Moment(2), LETTERS, replace(found, failed=("x",))).html
    )
    assert [tag for tag, _ in reader.tags] == [tag for tag, _ in wanted.tags]
    assert len(reader.scripts) == len(Reader(plain.html).scripts) == 2 + len(images)
    assert given_["classes"] == list(classes)
    assert given_["curves"][0]["lines"][1]["name"] == f"{visible(name)}, test"
    for shown in (name, option, title, citation, sentence):
        assert shown in reader.text


@settings(max_examples=100, deadline=None)
@given(
    arrays(np.float32, (3, 4, 5), elements=st.floats(-1e5, 1e5, width=32))
    | arrays(np.float32, (3, 4, 5), elements=st.floats(0, 8, width=32))
    | arrays(np.float32, (2, 1, 1), elements=st.floats(width=32))
    | arrays(np.float32, (2, 3, 3), elements=st.floats(width=32))
)
def test_a_rounded_map_is_within_half_a_step_and_zero_stays_zero(maps):
    kind, content = rounded(maps)
    channels, height, width = maps.shape
    mosaic = {"values": [0, kind], "channels": channels, "height": height, "width": width}
    back = values(content, mosaic).astype(np.float64)
    clipped = maps.clip(-65504, 65504).astype(np.float64)
    if kind == "half":
        np.testing.assert_allclose(back, clipped, rtol=1e-3, atol=1e-7)
        return
    assert (back[clipped == 0] == 0).all()
    steps = np.abs(clipped).max(axis=(1, 2), keepdims=True) / (127 if kind == "signed" else 255)
    assert (np.abs(back - clipped) <= steps * 0.501 + 1e-37).all()


def test_what_is_packed_is_unpacked():
    assert unpacked(packed({"ü": [1, None]}, b"\0\xff")) == ({"ü": [1, None]}, b"\0\xff")
    assert INTACT == ()
