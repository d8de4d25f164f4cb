"""The page *Look inside*: what every layer and every branch of a trained network does."""

from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from explorer.charts.bars import probabilities
from explorer.charts.lanes import SCALES, Maps, Scale, View
from explorer.charts.lanes import lanes as draw_lanes
from explorer.charts.stages import Stage, stage_name, trail
from explorer.charts.svg import network_svg
from explorer.charts.thumbnails import thumbnails
from explorer.data.png import as_picture
from explorer.inspection.fields import by_reach
from explorer.inspection.recording import to_npz
from explorer.labs.worksheet import NAVIGATION
from explorer.language import later, listed, say
from explorer.runs.run import distinguish
from explorer.ui import acts, controls, outline, query_params, worksheets
from explorer.ui.columns import columns
from explorer.ui.components.announce import announce
from explorer.ui.components.chart import chart, drawn
from explorer.ui.components.copy_link import copy_link
from explorer.ui.components.drawing import drawing
from explorer.ui.components.lanes import lanes
from explorer.ui.pages.inside import (
    contributions,
    feature_map,
    invitation,
    opening,
    picker,
    questions,
    standing,
    switches,
    walk,
)
from explorer.ui.pages.inside.case import Case
from explorer.ui.pages.inside.picture import CONTROLS, Picture, picture
from explorer.ui.pages.inside.subject import Subject
from explorer.ui.query_params import OneOf
from explorer.ui.words import code, plain

SCALE = "scale"
UNFOLDED = "unfolded"  # session key: whether equal parts are drawn one by one


def page() -> None:
    """Choose a network and an image; see the whole, open a part, switch branches off."""
    if query_params.is_embedded() and not worksheets.active():
        with query_params.of("inside"):
            _frame()
        return
    worksheets.title(say("Look inside a trained network"))
    with query_params.of("inside"):
        _whole()


def _whole() -> None:
    shown = picker.networks()
    if not shown:
        return
    waits = worksheets.is_waiting()
    row = st.container() if waits else standing.row()
    wide = st.container()
    left, right = columns("image-and-maps", [(290, 1), (380, 9)])
    with left:
        outline.heard(say("The picture"))
    with left, st.container(border=controls.is_shown(*CONTROLS)):
        chosen = picture(shown[0])
    if chosen is None:
        return
    classes = shown[0].dataset.classes  # as answers are kept
    if waits:
        with right:
            worksheets.ask(classes)
        _alone(left, chosen)
        return
    with right:
        worksheets.after(classes)
        cases = _cases(shown, chosen)
        if not cases:
            return
    with row:
        standing.show(cases)
    announce("answer", listed(list(map(standing.heard, cases)), ","))
    with left:
        if len(cases) == 1:
            _prediction(cases[0], 0, row=22)
        scale = _scale_switch(beside=len(shown) > 1)
    with right:
        _networks(cases, scale, wide)
        with st.container(horizontal=True):
            if controls.is_shown(NAVIGATION):
                _downloads(cases[0])
            link = st.container(width="content")
    if picker.is_playing():
        st.caption(say("Stop playing to ask a question about this network."))
    elif controls.is_shown(questions.QUESTION) or worksheets.says(questions.QUESTION):
        questions.section(cases[0])
    if controls.is_shown(NAVIGATION):
        with link:
            _link(cases)


def _alone(place: DeltaGenerator, chosen: Picture) -> None:
    """Show the picture without anything of what the network does with it."""
    shown = as_picture(chosen.pixels)
    place.image(shown, width="stretch", alt=say("The picture to be classified"))


def _frame() -> None:
    """Show what a page of another site has a frame for: the opened part, and a line about it."""
    shown = picker.networks()
    chosen = picture(shown[0]) if shown else None
    if chosen is None:
        return
    scale = _scale_switch(beside=len(shown) > 1)
    cases = _cases(shown, chosen)
    with standing.row():
        standing.show(cases)
    for place, case in enumerate(cases):
        if stage := _opened(case):
            with case.subject.figure(say("The feature maps")):
                _lanes(place, case, stage, scale, [])
            name = case.subject.run.spec.architecture
            words = [name, case.subject.moment, stage_name(stage)]
            st.caption(listed(list(map(plain, words)), ","))


def _link(cases: Sequence[Case]) -> None:
    """Offer a link to what is shown, which keeps the runs that it needs."""
    ids = [case.subject.run.id for case in cases]
    copy_link(f"inside?{query_params.link()}", "link", on_copied=lambda: acts.pin(ids))
    if not cases[0].chosen.is_in_link:
        st.caption(say("This picture is too large for a link, which shows none in its place."))


def _cases(shown: Sequence[Subject], chosen: Picture) -> list[Case]:
    """Run the picture through each network; one that fails is left out, with a sentence."""
    found: list[Case] = []
    for subject in shown:
        name = subject.run.spec.architecture
        with subject.figure(say("The output of {network}", network=name)):
            off = switches.off(subject.session)
            recording = subject.session.record(chosen.pixels, off)
            found.append(Case(subject, recording, recording.arrays(), chosen, off))
    switches.keep_in_address([case.recording for case in found], [case.off for case in found])
    feature_map.follow(found)
    return found


