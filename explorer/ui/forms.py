"""Turns declared options into widgets, and widgets back into values."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from explorer.data.dataset import DataSet
from explorer.language import author, later, say
from explorer.plugin.catalogue import Description
from explorer.plugin.families import families
from explorer.plugin.options import Option, Value
from explorer.runs.recorded import ARCHITECTURES
from explorer.training.recipe import OPTIONS, PRESETS, Recipe, RecipeError
from explorer.ui import controls, state
from explorer.ui.components.gallery import gallery
from explorer.ui.query_params import Number, OneOf
from explorer.ui.words import plain

_FIRST = ("epochs", "seed")  # of the recipe's fields; the others are folded away
_LABELS = {
    "optimiser": later("Optimiser"),
    "learning_rate": later("Learning rate"),
    "momentum": later("Momentum"),
    "weight_decay": later("Weight decay"),
    "schedule": later("Schedule"),
    "batch_size": later("Batch size"),
    "epochs": later("Epochs"),
    "seed": later("Seed"),
    "train_size": later("Training images"),
    "gradients_every": later("Record gradients every … steps"),
    "precision": later("Precision"),
    "augment": later("Augment"),
    "label_smoothing": later("Label smoothing"),
    "clip_norm": later("Clip the gradient at norm"),
    "score_every": later("Score every … steps"),
}
# What an empty field of the recipe means.
_WITHOUT = {
    "train_size": later("all"),
    "gradients_every": later("never"),
    "clip_norm": later("never"),
    "score_every": later("never"),
}
_NONE = later("none")


def options(architecture: str, declared: Sequence[Option]) -> dict[str, Value]:
    """Show a widget for each option of an architecture; return their values by name."""
    return {
        option.name: widget(option, option.default, f"{architecture}.{option.name}")
        for option in declared
    }


def data_set(offered: Mapping[str, DataSet]) -> DataSet:
    """Show the picker of the data set."""
    names = list(offered)  # by the names that addresses and the command line use
    return offered[choose(say("Data set"), "dataset", names, names[0])]


def architecture(name: str, offered: Mapping[str, Description], default: str) -> str:
    """Show the picker of the network, by families: the tutorial's come first.

    Args:
        name: The control's, and its name in the address.
        offered: What can be chosen, by name.
        default: What is chosen at first.
    """
    key = f"{name}.gallery"

    def take() -> None:
        chosen = (st.session_state.get(key) or {}).get("choose")
        if chosen in offered:
            st.session_state[name] = chosen

    def show(_: Mapping[str, Any]) -> str:
        chosen: str = st.session_state[name]
        every = offered.values()
        drawings = state.miniatures().of(sorted(every, key=lambda each: each.name != chosen))
        gallery(say("Architecture"), families(every, ARCHITECTURES), drawings, chosen, key, take)
        return chosen

    taken: str = controls.choose(name, OneOf(offered), default, show)
    return taken


def choose(
    label: str,
    name: str,
    options: Sequence[str],
    default: str,
    key: str = "",
    shown: Callable[[str], str] = str,
) -> str:
    """Show a select box, whose value is in the address under its name unless it is the default.

    Args:
        label: What stands above it.
        name: The control's, and its name in the address.
        options: What can be chosen.
        default: What is chosen at first.
        key: The widget's, where it is not the name.
        shown: Says an option, where that is not how the address has it.
    """
    chosen: str = controls.choose(
        name,
        OneOf(options),
        default,
        lambda keyed: st.selectbox(plain(label), options, format_func=shown, **keyed),
        key=key,
    )
    return chosen


def recipe(offered: Sequence[str], ends: Mapping[str, int]) -> tuple[Recipe | None, DeltaGenerator]:
    """Show the preset, how long, which seed, and all other fields folded away.

    Args:
        offered: The presets that can be chosen.
        ends: The largest value of a field, where it is not that of its range.

    Returns:
        The recipe, or `None` if its values do not go together, which is then said; and the place
        for the button, above what is folded away.
    """
    name = controls.choose(
        "recipe",
        OneOf(offered),
        "fast" if "fast" in offered else offered[0],
        lambda keyed: st.segmented_control(
            say("Recipe"),
            list(offered),
            required=True,
            help=say(
                "*fast*: AdamW and a one-cycle schedule; one epoch comes about as far as the "
                "tutorial's ten. *tutorial*: SGD at 0.01 with momentum 0.5, ten epochs."
            ),
            width="stretch",
            **keyed,
        ),
    )
    base, values = PRESETS[name], dict[str, Value]()

    def show(option: Option, *, is_folded: bool = False) -> None:
        # Each preset has its own fields; what differs from it is in the address.
        key, default = f"{name}.{option.name}", getattr(base, option.name)
        if option.name in ends and option.range:
            option = replace(option, range=replace(option.range, high=ends[option.name]))
            default = min(default, ends[option.name])
        values[option.name] = widget(option, default, key, of_recipe=True, is_folded=is_folded)

    for column, first in zip(st.columns(len(_FIRST)), _FIRST, strict=True):
        with column:
            show(next(option for option in OPTIONS if option.name == first))
    button = st.container()
    folded = [f"{name}.{option.name}" for option in OPTIONS if option.name not in _FIRST]
    details: DeltaGenerator
    if controls.is_shown(*folded):
        details = expander = st.expander(
            say("Details of the recipe"), key="details", on_change="rerun"
        )
        is_folded = not expander.open
    else:
        details, is_folded = st.container(), False
    with details:
        for option in OPTIONS:
            unused = option.name == "momentum" and values["optimiser"] == "adamw"
            if option.name not in _FIRST and not unused:
                show(option, is_folded=is_folded)
    try:
        return base.changed(**values), button
    except RecipeError as error:
        st.error(plain(error))
        return None, button


def widget(
    option: Option, default: Value, key: str, *, of_recipe: bool = False, is_folded: bool = False
) -> Any:
    """Show the widget for one option, and return its value.

    Args:
        option: What may be chosen.
        default: What is chosen at first.
        key: The widget's key, and its name in the address.
        of_recipe: Whether it is a field of the recipe: its words are the explorer's and not an
            author's, and its numbers are typed and not set by a slider.
        is_folded: Whether it is in something that is closed.
    """
    limits, number = option.range, option.type
    values: OneOf | Number
    if option.choices:
        values = OneOf(option.choices)
    elif number is bool:
        values = OneOf((True, False))
    else:
        low, high = (limits.low, limits.high) if limits else (None, None)
        default = default if default is None else number(default)
        values = Number(number, low, high, is_optional=option.optional)
    return controls.choose(
        key,
        values,
        default,
        lambda keyed: _shown(option, default, keyed, of_recipe=of_recipe),
        is_folded=is_folded,
    )


def _shown(option: Option, default: Value, keyed: Mapping[str, Any], *, of_recipe: bool) -> Any:
    label = say(_LABELS[option.name]) if of_recipe else plain(author(option.label))
    help = say(option.help) if of_recipe else author(option.help)
    common: Any = {**keyed, "help": plain(help) or None}
    if option.choices and all(isinstance(each, int | float) for each in option.choices):
        return st.select_slider(label, option.choices, **common)
    if option.choices:
        shown = str if of_recipe else unless_name
        return st.selectbox(label, option.choices, format_func=shown, **common)
    if option.type is bool:
        return st.toggle(label, **common)
    number: Any = option.type
    limits = option.range
    if limits and not option.optional and not of_recipe:
        step = limits.step or (1 if number is int else (limits.high - limits.low) / 100)
        low, high, step = map(number, (limits.low, limits.high, step))
        return st.slider(label, low, high, step=step, **common)
    low, high = map(number, (limits.low, limits.high)) if limits else (None, None)
    if option.optional:
        common |= {"placeholder": say(_WITHOUT.get(option.name, _NONE)), "value": None}
    if number is int:
        return st.number_input(label, low, high, step=1, **common)
    # A tenth of what is there is a step that makes sense for a learning rate and for a share.
    step = float(default or (0.1 if high is None else min(1.0, high))) / 10
    return st.number_input(label, low, high, step=step, format="%g", **common)


def unless_name(words: object) -> str:
    """Return an author's words in the reader's language, unless they name a network or data set."""
    text, here = str(words), state.catalogue()
    return text if text in here.architectures or text in here.datasets else author(text)
