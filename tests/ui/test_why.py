"""The page Why?: questions, claims with their figures, and guesses before they are shown."""

import pytest
from streamlit.testing.v1 import AppTest
from ui.test_pages import SCRIPT, IdleEngine, texts

from explorer.engines.asking import AnswerError
from explorer.ui import state

GATES = """
from pathlib import Path
from typing import Annotated, Literal

from explorer import Range, hookimpl
from explorer.lessons import Axis, Bar, Bars, Lesson, Line, Lines, Part, Shown, Source


def opened(bench, *, width: Annotated[int, Range(1, 8), "Channels"] = 4):
    bars = [Bar("gates", width / 10), Bar("none", 0.1)]
    return Shown(
        {"share": f"{10 * width} %", "evil": "[x](https://evil.example)"},
        Bars("Of gates.", bars, Axis("open", percent=True)),
        "Computed now.",
        answer=width / 10,
    )


def falls(bench):
    line = Line("gates", (1, 2, 3), (0.3, 0.2, 0.1))
    lines = Lines("It falls.", [line], Axis("x", "steps"), Axis("y", low=0, high=1))
    return Shown({}, lines, guessed="gates")


def breaks(bench):
    raise ValueError("no gate")


@hookimpl
def register_lessons(register):
    guessed = [Part(opened, asks="number", unit="%"), Part(falls, asks="line", high=1)]
    parts = [*guessed, Part(breaks)]
    sources = {"s": Source("S", "https://arxiv.org/abs/1"), "bad": Source("B", "javascript:x")}
    register(Lesson("gates", Path(__file__).parent / "texts", parts, sources))
"""
TEXT = """\
# Why gates?

They open: {{opened.share}}. <b>No</b> [link](https://evil.example) {{opened.evil}}
{{figure: opened}}

## They open

{{guess: opened}} How often?
{{control: opened.width}}
{{figure: opened}}

It is {{opened.share}}, as [[one|s]] and [[another|bad]] say.

> A gate that stays shut.

## They fall

{{guess: falls}} Draw it.
{{figure: falls}}

## They break

{{figure: breaks}}
And the rest is here.
"""

CHINESE = """\
# 为什么用门？

它们开着：{{opened.share}}。{{opened.evil}}
{{figure: opened}}

## 它们是开着的

{{guess: opened}} 多久？
{{control: opened.width}}
{{figure: opened}}

[[一|s]]和[[二|bad]]说，是 {{opened.share}}。

> 一直关着的门。

## 它们下降

{{guess: falls}} 画出来。
{{figure: falls}}

## 它们坏了

{{figure: breaks}}
其余的在这里。
"""


@pytest.fixture
def app(tmp_path, fresh, monkeypatch, store):
    folder = tmp_path / "plugins"
    (folder / "texts" / "en").mkdir(parents=True)
    (folder / "gates.py").write_text(GATES)
    (folder / "texts" / "zh_CN").mkdir()
    (folder / "texts" / "en" / "gates.md").write_text(TEXT)
    (folder / "texts" / "zh_CN" / "gates.md").write_text(CHINESE, encoding="utf-8")
    monkeypatch.setenv("EXPLORER_PLUGINS", str(folder))
    monkeypatch.setattr(state, "engine", lambda: IdleEngine(store))

    def open_page(**query):
        assert "gates" in state.plugins().whole_catalogue.lessons
        app = AppTest.from_file(SCRIPT, default_timeout=120)
        app.query_params.update(query)
        app.run()
        assert not app.exception
        return app

    return open_page


def test_the_front_page_asks_the_tutorial_s_questions_first_and_a_plugin_s_after(app):
    shown = texts(app())
    places = [shown.index(f"Why {name}?") for name in ("Residual", "Inception", "1×1", "gates")]
    assert places == sorted(places)


def test_a_control_changes_the_sentence_and_the_address(app):
    page = app(about="gates")
    assert "It is **40 %**, as one (1) and another (2) say." in texts(page)
    page.slider(key="gates.opened.width").set_value(7).run()
    assert "It is **70 %**" in texts(page)
    assert page.query_params["gates.opened.width"] == "7"
    assert "It is **60 %**" in texts(app(**{"about": "gates", "gates.opened.width": "6"}))


def test_text_of_a_plugin_is_text_and_a_source_has_a_link_only_to_the_web(app):
    page = app(about="gates")
    shown = texts(page)
    assert "\\<b>No\\</b> \\[link\\](https:\u2060//evil.example)" in shown
    assert "[x](" not in shown
    links = [each.proto.page for each in page.get("page_link")]
    assert "https://arxiv.org/abs/1" in links
    assert not [link for link in links if "javascript" in link]


def test_a_part_that_fails_says_why_and_the_rest_is_there(app):
    page = app(about="gates")
    assert any("no gate" in error.value for error in page.error)
    assert "And the rest is here." in texts(page)


def test_with_predict_a_figure_comes_after_the_guess_which_stays_in_it(app):
    page = app(about="gates", predict="true")
    assert "It is **40 %**" not in texts(page)
    (number,) = page.number_input
    number.set_value(30.0)
    next(each for each in page.button if each.label == "That is my guess").click().run()
    assert not page.exception
    assert "Your guess: **30 %**" in texts(page)
    assert "It is **40 %**" in texts(page)
    assert page.query_params["predict"] == "true"


def test_without_it_nothing_is_asked(app):
    assert not app(about="gates").number_input


@pytest.mark.parametrize("about", ["nothing", "", "\x00", "gates" * 1000])
def test_a_lesson_that_is_not_there_is_named_and_all_questions_are_shown(app, about):
    assert "Why Residual?" in texts(app(about=about))


def test_an_old_address_of_train_without_a_page_leads_there(app):
    page = app(architecture="plain")
    assert "Train a network and watch it learn" in texts(page)


def test_a_lesson_is_opened_by_its_name_alone(app):
    page = app(lesson="gates", predict="true")
    assert "Why gates?" in texts(page)
    assert page.query_params["about"] == "gates"
    assert "How often?" in texts(page)


def test_what_a_lesson_shows_is_computed_once_for_all(app, monkeypatch):
    app(about="gates")

    def refuse(*args, **kwargs):
        raise AnswerError("It was asked again.")

    monkeypatch.setattr(state.plugins()._teacher, "ask", refuse)
    page = app(about="gates")
    assert "It is **40 %**" in texts(page)


def test_a_lesson_s_text_is_shown_in_the_reader_s_language(app):
    page = app(about="gates", lang="zh-CN")
    shown = texts(page)
    assert "为什么用门？" in shown
    assert "一 (1)和二 (2)说，是 **40 %**。" in shown
    assert "Why gates?" not in shown
    assert "其余的在这里。" in shown


def test_where_a_lesson_has_no_text_in_it_the_english_one_is_shown(app, tmp_path):
    (tmp_path / "plugins" / "texts" / "zh_CN" / "gates.md").unlink()
    assert "Why gates?" in texts(app(about="gates", lang="zh-CN"))
