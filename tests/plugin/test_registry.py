"""The registry: finds plugins, loads each by itself, and says why one is broken."""

import importlib
import importlib.metadata
import os
import pickle
import re
import sys
import textwrap
from pathlib import Path

import pytest
import torch
from torch import nn

from explorer import ImageSpec
from explorer.data.cache import DataError, read_uncached
from explorer.data.dataset import UnknownDataSetError
from explorer.plugin.architecture import Architecture
from explorer.plugin.catalogue import BrokenPlugin, UnknownArchitectureError
from explorer.plugin.options import OptionError
from explorer.plugin.registry import discover, load
from explorer.plugin.sources import (
    PluginError,
    Source,
    all_sources,
    changed_since,
    find_sources,
    fingerprint,
    from_target,
    import_plugin,
    in_folders,
)
from explorer.settings import Settings

BUILT_IN = Path(__file__).parents[2] / "plugins"
BROKEN = Path(__file__).parents[1] / "broken"

# Of each broken plugin: its sentence, as a pattern, and its functions in the trace.
HOOK, TOP = "register_architectures", "<module>"
SENTENCES: dict[str, tuple[str, list[str]]] = {
    "branches_do_not_fit": (
        r"^Uneven \(line 13\): The branches do not fit together: 1x1 gives 4×28×28, "
        r"3x3 gives 6×26×26; give all of them the same height and width: padding=kernel // 2 keeps "
        r"height and width\.$",
        ["forward"],
    ),
    "calls_exit": (
        r"^It ends the program \(sys\.exit\) where it should only define things; remove that\.$",
        [TOP, "main"],
    ),
    "duplicate_name": (
        r"^Plain \(line 13\): The name 'plain' is taken by .*plain\.py; register it under another "
        r"name: register\(Plain, name=…\)\.$",
        [],
    ),
    "empty_range": (
        r"^Range\(low=64, high=8.*\) is empty: its first number must be below its second\.$",
        [TOP, "Wide"],
    ),
    "misspelt_hook": (
        r"\bregister_architecture\W+is not a hook of the explorer; "
        r"did you mean 'register_architectures'\?$",
        [],
    ),
    "missing_import": (
        r"^It imports 'flux_capacitor', which is not installed; install it, or do without\.$",
        [TOP],
    ),
    "no_default": (
        r"^Wide \(line 13\): The option width needs a default, so that the network can be built at "
        r"once\.$",
        [],
    ),
    "no_hook": (
        r"^It implements no hook; write `@hookimpl` above a function "
        r"`register_architectures\(register\)`, `register_datasets\(register\)`, "
        r"`register_lessons\(register\)` or `register_translations\(register\)`\.$",
        [],
    ),
    "one_of_two": (
        r"^Breaks \(line 21\): It raised RuntimeError: .*shapes cannot be multiplied "
        r"\(2x784 and 7x10\)\.$",
        [],
    ),
    "raises_in_constructor": (
        r"^Halving \(line 13\): It raised TypeError, line 19: this size will not do\.$",
        ["__init__", "half_of", "__init__"],
    ),
    "raises_in_forward": (
        r"^TwoChannels \(line 13\): It raised ValueError, line 20: two channels, please\.$",
        ["forward"],
    ),
    "raises_in_hook": (
        r"^It raised RuntimeError, line 12: the weights are on the other machine\.$",
        [HOOK, "look_for_weights"],
    ),
    "registers_no_module": (
        r"^make_layers \(line 13\): It returns list where a torch\.nn\.Module is expected\.$",
        [],
    ),
    "registers_nothing": (
        r"\bregister_architectures\W+registered nothing; call register\(YourNetwork\) in it\.$",
        [],
    ),
    "syntax_error": (r"^It is not valid Python: 'return' outside function, line 21\.$", [""]),
    "twice_the_same_name": (
        r"^TwoLayers \(line 21\): The name 'mine' is taken by .*twice_the_same_name\.py; register "
        r"it under another name: register\(TwoLayers, name=…\)\.$",
        [],
    ),
    "translates_nothing": (
        r"^Line 8: The translation of 'One layer\.' into zh-CN is None; both must be texts\.$",
        [],
    ),
    "unknown_type": (
        r"^Layers \(line 13\): The type of widths is list; write int or float \(alone, or "
        r"Annotated with a Range\), bool, or a Literal of strings or numbers\.$",
        [],
    ),
    "wrong_shape": (
        r"^RowByRow \(line 13\): It answers two images with \(2, 1, 28, 10\) where "
        r"\(2, num_classes\) = \(2, 10\) is expected; end it with a linear layer to num_classes "
        r"logits\.$",
        [],
    ),
    "wrong_signature": (
        r"^A hook has one argument, register: "
        r"write `def register_architectures\(register\):`\.$",
        [],
    ),
    "takes_a_name": (
        r"^Listed \(line 14\): Listed keeps something of its own as self\.modules, which is a "
        r"method of torch\.nn\.Module; give it another name\.$",
        [],
    ),
    "wrong_type": (
        r"^Scores \(line 13\): It answers two images with list where \(2, num_classes\) = "
        r"\(2, 10\) is expected; end it with",
        [],
    ),
}

