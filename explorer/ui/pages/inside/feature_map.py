"""One feature map, large, beside the image and the filter that made it."""

import streamlit as st

from explorer.charts.lanes import Maps, as_maps, limit
from explorer.charts.maps import feature_map
from explorer.inspection.activations import Recording
from explorer.inspection.parts import layers
from explorer.ui.components.chart import chart
from explorer.ui.pages.inside import switches
from explorer.ui.pages.inside.picture import Picture
from explorer.ui.pages.inside.subject import Subject

ASKED = "map"  # session key: which network's map was clicked, its layer and its channel


def ask(place: int, name: str, channel: int) -> None:
    """Open a map when the page runs again."""
    st.session_state[ASKED] = (place, name, channel)


def show(place: int, subject: Subject, look: tuple[Recording, Maps], chosen: Picture) -> None:
    """Open the map that was asked for, if it is one of this network's."""
    if st.session_state.get(ASKED, (None,))[0] == place:
        _, name, channel = st.session_state.pop(ASKED)
        _dialog(subject, look, chosen, name, channel)


@st.dialog("One map", width="large")
def _dialog(
    subject: Subject, look: tuple[Recording, Maps], chosen: Picture, name: str, channel: int
) -> None:
    recording, maps = look
    planes = as_maps(maps[name])
    values = planes[channel]
    source = subject.filters().get(_source(recording, name))
    made = source.values[channel].numpy() if source else None
    st.markdown(f"**{name}**, channel {channel} of 0 to {len(planes) - 1}")
    title = f"channel {channel}"
    chart(feature_map(chosen.pixels, values, limit([values]), title, made), key="one map")
    field = subject.fields.get(name)
    facts = []
    if field:
        size = str(field) if field.is_everything else f"{field} pixels of the image"
        facts.append(f"Each of its pixels sees {size}.")
    if source:
        bias = "" if source.bias is None else f" and a bias of {source.bias[channel]:.3f}"
        norm = f"{source.norms[channel]:.3f}"
        facts.append(f"Its filter, one of {source.path}'s, has a norm of {norm}{bias}.")
    st.caption(" ".join(facts))
    switch = f"{name.partition('#')[0]}:{channel}"
    if subject.can_be_off(switch):
        on = switches.is_on(switch)
        help = "Off, it gives zeros, and all that follows goes on without it."
        if st.toggle("This channel is on", on, key=f"channel {switch}", help=help) != on:
            switches.switch(switch, not on)
            st.rerun()  # which closes the dialog, so that one sees what it does


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
