"""Wording that several rooms share."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from explorer.text import significant

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
        (-4.1e6, 2, "-4.1×10⁶"),
        (math.inf, 2, "inf"),
    ],
)
def test_a_number_has_its_significant_digits(value, digits, text):
    assert significant(value, digits) == text


@given(st.floats(allow_nan=False, allow_infinity=False), st.integers(1, 6))
def test_what_is_written_is_as_close_as_its_digits_allow(value, digits):
    mantissa, _, power = significant(value, digits).partition("×10")
    read = float(f"{mantissa}e{power.translate(PLAIN) or 0}")
    assert read == float(f"{value:.{digits}g}")
