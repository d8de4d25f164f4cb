"""A session answers each question once, for everyone, and each may fail without the others."""

import json
import logging
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from inspection.trees import UNUSUAL, CachesATable, small_data, unchanged
from torch import nn

from explorer.branches import Branches
from explorer.inspection.ablation import AblationError, ablated, mean_outputs
from explorer.inspection.activations import record
from explorer.inspection.answers import answers
from explorer.inspection.attribution import METHODS, AttributionError, attribution, grad_cam
from explorer.inspection.cost import costs
from explorer.inspection.gradients import branch_norms, gradient_norms
from explorer.inspection.linearity import linearity, linearity_between
from explorer.inspection.logit_attribution import logit_attribution
from explorer.inspection.outline import outline
from explorer.inspection.patching import patched
from explorer.inspection.receptive import receptive_fields
from explorer.inspection.report import report
from explorer.inspection.session import Cache, Session, at_once, in_one_thread
from explorer.inspection.weights import filters

DATA = small_data()
IMAGE = DATA.test.images[3]
INPUT = DATA.test.normalise(DATA.test.images[3:4])


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


@pytest.fixture(params=[at_once, in_one_thread])
def session(model, request):
    return Session(model, DATA, worker=request.param)


def same(found, wanted):
    assert found.keys() == wanted.keys()
    for name in found:
        torch.testing.assert_close(found[name], wanted[name], rtol=0, atol=0)


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
        assert torch.equal(cam, grad_cam(model, seen, "stem.0", INPUT[0], 1))
        for values, method in zip(attributions, METHODS, strict=True):
            assert torch.equal(values, attribution(model, INPUT[0], 1, method, session.black))
        by_hand = logit_attribution(model, seen, "second", INPUT)
        same(contributions.branches, by_hand.branches)
        wanted = answers(model, DATA.test.first(30))
    assert torch.equal(scored.log_probabilities, wanted.log_probabilities)


def test_what_depends_on_the_weights_alone_is_what_the_functions_say(session, model):
    norms = gradient_norms(model, DATA.train.normalise(DATA.train.images), DATA.train.labels)
    assert session.gradients() == (norms, branch_norms(session.parts, norms))
    assert session.linearity() == linearity(model, DATA.spec)
    for path, found in filters(model).items():
        assert torch.equal(session.filters()[path].values, found.values)


def test_patching_means_and_stretches_are_what_the_functions_say(session, model):
    seen = outline(model, DATA.spec)
    donor = DATA.test.normalise(DATA.test.images[5:6])[0]
    wanted = patched(model, seen, "first.skip", INPUT, donor)
    assert torch.equal(session.patched(IMAGE, DATA.test.images[5], "first.skip"), wanted)
    with ablated(model, seen, ["second.skip"]):
        wanted = patched(model, seen, "first", INPUT, donor)
    found = session.patched(IMAGE, DATA.test.images[5], "first", ["second.skip"])
    assert torch.equal(found, wanted)
    some = DATA.test.first(30)
    means = mean_outputs(model, seen, some)
    with ablated(model, seen, ["first.skip"], means):
        wanted = answers(model, some)
    scored = session.answers(["first.skip"], 30, "mean")
    assert torch.equal(scored.log_probabilities, wanted.log_probabilities)
    zeros = session.answers(["first.skip"], 30)
    assert not torch.equal(scored.log_probabilities, zeros.log_probabilities)
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

    session = Session(Turns().eval(), DATA)
    bright, black = torch.full_like(IMAGE, 255), torch.zeros_like(IMAGE)
    paths = [[part.path for part in session.record(image).parts] for image in (bright, black)]
    assert paths == [["light"], ["dark"]]


def test_a_black_pixel_is_what_normalising_makes_of_zero(session):
    black = DATA.test.normalise(torch.zeros(1, 1, 1, 1, dtype=torch.uint8))[0]
    assert torch.equal(session.black, black)


