"""Patching: give this run what a part gave for another image, and see the answer change."""

from collections.abc import Mapping, Sequence

import streamlit as st

from explorer.charts.exciting import tile
from explorer.charts.hues import branch_hues
from explorer.charts.patching import Carried, answers, carried
from explorer.inspection.effects import effects
from explorer.inspection.parts import Part, blocks, branches, nodes
from explorer.inspection.recording import softmax
from explorer.inspection.results import costs
from explorer.language import later, say
from explorer.text import percent
from explorer.ui import controls, query_params
from explorer.ui.components.chart import chart
from explorer.ui.components.crops import crops
from explorer.ui.forms import choose
from explorer.ui.pages.inside.case import Case
from explorer.ui.query_params import Number
from explorer.ui.words import plain

DONOR, PATCH = "donor", "patch"  # names in the address
_SEEN = "image of the donor"  # session key: the image that the donor was chosen for
MOST_ROWS = 40  # of the chart of all parts; of a larger network those within others are left out
_TALL = 700  # pixels of it that are seen at once


def answer(case: Case) -> None:
    """Let the visitor choose a donor and a part; show the answers, and what each part carries."""
    session, classes = case.session, case.subject.classes
    logits = case.recording.logits[0]
    own = int(logits.argmax()) if case.chosen.label is None else case.chosen.label
    if len(session.labels) < 2:
        st.info(say("There is no other test image that could give its activation."))
        return
    left, right = st.columns([2, 3], gap="large")
    with left:
        number = _donor(case, own)
    donor = session.test_image(number)
    given = session.record(donor, case.off).logits[0]
    patched = session.patched_each(case.chosen.pixels, donor, case.off)
    # A branch of which the last layer has its name gives what that layer gives.
    rows = list({row.name: row for row in reversed(costs(case.recording.parts))}.values())[::-1]
    rows = [row for row in rows if row.name in patched]
    if not rows:
        st.info(say("The two images take different ways through this network."))
        return
    shares = effects(logits, given, patched)
    with left:
        names = [row.name for row in rows]
        usual = _usual(case, names, shares)
        part = choose(say("Give this run what it gives"), PATCH, names, usual)
        _pictures(case, donor, number)
        _say(classes, part, [logits, given, patched[part]], shares)
        before, after, other = (softmax(each) for each in (logits, patched[part], given))
        chart(answers(before, after, other, classes), key="patched answers")
    with right:
        st.markdown(
            say("**Where is the answer decided?** How much of the donor's comes with each part")
        )
        if shares is None:
            st.info(
                say(
                    "The network says {label} to both images. Choose a donor to which it says "
                    "something else.",
                    label=plain(classes[int(given.argmax())]),
                )
            )
            return
        hues = _hues(case.recording.parts)
        found = [
            Carried(row.name, row.depth, *hues.get(row.name, ("", False)), shares[row.name])
            for row in rows
        ]
        shown = _fitting(found)
        with st.container(height=_TALL if len(shown) > MOST_ROWS else "content", border=False):
            chart(carried(shown, part), key="carried")
        st.caption(_caption(is_all=len(shown) == len(found)))


def _donor(case: Case, own: int) -> int:
    """Let the visitor choose the donor: at first the next test image of another class."""
    labels = case.session.labels
    image = hash((case.subject.run.id, case.chosen.pixels.tobytes()))
    query_params.take(DONOR, Number(int, 0, len(labels) - 1))
    is_other_image = st.session_state.get(_SEEN, image) != image
    if is_other_image and labels[st.session_state.get(DONOR, 0)] == own:
        st.session_state.pop(DONOR, None)
    st.session_state[_SEEN] = image
    usual = _next(labels.tolist(), 0, own)
    st.session_state.setdefault(DONOR, usual)
    if controls.is_shown(DONOR):
        with st.container(horizontal=True, vertical_alignment="bottom"):
            st.number_input(
                say("Donor, test image 0 to {last:,}", last=len(labels) - 1),
                0,
                len(labels) - 1,
                key=DONOR,
                persist_state="session",
                width=200,
            )
            st.button(
                say("Next of another class"),
                icon=":material/arrow_forward:",
                key="next donor",
                on_click=_another,
                args=(labels.tolist(), own),
            )
    number: int = st.session_state[DONOR]
    query_params.put(DONOR, number, usual)
    return number


