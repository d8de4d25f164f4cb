"""Every error is a sentence, and names the one whose code it was."""

import ast
import importlib
import inspect
import re
import sys
from dataclasses import replace
from operator import itemgetter
from pathlib import Path

import pytest
import torch
from torch import nn

import explorer
from explorer import language
from explorer.data.cache import _read as read_arrays
from explorer.data.mnist import MNIST
from explorer.errors import (
    DOORS,
    ExplorerError,
    explain,
    full_trace,
    is_ours,
    message_of,
    own_trace,
)
from explorer.inspection.outline import outline
from explorer.inspection.tracing import trace
from explorer.language import Sentence, current, say, sentences, speaking
from explorer.plugin.constructor import Constructor, read
from explorer.plugin.registry import discover, load
from explorer.plugin.sources import Source
from explorer.spec import ImageSpec
from explorer.training.checkpoint import load_weights, pack_weights

PACKAGE = Path(explorer.__file__).parent
IMAGES = ImageSpec(1, 28, 10)
MODULES = [
    ".".join(file.relative_to(PACKAGE.parent).with_suffix("").parts).removesuffix(".__init__")
    for file in sorted(PACKAGE.rglob("*.py"))
    if "templates" not in file.parts and file.stem != "__main__"
]


def test_every_error_class_of_the_explorer_is_an_explorer_error():
    raised = [
        cls
        for name in MODULES
        for _, cls in inspect.getmembers(importlib.import_module(name), inspect.isclass)
        if issubclass(cls, Exception) and cls.__module__ == name
    ]
    assert len(raised) > 20
    assert [cls for cls in raised if not issubclass(cls, (ExplorerError, Warning))] == []


def test_the_walk_over_all_modules_finds_error_classes():
    assert "explorer.runs.store" in MODULES
    assert issubclass(importlib.import_module("explorer.runs.run").UnknownRunError, ExplorerError)


# Whose error it was.


def error_of(function, *arguments):
    """What the function raises, with its traceback."""
    try:
        function(*arguments)
    except BaseException as error:
        return error
    raise AssertionError("nothing was raised")


@pytest.fixture
def plugin(tmp_path):
    """Import a plugin of this code; return the module and its file."""

    def plugin(code):
        file = tmp_path / "mine.py"
        file.write_text(code)
        spec = importlib.util.spec_from_file_location("mine", file)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module, file

    return plugin


FAILING = """
from torch import nn

class Net(nn.Module):
    def __init__(self, images):
        super().__init__()
        self.linear = nn.Linear(3, images.num_classes)

    def forward(self, x):
        {deed}
        return self.linear(x)
"""
DEED_LINE = 1 + FAILING.splitlines().index("        {deed}")


@pytest.mark.parametrize(
    ("deed", "sentence"),
    [
        ("raise KeyError('on purpose')", f"It raised KeyError, line {DEED_LINE}: 'on purpose'."),
        ("x = x.view(5)", rf"It raised RuntimeError, line {DEED_LINE}: shape '\[5\]' is invalid"),
        ("pass", f"It raised RuntimeError, line {DEED_LINE + 1}: .*mat1 and mat2 shapes"),
    ],
    ids=["raised", "an operation", "a layer"],
)
def test_an_error_in_the_author_s_code_or_beneath_it_is_the_author_s(plugin, deed, sentence):
    module, file = plugin(FAILING.format(deed=deed))
    error = error_of(outline, module.Net(IMAGES), IMAGES)
    assert not is_ours(error, file)
    assert re.match(sentence, explain(error, file))


def test_an_error_in_a_network_without_code_of_the_author_s_is_the_author_s(tmp_path):
    error = error_of(outline, nn.Sequential(nn.Flatten(), nn.Linear(3, 10)), IMAGES)
    assert own_trace(error, tmp_path / "mine.py") == ""
    assert not is_ours(error, tmp_path / "mine.py")
    sentence = explain(error, tmp_path / "mine.py")
    assert re.match(r"It raised RuntimeError: .*mat1 and mat2 shapes cannot be", sentence)


def assert_ours(error, location, kind, module):
    assert is_ours(error, location)
    sentence = explain(error, location)
    assert re.match(
        rf"The explorer itself failed, not a plugin: {kind} in {module}, line \d+: .*\. "
        r"Please report it with the traceback\.$",
        sentence,
    ), sentence


def test_an_error_in_our_own_code_says_so(plugin):
    module, file = plugin(FAILING.format(deed="pass"))
    error = error_of(outline, module.Net(IMAGES), None)
    assert_ours(error, file, "AttributeError", "inspection/outline.py")


