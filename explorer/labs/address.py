"""The table of all that an address may say, of which a lesson is written as well."""

from collections.abc import Collection
from typing import Any, NamedTuple

LANGUAGE, BIG = "lang", "big"  # what all pages' addresses say of how somebody reads
ANY = "*.*"  # the row of the options, which are named `architecture.option` or `recipe.field`


class Row(NamedTuple):
    """What an address may say.

    Attributes:
        name: In the address.
        page: The page whose address has it; of all pages, an empty text.
        type: What its value is, in words.
        default: The value that is left out of the address; `None` if it depends on others.
        help: What it chooses.
        alias: Another name under which it is read.
    """

    name: str
    page: str
    type: str
    default: Any
    help: str
    alias: str = ""


TABLE = (
    Row("lesson", "", "name", None, "the lesson"),
    Row(LANGUAGE, "", "`en` or `zh-CN`", None, "the language; the browser's"),
    Row(BIG, "", "`1`", None, "larger type and lines, for a projector"),
    Row("about", "why", "name", None, "which question is answered; all of them"),
    Row("predict", "why", "true or false", False, "whether guesses come before figures"),
    Row(
        ANY,
        "why",
        "number, word, true or false",
        None,
        "a control of a lesson, such as `residual.deeper.layers`; `run` is the network that is "
        "looked into",
    ),
    Row("run", "train", "ids, one each", None, "the runs on the chart"),
    Row("architecture", "train", "name", None, "the network to train"),
    Row("dataset", "train", "name", None, "its images"),
    Row("recipe", "train", "name", None, "how it is trained"),
    Row("x", "train", "`epochs` or `seconds`", "epochs", "along what the curves go"),
    Row(
        ANY,
        "train",
        "number, word, true or false",
        None,
        "an option of the network, such as `residual-bn.width`, or a field of the recipe, such as "
        "`fast.epochs`",
    ),
    Row("net", "inside", "id", None, "the run whose network is looked at", alias="run"),
    Row("other", "inside", "id", None, "the run beside it"),
    Row("epoch", "inside", "whole number", None, "after which epoch; the last"),
    Row(
        "source",
        "inside",
        "`Test set`, `Draw` or `Upload`",
        "Test set",
        "the picture's source",
    ),
    Row(
        "filter",
        "inside",
        "`all`, `classified incorrectly`, `least confident` or a class",
        "all",
        "which test images are gone through",
    ),
    Row(
        "image",
        "inside",
        "whole number",
        None,
        "the test image; of a recorded example the one that shows most, else the first",
    ),
    Row("drawing", "inside", "packed", None, "what was drawn"),
    Row("picture", "inside", "packed", None, "what became of an uploaded picture"),
    Row("off", "inside", "paths, one each", None, "what is switched off"),
    Row(
        "part",
        "inside",
        "name",
        None,
        "the opened part; of an example the one that shows most, else the first block",
    ),
    Row("map", "inside", "name and channel, as in `conv1:3`", None, "the map that is taken apart"),
    Row("unit", "inside", "row and column, as in `4,7`", None, "its unit; the one in the middle"),
    Row("scale", "inside", "`map`, `layer` or `model`", "layer", "within what colours compare"),
    Row("ask", "inside", "word", "Branches", "the question below the network"),
    Row("instead", "inside", "`zero` or `mean`", "zero", "what a branch that is off gives"),
    Row("shares", "inside", "name", None, "the block whose contributions are shown; the last"),
    Row("class", "inside", "number", None, "the class whose pixels are shown; the predicted one"),
    Row("cam", "inside", "name", None, "the layer of Grad-CAM; the last"),
    Row("filters", "inside", "name", None, "the layer whose filters are shown; the first"),
    Row("excites", "inside", "name", None, "the part one of whose channels is excited"),
    Row("channel", "inside", "number", None, "the channel; the one whose class means differ most"),
    Row("donor", "inside", "whole number", None, "the test image that gives its activation"),
    Row("patch", "inside", "name", None, "the part that gives it; the branch that carries most"),
    Row(
        "cell",
        "inside",
        "two numbers, as in `7-2`",
        None,
        "the correct and the predicted class whose images are shown",
    ),
    Row("sort", "inside", "`index`, `norm` or `likeness`", "index", "the order of the filters"),
    Row("show", "plugins", "name", None, "what is looked at closely"),
    Row("term", "glossary", "name", None, "the word that comes first"),
)


def names(page: str) -> list[str]:
    """Return the names of a page, without those of all pages; options have others."""
    return [row.name for row in TABLE if row.page == page and row.name != ANY]


def belongs(name: str, page: str) -> bool:
    """Return whether a name is one of a page's, or of all pages."""
    is_option = "." in name and any(row.name == ANY for row in TABLE if row.page == page)
    return is_option or any(row.name == name for row in TABLE if row.page in ("", page))


def is_of_train(said: Collection[str]) -> bool:
    """Return whether an address without a page is of *Train*, which once had no other."""
    old = {"run", "architecture", "dataset", "recipe"}
    return bool(old & set(said)) and not any(row.name in said for row in TABLE if row.page == "why")


def table(page: str) -> str:
    """Return what an address of a page may say, as a Markdown table, for docs/lessons.md."""
    rows = [
        f"| `{row.name.replace('*.*', '….…')}` | {row.type} | {row.help} |"
        for row in TABLE
        if row.page == page
    ]
    return "\n".join(["| name | value | what it chooses |", "| --- | --- | --- |", *rows])