GOOD = '''
"""A plugin that works."""

from torch import nn

from explorer import hookimpl


@hookimpl
def register_architectures(register):
    register(Good)


class Good(nn.Sequential):
    """One layer.

    And no more.
    """

    def __init__(self, images, width: int = 4):
        pixels = images.channels * images.size**2
        linear = nn.Linear(width, images.num_classes)
        super().__init__(nn.Flatten(), nn.Linear(pixels, width), linear)
'''
GOOD_PARAMETERS = 785 * 4 + 5 * 10


def write(file: Path, text: str, **replaced: str) -> Path:
    for old, new in replaced.items():
        assert old in text
        text = text.replace(old, new)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(textwrap.dedent(text), encoding="utf-8")
    importlib.invalidate_caches()
    return file


def load_file(file: Path) -> Architecture:
    registry = load([from_target(str(file))])
    assert registry.broken == ()
    (architecture,) = registry.architectures.values()
    return architecture


def break_file(file: Path) -> BrokenPlugin:
    registry = load([from_target(str(file))])
    assert registry.architectures == {}
    (broken,) = registry.broken
    return broken


def frames(broken: BrokenPlugin) -> list[tuple[Path, str]]:
    """File and function of each frame in the trace."""
    found = re.findall(r'^ *File "(.+)", line \d+(?:, in (.+))?$', broken.trace, re.MULTILINE)
    return [(Path(file), function) for file, function in found]


@pytest.fixture(scope="module")
def everything():
    """The built-in plugins and all broken ones, loaded together."""
    return load(in_folders([BUILT_IN, BROKEN]))


@pytest.fixture
def site(tmp_path, monkeypatch):
    """A folder from which packages can be imported, as from `site-packages`."""
    folder = tmp_path / "site"
    folder.mkdir()
    monkeypatch.syspath_prepend(folder)
    yield folder
    forget(folder)


def forget(site: Path) -> None:
    """Let the next import read what is in `site` again, as a new process would."""
    for name, module in list(sys.modules.items()):
        if (getattr(module, "__file__", None) or "").startswith(str(site)):
            del sys.modules[name]


# --- broken plugins


def test_each_broken_plugin_has_a_sentence():
    assert {path.stem for path in BROKEN.glob("*.py")} == set(SENTENCES)


@pytest.mark.parametrize("name", SENTENCES)
def test_what_is_wrong_with_a_broken_plugin_is_one_sentence(everything, name):
    (broken,) = (found for found in everything.broken if found.source.name == name)
    assert re.search(SENTENCES[name][0], broken.reason)
    assert "\n" not in broken.reason


@pytest.mark.parametrize("name", SENTENCES)
def test_the_trace_of_a_broken_plugin_shows_only_its_code(everything, name):
    (broken,) = (found for found in everything.broken if found.source.name == name)
    file = BROKEN / f"{name}.py"
    assert frames(broken) == [(file, function) for function in SENTENCES[name][1]]


def test_what_torch_raised_below_the_authors_code_is_left_out_of_the_trace(everything):
    traces = {broken.source.name: broken.trace for broken in everything.broken}
    assert traces["raises_in_constructor"].count("Traceback") == 2
    assert traces["branches_do_not_fit"].count("Traceback") == 1
    assert "direct cause" not in traces["branches_do_not_fit"]


def test_the_built_in_plugins_load_beside_all_the_broken_ones(everything):
    alone = load(in_folders([BUILT_IN]))
    assert alone.broken == ()
    # Three files offer one network that works and one that does not.
    assert list(everything.architectures) == [*alone.architectures, "works", "named", "mine"]
    assert {broken.source.name for broken in everything.broken} == set(SENTENCES)


def test_the_built_in_plugins_load_after_all_the_broken_ones_too(everything):
    last = load(in_folders([BROKEN, BUILT_IN]))
    assert set(last.architectures) == set(everything.architectures)
    assert last["plain"].source.name == "duplicate_name"  # the first has the name
    answer = last["residual"].build(ImageSpec(1, 28, 10))(torch.zeros(2, 1, 28, 28))
    assert answer.shape == (2, 10)


@pytest.mark.parametrize("name", ["missing_import", "syntax_error", "calls_exit", "empty_range"])
def test_a_plugin_that_fails_while_it_is_imported_leaves_no_module_behind(tmp_path, name):
    file = write(tmp_path / f"{name}.py", (BROKEN / f"{name}.py").read_text())
    before = set(sys.modules)
    break_file(file)
    assert set(sys.modules) == before


def test_an_instance_in_place_of_a_class_is_refused(tmp_path):
    text = GOOD.replace("register(Good)", "register(nn.Identity())")
    reason = break_file(write(tmp_path / "instance.py", text)).reason
    assert reason == (
        "Line 11: The function register takes a torch.nn.Module class or a function that returns a "
        "network, not a network, Identity(…)."
    )


