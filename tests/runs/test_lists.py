"""Lists of runs in TOML files."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from explorer.runs.lists import ListError, read_list


@pytest.fixture
def read(tmp_path, registry):
    def read(text):
        file = tmp_path / "runs.toml"
        file.write_bytes(text if isinstance(text, bytes) else text.encode())
        return read_list(file, registry)

    return read


def test_a_list_has_each_run_once_in_its_order(read):
    found = read(
        """
        [[run]]
        architecture = "residual-bn"
        options = {skip = false}
        epochs = 2
        seeds = [0, 1]

        [[run]]
        architecture = "plain"
        recipe = "tutorial"
        seed = 7
        weights = "last"

        [[run]]
        architecture = "residual-bn"
        options = {skip = false}
        epochs = 2
        """
    )
    specs = [wanted.spec for wanted in found]
    assert [wanted.weights for wanted in found] == ["none", "none", "last"]
    assert [(s.architecture, s.recipe.epochs, s.recipe.seed) for s in specs] == [
        ("residual-bn", 2, 0),
        ("residual-bn", 2, 1),
        ("plain", 10, 7),
    ]
    assert specs[0].options["skip"] is False
    assert {spec.dataset for spec in specs} == {"mnist"}


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "should have tables [[run]] and nothing else"),
        ("run = 3", "should have tables [[run]] and nothing else"),
        ("x = 1\n[[run]]\narchitecture='plain'", "should have tables [[run]] and nothing else"),
        ("run = [3]", "run 1: a run is a table"),
        ("[[run]]", "run 1: architecture is a text, and not None"),
        ("[[run]]\narchitecture = 'plian'", "did you mean 'plain'"),
        ("[[run]]\narchitecture='plain'\ndataset='x'", "There is no data set 'x'"),
        ("[[run]]\narchitecture='plain'\nrecipe='quick'", "there is no recipe 'quick'"),
        ("[[run]]\narchitecture='plain'\nweights=['all']", 'weights is "none", "last" or "all"'),
        (
            "[[run]]\narchitecture='plain'\nepoch=3",
            "there is no key 'epoch'; did you mean 'epochs'",
        ),
        ("[[run]]\narchitecture='plain'\nepochs=-3", "epochs must be"),
        ("[[run]]\narchitecture='plain'\nepochs='x'", "epochs must be"),
        ("[[run]]\narchitecture='plain'\nseeds=3", "seeds is a list"),
        ("[[run]]\narchitecture='plain'\nseed=1\nseeds=[3]", "seeds is a list"),
        ("[[run]]\narchitecture='plain'\noptions=3", "options is a table"),
        ("[[run]]\narchitecture='residual-bn'\noptions={width=-1}", "width must be"),
        ("[[run", "is no TOML file"),
        (b"\xff\xfe", "is no TOML file"),
    ],
)
def test_what_cannot_be_is_a_sentence_that_names_the_entry(read, text, sentence):
    with pytest.raises(ListError) as caught:
        read(text)
    assert sentence in str(caught.value)


def test_a_file_that_is_not_there_is_a_sentence(tmp_path, registry):
    with pytest.raises(ListError, match="cannot be read"):
        read_list(tmp_path / "none.toml", registry)


VALUES = st.one_of(st.integers(), st.booleans(), st.text(max_size=5), st.floats())


@given(name=st.sampled_from(["seed", "epochs", "options", "recipe", "clip_norm"]), value=VALUES)
def test_any_value_gives_runs_or_a_sentence(tmp_path_factory, registry, name, value):
    file = tmp_path_factory.mktemp("lists") / "runs.toml"
    if isinstance(value, bool):
        value = str(value).lower()
    text = value if isinstance(value, str) and value in ("true", "false") else repr(value)
    file.write_text(f"[[run]]\narchitecture = 'plain'\n{name} = {text}\n", encoding="utf-8")
    said = ""
    try:
        assert read_list(file, registry)
    except ListError as error:
        said = str(error)
    assert not said or said.startswith(str(file))
