"""The page *Look inside*: what every layer and every branch of a trained network does."""

from collections.abc import Sequence

import streamlit as st
import torch

from explorer.charts.bars import probabilities
from explorer.charts.lanes import SCALES, Maps, Scale, View
from explorer.charts.lanes import lanes as draw_lanes
from explorer.charts.overview import overview
from explorer.charts.stages import stage_name
from explorer.inspection.activations import Recording, to_npz
from explorer.runs.run import distinguish
from explorer.text import percent
from explorer.ui.components.chart import chart
from explorer.ui.components.drawing import drawing
from explorer.ui.components.lanes import lanes
from explorer.ui.pages.inside import feature_map, picker, questions, switches, worth
from explorer.ui.pages.inside.case import Case
from explorer.ui.pages.inside.picture import Picture, picture
from explorer.ui.pages.inside.subject import Subject, score

SCALE = "scale"


def page() -> None:
    """Choose a network and an image; see the whole, open a part, switch branches off."""
    st.markdown("#### Look inside a trained network")
    shown = picker.networks()
    if not shown:
        return
    left, right = st.columns([1.15, 3.6], gap="large")
    with left, st.container(border=True):
        chosen = picture(shown[0])
    if chosen is None:
        return
    with left:
        scale = _scale_switch(beside=len(shown) > 1)
    off = switches.off(shown)
    looks = [one.look(chosen.pixels, silent) for one, silent in zip(shown, off, strict=True)]
    with right:
        names = distinguish([one.run for one in shown])
        for place, column in enumerate(st.columns(len(shown), gap="large")):
            subject, look = shown[place], looks[place]
            with column:
                _warn(subject)
                if len(shown) > 1:
                    st.markdown(f"**{names[subject.run.id]}**, epoch {subject.epoch}")
                    _prediction(subject, look[0], chosen, place, row=18)
                others = [maps for _, maps in looks[:place] + looks[place + 1 :]]
                _network(place, subject, look, chosen, off[place], scale, others)
    with left:
        if len(shown) == 1:
            _prediction(shown[0], looks[0][0], chosen, 0, row=22)
        _downloads(shown[0], looks[0][0], chosen)
    if picker.is_playing():
        st.caption("Stop the playing to ask this network something.")
    else:
        questions.section(Case(shown[0], looks[0][0], chosen, off[0]))


def _warn(subject: Subject) -> None:
    if not subject.is_current:
        st.warning(
            f"The code of {subject.run.spec.architecture} has changed since this run was made; its "
            "weights still fit, but it may not be the same network."
        )


def _told(subject: Subject, recording: Recording, chosen: Picture) -> str:
    """What the network says of the picture, in a sentence."""
    if not chosen.pixels.any():
        return "Nothing to see yet"
    labels, best = subject.dataset.classes, int(recording.logits[0].argmax())
    sure = percent(recording.probabilities[0, best].item())
    if chosen.label is not None and best != chosen.label:
        return f"It says {labels[best]}, {sure} sure; it is {labels[chosen.label]}."
    return f"It says {labels[best]}, {sure} sure."


def _prediction(
    subject: Subject, recording: Recording, chosen: Picture, place: int, row: int
) -> None:
    st.markdown(f"**{_told(subject, recording, chosen)}**")
    found = (
        recording.probabilities[0].tolist() if chosen.pixels.any() else [0.0] * subject.num_classes
    )
    labels = subject.dataset.classes
    chart(probabilities(found, labels, chosen.label, row), key=f"probabilities.{place}")


def _network(
    place: int,
    subject: Subject,
    look: tuple[Recording, Maps],
    chosen: Picture,
    off: Sequence[str],
    scale: Scale,
    others: Sequence[Maps],
) -> None:
    recording, maps = look
    stage = switches.opened(recording)
    svg = overview(recording.parts, subject.data.spec, subject.fields, stage_name(stage), off)
    key = f"overview.{place}"
    drawing(svg, subject.file, key, on_open=lambda: switches.open_part(st.session_state[key].open))
    accuracy = _standing(subject, off)
    mine = f"lanes.{place}"
    lanes(
        draw_lanes(View(stage, maps, subject.fields, off), chosen.pixels, scale, others),
        [_told(subject, recording, chosen), accuracy],
        f"{subject.file}-{stage_name(stage)}",
        mine,
        on_switch=lambda: switches.switch(**st.session_state[mine].switch),
        on_open=lambda: feature_map.ask(place, **st.session_state[mine].open),
        on_part=lambda: switches.open_part(st.session_state[mine].part),
    )
    feature_map.show(place, subject, look, chosen)


def _standing(subject: Subject, off: Sequence[str]) -> str:
    """Say what the network is worth as it is switched now; return that in a few words."""
    if picker.is_playing():  # scoring would hold it up, and each epoch was scored when it was over
        recorded = next(e for e in subject.run.epochs if e.epoch == subject.epoch)
        words = short = f"Test accuracy, all on: {100 * recorded.test_accuracy:.2f} %"
    else:
        images = worth.images(subject, off)
        intact, now = score(subject, (), images), score(subject, off, images)
        on = f"the first {images:,}" if images else "all"
        words = f"Accuracy on {on} test images: **{100 * now.accuracy:.2f} %**"
        short = f"Accuracy {100 * now.accuracy:.2f} %"
        if off:
            points = f"{100 * (now.accuracy - intact.accuracy):+.2f}".replace("-", "−")
            without = ", ".join(f"`{path.replace('`', '')}`" for path in off)
            words += f", {points} points without {without}; loss {now.loss:.3f} instead of "
            words += f"{intact.loss:.3f}."
            short += f", {points} points"
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(words)
        if off:
            st.button(
                "Switch all on",
                key=f"all on {subject.run.id}",
                type="tertiary",
                on_click=switches.switch_all_on,
            )
    return short


def _downloads(subject: Subject, recording: Recording, chosen: Picture) -> None:
    st.download_button(
        "Activations (.npz)",
        lambda: to_npz(torch.from_numpy(chosen.pixels), recording),
        f"{subject.file}.npz",
        icon=":material/download:",
        on_click="ignore",
        help="The image and the output of every layer, branch and block, by name.",
    )


def _scale_switch(*, beside: bool) -> Scale:
    help = "Within it, the same colour means the same value."
    scale: Scale = st.segmented_control(
        "Compare colours within",
        SCALES,
        default="model" if beside else "layer",
        required=True,
        key=f"{SCALE} of both" if beside else SCALE,
        bind=None if beside else "query-params",
        format_func=lambda scale: "both models" if beside and scale == "model" else f"a {scale}",
        width="stretch",
        help=f"{help} Layers of one name share it, beside one another." if beside else help,
    )
    return scale
