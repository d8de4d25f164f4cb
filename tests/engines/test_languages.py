"""What other processes say, and what is kept, is said again in the language of who reads it."""

import pickle

import pytest

from explorer.engines.asking import AnswerError, LostAnswerError
from explorer.engines.children import Nursery
from explorer.engines.ownership import new_owner
from explorer.engines.perform import perform
from explorer.engines.plain import read_plain
from explorer.engines.plugins import Plugins
from explorer.engines.questions import Answer
from explorer.errors import ExplorerError, explain
from explorer.language import Sentence, again, catalogues, english, records, say, speaking
from explorer.plugin.registry import discover
from explorer.runs.run import RunSpec, Status
from explorer.settings import Settings
from explorer.training.events import Started
from explorer.training.recipe import Recipe

PLUGIN = """
import os
from typing import Literal

from torch import nn

from explorer import hookimpl

Deed = Literal["none", "raise", "leave", "later"]


@hookimpl
def register_architectures(register):
    register(Fails)


class Fails(nn.Module):
    def __init__(self, images, *, deed: Deed = "none"):
        super().__init__()
        self.deed = deed
        self.linear = nn.Linear(images.channels * images.size**2, images.num_classes)

    def forward(self, x):
        if self.deed == "raise" or self.deed == "later" and self.training and len(x) > 2:
            raise ValueError("on purpose")
        if self.deed == "leave":
            os._exit(3)
        return self.linear(x.flatten(1))
"""
LINE = 1 + PLUGIN.splitlines().index('            raise ValueError("on purpose")')
BROKEN = "from explorer import hookimpl\n\nimport no_such_module\n"
CATALOGUE = {
    "It raised {name}, line {line}: {reason}.": "第 {line} 行引发了 {name}：{reason}。",
    "It imports {name!r}, which is not installed; install it, or do without.": "未安装 {name!r}。",
    "The process that runs its code ended ({status}).": "运行其代码的进程已结束（{status}）。",
    "exit code {number}": "退出码 {number}",
    "It is broken: {reason}": "坏了：{reason}",
    "not here": "不在这里",
    "in the plain memory layout, since it computes something else in the faster one": "用普通布局",
    "; ": "；",
}


@pytest.fixture(autouse=True)
def chinese(tmp_path, monkeypatch):
    """Provide a catalogue in which these messages are translated."""
    file = tmp_path / "locale" / "zh_CN" / "LC_MESSAGES" / "explorer.po"
    file.parent.mkdir(parents=True)
    head = 'msgid ""\nmsgstr "Content-Type: text/plain; charset=utf-8\\n"\n\n'
    said = [f'msgid "{message}"\nmsgstr "{other}"\n' for message, other in CATALOGUE.items()]
    file.write_text(head + "\n".join(said), encoding="utf-8")
    monkeypatch.setattr(catalogues, "LOCALE", tmp_path / "locale")
    kept = (catalogues.catalogue, records._patterns, records._recognised)
    for each in kept:
        each.cache_clear()
    yield
    for each in kept:
        each.cache_clear()


@pytest.fixture(scope="module")
def nursery():
    nursery = Nursery()
    yield nursery
    nursery.close()


@pytest.fixture
def plugins(nursery, tmp_path, cache):
    folder = tmp_path / "plugins"
    folder.mkdir()
    (folder / "fails.py").write_text(PLUGIN, encoding="utf-8")
    (folder / "broken.py").write_text(BROKEN, encoding="utf-8")
    url = f"sqlite:///{tmp_path / 'runs.sqlite'}"
    plugins = Plugins(nursery, Settings(database_url=url, cache=cache, plugins=(folder,)))
    assert "fails" in plugins.whole_catalogue.architectures  # which may take some seconds
    yield plugins
    plugins.close()


def test_an_error_of_another_process_is_said_again_by_whoever_shows_it(plugins):
    with pytest.raises(AnswerError) as caught:
        plugins.draw("fails", {"deed": "raise"}, "mnist")
    assert f"It raised ValueError, line {LINE}: on purpose." in str(caught.value)
    with speaking("zh-CN"):
        assert f"第 {LINE} 行引发了 ValueError：on purpose。" in again(caught.value)


def test_an_error_that_a_page_met_in_one_language_is_shown_in_another(plugins):
    with speaking("zh-CN"), pytest.raises(LostAnswerError) as caught:
        plugins.draw("fails", {"deed": "leave"}, "mnist")
    assert str(caught.value) == "运行其代码的进程已结束（退出码 3）。"
    assert again(caught.value) == "The process that runs its code ended (exit code 3)."


def test_why_a_plugin_is_broken_is_said_again(plugins):
    [broken] = plugins.whole_catalogue.broken
    assert broken.reason.startswith("It imports 'no_such_module', which is not installed")
    with speaking("zh-CN"):
        assert again(broken.reason) == "未安装 'no_such_module'。"


def test_sentences_are_plain_values():
    inner = ExplorerError(say("It is broken: {reason}", reason=say("not here")))
    found = read_plain(pickle.dumps(Answer(None, explain(inner, None))))
    assert type(found.reason) is Sentence
    with speaking("zh-CN"):
        assert again(found.reason) == "坏了：不在这里"


@pytest.fixture
def start(tmp_path, cache, store, settings):
    """Train a network whose training fails, in this thread."""
    folder = tmp_path / "own"
    folder.mkdir()
    (folder / "fails.py").write_text(PLUGIN, encoding="utf-8")
    registry = discover([folder])

    def start():
        recipe = Recipe(epochs=1, batch_size=8, train_size=16)
        fingerprint = registry["fails"].fingerprint
        spec = RunSpec("fails", {"deed": "later"}, "mnist", recipe, fingerprint)
        owner = new_owner()
        run = store.claim(store.add(spec).id, owner)
        with pytest.raises(ValueError, match="on purpose"):
            list(perform(run, owner, store, registry, settings))
        return run.id

    return start


def test_a_run_keeps_in_english_why_it_failed_whatever_is_spoken(start, store):
    with speaking("zh-CN"):
        run = store.run(start())
    assert run.status is Status.FAILED
    assert run.reason == f"It raised ValueError, line {LINE}: on purpose."
    assert again(run.reason) == run.reason
    with speaking("zh-CN"):
        assert again(run.reason) == f"第 {LINE} 行引发了 ValueError：on purpose。"


def test_the_note_of_a_start_is_kept_in_english_and_said_again(store):
    spec = RunSpec("net", {}, "mnist", Recipe(), "0" * 12)
    run = store.claim(store.add(spec).id, "me")
    store.begin(run.id, "me")
    with speaking("zh-CN"):
        note = say("in the plain memory layout, since it computes something else in the faster one")
        store.append(run.id, "me", Started("cpu", 1, 1, 1, 1, 1, note=note))
    found = store.run(run.id).started
    assert found is not None
    assert found.note == again(found.note) == english(note)
    with speaking("zh-CN"):
        assert again(found.note) == "用普通布局"
