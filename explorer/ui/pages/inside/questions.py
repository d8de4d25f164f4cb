"""Below the network on *Look inside*: questions about it, each answered by one figure."""

from collections.abc import Callable

import streamlit as st

from explorer.charts import maps as map_charts
from explorer.charts.grids import confusion, gradient_history
from explorer.inspection.linearity import TOLERANCE
from explorer.inspection.parts import layers
from explorer.ui import state
from explorer.ui.components.chart import chart
from explorer.ui.pages.inside import worth
from explorer.ui.pages.inside.case import Case
from explorer.ui.pages.inside.picture import open_test_image
from explorer.ui.pages.inside.subject import (
    cost_table,
    gradient_table,
    score,
    verdicts,
)

QUESTION = "ask"
GALLERY = 12


def section(case: Case) -> None:
    """The question that is asked, and its answer."""
    st.divider()
    question = st.segmented_control(
        "Ask this network",
        list(_QUESTIONS),
        default=next(iter(_QUESTIONS)),
        required=True,
        key=QUESTION,
        bind="query-params",
    )
    if case.off and question in _INTACT:
        st.caption("Of the network as it was trained, with everything switched on.")
    _QUESTIONS[question](case)


def _pixels(case: Case) -> None:
    labels = case.subject.dataset.classes
    best = int(case.recording.logits[0].argmax())
    target = st.segmented_control(
        "Which pixels speak for the class",
        range(len(labels)),
        default=best,
        required=True,
        format_func=lambda number: labels[number],
        key=f"class.{case.subject.run.id}.{best}",
    )
    convolutions = [layer.path for layer in layers(case.recording.parts) if layer.kind == "Conv2d"]
    layer = ""
    if convolutions:
        outside = [path for path in convolutions if not _is_within(path, case)] or convolutions
        last = convolutions.index(outside[-1])
        layer = st.selectbox("Grad-CAM of", convolutions, last, key=f"cam {case.subject.run.id}")
    found = case.subject.attributions(case.chosen.pixels, case.off, target, layer)
    chart(map_charts.saliency(case.chosen.pixels, found), key="saliency")
    st.caption(
        "Blue speaks for the class, orange against it. Integrated gradients sum to what the logit "
        "gains over a black image; occlusion paints 4×4 pixels black and sees how far the logit "
        "falls; Grad-CAM weights the layer's maps by the gradient of the logit."
    )


def _is_within(path: str, case: Case) -> bool:
    return any(f"{path}.".startswith(f"{branch}.") for branch in case.subject.branches)


def _filters(case: Case) -> None:
    found = case.subject.filters()
    if not found:
        st.info("This network has no two-dimensional convolution.")
        return
    path = st.selectbox("Filters of", list(found), key="filters of")
    chosen = found[path]
    outputs, inputs, height, width = chosen.values.shape
    chart(map_charts.filters(chosen.values.numpy()), key="filters")
    averaged = f", each the mean over its {inputs} input channels" if inputs > 1 else ""
    norms = chosen.norms
    st.caption(
        f"{outputs} filters of {height}×{width}{averaged}. All weights: mean {chosen.mean:.3g}, "
        f"standard deviation {chosen.std:.3g}. Norms from {norms.min():.3g} to "
        f"{norms.max():.3g}; the most alike two have a cosine of {chosen.likeness:.2f}."
    )


def _gradients(case: Case) -> None:
    run, store = state.find_run(case.subject.run.id)
    recorded = store.gradients(run.id)
    left, right = st.columns([3, 2], gap="large")
    with left:
        st.markdown("**How strongly did the loss pull at each layer while it learned?**")
        if recorded and run.started:
            chart(gradient_history(recorded, run.started.steps_per_epoch), key="gradients")
            if any(norm == 0 for event in recorded for norm in event.norms.values()):
                st.caption("Blank: no gradient arrives there at all.")
        else:
            st.info("This run did not record its gradients; the recipe has a switch for it.")
    with right:
        st.markdown(f"**And now**, on 64 training images, after epoch {case.subject.epoch}")
        norms, by_branch = gradient_table(case.subject)
        rows = [{"part": path, "gradient norm": norm} for path, norm in norms.items()]
        rows += [{"part": f"branch {path}", "gradient norm": n} for path, n in by_branch.items()]
        st.dataframe(
            rows,
            hide_index=True,
            column_config={"gradient norm": st.column_config.NumberColumn(format="%.3g")},
        )


