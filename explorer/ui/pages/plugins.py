"""The page *Plugins*: what was loaded, from where, its checks, and why a plugin is broken."""

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import streamlit as st

from explorer.data.cache import is_cached
from explorer.data.dataset import DataSet
from explorer.errors import ExplorerError
from explorer.plugin.catalogue import BrokenPlugin, Catalogue, Description
from explorer.plugin.sources import built_in
from explorer.text import dimensions, visible
from explorer.ui import forms, query_params, state
from explorer.ui.components.drawing import drawing
from explorer.ui.failure import for_visitor, sees_everything, sentence, shown_path
from explorer.ui.pages import checks as reports
from explorer.ui.words import code, paragraphs, plain

SHOWN = "show"

_ABOUT = (
    "A plugin is a Python file with a network in plain PyTorch and one hook; its skips and "
    "branches are found while it runs. `explorer new-plugin my-net` writes one. The explorer "
    "loads those in its `plugins/` folder, in the folders that `EXPLORER_PLUGINS` names, and "
    "those of installed packages. A plugin is code that runs with the rights of the explorer: "
    "nobody can upload one here; only the person who starts the app can add one."
)
_ABOUT_FOR_VISITORS = (
    "A plugin is a Python file with a network in plain PyTorch and one hook; its skips and "
    "branches are found while it runs. Only whoever runs this app can add one here; at home, "
    "everyone can."
)


def page() -> None:
    """Show broken plugins first, since they need attention; then one plugin closely; then all."""
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown("#### Plugins", width="stretch")
        if sees_everything():
            st.button(
                "Reload",
                icon=":material/sync:",
                on_click=state.reload_plugins,
                key="reload all",
                help="Load all plugins again, as they are on disk, for everyone who uses this app.",
            )
    with st.skeleton(height=300):
        found = state.catalogue()
        st.markdown(_summary(found))
    with query_params.of("plugins"):
        _content(found)


def _content(found: Catalogue[Description]) -> None:
    for broken in found.broken:
        _broken(broken)
    for meddling in found.meddling:
        st.warning(f"**{plain(meddling.source.name)}**: {sentence(meddling.text)}")
    offered: Mapping[str, Description | DataSet] = {
        **found.architectures,
        **{f"{name} (data)": dataset for name, dataset in found.datasets.items()},
    }
    # The user's own first: people come here for these.
    shipped = {source.location for source in built_in()}
    names = sorted(offered, key=lambda name: _is_shipped(offered[name], shipped))
    if names:
        name = forms.choose("Look closely at", SHOWN, names, names[0])
        shown = offered[name]
        if isinstance(shown, DataSet):
            _dataset(shown)
        else:
            _architecture(shown)
    _tables(found, shipped)
    st.caption(_ABOUT if sees_everything() else _ABOUT_FOR_VISITORS)


def _summary(found: Catalogue[Description]) -> str:
    words = (
        f"{len(found.architectures)} architectures and {len(found.datasets)} data sets are ready"
    )
    if found.broken:
        number = len(found.broken)
        words += f", {number} {'are' if number > 1 else 'is'} broken"
    return f"{words}."


def _broken(broken: BrokenPlugin) -> None:
    with st.container(border=True):
        whose = f" of {plain(broken.source.name)}" if broken.name else ""
        name = plain(broken.name or broken.source.name)
        st.markdown(f":red[:material/error:] **{name}**{whose} is broken")
        st.markdown(sentence(broken.reason))
        if sees_everything():
            if broken.trace:
                st.code(broken.trace, language="python", wrap_lines=True)
            st.caption(plain(broken.source.origin))


