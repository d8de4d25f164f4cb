"""Which switch tells most about a network, and on which image."""

import numpy as np

from explorer.inspection.scores import Answers
from explorer.inspection.telling import Telling, telling_switch

LABELS = np.array([0, 1, 0, 1])


class Answering:
    """Has branches, and answers as it is told with each of them off."""

    def __init__(self, intact, **without):
        self.branches = list(without)
        self._without = {(): intact, **{(path,): sure for path, sure in without.items()}}

    def answers(self, off=(), images=None, instead="zero"):
        sure = np.array(self._without[tuple(off)][:images], np.float32)
        both = np.log(np.stack([1 - sure, sure], axis=1))  # the probability of class 1
        return Answers(both, LABELS[: len(sure)])


def test_it_is_the_branch_without_which_most_is_lost_and_the_image_on_which_both_are_surest():
    network = Answering(
        [0.1, 0.9, 0.2, 0.7],
        small=[0.1, 0.9, 0.2, 0.4],
        large=[0.6, 0.4, 0.9, 0.3],
    )
    assert telling_switch(network) == Telling(
        off="large", image=2, label=0, predicted=1, accuracy=1.0, without=0.0
    )
    assert telling_switch(network).lost == 1.0
    assert telling_switch(network, images=1).image == 0


def test_a_branch_that_changes_no_answer_tells_nothing():
    assert telling_switch(Answering([0.1, 0.9, 0.2, 0.7], idle=[0.2, 0.8, 0.3, 0.6])) is None
    assert telling_switch(Answering([0.1, 0.9, 0.2, 0.7])) is None


def test_what_was_wrong_before_does_not_count():
    found = telling_switch(Answering([0.9, 0.9, 0.2, 0.7], odd=[0.8, 0.9, 0.2, 0.1]))
    assert (found.image, found.accuracy, found.without) == (3, 0.75, 0.5)


def test_it_is_written_and_read_again():
    found = Telling("block.skip", 3, 7, 2, 0.99, 0.32)
    assert Telling(**found.to_json()) == found
