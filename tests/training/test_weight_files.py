"""Files of weights: what was written is read back, and what cannot be read gets a sentence."""

import argparse
import io
import os
import re
from pathlib import Path

import numpy as np
import pytest
import safetensors
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file
from torch import nn

from explorer.training.weight_files import (
    PICKLED,
    SAFETENSORS,
    WRAPPERS,
    WeightFileError,
    read_weights,
    write_weights,
)

KINDS = [SAFETENSORS, *PICKLED]
TYPES = [torch.float32, torch.float16, torch.bfloat16, torch.float64, torch.int64, torch.bool]

tensors = st.builds(
    lambda shape, kind, seed: (
        torch.randn(shape, generator=torch.Generator().manual_seed(seed)).mul(9).to(kind)
    ),
    st.lists(st.integers(0, 4), max_size=4),
    st.sampled_from(TYPES),
    st.integers(0, 99),
)
states = st.dictionaries(st.text("abc.0", min_size=1, max_size=9), tensors, min_size=1, max_size=5)


def net():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4))


def equal(one, other):
    return one.keys() == other.keys() and all(
        torch.equal(one[name], other[name]) and one[name].dtype == other[name].dtype for name in one
    )


def refusal(file):
    with pytest.raises(WeightFileError) as refused:
        read_weights(file)
    sentence = str(refused.value)
    assert sentence.endswith(".")
    assert "\n" not in sentence
    assert "\x1b" not in sentence
    assert str(file) in sentence
    return sentence


@settings(deadline=None)
@given(state=states, kind=st.sampled_from(KINDS))
def test_what_was_written_is_read_back_to_the_bit(tmp_path_factory, state, kind):
    file = tmp_path_factory.mktemp("weights") / f"net{kind}"
    write_weights(file, state, {"epoch": "3"})
    assert equal(read_weights(file), state)
    assert [path.name for path in file.parent.iterdir()] == [file.name]


def test_others_read_what_was_written(tmp_path):
    state = net().state_dict()
    write_weights(tmp_path / "net.safetensors", state, {"epoch": "3"})
    assert equal(load_file(tmp_path / "net.safetensors"), state)
    with safetensors.safe_open(tmp_path / "net.safetensors", "pt") as opened:
        assert opened.metadata() == {"format": "pt", "epoch": "3"}
    write_weights(tmp_path / "net.pt", state, {})
    net().load_state_dict(torch.load(tmp_path / "net.pt", weights_only=True))


@pytest.mark.parametrize("wrapper", [*WRAPPERS, None])
def test_a_state_dict_is_found_in_a_whole_checkpoint(tmp_path, wrapper):
    state = net().state_dict()
    checkpoint = {wrapper: state, "epoch": 3, "optimizer": {"state": {}}} if wrapper else state
    torch.save(checkpoint, tmp_path / "net.pth")
    assert equal(read_weights(tmp_path / "net.pth"), dict(state))
    torch.save({"model": checkpoint}, tmp_path / "net.pt")
    assert equal(read_weights(tmp_path / "net.pt"), dict(state))


def test_older_files_of_torch_save_are_read(tmp_path):
    torch.save(net().state_dict(), tmp_path / "net.pt", _use_new_zipfile_serialization=False)
    assert equal(read_weights(tmp_path / "net.pt"), dict(net().state_dict()))


def test_a_name_in_capitals_is_read_too(tmp_path):
    torch.save(net().state_dict(), tmp_path / "NET.PT")
    assert equal(read_weights(tmp_path / "NET.PT"), dict(net().state_dict()))


def test_a_file_that_is_not_there_or_of_no_known_kind_is_refused(tmp_path):
    assert refusal(tmp_path / "net.pt") == f"There is no file {tmp_path / 'net.pt'}."
    (tmp_path / "folder.pt").mkdir()
    assert "cannot be read (Is a directory)" in refusal(tmp_path / "folder.pt")
    (tmp_path / "net.onnx").write_bytes(b"")
    assert refusal(tmp_path / "net.onnx").endswith(
        "is not a file of weights; its name must end in .safetensors, .pt, .pth, .bin or .ckpt."
    )


def saved(thing, **options):
    buffer = io.BytesIO()
    torch.save(thing, buffer, **options)
    return buffer.getvalue()


class Evil:
    """Writes a file as soon as it is unpickled."""

    def __reduce__(self):
        return os.mkdir, ("unpickled",)


