"""Below the network on *Look inside*: questions about it, each answered by one figure."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import streamlit as st
from numpy.typing import NDArray

from explorer.charts import maps as map_charts
from explorer.charts.grids import confusion, gradient_history, gradients_by_depth
from explorer.data.png import as_picture
from explorer.errors import ExplorerError
from explorer.inspection.parts import Block, Part
from explorer.inspection.results import METHODS, Linearity
from explorer.inspection.scores import Answers
from explorer.text import percent, significant
from explorer.ui import controls, query_params, state
from explorer.ui.components.chart import chart
from explorer.ui.components.confusion import confusion_matrix
from explorer.ui.failure import sentence
from explorer.ui.forms import choose
from explorer.ui.pages.inside import excites, patching, worth
from explorer.ui.pages.inside.case import Case
from explorer.ui.pages.inside.picture import open_test_image
from explorer.ui.pages.inside.worth import INSTEAD, SHARES
from explorer.ui.query_params import OneOf
from explorer.ui.tables import numbers
from explorer.ui.words import code, plain

# Names in the address: the question, and what is chosen where it is answered.
QUESTION, CLASS, CAM, FILTERS, SORT, CELL = "ask", "class", "cam", "filters", "sort", "cell"
GALLERY = 12


def section(case: Case) -> None:
    """Show the questions, and the answer to the one that is chosen."""
    st.divider()
    question = controls.choose(
        QUESTION,
        OneOf(_QUESTIONS),
        next(iter(_QUESTIONS)),
        lambda keyed: st.segmented_control(
            "Ask this network", list(_QUESTIONS), required=True, **keyed
        ),
    )
    for name in dict.fromkeys(name for names in _NAMES.values() for name in names):
        if name not in _NAMES.get(question, ()):
            query_params.put(name, None)
    if case.off and question in _INTACT:
        st.caption("Of the network as it was trained, with everything switched on.")
    figure, answer = _QUESTIONS[question]
    with case.subject.figure(figure):
        answer(case)


def _pixels(case: Case) -> None:
    labels = case.subject.dataset.classes
    best = int(case.recording.logits[0].argmax())
    key = f"class.{case.subject.run.id}.{best}"
    target: int = controls.choose(
        CLASS,
        OneOf(range(len(labels))),
        best,
        lambda keyed: st.segmented_control(
            "Which pixels raise or lower the logit of a class (attribution)?",
            range(len(labels)),
            required=True,
            format_func=lambda number: plain(labels[number]),
            **keyed,
        ),
        key=key,
    )
    found: list[tuple[str, NDArray[Any]]] = []
    for method in METHODS:
        with case.subject.figure(f"Attribution by {method}"):
            values = case.session.attribution(case.chosen.pixels, target, method, case.off)
            found.append((method, values))
    if shown := cam_layers(case.recording.parts):
        layer = choose("Grad-CAM of", CAM, shown, shown[-1], f"cam {case.subject.run.id}")
        try:
            cam = case.session.grad_cam(case.chosen.pixels, target, layer, case.off)
        except ExplorerError as error:  # no gradient may reach it
            st.caption(sentence(error))
        else:
            found.append((f"Grad-CAM of {layer}", cam))
    chart(map_charts.saliency(case.chosen.pixels, found), key="saliency")
    st.caption(
        "Laid over the picture, in grey: blue raises the logit of the class, orange lowers it. "
        "Integrated gradients sum to the "
        "difference between this logit and that of a black image; occlusion paints 4×4 pixels "
        "black and measures how far the logit falls; Grad-CAM weights the layer's maps by the "
        "gradient of the logit."
    )


def cam_layers(parts: Sequence[Part]) -> list[str]:
    """Return the names of the convolutions and blocks that give maps, in the order of their output.

    The last of them is closest to the logits, and the most usual choice for Grad-CAM.
    """
    found: list[str] = []
    for part in parts:
        if isinstance(part, Block):
            for branch in part.branches.values():
                found += cam_layers(branch.parts)
        if len(part.shape) == 3 and (isinstance(part, Block) or part.kind in ("Conv2d", "conv2d")):
            found.append(part.name)
    return found


def _filters(case: Case) -> None:
    found = case.session.filters()
    if not found:
        st.info("This network has no two-dimensional convolution.")
        return
    left, right = st.columns([2, 1], vertical_alignment="bottom")
    with left:
        path = choose("Filters of", FILTERS, list(found), next(iter(found)), "filters of")
    with right:
        by = _order()
    chosen = found[path]
    outputs, inputs, height, width = chosen.values.shape
    # One scale for all, and a row for each output, so that what an output reads can be compared.
    chart(map_charts.filters(chosen, by), key="filters")
    most = map_charts.most_drawn(chosen)
    drawn = ""
    if max(outputs, inputs) > most:
        drawn = f" Those with the largest norm are drawn, up to {most} outputs and inputs."
    if inputs > 1:
        of_group = " of its group" if chosen.groups > 1 else ""
        reads = f", each with a kernel for each of {inputs} inputs{of_group}"
    else:
        reads = ", each of which reads one map"
    norms = chosen.norms
    st.caption(
        f"{code(f'{path}.weight')} in the state dict: {outputs} filters of "
        f"{height}×{width}{reads}.{drawn} All weights: mean {chosen.mean:.3g}, standard "
        f"deviation {chosen.std:.3g}. L2 norms from {norms.min():.3g} to {norms.max():.3g}; the "
        f"two most similar filters have a cosine of ±{chosen.likeness:.2f}."
    )


def _order() -> map_charts.Order:
    """Show how filters may be sorted, and return what was chosen."""
    by: map_charts.Order = controls.choose(
        SORT,
        OneOf(map_charts.ORDERS),
        map_charts.ORDERS[0],
        lambda keyed: st.segmented_control("Sort by", map_charts.ORDERS, required=True, **keyed),
    )
    return by


def _gradients(case: Case) -> None:
    run, store = state.find_run(case.subject.run.id)
    recorded = store.gradients(run.id)
    left, right = st.columns([3, 2], gap="large")
    with left, case.subject.figure("The gradients during training"):
        st.markdown("**How large was the gradient of the loss in each layer during training?**")
        if recorded and run.started:
            order = case.session.in_running_order(recorded[0].norms)
            events = [
                replace(event, norms={path: event.norms.get(path, 0.0) for path in order})
                for event in recorded
            ]
            steps = run.started.steps_per_epoch
            chart(gradients_by_depth(events, steps), key="gradients by depth")
            st.caption("From the layer next to the image to the one next to the answer.")
            chart(gradient_history(events, steps), key="gradients")
            if any(norm == 0 for event in recorded for norm in event.norms.values()):
                st.caption("Blank: no gradient reaches this layer.")
        elif run.spec.imported:
            st.info("The weights of this run were imported; nothing of their training is known.")
        else:
            st.info(
                "This run did not record its gradients. To record them, set *Record gradients "
                "every … steps* in the details of the recipe."
            )
    with right, case.subject.figure("Gradients"):
        after = "" if run.spec.imported else f", after {case.subject.moment}"
        st.markdown(f"**And now**, on 64 training images{after}")
        norms, by_branch = case.session.gradients()
        rows = [{"part": path, "gradient norm": norm} for path, norm in norms.items()]
        rows += [{"part": f"branch {path}", "gradient norm": n} for path, n in by_branch.items()]
        written = {"gradient norm": lambda norm: significant(norm, 3)}
        st.dataframe(numbers(rows, written), hide_index=True)


def _cost(case: Case) -> None:
    st.markdown(
        "**What does each part cost?** Multiply-adds (MACs) of one image, milliseconds of 64 images"
    )
    st.dataframe(
        [
            {
                "part": "\u2003" * row.depth + row.name,
                "what": row.text if row.kind == "layer" else f"{row.kind}: {row.text}",
                "parameters": row.parameters,
                "multiply-adds": row.macs,
                "milliseconds": row.milliseconds,
            }
            for row in case.session.costs
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
        "**Is a block more than one layer?** Layers without a bend between them, such as a ReLU, "
        "do no more than one layer could (they are affine)"
    )
    found = case.session.linearity()
    if not found:
        st.info("This network has no blocks: each of its layers takes what the last one gave.")
    for verdict in found:
        with st.container(border=True):
            _verdict(verdict)
    if found:
        st.caption(
            "Tested with random inputs: of the average of two inputs, an affine block gives the "
            "average of its two outputs."
        )


def _verdict(verdict: Linearity) -> None:
    if verdict.replacement:
        exactly = "exactly" if verdict.replacement.exact else "except at the borders"
        st.markdown(
            f":orange[:material/linear_scale:] **{plain(verdict.block)}** is no more than one "
            f"layer. One {code(verdict.replacement.text)} computes the same, {exactly}. That layer "
            f"has {verdict.replacement.parameters:,} parameters, the block has "
            f"{verdict.parameters:,}."
        )
    else:
        st.markdown(
            f":blue[:material/ssid_chart:] **{plain(verdict.block)}** is more than one layer: no "
            f"single layer computes the same. {_missed(verdict.error)}"
        )
    if verdict.tail_replacement:
        st.markdown(
            f"From its input to the logits everything is affine: one "
            f"{code(verdict.tail_replacement.text)} with {verdict.tail_replacement.parameters:,} "
            f"parameters computes the same as the {verdict.tail_parameters:,} parameters there."
        )


def _missed(error: float) -> str:
    """Say how far a block is from affine; `error` is relative to its largest output."""
    if error >= 1:
        share = f"by {error:.1f} times its largest output"
    elif error >= 0.001:
        share = f"by {significant(100 * error)} % of its largest output"
    else:
        share = "by less than a thousandth of its largest output, and more than by rounding"
    return f"Of an average of two inputs, it misses the average of its outputs {share}."


def _mistakes(case: Case) -> None:
    labels = case.subject.dataset.classes
    with st.spinner("Scoring the test images"):
        found = case.session.answers(case.off)
    wrong = found.mistakes()
    cell = _cell(found)
    left, right = st.columns(2, gap="large")
    with left:
        st.markdown(
            "**Which class is taken for which (confusion matrix)?** "
            f"{len(wrong):,} of {len(found.labels):,} test images are classified incorrectly. A "
            "click on a number shows its images"
        )
        confusion_matrix(
            confusion(found.confusion.tolist()),
            labels,
            _MATRIX,
            chosen=cell,
            on_cell=_choose_cell,
        )
    with right:
        _gallery(case, found, wrong, cell)


_MATRIX = "confusion"  # session key: the matrix


def _cell(found: Answers) -> tuple[int, int] | None:
    """Return the correct and the predicted class whose images are asked for, if there are any."""
    filled = {f"{i}-{j}": (int(i), int(j)) for i, j in zip(*found.confusion.nonzero(), strict=True)}
    query_params.take(CELL, OneOf(filled))
    chosen: str | None = st.session_state.get(CELL)
    query_params.put(CELL, chosen)
    return filled.get(chosen or "")


def _choose_cell() -> None:
    """Take the cell that was clicked; a second click on it lets it go."""
    clicked = st.session_state[_MATRIX].get("cell")
    if isinstance(clicked, list) and len(clicked) == 2:
        cell = "-".join(map(str, clicked))
        st.session_state[CELL] = None if st.session_state.get(CELL) == cell else cell


def _gallery(
    case: Case, found: Answers, wrong: Sequence[int], cell: tuple[int, int] | None
) -> None:
    labels = case.subject.dataset.classes
    if cell is None:
        st.markdown("**Where is it most confident, and wrong?**")
        shown: Sequence[int] = wrong
        if not wrong:
            st.info("Nowhere: it classifies every test image correctly.")
    else:
        label, predicted = cell
        shown = found.images_of(label, predicted)
        many = f"{len(shown):,} image{'s' if len(shown) > 1 else ''} of {plain(labels[label])}"
        how = "correctly" if label == predicted else f"as {plain(labels[predicted])}"
        least = ", the least confident first" if label == predicted else ""
        st.markdown(f"**{many}, predicted {how}**{least}")
    shown = shown[:GALLERY]
    images = case.session.test_images(shown) if shown else ()
    for start in range(0, len(shown), 4):
        for column, place in zip(st.columns(4), range(start, len(shown)), strict=False):
            with column:
                _mistake(case, found, shown[place], images[place])


def _mistake(case: Case, found: Answers, number: int, pixels: NDArray[Any]) -> None:
    labels = case.subject.dataset.classes
    label, predicted = (labels[int(classes[number])] for classes in (found.labels, found.predicted))
    confidence = percent(float(found.confidence[number])).replace(" ", "\u00a0")
    taken = "" if label == predicted else f" taken for {plain(predicted)}"
    st.image(
        as_picture(pixels),
        caption=f"{plain(label)}{taken}, {confidence}",
        width="stretch",
        alt=f"Test image {number}",
    )
    st.button(f"Open {number}", key=f"mistake {number}", on_click=open_test_image, args=(number,))


# What each question is called, what its figure shows, and who answers it.
_QUESTIONS: dict[str, tuple[str, Callable[[Case], None]]] = {
    "Branches": ("What each branch is worth", worth.answer),
    "Pixels": ("Attribution", _pixels),
    "Filters": ("Filters", _filters),
    "Gradients": ("Gradients", _gradients),
    "Cost": ("Cost", _cost),
    "Linearity": ("Linearity", _linearity),
    "Mistakes": ("The confusion matrix", _mistakes),
    excites.NAME: ("What excites a channel", excites.answer),
    "Patching": ("Patching", patching.answer),
}
_NAMES = {  # each question has its own
    "Branches": (INSTEAD, SHARES),
    "Pixels": (CLASS, CAM),
    "Filters": (FILTERS, SORT),
    "Mistakes": (CELL,),
    excites.NAME: (excites.EXCITES, excites.CHANNEL),
    "Patching": (patching.DONOR, patching.PATCH),
}
_INTACT = ("Filters", "Gradients", "Cost", "Linearity")  # that switches have no effect on
