"""The page *Plugins*: what was loaded, from where, its checks, and why a plugin is broken."""

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import streamlit as st

from explorer.data.cache import is_cached
from explorer.data.dataset import DataSet
from explorer.errors import ExplorerError
from explorer.language import again, author, later, listed, plural, say
from explorer.plugin.catalogue import BrokenPlugin, Catalogue, Description
from explorer.plugin.sources import built_in
from explorer.text import dimensions, visible
from explorer.ui import forms, outline, query_params, state
from explorer.ui.components.drawing import drawing
from explorer.ui.failure import for_visitor, sees_everything, sentence, shown_path
from explorer.ui.pages import checks as reports
from explorer.ui.tables import headings
from explorer.ui.words import code, paragraphs, plain

SHOWN = "show"
_DATA = " (data)"  # in the address, after the name of a data set

_ABOUT = later(
    "A plugin is a Python file with a network in plain PyTorch and one hook; its skips and "
    "branches are found while it runs. `explorer new-plugin my-net` writes one. The explorer "
    "loads those in its `plugins/` folder, in the folders that `EXPLORER_PLUGINS` names, and "
    "those of installed packages. A plugin is code that runs with the rights of the explorer: "
    "nobody can upload one here; only the person who starts the app can add one."
)
_ABOUT_FOR_VISITORS = later(
    "A plugin is a Python file with a network in plain PyTorch and one hook; its skips and "
    "branches are found while it runs. Only whoever runs this app can add one here; at home, "
    "everyone can."
)
_NETWORKS = (
    later("architecture"),
    later("images"),
    later("options"),
    later("plugin"),
    later("origin"),
)
_DATASETS = (later("data set"), later("images"), later("from"), later("origin"))


