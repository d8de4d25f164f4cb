"""What each branch is worth on the test images, and what it contributed to one prediction."""

from collections.abc import Collection, Sequence
from typing import TypeAlias

import streamlit as st

from explorer.charts.bars import Worth, shares, worths
from explorer.charts.hues import branch_hues
from explorer.inspection.parts import Block, blocks
from explorer.inspection.results import INSTEAD as WAYS
from explorer.inspection.results import Instead
from explorer.inspection.session import Session
from explorer.language import later, listed, say
from explorer.statistics.images import difference
from explorer.text import signed
from explorer.ui import controls
from explorer.ui.components.chart import chart, drawn
from explorer.ui.forms import choose
from explorer.ui.pages.inside.case import Case
from explorer.ui.pages.inside.subject import Subject
from explorer.ui.query_params import OneOf
from explorer.ui.tables import numbers
from explorer.ui.words import plain

Scored: TypeAlias = tuple[Collection[str], Instead]  # what is off, and what it gives in its place

INSTEAD, SHARES = "instead", "shares"  # names in the address
_SHARES_OF = "shares of"  # session key
SCORED = "scored"  # session key: what was scored on all test images, at the visitor's request
SAMPLES = (1000, 500, 200, 100)  # test images that are scored without being asked
AFFORDED = 3 * 10**11  # multiply-adds for them; a larger network is scored on fewer


def images(
    subject: Subject, off: Collection[str], instead: Instead = "zero", times: int = 1
) -> int | None:
    """Return how many test images to score on: all (`None`) if the visitor asked for them.

    Args:
        subject: The network.
        off: What is switched off.
        instead: What it gives in its place.
        times: How often the network is scored, with one thing or another off.
    """
    session, scored = subject.session, st.session_state.get(SCORED, ())
    sample = _sample(session, times)
    if len(session.labels) <= sample or _key(subject, off, instead) in scored:
        return None
    return sample


def _sample(session: Session, times: int) -> int:
    each = session.outline.macs * times
    affordable = (size for size in SAMPLES if size * each <= AFFORDED)
    return next(affordable, SAMPLES[-1])


def _key(subject: Subject, off: Collection[str], instead: Instead) -> tuple[object, ...]:
    return subject.key, tuple(sorted(off)), instead if off else "zero"


def answer(case: Case) -> None:
    """Show both, side by side."""
    if not case.session.branches:
        st.info(
            say(
                "This network has no branches: each of its layers takes what the last one gave. A "
                "click on a map opens it, and its channel can be switched off there."
            )
        )
        return
    left, right = st.columns(2, gap="large")
    with left, case.subject.figure(say("Ablation")):
        st.markdown(
            say(
                "**What is each branch worth (ablation)?** Points of accuracy lost when this "
                "branch alone is switched off"
            )
        )
        chosen: Instead = controls.choose(
            INSTEAD,
            OneOf(WAYS),
            WAYS[0],
            lambda keyed: st.segmented_control(
                say("A branch that is off gives"),
                WAYS,
                required=True,
                format_func=lambda instead: say(_GIVES[instead]),
                help=say(
                    "With zeros, what follows meets what it has never met. With the branch's mean "
                    "over these images, it meets what it is used to, and misses only what the "
                    "branch says of one image."
                ),
                **keyed,
            ),
        )
        _worths(case, chosen)
    with right, case.subject.figure(say("Logit attribution")):
        _logit_attribution(case)


def _logit_attribution(case: Case) -> None:
    found = {block.name: block for block in blocks(case.recording.parts)}
    outermost = [part.name for part in case.recording.parts if isinstance(part, Block)]
    name = choose(
        say("What did each branch of this block contribute to the logits (logit attribution)?"),
        SHARES,
        list(found),
        outermost[-1],
        _SHARES_OF,
    )
    attributed = case.session.logit_attribution(case.chosen.pixels, name, case.off)
    figure = case.session.made(
        "shares",
        (case.key, name),
        lambda: drawn(
            shares(
                {branch: values[0].tolist() for branch, values in attributed.branches.items()},
                None if attributed.bias is None else attributed.bias.tolist(),
                branch_hues(found[name]),
                case.subject.classes,
                case.recording.logits[0].tolist(),
            )
        ),
    )
    chart(figure, key="shares")
    st.caption(
        say(
            "Exact: all that follows is linear, so the contributions and the bias sum to the "
            "logits, marked by red lines."
        )
        if attributed.exact
        else say(
            "Not exact: what follows is not linear, so the logits cannot be divided among the "
            "branches. Shown is how far each logit falls when the branch is switched off."
        )
    )


