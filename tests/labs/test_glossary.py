"""Each word of the glossary has an address and two sentences."""

import re

import pytest

from explorer.labs.glossary import ENTRIES


def test_every_word_has_an_address_of_its_own():
    names = [entry.name for entry in ENTRIES]
    assert len({*names}) == len(names) == len({entry.term for entry in ENTRIES}) > 20


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.name)
def test_a_word_is_explained_in_two_sentences(entry):
    assert re.fullmatch("[a-z0-9]+(-[a-z0-9]+)*", entry.name)
    assert len(re.findall(r"\.(?: [A-Z]|$)", entry.text)) == 2
    assert entry.text.endswith(".")
