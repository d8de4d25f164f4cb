"""Plugins are loaded and asked in other processes; none of them harms the server or another."""

import os
import pickle
import sys
import threading
import time
from dataclasses import replace

import numpy as np
import psutil
import pytest

from explorer.data.dataset import UnknownDataSetError
from explorer.engines import plugins as plugins_module
from explorer.engines.asking import AnswerError, Asker, LostAnswerError, SlowAnswerError
from explorer.engines.children import Nursery
from explorer.engines.plain import NotPlainError, read_plain
from explorer.engines.plugins import MNIST, Plugins
from explorer.inspection.network import look_into
from explorer.plugin.sources import in_folders
from explorer.runs.restore import open_network
from explorer.runs.store import RunStore
from explorer.settings import Settings
from explorer.training.events import Moment

NETWORK = """
import os
import sys
import time

import torch
import torch.nn.functional as F
from torch import nn

from explorer import ImageSpec, hookimpl
{first}

@hookimpl
def register_architectures(register):
    {hook}
    register({name})


class {name}(nn.Module):
    def __init__(self, images: ImageSpec, *, deed: bool = False):
        super().__init__()
        self.deed = deed
        self.linear = nn.Linear(images.channels * images.size**2, images.num_classes)
        {init}

    def forward(self, x):
        if self.deed:
            {forward}
        return self.linear(x.flatten(1))
"""


def plugin(folder, name, *, first="", hook="pass", init="pass", forward="pass"):
    text = NETWORK.format(name=name, first=first, hook=hook, init=init, forward=forward)
    (folder / f"{name.lower()}.py").write_text(text, encoding="utf-8")


@pytest.fixture(scope="module")
def nursery():
    nursery = Nursery()
    yield nursery
    nursery.close()


@pytest.fixture
def load(nursery, tmp_path, cache):
    """Load the plugins of the test's folder."""
    opened = []

    def load(**changed):
        limits = {"load_time": 20, "inspect_time": 20, **changed}
        settings = Settings(
            database_url=f"sqlite:///{tmp_path / 'runs.sqlite'}",
            cache=cache,
            plugins=(tmp_path,),
            **limits,
        )
        opened.append(Plugins(nursery, settings))
        return opened[-1]

    yield load
    for each in opened:
        each.close()


def broken(catalogue):
    return {each.source.name: each for each in catalogue.broken}


def test_the_built_in_plugins_are_described_as_they_are(load, registry):
    catalogue = load().whole_catalogue
    assert catalogue.broken == catalogue.meddling == ()
    assert catalogue.architectures == {
        name: each.described() for name, each in registry.architectures.items()
    }
    assert list(catalogue.datasets) == list(registry.datasets)
    assert all(catalogue.datasets[name] == each for name, each in registry.datasets.items())
    assert "torch" not in sys.modules or pickle.dumps(catalogue)  # plain values only


HARMFUL = {
    "Hangs": ("while True: pass", "It takes longer than 5 s to load (EXPLORER_LOAD_TIME)"),
    "Leaves": ("os._exit(7)", "It ends the process that loads it (exit code 7)"),
    "LeavesQuietly": ("os._exit(0)", "It ends the process that loads it (exit code 0)"),
    "Crashes": (
        "import ctypes; ctypes.string_at(0)",
        "Line 11: it ends the process that loads it (signal SIGSEGV)",
    ),
    "Killed": ("os.kill(os.getpid(), 9)", "It ends the process that loads it (signal SIGKILL)"),
    "Raises": ("1 / 0", "Line 11: It raised ZeroDivisionError"),
    "CallsExit": ("sys.exit(0)", "It ends the program (sys.exit)"),
    "Recurses": ("def f(): f()\nf()", "It raised RecursionError"),
}


@pytest.mark.parametrize("name", HARMFUL)
def test_a_harmful_plugin_is_named_and_takes_no_other_with_it(load, tmp_path, name):
    deed, reason = HARMFUL[name]
    plugin(tmp_path, "Before")
    plugin(tmp_path, name, first=deed)
    plugin(tmp_path, "Zealous")
    catalogue = load(load_time=5).whole_catalogue
    assert list(broken(catalogue)) == [name.lower()]
    assert reason.removeprefix("Line 11: ") in broken(catalogue)[name.lower()].reason
    assert {"residual", "before", "zealous"} <= catalogue.architectures.keys()


def test_a_copy_that_a_plugin_makes_of_its_process_answers_nothing(load, tmp_path):
    (tmp_path / "copies.py").write_text("import os; os.fork()")
    for number in range(3):  # each would get the answer of the one before
        plugin(tmp_path, f"Later{number}")
    catalogue = load().whole_catalogue
    assert list(broken(catalogue)) == ["copies"]
    assert {"later0", "later1", "later2"} <= catalogue.architectures.keys()


