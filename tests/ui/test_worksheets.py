"""A lesson shows what it says, asks before it shows, and counts what was answered."""

import pytest
from streamlit.testing.v1 import AppTest
from ui.test_inside_page import drawn, example
from ui.test_pages import SCRIPT, IdleEngine, texts

from explorer.labs.worksheet import Question
from explorer.runs import answers
from explorer.ui import acts, predict, state
from explorer.ui.http.visitors import Visitor, pseudonym
from explorer.ui.pages.answers import to_csv

SKIP = """
title: What does the skip carry?
text: Here it is off.
values: {net: residual, image: 0, part: block2, off: block2.skip}
controls: [off]
ask: {text: "Which digit?", kind: class}
after: Switch it on.
"""
CURVES = """
title: Which one?
page: train
values: {run: [plain, residual], architecture: inception, fast.epochs: 2}
ask: {text: "Which one is better?", kind: choice, choices: ["<b>this</b>", that]}
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    folder = tmp_path / "lessons"
    folder.mkdir()
    (folder / "skip.yaml").write_text(SKIP)
    (folder / "curves.yaml").write_text(CURVES)
    (folder / "bad.yaml").write_text("titel: x\n")
    monkeypatch.setenv("EXPLORER_LESSONS", str(folder))
    monkeypatch.setenv("EXPLORER_SECRET_KEY", "k" * 40)
    return folder


@pytest.fixture
def app(folder, fresh, monkeypatch, store):
    monkeypatch.setattr(state, "engine", lambda: IdleEngine(store))

    def open_lesson(name, **query):
        app = AppTest.from_file(SCRIPT, default_timeout=120)
        app.query_params.update({"lesson": name, **query})
        app.run()
        assert not app.exception
        return app

    return open_lesson


def buttons(app) -> list[str]:
    """Return what is on the buttons, without those of the language and the size."""
    return [each.label for each in app.button if not str(each.key).startswith("reading.")]


def guess(app, value, key="ask") -> AppTest:
    (radio,) = [each for each in app.radio if each.key.startswith(key)]
    radio.set_value(value)
    next(each for each in app.button if each.label == "That is my guess").click().run()
    assert not app.exception
    return app


def test_the_answer_is_shown_after_the_guess_which_stays_beside_it(app, store):
    shown = app("skip")
    assert "# What does the skip carry?" in texts(shown)
    assert "Here it is off." in texts(shown)
    assert "**Which digit?**" in texts(shown)
    assert "Predicted" not in texts(shown)
    assert "Accuracy" not in texts(shown)
    assert "block2.skip" not in drawn(shown)
    guess(shown, "7")
    said = texts(shown)
    assert "Which digit? Your guess: **7**" in said
    assert "Switch it on." in said
    assert "**Predicted: 2 (" in said
    assert "block2.skip" in drawn(shown)
    assert answers.counts(store) == {"skip": {"7": 1}}


def test_who_opens_a_lesson_again_has_answered_and_may_answer_again(app, store):
    guess(app("skip"), "7")
    again = app("skip")
    assert "Your guess: **7**" in texts(again)
    guess(again, "2", key="again")
    assert "Your guess: **2**" in texts(again)
    assert answers.counts(store) == {"skip": {"2": 1}}


def test_without_a_choice_nothing_is_answered(app, store):
    shown = app("skip")
    next(each for each in shown.button if each.label == "That is my guess").click().run()
    assert [each.value for each in shown.toast] == ["Choose an answer first."]
    assert answers.counts(store) == {}
    assert "Predicted" not in texts(shown)


def test_hidden_controls_keep_what_the_lesson_says_whatever_the_address_says(app):
    shown = guess(
        app("skip", net=example("plain"), image="3", part="block1", scale="model", source="Draw"),
        "2",
    )
    assert "**Predicted: 2 (32.5 %); the label is 7**" in texts(shown)
    for widgets in (shown.selectbox, shown.number_input, shown.select_slider, shown.button_group):
        assert [*widgets] == []
    assert set(buttons(shown)) - {"That is my guess"} == {"Switch all on"}


def test_a_control_that_is_shown_is_in_the_address_as_what_differs(app):
    shown = guess(app("skip"), "2")
    assert dict(shown.query_params) == {"lesson": "skip"}
    next(each for each in shown.button if each.label == "Switch all on").click().run()
    assert "**Predicted: 7 (" in texts(shown)
    assert shown.query_params["off"] == "default"
    other = app("skip", off="default")
    assert "**Predicted: 7 (" in texts(other)
    other = app("skip", off=["block1.skip"])
    assert "points** without `block1.skip`" in texts(other)


def test_what_a_visitor_chose_before_is_not_in_the_lesson(app):
    shown = app("nosuch")
    shown.query_params.clear()
    shown.query_params.update({"net": example("inception"), "ask": "Pixels"})
    shown.run()
    shown.query_params.clear()
    shown.query_params["lesson"] = "skip"
    shown.run()
    guess(shown, "2")
    assert "**Predicted: 2 (32.5 %)" in texts(shown)


def test_a_lesson_on_train_hides_the_curves_until_it_is_answered(app, store):
    shown = app("curves")
    assert "**Which one is better?**" in texts(shown)
    assert "**Accuracy**" not in texts(shown)
    assert "inception" in texts(shown)  # the network beside it
    (radio,) = shown.radio
    assert radio.options == ["\\<b>this\\</b>", "that"]
    assert buttons(shown) == ["That is my guess"]
    guess(shown, "<b>this</b>")
    assert "**Accuracy**" in texts(shown)
    assert "Your guess: **\\<b>this\\</b>**" in texts(shown)
    assert "residual" in drawn(shown)
    assert "inception" not in "".join(each for each in drawn(shown).split("traces")[1:])
    assert answers.counts(store) == {"curves": {"<b>this</b>": 1}}


def test_how_the_others_guessed_is_shown_when_the_operator_allows_it(app, store):
    for visitor, text in (("x", "2"), ("y", "2")):
        answers.answer(store, "skip", visitor, text)
    shown = guess(app("skip"), "7")
    assert "How all" not in texts(shown)
    answers.show(store, "skip", is_shown=True)
    shown.run()
    assert "How all 3 guessed" in texts(shown)
    assert "7 (yours)" in drawn(shown)


@pytest.mark.parametrize("name", ["nosuch", "../skip", "x`[a](https://evil.example)", "", "a\0"])
def test_a_lesson_that_there_is_not_shows_its_sentence_and_no_page(app, name):
    shown = app(name)
    (error,) = shown.error
    assert "There is no lesson" in error.value
    assert [*shown.selectbox] == []


def test_a_lesson_with_a_mistake_says_so(app):
    (error,) = app("bad").error
    assert "bad.yaml: the key \\`title\\` is missing" in error.value


def test_a_lesson_on_a_page_that_is_not_offered_says_so(app, monkeypatch):
    monkeypatch.setenv("EXPLORER_OFFERED_PAGES", "train")
    monkeypatch.setattr(
        "explorer.ui.app.visitor", lambda: Visitor("ab" * 16, is_operator=False, is_known=True)
    )
    (error,) = app("skip").error
    assert "The lesson skip is on a page that is not offered here." in error.value


NUMBER = Question(text="q", kind="number", low=0, high=10, unit="mm")
CHOICE = Question(text="q", kind="choice", choices=("a", "b"))
CLASS = Question(text="q", kind="class")


@pytest.mark.parametrize(
    ("question", "given", "text"),
    [
        *((NUMBER, 3, "3"), (NUMBER, 0.1 + 0.2, "0.3"), (NUMBER, 10.0, "10"), (NUMBER, 11, None)),
        *((NUMBER, float("nan"), None), (NUMBER, float("inf"), None), (NUMBER, "3", None)),
        *((NUMBER, None, None), (CHOICE, "a", "a"), (CHOICE, "c", None), (CHOICE, 0, None)),
        *((CLASS, "cat", "cat"), (CLASS, "a", None), (CLASS, ["cat"], None), (CLASS, None, None)),
    ],
)
def test_an_answer_is_one_that_was_asked_for_or_none(question, given, text):
    assert predict.read(question, ("cat", "dog"), given) == text


def test_what_is_kept_of_a_visitor_differs_between_lessons_and_visitors(folder, fresh):
    ann, bob = Visitor("a" * 32), Visitor("b" * 32)
    names = {pseudonym(who, lesson) for who in (ann, bob) for lesson in ("one", "two")}
    assert len(names) == 4
    assert pseudonym(ann, "one") in names
    assert all(len(name) == 64 and ann.id not in name for name in names)


def operator_page():
    from explorer.ui.pages import operator

    operator.page()


def test_the_operator_sees_shows_and_clears_counts(folder, fresh, store):
    for visitor in ("x", "y"):
        answers.answer(store, "skip", visitor, "2")
    answers.answer(store, "gone", "x", "<b>1</b>")
    page = AppTest.from_function(operator_page, default_timeout=60).run()
    assert not page.exception
    said = texts(page)
    assert "**What does the skip carry?** `/inside?lesson=skip`" in said
    assert "bad.yaml: the key" in said
    assert "Its file is gone; its answers are kept." in said
    assert "2 answered" in said
    assert "&lt;b&gt;1" in drawn(page)
    page.toggle(key="show answers skip").set_value(True).run()
    assert answers.shown(store) == {"skip"}
    page.button(key="clear skip").click().run()
    assert not page.exception
    assert set(answers.counts(store)) == {"gone"}


def test_only_the_operator_shows_and_clears(folder, fresh, store, monkeypatch):
    monkeypatch.setattr(acts, "visitor", lambda: Visitor("ab" * 16))
    answers.answer(store, "skip", "x", "2")
    acts.show_answers("skip", is_shown=True)
    acts.clear_answers("skip")
    assert answers.shown(store) == set()
    assert answers.counts(store) == {"skip": {"2": 1}}


def test_the_file_of_all_answers_is_text_to_a_spreadsheet():
    counts = {"a": {"=1+1": 2, "-3": 1, "-3,5": 1, '"x", y': 1, "@z": 4, "-1+A1": 1}}
    assert to_csv(counts).splitlines() == [
        "lesson,answer,count",
        "a,'=1+1,2",
        "a,-3,1",
        'a,"-3,5",1',
        'a,"""x"", y",1',
        "a,'@z,4",
        "a,'-1+A1,1",
    ]