def test_a_name_that_is_no_text_is_refused(tmp_path):
    text = GOOD.replace("register(Good)", "register(Good, name=7)")
    broken = break_file(write(tmp_path / "numbered.py", text))
    assert re.search(r"\bname\b.*\b7\b.*\.$", broken.reason)
    assert broken.name == "Good"


def test_a_message_of_several_lines_becomes_one_sentence(tmp_path):
    text = "raise RuntimeError('Missing keys:\\n\\tconv.weight\\n\\tconv.bias')"
    reason = break_file(write(tmp_path / "long.py", text)).reason
    assert reason == "It raised RuntimeError, line 1: Missing keys: conv.weight conv.bias."


def test_an_error_that_cannot_even_be_printed_is_recorded_as_any_other(tmp_path):
    write(
        tmp_path / "a_mute.py",
        """
        class Mute(Exception):
            def __str__(self):
                raise LookupError("no words")

        raise Mute
        """,
    )
    write(tmp_path / "good.py", GOOD)
    registry = load(in_folders([tmp_path]))
    assert list(registry.architectures) == ["good"]
    assert "Mute" in registry.broken[0].reason


def test_an_error_without_a_message_is_named_by_its_kind(tmp_path):
    reason = break_file(write(tmp_path / "silent.py", "assert 1 > 2")).reason
    assert reason == "It raised AssertionError, line 1: without a message."


def test_a_keyboard_interrupt_is_the_users_and_passes_through(tmp_path):
    write(tmp_path / "interrupted.py", "raise KeyboardInterrupt")
    with pytest.raises(KeyboardInterrupt):
        load(in_folders([tmp_path]))


# --- in folders


def test_the_built_in_plugins_are_found_without_being_named():
    assert {"plain", "residual", "inception"} <= set(discover().architectures)


def test_a_file_in_a_folder_is_a_plugin(tmp_path):
    file = write(tmp_path / "mine.py", GOOD)
    registry = load(in_folders([tmp_path]))
    assert registry.broken == ()
    good = registry["good"]
    assert good.source == Source("mine", str(file), file)
    assert (good.parameters, good.summary) == (GOOD_PARAMETERS, "One layer.")
    assert good.description == "One layer.\n\nAnd no more."
    assert [option.name for option in good.options] == ["width"]


def test_a_package_in_a_folder_is_a_plugin_and_may_import_its_own_parts(tmp_path):
    write(tmp_path / "mine" / "__init__.py", "from .hooks import register_architectures")
    write(
        tmp_path / "mine" / "hooks.py",
        """
        from explorer import hookimpl

        from .nets.good import Good

        @hookimpl
        def register_architectures(register):
            register(Good)
        """,
    )
    write(tmp_path / "mine" / "nets" / "__init__.py", "")
    write(tmp_path / "mine" / "nets" / "good.py", GOOD)
    registry = load(in_folders([tmp_path]))
    assert registry.broken == ()
    assert registry["good"].source.location == tmp_path / "mine"
    assert registry["good"].parameters == GOOD_PARAMETERS


def test_the_trace_of_a_broken_package_shows_the_file_within_it(tmp_path):
    write(tmp_path / "mine" / "__init__.py", "from .part import missing")
    part = write(tmp_path / "mine" / "part.py", "def fail():\n    1 / 0\n\nfail()\n")
    (broken,) = load(in_folders([tmp_path])).broken
    assert broken.reason == "It raised ZeroDivisionError, line 2: division by zero."
    assert frames(broken) == [(tmp_path / "mine" / "__init__.py", TOP), (part, TOP), (part, "fail")]


def test_what_begins_with_an_underscore_or_a_dot_or_is_no_python_is_skipped(tmp_path):
    for name in ("_helper.py", ".hidden.py", "_package/__init__.py", "no_package/net.py"):
        write(tmp_path / name, "raise RuntimeError('this should not be run')")
    write(tmp_path / "notes.txt", "not a plugin")
    write(tmp_path / "__pycache__" / "mine.cpython-311.pyc", "")
    assert list(in_folders([tmp_path])) == []


def test_plugins_come_folder_by_folder_and_sorted_by_name(tmp_path, monkeypatch):
    as_listed = Path.iterdir
    monkeypatch.setattr(Path, "iterdir", lambda self: sorted(as_listed(self), reverse=True))
    for name in ("second/b.py", "second/a.py", "first/z.py", "first/c/__init__.py"):
        write(tmp_path / name, GOOD)
    sources = in_folders([tmp_path / "second", tmp_path / "first"])
    assert [source.name for source in sources] == ["a", "b", "c", "z"]


def test_a_folder_that_does_not_exist_is_reported_and_the_next_is_read(tmp_path):
    write(tmp_path / "good" / "mine.py", GOOD)
    registry = load(in_folders([tmp_path / "absent", tmp_path / "good"]))
    assert list(registry.architectures) == ["good"]
    (broken,) = registry.broken
    assert broken.reason == f"There is no plugin folder {tmp_path / 'absent'}."
    assert (broken.source.name, broken.trace) == ("absent", "")