@pytest.mark.parametrize("place", ["hook", "init"])
@pytest.mark.parametrize("deed", ["time.sleep(3600)", "os._exit(3)"])
def test_it_is_named_wherever_it_does_so(load, tmp_path, place, deed):
    plugin(tmp_path, "Harmful", **{place: deed})
    plugin(tmp_path, "Other")
    catalogue = load(load_time=5).whole_catalogue
    assert list(broken(catalogue)) == ["harmful"]
    assert "other" in catalogue.architectures


def test_a_crash_names_the_lines_of_the_plugin(load, tmp_path):
    plugin(tmp_path, "Crashes", first="import ctypes\nctypes.string_at(0)")
    found = broken(load().whole_catalogue)["crashes"]
    assert found.reason.startswith("Line 12: it ends the process that loads it (signal SIGSEGV)")
    assert found.trace == f'File "{tmp_path / "crashes.py"}", line 12, in <module>'


@pytest.mark.skipif(sys.platform != "linux", reason="memory is limited on Linux only")
def test_a_plugin_that_takes_all_memory_is_refused(load, tmp_path):
    plugin(tmp_path, "Greedy", first="kept = [torch.ones(2**24) for _ in range(1000)]")
    plugin(tmp_path, "Other")
    catalogue = load(load_memory=500).whole_catalogue
    assert list(broken(catalogue)) == ["greedy"]
    assert "not enough memory" in broken(catalogue)["greedy"].reason
    assert "other" in catalogue.architectures


def test_pages_do_not_wait_for_a_plugin_that_takes_long(load, tmp_path, monkeypatch):
    monkeypatch.setattr(plugins_module, "PATIENCE", 0.5)
    plugin(tmp_path, "Slow", first="time.sleep(8)")
    loading = load()
    assert "residual" in loading.catalogue.architectures
    assert "slow" not in loading.catalogue.architectures
    assert loading.loading == ["slow"]
    drawn = loading.draw("residual", {}, "mnist")  # another process does that
    assert drawn.parameters == 41_514
    assert "slow" in loading.whole_catalogue.architectures
    assert loading.loading == []


MEDDLING = {
    "torch.set_default_dtype(torch.float64)": "torch's default dtype",
    "torch.set_default_device('meta')": "torch's default device",
    "sys.path.insert(0, '/nowhere')": "sys.path",
    "sys.setrecursionlimit(123456)": "the recursion limit",
    "torch.set_num_threads(7)": "torch's number of threads",
    "os.chdir('/')": "the working directory",
    "F.cross_entropy = lambda *_, **__: None": "torch.nn.functional.cross_entropy",
    "nn.Module.train = lambda self, mode=True: self": "torch.nn.modules.module.Module.train",
}


def test_a_plugin_that_is_being_loaded_at_the_end_is_no_error(load, tmp_path, caplog):
    begun = tmp_path / "begun"
    plugin(tmp_path, "Endless", first=f"open({str(begun)!r}, 'w').close(); time.sleep(3600)")
    loading = load(load_time=None)
    while not begun.exists():
        assert loading.loading == ["endless"], loading.catalogue.broken
        time.sleep(0.01)
    loading.close()
    for thread in threading.enumerate():
        if thread.name == "loading plugins":
            thread.join()
    assert [each for each in caplog.records if each.levelname == "ERROR"] == []


def test_what_a_plugin_changes_is_put_back_and_said(load, tmp_path):
    for number, deed in enumerate(MEDDLING):
        plugin(tmp_path, f"Meddles{number}", first=deed)
    plugin(tmp_path, "Zealous")
    catalogue = load().whole_catalogue
    changes = {each.source.name: each.changes for each in catalogue.meddling}
    assert changes == {f"meddles{number}": (what,) for number, what in enumerate(MEDDLING.values())}
    assert catalogue.architectures["zealous"].parameters == 7850
    assert "undone" in catalogue.meddling[0].text


def test_what_is_printed_while_loading_is_bounded_and_harms_nobody(load, tmp_path):
    plugin(tmp_path, "Prints", first="for _ in range(200_000): print('hello' * 20)")
    assert "prints" in load().whole_catalogue.architectures


