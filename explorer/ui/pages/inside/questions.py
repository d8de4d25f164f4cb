"""Below the network on *Look inside*: questions about it, each answered by one figure."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import streamlit as st
from numpy.typing import NDArray

from explorer.charts import maps as map_charts
from explorer.charts.grids import confusion, gradient_history, gradients_by_depth
from explorer.data.png import as_picture
from explorer.errors import ExplorerError
from explorer.inspection.parts import Block, Part
from explorer.inspection.results import METHODS, Cost, Linearity, Method
from explorer.inspection.scores import Answers
from explorer.language import again, later, plural, say
from explorer.text import percent, significant
from explorer.ui import controls, outline, query_params, state
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
# The questions, as they are in the address.
BRANCHES, PIXELS, FILTERS_OF = later("Branches"), later("Pixels"), later("Filters")
GRADIENTS, COST, LINEARITY = later("Gradients"), later("Cost"), later("Linearity")
MISTAKES, PATCHING = later("Mistakes"), later("Patching")
GALLERY = 12


def section(case: Case) -> None:
    """Show the questions, and the answer to the one that is chosen."""
    st.divider()
    outline.heard(say("Questions about this network"))
    question = controls.choose(
        QUESTION,
        OneOf(_QUESTIONS),
        next(iter(_QUESTIONS)),
        lambda keyed: st.segmented_control(
            say("Ask this network"),
            list(_QUESTIONS),
            required=True,
            format_func=say,
            **keyed,
        ),
    )
    for name in dict.fromkeys(name for names in _NAMES.values() for name in names):
        if name not in _NAMES.get(question, ()):
            query_params.put(name, None)
    if case.off and question in _INTACT:
        st.caption(say("Of the network as it was trained, with everything switched on."))
    figure, answer = _QUESTIONS[question]
    with case.subject.figure(say(figure)):
        answer(case)


def _pixels(case: Case) -> None:
    labels = case.subject.classes
    best = int(case.recording.logits[0].argmax())
    key = f"class.{case.subject.run.id}.{best}"
    target: int = controls.choose(
        CLASS,
        OneOf(range(len(labels))),
        best,
        lambda keyed: st.segmented_control(
            say("Which pixels raise or lower the logit of a class (attribution)?"),
            range(len(labels)),
            required=True,
            format_func=lambda number: plain(labels[number]),
            **keyed,
        ),
        key=key,
    )
    found: list[tuple[str, NDArray[Any]]] = []
    for method in METHODS:
        name = say(_METHODS[method])
        with case.subject.figure(say("Attribution by {method}", method=name)):
            values = case.session.attribution(case.chosen.pixels, target, method, case.off)
            found.append((name, values))
    if shown := cam_layers(case.recording.parts):
        layer = choose(say("Grad-CAM of"), CAM, shown, shown[-1], f"cam {case.subject.run.id}")
        try:
            cam = case.session.grad_cam(case.chosen.pixels, target, layer, case.off)
        except ExplorerError as error:  # no gradient may reach it
            st.caption(sentence(error))
        else:
            found.append((say("Grad-CAM of {layer}", layer=layer), cam))
    chart(map_charts.saliency(case.chosen.pixels, found), key="saliency")
    st.caption(
        say(
            "Laid over the picture, in grey: blue raises the logit of the class, orange lowers it. "
            "Integrated gradients sum to the difference between this logit and that of a black "
            "image; occlusion paints 4×4 pixels black and measures how far the logit falls; "
            "Grad-CAM weights the layer's maps by the gradient of the logit."
        )
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
        st.info(say("This network has no two-dimensional convolution."))
        return
    left, right = st.columns([2, 1], vertical_alignment="bottom")
    with left:
        path = choose(say("Filters of"), FILTERS, list(found), next(iter(found)), "filters of")
    with right:
        by = _order()
    chosen = found[path]
    outputs, inputs, height, width = chosen.values.shape
    # One scale for all, and a row for each output, so that what an output reads can be compared.
    chart(map_charts.filters(chosen, by), key="filters")
    several = _OF_A_GROUP if chosen.groups > 1 else _OF_ALL
    words = say(
        several if inputs > 1 else _OF_ONE_MAP,
        weights=code(f"{path}.weight"),
        outputs=int(outputs),
        height=int(height),
        width=int(width),
        inputs=int(inputs),
    )
    most = map_charts.most_drawn(chosen)
    if max(outputs, inputs) > most:
        drawn = say(
            "Those with the largest norm are drawn, up to {most:d} outputs and inputs.", most=most
        )
        words = say("{first} {second}", first=words, second=drawn)
    norms = chosen.norms
    sizes = say(
        "All weights: mean {mean:.3g}, standard deviation {std:.3g}. L2 norms from {least:.3g} to "
        "{largest:.3g}; the two most similar filters have a cosine of ±{cosine:.2f}.",
        mean=chosen.mean,
        std=chosen.std,
        least=float(norms.min()),
        largest=float(norms.max()),
        cosine=chosen.likeness,
    )
    st.caption(say("{first} {second}", first=words, second=sizes))


_OF_ALL = later(
    "{weights} in the state dict: {outputs} filters of {height}×{width}, each with a kernel for "
    "each of {inputs} inputs."
)
_OF_A_GROUP = later(
    "{weights} in the state dict: {outputs} filters of {height}×{width}, each with a kernel for "
    "each of {inputs} inputs of its group."
)
_OF_ONE_MAP = later(
    "{weights} in the state dict: {outputs} filters of {height}×{width}, each of which reads one "
    "map."
)


def _order() -> map_charts.Order:
    """Show how filters may be sorted, and return what was chosen."""
    by: map_charts.Order = controls.choose(
        SORT,
        OneOf(map_charts.ORDERS),
        map_charts.ORDERS[0],
        lambda keyed: st.segmented_control(
            say("Sort by"),
            map_charts.ORDERS,
            required=True,
            format_func=lambda order: say(_ORDERS[order]),
            **keyed,
        ),
    )
    return by


_ORDERS: Mapping[map_charts.Order, str] = {
    "index": later("index"),
    "norm": later("norm"),
    "likeness": later("likeness"),
}
_METHODS: Mapping[Method, str] = {
    "integrated gradients": later("integrated gradients"),
    "occlusion": later("occlusion"),
}


def _gradients(case: Case) -> None:
    run, store = state.find_run(case.subject.run.id)
    recorded = store.gradients(run.id)
    left, right = st.columns([3, 2], gap="large")
    with left, case.subject.figure(say("The gradients during training")):
        st.markdown(
            say("**How large was the gradient of the loss in each layer during training?**")
        )
        if recorded and run.started:
            order = case.session.in_running_order(recorded[0].norms)
            events = [
                replace(event, norms={path: event.norms.get(path, 0.0) for path in order})
                for event in recorded
            ]
            steps = run.started.steps_per_epoch
            chart(gradients_by_depth(events, steps), key="gradients by depth")
            st.caption(say("From the layer next to the image to the one next to the answer."))
            chart(gradient_history(events, steps), key="gradients")
            if any(norm == 0 for event in recorded for norm in event.norms.values()):
                st.caption(say("Blank: no gradient reaches this layer."))
        elif run.spec.imported:
            st.info(
                say("The weights of this run were imported; nothing of their training is known.")
            )
        else:
            st.info(
                say(
                    "This run did not record its gradients. To record them, set *Record gradients "
                    "every … steps* in the details of the recipe."
                )
            )
    with right, case.subject.figure(say(GRADIENTS)):
        st.markdown(
            say("**And now**, on 64 training images")
            if run.spec.imported
            else say(
                "**And now**, on 64 training images, after {moment}", moment=case.subject.moment
            )
        )
        norms, by_branch = case.session.gradients()
        names = [*norms, *(say("branch {path}", path=path) for path in by_branch)]
        sizes = [*norms.values(), *by_branch.values()]
        rows = [{"part": n, _NORM: size} for n, size in zip(names, sizes, strict=True)]
        st.dataframe(
            numbers(rows, {_NORM: lambda norm: significant(norm, 3)}),
            hide_index=True,
            column_config={"part": say("part"), _NORM: say(_NORM)},
        )


_NORM = later("gradient norm")  # a column


def _cost(case: Case) -> None:
    st.markdown(
        say(
            "**What does each part cost?** Multiply-adds (MACs) of one image, milliseconds of 64 "
            "images"
        )
    )
    st.dataframe(
        [
            {
                "part": "\u2003" * row.depth + row.name,
                "what": _what(row),
                "parameters": row.parameters,
                "multiply-adds": row.macs,
                "milliseconds": row.milliseconds,
            }
            for row in case.session.costs
        ],
        hide_index=True,
        column_config={
            "part": say("part"),
            "what": say("what"),
            "parameters": st.column_config.NumberColumn(say("parameters"), format="localized"),
            "multiply-adds": st.column_config.NumberColumn(
                say("multiply-adds"), format="localized"
            ),
            "milliseconds": st.column_config.NumberColumn(say("milliseconds"), format="%.2f"),
        },
    )


def _what(row: Cost) -> str:
    text = again(row.text)
    if row.kind == "block":
        return say("block: {what}", what=text)
    return say("branch: {what}", what=text) if row.kind == "branch" else text


def _linearity(case: Case) -> None:
    st.markdown(
        say(
            "**Is a block more than one layer?** Layers without a bend between them, such as a "
            "ReLU, do no more than one layer could (they are affine)"
        )
    )
    found = case.session.linearity()
    if not found:
        st.info(say("This network has no blocks: each of its layers takes what the last one gave."))
    for verdict in found:
        with st.container(border=True):
            _verdict(verdict)
    if found:
        st.caption(
            say(
                "Tested with random inputs: of the average of two inputs, an affine block gives "
                "the average of its two outputs."
            )
        )


def _verdict(verdict: Linearity) -> None:
    if verdict.replacement:
        one = say(
            _EXACTLY if verdict.replacement.exact else _EXCEPT_AT_THE_BORDERS,
            block=plain(verdict.block),
            layer=code(verdict.replacement.text),
        )
        sizes = say(
            "That layer has {few:,} parameters, the block has {many:,}.",
            few=verdict.replacement.parameters,
            many=verdict.parameters,
        )
        sentences = say("{first} {second}", first=one, second=sizes)
        st.markdown(f":orange[:material/linear_scale:] {sentences}")
    else:
        more = say(
            "**{block}** is more than one layer: no single layer computes the same.",
            block=plain(verdict.block),
        )
        missed = _missed(verdict.error)
        sentences = say("{first} {second}", first=more, second=missed)
        st.markdown(f":blue[:material/ssid_chart:] {sentences}")
    if verdict.tail_replacement:
        st.markdown(
            say(
                "From its input to the logits everything is affine: one {layer} with {few:,} "
                "parameters computes the same as the {many:,} parameters there.",
                layer=code(verdict.tail_replacement.text),
                few=verdict.tail_replacement.parameters,
                many=verdict.tail_parameters,
            )
        )


_EXACTLY = later("**{block}** is no more than one layer. One {layer} computes the same, exactly.")
_EXCEPT_AT_THE_BORDERS = later(
    "**{block}** is no more than one layer. One {layer} computes the same, except at the borders."
)


def _missed(error: float) -> str:
    """Say how far a block is from affine; `error` is relative to its largest output."""
    if error >= 1:
        return say(
            "Of an average of two inputs, it misses the average of its outputs by {times:.1f} "
            "times its largest output.",
            times=error,
        )
    if error >= 0.001:
        return say(
            "Of an average of two inputs, it misses the average of its outputs by {share} % of its "
            "largest output.",
            share=plain(significant(100 * error)),
        )
    return say(
        "Of an average of two inputs, it misses the average of its outputs by less than a "
        "thousandth of its largest output, and more than by rounding."
    )


def _mistakes(case: Case) -> None:
    labels = case.subject.classes
    with st.spinner(say("Scoring the test images")):
        found = case.session.answers(case.off)
    wrong = found.mistakes()
    cell = _cell(found)
    left, right = st.columns(2, gap="large")
    with left:
        st.markdown(
            say(
                "**Which class is taken for which (confusion matrix)?** {wrong:,} of {all:,} test "
                "images are classified incorrectly. A click on a number shows its images",
                wrong=len(wrong),
                all=len(found.labels),
            )
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


def _choose_cell(clicked: Sequence[int]) -> None:
    """Take the cell that was clicked; a second click on it lets it go."""
    cell = "-".join(map(str, clicked))
    st.session_state[CELL] = None if st.session_state.get(CELL) == cell else cell


def _gallery(
    case: Case, found: Answers, wrong: Sequence[int], cell: tuple[int, int] | None
) -> None:
    labels = case.subject.classes
    if cell is None:
        outline.section(say("Where is it most confident, and wrong?"))
        shown: Sequence[int] = wrong
        if not wrong:
            st.info(say("Nowhere: it classifies every test image correctly."))
    else:
        label, predicted = cell
        shown = found.images_of(label, predicted)
        st.markdown(
            plural(
                "**{n:,} image of {label}, predicted correctly**, the least confident first",
                "**{n:,} images of {label}, predicted correctly**, the least confident first",
                len(shown),
                label=plain(labels[label]),
            )
            if label == predicted
            else plural(
                "**{n:,} image of {label}, predicted as {predicted}**",
                "**{n:,} images of {label}, predicted as {predicted}**",
                len(shown),
                label=plain(labels[label]),
                predicted=plain(labels[predicted]),
            )
        )
    shown = shown[:GALLERY]
    images = case.session.test_images(shown) if shown else ()
    for start in range(0, len(shown), 4):
        for column, place in zip(st.columns(4), range(start, len(shown)), strict=False):
            with column:
                _mistake(case, found, shown[place], images[place])


def _mistake(case: Case, found: Answers, number: int, pixels: NDArray[Any]) -> None:
    labels = case.subject.classes
    label, predicted = (labels[int(classes[number])] for classes in (found.labels, found.predicted))
    confidence = percent(float(found.confidence[number])).replace(" ", "\u00a0")
    caption = (
        say("{label}, {confidence}", label=plain(label), confidence=confidence)
        if label == predicted
        else say(
            "{label} taken for {predicted}, {confidence}",
            label=plain(label),
            predicted=plain(predicted),
            confidence=confidence,
        )
    )
    st.image(
        as_picture(pixels),
        caption=caption,
        width="stretch",
        alt=say("Test image {number}", number=number),
    )
    st.button(
        say("Open {number}", number=number),
        key=f"mistake {number}",
        on_click=open_test_image,
        args=(number,),
    )


# What each question is called, what its figure shows, and who answers it.
_QUESTIONS: dict[str, tuple[str, Callable[[Case], None]]] = {
    BRANCHES: (later("What each branch is worth"), worth.answer),
    PIXELS: (later("Attribution"), _pixels),
    FILTERS_OF: (FILTERS_OF, _filters),
    GRADIENTS: (GRADIENTS, _gradients),
    COST: (COST, _cost),
    LINEARITY: (LINEARITY, _linearity),
    MISTAKES: (later("The confusion matrix"), _mistakes),
    excites.NAME: (later("What excites a channel"), excites.answer),
    PATCHING: (PATCHING, patching.answer),
}
_NAMES = {  # each question has its own
    BRANCHES: (INSTEAD, SHARES),
    PIXELS: (CLASS, CAM),
    FILTERS_OF: (FILTERS, SORT),
    MISTAKES: (CELL,),
    excites.NAME: (excites.EXCITES, excites.CHANNEL),
    PATCHING: (patching.DONOR, patching.PATCH),
}
_INTACT = (FILTERS_OF, GRADIENTS, COST, LINEARITY)  # that switches have no effect on
