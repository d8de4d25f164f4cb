"""What each branch is worth on the test images, and what it said about one image."""

from collections.abc import Collection, Sequence

import streamlit as st

from explorer.charts.bars import Worth, shares, worths
from explorer.charts.style import branch_hues
from explorer.inspection.parts import blocks
from explorer.ui.components.chart import chart
from explorer.ui.pages.inside.case import Case
from explorer.ui.pages.inside.subject import Subject, score

SCORED = "scored"  # session key: what was scored on all test images, at the visitor's request
SAMPLE = 1000  # test images that are scored without being asked


def images(subject: Subject, off: Collection[str]) -> int | None:
    """How many of the test images to score on: all (`None`) where the visitor asked for it."""
    if len(subject.data.test) <= SAMPLE or _key(subject, off) in st.session_state.get(SCORED, ()):
        return None
    return SAMPLE


def _key(subject: Subject, off: Collection[str]) -> tuple[object, ...]:
    return subject.key, tuple(sorted(off))


def answer(case: Case) -> None:
    """Both, side by side."""
    if not case.subject.branches:
        st.info(
            "This network has no branches: its author named none with `Branches`. A click on a map "
            "opens it, and its channel can be switched off there."
        )
        return
    left, right = st.columns(2, gap="large")
    with left:
        st.markdown("**What is each branch worth?** Accuracy without it, everything else as it is")
        _worths(case)
    with right:
        _shares(case)


def _shares(case: Case) -> None:
    found = {block.path: block for block in blocks(case.recording.parts) if block.call == 1}
    path = st.selectbox(
        "What did each branch of this block say about this image?",
        list(found),
        index=len(found) - 1,
        key="shares of",
    )
    told = case.subject.shares(path, case.chosen.pixels, case.off)
    chart(
        shares(
            {branch: share[0].tolist() for branch, share in told.shares.items()},
            None if told.bias is None else told.bias.tolist(),
            branch_hues(found[path].branches),
            case.subject.dataset.classes,
        ),
        key="shares",
    )
    st.caption(
        "Exact: all that follows is linear, so the shares and the bias sum to the logits, marked "
        "by red lines."
        if told.exact
        else "Not exact: what follows is not linear, so the logits cannot be shared out. Shown is "
        "how far each logit falls when the branch is switched off."
    )


def _worths(case: Case) -> None:
    subject, total = case.subject, len(case.subject.data.test)
    each = [(), *((path,) for path in subject.branches)]
    if any(images(subject, off) for off in (*each, case.off)):
        _offer_all(subject, [case.off, *each])
    # All or none of them, so that they can be compared.
    most = next((SAMPLE for off in each if images(subject, off)), None)
    hues = {
        block.branch_path(name): hue
        for block in blocks(case.recording.parts)
        for name, hue in branch_hues(block.branches).items()
    }
    with st.spinner("Scoring without each branch"):
        intact = score(subject, (), most)
        without = {path: score(subject, (path,), most) for path in subject.branches}
    found = [
        Worth(path, hues.get(path, "#888888"), told.accuracy, told.loss)
        for path, told in without.items()
    ]
    chart(worths(found, intact.accuracy), key="worths")
    on = f"the first {most:,}" if most else f"all {total:,}"
    st.caption(
        f"Intact: {100 * intact.accuracy:.2f} % on {on} test images. A branch that is off gives "
        "zeros; the others were trained beside it, not without it."
    )
    if case.off and images(subject, case.off) is None:
        _by_class(case)


def _offer_all(subject: Subject, sets: Sequence[Collection[str]]) -> None:
    """The button that scores on all test images, one set of switches after the other."""
    place = st.empty()
    if not place.button(
        f"Re-score on all {len(subject.data.test):,} test images",
        icon=":material/calculate:",
        key="score",
    ):
        return
    for done, off in enumerate(sets):
        words = f"without {', '.join(off)}" if off else "intact"
        place.progress(done / len(sets), f"Scoring on all test images: {words}")
        score(subject, off, None)
        # At once, so that what is done stays when the visitor does not wait for the rest.
        st.session_state.setdefault(SCORED, set()).add(_key(subject, off))
    st.rerun()


def _by_class(case: Case) -> None:
    intact, now = score(case.subject, (), None), score(case.subject, case.off, None)
    percent = st.column_config.NumberColumn(format="%.2f %%")
    labels = case.subject.dataset.classes
    shares = zip(labels, intact.accuracy_by_class, now.accuracy_by_class, strict=True)
    st.dataframe(
        [
            {
                "class": label,
                "intact": 100 * before,
                "as switched": 100 * after,
                "points": 100 * (after - before),
            }
            for label, before, after in shares
        ],
        hide_index=True,
        column_config={
            "intact": percent,
            "as switched": percent,
            "points": st.column_config.NumberColumn(format="%.2f"),
        },
    )
