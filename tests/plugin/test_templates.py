"""Templates are written under any name that a plugin can have, and under no other."""

import ast
import tempfile
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from explorer.plugin.templates import Kind, TemplateError, new_plugin, read_kind

words = st.lists(st.from_regex(r"[a-ln-z][a-z0-9]{0,6}", fullmatch=True), min_size=1, max_size=3)


@given(words=words, joint=st.sampled_from("-_ "), kind=st.sampled_from([*Kind]))
@example(words=["class"], joint="-", kind=Kind.PLAIN)
def test_any_words_become_a_class_a_file_and_a_name(words, joint, kind):
    with tempfile.TemporaryDirectory() as folder:
        try:
            made = new_plugin(joint.join(words), kind, Path(folder), taken=())
        except TemplateError:  # a keyword of Python's, or the name of a module
            assert list(Path(folder).iterdir()) == []
            return
        texts = [file.read_text("utf-8") for file in [made, *made.rglob("*.*")] if file.is_file()]
        assert not any(name in text for text in texts for name in ("MyNet", "my_net", "my-net"))
        code = made / "_".join(words) / "__init__.py" if made.is_dir() else made
        classes = [
            n.name
            for n in ast.walk(ast.parse(code.read_text("utf-8")))
            if isinstance(n, ast.ClassDef)
        ]
        assert classes.count("".join(word[:1].upper() + word[1:] for word in words)) == 1
        assert len(set(classes)) == len(classes) <= 2  # the network, and a block of it


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("residual-block", Kind.RESIDUAL),
        ("windows", Kind.INCEPTION),
        ("range", Kind.RESIDUAL),
        *(("f", kind) for kind in (Kind.PLAIN, Kind.RESIDUAL, Kind.INCEPTION)),
    ],
)
def test_a_name_that_the_template_uses_itself_is_refused(name, kind, tmp_path):
    with pytest.raises(TemplateError, match="the template uses the name"):
        new_plugin(name, kind, tmp_path, taken=())
    assert list(tmp_path.iterdir()) == []


@given(name=st.text(max_size=12))
def test_no_name_leads_out_of_the_folder_or_leaves_half_a_plugin(name):
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder) / "home"
        home.mkdir()
        try:
            made = new_plugin(name, Kind.PLAIN, home, taken=())
        except TemplateError:
            assert list(home.iterdir()) == []
        else:
            assert made.parent == home
            ast.parse(made.read_text("utf-8"))
        assert [path.name for path in Path(folder).iterdir()] == ["home"]


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("my-net", "my_net.py"),
        ("MyNet", "my_net.py"),
        ("SENet", "se_net.py"),
        ("resNeXt2", "res_ne_xt2.py"),
        ("Wide Net", "wide_net.py"),
    ],
)
def test_the_usual_spellings_are_understood(name, file, tmp_path):
    assert new_plugin(name, Kind.PLAIN, tmp_path, taken=()).name == file


def test_a_folder_that_cannot_be_written_is_refused(tmp_path):
    with pytest.raises(TemplateError, match=r"cannot be written .*; run this in another folder"):
        new_plugin("wide", Kind.PLAIN, tmp_path / "nowhere", taken=())


def test_a_kind_is_known_by_its_name():
    assert read_kind("package") is Kind.PACKAGE
    with pytest.raises(TemplateError, match=r"There is no kind 'resdual'; did you mean 'residual'"):
        read_kind("resdual")