def _another(labels: Sequence[int], own: int) -> None:
    number = st.session_state[DONOR]
    st.session_state[DONOR] = _next(labels, number + 1, own, labels[number])


def _next(labels: Sequence[int], start: int, *classes: int) -> int:
    """Return the next image of none of these classes, or else not of the first of them."""
    places = [place % len(labels) for place in range(start, start + len(labels))]
    for others in (classes, classes[:1]):
        for place in places:
            if labels[place] not in others:
                return place
    return places[0]


def _usual(case: Case, names: Sequence[str], shares: Mapping[str, float] | None) -> str:
    """Return the branch with which most of the donor's answer comes, or else the first part."""
    paths = [name for name in names if name in branches(case.recording.parts)]
    return max(paths or names[:1], key=lambda name: shares[name] if shares else 0)


def _pictures(case: Case, donor: object, number: int) -> None:
    classes, labels = case.subject.classes, case.session.labels
    label = case.chosen.label
    mine = say("this image")
    if label is not None:
        mine = say("this image: {label}", label=classes[label])
    theirs = say("the donor: {label}", label=classes[int(labels[number])])
    tiles = [
        tile(case.chosen.pixels, -1, [mine], hint=mine),
        tile(donor, -1, [theirs], hint=theirs),  # type: ignore[arg-type]
    ]
    crops([("", tiles)], "donor and image")


def _say(
    classes: Sequence[str],
    part: str,
    logits: Sequence[object],
    shares: Mapping[str, float] | None,
) -> None:
    """Say in a sentence what the patch did."""
    before, donor, after = (softmax(each) for each in logits)  # type: ignore[arg-type]
    first, last, now = (int(each.argmax()) for each in (before, donor, after))
    changed = _AS_THE_DONOR if now == last else _NOW
    said = say(
        _STILL if now == first else changed,
        part=plain(part),
        label=plain(classes[now]),
        share=percent(float(after[now])),
        before=plain(classes[first]),
    )
    if shares:
        share = f"{100 * shares[part]:.0f} %".replace("-", "−")
        way = say("That is {share} of the way to the donor's answer.", share=share)
        said = say("{first} {second}", first=said, second=way)
    st.markdown(said)


_STILL = later("With **{part}** of the donor, the network still says **{label}** ({share}).")
_NOW = later(
    "With **{part}** of the donor, the network now says **{label}** ({share}) in place of {before}."
)
_AS_THE_DONOR = later(
    "With **{part}** of the donor, the network now says **{label}** ({share}) in place of "
    "{before}, as to the donor."
)


def _hues(parts: Sequence[Part]) -> Mapping[str, tuple[str, bool]]:
    """Return by name the hue of each branch and of what is within it, and whether it is within."""
    found: dict[str, tuple[str, bool]] = {}
    for block in blocks(parts):  # those within a branch come later, and have hues of their own
        for name, hue in branch_hues(block).items():
            branch = block.branches[name]
            found |= {node.name: (hue, True) for node in nodes(branch.parts)}
            found[branch.path] = hue, False
    return found


def _fitting(found: Sequence[Carried]) -> Sequence[Carried]:
    """Leave out what is nested deepest until the rest fits; the outermost parts stay."""
    shown = found
    for depth in range(max(each.depth for each in found), -1, -1):
        shown = [each for each in found if each.depth <= depth]
        if len(shown) <= MOST_ROWS:
            break
    return shown


def _caption(*, is_all: bool) -> str:
    words = say(
        "Each bar is a run of its own, in which this part alone gives what it gives for the donor "
        "(patching). It is as long as the logit of the donor's class has come up on that of this "
        "image's class: 0 % as before, 100 % as for the donor. A part that everything passes "
        "through gives 100 % by itself, as each layer of a chain does; what has others beside it, "
        "as in a block, gives a share, and the shares need not sum to 100 %."
    )
    if is_all:
        return words
    left_out = say("Parts within branches are left out here.")
    return say("{first} {second}", first=words, second=left_out)
