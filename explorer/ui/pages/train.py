"""The page *Train*: choose an architecture, see its shape, watch it learn."""

from collections.abc import Sequence

import streamlit as st
from streamlit.delta_generator import DeltaGenerator
from streamlit.navigation.page import Page

from explorer.charts.curves import AXES, Axis
from explorer.data.cache import is_cached
from explorer.data.dataset import DataSet
from explorer.engines.questions import Drawn
from explorer.errors import ExplorerError
from explorer.labs.worksheet import NAVIGATION, TRAIN
from explorer.language import author, listed, say
from explorer.plugin.catalogue import Description
from explorer.runs.recorded import FIRST_TO_TRAIN
from explorer.runs.run import Run, RunSpec, UnknownRunError, UnreadableRunError, spec_of
from explorer.runs.run import titles as unlike
from explorer.text import visible
from explorer.ui import (
    acts,
    controls,
    forms,
    live,
    outline,
    query_params,
    remarks,
    state,
    worksheets,
)
from explorer.ui.columns import columns
from explorer.ui.components.copy_link import copy_link
from explorer.ui.components.drawing import drawing
from explorer.ui.components.strip import strip
from explorer.ui.failure import sentence
from explorer.ui.pages.plugins import shown_origin
from explorer.ui.query_params import OneOf
from explorer.ui.words import code, paragraphs, plain

QUERY, ARCHITECTURE, X = "run", "architecture", "x"  # names in the address
PICKER = "picker"
MISSED = "missed"  # session key: an architecture that was asked for and was not there


def page(inside: Page | None) -> None:
    """Show three columns that read from left to right: choose, see, watch."""
    if query_params.is_embedded() and not worksheets.active():
        with query_params.of("train"):
            _frame()
        return
    worksheets.title(say("Train a network and watch it learn"))
    with query_params.of("train"):
        choose, see, watch = columns("train", [(230, 2.4), (290, 2.6), (420, 7)])
        # The curves need no torch, so they come first and are there while the rest still loads.
        with watch:
            outline.heard(say("How it learns"))
            place = st.container()
            link, shown = _watch(inside)
        with choose:
            outline.heard(say("What is trained"))
        with see:
            outline.heard(say("The network"))
        with choose, st.skeleton(height=420):
            dataset = _choose(see)
        with place:
            _compare(dataset, shown)
        if link:
            with link:
                _link()


def _frame() -> None:
    """Show what a page of another site has a frame for: the curves alone."""
    _follow()
    runs, _ = _find(st.session_state[state.SHOWN])
    live.panel(runs or state.example_runs(), "frame")


def _compare(chosen: DataSet | None, shown: Sequence[str]) -> None:
    """Say so where the chart is of other images than those that are chosen."""
    if chosen is None or not shown or chosen.name in shown:
        return
    known = acts.offered().datasets
    titles = [author(known[name].title) if name in known else name for name in shown]
    st.info(
        say(
            "The chart is of networks that learned {titles}. You have chosen {chosen}: **Train** "
            "shows how a network learns these.",
            titles=listed(list(map(plain, titles))),
            chosen=plain(author(chosen.title)),
        ),
        icon=":material/compare_arrows:",
    )


