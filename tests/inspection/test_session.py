"""A session answers each question once, for everyone, and each may fail without the others."""

import json
import logging
import pickle
import sys
import threading
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, fields, is_dataclass, replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from inspection.trees import UNUSUAL, CachesATable, blocks, small_data, unchanged
from torch import nn

from explorer.branches import Branches
from explorer.data.loader import Data, Split
from explorer.engines.plain import read_plain
from explorer.inspection.ablation import AblationError, ablated, mean_outputs
from explorer.inspection.activations import record
from explorer.inspection.answers import answers
from explorer.inspection.attribution import AttributionError, attribution, grad_cam
from explorer.inspection.gradients import branch_norms, gradient_norms
from explorer.inspection.linearity import linearity, linearity_between
from explorer.inspection.logit_attribution import logit_attribution
from explorer.inspection.network import Network, look_into
from explorer.inspection.outline import outline
from explorer.inspection.parts import Block
from explorer.inspection.patching import patched
from explorer.inspection.receptive import receptive_fields
from explorer.inspection.report import report
from explorer.inspection.results import INSTEAD, METHODS, costs
from explorer.inspection.session import Cache, Session, weight
from explorer.inspection.weights import filters
from explorer.spec import ImageSpec

DATA = small_data()
IMAGE = DATA.test.images[3].numpy()
INPUT = DATA.test.normalise(DATA.test.images[3:4])
BLACK = -DATA.test.mean / DATA.test.std


BLOCK = ("", ".skip", ".residual")


