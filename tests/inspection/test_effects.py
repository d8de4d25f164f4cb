import numpy as np
import pytest

from explorer.inspection.effects import effects

BEFORE, DONOR = np.array([3, 0, 1], np.float32), np.array([-1, 5, 1], np.float32)


def test_a_patch_is_measured_by_how_far_it_moves_the_answer_to_the_donor_s():
    patched = {
        "nothing": BEFORE,
        "all": DONOR,
        "half": (BEFORE + DONOR) / 2,
        "back": BEFORE - (DONOR - BEFORE),
        "other class": np.array([3, 0, 99], np.float32),
    }
    found = effects(BEFORE, DONOR, patched)
    wanted = {"nothing": 0, "all": 1, "half": 0.5, "back": -1, "other class": 0}
    assert found == pytest.approx(wanted)


def test_two_images_of_one_class_have_no_way_between_them():
    assert effects(BEFORE, np.array([9, 0, 1], np.float32), {"all": BEFORE}) is None


def test_logits_that_are_no_numbers_have_no_way_between_them():
    assert effects(BEFORE, np.array([-1, np.inf, 1], np.float32), {"all": BEFORE}) is None
