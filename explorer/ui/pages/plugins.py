"""The page *Plugins*: what was loaded, from where, its checks, and why a plugin is broken."""

from collections.abc import Collection, Mapping
from pathlib import Path

import streamlit as st

from explorer.data.cache import is_cached
from explorer.data.dataset import DataSet
from explorer.errors import ExplorerError
from explorer.plugin.catalogue import BrokenPlugin, Catalogue, Description
from explorer.plugin.sources import built_in
from explorer.text import dimensions
from explorer.ui import state
from explorer.ui.components.drawing import drawing
from explorer.ui.pages import checks as reports

SHOWN = "show"


def page() -> None:
    """Show broken plugins first, since they need attention; then one plugin closely; then all."""
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown("#### Plugins", width="stretch")
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
    for broken in found.broken:
        _broken(broken)
    for meddling in found.meddling:
        st.warning(f"**{meddling.source.name}**: {meddling.text}")
    offered: Mapping[str, Description | DataSet] = {
        **found.architectures,
        **{f"{name} (data)": dataset for name, dataset in found.datasets.items()},
    }
    # The user's own first: people come here for these.
    shipped = {source.location for source in built_in()}
    names = sorted(offered, key=lambda name: _is_shipped(offered[name], shipped))
    asked = st.query_params.get(SHOWN)
    if asked and asked not in names:
        st.warning(f"There is no architecture and no data set `{asked}` here; choose one of these.")
    if names:
        name = st.selectbox("Look closely at", names, key=SHOWN, bind="query-params")
        shown = offered[name]
        if isinstance(shown, DataSet):
            _dataset(shown)
        else:
            _architecture(shown)
    _tables(found, shipped)
    st.caption(
        "A plugin is a Python file with a network in plain PyTorch and one hook; its skips and "
        "branches are found while it runs. `explorer new-plugin my-net` writes one. The explorer "
        "loads those in its `plugins/` folder, in the folders that `EXPLORER_PLUGINS` names, and "
        "those of installed packages. A plugin is code that runs with the rights of the explorer: "
        "nobody can upload one here; only the person who starts the app can add one."
    )


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
        whose = f" of {broken.source.name}" if broken.name else ""
        name = broken.name or broken.source.name
        st.markdown(f":red[:material/error:] **{name}**{whose} is broken")
        st.markdown(broken.reason)
        if broken.trace:
            st.code(broken.trace, language="python", wrap_lines=True)
        st.caption(broken.source.origin)


def _architecture(architecture: Description) -> None:
    left, right = st.columns([3, 5], gap="large")
    with left:
        st.markdown(architecture.summary)
        try:
            _, svg = state.network(architecture.name)
        except ExplorerError as error:
            st.error(str(error))
        else:
            drawing(svg, architecture.name, key="plugins.diagram")
    with right:
        report, source, about = st.tabs(["Checks", "Source", "About"])
        with report:
            reports.panel(architecture)
        with source:
            _source(architecture.file or architecture.location)
        with about:
            st.markdown(architecture.description or "Its author has not described it.")
            st.caption(
                f"{architecture.parameters:,} parameters · from {architecture.origin} · "
                f"code {architecture.fingerprint}"
            )
            st.caption(_fitting(state.catalogue(), architecture))


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
    st.markdown(
        f"**{dataset.title}** — {dataset.images}: {', '.join(dataset.classes)}. {dataset.citation}"
    )
    report, source = st.tabs(["Checks", "Source"])
    with report:
        if is_cached(dataset, state.settings().cache):
            reports.panel(dataset)
        else:
            st.caption(
                f"It is examined once it is here: it is downloaded at first use, from {dataset.url}"
            )
    with source:
        home = dataset.location
        _source(home / "__init__.py" if home and home.is_dir() else home)


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
                "summary": architecture.summary,
                "images": dimensions(architecture.images.shape),
                "parameters": architecture.parameters,
                "options": ", ".join(option.name for option in architecture.options),
                "plugin": architecture.source.name,
                "origin": architecture.origin,
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
                "citation": dataset.citation,
                "origin": dataset.origin,
            }
            for dataset in found.datasets.values()
        ],
        hide_index=True,
        column_config={"citation": st.column_config.TextColumn(width="large")},
    )