def test_what_cannot_be_described_is_refused(load, tmp_path):
    """The server must not import, or call, a class of an author's."""
    first = "class Own(int): pass"
    hook = "A.__init__.__kwdefaults__['deed'] = Own()"
    text = NETWORK.format(name="A", first=first, hook=hook, init="pass", forward="pass")
    (tmp_path / "a.py").write_text(text.replace("deed: bool = False", "deed: int = 0"))
    plugin(tmp_path, "Other")
    catalogue = load().whole_catalogue
    assert "other" in catalogue.architectures
    if found := catalogue.architectures.get("a"):  # it was made a plain number
        assert type(found.options[0].default) is int
    else:
        assert "cannot be described" in broken(catalogue)["a"].reason


def test_a_network_that_hangs_when_it_is_drawn_is_given_up_and_delays_others_once(load, tmp_path):
    plugin(tmp_path, "Hangs", forward="time.sleep(3600)")
    loading = load(inspect_time=3)
    assert "hangs" in loading.whole_catalogue.architectures
    assert loading.draw("hangs", {}, "mnist").parameters == 7850
    with pytest.raises(SlowAnswerError, match="longer than 3 s"):
        loading.draw("hangs", {"deed": True}, "mnist")
    assert loading.draw("residual", {}, "mnist").parameters == 41_514
    began = time.monotonic()
    with pytest.raises(SlowAnswerError, match="try again"):
        loading.draw("hangs", {"deed": True}, "mnist")
    assert time.monotonic() - began < 2.5  # it was not asked again
    assert loading.restarts == 1


@pytest.mark.parametrize(
    ("deed", "sentence"),
    [
        ("os._exit(3)", "ended (exit code 3)"),
        ("raise ValueError('on purpose')", "It raised ValueError"),
        ("sys.exit(1)", "It ends the program (sys.exit)"),
    ],
)
def test_a_network_that_fails_when_it_is_drawn_says_so(load, tmp_path, deed, sentence):
    plugin(tmp_path, "Fails", forward=deed)
    loading = load()
    assert "fails" in loading.whole_catalogue.architectures
    with pytest.raises(AnswerError) as caught:
        loading.draw("fails", {"deed": True}, "mnist")
    assert sentence in str(caught.value)
    assert loading.draw("fails", {}, "mnist").parameters == 7850


def test_options_and_data_sets_that_do_not_fit_are_refused_with_a_sentence(load):
    loading = load()
    with pytest.raises(AnswerError, match="width must be"):
        loading.draw("residual-bn", {"width": 10**9}, "mnist")
    with pytest.raises(AnswerError, match="There is no data set 'nothing'"):
        loading.draw("residual", {}, "nothing")
    assert loading.fitting("residual") == dict.fromkeys(loading.catalogue.datasets, False)


# Looking inside.


@pytest.fixture(scope="module")
def examples_by_name(examples):
    return {run.spec.architecture: run for run in examples.runs()}


def test_what_another_process_says_of_a_network_is_what_this_one_would(
    load, examples, examples_by_name, registry, cache
):
    run = examples_by_name["residual"]
    there = load().look_into(run, Moment(10))
    here = look_into(*open_network(run, Moment(10), examples, registry, cache))
    assert there.outline.parts == here.outline.parts
    image = there.test_image(3)
    assert np.array_equal(image, here.test_image(3))
    one, other = there.record(image, ["block2.skip"]), here.record(image, ["block2.skip"])
    assert one.maps.keys() == other.maps.keys()
    for name in one.maps:
        np.testing.assert_allclose(one.maps[name], other.maps[name], rtol=1e-4, atol=1e-5)
    assert there.answers((), 500).accuracy == here.answers((), 500).accuracy
    assert there.fields == here.fields
    assert [row.macs for row in there.costs] == [row.macs for row in here.costs]
    assert there.linearity()[0].replacement == here.linearity()[0].replacement
    assert list(there.filters()) == list(here.filters())


def test_an_unknown_part_is_a_sentence(load, examples_by_name):
    session = load().look_into(examples_by_name["residual"], Moment(10))
    with pytest.raises(AnswerError, match="There is no branch"):
        session.record(session.test_image(0), ["nothing"])
    with pytest.raises(AnswerError, match="has no weights of epoch 99"):
        load().look_into(examples_by_name["residual"], Moment(99)).outline  # noqa: B018


def test_a_killed_inspector_is_replaced(load, examples_by_name, nursery):
    loading = load()
    session = loading.look_into(examples_by_name["plain"], Moment(1))
    assert session.outline.macs
    [child] = [loading._inspector._child]
    os.kill(child.pid, 9)
    assert child.wait(30) == -9
    assert session.answers((), 100).accuracy > 0.5
    assert loading.restarts == 1
    assert not psutil.pid_exists(child.pid)


