"""What lessons say is in the catalogue, and is said again in the process that shows it."""

import pickle

import pytest

from explorer.labs import errata, inception, one_by_one, residual
from explorer.labs.words import CHOICES, LABELS, together
from explorer.language import Sentence, again, say, sentences, speaking
from explorer.lessons import Shown
from explorer.plugin.lessons import describe
from explorer.plugin.sources import Source

LESSONS = [residual.LESSON, inception.LESSON, one_by_one.LESSON, errata.LESSON]
# Choices that are names: of data sets, networks, blocks, and of ways to initialise.
NAMES = {"mnist", "mnist-scales", "residual", "inception", "incep1", "incep2", "he", "torch"}


def options():
    plugin = Source("lessons", "lessons.py", None)
    parts = [part for each in LESSONS for part in describe(each, plugin, "f00").parts.values()]
    return [option for part in parts for option in part.options]


def test_every_label_and_choice_of_a_control_is_marked_for_the_catalogue():
    assert {option.label for option in options()} == set(LABELS)
    choices = {each for option in options() for each in option.choices if isinstance(each, str)}
    assert choices - NAMES == set(CHOICES)


def test_sentences_follow_one_another_as_the_language_has_it(monkeypatch):
    known = sentences.catalogue
    assert together(["It is."]) == "It is."
    assert together(["It is.", "It was.", "It will."]) == "It is. It was. It will."

    class Joined(type(known("en"))):
        def gettext(self, message):
            return message.replace("{first} {second}", "{first}{second}").replace("It", "它")

    monkeypatch.setattr(
        sentences, "catalogue", lambda name: Joined() if "zh" in name else known(name)
    )
    said = together([say("It is."), say("It was.")])
    with speaking("zh-CN"):
        assert again(said) == "它 is.它 was."


@pytest.mark.parametrize("part", [one_by_one.turns, one_by_one.modules, residual.paths])
def test_what_a_part_shows_knows_how_it_was_said_after_it_has_travelled(part):
    shown = pickle.loads(pickle.dumps(part(None)))
    assert isinstance(shown, Shown)
    assert isinstance(shown.origin, Sentence)
    assert isinstance(shown.figure.says, Sentence)
    assert again(shown.origin) == "Computed now."