def _choose(see: DeltaGenerator) -> DataSet | None:
    """Show what can be chosen; return the data set that is."""
    catalogue = acts.offered()
    if not catalogue.architectures:
        st.error(say("No architecture could be loaded; the page *Plugins* says why."))
        return None
    names = list(catalogue.architectures)
    default = FIRST_TO_TRAIN if FIRST_TO_TRAIN in names else names[0]
    asked = query_params.take(ARCHITECTURE, OneOf(names))
    if asked:
        st.session_state[MISSED] = asked
    elif (missed := st.session_state.get(MISSED)) and missed in names:
        # It was broken by an edit, and mended: the visitor had chosen it and nothing else since.
        del st.session_state[MISSED]
        if st.session_state.get(ARCHITECTURE) == default:
            st.session_state[ARCHITECTURE] = missed
    name = forms.architecture(ARCHITECTURE, catalogue.architectures, default)
    architecture = catalogue[name]
    st.markdown(plain(author(architecture.summary)))
    values = forms.options(name, architecture.options)
    try:
        fitting = state.plugins().fitting(name)
    except ExplorerError as error:
        st.error(say("{name} cannot be built: {reason}", name=plain(name), reason=sentence(error)))
        return None
    if not fitting:
        st.error(
            say(
                "None of the data sets here fits {name}; a plugin can bring one that does.",
                name=plain(name),
            )
        )
        return None
    dataset = forms.data_set(
        {each: found for each, found in catalogue.datasets.items() if each in fitting}
    )
    with st.container():  # else what follows would be remade when there is more, or less, to say
        if not is_cached(dataset, state.settings().cache):
            st.caption(say("Downloaded at first use, from {url}", url=plain(dataset.url)))
        _samples(dataset)
        remarks.show(dataset)
    recipe, place = forms.recipe(*acts.recipe_limits())
    query_params.drop_options()
    spec, drawn, reason, refusal = None, None, "", ""
    try:
        drawn = state.network(name, values, dataset.name)
        spec = spec_of(architecture, values, dataset, recipe) if recipe else None
        if spec and (refusal := acts.refusal(spec, drawn[0])):
            spec = None
    except ExplorerError as error:
        reason = str(error)
    if controls.is_shown(TRAIN):
        with place.container(horizontal=True):
            st.button(
                say("Train"),
                type="primary",
                icon=":material/play_arrow:",
                width="stretch",
                disabled=spec is None,
                on_click=_train,
                args=(spec,),
            )
            st.button(
                say("Step"),
                icon=":material/step:",
                disabled=spec is None,
                on_click=_train,
                args=(spec, 1),
                help=say("Train on one batch only, and see what that does."),
            )
    if refusal:
        place.error(plain(refusal))
    with see:
        if drawn:
            _diagram(architecture, dataset, *drawn)
        else:
            st.error(sentence(reason))
    return dataset


def _samples(dataset: DataSet) -> None:
    """Show what there is to learn from."""
    if not controls.is_shown("dataset"):
        return
    if found := state.samples(dataset):
        strip(found, key=f"strip.{dataset.name}")
    else:
        st.caption(say("Its images are shown here once the first training has read them."))


def _diagram(architecture: Description, dataset: DataSet, drawn: Drawn, svg: str) -> None:
    name = architecture.name
    st.markdown(
        say(
            "**{name}** — {parameters:,} parameters",
            name=plain(name),
            parameters=drawn.parameters,
        )
    )
    if drawn.images != dataset.images:
        st.caption(
            say(
                "{name} takes colour images: those of {title} are grey, so it is given their grey "
                "in each of its three channels.",
                name=plain(name),
                title=plain(author(dataset.title)),
            )
        )
    drawing(svg, name, key="diagram")
    with st.expander(say("About this network")):
        text = paragraphs(author(architecture.description))
        st.markdown(text or say("Its author has not described it."))
        st.caption(say("From {origin}", origin=plain(shown_origin(architecture))))


def _train(spec: RunSpec, steps: int | None = None) -> None:
    if (run := acts.submit(spec, steps)) is None:
        return
    if not run.status.is_live:
        st.toast(
            say("This run was made before, so its record is shown. Another seed makes a new one.")
        )
    state.show([run.id])


