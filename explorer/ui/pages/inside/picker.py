"""Which networks are looked at on *Look inside*, and after which epoch."""

from collections.abc import Mapping, Sequence

import streamlit as st

from explorer.errors import ExplorerError
from explorer.language import again as said
from explorer.language import say
from explorer.runs.run import Run
from explorer.runs.run import titles as unlike
from explorer.text import visible
from explorer.training.events import Moment
from explorer.ui import acts, controls, query_params, state
from explorer.ui.failure import sentence
from explorer.ui.fragments import again
from explorer.ui.pages.inside import opening, switches
from explorer.ui.pages.inside.subject import Subject, load
from explorer.ui.query_params import OneOf
from explorer.ui.words import code, plain

FOLLOW_SECONDS = 2.0  # between two looks at a run that is being trained
SECONDS = 0.8  # that each epoch is shown while they are played

# Session keys, the first three of them names in the address as well.
NETWORK, OTHER, EPOCH = "net", "other", "epoch"
PLAYING, NEXT, SEEN = "playing", "next epoch", "seen"


def networks() -> list[Subject]:
    """Let the visitor choose a network, an epoch, and optionally a network to compare it with.

    Returns:
        One or two networks; none if they cannot be shown, and the page then says why.
    """
    here = state.catalogue()
    runs = [
        run
        for run in state.with_examples(acts.shown_runs())
        if (run.epochs or run.kept.epoch) and run.spec.architecture in here.architectures
    ]
    titles = unlike(runs)
    left, right = st.container(), st.container()
    if controls.is_shown(NETWORK, OTHER):
        left, right = st.columns([3, 2], gap="large")
    with left:
        id = controls.choose(
            NETWORK,
            OneOf(titles),
            opening.first_network(runs),
            lambda keyed: st.selectbox(
                say("Network"), list(titles), format_func=lambda id: visible(titles[id]), **keyed
            ),
            is_always_said=True,
        )
    _settle(id)
    with right:
        other = _other([other for other in titles if other != id], titles)
    try:
        at = _moment(id)
        shown = [load(id, at)]
        if other:
            shown.append(load(other, _nearest(other, at)))
    except ExplorerError as error:
        st.error(sentence(error))
        return []
    if len(shown) == 2 and shown[0].dataset != shown[1].dataset:
        st.warning(say("These two were trained on different data sets, so no image fits both."))
        shown.pop()
    return shown


def is_playing() -> bool:
    """Return whether the epochs are being played."""
    return bool(st.session_state.get(PLAYING))


def _settle(id: str) -> None:
    """Forget switches and epoch when another network is chosen: it has others."""
    is_another = st.session_state.get(SEEN) != id
    switches.follow(is_another)
    if is_another:
        st.session_state[PLAYING] = False
        st.session_state[SEEN] = id
    if NEXT in st.session_state:
        st.session_state[EPOCH] = st.session_state.pop(NEXT)


def _other(others: list[str], titles: dict[str, str]) -> str | None:
    other: str | None = controls.choose(
        OTHER,
        OneOf([*others, None]),
        None,
        lambda keyed: st.selectbox(
            say("Compare with"),
            others,
            index=None,
            format_func=lambda id: visible(titles[id]),
            placeholder=say("another run, on the same image"),
            **keyed,
        ),
    )
    if other:
        st.caption(say("A switch acts on both networks if both have that part."))
    return other


def _moment(id: str) -> Moment:
    """Let the visitor choose when the network was as it is shown."""
    run, store = state.find_run(id)
    moments = {moment.epoch: moment for moment in store.moments(id)}
    kept = list(moments)
    query_params.take(EPOCH, OneOf(kept))
    st.session_state.setdefault(EPOCH, kept[-1])
    epoch: int = st.session_state[EPOCH]
    if controls.is_shown(EPOCH):
        epoch = _choose_epoch(run, moments)
    query_params.put(EPOCH, epoch if epoch != kept[-1] else None)
    _player(kept, epoch)
    if run.status.is_live and epoch == kept[-1]:
        _follow(id, moments[epoch])
    return moments[epoch]


def _follow(id: str, at: Moment) -> None:
    """Show a run that is being trained as it is now, again and again."""

    def look() -> None:
        if state.find_run(id)[1].moments(id)[-1:] != [at]:
            st.session_state.pop(EPOCH, None)
            st.rerun()

    again(FOLLOW_SECONDS, look)


def _choose_epoch(run: Run, moments: Mapping[int, Moment]) -> int:
    kept = list(moments)
    if run.status.is_live:
        st.caption(f":material/autorenew: {_shown_of(run, moments[kept[-1]])}")
    if run.spec.imported:
        st.caption(
            say(
                "Imported weights ({file}); nothing of their training is known",
                file=code(run.spec.imported),
            )
        )
        return kept[0]
    if len(kept) == 1:
        if not run.status.is_live:
            moment = plain(said(moments[kept[0]]).capitalize())
            st.caption(say("{moment}, the only one whose weights are kept", moment=moment))
        return kept[0]
    scored = {epoch.epoch: epoch.test_accuracy for epoch in run.epochs}
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.button(
            say("Stop") if is_playing() else say("Play"),
            icon=":material/stop:" if is_playing() else ":material/play_arrow:",
            key="play",
            help=say("Watch it learn: the same image through each recorded epoch"),
            on_click=_play,
            args=(kept,),
        )
        epoch: int = st.select_slider(
            say("Epoch, and the test accuracy after it"),
            kept,
            key=EPOCH,
            persist_state="session",
            format_func=lambda epoch: (
                f"{epoch} ({100 * scored[epoch]:.2f} %)"
                if epoch in scored
                else f"{epoch} ({said(moments.get(epoch, epoch))})"
            ),
        )
    return epoch


def _play(kept: Sequence[int]) -> None:
    st.session_state[PLAYING] = not is_playing()
    if is_playing() and st.session_state.get(EPOCH, kept[-1]) == kept[-1]:
        st.session_state[NEXT] = kept[0]


def _player(kept: Sequence[int], epoch: int) -> None:
    """Go on to the next epoch after a while, and stop at the last."""

    def go_on() -> None:
        if not is_playing():
            return
        following = [later for later in kept if later > epoch]
        if following:
            st.session_state[NEXT] = following[0]
        if len(following) <= 1:
            st.session_state[PLAYING] = False
        st.rerun()

    # Always there, since all that follows would move down for a moment when it appears.
    again(SECONDS if is_playing() else None, go_on)


def _nearest(id: str, at: Moment) -> Moment:
    _, store = state.find_run(id)
    return min(store.moments(id), key=lambda kept: (abs(kept.epoch - at.epoch), kept))


def _shown_of(run: Run, moment: Moment) -> str:
    if run.started and run.spec.recipe.epochs == 1:
        return say(
            "This run is being trained: {moment} of {steps:,} is shown, and it goes on by itself.",
            moment=plain(said(moment)),
            steps=run.started.steps_per_epoch,
        )
    return say(
        "This run is being trained: {moment} of {epochs:d} epochs is shown, and it goes on by "
        "itself.",
        moment=plain(said(moment)),
        epochs=run.spec.recipe.epochs,
    )
