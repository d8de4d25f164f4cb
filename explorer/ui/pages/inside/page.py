"""The page *Look inside*: what every layer and every branch of a trained network does."""

from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from explorer.charts.bars import probabilities
from explorer.charts.lanes import SCALES, Maps, Scale, View
from explorer.charts.lanes import lanes as draw_lanes
from explorer.charts.stages import Stage, stage_name
from explorer.charts.svg import network_svg
from explorer.inspection.fields import by_reach
from explorer.inspection.recording import to_npz
from explorer.labs.worksheet import NAVIGATION
from explorer.runs.run import distinguish
from explorer.text import percent
from explorer.ui import acts, controls, query_params, worksheets
from explorer.ui.components.chart import chart, drawn
from explorer.ui.components.copy_link import copy_link
from explorer.ui.components.drawing import drawing
from explorer.ui.components.lanes import lanes
from explorer.ui.pages.inside import feature_map, picker, questions, switches, worth
from explorer.ui.pages.inside.case import Case
from explorer.ui.pages.inside.picture import CONTROLS, Picture, picture
from explorer.ui.pages.inside.subject import Subject
from explorer.ui.query_params import OneOf
from explorer.ui.words import code, plain

SCALE = "scale"


def page() -> None:
    """Choose a network and an image; see the whole, open a part, switch branches off."""
    if query_params.is_embedded() and not worksheets.active():
        with query_params.of("inside"):
            _frame()
        return
    worksheets.title("Look inside a trained network")
    with query_params.of("inside"):
        _whole()


def _whole() -> None:
    shown = picker.networks()
    if not shown:
        return
    left, right = st.columns([1.15, 3.6], gap="large")
    with left, st.container(border=controls.is_shown(*CONTROLS)):
        chosen = picture(shown[0])
    if chosen is None:
        return
    classes = shown[0].dataset.classes
    if worksheets.is_waiting():
        with right:
            worksheets.ask(classes)
        _alone(left, chosen)
        return
    with left:
        scale = _scale_switch(beside=len(shown) > 1)
    with right:
        worksheets.after(classes)
        cases = _cases(shown, chosen)
        if not cases:
            return
        _networks(cases, scale)
    with left:
        if len(cases) == 1:
            _prediction(cases[0], 0, row=22)
        if controls.is_shown(NAVIGATION):
            _downloads(cases[0])
        link = st.container()
    if picker.is_playing():
        st.caption("Stop playing to ask a question about this network.")
    elif controls.is_shown(questions.QUESTION) or worksheets.says(questions.QUESTION):
        questions.section(cases[0])
    if controls.is_shown(NAVIGATION):
        with link:
            _link(cases)


def _alone(place: DeltaGenerator, chosen: Picture) -> None:
    """Show the picture without anything of what the network does with it."""
    pixels = chosen.pixels
    grey = len(pixels) == 1
    place.image(pixels[0] if grey else pixels.transpose(1, 2, 0), width="stretch")


def _frame() -> None:
    """Show what a page of another site has a frame for: the opened part, and a line about it."""
    shown = picker.networks()
    chosen = picture(shown[0]) if shown else None
    if chosen is None:
        return
    scale = _scale_switch(beside=len(shown) > 1)
    for place, case in enumerate(_cases(shown, chosen)):
        if stage := switches.opened(case.recording):
            with case.subject.figure("The feature maps"):
                _lanes(place, case, stage, scale, [], "")
            name = f"{case.subject.run.spec.architecture}, {case.subject.moment}"
            st.caption(f"{plain(name)}, {plain(stage_name(stage))}: {plain(_predicted(case))}")


def _link(cases: Sequence[Case]) -> None:
    """Offer a link to what is shown, which keeps the runs that it needs."""
    ids = [case.subject.run.id for case in cases]
    copy_link(f"inside?{query_params.link()}", "link", on_copied=lambda: acts.pin(ids))
    if not cases[0].chosen.is_in_link:
        st.caption("This picture is too large for a link, which shows none in its place.")


def _cases(shown: Sequence[Subject], chosen: Picture) -> list[Case]:
    """Run the picture through each network; one that fails is left out, with a sentence."""
    found: list[Case] = []
    for subject in shown:
        with subject.figure(f"The output of {subject.run.spec.architecture}"):
            off = switches.off(subject.session)
            recording = subject.session.record(chosen.pixels, off)
            found.append(Case(subject, recording, recording.arrays(), chosen, off))
    switches.keep_in_address([case.recording for case in found], [case.off for case in found])
    feature_map.follow(found)
    return found


def _networks(cases: Sequence[Case], scale: Scale) -> None:
    """Show one network, or two side by side."""
    names = distinguish([case.subject.run for case in cases])
    columns = st.columns(len(cases), gap="large")
    for place, (case, column) in enumerate(zip(cases, columns, strict=True)):
        with column:
            _warn(case.subject)
            if len(cases) > 1:
                st.markdown(f"**{plain(names[case.subject.run.id])}**, {case.subject.moment}")
                _prediction(case, place, row=18)
            _network(place, case, scale, [other.maps for other in cases if other is not case])


def _warn(subject: Subject) -> None:
    if not subject.is_current:
        st.warning(
            f"The code of {plain(subject.run.spec.architecture)} or the images of "
            f"{plain(subject.run.spec.dataset)} have changed since this run was made. Its "
            "parameters still fit, but its results may differ."
        )