def _architecture(architecture: Description) -> None:
    left, right = st.columns([3, 5], gap="large")
    with left:
        st.markdown(plain(architecture.summary))
        try:
            _, svg = state.network(architecture.name)
        except ExplorerError as error:
            st.error(sentence(error))
        else:
            drawing(svg, architecture.name, key="plugins.diagram")
    with right:
        report, *source, about = _tabs()
        with report:
            reports.panel(architecture)
        for tab in source:
            with tab:
                _source(architecture.file or architecture.location)
        with about:
            st.markdown(paragraphs(architecture.description) or "Its author has not described it.")
            st.caption(
                f"{architecture.parameters:,} parameters · from "
                f"{plain(shown_origin(architecture))} · code {code(architecture.fingerprint)}"
            )
            st.caption(sentence(_fitting(state.catalogue(), architecture)))


def _fitting(found: Catalogue[Description], architecture: Description) -> str:
    try:
        fitting = state.plugins().fitting(architecture.name)
    except ExplorerError as error:
        return str(error)
    if not fitting:
        return "Fits no data set here."
    every = len(fitting) == len(found.datasets)
    text = f"Fits {'every data set' if every else ', '.join(fitting)}."
    if grey := [name for name, is_repeated in fitting.items() if is_repeated]:
        text += (
            f" It takes colour images; of {', '.join(grey)} it is given the grey in each channel."
        )
    return text


def _dataset(dataset: DataSet) -> None:
    classes = plain(", ".join(dataset.classes))
    st.markdown(
        f"**{plain(dataset.title)}** — {plain(dataset.images)}: {classes}. "
        f"{sentence(dataset.citation)}"
    )
    report, *source, about = _tabs()
    with about:
        st.caption(f"from {plain(shown_origin(dataset))}")
    with report:
        if is_cached(dataset, state.settings().cache):
            reports.panel(dataset)
        else:
            st.caption(
                "It is examined once it is here: it is downloaded at first use, from "
                f"{plain(dataset.url)}"
            )
    for tab in source:
        with tab:
            home = dataset.location
            _source(home / "__init__.py" if home and home.is_dir() else home)


def _tabs() -> Sequence[Any]:
    """Show the tabs of what a plugin offers; the source is for who may see everything."""
    return st.tabs(["Checks", *(["Source"] if sees_everything() else []), "About"])


def shown_origin(offered: Description | DataSet) -> str:
    """Return the plugin that offers something: its path, of which a visitor sees the last part."""
    return shown_path(offered.origin) if offered.location else for_visitor(offered.origin)


def _source(file: str | Path | None) -> None:
    try:
        text = Path(file or "").read_text("utf-8")
    except (OSError, UnicodeDecodeError):
        st.caption("Its source cannot be read here.")
        return
    st.code(text, language="python", line_numbers=True, height=640)


def _is_shipped(offered: Description | DataSet, shipped: Collection[Path | None]) -> bool:
    return offered.location in shipped


def _tables(found: Catalogue[Description], shipped: Collection[Path | None]) -> None:
    st.markdown("**All architectures**")
    st.dataframe(
        [
            {
                "architecture": architecture.name,
                "summary": visible(architecture.summary),
                "images": dimensions(architecture.images.shape),
                "parameters": architecture.parameters,
                "options": ", ".join(option.name for option in architecture.options),
                "plugin": architecture.source.name,
                "origin": shown_origin(architecture),
            }
            for architecture in sorted(
                found.architectures.values(), key=lambda each: _is_shipped(each, shipped)
            )
        ],
        hide_index=True,
        column_config={
            "parameters": st.column_config.NumberColumn(
                format="localized", help="With default options, on such images"
            ),
            "summary": st.column_config.TextColumn(width="large"),
        },
    )
    st.markdown("**All data sets**")
    st.dataframe(
        [
            {
                "data set": dataset.name,
                "images": str(dataset.images),
                "from": dataset.url or "here",
                "citation": visible(for_visitor(dataset.citation)),
                "origin": shown_origin(dataset),
            }
            for dataset in found.datasets.values()
        ],
        hide_index=True,
        column_config={"citation": st.column_config.TextColumn(width="large")},
    )