def test_an_error_of_a_library_that_we_called_is_ours(plugin):
    module, file = plugin(FAILING.format(deed="pass"))
    error = error_of(pack_weights, module.Net(IMAGES).to("meta"))
    assert_ours(error, file, "NotImplementedError", "training/checkpoint.py")


def test_an_error_of_our_own_hook_in_the_author_s_network_is_ours(plugin):
    module, file = plugin(FAILING.format(deed="x = x.flatten(1)[:, :3]"))
    images = torch.zeros(1, 1, 28, 28)
    corner = itemgetter((0, 0, 27, 27))  # the logits have none
    error = error_of(trace, module.Net(IMAGES), images, corner)
    assert "in forward" in own_trace(error, file)
    assert_ours(error, file, "IndexError", "inspection/tracing.py")


def test_a_library_of_ours_that_is_missing_is_not_blamed_on_the_plugin(plugin, monkeypatch):
    module, file = plugin(FAILING.format(deed="pass"))
    monkeypatch.setitem(sys.modules, "safetensors.torch", None)
    error = error_of(load_weights, module.Net(IMAGES), b"no weights")
    assert isinstance(error, ModuleNotFoundError)
    assert_ours(error, file, "ModuleNotFoundError", "training/checkpoint.py")


@pytest.mark.parametrize(
    "code",
    [
        "from explorer import Branches\nBranches(3)",
        "from explorer import npz_file\nnpz_file(3)(None)",
        "from explorer import Range\nRange()",
        "from explorer import hookimpl\n@hookimpl\ndef register_architectures(register):\n"
        "    register()",
        "from explorer import hookimpl\n@hookimpl\ndef register_architectures(register): 1 / 0",
        "import no_such_module",
        "from torch import no_such_name",
        "def f(:",
        "\0",
    ],
    ids=lambda code: code.splitlines()[-1].strip() or "a null byte",
)
def test_what_goes_wrong_while_a_plugin_is_loaded_is_the_plugin_s(tmp_path, code):
    file = tmp_path / "mine.py"
    file.write_text(code)
    [broken] = load([Source("mine", str(file), file)]).broken
    assert "explorer itself" not in broken.reason


@pytest.mark.skipif(sys.platform == "win32", reason="a file that cannot be read is made otherwise")
def test_a_plugin_that_cannot_be_read_is_not_our_fault(tmp_path):
    file = tmp_path / "mine.py"
    file.write_bytes(b"# \xff\xfe is no UTF-8")
    [broken] = load([Source("mine", str(file), file)]).broken
    assert "explorer itself" not in broken.reason


MISFITS = """
from abc import ABC, abstractmethod
from torch import nn

class Abstract(ABC, nn.Module):
    @abstractmethod
    def forward(self, x): ...

class NoArguments(nn.Module):
    def __init__(self):
        super().__init__()
"""


@pytest.mark.parametrize(
    ("name", "message"),
    [("Abstract", "abstract"), ("NoArguments", "got an unexpected keyword argument 'images'")],
)
def test_a_class_that_cannot_take_our_call_is_the_author_s_fault(plugin, name, message):
    module, file = plugin(MISFITS)
    constructor = Constructor(getattr(module, name), {"images": lambda images: images})
    plain = replace(discover()["plain"], constructor=constructor)
    error = error_of(plain.build, IMAGES)
    assert not is_ours(error, file)
    assert re.match(rf"It raised TypeError: .*{message}", explain(error, file))


def test_an_error_in_a_package_that_the_author_uses_is_the_author_s(tmp_path, monkeypatch):
    package = tmp_path / "site-packages" / "package_of_networks"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("def net(images):\n    raise ValueError('too small')\n")
    monkeypatch.syspath_prepend(package.parent)
    net = importlib.import_module("package_of_networks").net
    error = error_of(replace(discover()["plain"], constructor=read(net)).build, IMAGES)
    assert explain(error, tmp_path / "mine.py") == "It raised ValueError: too small."


def test_arrays_that_cannot_be_used_are_the_author_s_fault(tmp_path):
    uneven = replace(MNIST, read=lambda _: ([[1], [1, 2]], [0], [[1]], [0]))
    error = error_of(read_arrays, uneven, tmp_path, "")
    assert "could not be read: It raised ValueError: setting an array element" in str(error)


@pytest.mark.parametrize(("file", "names"), DOORS.items())
def test_the_functions_that_call_the_author_s_code_exist(file, names):
    tree = ast.parse((PACKAGE / file).read_text(encoding="utf-8"))
    assert set(names) <= {n.name for n in ast.walk(tree) if isinstance(n, ast.FunctionDef)}


