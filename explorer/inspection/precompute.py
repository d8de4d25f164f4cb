"""What a page without a server has to know: some images, with each branch off in turn."""

import hashlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from explorer.errors import ExplorerError
from explorer.inspection.fields import ReceptiveField
from explorer.inspection.parts import Part, nodes, parameters
from explorer.inspection.scores import Answers
from explorer.inspection.session import Session
from explorer.language import say
from explorer.spec import ImageSpec

Off: TypeAlias = tuple[str, ...]  # what is switched off, sorted; nothing: the intact network
INTACT: Off = ()

Why: TypeAlias = Literal["asked", "right", "mistake", "flip"]

SAMPLES = (10_000, 2_000, 1_000, 500, 200, 100)  # test images that are scored without being asked
AFFORDED = 10**12  # multiply-adds for all scores: some seconds of two cores
MOST_IMAGES = 100
MOST_VALUES = 16_000_000  # of all maps that are kept: 64 MB, more than a page has room for
KEPT = (256, 64, 32, 16)  # channels of each output, as many as are afforded


class NoSuchImageError(ExplorerError, LookupError):
    """There is no test image of that index; the message says which there are."""


@dataclass(frozen=True, slots=True)
class Chosen:
    """A test image that is worth showing.

    Attributes:
        number: Its index.
        why: It was asked for, is classified correctly or, with much confidence, incorrectly; or a
            switch changes a correct prediction to an incorrect one.
        switch: The path of that branch; else empty.
    """

    number: int
    why: Why
    switch: str = ""


@dataclass(frozen=True, slots=True)
class Pass:
    """What a network made of one image.

    Attributes:
        logits: `(num_classes,)`.
        maps: The output of each part and branch by name, `(C, H, W)` or `(features,)`, of it the
            first `Precomputed.channels`; nothing if there was no room for them.
    """

    logits: NDArray[np.float32]
    maps: Mapping[str, NDArray[np.float32]]


@dataclass(frozen=True, slots=True)
class Shown:
    """A test image, and what the network made of it.

    Attributes:
        chosen: Which image, and why.
        pixels: `uint8`, `(C, H, W)`.
        label: The true class.
        passes: By what is switched off.
    """

    chosen: Chosen
    pixels: NDArray[np.uint8]
    label: int
    passes: Mapping[Off, Pass]


@dataclass(frozen=True, slots=True)
class Score:
    """How a network scores on test images.

    Attributes:
        accuracy: 0–1.
        loss: In nats.
    """

    accuracy: float
    loss: float


@dataclass(frozen=True, slots=True)
class Precomputed:
    """What was computed beforehand.

    Attributes:
        parts: The layers, operations and blocks in running order.
        fields: The receptive field of each part by name.
        spec: Of the images, as the network sees them.
        parameters: The trainable ones.
        macs: Multiply-adds for one image.
        test_images: How many there are.
        scored: On how many of them, the first ones, the scores are.
        scores: By what is switched off.
        images: Those that are shown.
        channels: How many channels of each output are kept.
        failed: A sentence for each thing that could not be computed.
    """

    parts: tuple[Part, ...]
    fields: Mapping[str, ReceptiveField]
    spec: ImageSpec
    parameters: int
    macs: int
    test_images: int
    scored: int
    scores: Mapping[Off, Score]
    images: tuple[Shown, ...]
    channels: int
    failed: tuple[str, ...]


def precomputed(
    session: Session,
    images: int | Sequence[int],
    off: Collection[str] = (),
    test_images: int | None = None,
) -> Precomputed:
    """Run some test images through a network, as it is and with each of its branches off in turn.

    Args:
        session: The network and its images.
        images: Their indices, or how many to choose: some that are classified correctly, some of
            the most confident mistakes, and one whose prediction a switch changes, if there is one.
        off: What is switched off together as well: branches and channels, as `ablated` takes them.
        test_images: Score on the first so many test images; 0: on all; by default on as many as
            are scored in some seconds.

    Raises:
        AblationError: Something in `off` does not exist.
        NoSuchImageError: A test image does not exist, or there are too many of them or none.
    """
    total = len(session.labels)
    _refuse(images, total)
    together = tuple(sorted(set(off)))
    states = dict.fromkeys([INTACT, together, *((path,) for path in session.branches)])
    scored = _scored(session, len(states), total, test_images)
    answers: dict[Off, Answers] = {}
    failed: list[str] = []
    fields: Mapping[str, ReceptiveField] = {}
    try:
        fields = session.fields
    except (Exception, SystemExit) as error:  # the author's code may raise anything
        failed.append(session.explain(say("What each unit sees"), error))
    for state in states:
        try:
            answers[state] = session.answers(state, scored)
        except (Exception, SystemExit) as error:
            if state in (INTACT, together):
                raise
            failed.append(
                session.explain(say("The network without {branch}", branch=state[0]), error)
            )
    if isinstance(images, int):
        chosen = choose(answers, min(images, total))
    else:
        chosen = [Chosen(number, "asked") for number in dict.fromkeys(images)]
    channels = _channels(session, len(chosen) * (1 + len(answers) / 2))
    return Precomputed(
        parts=session.parts,
        fields=fields,
        spec=session.images,
        parameters=parameters([*nodes(session.parts), *session.unused]),
        macs=session.outline.macs,
        test_images=total,
        scored=scored,
        scores={state: Score(found.accuracy, found.loss) for state, found in answers.items()},
        images=tuple(_shown(session, chosen, list(answers), channels)),
        channels=channels,
        failed=tuple(failed),
    )