class Net(nn.Module):
    """A stem, two blocks and a classifier, which is listed first."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.head = nn.Linear(4 * 64, 3)
        self.second = self.block()
        self.first = self.block()
        self.stem = nn.Sequential(nn.Conv2d(1, 4, 3, padding=1), nn.ReLU())
        self.runs = 0

    @staticmethod
    def block():
        paths = {"skip": nn.Identity(), "residual": nn.Conv2d(4, 4, 3, padding=1)}
        return Branches(paths, merge="add")

    def forward(self, x):
        self.runs += 1
        return self.head(self.second(self.first(self.stem(x)).relu()).flatten(1))


@pytest.fixture
def model():
    return Net().eval()


def elsewhere(network):
    """Answer as a network in another process does, of which only bytes come back."""

    def answering(question, /, *args):
        question, args = pickle.loads(pickle.dumps((question, args)))
        return read_plain(pickle.dumps(network(question, *args), pickle.HIGHEST_PROTOCOL))

    return answering


@pytest.fixture(params=["here", "elsewhere"])
def session(model, request):
    if request.param == "here":
        return look_into(model, DATA)
    return Session(elsewhere(Network(model, DATA)))


def same(found, wanted):
    """Compare two answers: equal to the bit, of equal types, in the same order."""
    assert type(found) is type(wanted)
    if isinstance(wanted, np.ndarray):
        assert found.dtype == wanted.dtype
        np.testing.assert_array_equal(found, wanted)
    elif is_dataclass(wanted):
        for each in fields(wanted):
            same(getattr(found, each.name), getattr(wanted, each.name))
    elif isinstance(wanted, Mapping):
        assert list(found) == list(wanted)
        for name in wanted:
            same(found[name], wanted[name])
    elif isinstance(wanted, list | tuple):
        assert len(found) == len(wanted)
        for one, other in zip(found, wanted, strict=True):
            same(one, other)
    else:
        assert found == wanted


# What is asked of a session is what the functions say.


def test_the_parts_and_what_is_listed_of_them_come_in_running_order(session):
    assert [part.path for part in session.parts] == [
        *("stem.0", "stem.1", "first", "", "second", "head"),
    ]
    paths = ["first.skip", "first.residual", "second.skip", "second.residual"]
    assert session.branches == paths
    assert list(session.filters()) == ["stem.0", "first.residual", "second.residual"]
    layers, branches = session.gradients()
    assert list(layers) == ["stem.0", "first.residual", "second.residual", "head"]
    assert list(branches) == ["first.residual", "second.residual"]
    assert [verdict.block for verdict in session.linearity()] == ["first", "second"]
    assert session.in_running_order(["head", "", "stem.0.parametrizations.weight", "first"]) == [
        *("stem.0.parametrizations.weight", "first", "head", ""),
    ]


def test_fields_channels_and_costs_are_those_of_the_network(session, model):
    assert session.fields == receptive_fields(model, (1, 8, 8))
    blocks = [f"{block}{part}" for block in ("first", "second") for part in BLOCK]
    assert session.channels == {
        **dict.fromkeys(["stem.0", "stem.1", "relu()", *blocks], 4),
        "head": 3,
    }
    rows = session.costs
    assert [(row.name, row.parameters, row.macs) for row in rows] == [
        (row.name, row.parameters, row.macs) for row in costs(session.parts)
    ]
    assert all(row.milliseconds > 0 for row in rows if not row.name.endswith("skip"))


@pytest.mark.parametrize("off", [(), ("first.skip",), ("second.residual", "stem.0:1")])
def test_what_depends_on_an_image_is_what_the_functions_say_with_switches(session, model, off):
    found = session.record(IMAGE, off)
    cam = session.grad_cam(IMAGE, 1, "stem.0", off)
    attributions = [session.attribution(IMAGE, 1, method, off) for method in METHODS]
    contributions = session.logit_attribution(IMAGE, "second", off)
    scored = session.answers(off, 30)
    seen = outline(model, DATA.spec)
    with ablated(model, seen, off):
        same(found.maps, record(model, INPUT).maps)
        same(cam, grad_cam(model, seen, "stem.0", INPUT[0], 1).numpy())
        for values, method in zip(attributions, METHODS, strict=True):
            same(values, attribution(model, INPUT[0], 1, method, BLACK).numpy())
        by_hand = logit_attribution(model, seen, "second", INPUT)
        same(contributions.branches, by_hand.branches)
        wanted = answers(model, DATA.test.first(30))
    same(scored, wanted)


def test_what_depends_on_the_weights_alone_is_what_the_functions_say(session, model):
    norms = gradient_norms(model, DATA.train.normalise(DATA.train.images), DATA.train.labels)
    assert session.gradients() == (norms, branch_norms(session.parts, norms))
    assert session.linearity() == linearity(model, DATA.spec)
    found = filters(model)
    assert len(found) == len(session.filters()) == 3
    for path, wanted in found.items():
        same(session.filters()[path], wanted)


def test_patching_means_and_stretches_are_what_the_functions_say(session, model):
    seen = outline(model, DATA.spec)
    donor = DATA.test.normalise(DATA.test.images[5:6])[0]
    wanted = patched(model, seen, "first.skip", INPUT, donor)
    other = session.test_image(5)
    same(session.patched(IMAGE, other, "first.skip"), wanted.numpy())
    with ablated(model, seen, ["second.skip"]):
        wanted = patched(model, seen, "first", INPUT, donor)
    same(session.patched(IMAGE, other, "first", ["second.skip"]), wanted.numpy())
    some = DATA.test.first(30)
    means = mean_outputs(model, seen, some)
    with ablated(model, seen, ["first.skip"], means):
        wanted = answers(model, some)
    scored = session.answers(["first.skip"], 30, "mean")
    same(scored, wanted)
    zeros = session.answers(["first.skip"], 30)
    assert not np.array_equal(scored.log_probabilities, zeros.log_probabilities)
    verdict = linearity_between(model, DATA.spec, "stem.0", "stem.1")
    assert session.linearity_between("stem.0", "stem.1") == verdict


def test_the_parts_of_a_recording_have_their_multiply_adds(session):
    assert session.record(IMAGE).parts == session.parts
    assert session.record(IMAGE, ["first.skip"]).parts == session.parts
    assert session.record(IMAGE).parts[0].macs == 4 * 9 * 64


def test_an_image_that_takes_a_path_of_its_own_has_its_own_parts():
    class Turns(nn.Module):
        def __init__(self):
            super().__init__()
            self.dark, self.light = nn.Conv2d(1, 3, 8), nn.Conv2d(1, 3, 8)

        def forward(self, x):
            return (self.light if x.mean() > 0 else self.dark)(x).flatten(1)

    session = look_into(Turns().eval(), DATA)
    bright, black = np.full_like(IMAGE, 255), np.zeros_like(IMAGE)
    paths = [[part.path for part in session.record(image).parts] for image in (bright, black)]
    assert paths == [["light"], ["dark"]]


def test_a_black_pixel_is_what_normalising_makes_of_zero(model):
    black = DATA.test.normalise(torch.zeros(1, 1, 1, 1, dtype=torch.uint8))[0]
    assert torch.equal(BLACK, black)
    assert torch.equal(Network(model, DATA).black, black)


def test_images_and_labels_are_those_of_the_test(session):
    assert session.images == DATA.spec
    same(session.labels, DATA.test.labels.numpy())
    same(session.test_image(3), IMAGE)
    same(session.test_images([5, 0, 5]), DATA.test.images[[5, 0, 5]].numpy())
    assert session.test_images([]).shape == (0, 1, 8, 8)
    with pytest.raises(IndexError):
        session.test_image(len(DATA.test))


def test_all_multiply_adds_are_those_of_the_parts(session):
    assert session.outline.macs == sum(part.macs for part in session.parts) > 0


@pytest.mark.parametrize(
    ("switch", "can_be_off"),
    [
        ("first.skip", True),
        ("stem.0:3", True),
        ("first:0", True),
        ("stem.0:4", False),
        ("stem.0:-1", False),
        ("stem.0:\u0663", False),  # an Arabic 3
        ("stem.0:\u00b3", False),  # a superscript 3
        ("stem.0:" + "9" * 5000, False),  # too long for a number
        ("stem.0", False),
        ("first", False),
        ("nowhere:0", False),
        ("", False),
    ],
)
def test_branches_and_channels_that_are_there_can_be_off(session, switch, can_be_off):
    assert session.can_be_off(switch) == can_be_off
    if can_be_off:
        session.record(IMAGE, [switch])


def test_asking_leaves_the_network_unchanged(session, model):
    model.train()
    with unchanged(model):
        assert session.costs
        assert session.fields
        session.record(IMAGE, ["first.skip"])
        session.answers(["stem.0:1"])
        session.attribution(IMAGE, 0, "integrated gradients")
        session.gradients(), session.linearity(), session.filters()
        session.logit_attribution(IMAGE, "first")


# What was found is kept, and no more of it than fits.


def runs(model, ask):
    before = model.runs
    ask()
    return model.runs - before


def test_what_was_scored_is_not_scored_again_in_whatever_order_the_switches_are_named(model):
    session = look_into(model, DATA)
    assert runs(model, lambda: session.answers(("first.skip", "stem.0:1"))) > 0
    assert runs(model, lambda: session.answers(["stem.0:1", "first.skip"])) == 0
    assert runs(model, lambda: session.answers(("stem.0:1",))) > 0
    assert runs(model, lambda: session.answers(("first.skip", "stem.0:1"), 10)) > 0


def test_all_images_are_all_images_however_they_are_asked_for(model):
    session = look_into(model, DATA)
    whole = session.answers()
    assert session.answers((), len(DATA.test)) is whole
    assert session.answers((), 10_000) is whole


@pytest.mark.parametrize(
    "question", ["outline", "costs", "fields", "channels", "gradients", "linearity", "filters"]
)
def test_what_does_not_depend_on_an_image_is_found_once(model, question):
    session = look_into(model, DATA)

    def ask():
        found = getattr(session, question)
        return found() if callable(found) else found

    first = ask()
    assert runs(model, lambda: None if ask() is first else pytest.fail("found again")) == 0


ASKED_OF_AN_IMAGE = {
    "record": lambda session, image, off: session.record(image, off).logits,
    "attribution": lambda session, image, off: session.attribution(image, 1, METHODS[0], off),
    "grad_cam": lambda session, image, off: session.grad_cam(image, 1, "stem.0", off),
    "logit_attribution": lambda session, image, off: session.logit_attribution(
        image, "second", off
    ),
    "patched": lambda session, image, off: session.patched(image, IMAGE, "first", off),
    "patched_each": lambda session, image, off: session.patched_each(image, IMAGE, off),
}


@pytest.mark.parametrize("ask", ASKED_OF_AN_IMAGE.values(), ids=ASKED_OF_AN_IMAGE)
def test_what_depends_on_an_image_is_found_once_for_each_image_and_switch(model, ask):
    session = look_into(model, DATA)
    other = session.test_image(4)
    assert session.outline  # which runs a blank image
    first = ask(session, IMAGE, ["first.skip"])
    assert runs(model, lambda: ask(session, IMAGE.copy(), ("first.skip",))) == 0
    assert ask(session, IMAGE.copy(), ("first.skip",)) is first
    assert runs(model, lambda: ask(session, other, ["first.skip"])) > 0
    assert runs(model, lambda: ask(session, IMAGE, ["second.skip"])) > 0


def test_epochs_of_a_network_share_what_the_weights_do_not_change(model):
    cache = Cache(2**20)
    other = Net().eval()
    with torch.no_grad():
        other.head.weight.mul_(2)
    one, two = (
        look_into(net, DATA, network="net", weights=epoch, cache=cache)
        for epoch, net in enumerate((model, other))
    )
    assert two.fields is one.fields
    assert two.costs is one.costs
    assert two.answers() is not one.answers()
    assert two.gradients() != one.gradients()
    again = look_into(other, DATA, network="net", weights=1, cache=cache)
    assert again.answers() is two.answers()


def test_nothing_is_a_result_like_any_other():
    cache, found = Cache(1000), []
    for _ in range(2):
        assert cache.once("key", lambda: found.append("found")) is None
    assert found == ["found"]


def test_networks_of_other_code_share_nothing(model):
    cache = Cache(2**20)
    wider = nn.Sequential(nn.Conv2d(1, 1, 7), nn.Flatten(), nn.Linear(4, 3)).eval()
    one = look_into(model, DATA, network=("run", "old code"), weights=1, cache=cache)
    two = look_into(wider, DATA, network=("run", "new code"), weights=1, cache=cache)
    assert str(one.fields["stem.0"]) == "3×3"
    assert str(two.fields["0"]) == "7×7"
    assert (one.answers().log_probabilities != two.answers().log_probabilities).any()


def test_a_full_cache_forgets_what_was_unused_for_longest():
    cache = Cache(3 * weight(bytes(100)))
    for key in "abc":
        cache.put(key, key.encode() * 100)
    assert cache.get("a") == b"a" * 100
    cache.put("d", b"d" * 100)
    assert [cache.get(key) for key in "abcd"] == [b"a" * 100, None, b"c" * 100, b"d" * 100]
    assert len(cache) == 3


def test_a_large_result_makes_room_for_itself_and_a_larger_one_is_kept_alone():
    cache = Cache(1000)
    for key in "abcdefgh":
        cache.put(key, b"")
    cache.put("large", bytes(800))
    assert cache.get("large") == bytes(800)
    assert [key for key in "abcdefgh" if cache.get(key) is not None] == ["f", "g", "h"]
    cache.put("larger", bytes(5000))
    assert cache.get("larger") == bytes(5000)
    assert len(cache) == 1
    cache.put("small", b"")
    assert cache.get("small") == b""
    assert len(cache) == 1


def test_a_result_in_place_of_another_counts_once():
    cache = Cache(1000)
    cache.put("b", bytes(300))
    for _ in range(20):
        cache.put("a", bytes(500))
    assert cache.get("b") == bytes(300)
    cache.put("a", b"")
    cache.put("c", bytes(400))
    assert [len(cache.get(key)) for key in "abc"] == [0, 300, 400]


@settings(deadline=None)
@given(st.lists(st.tuples(st.sampled_from("abcdef"), st.none() | st.integers(0, 600)), max_size=40))
def test_a_cache_keeps_the_newest_results_that_fit(steps):
    cache, used = Cache(1000), {}  # what was used last, at its end
    for key, size in steps:
        if size is not None:
            used.pop(key, None)
            used[key] = bytes(size)
            cache.put(key, used[key])
            while sum(map(weight, used.values())) > 1000 and len(used) > 1:
                del used[next(iter(used))]
        else:
            assert cache.get(key) is used.get(key)
            if key in used:
                used[key] = used.pop(key)
    assert len(cache) == len(used)
    assert {key: cache.get(key) for key in "abcdef"} == {key: used.get(key) for key in "abcdef"}


def test_a_session_keeps_a_bounded_number_of_answers(model):
    def attribution_of(number, session):
        return session.attribution(DATA.test.images[number].numpy(), 1, METHODS[0])

    cache = Cache(4 * weight(attribution_of(0, look_into(model, DATA))))
    session = look_into(model, DATA, cache=cache)
    for number in range(10):
        attribution_of(number, session)
    assert len(cache) == 4
    assert runs(model, lambda: [attribution_of(n, session) for n in (6, 7, 8, 9)]) == 0
    assert runs(model, lambda: attribution_of(0, session)) > 0


def arrays(result):
    """All arrays within a result."""
    if isinstance(result, np.ndarray):
        return [result]
    if is_dataclass(result):
        result = [getattr(result, each.name) for each in fields(result)]
    if isinstance(result, Mapping):
        result = list(result.values())
    if isinstance(result, list | tuple):
        return [array for each in result for array in arrays(each)]
    return []


@dataclass(frozen=True, slots=True)
class Slots:
    image: np.ndarray
    name: str


@dataclass
class Plain:
    image: np.ndarray
    name: str


@pytest.mark.parametrize(
    "result",
    [
        np.zeros((3, 100, 10), np.float32),
        np.zeros((3, 100, 10), np.float32)[:, ::2],
        np.zeros(6000, np.float16).reshape(3, 2, -1),
        bytes(12_000),
        "a" * 12_000,
        {"a": np.zeros(1000, np.float32), "b": np.zeros(1000)},
        {"a": {"b": {"c": bytes(12_000)}}},
        [np.zeros(1500), ()],
        (np.zeros(750), {"a": [np.zeros(750)]}),
        {bytes(6000), bytes(6001)},
        frozenset([bytes(12_000)]),
        Slots(np.zeros(1500), "name"),
        Plain(np.zeros(1500), "name"),
        {"a": Slots(np.zeros(750), "a"), "b": [Plain(np.zeros(750), "b")]},
    ],
    ids=[
        *("array", "part of an array", "view", "bytes", "text", "mapping", "mappings", "list"),
        *("tuple", "set", "frozen set", "slots", "no slots", "all of them"),
    ],
)
def test_a_result_weighs_what_its_arrays_and_texts_do(result):
    kept = sum(array.nbytes for array in arrays(result)) or 12_000
    assert kept <= weight(result) <= kept + 1500


def test_what_has_no_arrays_weighs_little_and_more_of_it_more():
    for small in (0, 1.5, None, True, "", b"", (), {}, [], 10**6, np.float32(1), np.int64(3)):
        assert 0 < weight(small) <= 200
    assert 10_000 < weight(list(range(1000))) < 100_000
    assert 10_000 < weight({str(number): number for number in range(100)}) < 50_000


def size(result):
    """How many bytes of memory a result takes, with all that it refers to."""
    seen, left = {}, [result]
    while left:
        each = left.pop()
        if id(each) in seen:
            continue
        seen[id(each)] = each.nbytes if isinstance(each, np.ndarray) else sys.getsizeof(each)
        if is_dataclass(each):
            left += [getattr(each, field.name) for field in fields(each)]
        elif isinstance(each, Mapping):
            left += [*each.keys(), *each.values()]
        elif isinstance(each, list | tuple):
            left += each
    return sum(seen.values())


def test_all_answers_weigh_about_what_they_take(session):
    found = [
        *(session.outline, session.fields, session.costs, session.answers(), session.filters()),
        *(session.record(IMAGE), session.linearity(), session.gradients()),
        session.logit_attribution(IMAGE, "second"),
    ]
    assert len(found) == 9
    for answer in found:
        assert 0.8 * size(answer) < weight(answer) < 5 * size(answer)


def test_questions_about_many_images_take_no_more_room_than_their_answers_may():
    most = 2**18
    cache = Cache(most)

    def answering(question, image, *args):
        return np.zeros((1, 3), np.float32)

    session = Session(answering, cache=cache)
    for number in range(400):
        image = np.full((3, 64, 64), number, np.int64).astype(np.uint8)
        image[0, 0, :2] = divmod(number, 256)
        session.patched(image, image, "conv")
    assert len(cache) > 100
    assert size(dict(cache._kept)) < 3 * most


# Many ask at once.


def together(visitors, ask):
    """Let many threads ask at the same moment; return what each was told."""
    start = threading.Barrier(visitors)

    def visit(number):
        start.wait(10)
        return ask(number)

    with ThreadPoolExecutor(visitors) as threads:
        return list(threads.map(visit, range(visitors)))


def test_of_eight_who_ask_at_once_one_finds_it():
    cache, finding = Cache(2**20), []

    def find():
        finding.append(threading.get_ident())
        time.sleep(0.1)  # in which the others come
        return object()

    for key in ("a", "b"):
        found = together(8, lambda _, key=key: cache.once(key, find))
        assert len({id(each) for each in found}) == 1
        assert cache.get(key) is found[0]
    assert len(finding) == 2


def test_of_eight_who_ask_a_network_at_once_one_has_it_run(model):
    session = look_into(model, DATA)
    alone = runs(model, lambda: look_into(model, DATA).answers())
    assert runs(model, lambda: together(8, lambda _: session.answers())) == alone
    assert len({id(each) for each in together(8, lambda _: session.answers())}) == 1


def test_who_asks_something_else_does_not_wait():
    cache, both = Cache(2**20), threading.Barrier(8)

    def find():
        both.wait(10)  # breaks unless all eight are being found at once
        return "found"

    assert together(8, lambda number: cache.once(number, find)) == ["found"] * 8
    assert cache.once("a", lambda: cache.once("b", lambda: "of b") + " of a") == "of b of a"


def test_what_fails_is_told_to_whoever_has_it_found_and_nothing_is_kept():
    cache, tried = Cache(2**20), []

    def find():
        tried.append(threading.get_ident())
        time.sleep(0.01)
        if len(tried) < 5:
            raise LookupError(f"failed {len(tried)} times")
        return "found"

    def ask(_):
        try:
            return cache.once("a", find)
        except LookupError as error:
            return str(error)

    found = together(8, ask)
    assert sorted(found) == [*(f"failed {n} times" for n in range(1, 5)), *["found"] * 4]
    assert len(tried) == 5
    assert len(cache) == 1
    assert cache._finding == {}  # no lock is left of it


def test_a_cache_that_many_use_stays_within_its_bounds():
    cache = Cache(10 * weight(bytes(100)))

    def ask(visitor):
        return [cache.once(i * (visitor + 1) % 23, lambda: bytes(100)) for i in range(300)]

    found = together(8, ask)
    assert [len(each) for each in found] == [300] * 8
    assert len(cache) == 10
    kept = [cache.get(key) for key in range(23)]
    assert sum(each is not None for each in kept) == 10


class Watched(nn.Module):
    """Remembers in which threads it ran."""

    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(64, 3)
        self.threads = set()

    def forward(self, x):
        self.threads.add(threading.get_ident())
        return self.linear(x.flatten(1))


def test_the_asking_thread_does_the_work():
    model = Watched()
    session = look_into(model, DATA)
    session.answers()
    assert model.threads == {threading.get_ident()}
    (other,) = together(1, lambda _: (session.record(IMAGE), threading.get_ident())[1])
    assert model.threads == {threading.get_ident(), other}


# However it is asked, the answer is the same.


@st.composite
def looked_into(draw):
    """A network of a block between other layers, and its images."""
    seed, size, inputs = draw(
        st.tuples(st.integers(0, 2**31), st.integers(4, 7), st.integers(1, 2))
    )
    torch.manual_seed(seed)
    block, channels = draw(blocks(inputs))
    layers = [block, nn.ReLU(), nn.Conv2d(channels, 2, 1), nn.Flatten(), nn.Linear(2 * size**2, 3)]
    images = torch.randint(0, 256, (12, inputs, size, size), dtype=torch.uint8)
    split = Split(images, torch.randint(0, 3, (12,)), torch.rand(inputs, 1, 1), torch.ones(1, 1, 1))
    return nn.Sequential(*layers).eval(), Data(ImageSpec(inputs, size, 3), split, split)


def told(ask):
    """Return an answer, or why there is none."""
    try:
        return ask()
    except AttributionError as error:
        return str(error)


@given(looked_into(), st.data())
@settings(max_examples=20, deadline=None)
def test_a_session_gives_equal_answers_however_it_is_asked(drawn, data):
    network = Network(*drawn)
    here, there = Session(network), Session(elsewhere(network))
    same(there.outline, here.outline)
    names = [part.name for part in here.parts]
    switches = [*here.branches, *(f"{name}:0" for name in here.channels)]
    off = data.draw(st.lists(st.sampled_from(switches), max_size=3, unique=True))
    number, other, target = (data.draw(st.integers(0, end)) for end in (11, 11, 2))
    method, instead = (data.draw(st.sampled_from(given)) for given in (METHODS, INSTEAD))
    part = data.draw(st.sampled_from([*names, *here.branches]))
    first, last = sorted(data.draw(st.integers(0, len(names) - 1)) for _ in range(2))
    block = next((p.name for p in here.parts if isinstance(p, Block)), None)
    conv = data.draw(st.sampled_from(list(here.filters())))

    def ask(session):
        image, donor = session.test_image(number), session.test_image(other)
        assert session.test_images([number, other]).tolist() == [image.tolist(), donor.tolist()]
        return {
            "images": session.test_images([number, other]),
            "labels": session.labels,
            "fields": session.fields,
            "costs": [replace(row, milliseconds=None) for row in session.costs],
            "answers": session.answers(off, 7, instead),
            "stretch": session.linearity_between(names[first], names[last]),
            "linearity": session.linearity(),
            "gradients": session.gradients(),
            "filters": session.filters(),
            "recording": session.record(image, off),
            "attribution": session.attribution(image, target, method, off),
            "grad_cam": told(lambda: session.grad_cam(image, target, conv, off)),
            "contributions": session.logit_attribution(image, block, off) if block else None,
            "patched": session.patched(image, donor, part, off),
            "patched_each": session.patched_each(image, donor, off),
            "excitations": session.excitations(off, 7),
            "report": {
                **report(session, number, off, 7, instead, (part, other)),
                "cost": None,  # whose milliseconds differ from time to time
            },
        }

    found = ask(there)
    assert found["report"]["failed"] == {}
    same(found, ask(here))


# Failures.


def test_unknown_switches_are_refused_and_nothing_is_kept_of_it(session):
    for ask in (session.record, lambda image, off: session.answers(off)):
        with pytest.raises(AblationError, match=r"There is no branch 'first\.skap'"):
            ask(IMAGE, ["first.skap"])
    with pytest.raises(AttributionError, match="There is no layer 'x'"):
        session.grad_cam(IMAGE, 0, "x")


class Fussy(Net):
    """Takes nothing but single precision, so that linearity, in double, cannot be tested."""

    def forward(self, x):
        if x.dtype != torch.float32:
            raise TypeError("single precision only")
        return super().forward(x)


def test_a_section_that_fails_says_why_is_logged_and_takes_no_other_down(caplog):
    session = look_into(Fussy().eval(), DATA)
    with caplog.at_level(logging.WARNING):
        found = report(session, 3)
    assert list(found["failed"]) == ["linearity"]
    sentence = found["failed"]["linearity"]
    assert sentence.startswith("Linearity cannot be measured: It raised TypeError")
    assert "single precision only" in sentence
    assert found["linearity"] is None
    assert all(found[name] is not None for name in ("prediction", "parts", "cost", "filters"))
    assert "single precision only" in caplog.text
    assert "Traceback" in caplog.text


def test_a_network_that_runs_no_image_fails_in_every_section_that_runs_one():
    class Broken(Net):
        def forward(self, x):
            raise SystemExit("no")

    found = report(look_into(Broken().eval(), DATA), 0)
    assert set(found["failed"]) == {
        *("prediction", "parts", "score", "ablation", "logit_attribution", "cost", "gradients"),
        *("filters", "linearity"),
    }


@pytest.mark.parametrize("name", UNUSUAL)
def test_a_report_on_a_network_with_unusual_modules_has_every_section(name):
    torch.manual_seed(0)
    found = report(look_into(UNUSUAL[name]().eval(), DATA), 5, test_images=20)
    assert found["failed"] == {}
    names = [row["name"] for row in found["cost"]]
    assert [part["name"] for part in found["parts"]] == names
    assert json.loads(json.dumps(found)) == found


@pytest.mark.parametrize(
    "look",
    [
        lambda session: session.record(IMAGE),
        lambda session: session.answers(),
        lambda session: session.costs,
        lambda session: session.fields,
        lambda session: session.linearity(),
        lambda session: report(session, 0),
    ],
    ids=["record", "answers", "costs", "fields", "linearity", "report"],
)
def test_a_network_that_was_looked_at_first_can_be_differentiated_and_trained(look):
    model = CachesATable()
    session = look_into(model, DATA)
    look(session)
    assert all(norm > 0 for norm in session.gradients()[0].values())
    assert session.attribution(IMAGE, 0, "integrated gradients").any()
    optimiser = torch.optim.SGD(model.parameters(), 0.1)
    before = model.conv.weight.detach().clone()
    model.train()(INPUT).square().sum().backward()
    optimiser.step()
    assert not torch.equal(model.conv.weight, before)


# The report.


def test_the_report_is_what_the_session_says(model):
    session = look_into(model, DATA)
    off = ["first.residual"]
    found = report(session, 3, off, 25)
    recording, scored = session.record(IMAGE, off), session.answers(off, 25)
    assert found["image"] == {"number": 3, "label": int(DATA.test.labels[3])}
    assert found["prediction"]["logits"] == recording.logits[0].tolist()
    assert (found["score"]["accuracy"], found["score"]["images"]) == (scored.accuracy, 25)
    assert [row["branch"] for row in found["ablation"]] == session.branches
    for row in found["ablation"]:
        assert row["loss"] == session.answers([row["branch"]], 25).loss
        assert row["loss_difference"] == row["loss"] - session.answers((), 25).loss
    for row in found["logit_attribution"]:
        wanted = session.logit_attribution(IMAGE, row["block"], off)
        assert row["exact"] == wanted.exact
        assert row["branches"] == {n: v[0].tolist() for n, v in wanted.branches.items()}
    assert [row["milliseconds"] for row in found["cost"]] == [
        row.milliseconds for row in session.costs
    ]
    assert found["gradients"]["layers"] == session.gradients()[0]
    assert [row["block"] for row in found["linearity"]] == ["first", "second"]


def test_a_report_refuses_what_cannot_be_switched_off(model):
    for off in ("first.skap", "stem.0:4"):
        with pytest.raises(AblationError):
            report(look_into(model, DATA), 0, [off])
