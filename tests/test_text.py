"""Wording that several rooms share."""

import math
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from explorer.language import Sentence, say
from explorer.text import date_words, on_one_line, signed, significant, suggest, thousands

PLAIN = str.maketrans("⁻⁰¹²³⁴⁵⁶⁷⁸⁹", "-0123456789")


@pytest.mark.parametrize(
    ("value", "digits", "text"),
    [
        (0.0, 2, "0"),
        (0.4, 2, "0.4"),
        (1234.5, 2, "1200"),
        (3.2e-9, 1, "3×10⁻⁹"),
        (5.84e-13, 2, "5.8×10⁻¹³"),
        (9.99e-10, 2, "1×10⁻⁹"),
        (-4.1e6, 2, "−4.1×10⁶"),
        (math.inf, 2, "inf"),
    ],
)
def test_a_number_has_its_significant_digits(value, digits, text):
    assert significant(value, digits) == text


@given(st.floats(allow_nan=False, allow_infinity=False), st.integers(1, 6))
def test_what_is_written_is_as_close_as_its_digits_allow(value, digits):
    mantissa, _, power = significant(value, digits).partition("×10")
    read = float(f"{mantissa.replace('−', '-')}e{power.translate(PLAIN) or 0}")
    assert read == float(f"{value:.{digits}g}")


@pytest.mark.parametrize(
    ("value", "text"),
    [(-62.6, "−62.60"), (0.5, "+0.50"), (0.0, "0.00"), (-0.001, "0.00"), (0.004, "0.00")],
)
def test_a_difference_has_its_sign_and_none_if_it_is_nothing(value, text):
    assert signed(value, 2) == text


@pytest.mark.parametrize(
    ("number", "text"), [(999, "999"), (23_040, "23 k"), (1_411_200, "1.41 M"), (0, "0")]
)
def test_a_large_number_has_three_digits(number, text):
    assert thousands(number) == text


def test_a_minus_is_no_hyphen():
    assert significant(-0.5) == "−0.5"
    assert significant(-3e-9) == "−3×10⁻⁹"


@pytest.mark.parametrize(
    ("name", "known", "end"),
    [
        ("widht", ["width", "depth"], "did you mean 'width'?"),
        ("x", ["width", "depth", "seed"], "there are width, depth, seed."),
        ("x", ["width"], "there is width."),
        ("x", [], "there is none."),
    ],
)
def test_what_was_meant_is_suggested_or_what_there_is_named(name, known, end):
    assert suggest(name, known) == end


def test_a_date_is_written_with_its_month_in_words():
    assert date_words(date(2026, 3, 5)) == "5 March 2026"
    assert date_words(date(2025, 12, 31)) == "31 December 2025"


def test_a_sentence_on_one_line_stays_one_that_can_be_said_again():
    assert on_one_line("two\n lines\x00") == "two lines�"
    assert type(on_one_line(say("one line"))) is Sentence
    assert type(on_one_line(say("{x} line", x="one\n"))) is str
