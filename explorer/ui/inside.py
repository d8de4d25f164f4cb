"""The page *Look inside*: what every layer and every branch of a trained network does."""

import io
from collections.abc import Sequence
from typing import Any

import numpy as np
import streamlit as st

from explorer.charts.bars import percent, probabilities
from explorer.charts.lanes import SCALES, Maps, Scale, View, as_maps, limit
from explorer.charts.lanes import lanes as draw_lanes
from explorer.charts.maps import feature_map
from explorer.charts.overview import overview
from explorer.charts.stages import Stage, stage_name, stages
from explorer.data.decoded import DataError
from explorer.inspection.activations import Recording
from explorer.inspection.parts import Block, blocks, layers
from explorer.networks import NetworkError
from explorer.runs import Run, distinguish
from explorer.ui import address, evidence, state
from explorer.ui.chart import chart
from explorer.ui.drawing import drawing
from explorer.ui.lanes import lanes
from explorer.ui.pictures import Picture, picture
from explorer.ui.subject import Subject, load, score

SECONDS = 0.8  # an epoch is shown while they are played
SAMPLE = 1000  # test images that are scored at once

# Session keys; those that are widgets' own stand in the address as well.
NETWORK, EPOCH, OTHER, PART, SCALE = "net", "epoch", "other", "part", "scale"
OFF, MAP, PLAYING, NEXT, SEEN = "off", "map", "playing", "next epoch", "seen"


def page() -> None:
    """Choose a network and an image; see the whole, open a part, switch branches off."""
    st.markdown("#### Look inside a trained network")
    runs = [run for run in _all_runs() if run.epochs]
    titles = {run.id: run.title for run in runs}
    if unknown := address.take(NETWORK, titles):
        st.warning(f"There is no trained run `{unknown}` here; this is another.")
    st.session_state.setdefault(NETWORK, runs[_default(runs)].id)
    one, two = st.columns([3, 2], gap="large", vertical_alignment="bottom")
    with one:
        id = st.selectbox(
            "Network",
            list(titles),
            key=NETWORK,
            format_func=titles.__getitem__,
            persist_state="session",
        )
    address.put(NETWORK, id)
    _settle(id)
    with two:
        others = [other for other in titles if other != id]
        address.take(OTHER, others)
        other = st.selectbox(
            "Compare with",
            others,
            index=None,
            key=OTHER,
            format_func=titles.__getitem__,
            persist_state="session",
            placeholder="another run, on the same image",
        )
    address.put(OTHER, other)
    try:
        epoch = _epoch(id)
        shown = [load(id, epoch)]
        if other:
            shown.append(load(other, _nearest(other, epoch)))
    except (DataError, NetworkError) as error:
        st.error(str(error))
        return
    if len(shown) == 2 and shown[0].dataset != shown[1].dataset:
        st.warning("These two were trained on different data sets, so one image cannot be both's.")
        shown.pop()
    _look(shown)


def _look(shown: list[Subject]) -> None:
    left, right = st.columns([1.15, 3.6], gap="large")
    with left, st.container(border=True):
        chosen = picture(shown[0])
    if chosen is None:
        return
    with left:
        scale = _scale_switch(beside=len(shown) > 1)
    off = [_switches(subject) for subject in shown]
    looks = [subject.look(chosen.pixels, o) for subject, o in zip(shown, off, strict=True)]
    for subject in shown:
        if not subject.is_current:
            right.warning(
                f"The code of {subject.run.spec.architecture} has changed since this run was made; "
                "its weights still fit, but it may not be the same network."
            )
    with right:
        columns = st.columns(len(shown), gap="large")
        names = distinguish([subject.run for subject in shown])
        for place, column in enumerate(columns):
            with column:
                if len(shown) > 1:
                    st.markdown(f"**{names[shown[place].run.id]}**, epoch {shown[place].epoch}")
                    _prediction(shown[place], looks[place][0], chosen, place, beside=True)
                others = [maps for _, maps in looks[:place] + looks[place + 1 :]]
                _network(shown[place], looks[place], chosen, off[place], scale, others, place)
    with left:
        if len(shown) == 1:
            _prediction(shown[0], looks[0][0], chosen, 0, beside=False)
        _downloads(shown[0], looks[0][1], chosen)
    if st.session_state.get(PLAYING):
        st.caption("Stop the playing to ask this network something.")
    else:
        evidence.section(shown[0], looks[0][0], chosen, off[0])


def _prediction(
    subject: Subject, recording: Recording, chosen: Picture, place: int, *, beside: bool
) -> None:
    labels = subject.dataset.labels
    found = recording.probabilities[0].tolist()
    best = max(range(len(found)), key=found.__getitem__)
    if not chosen.pixels.any():
        st.markdown("Nothing to see yet")
    else:
        told = f"It says **{labels[best]}**, {percent(found[best])} sure"
        if chosen.label is not None and best != chosen.label:
            told += f"; it is **{labels[chosen.label]}**"
        st.markdown(told + ".")
    row = 18 if beside else 22
    chart(probabilities(found, labels, chosen.label, row), key=f"probabilities.{place}")


