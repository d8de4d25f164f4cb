"""Sentences in several languages: said, said again elsewhere, and recognised in records."""

import pickle
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from explorer import language
from explorer.errors import ExplorerError
from explorer.language import (
    Sentence,
    again,
    catalogues,
    english,
    listed,
    plural,
    recognise,
    records,
    say,
    speaking,
    spoken,
)

CATALOGUE = """
msgid ""
msgstr ""
"Content-Type: text/plain; charset=utf-8\\n"
"Plural-Forms: nplurals=1; plural=0;\\n"

msgid "{name} cannot be built: {reason}"
msgstr "无法构建 {name}：{reason}"

msgid "{share:.1%} of {count:,} test images"
msgstr "{count:,} 张图像中的 {share:.1%}"

msgid "{n:,} run"
msgid_plural "{n:,} runs"
msgstr[0] "{n:,} 次运行"

msgid "Nothing here."
msgstr "这里什么也没有。"

msgid "{x} of {y}"
msgstr "{y} 的 {x}"

msgid " and "
msgstr "和"

msgid ", "
msgstr "、"
"""


@pytest.fixture(autouse=True)
def chinese(tmp_path, monkeypatch):
    """Provide a small catalogue of Chinese."""
    file = tmp_path / "zh_CN" / "LC_MESSAGES" / "explorer.po"
    file.parent.mkdir(parents=True)
    file.write_text(CATALOGUE, encoding="utf-8")
    monkeypatch.setattr(catalogues, "LOCALE", tmp_path)
    for kept in (catalogues.catalogue, records._patterns, records._recognised):
        kept.cache_clear()
    yield
    for kept in (catalogues.catalogue, records._patterns, records._recognised):
        kept.cache_clear()


def test_a_message_is_said_in_the_spoken_language():
    assert say("Nothing here.") == "Nothing here."
    with speaking("zh-CN"):
        assert say("Nothing here.") == "这里什么也没有。"
        assert say("{share:.1%} of {count:,} test images", share=0.25, count=60_000) == (
            "60,000 张图像中的 25.0%"
        )
        assert say("Not translated: {x}", x=1) == "Not translated: 1"
        assert say("") == ""


def test_one_and_many_are_told_apart():
    assert plural("{n:,} run", "{n:,} runs", 1) == "1 run"
    assert plural("{n:,} run", "{n:,} runs", 1200) == "1,200 runs"
    with speaking("zh-CN"):
        assert plural("{n:,} run", "{n:,} runs", 1) == "1 次运行"


def test_what_an_error_says_is_said_again_in_another_language():
    inner = ExplorerError(say("Nothing here."))
    error = ExplorerError(say("{name} cannot be built: {reason}", name="net", reason=inner))
    assert str(error) == "net cannot be built: Nothing here."
    with speaking("zh-CN"):
        assert again(error) == "无法构建 net：这里什么也没有。"
        assert english(error) == "net cannot be built: Nothing here."
        assert type(english(error)) is str


def test_a_sentence_crosses_to_another_process_and_language():
    sent = pickle.dumps(say("{name} cannot be built: {reason}", name="net", reason="no"))
    with speaking("zh-CN"):
        assert pickle.loads(sent) == "无法构建 net：no"


def test_a_thread_that_speaks_no_language_speaks_english():
    found = []
    with speaking("zh-CN"):
        thread = threading.Thread(target=lambda: found.append(say("Nothing here.")))
        thread.start()
        thread.join()
    assert found == ["Nothing here."]


def test_a_thread_can_be_told_what_to_speak(monkeypatch):
    monkeypatch.setattr(spoken, "_who_knows", [lambda: None, lambda: "zh-CN"])
    found = []
    thread = threading.Thread(target=lambda: found.append(say("Nothing here.")))
    thread.start()
    thread.join()
    assert found == ["这里什么也没有。"]


def test_a_list_is_written_as_the_language_does():
    assert listed(["a", "b", "c"]) == "a, b and c"
    assert listed(["a", "b"], ",") == "a, b"
    assert listed(["a"]) == "a"
    assert listed([]) == ""
    with speaking("zh-CN"):
        assert listed(["a", "b", "c"]) == "a、b和c"


def test_a_text_of_a_record_is_recognised():
    kept = english(
        say(
            "{name} cannot be built: {reason}",
            name="net",
            reason=say("{share:.1%} of {count:,} test images", share=0.25, count=60_000),
        )
    )
    assert recognise(kept) == kept
    with speaking("zh-CN"):
        assert recognise(kept) == "无法构建 net：60,000 张图像中的 25.0%"
        assert recognise("what somebody wrote") == "what somebody wrote"