def test_the_folders_of_the_environment_variable_are_read(tmp_path, monkeypatch):
    write(tmp_path / "one" / "a.py", GOOD, Good="First")
    write(tmp_path / "two" / "b.py", GOOD, Good="Second")
    folders = os.pathsep.join([str(tmp_path / "one"), "", str(tmp_path / "two")])
    monkeypatch.setenv("EXPLORER_PLUGINS", folders)
    found = set(discover(Settings().plugins).architectures)
    assert found == set(discover().architectures) | {"first", "second"}


def test_plugins_whose_files_have_one_name_do_not_meet(tmp_path):
    write(tmp_path / "one" / "mine.py", GOOD, Good="First")
    write(tmp_path / "two" / "mine.py", GOOD, Good="Second")
    registry = load(in_folders([tmp_path / "one", tmp_path / "two"]))
    assert list(registry.architectures) == ["first", "second"]
    assert registry["first"].constructor.function is not registry["second"].constructor.function


def test_of_two_plugins_that_want_one_name_the_first_has_it(tmp_path):
    first = write(tmp_path / "a.py", GOOD)
    second = write(tmp_path / "b.py", GOOD)
    registry = load(in_folders([tmp_path]))
    assert registry["good"].source.location == first
    assert [broken.source.location for broken in registry.broken] == [second]
    assert str(first) in registry.broken[0].reason


def test_a_folder_given_relative_to_here_still_gives_a_trace(tmp_path, monkeypatch):
    write(tmp_path / "mine" / "broken.py", "def fail():\n    1 / 0\n\nfail()\n")
    monkeypatch.chdir(tmp_path)
    (broken,) = load(in_folders([Path("mine")])).broken
    assert broken.reason == "It raised ZeroDivisionError, line 2: division by zero."
    assert [function for _, function in frames(broken)] == [TOP, "fail"]


def test_a_plugin_may_use_dataclasses_with_annotations_that_are_read_late(tmp_path):
    text = """
        from __future__ import annotations

        import dataclasses
        from typing import ClassVar

        @dataclasses.dataclass
        class Sizes:
            known: ClassVar[int] = 3
            width: int = 4

        assert [field.name for field in dataclasses.fields(Sizes)] == ["width"]
        """
    assert load_file(write(tmp_path / "mine.py", textwrap.dedent(text) + GOOD)).name == "good"


# A worker loads a plugin again when its fingerprint has changed.
@pytest.mark.parametrize("name", ["own.py", "own/__init__.py", "own/part.py"])
def test_an_edit_of_the_same_length_within_a_second_is_seen(tmp_path, name, monkeypatch):
    monkeypatch.setattr(sys, "dont_write_bytecode", False)  # as where nobody has set it
    file = tmp_path / "plugins" / name
    file.parent.mkdir(parents=True)
    if name.endswith("part.py"):
        (file.parent / "__init__.py").write_text("from .part import value")
    found = []
    for value in (1, 2, 1):
        file.write_text(f"value = {value}")
        os.utime(file, (1e9, 1e9))
        (source,) = in_folders([tmp_path / "plugins"])
        found.append(import_plugin(source).value)
    assert found == [1, 2, 1]


def test_a_package_that_was_edited_runs_its_new_code_when_it_is_loaded_again(tmp_path):
    write(tmp_path / "mine" / "__init__.py", "from .net import *\nfrom .net import Good")
    write(tmp_path / "mine" / "net.py", GOOD)
    assert load_file(tmp_path / "mine").parameters == GOOD_PARAMETERS
    write(tmp_path / "mine" / "net.py", GOOD, **{"int = 4": "int = 40"})
    assert load_file(tmp_path / "mine").parameters == 785 * 40 + 41 * 10


# --- installed


def install(site: Path, distribution: str, version: str, entry_points: str) -> None:
    home = site / f"{distribution.replace('-', '_')}-{version}.dist-info"
    write(home / "METADATA", f"Metadata-Version: 2.1\nName: {distribution}\nVersion: {version}\n")
    write(home / "entry_points.txt", entry_points)


def test_an_installed_package_that_declares_an_entry_point_is_a_plugin(site):
    module = write(site / "shop.py", GOOD)
    install(site, "net-shop", "1.2", "[explorer]\nnets = shop\n\n[another]\nnets = absent\n")
    registry = discover()
    assert registry.broken == ()
    assert registry["good"].parameters == GOOD_PARAMETERS
    assert registry["good"].source.name == "nets"
    assert registry["good"].source.origin == "net-shop 1.2"
    assert registry["good"].source.location == module


def test_an_entry_point_may_name_an_object_within_a_module(site):
    hooks = """
        class Hooks:
            @hookimpl
            def register_architectures(self, register):
                register(Good, name="of-an-object")

        hooks = Hooks()
        """
    write(site / "shop.py", GOOD + textwrap.dedent(hooks))
    install(site, "net-shop", "1.2", "[explorer]\nnets = shop:hooks\n")
    found = discover().architectures
    assert "of-an-object" in found
    assert "good" not in found