def _network(
    subject: Subject,
    look: tuple[Recording, Maps],
    chosen: Picture,
    off: Sequence[str],
    scale: Scale,
    others: Sequence[Maps],
    place: int,
) -> None:
    recording, maps = look
    stage = _opened(recording)
    svg = overview(recording.parts, subject.data.spec, subject.fields, stage_name(stage), off)
    key = f"overview.{place}"
    drawing(svg, key, on_open=lambda: _open(st.session_state[key].open))
    _standing(subject, off)
    view = View(stage, maps, subject.fields, off)
    mine = f"lanes.{place}"
    lanes(
        draw_lanes(view, chosen.pixels, scale, others),
        mine,
        on_switch=lambda: _switch(st.session_state[mine].switch),
        on_open=lambda: st.session_state.update({MAP: (place, st.session_state[mine].open)}),
    )
    if st.session_state.get(MAP, (None,))[0] == place:
        _, asked = st.session_state.pop(MAP)
        _map(subject, look, chosen, asked["name"], asked["channel"])


def _standing(subject: Subject, off: Sequence[str]) -> None:
    """What the network is worth as it is switched now, on some of the test images."""
    if st.session_state.get(PLAYING):
        return  # scoring would hold it up, and the slider says how good each epoch was
    whole = (subject.key, tuple(sorted(off))) in st.session_state.get(evidence.SCORED, set())
    images = None if whole else SAMPLE
    intact, now = score(subject, (), images), score(subject, off, images)
    on = "all" if whole else f"the first {SAMPLE:,}"
    words = f"Accuracy on {on} test images: **{100 * now.accuracy:.2f} %**"
    if off:
        words += (
            f", {_signed(100 * (now.accuracy - intact.accuracy))} points without "
            + ", ".join(f"`{path}`" for path in off)
            + f"; loss {now.loss:.3f} instead of {intact.loss:.3f}."
        )
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(words)
        if off:
            st.button(
                "Switch all on",
                key=f"all on {subject.run.id}",
                type="tertiary",
                on_click=lambda: st.session_state.update({OFF: ()}),
            )


@st.dialog("One map", width="large")
def _map(
    subject: Subject, look: tuple[Recording, Maps], chosen: Picture, name: str, channel: int
) -> None:
    recording, maps = look
    planes = as_maps(maps[name])
    source = subject.filters().get(_source(recording, name))
    made = source.values[channel].numpy() if source else None
    st.markdown(f"**{name}**, channel {channel} of 0 to {len(planes) - 1}")
    end = limit([planes[channel]])
    chart(
        feature_map(chosen.pixels, planes[channel], end, f"channel {channel}", made), key="one map"
    )
    field = subject.fields.get(name)
    facts = [f"Each of its pixels sees {field} of the image."] if field else []
    if source:
        bias = "" if source.bias is None else f" and a bias of {source.bias[channel]:.3f}"
        norm = f"{source.norms[channel]:.3f}"
        facts.append(f"Its filter, one of {source.path}'s, has a norm of {norm}{bias}.")
    st.caption(" ".join(facts))
    path = name.partition("#")[0]
    switch = f"{path}:{channel}"
    if subject.can_be_off(switch):
        is_on = switch not in st.session_state[OFF]
        help = "Off, it gives zeros, and all that follows goes on without it."
        if st.toggle("This channel is on", is_on, key=f"channel {switch}", help=help) != is_on:
            _switch({"path": switch, "on": not is_on})
            st.rerun()  # which closes the dialog, so that one sees what it does


def _signed(value: float) -> str:
    return f"{value:+.2f}".replace("-", "−")


def _source(recording: Recording, name: str) -> str:
    """The convolution whose channels these are: this layer, or the last one before it."""
    source = ""
    for layer in layers(recording.parts):
        if layer.kind == "Conv2d":
            source = layer.path
        elif len(layer.shape) != 3 or layer.shape[:1] != layer.inputs[:1]:
            source = ""  # it mixes channels, or has none
        if layer.name == name:
            return source
    return ""


def _downloads(subject: Subject, maps: Maps, chosen: Picture) -> None:
    def packed() -> bytes:
        buffer = io.BytesIO()
        arrays: dict[str, Any] = {"image": chosen.pixels, **maps}
        np.savez_compressed(buffer, **arrays)
        return buffer.getvalue()

    st.download_button(
        "Activations (.npz)",
        packed,
        f"{subject.run.spec.architecture}-epoch-{subject.epoch}.npz",
        icon=":material/download:",
        on_click="ignore",
        help="The image and the output of every layer, branch and block, by name.",
    )


