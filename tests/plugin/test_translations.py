"""A plugin brings translations of its texts, and they are shown to who reads the language."""

import importlib.util
import pickle
from pathlib import Path

import pytest
from built_ins import REGISTRY

from explorer import language
from explorer.checks.findings import Report
from explorer.checks.plugins import load_beside_built_ins
from explorer.checks.translations import (
    texts_of,
    texts_of_images,
    texts_of_lesson,
    with_translations,
)
from explorer.engines.children import Nursery
from explorer.engines.plain import read_plain
from explorer.engines.plugins import Plugins
from explorer.language import author, speaking
from explorer.plugin.catalogue import Catalogue, both
from explorer.plugin.families import families
from explorer.plugin.registry import load
from explorer.plugin.sources import from_target, in_folders
from explorer.settings import Settings

PLUGIN = '''
"""Own nets: of one layer."""

from typing import Annotated, Literal

from torch import nn

from explorer import ImageSpec, Range, hookimpl


@hookimpl
def register_architectures(register):
    register(Own)


@hookimpl
def register_translations(register):
    CALLS


class Own(nn.Sequential):
    """One layer that is
    linear.

    And another
    paragraph.

    And one without a translation.
    """

    def __init__(
        self,
        images: ImageSpec,
        *,
        use_bias: Annotated[bool, "Add a bias"] = True,
        start: Annotated[Literal["zeros", "noise"], "The first weights"] = "noise",
    ):
        pixels = images.channels * images.size**2
        super().__init__(nn.Flatten(), nn.Linear(pixels, images.num_classes, use_bias))
'''
OWN = {
    "Own nets: of one layer.": "自己的网络：只有一层。",
    "One layer that is linear.": "一个线性层。",
    "And another\n    paragraph.": "还有一段。",
    "Use bias": "使用偏置",
    "Add a bias": "加上偏置",
    "Start": "初值",
    "The first weights": "最初的权重",
    "zeros": "零",
    "noise": "噪声",
}
TRANSLATED = {language.one_line(text): told for text, told in OWN.items()}


@pytest.fixture(autouse=True)
def taught():
    yield
    language.learn({})


def plugin(folder: Path, *calls: str, name: str = "own") -> Path:
    file = folder / f"{name}.py"
    file.write_text(PLUGIN.replace("CALLS", "\n    ".join(calls)), encoding="utf-8")
    return file


def loaded(file: Path):
    return load([from_target(str(file))])


def test_a_plugin_s_translations_are_known_by_language_and_by_the_text(tmp_path):
    registry = loaded(plugin(tmp_path, f'register("zh-CN", {OWN!r})'))
    assert registry.broken == ()
    assert registry.translations == {"zh-CN": TRANSLATED}


def test_what_the_author_wrote_is_shown_in_the_reader_s_language(tmp_path):
    registry = loaded(plugin(tmp_path, f'register("zh-CN", {OWN!r})'))
    own = registry["own"]
    language.learn(registry.translations)
    bias, start = own.options
    with speaking("zh-CN"):
        assert author(own.summary) == "一个线性层。"
        assert author(own.description) == (
            "一个线性层。\n\n还有一段。\n\nAnd one without a translation."
        )
        assert (author(bias.label), author(bias.help)) == ("使用偏置", "加上偏置")
        assert [author(each) for each in start.choices] == ["零", "噪声"]
        (family,) = families([own])
        assert (family.title, family.line) == ("自己的网络", "只有一层")
    assert author(own.description) == own.description
    (family,) = families([own])
    assert (family.title, family.line) == ("Own nets", "Of one layer")


def test_languages_are_named_as_anybody_writes_them(tmp_path):
    calls = [f"register({tag!r}, {{'One {tag}.': '一'}})" for tag in ("zh-CN", "zh_CN", "ZH-cn")]
    registry = loaded(plugin(tmp_path, *calls, "register('nds', {'One.': 'Een.'})"))
    assert registry.broken == ()
    assert set(registry.translations) == {"zh-CN", "nds"}
    assert len(registry.translations["zh-CN"]) == 3


@pytest.mark.parametrize("tags", [("zh-TW", "zh-CN"), ("zh-CN", "zh-TW")])
def test_a_near_language_is_taken_for_what_the_language_itself_lacks(tmp_path, tags):
    texts = {
        "zh-TW": {"A net.": "一個網路。", "A skip.": "跳接。"},
        "zh-CN": {"A net.": "一个网络。"},
    }
    calls = [f"register({tag!r}, {texts[tag]!r})" for tag in tags]
    registry = loaded(plugin(tmp_path, *calls))
    assert registry.translations == {"zh-CN": {"A net.": "一个网络。", "A skip.": "跳接。"}}


def test_a_translation_that_is_empty_is_none(tmp_path):
    registry = loaded(plugin(tmp_path, "register('zh-CN', {'A.': ' ', 'B.': '', 'C.': '丙。 '})"))
    assert registry.translations == {"zh-CN": {"C.": "丙。"}}


def test_of_two_plugins_that_translate_a_text_the_first_has_it(tmp_path):
    plugin(tmp_path, "register('zh-CN', {'A.': '甲。', 'B.': '乙。'})", name="a")
    second = plugin(tmp_path, "register('zh-CN', {'A.': '子。', 'C.': '丙。'})", name="b")
    second.write_text(second.read_text("utf-8").replace("Own", "Other"), encoding="utf-8")
    registry = load(in_folders([tmp_path]))
    assert registry.broken == ()
    assert registry.translations == {"zh-CN": {"A.": "甲。", "B.": "乙。", "C.": "丙。"}}
    assert both({"de": {"A.": "A"}}, {"fr": {"A.": "a"}}) == {"de": {"A.": "A"}, "fr": {"A.": "a"}}