@pytest.mark.parametrize(
    ("switch", "can_be_off"),
    [
        ("first.skip", True),
        ("stem.0:3", True),
        ("first:0", True),
        ("stem.0:4", False),
        ("stem.0:-1", False),
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
    session = Session(model, DATA)
    assert runs(model, lambda: session.answers(("first.skip", "stem.0:1"))) > 0
    assert runs(model, lambda: session.answers(["stem.0:1", "first.skip"])) == 0
    assert runs(model, lambda: session.answers(("stem.0:1",))) > 0
    assert runs(model, lambda: session.answers(("first.skip", "stem.0:1"), 10)) > 0


def test_all_images_are_all_images_however_they_are_asked_for(model):
    session = Session(model, DATA)
    whole = session.answers()
    assert session.answers((), len(DATA.test)) is whole
    assert session.answers((), 10_000) is whole


@pytest.mark.parametrize("question", ["costs", "fields", "channels", "gradients", "linearity"])
def test_what_does_not_depend_on_an_image_is_found_once(model, question):
    session = Session(model, DATA)

    def ask():
        found = getattr(session, question)
        return found() if callable(found) else found

    first = ask()
    assert runs(model, lambda: None if ask() is first else pytest.fail("found again")) == 0


def test_epochs_of_a_network_share_what_the_weights_do_not_change(model):
    cache = Cache(100)
    other = Net().eval()
    with torch.no_grad():
        other.head.weight.mul_(2)
    one, two = (
        Session(net, DATA, network="net", weights=epoch, cache=cache)
        for epoch, net in enumerate((model, other))
    )
    assert two.fields is one.fields
    assert two.costs is one.costs
    assert two.answers() is not one.answers()
    assert two.gradients() != one.gradients()
    again = Session(other, DATA, network="net", weights=1, cache=cache)
    assert again.answers() is two.answers()


def test_networks_of_other_code_share_nothing(model):
    cache = Cache(100)
    wider = nn.Sequential(nn.Conv2d(1, 1, 7), nn.Flatten(), nn.Linear(4, 3)).eval()
    one = Session(model, DATA, network=("run", "old code"), weights=1, cache=cache)
    two = Session(wider, DATA, network=("run", "new code"), weights=1, cache=cache)
    assert str(one.fields["stem.0"]) == "3×3"
    assert str(two.fields["0"]) == "7×7"
    assert one.answers().log_probabilities.ne(two.answers().log_probabilities).any()


def test_a_full_cache_forgets_what_was_unused_for_longest():
    cache = Cache(3)
    for key in "abc":
        cache.put(key, key.upper())
    assert cache.get("a") == "A"
    cache.put("d", "D")
    assert [cache.get(key) for key in "abcd"] == ["A", None, "C", "D"]
    assert len(cache) == 3


def test_a_session_keeps_a_bounded_number_of_answers(model):
    cache = Cache(4)
    session = Session(model, DATA, cache=cache)
    for images in range(1, 10):
        session.answers((), images)
    assert len(cache) == 4


# One thread does it all.


class Watched(nn.Module):
    """Remembers in which threads it ran, and whether two were ever in it at once."""

    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(64, 3)
        self.threads, self.inside, self.most = set(), 0, 0

    def forward(self, x):
        self.threads.add(threading.get_ident())
        self.inside += 1
        self.most = max(self.most, self.inside)
        y = self.linear(x.flatten(1))
        self.inside -= 1
        return y


def test_many_visitors_take_turns_in_one_thread_and_what_they_all_ask_is_found_once():
    model = Watched()
    session = Session(model, DATA, worker=in_one_thread)
    with ThreadPoolExecutor(8) as visitors:
        found = list(visitors.map(lambda _: session.answers(), range(40)))
        list(visitors.map(lambda i: session.record(IMAGE, [f"linear:{i % 3}"]), range(40)))
    assert all(each is found[0] for each in found)
    assert len(model.threads) == 1
    assert threading.get_ident() not in model.threads
    assert model.most == 1


def test_without_a_worker_the_asking_thread_does_the_work():
    model = Watched()
    Session(model, DATA).answers()
    assert model.threads == {threading.get_ident()}


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
    session = Session(Fussy().eval(), DATA)
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

    found = report(Session(Broken().eval(), DATA), 0)
    assert set(found["failed"]) == {
        *("prediction", "parts", "score", "ablation", "logit_attribution", "cost", "gradients"),
        *("filters", "linearity"),
    }


@pytest.mark.parametrize("name", UNUSUAL)
def test_a_report_on_a_network_with_unusual_modules_has_every_section(name):
    torch.manual_seed(0)
    found = report(Session(UNUSUAL[name]().eval(), DATA), 5, test_images=20)
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
    session = Session(model, DATA)
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
    session = Session(model, DATA)
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
            report(Session(model, DATA), 0, [off])
