"""Turns parameters and recipes into widgets, and widgets back into values."""

from collections.abc import Sequence
from typing import Any

import streamlit as st

from explorer.data.catalogue import DATASETS, DataSet
from explorer.parameters import Parameter, Value
from explorer.recipe import OPTIMISERS, PRESETS, SCHEDULES, Recipe

_OPTIMISERS = {"sgd": "SGD", "nesterov": "SGD + Nesterov", "adamw": "AdamW"}
_SCHEDULES = {"constant": "constant", "one-cycle": "one-cycle"}


def parameters(architecture: str, declared: Sequence[Parameter]) -> dict[str, Value]:
    """A widget for each parameter of an architecture; returns their values by name."""
    return {p.name: _parameter(p, f"{architecture}.{p.name}") for p in declared}


def _parameter(parameter: Parameter, key: str) -> Any:
    label, help = parameter.label, parameter.help or None
    default: Any = parameter.default
    if parameter.choices:
        index = parameter.choices.index(default)
        return st.selectbox(label, parameter.choices, index, key=key, help=help)
    if parameter.type is bool:
        return st.toggle(label, default, key=key, help=help)
    number: Any = parameter.type
    if limits := parameter.range:
        step = limits.step or (1 if number is int else (limits.high - limits.low) / 100)
        low, high, value, step = map(number, (limits.low, limits.high, default, step))
        return st.slider(label, low, high, value, step, key=key, help=help)
    return st.number_input(
        label, value=default, step=1 if number is int else None, key=key, help=help
    )


def data_set() -> DataSet:
    """The picker of the data set."""
    name = st.selectbox(
        "Data set",
        list(DATASETS),
        format_func=lambda name: DATASETS[name].title,
        key="dataset",
        bind="query-params",
    )
    return DATASETS[name]


def recipe() -> Recipe:
    """The preset, how long, which seed, and all the rest folded away.

    Raises:
        RecipeError: The values do not go together.
    """
    name = st.segmented_control(
        "Recipe",
        list(PRESETS),
        default="fast",
        required=True,
        format_func=lambda name: {"fast": "Fast", "tutorial": "The tutorial's"}.get(name, name),
        key="recipe",
        help="*Fast*: AdamW and a one-cycle schedule; one epoch comes as far as the tutorial's "
        "ten. *The tutorial's*: SGD at 0.01 with momentum 0.5, ten epochs.",
        width="stretch",
        bind="query-params",
    )
    base = PRESETS[name]

    def key(field: str) -> str:
        return f"recipe.{name}.{field}"  # another preset has fields of its own

    left, right = st.columns(2)
    epochs = left.number_input("Epochs", 1, 1000, base.epochs, key=key("epochs"))
    seed = right.number_input(
        "Seed",
        0,
        2**31 - 1,
        base.seed,
        key=key("seed"),
        help="Chance decides the initial weights and the order of the images. The same seed gives "
        "the same run; another seed shows how much was chance.",
    )
    with st.expander("Details of the recipe"):
        optimiser = st.selectbox(
            "Optimiser",
            OPTIMISERS,
            OPTIMISERS.index(base.optimiser),
            format_func=_OPTIMISERS.__getitem__,
            key=key("optimiser"),
        )
        rate = st.number_input(
            "Learning rate",
            value=base.learning_rate,
            step=base.learning_rate / 10,
            format="%g",
            key=key("learning_rate"),
            help="The peak of the one-cycle schedule.",
        )
        momentum = base.momentum
        if optimiser != "adamw":
            momentum = st.slider("Momentum", 0.0, 0.99, base.momentum, 0.01, key=key("momentum"))
        decay = st.number_input(
            "Weight decay", 0.0, 1.0, base.weight_decay, 0.01, "%g", key=key("weight_decay")
        )
        schedule = st.selectbox(
            "Schedule",
            SCHEDULES,
            SCHEDULES.index(base.schedule),
            format_func=_SCHEDULES.__getitem__,
            key=key("schedule"),
        )
        batch = st.number_input("Batch size", 1, 10_000, base.batch_size, key=key("batch_size"))
        images = st.number_input(
            "Training images",
            1,
            None,
            base.train_size,
            1000,
            key=key("train_size"),
            placeholder="all",
            help="Fewer images train sooner and teach less. Empty: all of them.",
        )
    return Recipe(optimiser, rate, momentum, decay, schedule, batch, epochs, seed, images)