# Either it is loaded again or it keeps its fingerprint: a run must not have the fingerprint of code
# that it was not made with.
def test_an_installed_plugin_never_runs_old_code_under_a_new_fingerprint(site):
    write(site / "shop.py", GOOD)
    install(site, "net-shop", "1.2", "[explorer]\nnets = shop\n")
    old = discover()["good"]
    write(site / "shop.py", GOOD, **{"int = 4": "int = 40"})
    new = discover()["good"]
    assert (new.fingerprint == old.fingerprint) == (new.parameters == old.parameters)


@pytest.mark.parametrize(
    ("code", "value", "reason"),
    [
        ("raise RuntimeError('not today')", "ruin", "It raised RuntimeError, line 1: not today."),
        (
            "raise SystemExit(2)",
            "ruin",
            "It ends the program (sys.exit) where it should only define things; remove that.",
        ),
        (
            "",
            "nowhere.plugin",
            "It imports 'nowhere', which is not installed; install it, or do without.",
        ),
        (
            "",
            "ruin:plugin",
            "It raised AttributeError: module 'ruin' has no attribute 'plugin'.",
        ),
    ],
    ids=["error", "exit", "import", "attribute"],
)
def test_an_entry_point_that_cannot_be_loaded_is_reported_and_the_next_is(
    site, monkeypatch, code, value, reason
):
    write(site / "ruin.py", code)
    write(site / "shop.py", GOOD)
    asked = []

    def entry_points(*, group):
        asked.append(group)
        ways = {"failing": value, "nets": "shop"}
        return [importlib.metadata.EntryPoint(n, v, "explorer") for n, v in ways.items()]

    monkeypatch.setattr(importlib.metadata, "entry_points", entry_points)
    registry = discover()
    assert asked == ["explorer"]
    assert "good" in registry.architectures
    (broken,) = registry.broken
    assert broken.reason == reason
    assert (broken.source.name, broken.source.origin) == ("failing", value)


def test_an_installed_plugin_is_found_as_the_same_again_and_again(site):
    write(site / "shop.py", GOOD)
    install(site, "net-shop", "1.2", "[explorer]\nnets = shop\n")
    first, again = ([s for s in all_sources([]) if s.name == "nets"] for _ in range(2))
    assert first == again == pickle.loads(pickle.dumps(first))
    assert len({*first, *again}) == 1
    assert load(first)["good"].source == first[0]


@pytest.mark.parametrize("line", ["raise RuntimeError('not today')", "import sys; sys.exit()"])
def test_an_installed_package_that_fails_before_its_plugin_is_reached_is_reported(site, line):
    write(site / "ruin" / "__init__.py", line)
    write(site / "ruin" / "plugin.py", GOOD)
    install(site, "ruin", "0.1", "[explorer]\nruin = ruin.plugin\n")
    registry = discover()
    assert "plain" in registry.architectures
    (broken,) = registry.broken
    assert broken.source.origin == "ruin 0.1"
    assert frames(broken) == [(site / "ruin" / "__init__.py", TOP)]


def test_a_plugin_in_a_module_of_a_package_speaks_for_the_whole_package(site):
    hooks = """
        from explorer import hookimpl

        from .nets import Good

        @hookimpl
        def register_architectures(register):
            register(Good)
        """
    write(site / "shop" / "__init__.py", "")
    write(site / "shop" / "hooks.py", hooks)
    nets = write(site / "shop" / "nets.py", GOOD)
    install(site, "net-shop", "1.2", "[explorer]\nnets = shop.hooks\n")
    before = discover()["good"].fingerprint
    nets.write_text(nets.read_text() + "\n# another\n")
    forget(site)
    assert discover()["good"].fingerprint != before


def test_the_trace_of_an_installed_plugin_shows_all_of_its_own_package(site):
    write(site / "shop" / "__init__.py", "")
    write(site / "shop" / "hooks.py", "from .nets import Good")
    nets = write(site / "shop" / "nets.py", "1 / 0")
    install(site, "net-shop", "1.2", "[explorer]\nnets = shop.hooks\n")
    (broken,) = discover().broken
    assert broken.reason == "It raised ZeroDivisionError, line 1: division by zero."
    assert frames(broken) == [(site / "shop" / "hooks.py", TOP), (nets, TOP)]


# --- by name, for one who writes a plugin


def test_a_target_may_be_a_file_or_a_package_folder(tmp_path, monkeypatch):
    write(tmp_path / "mine.py", GOOD)
    write(tmp_path / "packed" / "__init__.py", GOOD)
    monkeypatch.chdir(tmp_path)
    for target in ("mine.py", str(tmp_path / "mine.py"), "packed", str(tmp_path / "packed")):
        (architecture,) = load([from_target(target)]).architectures.values()
        assert architecture.name == "good"
        assert architecture.origin == target