def test_a_sentence_needs_not_be_recognised():
    with speaking("zh-CN"):
        said = say("Nothing here.")
    assert recognise(said) == "Nothing here."


def test_of_several_sentences_each_is_recognised():
    with speaking("zh-CN"):
        assert recognise("Nothing here. net cannot be built: no") == (
            "这里什么也没有。 无法构建 net：no"
        )
        assert recognise("Nothing here.; 2 runs") == "这里什么也没有。; 2 次运行"


def test_a_message_of_few_words_is_no_part_of_another_text():
    with speaking("zh-CN"):
        assert recognise("the rest of it") == "the rest of it"
        assert recognise("many runs") == "many runs"


def test_a_recorded_text_is_said_where_it_is_shown():
    kept = pickle.loads(pickle.dumps(language.Recorded("net cannot be built: no")))
    error = ExplorerError(kept)
    assert again(error) == kept
    with speaking("zh-CN"):
        assert again(error) == "无法构建 net：no"
        assert say("{reason}", reason=error) == "无法构建 net：no"
        assert english(error) == "net cannot be built: no"


def test_a_sentence_that_is_changed_a_little_can_be_said_again():
    bare = language.bare(say("Nothing here."))
    capital = language.capital(say("{x} is a net.", x="mine"))
    assert (bare, capital) == ("Nothing here", "Mine is a net.")
    assert (language.bare("a."), language.capital("a")) == ("a", "A")
    with speaking("zh-CN"):
        assert again(bare) == "这里什么也没有"


@given(st.text(), st.text())
def test_whatever_a_record_says_is_shown(name, reason):
    text = say("{name} cannot be built: {reason}", name=name, reason=reason)
    with speaking("zh-CN"):
        assert "无法构建" in recognise(english(text))
        assert recognise(reason)[:0] == ""


@pytest.mark.parametrize(
    ("locale", "name"),
    [
        *[("zh-CN", "zh-CN"), ("zh_CN", "zh-CN"), ("zh-Hans-CN", "zh-CN"), ("zh-TW", "zh-CN")],
        *[("en-GB", "en"), ("EN", "en"), ("de", None), ("", None), (None, None), ("z" * 99, None)],
    ],
)
def test_the_nearest_language_is_spoken(locale, name):
    assert language.match(locale) == name


@pytest.mark.parametrize(
    ("environment", "name"),
    [
        ({"LANG": "zh_CN.UTF-8"}, "zh-CN"),
        ({"LANG": "zh_CN.UTF-8", "LC_ALL": "C"}, "en"),
        ({"LANG": "C", "LANGUAGE": "zh_CN:en"}, "zh-CN"),
        ({}, "en"),
    ],
)
def test_the_command_line_speaks_what_the_environment_says(monkeypatch, environment, name):
    for variable in ("LANGUAGE", "LC_ALL", "LC_MESSAGES", "LANG"):
        monkeypatch.delenv(variable, raising=False)
    for variable, value in environment.items():
        monkeypatch.setenv(variable, value)
    monkeypatch.setattr(spoken, "_default", "en")
    language.follow_environment()
    assert language.current() == name


@pytest.mark.parametrize(
    "message",
    [
        "{x.__class__}",
        "{x[0]}",
        "{x!z}",
        "{x:999999999}",
        "{x:{y}}",
        "{",
        "{}",
        "{0}",
        "{x:>9999d}",
    ],
)
def test_a_sentence_of_another_process_names_its_values_and_no_more(message):
    assert Sentence((message,), {"x": "a", "y": "b"}) == message


def test_the_first_language_of_several_that_is_spoken_is_chosen(monkeypatch):
    monkeypatch.setenv("LANGUAGE", "de:zh_CN:en")
    monkeypatch.setattr(spoken, "_default", "en")
    language.follow_environment()
    assert language.current() == "zh-CN"


def test_an_author_may_bring_translations():
    language.learn({"zh-CN": {"My net.": "我的网络。"}})
    said = language.author("My net.")
    assert language.author("My net.") == "My net."
    with speaking("zh-CN"):
        assert language.author("My net.") == again(said) == "我的网络。"
        assert language.author("Nothing here.") == "这里什么也没有。"
        assert language.author("Another.") == "Another."
    language.learn({})
