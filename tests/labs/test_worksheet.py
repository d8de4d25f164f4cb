"""A lesson's file is read strictly, and whatever is in one, what comes of it is sentences."""

import importlib.util
import re
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from explorer.labs.address import TABLE
from explorer.labs.worksheet import (
    MOST_BYTES,
    Question,
    Worksheet,
    WorksheetError,
    find_worksheet,
    mistakes,
    read_worksheet,
    worksheets,
)

ROOT = Path(__file__).parents[2]
EXAMPLES = sorted((ROOT / "examples" / "lessons").glob("*.yaml"))
DOCUMENT = (ROOT / "docs" / "lessons.md").read_text(encoding="utf-8")


@pytest.fixture
def written(tmp_path):
    """Write a lesson's file."""

    def write(text: str | bytes, name: str = "a.yaml") -> Path:
        file = tmp_path / name
        file.write_bytes(text if isinstance(text, bytes) else text.encode())
        return file

    return write


@pytest.mark.parametrize("file", EXAMPLES, ids=lambda file: file.stem)
def test_an_example_is_right_and_says_its_address(file):
    assert mistakes(file) == []
    lesson = read_worksheet(file)
    assert f"/{lesson.page}?lesson={file.stem}" in file.read_text(encoding="utf-8").splitlines()[0]


def test_there_is_an_example_of_each_kind_and_page():
    found = [read_worksheet(file) for file in EXAMPLES]
    assert {lesson.ask.kind for lesson in found} == {"choice", "number", "class"}
    assert {lesson.page for lesson in found} == {"inside", "train"}


def test_what_is_written_is_text_until_its_key_says_otherwise(written):
    lesson = read_worksheet(
        written(
            "title: 07\nvalues: {image: 0007, off: [yes, 1.0]}\n"
            "ask: {text: q, kind: choice, choices: [yes, no, null, 2026-01-01]}\n"
        )
    )
    assert lesson.title == "07"
    assert lesson.values == {"image": ("0007",), "off": ("yes", "1.0")}
    assert lesson.ask.choices == ("yes", "no", "null", "2026-01-01")


def test_a_link_says_page_and_values(written):
    link = "https://x.example/a/inside?net=1f&off=a.b&off=c%3A3&embed=true&lesson=other"
    lesson = read_worksheet(written(f"title: t\nlink: {link}\n"))
    assert lesson.page == "inside"
    assert lesson.values == {"net": ("1f",), "off": ("a.b", "c:3")}
    train = read_worksheet(
        written("title: t\nlink: https://x.example/?run=1&run=2&plain.width=3\n")
    )
    assert train.page == "train"
    assert train.values == {"run": ("1", "2"), "plain.width": ("3",)}


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "should have a line `title: …`"),
        ("- a\n", "should have a line `title: …`"),
        ("text: x\n", "the key `title` is missing; it is the title, of at most 200 characters."),
        ("title: ''\n", "`title` should be the title, of at most 200 characters, not ''."),
        (f"title: {'x' * 300}\n", "`title` should be the title, of at most 200 characters"),
        ("title: [a]\n", "`title` should be the title"),
        ("title: t\ntitel: x\n", "there is no key 'titel' here; did you mean 'title'?"),
        ("title: t\ntitle: u\n", "the key `title` should be given once."),
        ("title: t\npage: insides\n", "`page` should be inside or train, not 'insides'."),
        (
            "title: t\nvalues: {imge: 3}\n",
            "`values` has 'imge', which is nothing of the page inside; did you mean 'image'?",
        ),
        ("title: t\nvalues: {lesson: a}\n", "`values` has 'lesson', which is nothing of the page"),
        ("title: t\nvalues: {net: {a: b}}\n", "`values` should be what the page shows"),
        ("title: t\ncontrols: [of]\n", "`controls` has 'of', which is no control of the page"),
        ("title: t\ncontrols: [train]\n", "`controls` has 'train', which is no control of"),
        ("title: t\nask: why\n", "`ask` should be a question: its text, its kind, and more"),
        ("title: t\nask: {kind: class}\n", "the key `ask.text` is missing; it is the question"),
        (
            "title: t\nask: {text: q, kind: klass}\n",
            "`ask.kind` should be choice, number or class, not 'klass'.",
        ),
        (
            "title: t\nask: {text: q, kind: choice, choices: [a]}\n",
            "`ask.choices` should be a list of 2 to 20 different answers",
        ),
        ("title: t\nask: {text: q, kind: choice, choices: [a, a]}\n", "`ask.choices` should be a"),
        ("title: t\nask: {text: q, kind: number, choices: [a, b]}\n", "`ask.choices` should be"),
        ("title: t\nask: {text: q, kind: number, low: 3, high: 2}\n", "`ask.high` should be a "),
        ("title: t\nask: {text: q, kind: number, low: .inf}\n", "`ask.low` should be a number"),
        (
            "title: t\nask: {text: q, kind: number, hgh: 2}\n",
            "no key 'hgh' here; did you mean 'high",
        ),
        ("title: t\npage: train\nask: {text: q, kind: class}\n", "`ask.kind` should be choice or"),
        ("title: t\nlink: hello\n", "`link` should be an address from *Copy link*"),
        ("title: t\nlink: http://x/inside?a=b\n", "`values` has 'a', which is nothing of the page"),
        ("title: t\nlink: http://x/?run=1\npage: train\n", "`link` should be an address from"),
        ("title: &a t\ntext: *a\n", "should be YAML: an alias, written with *, cannot be used"),
        ("title: t\n? [a]\n: b\n", "should be YAML: a key should be a word (line 1)."),
        ("title: [\n", "should be YAML: "),
        ("title: \x07\n", "should be YAML: "),
        ("[" * 5000, "should be YAML of a few levels"),
        ("title: !!python/object/apply:os.system [ls]\n", "`title` should be the title"),
        (b"title: \xff\xfe\n", "should be text in UTF-8."),
        (b"#" * (MOST_BYTES + 1), "should have at most 64,000 bytes."),
    ],
    ids=range(35),
)
def test_a_mistake_is_a_sentence_that_names_the_file_the_key_and_what_would_be_right(
    written, text, sentence
):
    found = mistakes(written(text))
    assert any(sentence in each for each in found), found
    assert all(each.startswith("a.yaml") for each in found)
    with pytest.raises(WorksheetError, match=re.escape(found[0])):
        read_worksheet(written(text))