def test_a_target_may_be_a_module(site):
    write(site / "shop.py", GOOD)
    assert from_target("shop").location == site / "shop.py"
    assert load([from_target("shop")])["good"].parameters == GOOD_PARAMETERS


def test_a_target_may_be_a_module_of_a_package_that_imports_its_neighbours(site):
    write(site / "shop" / "__init__.py", "")
    write(site / "shop" / "nets.py", GOOD)
    write(site / "shop" / "hooks.py", "from .nets import Good, register_architectures")
    registry = load([from_target("shop.hooks")])
    assert registry.broken == ()
    assert list(registry.architectures) == ["good"]


@pytest.mark.parametrize("target", ["nowhere", "nowhere.at.all", "nowhere/net.py", ".x"])
def test_a_target_that_does_not_exist_is_refused(target):
    with pytest.raises(PluginError) as error:
        from_target(target)
    assert str(error.value) == f"There is no file and no importable module {target!r}."


def test_a_target_whose_package_fails_is_refused_in_words(site):
    write(site / "ruin" / "__init__.py", "raise RuntimeError('not today')")
    write(site / "ruin" / "plugin.py", GOOD)
    (broken,) = load([from_target("ruin.plugin")]).broken
    assert "not today" in broken.reason


def test_a_folder_that_is_no_package_is_refused(tmp_path):
    reason = break_file(tmp_path).reason
    assert reason == f"{tmp_path} is not a Python package: it has no __init__.py."


# --- what is offered


@pytest.mark.parametrize(
    ("cls", "name"),
    [
        ("Plain", "plain"),
        ("ResidualBN", "residual-bn"),
        ("ResidualAsPrinted", "residual-as-printed"),
        ("MLPMixer", "mlp-mixer"),
        ("VGG16", "vgg16"),
        ("ResNet18", "res-net18"),
        ("Conv2dBN", "conv2d-bn"),
    ],
)
def test_an_architecture_is_named_after_its_class(tmp_path, cls, name):
    assert load_file(write(tmp_path / "mine.py", GOOD, Good=cls)).name == name


def test_an_architecture_may_be_given_another_name(tmp_path):
    text = GOOD.replace("register(Good)", 'register(Good, name="one layer")')
    assert load_file(write(tmp_path / "mine.py", text)).name == "one layer"


def test_an_architecture_without_a_docstring_has_an_empty_summary(tmp_path):
    text = re.sub(r'    """One layer.*?"""\n', "", GOOD, flags=re.DOTALL)
    assert load_file(write(tmp_path / "mine.py", text)).summary == ""


def test_a_summary_is_the_first_paragraph_on_one_line(tmp_path):
    text = GOOD.replace("One layer.", "One\n    layer.")
    assert load_file(write(tmp_path / "mine.py", text)).summary == "One layer."


def test_frozen_parameters_are_not_counted(tmp_path):
    text = GOOD + "        self[1].requires_grad_(False)\n"
    assert load_file(write(tmp_path / "mine.py", text)).parameters == 5 * 10


def test_building_takes_defaults_for_what_is_left_out(tmp_path):
    good = load_file(write(tmp_path / "mine.py", GOOD))
    images = ImageSpec(3, 8, 5)
    assert good.build(images)[1].weight.shape == (4, 3 * 8 * 8)
    assert good.build(images, {"width": 9})[2].weight.shape == (5, 9)
    assert good.complete({}) == {"width": 4}


def test_a_value_that_does_not_fit_is_refused_and_the_architecture_named(everything):
    residual = everything["residual-bn"]
    sentence = "residual-bn: width must be a whole number from 8 to 64, not 65."
    for refuse in (residual.complete, lambda values: residual.build(ImageSpec(1, 28, 10), values)):
        with pytest.raises(OptionError) as error:
            refuse({"width": 65})
        assert str(error.value) == sentence


@pytest.mark.parametrize(
    ("name", "end"),
    [("residul", "did you mean 'residual'?"), ("zzz", r"there are deep, .*, inception-relu\.")],
)
def test_an_architecture_that_is_not_there_is_refused_with_what_there_is(name, end):
    registry = load(in_folders([BUILT_IN]))
    with pytest.raises(UnknownArchitectureError) as error:
        registry[name]
    assert re.fullmatch(
        f"There is no architecture '{name}'; {end.replace('?', '[?]')}", str(error.value)
    )


# --- fingerprints


def test_the_fingerprint_changes_with_the_source_and_back(tmp_path):
    file = write(tmp_path / "mine.py", GOOD)
    first = load_file(file).fingerprint
    write(file, GOOD, **{"int = 4": "int = 16"})
    assert load_file(file).fingerprint != first
    write(file, GOOD)
    assert load_file(file).fingerprint == first


@pytest.mark.parametrize("ending", [b"\r\n", b"\r"])
def test_the_fingerprint_does_not_change_with_the_line_endings(tmp_path, ending):
    file = write(tmp_path / "mine.py", GOOD)
    source = file.read_bytes()
    first = load_file(file).fingerprint
    file.write_bytes(source.replace(b"\n", ending))
    assert load_file(file).fingerprint == first


