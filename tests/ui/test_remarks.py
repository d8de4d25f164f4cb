"""What a data set lacks is said beneath its picker, without a wait."""

import pytest
from streamlit.testing.v1 import AppTest

from explorer.data.mnist import MNIST
from explorer.engines.asking import AnswerError
from explorer.ui import remarks, state


def script():
    from explorer.data.mnist import MNIST
    from explorer.ui import remarks

    remarks.show(MNIST)


class Told:
    def __init__(self, *answers):
        self.answers, self.asked = list(answers), []

    def remarks(self, name):
        self.asked.append(name)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer


@pytest.fixture
def shown(monkeypatch):
    def shown(*answers):
        told = Told(*answers)
        monkeypatch.setattr(state, "plugins", lambda: told)
        test = AppTest.from_function(script).run()
        assert not test.exception
        assert set(told.asked) == {MNIST.name}
        return test

    return shown


def test_nothing_is_said_of_a_sound_data_set_or_while_nothing_is_known(shown):
    assert not shown(()).caption
    assert not shown(None).caption


def test_remarks_are_beneath_each_other_and_many_are_folded(shown):
    test = shown(("There is no test image of *b*.",))
    assert [each.value for each in test.caption] == [
        r":material/info: There is no test image of \*b\*."
    ]
    assert not test.expander
    many = shown(("one", "two", "three"))
    assert many.expander[0].label == "3 remarks on this data set"
    assert len(many.expander[0].caption) == 3


def test_what_cannot_be_read_is_said_before_it_is_trained_on(shown):
    test = shown(AnswerError("leaves could not be read: b/3.png cannot be used."))
    assert [each.value for each in test.warning] == [
        "leaves could not be read: b/3.png cannot be used."
    ]


def test_remarks_appear_once_they_are_known(shown):
    assert shown(None, ("one",)).caption[0].value.endswith("one")


def test_what_is_not_here_is_not_downloaded_for_it(monkeypatch):
    told = Told(("one",))
    monkeypatch.setattr(state, "plugins", lambda: told)
    monkeypatch.setattr(remarks, "is_cached", lambda *_: False)
    test = AppTest.from_function(script).run()
    assert not test.caption
    assert told.asked == []