def choose(answers: Mapping[Off, Answers], count: int) -> list[Chosen]:
    """Choose images that show something, by their predictions with this and that switched off.

    First the image with the most confident change from a correct prediction to an incorrect one
    when a single branch is off; then correct ones, of as many classes as possible; then the most
    confident mistakes, a third of all. Where there are too few of a kind, there are more of others.

    Args:
        answers: To the first test images, by what is switched off; the intact network's among them.
        count: How many images to choose; there are fewer if there are not so many.
    """
    intact = answers[INTACT]
    labels, right = intact.labels, intact.correct
    found: dict[int, Chosen] = {}
    if (flip := _flip(answers)) and count > 1:
        found[flip.number] = flip
    mistakes = intact.mistakes()
    places: list[list[int]] = [[] for _ in range(intact.num_classes)]
    for place in np.flatnonzero(right):
        if int(place) not in found:
            places[labels[place]].append(int(place))
    # The first of each class, then the second of each, and so on.
    rounds = sorted((turn, own[turn]) for own in places for turn in range(min(len(own), count)))
    rights = [number for _, number in rounds]
    wanted = min(len(mistakes), max(count // 3, count - len(found) - len(rights)))
    for number in rights[: max(0, count - len(found) - wanted)]:
        found[number] = Chosen(number, "right")
    for number in mistakes[: count - len(found)]:
        found[number] = Chosen(number, "mistake")
    return list(found.values())


def _flip(answers: Mapping[Off, Answers]) -> Chosen | None:
    """Return the image whose correct prediction a switch changes with the most confidence."""
    intact = answers[INTACT]
    labels, confidence = intact.labels, intact.confidence
    best, most = None, 0.0
    for state, found in answers.items():
        if len(state) != 1:
            continue
        changed = intact.correct & (found.predicted != labels)
        sure = np.where(changed, np.minimum(confidence, found.confidence), 0)
        number = int(sure.argmax())
        if sure[number] > most:
            best, most = Chosen(number, "flip", state[0]), float(sure[number])
    return best


def _shown(
    session: Session, chosen: Sequence[Chosen], states: Sequence[Off], channels: int
) -> Iterator[Shown]:
    """Run the images, and keep maps while there is room, those of the intact network first."""
    left = MOST_VALUES
    passes: list[dict[Off, Pass]] = [{} for _ in chosen]
    kept: list[dict[bytes, NDArray[np.float32]]] = [{} for _ in chosen]  # by a hash of the values
    for state in states:
        for image, own, known in zip(chosen, passes, kept, strict=True):
            recording = session.record(session.test_image(image.number), state)
            maps = {}
            for name, output in recording.maps.items():
                values = output[0][:channels].copy()
                key = hashlib.blake2b(values.tobytes() + repr(values.shape).encode()).digest()
                if key not in known:
                    known[key] = values
                    left -= values.size
                maps[name] = known[key]
            own[state] = Pass(recording.logits[0], maps if left >= 0 else {})
    for image, own in zip(chosen, passes, strict=True):
        label = int(session.labels[image.number])
        yield Shown(image, session.test_image(image.number), label, own)


def _refuse(images: int | Sequence[int], total: int) -> None:
    """Refuse images that there are not."""
    many = images if isinstance(images, int) else len(images)
    if not 1 <= many <= MOST_IMAGES:
        raise NoSuchImageError(
            say("From 1 to {most} images can be shown, not {n}.", most=MOST_IMAGES, n=many)
        )
    for number in () if isinstance(images, int) else images:
        if not 0 <= number < total:
            raise NoSuchImageError(
                say(
                    "There is no test image {number}; they go from 0 to {last:,}.",
                    number=number,
                    last=total - 1,
                )
            )


def _scored(session: Session, times: int, total: int, asked: int | None) -> int:
    if asked is not None:
        return min(asked, total) or total
    each = max(1, session.outline.macs * times)
    affordable = (size for size in SAMPLES if min(size, total) * each <= AFFORDED)
    return min(total, next(affordable, SAMPLES[-1]))


def _channels(session: Session, times: float) -> int:
    """Return how many channels of each output can be kept, so many times."""
    shapes = [node.shape for node in nodes(session.parts)]

    def values(most: int) -> float:
        return times * sum(min(s[0], most) * _size(s[1:]) for s in shapes if s)

    return next((most for most in KEPT if values(most) <= MOST_VALUES), KEPT[-1])


def _size(sides: Sequence[int]) -> int:
    found = 1
    for side in sides:
        found *= side
    return found
