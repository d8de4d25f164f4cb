"""What is computed ahead is what a session answers, of images that show something."""

import numpy as np
import pytest
import torch
from inspection.trees import small_data
from torch import nn

from explorer.inspection import precompute
from explorer.inspection.ablation import AblationError
from explorer.inspection.network import look_into
from explorer.inspection.precompute import (
    INTACT,
    NoSuchImageError,
    choose,
    precomputed,
)
from explorer.inspection.scores import Answers


class Net(nn.Module):
    """A stem, two residual blocks and a classifier."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.stem = nn.Conv2d(1, 4, 3, padding=1)
        self.first = nn.Conv2d(4, 4, 3, padding=1)
        self.second = nn.Conv2d(4, 4, 3, padding=1)
        self.head = nn.Linear(4 * 64, 3)

    def forward(self, x):
        x = self.stem(x).relu()
        x = (x + self.first(x)).relu()
        x = x + self.second(x)
        return self.head(x.flatten(1))


@pytest.fixture(scope="module")
def session():
    return look_into(Net().eval(), small_data())


@pytest.fixture(scope="module")
def found(session):
    return precomputed(session, [3, 7, 3], ["add().skip", "add()#2.second"])


def test_every_branch_is_switched_off_alone_and_what_was_asked_for_together(session, found):
    assert len(session.branches) == 4
    together = ("add()#2.second", "add().skip")
    assert list(found.scores) == [INTACT, together, *((path,) for path in session.branches)]
    assert [shown.chosen.number for shown in found.images] == [3, 7]
    assert all(list(shown.passes) == list(found.scores) for shown in found.images)
    assert found.failed == ()


def test_passes_and_scores_are_those_of_the_session(session, found):
    for shown in found.images:
        image = session.test_image(shown.chosen.number)
        np.testing.assert_array_equal(shown.pixels, image)
        assert shown.label == session.labels[shown.chosen.number]
        for off, own in shown.passes.items():
            recording = session.record(image, off)
            np.testing.assert_array_equal(own.logits, recording.logits[0])
            assert own.maps.keys() == recording.maps.keys()
            for name, output in recording.maps.items():
                np.testing.assert_array_equal(own.maps[name], output[0])
    for off, score in found.scores.items():
        answers = session.answers(off)
        assert (score.accuracy, score.loss) == (answers.accuracy, answers.loss)
    assert (found.scored, found.test_images) == (40, 40)


def test_what_a_switch_does_not_change_is_kept_once(found):
    passes = found.images[0].passes
    later = passes[("add()#2.second",)].maps
    assert later["stem"] is passes[INTACT].maps["stem"]
    assert later["add().first"] is later["first"]
    assert later["add()#2"] is not passes[INTACT].maps["add()#2"]


def test_maps_are_left_out_where_there_is_no_room_and_predictions_are_not(session, monkeypatch):
    maps = session.record(session.test_image(0)).maps.values()
    one = sum({output.tobytes(): output.size for output in maps}.values())
    monkeypatch.setattr(precompute, "MOST_VALUES", one + 1)
    monkeypatch.setattr(precompute, "KEPT", (256,))
    found = precomputed(session, [0, 1])
    first, second = found.images
    assert first.passes[INTACT].maps
    assert not second.passes[INTACT].maps
    assert not first.passes[("add().skip",)].maps
    assert all(own.logits.shape == (3,) for own in second.passes.values())


def test_a_large_network_keeps_the_first_channels_only(session, monkeypatch):
    monkeypatch.setattr(precompute, "MOST_VALUES", 3000)
    monkeypatch.setattr(precompute, "KEPT", (256, 2))
    found = precomputed(session, [0])
    assert found.channels == 2
    maps = found.images[0].passes[INTACT].maps
    assert maps["stem"].shape == (2, 8, 8)


def test_a_slow_network_is_scored_on_fewer_images(session, monkeypatch):
    monkeypatch.setattr(precompute, "AFFORDED", session.outline.macs * 5 * 20)
    monkeypatch.setattr(precompute, "SAMPLES", (100, 20, 10))
    assert precomputed(session, 2).scored == 20
    assert precomputed(session, 2, test_images=30).scored == 30
    assert precomputed(session, 2, test_images=0).scored == 40


def test_a_network_that_fails_with_a_branch_off_is_named_and_the_others_are_shown():
    session = look_into(Net().eval(), small_data())
    whole = precomputed(session, 2)
    assert whole.failed == ()
    real = session.answers

    def answers(off=(), *arguments):
        if off == (session.branches[0],):
            raise ZeroDivisionError("as authors do")
        return real(off, *arguments)

    session.answers = answers
    found = precomputed(session, 2)
    assert len(found.scores) == len(whole.scores) - 1
    [sentence] = found.failed
    assert sentence.startswith(f"The network without {session.branches[0]} cannot be measured: ")


def test_fields_that_cannot_be_measured_are_left_out(monkeypatch):
    def fails(*_):
        raise RuntimeError("as authors do")

    monkeypatch.setattr("explorer.inspection.network.receptive_fields", fails)
    found = precomputed(look_into(Net().eval(), small_data()), 1)
    assert found.fields == {}
    assert "What each unit sees cannot be measured" in found.failed[0]


@pytest.mark.parametrize("images", [0, -1, 101, [], [40], [-1], list(range(40)) * 3])
def test_images_that_there_are_not_are_refused(session, images):
    with pytest.raises(NoSuchImageError, match=r"there is|There is|can be shown"):
        precomputed(session, images)


def test_a_switch_that_there_is_not_is_refused(session):
    with pytest.raises(AblationError, match=r"no branch 'add.*did you mean"):
        precomputed(session, 1, ["add().skp"])


def said(labels, predicted, confidence, num_classes=3):
    """Answers with these predictions."""
    rest = (1 - np.array(confidence)) / (num_classes - 1)
    probabilities = np.repeat(rest[:, None], num_classes, axis=1)
    probabilities[np.arange(len(labels)), predicted] = confidence
    with np.errstate(divide="ignore"):
        return Answers(np.log(probabilities).astype(np.float32), np.array(labels))


LABELS = [0, 0, 1, 2, 1, 2, 0, 1]
#         0  1  2  3  4  5  6  7
INTACTLY = said(LABELS, [0, 0, 1, 2, 0, 1, 2, 1], [0.9, 0.8, 0.9, 0.9, 0.6, 0.95, 0.7, 0.99])


def test_images_are_a_flip_then_correct_ones_of_each_class_then_confident_mistakes():
    off = said(LABELS, [0, 0, 2, 2, 0, 1, 2, 0], [0.9, 0.9, 0.5, 0.9, 0.9, 0.9, 0.9, 0.8])
    both = said(LABELS, [2] * 8, [1.0] * 8)
    answers = {INTACT: INTACTLY, ("b.skip",): off, ("a", "b.skip"): both}
    chosen = choose(answers, 6)
    assert [(c.number, c.why) for c in chosen] == [
        (7, "flip"),
        (0, "right"),
        (2, "right"),
        (3, "right"),
        (5, "mistake"),
        (6, "mistake"),
    ]
    assert chosen[0].switch == "b.skip"


@pytest.mark.parametrize("count", range(1, 12))
def test_there_are_as_many_images_as_were_asked_for_if_there_are_so_many(count):
    for intact in (
        INTACTLY,
        said(LABELS, LABELS, [0.9] * 8),
        said(LABELS, [(label + 1) % 3 for label in LABELS], [0.9] * 8),
    ):
        numbers = [c.number for c in choose({INTACT: intact}, count)]
        assert len(numbers) == len(set(numbers)) == min(count, 8)
