"""One answer of each visitor, as counts."""

import threading

import pytest

from explorer.runs import answers
from explorer.runs.answers import EnoughAnswersError
from explorer.runs.store import RunStore


@pytest.fixture
def shared(database):
    store = RunStore(database.url)
    yield store
    store.close()


def test_each_visitor_has_one_answer_of_each_lesson(shared):
    for lesson, visitor, text in (
        ("one", "ann", "7"),
        ("one", "bob", "2"),
        ("one", "eve", "2"),
        ("one", "ann", "3"),
        ("two", "ann", "7"),
    ):
        answers.answer(shared, lesson, visitor, text)
    assert answers.counts(shared) == {"one": {"2": 2, "3": 1}, "two": {"7": 1}}
    assert list(answers.counts(shared)["one"]) == ["2", "3"]
    assert answers.counts(shared, "two") == {"two": {"7": 1}}
    assert answers.counts(shared, "three") == {}
    assert answers.answered(shared, "one", "ann") == "3"
    assert answers.answered(shared, "two", "bob") is None
    answers.clear(shared, "one")
    assert answers.counts(shared) == {"two": {"7": 1}}
    assert answers.answered(shared, "one", "ann") is None


def test_answers_are_shown_when_that_is_said_and_no_longer(shared):
    for is_shown in (True, True):
        answers.show(shared, "one", is_shown=is_shown)
    assert answers.shown(shared) == {"one"}
    answers.show(shared, "two", is_shown=False)
    answers.show(shared, "one", is_shown=False)
    assert answers.shown(shared) == set()


def test_so_many_answers_are_kept_and_so_many_different_ones(shared, monkeypatch):
    monkeypatch.setattr(answers, "MOST_DIFFERENT", 2)
    monkeypatch.setattr(answers, "MOST_ANSWERS", 4)
    for visitor, text in zip("abc", "121", strict=True):
        answers.answer(shared, "one", visitor, text)
    with pytest.raises(EnoughAnswersError, match="2 different answers"):
        answers.answer(shared, "one", "d", "3")
    answers.answer(shared, "one", "d", "2")
    with pytest.raises(EnoughAnswersError, match="4 answers, as many as are kept"):
        answers.answer(shared, "one", "e", "2")
    answers.answer(shared, "one", "a", "2")  # in the place of the one before
    assert answers.counts(shared) == {"one": {"2": 3, "1": 1}}
    with pytest.raises(EnoughAnswersError):
        answers.answer(shared, "one", "a", "3")
    assert answers.answered(shared, "one", "a") == "2"  # what cannot be kept replaces nothing


@pytest.mark.parametrize("text", ["a\0b", "\ud800", "x" * 500, "'; DROP TABLE answers; --", ""])
def test_any_text_is_kept_as_text_and_found_again(shared, text):
    answers.answer(shared, text, text, text)
    (counted,) = answers.counts(shared).values()
    assert list(counted.values()) == [1]
    assert answers.answered(shared, text, text) == next(iter(counted))


def test_one_visitor_in_many_windows_has_one_answer(shared):
    failed = []

    def answer(number: int) -> None:
        try:
            answers.answer(shared, "one", "ann", str(number))
        except Exception as error:
            failed.append(error)

    threads = [threading.Thread(target=answer, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    assert sum(answers.counts(shared)["one"].values()) == 1