def test_the_fingerprint_does_not_depend_on_where_the_plugin_is(tmp_path):
    here, there = write(tmp_path / "a.py", GOOD), write(tmp_path / "else" / "b.py", GOOD)
    assert load_file(here).fingerprint == load_file(there).fingerprint


def test_the_fingerprint_of_a_package_covers_every_file_of_it(tmp_path):
    write(tmp_path / "mine" / "__init__.py", GOOD)
    part = write(tmp_path / "mine" / "deep" / "part.py", "one = 1")
    prints = [load_file(tmp_path / "mine").fingerprint]
    part.write_text("one = 2")
    prints.append(load_file(tmp_path / "mine").fingerprint)
    write(tmp_path / "mine" / "deep" / "other.py", "two = 2")
    prints.append(load_file(tmp_path / "mine").fingerprint)
    assert len(set(prints)) == 3


# --- a check leaves no mark


def test_loading_plugins_leaves_torchs_random_numbers_unchanged(tmp_path):
    noisy = GOOD + "        torch.manual_seed(99)\n"
    write(tmp_path / "noisy.py", noisy.replace("from torch", "import torch\nfrom torch", 1))
    torch.manual_seed(3)
    before = torch.get_rng_state()
    registry = load(in_folders([BUILT_IN, BROKEN, tmp_path]))
    assert "good" in registry.architectures
    assert torch.equal(torch.get_rng_state(), before)


def test_loading_plugins_leaves_gradients_switched_on():
    load(in_folders([BUILT_IN, BROKEN]))
    assert torch.is_grad_enabled()
    assert not torch.is_inference_mode_enabled()


def test_what_a_network_keeps_from_its_check_can_be_trained_with(tmp_path):
    text = """
        import functools

        import torch
        from torch import nn

        from explorer import hookimpl

        @hookimpl
        def register_architectures(register):
            register(Masked)

        @functools.cache
        def mask(size):
            return torch.linspace(0, 1, size)

        class Masked(nn.Module):
            def __init__(self, images):
                super().__init__()
                self.scale = nn.Parameter(torch.ones(1))
                self.linear = nn.Linear(images.size, images.num_classes)

            def forward(self, x):
                return self.linear((self.scale * mask(x.shape[-1])) * x.mean((1, 2)))
        """
    images = ImageSpec(1, 28, 10)
    masked = load_file(write(tmp_path / "mine.py", text)).build(images)
    nn.functional.cross_entropy(masked(torch.randn(4, 1, 28, 28)), torch.arange(4)).backward()
    assert masked.scale.grad is not None


# --- data sets

STRIPES = """
import numpy as np

from explorer import DataSet, ImageSpec, hookimpl


@hookimpl
def register_datasets(register):
    register(
        DataSet(name="stripes", images=ImageSpec(1, 4, 2), classes=("along", "across"), read=read)
    )


def read(folder):
    along = np.zeros((10, 4, 4), np.uint8)
    along[:, ::2] = 255
    images = np.concatenate([along, along.transpose(0, 2, 1)])
    labels = np.repeat([0, 1], 10)
    return images, labels, images, labels
"""


def load_text(tmp_path, text, name="own.py"):
    (tmp_path / name).write_text(text)
    return load([from_target(str(tmp_path / name))])


def test_a_plugin_may_offer_data_sets_alone(tmp_path):
    registry = load_text(tmp_path, STRIPES)
    assert registry.broken == ()
    stripes = registry.dataset("stripes")
    assert stripes.location == tmp_path / "own.py"
    assert stripes.title == "stripes"


def test_the_version_of_an_authors_images_changes_with_the_code_that_reads_them(tmp_path):
    first = load_text(tmp_path, STRIPES).dataset("stripes").version
    later = load_text(tmp_path, STRIPES.replace("::2", "1::2")).dataset("stripes").version
    assert first
    assert first != later


def test_a_version_given_by_the_author_is_kept(tmp_path):
    text = STRIPES.replace('name="stripes"', 'name="stripes", version="2026"')
    assert load_text(tmp_path, text).dataset("stripes").version == "2026"


@pytest.mark.parametrize(
    ("before", "after", "sentence"),
    [
        (
            'name="stripes"',
            'name="mnist"',
            r"^Line 9: The name 'mnist' is taken by .*datasets\.py; .* "
            r"DataSet\(name=…\)\.$",
        ),
        (
            "register(\n        DataSet",
            "print(\n        DataSet",
            r"^The hook register_datasets "
            r"registered nothing; call register\(DataSet\(…\)\) in it\.$",
        ),
        (
            "register_datasets(register)",
            "register_datasets(into)",
            r"write `def "
            r"register_datasets\(register\):`\.$",
        ),
        ("register_datasets", "register_data", r"did you mean 'register_datasets'\?$"),
        ('"across"', '"along"', r"^Stripes has 2 classes and 1 different names"),
    ],
)
def test_what_is_wrong_with_a_broken_data_set_is_said(tmp_path, before, after, sentence):
    (tmp_path / "own.py").write_text(STRIPES.replace(before, after))
    (broken,) = discover([tmp_path]).broken
    assert re.search(sentence, broken.reason), broken.reason


