"""A few cases of the fuzzer's kinds that need no page; `python tests/fuzz.py KIND` tries more."""

import fuzz
import pytest

CASES = {"uploads": 150, "settings": 400, "imports": 30, "plugins": 1}


@pytest.mark.parametrize("kind", CASES)
def test_whatever_is_hostile_gets_a_sentence(kind):
    done, found = fuzz.fuzz(kind, CASES[kind])
    assert done == CASES[kind]
    assert found == []


def test_a_case_is_made_from_its_seed_and_number(monkeypatch):
    def numbers(_):
        return lambda chance: [str(chance.random())] if chance.random() < 0.5 else 1 / 0

    monkeypatch.setitem(fuzz.MAKERS, "uploads", numbers)
    _, found = fuzz.fuzz("uploads", 6, seed=1)
    assert len(found) == 6
    assert any("ZeroDivisionError" in each for each in found)
    assert fuzz.fuzz("uploads", 3, seed=1, first=3)[1] == found[3:]
    assert fuzz.fuzz("uploads", 6, seed=2)[1] != found
    assert fuzz.fuzz("uploads", 6, seconds=-1) == (0, [])
