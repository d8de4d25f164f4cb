"""One feature map, large, beside the image and the filter that computed it."""

from collections.abc import Iterator, Sequence

import streamlit as st

from explorer.charts.lanes import as_maps, limit
from explorer.charts.maps import feature_map
from explorer.inspection.parts import Block, Node, Part
from explorer.inspection.recording import statistics
from explorer.inspection.results import Filters
from explorer.ui import controls
from explorer.ui.components.chart import chart
from explorer.ui.pages.inside import switches
from explorer.ui.pages.inside.case import Case
from explorer.ui.words import plain

ASKED = "map"  # session key: the place of the network whose map was clicked, its layer, its channel


def ask(place: int, name: str, channel: int) -> None:
    """Open a map when the page runs again."""
    st.session_state[ASKED] = (place, name, channel)


def show(place: int, case: Case) -> None:
    """Open the map that was asked for, if it is one of this network's."""
    if st.session_state.get(ASKED, (None,))[0] == place:
        _, name, channel = st.session_state.pop(ASKED)
        _dialog(case, name, channel)


@st.dialog("One feature map", width="large")
def _dialog(case: Case, name: str, channel: int) -> None:
    planes = as_maps(case.maps[name])
    values = planes[channel]
    source = case.session.filters().get(source_of(case.recording.parts, name) or "")
    made = source.values[channel] if source else None
    st.markdown(f"**{plain(name)}**, channel {channel} of 0 to {len(planes) - 1}")
    title = f"channel {channel}"
    chart(feature_map(case.chosen.pixels, values, limit([values]), title, made), key="one map")
    st.caption(plain(" ".join(_facts(case, name, channel, source))))
    switch = f"{name}:{channel}"
    if controls.is_shown(switches.OFF) and case.session.can_be_off(switch):
        on = switches.is_on(switch)
        help = "If it is off, it gives zeros, and everything that follows works with these."
        if st.toggle("This channel is on", on, key=f"channel {switch}", help=help) != on:
            switches.switch(switch, not on)
            st.rerun()  # closes the dialog, so that the effect is seen


def _facts(case: Case, name: str, channel: int, source: Filters | None) -> list[str]:
    facts = []
    if field := case.session.fields.get(name):
        size = str(field) if field.is_everything else f"{field} pixels of the image"
        facts.append(f"Each of its pixels sees {size} (its receptive field).")
    if source:
        bias = "" if source.bias is None else f" and the bias {source.bias[channel]:.3f}"
        norm = f"{source.norms[channel]:.3f}"
        facts.append(f"Its filter, one of {source.path}'s, has the norm {norm}{bias}.")
    channels = case.recording.maps[name].shape[1]
    facts.append(
        f"{statistics(case.recording.maps[name]).dead} of the {channels} channels of {name} are 0 "
        "everywhere for this image; filters whose channel is 0 for every image are dead filters."
    )
    return facts


def source_of(parts: Sequence[Part], name: str) -> str | None:
    """Find the convolution that computes the channels of a layer or of a branch.

    Args:
        parts: The parts of a network, in running order.
        name: The name of the layer, or the path of the branch.

    Returns:
        The path of this layer, or of the last convolution on the way to it if nothing between them
        mixes channels; `None` if there is no such convolution.
    """
    return dict(_sources(parts, None)).get(name)


def _sources(parts: Sequence[Part], source: str | None) -> Iterator[tuple[str, str | None]]:
    """Yield the name of each part and the convolution that computes its channels."""
    for part in parts:
        if isinstance(part, Block):
            for branch in part.branches.values():
                inside = list(_sources(branch.parts, source))
                yield from inside
                own = None if branch.shared else source
                yield branch.path, inside[-1][1] if inside else own
            source = None  # a merge is of several
        else:
            source = _source_after(part, source)
        yield part.name, source


def _source_after(layer: Node, source: str | None) -> str | None:
    if layer.kind == "Conv2d":
        return layer.path
    mixes = layer.parameters > 0 and "Norm" not in layer.kind
    keeps = len(layer.shape) == 3 and layer.shape[:1] == layer.input_shape[:1] and not mixes
    return source if keeps else None