def _watch(inside: Page | None) -> tuple[DeltaGenerator | None, list[str]]:
    """Show the chosen runs, or else the examples.

    Returns:
        Where a link to the runs belongs, and the names of the data sets of what is shown.
    """
    _follow()
    runs, unknown = _find(st.session_state[state.SHOWN])
    if worksheets.is_waiting():
        worksheets.ask()
        return None, []
    worksheets.after()
    for id in unknown:
        st.warning(say("There is no run {id} here; the page *Runs* lists all runs.", id=code(id)))
    query_params.put_all(QUERY, [run.id for run in runs])
    if runs:
        _pick(runs)
        with st.container(horizontal=True, vertical_alignment="center"):
            if (
                inside
                and controls.is_shown(NAVIGATION)
                and (trained := [run for run in runs if run.moment.epoch])
            ):
                st.page_link(
                    inside,
                    label=say("Look inside {name}", name=plain(trained[0].spec.architecture)),
                    icon=":material/search:",
                    query_params={"net": trained[0].id},
                )
            link = st.container(width="content")
            axis = _axis()
        live.panel(runs, "train", examples=_examples(runs), axis=axis)
        return link if controls.is_shown(NAVIGATION) else None, _datasets(runs)
    if acts.shown_runs():
        _pick([])
        words = say(
            "Add one of your runs above, or press **Train**. Until then, a recorded example: the "
            "tutorial's three nets, each trained for ten epochs by the tutorial's recipe."
        )
    else:
        words = say(
            "No run yet: press **Train**. Until then, a recorded example: the tutorial's three "
            "nets, each trained for ten epochs by the tutorial's recipe."
        )
    st.info(words, icon=":material/school:")
    if inside and controls.is_shown(NAVIGATION):
        st.page_link(inside, label=say("Look inside them"), icon=":material/search:")
    live.panel(state.example_runs(), "examples", axis=_axis())
    return None, _datasets(state.example_runs())


def _datasets(runs: Sequence[Run]) -> list[str]:
    return list(dict.fromkeys(run.spec.dataset for run in runs))


def _axis() -> Axis:
    """Choose along what the curves go."""
    axis: Axis = controls.choose(
        X,
        OneOf(AXES),
        AXES[0],
        lambda keyed: st.segmented_control(
            say("Along the curves"),
            AXES,
            required=True,
            format_func=say,
            label_visibility="collapsed",
            **keyed,
        ),
    )
    return axis


def _examples(runs: Sequence[Run]) -> list[Run]:
    """Return the recorded runs on the images of the newest run; a lesson shows what it names."""
    if worksheets.active():
        return []
    return [run for run in state.example_runs() if run.spec.dataset == runs[0].spec.dataset]


def _link() -> None:
    """Offer a link to what is shown, which keeps the runs that it needs."""
    ids = st.session_state[state.SHOWN]
    copy_link(f"train?{query_params.link()}", "link", on_copied=lambda: acts.pin(ids))


def _follow() -> None:
    """Take over the runs that are new in the address."""
    if (said := query_params.news(QUERY)) is not None:
        st.session_state[state.SHOWN] = list(dict.fromkeys(said))[: state.MOST_SHOWN]
    st.session_state.setdefault(state.SHOWN, [])


def _pick(runs: list[Run]) -> None:
    if not controls.is_shown(QUERY):
        return
    every = [*runs, *acts.shown_runs(), *state.example_runs()]
    titles = unlike(list({run.id: run for run in every}.values()))
    st.session_state[PICKER] = [run.id for run in runs]
    st.multiselect(
        say("Runs on the chart"),
        list(titles),
        key=PICKER,
        format_func=lambda id: visible(titles[id]),
        label_visibility="collapsed",
        wrap=True,
        placeholder=say("Add a run to compare"),
        on_change=lambda: st.session_state.update({state.SHOWN: st.session_state[PICKER]}),
    )


def _find(ids: list[str]) -> tuple[list[Run], list[str]]:
    runs, unknown = [], []
    for id in ids:
        try:
            runs.append(state.find_run(id)[0])
        except UnknownRunError:
            unknown.append(id)
        except UnreadableRunError as error:
            st.warning(sentence(error))
    return runs, unknown
