"""What a lesson is: a text with slots, and the parts that fill them.

A lesson asks a question and answers it claim by claim, each with a figure and, where there is
something to try, a control. Its text has the words, in one file a language; its parts compute what
the slots stand for. The arguments of a part's function are its controls, read as the options of an
architecture are:

    def deeper(bench: Bench, *, layers: Annotated[int, Range(2, 56, step=2)] = 20) -> Shown:
        ...
        return Shown({"accuracy": percent(accuracy)}, figure)

    Lesson("depth", texts=Path(__file__).parent / "texts", parts=[Part(deeper)])

In the text, `{{deeper.accuracy}}` is then the value, `{{figure: deeper}}` the figure and
`{{control: deeper.layers}}` the control.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, TypeAlias

from explorer.lessons.figures import Figure

Need: TypeAlias = Literal["", "skip", "branches", "conv1x1"]
Asks: TypeAlias = Literal["", "choice", "number", "line"]


@dataclass(frozen=True, slots=True)
class Trained:
    """A training by which a visitor can repeat a point of a figure.

    Attributes:
        label: What it is, for the link.
        architecture: The name of the network.
        options: Its options, where they are not the default.
        dataset: The images.
        recipe: The preset.
        fields: The recipe's fields, where they are not the preset's.
    """

    label: str
    architecture: str
    options: Mapping[str, bool | int | float | str | None] = field(default_factory=dict)
    dataset: str = "mnist"
    recipe: str = "fast"
    fields: Mapping[str, bool | int | float | str | None] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Look:
    """A state of *Look inside*.

    Attributes:
        label: What it shows, for the link.
        run: The id of the run; empty for the one that the part looked into.
        off: The paths of what is switched off.
        part: The part that is opened.
        image: The test image; `None` for the first.
    """

    label: str
    run: str = ""
    off: Sequence[str] = ()
    part: str = ""
    image: int | None = None


@dataclass(frozen=True, slots=True)
class Shown:
    """What a part shows for one state of its controls.

    Attributes:
        values: What its slots stand for, by name, as text.
        figure: Its figure; `None` if it has none.
        origin: Where the numbers come from, in a sentence: "Computed now", or which record.
        trains: Trainings that repeat what is shown.
        looks: Where to see more of it.
        answer: What a guess is compared with: the number, or the number of the choice from 0.
        guessed: The label of the line that is guessed, where a line is.
    """

    values: Mapping[str, str]
    figure: Figure | None = None
    origin: str = ""
    trains: Sequence[Trained] = ()
    looks: Sequence[Look] = ()
    answer: float | None = None
    guessed: str = ""


@dataclass(frozen=True, slots=True)
class Part:
    """A computation of a lesson.

    Attributes:
        show: Called with a `Bench`; if the part looks into a network, with a session about it; and
            with a value for each control.
        needs: What the network that it looks into has to have; empty if it looks into none.
        network: The architecture of the recorded run that is looked into at first.
        asks: What is guessed before the figure is shown; empty if nothing is. The question is in
            the text.
        low: The least number that can be guessed.
        high: The largest.
        unit: Of the number.
    """

    show: Callable[..., Shown]
    needs: Need = ""
    network: str = ""
    asks: Asks = ""
    low: float = 0.0
    high: float = 100.0
    unit: str = ""

    @property
    def name(self) -> str:
        """The name of its function, as the text has it."""
        return self.show.__name__


@dataclass(frozen=True, slots=True)
class Source:
    """What is cited.

    Attributes:
        title: Authors, title, year, and where in it.
        url: Its address; may be empty.
    """

    title: str
    url: str = ""


@dataclass(frozen=True, slots=True)
class Lesson:
    """A lesson as its author writes it.

    Attributes:
        name: In the address: small letters, digits and hyphens.
        texts: The folder that has a folder for each language, with the text in it: the English
            one of the lesson `gates` is `en/gates.md`.
        parts: What fills the slots of the text.
        sources: What is cited, by name.
        uses: The architectures of this plugin, or of others, whose networks its parts build.
    """

    name: str
    texts: Path
    parts: Sequence[Part]
    sources: Mapping[str, Source] = field(default_factory=dict)
    uses: Sequence[str] = ()
