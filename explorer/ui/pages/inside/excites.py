"""What excites a channel: the test images, the places in them, and the means of the classes."""

from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import numpy as np
import streamlit as st

from explorer.charts.exciting import class_means, seen_by, tile
from explorer.inspection.excitation import Excitation, Ranked, affordable
from explorer.inspection.fields import ReceptiveField
from explorer.inspection.results import costs
from explorer.language import later, say
from explorer.text import significant
from explorer.ui import controls
from explorer.ui.components.chart import chart, drawn
from explorer.ui.components.crops import crops
from explorer.ui.forms import choose
from explorer.ui.pages.inside.case import Case
from explorer.ui.pages.inside.picture import open_test_image
from explorer.ui.query_params import OneOf
from explorer.ui.words import code, plain

NAME = later("Excites")  # of the question
EXCITES, CHANNEL = "excites", "channel"  # names in the address
_GONE_THROUGH = "gone through"  # session key: the networks that were shown all test images
_GALLERY = "exciting images"


def ask(name: str, channel: int) -> None:
    """Ask what excites a channel of a part when the page runs again, such as in a callback."""
    from explorer.ui.pages.inside.questions import QUESTION  # which shows this one

    st.session_state.update({QUESTION: NAME, EXCITES: name, _key(name): channel})


def answer(case: Case) -> None:
    """Show the images that excite a channel most and least, and how its class means differ."""
    found, images = _found(case)
    names = [row.name for row in costs(case.recording.parts) if row.name in found]
    if not names:
        st.info(say("No part of this network gives maps or features, one for each image."))
        return
    left, right = st.columns([3, 2], gap="large")
    with left:
        usual = _usual(names, found, case.session.fields)
        name = choose(say("What excites a channel of"), EXCITES, names, usual)
    part = found[name]
    with right:
        channel = _channel(name, part)
    left, right = st.columns([3, 2], gap="large")
    with left:
        _images(case, name, part, channel)
    with right:
        _classes(case, name, part, channel)
    st.caption(_words(case, name, part, channel, images))


def _found(case: Case) -> tuple[Mapping[str, Excitation], int]:
    """Return what excites all parts, and among how many of the test images."""
    session = case.session
    total = len(session.labels)
    size = affordable(session.outline.macs, total)
    key = (*case.subject.key, tuple(sorted(case.off)))
    gone_through = st.session_state.setdefault(_GONE_THROUGH, set())
    if size == total or key in gone_through:
        return session.excitations(case.off), total
    if st.button(
        say("Go through all {total:,} test images", total=total),
        icon=":material/calculate:",
        key="go through",
        help=say("These are of the first {size:,}.", size=size),
    ):
        place = st.empty()
        for number in range(size, total + size, size):
            done = min(number, total)
            place.progress(done / total, say("{count:,} test images", count=done))
            found = session.excitations(case.off, number)
        gone_through.add(key)
        st.rerun()
    with st.spinner(say("Showing {count:,} test images to the network", count=size)):
        found = session.excitations(case.off, size)
    return found, size


def _usual(
    names: Sequence[str],
    found: Mapping[str, Excitation],
    fields: Mapping[str, ReceptiveField],
) -> str:
    """Return the last part whose units see less than half of the image, or else the last one."""
    pieces = [
        name
        for name in names
        if len(found[name].shape) == 3 and name in fields and _is_piece(fields[name])
    ]
    return (pieces or names)[-1]


def _is_piece(field: ReceptiveField) -> bool:
    return field.area < 0.5 * field.rows.pixels * field.columns.pixels


def _key(name: str) -> str:
    return f"{CHANNEL} of {name}"


def _channel(name: str, part: Excitation) -> int:
    """Let the visitor choose a channel; those whose class means differ most come first."""
    explained = part.explained
    order = [int(channel) for channel in np.argsort(-explained, kind="stable")]
    channel: int = controls.choose(
        CHANNEL,
        OneOf(order),
        order[0],
        lambda keyed: st.selectbox(
            say("Channel, and how much of its variance the class explains (η²)"),
            order,
            format_func=lambda channel: f"{channel} ({100 * explained[channel]:.0f} %)",
            **keyed,
        ),
        key=_key(name),
    )
    return channel