def test_each_of_several_mistakes_has_its_sentence(written):
    found = mistakes(written("page: x\nfoo: 1\nask: {kind: 1}\n"))
    assert len(found) == 5


def test_a_file_that_is_not_there_is_a_sentence(tmp_path):
    assert mistakes(tmp_path / "b.yaml") == ["b.yaml cannot be read: No such file or directory."]
    assert mistakes(tmp_path)[0].endswith("cannot be read: Is a directory.")


@pytest.mark.parametrize(
    "name", ["../a", "a/../a", "/etc/passwd", "a.yaml", "", "b", "A" * 99, "a\0", "a\n", "é"]
)
def test_a_lesson_is_found_by_its_name_and_never_by_a_path(written, name):
    file = written("title: t\n")
    assert find_worksheet(file.parent, "a").title == "t"
    with pytest.raises(WorksheetError, match=r"There is no lesson .* here"):
        find_worksheet(file.parent, name)
    with pytest.raises(WorksheetError, match="names a folder"):
        find_worksheet(None, name)


def test_a_folder_lists_its_lessons_and_those_with_mistakes(written):
    folder = written("title: t\n").parent
    written("titel: t\n", "b.yaml")
    written("title: t\n", "no name.yaml")
    found = worksheets(folder)
    assert list(found) == ["a", "b"]
    assert isinstance(found["a"], Worksheet)
    assert isinstance(found["b"], WorksheetError)


KEYS = st.sampled_from([*Worksheet.model_fields, *Question.model_fields, "link", "net", "off", "x"])
ANYTHING = st.recursive(
    st.text(max_size=20) | st.integers() | st.floats() | st.none() | st.booleans() | st.dates(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=12,
)


def are_sentences(found: list[str]) -> bool:
    return all(re.match(r"f\.yaml[: ].+[.?]$", each, re.DOTALL) for each in found)


@settings(max_examples=300, deadline=None)
@given(st.dictionaries(KEYS, ANYTHING, max_size=6))
def test_of_any_yaml_comes_a_lesson_or_sentences(tmp_path_factory, content):
    file = tmp_path_factory.getbasetemp() / "f.yaml"
    file.write_text(yaml.safe_dump(content, allow_unicode=True), encoding="utf-8")
    found = mistakes(file)
    assert are_sentences(found), found
    if not found:
        assert read_worksheet(file).title


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=80) | st.text("titleask: \n\t-[]{}&*!|>'\"%@`#?,x1", max_size=80))
def test_of_any_file_come_sentences(tmp_path_factory, content):
    file = tmp_path_factory.getbasetemp() / "f.yaml"
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    assert are_sentences(mistakes(file))


def test_the_document_has_each_key_and_its_lesson_is_right(written):
    for key in (*Worksheet.model_fields, *Question.model_fields, "link"):
        assert re.search(rf"^\|[^|]*`{key}`", DOCUMENT, re.MULTILINE), key
    (example,) = re.findall(r"((?:       .*\n)+)", DOCUMENT[: DOCUMENT.index("3. Check")])
    assert mistakes(written(example)) == []


def test_the_tables_of_the_document_are_the_table():
    """If not, run `python docs/make_lessons.py`."""
    spec = importlib.util.spec_from_file_location("make", ROOT / "docs" / "make_lessons.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert module.lessons(DOCUMENT) == DOCUMENT
    assert all(f"| `{row.name}` |" in DOCUMENT for row in TABLE if row.page == "inside")