WRONG = [
    ("'Chinese', {}", "The language of translations is written as in 'zh-CN', not 'Chinese'."),
    ("'', {}", "The language of translations is written as in 'zh-CN', not ''."),
    ("None, {}", "The language of translations is written as in 'zh-CN', not None."),
    (
        "'zh-CN', [('A.', '甲。')]",
        "Translations are a dictionary from texts to the same texts in zh-CN, not [('A.', '",
    ),
    (
        "'zh-CN', 'A.'",
        "Translations are a dictionary from texts to the same texts in zh-CN, not 'A.'.",
    ),
    (
        "'zh-CN', {'A.': 1}",
        "The translation of 'A.' into zh-CN is 1; both must be texts.",
    ),
    (
        "'zh-CN', {None: '甲。'}",
        "The translation of None into zh-CN is '甲。'; both must be texts.",
    ),
    ("'zh-CN'", "It raised TypeError, line 18: "),
]


@pytest.mark.parametrize(("arguments", "sentence"), WRONG)
def test_what_is_wrong_with_translations_is_one_sentence(tmp_path, arguments, sentence):
    registry = loaded(plugin(tmp_path, f"register({arguments})"))
    (broken,) = registry.broken
    assert broken.name == ""
    assert broken.reason.removeprefix("Line 18: ").startswith(sentence)
    assert list(registry.architectures) == ["own"]  # which is as good as without them
    assert registry.translations == {}


def test_a_plugin_may_have_nothing_but_translations(tmp_path):
    file = tmp_path / "chinese.py"
    hook = "from explorer import hookimpl\n@hookimpl\ndef register_translations(register):\n    "
    file.write_text(f"{hook}register('zh-CN', {{'A.': '甲。'}})\n", encoding="utf-8")
    assert loaded(file).broken == ()
    file.write_text(f"{hook}pass\n", encoding="utf-8")
    (broken,) = loaded(file).broken
    assert broken.reason == (
        'The hook register_translations registered nothing; call register("zh-CN", {…}) in it.'
    )


def test_they_travel_as_plain_values(tmp_path):
    registry = loaded(plugin(tmp_path, f'register("zh-CN", {OWN!r})'))
    described = Catalogue({}, {}, (), (), {}, registry.translations)
    assert read_plain(pickle.dumps(described)).translations == {"zh-CN": TRANSLATED}


def test_a_server_knows_them_once_plugins_are_loaded_and_as_they_are_after_an_edit(tmp_path):
    plugin(tmp_path, "register('zh-CN', {'One layer that is linear.': '一层。'})")
    nursery = Nursery()
    plugins = Plugins(nursery, Settings(plugins=(tmp_path,), cache=tmp_path / "cache"))
    try:
        summary = plugins.whole_catalogue["own"].summary
        with speaking("zh-CN"):
            assert author(summary) == "一层。"
            assert author("Hidden layers") == "隐藏层数"  # of a built-in plugin
            plugin(tmp_path, "register('zh-CN', {'One layer that is linear.': '线性层。'})")
            plugins.reload()
            assert plugins.whole_catalogue.translations["zh-CN"][summary] == "线性层。"
            assert author(summary) == "线性层。"
    finally:
        plugins.close()
        nursery.close()


# --- what is not translated


def translated(registry, texts) -> list[tuple[str, str]]:
    report = with_translations(Report("architecture", "", {}, ()), texts, registry.translations)
    return [(finding.verdict, finding.text) for finding in report.findings]


def test_a_check_names_what_a_plugin_has_no_translation_of(tmp_path):
    file = plugin(tmp_path, f'register("zh-CN", {OWN!r})')
    registry = load_beside_built_ins([from_target(str(file))])
    assert registry.translations == {"zh-CN": TRANSLATED}  # not those of the built-in ones
    assert translated(registry, texts_of(registry["own"])) == [
        (
            "note",
            "It has no translation into zh-CN of 1 of its 10 texts: "
            "“And one without a translation.”.",
        )
    ]
    assert translated(registry, ["Use\nbias", "Add a bias", "7", ""]) == [
        ("ok", "All its texts are translated into zh-CN.")
    ]


def test_a_plugin_without_translations_hears_nothing_of_them(tmp_path):
    registry = load_beside_built_ins([from_target(str(plugin(tmp_path, "pass")))])
    assert translated(registry, texts_of(registry["own"])) == []


def everything():
    yield from ((name, texts_of(each)) for name, each in REGISTRY.architectures.items())
    yield from ((name, texts_of_images(each)) for name, each in REGISTRY.datasets.items())
    yield from ((name, texts_of_lesson(each)) for name, each in REGISTRY.lessons.items())


@pytest.mark.parametrize("texts", [pytest.param(texts, id=name) for name, texts in everything()])
def test_every_text_of_the_built_in_plugins_is_translated(texts):
    assert translated(REGISTRY, texts) == [("ok", "All its texts are translated into zh-CN.")]


def test_no_translation_is_of_a_text_that_is_gone_and_none_is_given_twice():
    shown = {language.one_line(text) for _, texts in everything() for text in texts}
    file = Path(__file__).parents[2] / "plugins" / "chinese.py"
    spec = importlib.util.spec_from_file_location("chinese", file)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    given = [
        language.one_line(text)
        for texts in (module.FAMILIES, module.NETWORKS, module.OPTIONS, module.LESSONS, module.DATA)
        for text in texts
    ]
    assert len(given) == len(set(given)) > 150
    assert set(given) - shown == set()