def _images(case: Case, name: str, part: Excitation, channel: int) -> None:
    mean, std = (float(each[channel]) for each in part.overall)
    if not part.counts[:, channel].any():
        st.info(say("This channel gives infinite values, or none that are numbers."))
        return
    if std == 0:
        st.info(
            say(
                "This channel gives {value} for every test image, so none excites it more than "
                "another. A filter whose channel is 0 for every image is a dead filter.",
                value=plain(_written(mean)),
            )
        )
        return

    def draw() -> list[tuple[str, list[dict[str, Any]]]]:
        return [
            (say("Excite it most"), _tiles(case, name, part, part.most, channel)),
            (say("Excite it least"), _tiles(case, name, part, part.least, channel)),
        ]

    crops(
        case.session.made("exciting images", _made_of(case, name, part, channel), draw),
        _GALLERY,
        on_open=open_test_image,
    )


def _made_of(case: Case, name: str, part: Excitation, channel: int) -> Hashable:
    """Return all that a figure of a channel depends on, beside the network."""
    return name, channel, part.counts.tobytes(), tuple(sorted(case.off))


def _tiles(
    case: Case, name: str, part: Excitation, ranked: Ranked, channel: int
) -> list[dict[str, Any]]:
    """Return the images at one end, each cropped to what its most excited unit sees."""
    session, classes = case.session, case.subject.classes
    excited = part.images(ranked, channel)
    images = session.test_images([each.image for each in excited])
    field = session.fields.get(name)
    tiles = []
    for each, pixels in zip(excited, images, strict=True):
        label = classes[int(session.labels[each.image])]
        value = _written(each.value)
        hint = say(
            "Open test image {number}, {label}: value {value}",
            number=each.image,
            label=label,
            value=value,
        )
        lines = [label, value]
        tiles.append(tile(pixels, each.image, lines, seen_by(each, field), hint))
    return tiles


def _written(value: float) -> str:
    """Write a value with three digits, so that values below one another can be compared."""
    short = f"{value:#.3g}" if 0.001 <= abs(value) < 1000 else significant(value, 3)
    return short.removesuffix(".").replace("-", "−")


def _classes(case: Case, name: str, part: Excitation, channel: int) -> None:
    classes = case.subject.classes
    figure = case.session.made(
        "class means",
        _made_of(case, name, part, channel),
        lambda: drawn(class_means(part, channel, classes)),
    )
    means = part.means[:, channel]
    mean, std = (float(each[channel]) for each in part.overall)
    if std > 0:
        best, worst = int(np.nanargmax(means)), int(np.nanargmin(means))
        above, below = ((float(means[each]) - mean) / std for each in (best, worst))
        share = 100 * float(part.explained[channel])
        st.markdown(
            say(
                "**{best}** excites it most: on average {above:.1f} standard deviations above the "
                "mean of all images. **{worst}** excites it least, {below:.1f} below. The class "
                "explains {share:.0f} % of the variance (η²).",
                best=plain(classes[best]),
                above=above,
                worst=plain(classes[worst]),
                below=-below,
                share=share,
            )
        )
    chart(figure, key="class means")


def _words(case: Case, name: str, part: Excitation, channel: int, images: int) -> str:
    total = len(case.session.labels)
    words = (
        say("Among all {count:,} test images, of the network as it is switched now.", count=total)
        if images == total
        else say(
            "Among the first {count:,} test images, of the network as it is switched now.",
            count=images,
        )
    )
    if len(part.shape) == 3 and part.shape[1:] != (1, 1):
        field = case.session.fields.get(name)
        strength = say(
            "How strongly an image excites a channel is the largest value of its map; least "
            "excited is where even that is smallest."
        )
        if field and not field.is_everything:
            place = say(
                "Large is what the unit with this value sees ({field}), hatched beyond the border; "
                "the frame is its place in the image. Where all units of the map have the same "
                "value there is no place, and the whole image is shown.",
                field=plain(field.in_words),
            )
        else:
            place = say("Each unit sees the whole image, so the whole image is shown.")
        words = say("{first} {second} {third}", first=words, second=strength, third=place)
    else:
        gives = say("{part} gives one value for each image and channel.", part=code(name))
        words = say("{first} {second}", first=words, second=gives)
    if (tied := int(part.most.tied[channel])) > len(part.most.images):
        most = say("{count:,} images share what excites it most; the first are shown.", count=tied)
        words = say("{first} {second}", first=words, second=most)
    if (tied := int(part.least.tied[channel])) > len(part.least.images):
        least = say(
            "{count:,} images share what excites it least; the first are shown.", count=tied
        )
        words = say("{first} {second}", first=words, second=least)
    return words