def _cost(case: Case) -> None:
    st.markdown("**What does each part cost?** Multiply-adds of one image, milliseconds of 64")
    rows = cost_table(case.subject, case.recording)
    st.dataframe(
        [
            {
                "part": "\u2003" * row.depth + row.name,
                "what": row.text if row.kind == "layer" else f"{row.kind}: {row.text}",
                "parameters": row.parameters,
                "multiply-adds": row.macs,
                "milliseconds": row.milliseconds,
            }
            for row in rows
        ],
        hide_index=True,
        column_config={
            "parameters": st.column_config.NumberColumn(format="localized"),
            "multiply-adds": st.column_config.NumberColumn(format="localized"),
            "milliseconds": st.column_config.NumberColumn(format="%.2f"),
        },
    )


def _linearity(case: Case) -> None:
    st.markdown(
        "**Is a block more than one layer?** Where it acts as one affine map, a single layer could "
        "stand for it"
    )
    found = verdicts(case.subject)
    if not found:
        st.info("This network has no blocks: its author named no `Branches`.")
    for verdict in found:
        with st.container(border=True):
            if verdict.replacement:
                exactly = "exactly" if verdict.replacement.exact else "all but the borders"
                st.markdown(
                    f":orange[:material/linear_scale:] **{verdict.block}** is affine. One "
                    f"`{verdict.replacement.text}` does what it does, {exactly}. That layer has "
                    f"{verdict.replacement.parameters:,} parameters, the block has "
                    f"{verdict.parameters:,}."
                )
            else:
                st.markdown(
                    f":blue[:material/ssid_chart:] **{verdict.block}** is not affine: no single "
                    "layer does what it does."
                )
            if verdict.tail_replacement:
                st.markdown(
                    f"From its input to the logits all is affine: one "
                    f"`{verdict.tail_replacement.text}` with "
                    f"{verdict.tail_replacement.parameters:,} "
                    f"parameters does what {verdict.tail_parameters:,} do there."
                )
            st.caption(
                "Tested with random inputs: an affine map answers a mix of two inputs with the "
                f"same mix of its two answers. The block misses that by {_share(verdict.error)} "
                f"of its greatest answer, all from it to the logits by "
                f"{_share(verdict.tail_error)}."
            )


def _share(error: float) -> str:
    return "nothing but rounding" if error < TOLERANCE else f"{100 * error:.2g} %"


def _mistakes(case: Case) -> None:
    subject, labels = case.subject, case.subject.dataset.classes
    with st.spinner("Scoring the test images"):
        found = score(subject, case.off, None)
    wrong = found.mistakes()
    left, right = st.columns(2, gap="large")
    with left:
        st.markdown(
            f"**What is taken for what?** {len(wrong):,} of {len(found.labels):,} test images are "
            "told wrong"
        )
        chart(confusion(found.confusion.tolist(), labels), key="confusion")
    with right:
        st.markdown("**Where is it surest, and wrong?**")
        if not wrong:
            st.info("Nowhere: it tells every test image right.")
        for start in range(0, min(GALLERY, len(wrong)), 4):
            for column, number in zip(st.columns(4), wrong[start : start + 4], strict=False):
                given, sure = int(found.predicted[number]), float(found.confidence[number])
                pixels = subject.data.test.images[number].cpu().numpy()
                column.image(
                    pixels[0] if len(pixels) == 1 else pixels.transpose(1, 2, 0),
                    caption=f"{labels[int(found.labels[number])]} taken for {labels[given]}, "
                    f"{100 * sure:.0f} %",
                    width="stretch",
                )
                column.button(
                    f"Open {number}",
                    key=f"mistake {number}",
                    on_click=open_test_image,
                    args=(number,),
                )


_QUESTIONS: dict[str, Callable[[Case], None]] = {
    "Branches": worth.answer,
    "Pixels": _pixels,
    "Filters": _filters,
    "Gradients": _gradients,
    "Cost": _cost,
    "Linearity": _linearity,
    "Mistakes": _mistakes,
}
_INTACT = ("Filters", "Gradients", "Cost", "Linearity")  # what switches have no part in