# Want of memory.


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB."),
        type("Own", (torch.OutOfMemoryError,), {})("CUDA out of memory."),
        RuntimeError("MPS backend out of memory (MPS allocated: 8.00 GB)"),
    ],
    ids=["torch", "a kind of torch's", "mps"],
)
def test_a_device_that_is_out_of_memory_gets_a_sentence_of_its_own(error):
    sentence = "The device is out of memory; take a smaller batch or a smaller network."
    assert explain(error, None) == sentence


def test_a_cpu_that_is_out_of_memory_gets_a_sentence_of_its_own(plugin):
    module, file = plugin(FAILING.format(deed="x.new_empty(2**60)"))
    error = error_of(outline, module.Net(IMAGES), IMAGES)
    assert type(error) is RuntimeError
    sentence = "There is not enough memory; take a smaller batch or a smaller network."
    assert explain(error, file) == explain(MemoryError(), file) == sentence


def test_an_error_that_speaks_of_memory_otherwise_is_said_as_it_is():
    error = ValueError("out of memory: 3 of 4 bits")
    assert explain(error, None) == "It raised ValueError: out of memory: 3 of 4 bits."


def test_batch_normalisation_of_one_value_names_the_cure(plugin):
    module, file = plugin(FAILING.format(deed="nn.BatchNorm1d(3)(x.new_ones(1, 3))"))
    error = error_of(module.Net(IMAGES), torch.zeros(1, *IMAGES.shape))
    assert explain(error, file).startswith("Its batch normalisation in line ")
    with pytest.raises(ValueError, match="more than 1 value") as raised:
        torch.nn.BatchNorm2d(3)(torch.ones(1, 3, 1, 1))
    assert explain(raised.value, None) == (
        "Its batch normalisation gets one value per channel, of which there is no spread: take "
        "batches of 3 images or more and at least 2 training images, or give it maps of 2×2 or "
        "more."
    )


# Sentences.


def test_our_own_errors_are_their_sentence_with_a_capital():
    assert explain(ExplorerError("width must be even."), None) == "Width must be even."
    assert explain(ExplorerError(""), None) == ""


def test_a_message_is_one_line_without_a_full_stop_and_of_a_bounded_length():
    assert message_of(ValueError("two\n  lines.")) == "two lines"
    assert message_of(ValueError()) == "without a message"
    assert message_of(ValueError(".")) == "without a message"
    assert len(message_of(ValueError("long " * 10_000))) <= 1_000


def test_an_explanation_can_be_said_again(monkeypatch):
    other = {"width must be {what}.": "breite: {what}。"}
    monkeypatch.setattr(
        sentences,
        "translated",
        lambda _, own: own if current() == "en" else other.get(own, own),
    )
    error = ExplorerError(say("width must be {what}.", what="even"))
    explained, message = explain(error, None), message_of(error)
    assert type(explained) is type(message) is Sentence
    assert (explained, message) == ("Width must be even.", "width must be even")
    with speaking("zh-CN"):
        assert language.again(explained) == "Breite: even。"
        assert language.again(message) == "breite: even"


def test_a_traceback_is_english_whatever_is_spoken(monkeypatch):
    monkeypatch.setattr(sentences, "translated", lambda _, message: f"{current()[:2]} {message}")
    with speaking("zh-CN"):
        try:
            try:
                raise ExplorerError(say("not this"))
            except ExplorerError as error:
                raise ValueError("nor that") from error
        except ValueError as error:
            trace = full_trace(error)
    assert "ExplorerError: en not this" in trace
    assert trace.endswith("ValueError: nor that")


def test_an_error_whose_text_fails_is_explained_all_the_same():
    class MuteError(Exception):
        def __str__(self):
            raise LookupError

    assert explain(MuteError(), None) == "It raised MuteError: without a message."
    assert "MuteError" in full_trace(MuteError())


def test_the_full_trace_has_frames_and_causes():
    def fail():
        try:
            [].pop()
        except IndexError as error:
            raise ValueError("later") from error

    trace = full_trace(error_of(fail))
    for text in ("in fail", "IndexError", "direct cause", "ValueError: later"):
        assert text in trace


def test_an_error_whose_class_has_any_name_is_explained_on_one_line():
    for name in ("E\n[x](http://evil.example)", "E\x1b[31m", "E" * 1000):
        error = type(name, (Exception,), {})("\ud800 \u202e")
        text = explain(error, None)
        assert text.isprintable()
        assert len(text) < 200