# Which network, which epoch.


def _all_runs() -> list[Run]:
    own, recorded = state.store().runs(), state.examples().runs()
    return [*own, *(run for run in recorded if run.id not in {run.id for run in own})]


def _default(runs: Sequence[Run]) -> int:
    """One's newest run; with none of one's own, the example that has the most branches to show."""
    if runs[0].id not in {run.id for run in state.examples().runs()}:
        return 0
    names = [run.spec.architecture for run in runs]
    return names.index("inception") if "inception" in names else 0


def _settle(id: str) -> None:
    """Start afresh on another network: it has other branches, maps and epochs."""
    before = st.session_state.get(SEEN)
    if before != id:
        st.session_state[OFF] = () if before else tuple(st.query_params.get_all(OFF))
        st.session_state[PLAYING] = False
        st.session_state[SEEN] = id
    if NEXT in st.session_state:
        st.session_state[EPOCH] = st.session_state.pop(NEXT)


def _epoch(id: str) -> int:
    run, store = state.find_run(id)
    kept = store.kept_epochs(id)
    if len(kept) == 1:
        st.caption(f"Epoch {kept[0]}, the only one whose weights are kept")
        return kept[0]
    address.take(EPOCH, kept)
    st.session_state.setdefault(EPOCH, kept[-1])
    scored = {epoch.epoch: epoch.test_accuracy for epoch in run.epochs}
    with st.container(horizontal=True, vertical_alignment="bottom"):
        playing = st.session_state.get(PLAYING, False)
        st.button(
            "Stop" if playing else "Play",
            icon=":material/stop:" if playing else ":material/play_arrow:",
            key="play",
            help="Watch it learn: the same image through each recorded epoch",
            on_click=_play,
            args=(kept,),
        )
        epoch: int = st.select_slider(
            "Epoch",
            kept,
            key=EPOCH,
            persist_state="session",
            format_func=lambda epoch: f"{epoch} ({100 * scored.get(epoch, 0):.2f} %)",
        )
    address.put(EPOCH, epoch if epoch != kept[-1] else None)
    if playing:
        _player(kept, epoch)
    return epoch


def _play(kept: Sequence[int]) -> None:
    playing = not st.session_state.get(PLAYING, False)
    st.session_state[PLAYING] = playing
    if playing and st.session_state.get(EPOCH, kept[-1]) == kept[-1]:
        st.session_state[NEXT] = kept[0]


def _player(kept: Sequence[int], epoch: int) -> None:
    """Go on to the next epoch after a while, and stop at the last."""
    is_drawn = False

    def tick() -> None:
        nonlocal is_drawn
        if not is_drawn:  # this is the page's own run, not the timer's
            is_drawn = True
            return
        following = [later for later in kept if later > epoch]
        if following:
            st.session_state[NEXT] = following[0]
        if len(following) <= 1:
            st.session_state[PLAYING] = False
        st.rerun()

    st.fragment(tick, run_every=SECONDS)()


def _nearest(id: str, epoch: int) -> int:
    _, store = state.find_run(id)
    return min(store.kept_epochs(id), key=lambda kept: (abs(kept - epoch), kept))


# Which part is open, what is switched off.


def _opened(recording: Recording) -> Stage:
    """The part that was asked for, else the last block, else the last layer with maps."""
    found: dict[str, Stage] = {stage_name(stage): stage for stage in stages(recording.parts)}
    found |= {block.name: block for block in blocks(recording.parts)}
    address.take(PART, found)
    asked = st.session_state.get(PART)
    address.put(PART, asked)
    if asked in found:
        return found[asked]
    for stage in found.values():
        if isinstance(stage, Block):
            return stage
    return next(iter(found.values()))


def _open(name: str) -> None:
    st.session_state[PART] = name
    st.session_state.pop(MAP, None)


def _switches(subject: Subject) -> tuple[str, ...]:
    off = tuple(path for path in st.session_state[OFF] if subject.can_be_off(path))
    address.put_all(OFF, off)
    return off


def _switch(change: Any) -> None:
    others = tuple(path for path in st.session_state[OFF] if path != change["path"])
    st.session_state[OFF] = others if change["on"] else (*others, change["path"])


def _scale_switch(*, beside: bool) -> Scale:
    scale: Scale = st.segmented_control(
        "One scale of colours for each",
        SCALES,
        default="model" if beside else "layer",
        required=True,
        key=f"{SCALE} of both" if beside else SCALE,
        bind=None if beside else "query-params",
        format_func=lambda scale: "both models" if beside and scale == "model" else scale,
        width="stretch",
        help="Within it, the same colour means the same value. Beside another network, layers of "
        "one name share it."
        if beside
        else "Within it, the same colour means the same value.",
    )
    return scale