def _predicted(case: Case) -> str:
    """Say in a few words what the network predicts for the picture."""
    if not case.chosen.pixels.any():
        return "Nothing to see yet"
    labels, best = case.subject.dataset.classes, int(case.recording.logits[0].argmax())
    words = f"Predicted: {labels[best]} ({percent(float(case.recording.probabilities[0, best]))})"
    if case.chosen.label is not None and best != case.chosen.label:
        return f"{words}; the label is {labels[case.chosen.label]}"
    return words


def _prediction(case: Case, place: int, row: int) -> None:
    st.markdown(f"**{plain(_predicted(case))}**")
    labels = case.subject.dataset.classes
    with case.subject.figure("The prediction"):
        found = case.recording.probabilities[0].tolist()
        if not case.chosen.pixels.any():
            found = [0.0] * len(labels)
        chart(
            case.session.made(
                "probabilities",
                (case.key, row),
                lambda: drawn(probabilities(found, labels, case.chosen.label, row)),
            ),
            key=f"probabilities.{place}",
        )


def _network(place: int, case: Case, scale: Scale, others: Sequence[Maps]) -> None:
    stage = switches.opened(case.recording)
    if stage is None:
        st.info("This network does nothing with the image but hand it on.")
        return
    with case.subject.figure("The overview"):
        _overview(place, case, stage)
    accuracy = ""
    with case.subject.figure("The accuracy"):
        accuracy = _standing(case)
    with case.subject.figure("The feature maps"):
        _lanes(place, case, stage, scale, others, accuracy)
        feature_map.show(place, case)


def _overview(place: int, case: Case, stage: Stage) -> None:
    subject, recording, off = case.subject, case.recording, case.off
    svg = case.session.made(
        "overview",
        (case.key, stage_name(stage)),  # a network may take another way with another picture
        lambda: network_svg(
            recording.parts,
            case.session.images,
            "horizontal",
            order=lambda block: by_reach(block, case.session.fields),
            opened=stage_name(stage),
            off=off,
        ),
    )
    key = f"overview.{place}"
    drawing(
        svg,
        subject.file,
        key,
        on_open=(lambda: switches.open_part(st.session_state[key].open))
        if controls.is_shown(switches.PART)
        else None,
    )
    if unused := case.session.unused:
        st.caption(f"Computed and never used: {', '.join(code(node.name) for node in unused)}.")


def _lanes(
    place: int, case: Case, stage: Stage, scale: Scale, others: Sequence[Maps], accuracy: str
) -> None:
    mine = f"lanes.{place}"
    view = View(stage, case.maps, case.session.fields, case.off)

    def draw() -> Mapping[str, Any]:
        return draw_lanes(view, case.chosen.pixels, scale, others)

    # Two networks side by side share their colours, so that each depends on both.
    key = case.key, stage_name(stage), scale
    lanes(
        draw() if others else case.session.made("lanes", key, draw),
        [_predicted(case), accuracy],
        f"{case.subject.file}-{stage_name(stage)}",
        mine,
        can_switch=controls.is_shown(switches.OFF),
        on_switch=lambda: switches.switch(**st.session_state[mine].switch),
        on_open=lambda: feature_map.ask(place, **st.session_state[mine].open),
        on_part=lambda: switches.open_part(st.session_state[mine].part),
    )


def _standing(case: Case) -> str:
    """Show the accuracy as the network is switched now; return it in a few words."""
    subject, off = case.subject, case.off
    if picker.is_playing():  # scoring would slow it down, and training has scored each epoch
        recorded = next(e for e in subject.run.epochs if e.epoch == subject.epoch)
        words = short = f"Test accuracy, everything on: {100 * recorded.test_accuracy:.2f} %"
    else:
        images = worth.images(subject, off)
        intact, now = case.session.answers((), images), case.session.answers(off, images)
        on = f"the first {images:,}" if images else "all"
        words = f"Accuracy on {on} test images: **{100 * now.accuracy:.2f} %**"
        short = f"Accuracy {100 * now.accuracy:.2f} %"
        if off:
            points = f"{100 * (now.accuracy - intact.accuracy):+.2f}".replace("-", "−")
            without = ", ".join(map(code, off))
            words += f", {points} points with {without} switched off (ablation); loss "
            words += f"{now.loss:.3f} instead of {intact.loss:.3f}."
            short += f", {points} points"
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(words)
        if off and controls.is_shown(switches.OFF):
            st.button(
                "Switch all on",
                key=f"all on {subject.run.id}",
                type="tertiary",
                on_click=switches.switch_all_on,
            )
    return short


def _downloads(case: Case) -> None:
    st.download_button(
        "Activations (.npz)",
        lambda: to_npz(case.chosen.pixels, case.recording),
        f"{case.subject.file}.npz",
        icon=":material/download:",
        on_click="ignore",
        help="The image and the output of every layer, branch and block, by name.",
    )


def _scale_switch(*, beside: bool) -> Scale:
    help = "Within it, equal colours mean equal values."
    key, default = (f"{SCALE} of both", "model") if beside else (SCALE, "layer")
    query_params.take(SCALE, OneOf(SCALES), key)
    st.session_state.setdefault(key, default)
    scale: Scale = controls.choose(
        SCALE,
        lambda: st.segmented_control(
            "Compare colours within",
            SCALES,
            required=True,
            key=key,
            persist_state="session",
            format_func=lambda scale: (
                "both networks" if beside and scale == "model" else f"a {scale}"
            ),
            width="stretch",
            help=f"{help} Layers of the same name in both networks share it." if beside else help,
        ),
        key,
    )
    query_params.put(SCALE, scale, default)
    return scale