def test_many_visitors_ask_at_once(load, examples_by_name):
    session = load().look_into(examples_by_name["plain"], Moment(1))
    images, found, failed = [session.test_image(number) for number in range(4)], {}, []

    def visit(number):
        try:
            found[number] = session.record(images[number % 4]).logits
            assert session.answers((), 200).accuracy > 0.5
        except Exception as error:
            failed.append(error)

    threads = [threading.Thread(target=visit, args=(number,)) for number in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    assert len(found) == 16
    for number, logits in found.items():
        assert np.array_equal(logits, found[number % 4])


def test_a_run_whose_plugin_is_gone_cannot_be_looked_into(load, examples_by_name):
    run = examples_by_name["plain"]
    gone = replace(run, spec=replace(run.spec, architecture="gone"))
    with pytest.raises(Exception, match="There is no architecture 'gone'"):
        load().look_into(gone, Moment(1))


def test_plugins_are_loaded_again_as_they_are_now(load, tmp_path):
    plugin(tmp_path, "One")
    loading = load()
    assert "one" in loading.whole_catalogue.architectures
    assert loading.changed() == []
    plugin(tmp_path, "Two")
    plugin(tmp_path, "One", first="WIDTH = 3")
    assert loading.changed() == ["one", "two"]
    before = loading.whole_catalogue["one"].fingerprint
    loading.reload()
    assert {"one", "two"} <= loading.whole_catalogue.architectures.keys()
    assert loading.whole_catalogue["one"].fingerprint != before
    assert loading.changed() == []


def test_a_name_belongs_to_the_first_also_where_another_is_loaded_alone(load, tmp_path):
    plugin(tmp_path, "Plain")  # the name of a built-in one
    plugin(tmp_path, "Other")
    loading = load()
    assert "is taken by" in broken(loading.whole_catalogue)["plain"].reason
    assert loading.draw("other", {}, "mnist").parameters == 7850
    assert loading.draw("plain", {}, "mnist").parameters == 8_490


# What is asked of a child.


@pytest.fixture
def asker(nursery, settings):
    asker = Asker("asked", nursery, settings)
    yield asker
    asker.restart()


def test_an_unknown_question_is_an_error_and_the_child_goes_on(asker):
    with pytest.raises(AnswerError):
        asker.ask("nothing", seconds=60)
    with pytest.raises(AnswerError):
        asker.ask("load", seconds=60)
    assert asker.restarts == 0


def test_a_lost_answer_says_how_it_was_lost(asker, tmp_path):
    plugin(tmp_path, "Leaves", first="print('hello', flush=True); os._exit(3)")
    [source] = in_folders([tmp_path])
    with pytest.raises(LostAnswerError) as caught:
        asker.ask("load", source, {}, seconds=60)
    assert (caught.value.status, caught.value.output) == (3, "hello\n")
    with pytest.raises(AnswerError):
        asker.ask("nothing", seconds=60)
    assert asker.restarts == 1


# Plain values.


class Own:
    pass


@pytest.mark.parametrize("value", [Own(), os.system, threading.Thread, RunStore, time.sleep])
def test_what_is_not_plain_is_not_read(value):
    content = pickle.dumps(value)
    if value is RunStore:  # a class of ours, which is named but not made
        assert read_plain(content) is RunStore
        return
    with pytest.raises(NotPlainError, match="of a class that only the plugin knows"):
        read_plain(content)


@pytest.mark.parametrize("content", [b"", b"\x80\x05", b"hello", pickle.dumps([1])[:-3]])
def test_what_is_damaged_is_a_sentence(content):
    with pytest.raises(NotPlainError, match="cannot be read"):
        read_plain(content)


LESSON = """
import os
import time
from pathlib import Path

from explorer import hookimpl
from explorer.lessons import Axis, Bar, Bars, Lesson, Part, Shown


class Own(str):
    pass


def counts(bench, *, to: int = 3, deed: int = 0):
    if deed == 1:
        time.sleep(3600)
    if deed == 2:
        os._exit(3)
    if deed == 3:
        return Shown({"to": Own(to)})
    bars = Bars("To.", [Bar("to", to)], Axis("to"))
    return Shown({"to": str(to), "process": str(os.getpid())}, bars)


def sees(bench, session):
    return Shown({"parts": str(len(session.parts))})


@hookimpl
def register_lessons(register):
    parts = [Part(counts), Part(sees, needs="skip", network="residual")]
    register(Lesson("counting", Path(__file__).parent / "texts", parts))
"""


@pytest.fixture
def lesson(tmp_path):
    (tmp_path / "texts" / "en").mkdir(parents=True)
    text = "# How far?\n\nTo {{counts.to}}.\n\n## Further\n\n{{control: counts.to}}\n"
    (tmp_path / "texts" / "en" / "counting.md").write_text(text, encoding="utf-8")
    (tmp_path / "counting.py").write_text(LESSON, encoding="utf-8")


def test_a_lesson_is_described_here_and_computed_elsewhere(load, lesson):
    loading = load()
    catalogue = loading.whole_catalogue
    assert list(catalogue.lessons)[-1] == "counting"
    assert catalogue.lesson("counting").text().lead.title == "How far?"
    shown = loading.teach("counting", "counts", {"to": 5, "deed": 0})
    assert shown.values["to"] == "5"
    assert int(shown.values["process"]) != os.getpid()
    assert loading.teach("counting", "counts", {"to": 5, "deed": 0}) is shown


def test_a_part_of_a_lesson_looks_into_the_network_of_a_run(load, lesson, examples):
    run = next(run for run in examples.runs() if run.spec.architecture == "residual")
    loading = load()
    assert "counting" in loading.whole_catalogue.lessons
    shown = loading.teach("counting", "sees", {}, (run, Moment(10)))
    assert int(shown.values["parts"]) > 5


@pytest.mark.parametrize(
    ("deed", "sentence"),
    [(1, "takes longer than 3 s"), (2, "ended (exit code 3)"), (3, "only the plugin knows")],
)
def test_a_part_that_harms_its_process_is_named_and_the_next_one_computes(
    load, lesson, deed, sentence
):
    loading = load(inspect_time=3)
    assert "counting" in loading.whole_catalogue.lessons
    with pytest.raises((AnswerError, NotPlainError)) as caught:
        loading.teach("counting", "counts", {"to": 5, "deed": deed})
    assert sentence in str(caught.value)
    assert loading.teach("counting", "counts", {"to": 4, "deed": 0}).values["to"] == "4"


DATA = """
import numpy as np
from explorer import DataSet, ImageSpec, hookimpl

@hookimpl
def register_datasets(register):
    for name, read in (("sound", sound), ("lacking", lacking), ("unread", unread), ("lost", lost)):
        register(DataSet(name=name, images=ImageSpec(1, 4, 2), classes="ab", read=read))

def sound(folder):
    images = np.random.default_rng(0).integers(0, 256, (40, 4, 4), np.uint8)
    return images[:20], np.arange(20) % 2, images[20:], np.arange(20) % 2

def lacking(folder):
    images, labels, *test = sound(folder)
    return images, labels * 0, *test

def unread(folder):
    raise OSError("the disk is in the other room")

def lost(folder):
    import os
    os._exit(3)
"""


def remarks(plugins, name):
    """Ask until there is an answer."""
    assert plugins.whole_catalogue  # all are loaded, however long that takes
    for _ in range(600):
        if (found := plugins.remarks(name)) is not None:
            return found
        time.sleep(0.1)
    raise AssertionError("there was no answer")


def test_what_a_data_set_lacks_is_found_out_once_in_a_child_and_kept(load, tmp_path, monkeypatch):
    (tmp_path / "images.py").write_text(DATA)
    plugins = load()
    assert plugins.whole_catalogue.datasets["sound"]
    assert plugins.remarks("sound") is None
    assert remarks(plugins, "sound") == ()
    assert remarks(plugins, "lacking") == ("There is no training image of b.",)
    assert remarks(plugins, MNIST) == ()
    asked = []
    monkeypatch.setattr(Asker, "ask", lambda *_, **__: asked.append(1))
    assert plugins.remarks("lacking") == ("There is no training image of b.",)
    assert asked == []
    with pytest.raises(UnknownDataSetError):
        plugins.remarks("nonesuch")


def test_a_data_set_that_cannot_be_read_says_why_and_is_tried_again_later(
    load, tmp_path, monkeypatch
):
    (tmp_path / "images.py").write_text(DATA)
    plugins = load()
    with pytest.raises(AnswerError, match=r"^Unread could not be read: .*in the other room"):
        remarks(plugins, "unread")
    assert remarks(plugins, "lost") == (), "its process ended, of which a training will say more"
    assert remarks(plugins, "sound") == (), "and another goes on"
    monkeypatch.setattr("explorer.engines.plugins.FORGET_SECONDS", 0)
    assert plugins.remarks("unread") is None


def test_remarks_are_found_out_again_for_plugins_that_were_loaded_again(load, tmp_path):
    (tmp_path / "images.py").write_text(DATA)
    plugins = load()
    assert remarks(plugins, "sound") == ()
    (tmp_path / "images.py").write_text(DATA.replace("% 2\n\ndef lacking", "* 0\n\ndef lacking"))
    plugins.reload()
    assert remarks(plugins, "sound")[0] == "There is no test image of b."