def _networks(cases: Sequence[Case], scale: Scale, wide: DeltaGenerator) -> None:
    """Show one network, with its overview in the wide place, or two side by side."""
    names = distinguish([case.subject.run for case in cases])
    places = st.columns(len(cases), gap="large")
    for place, (case, column) in enumerate(zip(cases, places, strict=True)):
        with column:
            _warn(case.subject)
            if len(cases) > 1:
                name = plain(names[case.subject.run.id])
                st.markdown(
                    say("**{network}**, {moment}", network=name, moment=case.subject.moment)
                )
                _prediction(case, place, row=20)
            above = wide if len(cases) == 1 else st.container()
            _network(
                place, case, scale, above, [other.maps for other in cases if other is not case]
            )


def _warn(subject: Subject) -> None:
    if not subject.is_current:
        st.warning(
            say(
                "The code of {network} or the images of {dataset} have changed since this run was "
                "made. Its parameters still fit, but its results may differ.",
                network=plain(subject.run.spec.architecture),
                dataset=plain(subject.run.spec.dataset),
            )
        )


def _prediction(case: Case, place: int, row: int) -> None:
    labels = case.subject.classes
    with case.subject.figure(say("The prediction")):
        found, before = case.recording.probabilities[0].tolist(), None
        if not case.chosen.pixels.any():
            found = [0.0] * len(labels)
        elif case.off:
            intact = case.session.record(case.chosen.pixels)
            before = intact.probabilities[0].tolist()
        chart(
            case.session.made(
                "probabilities",
                (case.key, row),
                lambda: drawn(probabilities(found, labels, case.chosen.label, row, before)),
            ),
            key=f"probabilities.{place}",
        )
        if before:
            st.caption(say("Grey outline: with everything on."))


def _opened(case: Case) -> Stage | None:
    return switches.opened(case.recording, opening.first_part(case.subject.run.id))


def _network(
    place: int, case: Case, scale: Scale, above: DeltaGenerator, others: Sequence[Maps]
) -> None:
    stage = _opened(case)
    if stage is None:
        st.info(say("This network does nothing with the image but hand it on."))
        return
    with above, case.subject.figure(say("The overview")):
        outline.heard(say("The network"))
        _overview(place, case, stage)
        walk.show(place, case, stage)
        invitation.invite(case)
    with case.subject.figure(say("The feature maps")):
        outline.heard(say("Inside {part}", part=stage_name(stage)))
        _lanes(place, case, stage, scale, others)
        feature_map.show(place, case)


def _overview(place: int, case: Case, stage: Stage) -> None:
    subject, recording, off = case.subject, case.recording, case.off
    unfolded = bool(st.session_state.get(UNFOLDED))
    can_open = controls.is_shown(switches.PART)
    svg = case.session.made(
        "overview",
        # A network may take another way with another picture.
        (case.key, stage_name(stage), unfolded, can_open),
        lambda: network_svg(
            recording.parts,
            case.session.images,
            "horizontal",
            order=lambda block: by_reach(block, case.session.fields),
            opened=stage_name(stage),
            off=off,
            pictures=thumbnails(case.chosen.pixels, case.maps),
            folded=not unfolded,
            unfolds=can_open,
        ),
    )
    key = f"overview.{place}"
    drawing(
        svg,
        subject.file,
        key,
        on_open=switches.open_part if can_open else None,
        unfolded=unfolded,
        on_fold=lambda folds: st.session_state.update({UNFOLDED: not folds}),
    )
    if unused := case.session.unused:
        names = listed([code(node.name) for node in unused], ",")
        st.caption(say("Computed and never used: {parts}.", parts=names))


def _lanes(place: int, case: Case, stage: Stage, scale: Scale, others: Sequence[Maps]) -> None:
    mine = f"lanes.{place}"

    def draw() -> Mapping[str, Any]:
        view = View(
            stage,
            case.maps,
            case.session.fields,
            case.off,
            trail(case.recording.parts, stage_name(stage)),
            contributions.shares(case, stage),
            contributions.dead(case),
        )
        return draw_lanes(view, case.chosen.pixels, scale, others)

    # Two networks side by side share their colours, so that each depends on both; what takes a
    # while is left out while the epochs are played.
    key = case.key, stage_name(stage), scale, picker.is_playing()
    lanes(
        draw() if others else case.session.made("lanes", key, draw),
        [],
        f"{case.subject.file}-{stage_name(stage)}",
        mine,
        can_switch=controls.is_shown(switches.OFF),
        on_switch=lambda said: switches.switch(**said),
        on_open=lambda said: feature_map.ask(place, **said),
        on_part=switches.open_part,
    )


def _downloads(case: Case) -> None:
    st.download_button(
        say("Activations (.npz)"),
        lambda: to_npz(case.chosen.pixels, case.recording),
        f"{case.subject.file}.npz",
        icon=":material/download:",
        on_click="ignore",
        help=say("The image and the output of every layer, branch and block, by name."),
    )


def _scale_switch(*, beside: bool) -> Scale:
    key, default = (f"{SCALE} of both", "model") if beside else (SCALE, "layer")
    scale: Scale = controls.choose(
        SCALE,
        OneOf(SCALES),
        default,
        lambda keyed: st.segmented_control(
            say("Compare colours within"),
            SCALES,
            required=True,
            format_func=lambda scale: (
                say("both networks") if beside and scale == "model" else say(_SHARED_BY[scale])
            ),
            width="stretch",
            help=(
                say(
                    "Within it, equal colours mean equal values. Layers of the same name in both "
                    "networks share it."
                )
                if beside
                else say("Within it, equal colours mean equal values.")
            ),
            **keyed,
        ),
        key=key,
    )
    return scale


_SHARED_BY: Mapping[Scale, str] = {
    "map": later("a map"),
    "layer": later("a layer"),
    "model": later("a model"),
}