def page() -> None:
    """Show broken plugins first, since they need attention; then one plugin closely; then all."""
    with st.container(horizontal=True, vertical_alignment="center"):
        outline.page(say("Plugins"))
        if sees_everything():
            st.button(
                say("Reload"),
                icon=":material/sync:",
                on_click=state.reload_plugins,
                key="reload all",
                help=say(
                    "Load all plugins again, as they are on disk, for everyone who uses this app."
                ),
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
        whose = plain(meddling.source.name)
        st.warning(say("**{name}**: {text}", name=whose, text=sentence(meddling.text)))
    offered: Mapping[str, Description | DataSet] = {
        **found.architectures,
        **{name + _DATA: dataset for name, dataset in found.datasets.items()},
    }
    # The user's own first: people come here for these.
    shipped = {source.location for source in built_in()}
    names = sorted(offered, key=lambda name: _is_shipped(offered[name], shipped))
    if names:
        name = forms.choose(say("Look closely at"), SHOWN, names, names[0], shown=_offered)
        shown = offered[name]
        if isinstance(shown, DataSet):
            _dataset(shown)
        else:
            _architecture(shown)
    _tables(found, shipped)
    st.caption(say(_ABOUT) if sees_everything() else say(_ABOUT_FOR_VISITORS))


def _offered(name: str) -> str:
    is_data = name.endswith(_DATA)
    return say("{name} (data)", name=name.removesuffix(_DATA)) if is_data else name


def _summary(found: Catalogue[Description]) -> str:
    architectures, datasets = len(found.architectures), len(found.datasets)
    if not found.broken:
        return say(
            "{architectures} architectures and {datasets} data sets are ready.",
            architectures=architectures,
            datasets=datasets,
        )
    return plural(
        "{architectures} architectures and {datasets} data sets are ready, {n} is broken.",
        "{architectures} architectures and {datasets} data sets are ready, {n} are broken.",
        len(found.broken),
        architectures=architectures,
        datasets=datasets,
    )


def _broken(broken: BrokenPlugin) -> None:
    with st.container(border=True):
        plugin, name = plain(broken.source.name), plain(broken.name)
        if name:
            words = say("**{name}** of {plugin} is broken", name=name, plugin=plugin)
        else:
            words = say("**{name}** is broken", name=plugin)
        st.markdown(f":red[:material/error:] {words}")
        st.markdown(sentence(broken.reason))
        if sees_everything():
            if broken.trace:
                st.code(broken.trace, language="python", wrap_lines=True)
            st.caption(plain(broken.source.origin))


def _architecture(architecture: Description) -> None:
    left, right = st.columns([3, 5], gap="large")
    with left:
        st.markdown(plain(author(architecture.summary)))
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
            text = paragraphs(author(architecture.description))
            st.markdown(text or say("Its author has not described it."))
            st.caption(
                say(
                    "{parameters:,} parameters · from {origin} · code {code}",
                    parameters=architecture.parameters,
                    origin=plain(shown_origin(architecture)),
                    code=code(architecture.fingerprint),
                )
            )
            st.caption(sentence(_fitting(state.catalogue(), architecture)))


def _fitting(found: Catalogue[Description], architecture: Description) -> str:
    try:
        fitting = state.plugins().fitting(architecture.name)
    except ExplorerError as error:
        return str(error)
    if not fitting:
        return say("Fits no data set here.")
    if len(fitting) == len(found.datasets):
        text = say("Fits every data set.")
    else:
        text = say("Fits {datasets}.", datasets=listed(list(fitting), ","))
    grey = [name for name, is_repeated in fitting.items() if is_repeated]
    if not grey:
        return text
    given = say(
        "It takes colour images; of {datasets} it is given the grey in each channel.",
        datasets=listed(grey, ","),
    )
    return say("{first} {second}", first=text, second=given)


def _dataset(dataset: DataSet) -> None:
    st.markdown(
        say(
            "**{title}** — {images}: {classes}. {citation}",
            title=plain(author(dataset.title)),
            images=plain(dataset.images),
            classes=plain(listed([author(name) for name in dataset.classes], ",")),
            citation=sentence(author(dataset.citation)),
        )
    )
    report, *source, about = _tabs()
    with about:
        st.caption(say("from {origin}", origin=plain(shown_origin(dataset))))
    with report:
        if is_cached(dataset, state.settings().cache):
            reports.panel(dataset)
        else:
            st.caption(
                say(
                    "It is examined once it is here: it is downloaded at first use, from {url}",
                    url=plain(dataset.url),
                )
            )
    for tab in source:
        with tab:
            home = dataset.location
            _source(home / "__init__.py" if home and home.is_dir() else home)


def _tabs() -> Sequence[Any]:
    """Show the tabs of what a plugin offers; the source is for who may see everything."""
    source = [say("Source")] if sees_everything() else []
    return st.tabs([say("Checks"), *source, say("About")])


def shown_origin(offered: Description | DataSet) -> str:
    """Return the plugin that offers something: its path, of which a visitor sees the last part."""
    return shown_path(offered.origin) if offered.location else for_visitor(offered.origin)


def _source(file: str | Path | None) -> None:
    try:
        text = Path(file or "").read_text("utf-8")
    except (OSError, UnicodeDecodeError):
        st.caption(say("Its source cannot be read here."))
        return
    st.code(text, language="python", line_numbers=True, height=640)


def _is_shipped(offered: Description | DataSet, shipped: Collection[Path | None]) -> bool:
    return offered.location in shipped


def _tables(found: Catalogue[Description], shipped: Collection[Path | None]) -> None:
    outline.section(say("All architectures"))
    st.dataframe(
        [
            {
                "architecture": architecture.name,
                "summary": visible(author(architecture.summary)),
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
            **headings(_NETWORKS),
            "parameters": st.column_config.NumberColumn(
                say("parameters"),
                format="localized",
                help=say("With default options, on such images"),
            ),
            "summary": st.column_config.TextColumn(say("summary"), width="large"),
        },
    )
    outline.section(say("All data sets"))
    st.dataframe(
        [
            {
                "data set": dataset.name,
                "images": again(dataset.images),
                "from": dataset.url or say("here"),
                "citation": visible(for_visitor(author(dataset.citation))),
                "origin": shown_origin(dataset),
            }
            for dataset in found.datasets.values()
        ],
        hide_index=True,
        column_config={
            **headings(_DATASETS),
            "citation": st.column_config.TextColumn(say("citation"), width="large"),
        },
    )