def test_something_else_than_a_data_set_is_refused(tmp_path):
    text = """
from explorer import hookimpl

@hookimpl
def register_datasets(register):
    register("mnist")
"""
    (broken,) = load_text(tmp_path, text).broken
    assert broken.reason == "Line 6: The function register takes a DataSet, not 'mnist'."


def test_the_same_data_set_offered_twice_is_refused(tmp_path):
    (broken,) = load_text(
        tmp_path,
        STRIPES.replace(
            "    register(\n", "    register(MNIST)\n    register(MNIST)\n    register(\n"
        ).replace("import numpy", "from explorer.data.mnist import MNIST\nimport numpy"),
    ).broken
    assert broken.reason.startswith("Line 11: The name 'mnist' is taken by")


def test_the_author_s_line_is_named_where_reading_fails(tmp_path):
    text = STRIPES.replace("images, labels = ", "").replace("np.repeat([0, 1], 10)", "1 / 0")
    dataset = load_text(tmp_path, text).dataset("stripes")
    line = text[: text.index("1 / 0")].count("\n") + 1
    with pytest.raises(DataError, match=rf"raised ZeroDivisionError, line {line}: division"):
        read_uncached(dataset)


@pytest.mark.parametrize(
    ("name", "end"),
    [
        ("fashion_mnist", "did you mean 'fashion-mnist'?"),
        ("imagewoof!", "there are mnist, mnist-scales, fashion-mnist, kmnist, qmnist, cifar-10."),
    ],
)
def test_a_data_set_that_is_not_there_is_refused_with_what_there_is(name, end):
    with pytest.raises(UnknownDataSetError) as refusal:
        discover().dataset(name)
    assert str(refusal.value) == f"There is no data set {name!r}; {end}"


# --- what has changed since


def test_what_was_edited_added_or_removed_is_named(tmp_path):
    for name in ("one", "two", "three"):
        (tmp_path / f"{name}.py").write_text(GOOD)
    loaded = {source: fingerprint(source.location) for source in all_sources([tmp_path])}
    assert changed_since(loaded, [tmp_path]) == []
    (tmp_path / "one.py").write_text(GOOD + "# edited")
    (tmp_path / "two.py").unlink()
    (tmp_path / "four.py").write_text(GOOD)
    assert changed_since(loaded, [tmp_path]) == ["four", "one", "two"]
    (tmp_path / "one.py").write_text(GOOD)
    assert changed_since(loaded, [tmp_path]) == ["four", "two"]


def test_a_source_can_be_found_again_by_its_target(tmp_path):
    (tmp_path / "one.py").write_text(GOOD)
    (source,) = in_folders([tmp_path])
    assert from_target(source.target).location == source.location


def test_a_folder_of_plugins_is_all_of_them(tmp_path):
    for name in ("one", "two"):
        (tmp_path / f"{name}.py").write_text(GOOD)
    assert [source.name for source in find_sources(str(tmp_path))] == ["one", "two"]
    assert [source.name for source in find_sources(str(tmp_path / "one.py"))] == ["one"]


def test_a_class_that_is_called_in_the_hook_is_refused_in_words(tmp_path):
    (broken,) = load_text(tmp_path, GOOD.replace("register(Good)", "register(Good())")).broken
    assert broken.reason == (
        "It registers a network in place of its class: write register(Good), without brackets "
        "after Good."
    )


def test_a_target_that_is_nearly_a_file_is_suggested(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my_net.py").write_text(GOOD)
    with pytest.raises(PluginError, match=r"module 'my-net'; did you mean 'my_net\.py'\?$"):
        from_target("my-net")


@pytest.mark.parametrize(
    "name",
    [
        "a\\nb",
        "a\\0b",
        "gnp.\\u202eexe",
        "plain\\u200b",
        "a" * 61,
        " a",
        "a  b",
        "\\x1b[31m",
        "\\ud800",
    ],
)
def test_a_name_that_cannot_be_shown_is_refused(tmp_path, name):
    write(tmp_path / "net.py", GOOD, **{"register(Good)": f'register(Good, name="{name}")'})
    registry = load(in_folders([tmp_path]))
    assert registry.architectures == {}
    [broken] = registry.broken
    assert broken.reason.endswith(
        " cannot be shown on a page; use at most 60 characters, all of which can be seen."
    )
    assert broken.reason.isprintable()


@pytest.mark.parametrize("name", ["a" * 60, "Größe 数字", "[x](y) `b` <c>"])
def test_any_name_that_can_be_shown_is_taken(tmp_path, name):
    write(tmp_path / "net.py", GOOD, **{"register(Good)": f'register(Good, name="{name}")'})
    assert list(load(in_folders([tmp_path])).architectures) == [name]