_GIVES: dict[Instead, str] = {"zero": later("zeros"), "mean": later("its mean")}


def _worths(case: Case, instead: Instead) -> None:
    subject, session = case.subject, case.session
    total = len(session.labels)
    each = [(), *((path,) for path in session.branches)]
    wanted: list[Scored] = [(case.off, "zero"), *((off, instead) for off in each)]
    if any(images(subject, *asked, len(each)) for asked in wanted):
        _offer_all(subject, wanted)
    # All or none of them, so that they can be compared.
    sizes = (images(subject, off, instead, len(each)) for off in each)
    most = next(filter(None, sizes), None)
    hues = {
        block.branches[name].path: hue
        for block in blocks(case.recording.parts)
        for name, hue in branch_hues(block).items()
    }
    with st.spinner(say("Scoring without each branch")):
        intact = session.answers((), most)
        without = {path: session.answers((path,), most, instead) for path in session.branches}
    found = [
        Worth(
            path,
            hues.get(path, "#888888"),
            answers.accuracy,
            answers.loss,
            difference(answers.correct, intact.correct),
        )
        for path, answers in without.items()
    ]
    figure = session.made("worths", tuple(found), lambda: drawn(worths(found)))
    chart(figure, key="worths")
    st.caption(
        say(
            "On the first {count:,} test images; the thin lines are 95 % intervals (Agresti and "
            "Min 2005). A branch that is off gives {values}; the others were trained beside it, "
            "not without it.",
            count=most,
            values=say(_GIVES[instead]),
        )
        if most
        else say(
            "On all {count:,} test images; the thin lines are 95 % intervals (Agresti and Min "
            "2005). A branch that is off gives {values}; the others were trained beside it, not "
            "without it.",
            count=total,
            values=say(_GIVES[instead]),
        )
    )
    if case.off and images(subject, case.off) is None:
        _by_class(case)


def _offer_all(subject: Subject, sets: Sequence[Scored]) -> None:
    """Offer to score on all test images, one set of switches after the other."""
    place = st.empty()
    if not place.button(
        say("Re-score on all {count:,} test images", count=len(subject.session.labels)),
        icon=":material/calculate:",
        key="score",
    ):
        return
    for done, (off, instead) in enumerate(sets):
        without = plain(listed(list(off), ","))
        place.progress(
            done / len(sets),
            say("Scoring on all test images: without {parts}", parts=without)
            if off
            else say("Scoring on all test images: intact"),
        )
        subject.session.answers(off, instead=instead)
        # At once, so that what is done is kept when the visitor does not wait for the rest.
        st.session_state.setdefault(SCORED, set()).add(_key(subject, off, instead))
    st.rerun()


def _by_class(case: Case) -> None:
    intact, now = case.session.answers(), case.session.answers(case.off)
    labels = case.subject.classes
    pairs = zip(labels, intact.accuracy_by_class, now.accuracy_by_class, strict=True)
    st.dataframe(
        numbers(
            [
                {
                    "class": label,
                    "intact": 100 * before,
                    _SWITCHED: 100 * after,
                    "points": 100 * (after - before),
                }
                for label, before, after in pairs
            ],
            {
                "intact": "{:.2f} %".format,
                _SWITCHED: "{:.2f} %".format,
                "points": lambda points: signed(points, 2),
            },
        ),
        hide_index=True,
        column_config={
            "class": say("class"),
            "intact": say("intact"),
            _SWITCHED: say(_SWITCHED),
            "points": say("points"),
        },
    )


_SWITCHED = later("as switched")  # a column
