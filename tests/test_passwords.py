import contextlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from explorer import passwords
from explorer.passwords import PasswordError, demand_hash, hash_password, matches

PASSWORD = "correct horse battery"


@pytest.fixture(scope="module")
def hashed() -> str:
    return hash_password(PASSWORD)


def test_a_password_matches_its_hash_and_no_other_does(hashed):
    assert matches(PASSWORD, hashed)
    for other in ("", PASSWORD[:-1], PASSWORD + " ", PASSWORD.upper(), "x" * 5000, "\ud800"):
        assert not matches(other, hashed)


def test_no_two_hashes_are_the_same_and_none_has_the_password(hashed):
    again = hash_password(PASSWORD)
    assert again != hashed
    assert "correct" not in again
    assert matches(PASSWORD, again)


def test_a_hash_needs_no_quotes_in_a_shell_or_a_compose_file(hashed):
    assert set(hashed) <= set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789:_-")


def test_a_guess_costs_memory_and_time(monkeypatch):
    costs = []
    monkeypatch.setattr(
        passwords.hashlib, "scrypt", lambda *_, n, r, p, **__: costs.append(n * r * p) or b"x" * 32
    )
    hash_password(PASSWORD)
    assert costs == [2**15 * 8 * 3]


@pytest.mark.parametrize("length", [0, 1, 11])
def test_a_short_password_is_refused(length):
    with pytest.raises(PasswordError, match=f"has {length} characters; take at least 12"):
        hash_password("x" * length)


def test_a_very_long_password_is_refused():
    with pytest.raises(PasswordError, match="over 1,000 characters"):
        hash_password("x" * 1001)


@settings(deadline=None, max_examples=300)
@given(st.text(max_size=90))
def test_a_text_that_is_no_hash_is_refused_with_what_would_be_right(text):
    with pytest.raises(PasswordError, match="`explorer hash-password` prints the line"):
        demand_hash(text)


@settings(deadline=None, max_examples=200)
@given(data=st.data())
def test_a_damaged_hash_is_refused_or_matches_nothing(data):
    hashed = "scrypt:2:1:1:AAAAAAAAAAAAAAAAAAAAAA:" + "B" * 43
    place = data.draw(st.integers(0, len(hashed) - 1))
    damaged = hashed[:place] + data.draw(st.sampled_from("0:A$-x9")) + hashed[place + 1 :]
    with contextlib.suppress(PasswordError):
        assert not matches(PASSWORD, damaged)