@pytest.mark.parametrize(
    ("thing", "what"),
    [
        (net(), "torch.nn.modules.container.Sequential"),
        ({"state_dict": {}, "args": argparse.Namespace(lr=1)}, "argparse.Namespace"),
        ({"weight": np.zeros(3)}, "numpy._core.multiarray._reconstruct"),
        ({"weight": Evil()}, "posix.mkdir"),
    ],
    ids=["module", "arguments", "numpy", "evil"],
)
@pytest.mark.parametrize("new", [True, False], ids=["zip", "older"])
@pytest.mark.skipif(os.name == "nt", reason="os.mkdir has another name")
def test_what_needs_code_is_refused_and_not_run(tmp_path, monkeypatch, thing, what, new):
    monkeypatch.chdir(tmp_path)
    file = tmp_path / "net.pt"
    file.write_bytes(saved(thing, _use_new_zipfile_serialization=new))
    assert refusal(file) == (
        f"{file} holds {what}, which would have to be run as code, and only tensors are read; save "
        "the state dict alone: torch.save(model.state_dict(), …)."
    )
    assert not Path("unpickled").exists()


@pytest.mark.filterwarnings("ignore:.*torch.jit")
def test_a_torchscript_program_is_refused(tmp_path):
    torch.jit.save(torch.jit.script(nn.Linear(2, 2)), tmp_path / "net.pt")
    assert "holds a TorchScript program, which would have to be run" in refusal(tmp_path / "net.pt")


PACKED = {SAFETENSORS: safetensors.torch.save(net().state_dict()), ".pt": saved(net().state_dict())}
DAMAGE = {
    "empty": lambda content: b"",
    "text": lambda content: b"This is no file of weights, but it is long enough.\n",
    "bytes": lambda content: bytes(range(256)) * 4,
    "cut": lambda content: content[:-60],
    "begun": lambda content: content[:20],
}


@pytest.mark.parametrize("kind", PACKED)
@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_file_is_refused(tmp_path, kind, damage):
    file = tmp_path / f"net{kind}"
    file.write_bytes(DAMAGE[damage](PACKED[kind]))
    how = "as safetensors" if kind == SAFETENSORS else "by torch.load"
    assert f" cannot be read {how}: it is damaged or of another kind (" in refusal(file)


@settings(deadline=None)
@given(content=st.binary(max_size=300) | st.integers(0, 999).map(lambda n: PACKED[".pt"][:n]))
def test_any_bytes_are_refused_with_a_sentence(tmp_path_factory, content):
    folder = tmp_path_factory.mktemp("weights")
    for kind in (SAFETENSORS, ".pt"):
        (folder / f"net{kind}").write_bytes(content)
        assert re.search(r" (cannot be read|holds) ", refusal(folder / f"net{kind}"))


@pytest.mark.parametrize(
    ("thing", "what"),
    [
        (torch.zeros(3), "a Tensor"),
        ([torch.zeros(3)], "a list"),
        ({}, "nothing"),
        ({"weight": torch.zeros(3), "epoch": 3}, "more than tensors with names (epoch)"),
        ({"weights": {"weight": torch.zeros(3)}}, "more than tensors with names (weights)"),
        ({"state_dict": {"weight": 3}}, "more than tensors with names (weight)"),
        ({"state_dict": {}}, "nothing"),
        ({"weight": torch.eye(3).to_sparse()}, "more than tensors with names (weight)"),
        ({"weight": torch.empty(3, device="meta")}, "more than tensors with names (weight)"),
    ],
)
def test_what_is_no_state_dict_is_refused(tmp_path, thing, what):
    torch.save(thing, tmp_path / "net.pt")
    assert refusal(tmp_path / "net.pt") == (
        f"{tmp_path / 'net.pt'} holds {what} where a state dict is expected; save it with "
        "torch.save(model.state_dict(), …), or under one of the names state_dict, "
        "model_state_dict, model, net."
    )


@pytest.mark.parametrize("kind", [SAFETENSORS, ".pt"])
def test_nothing_is_written_over_unless_that_is_asked_for(tmp_path, kind):
    file = tmp_path / f"net{kind}"
    file.write_bytes(b"mine")
    state = net().state_dict()
    with pytest.raises(WeightFileError, match="is there already; name another, or give --force"):
        write_weights(file, state, {})
    assert file.read_bytes() == b"mine"
    write_weights(file, state, {}, overwrite=True)
    assert equal(read_weights(file), dict(state))


def test_a_file_that_cannot_be_written_is_refused_and_nothing_is_left(tmp_path, monkeypatch):
    state = net().state_dict()
    with pytest.raises(WeightFileError, match=r"its name must end in \.safetensors or \.pt\.$"):
        write_weights(tmp_path / "net.txt", state, {})
    with pytest.raises(WeightFileError, match=r"cannot be written \(No such file or directory\);"):
        write_weights(tmp_path / "nowhere" / "net.pt", state, {})

    def fail(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(WeightFileError, match=r"cannot be written \(No space left on device\)"):
        write_weights(tmp_path / "net.pt", state, {})
    assert list(tmp_path.iterdir()) == []
