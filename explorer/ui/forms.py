"""Turns options and recipes into widgets, and widgets back into values."""

from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from explorer.data.dataset import DataSet
from explorer.plugin.options import Option, Value
from explorer.training.recipe import OPTIMISERS, PRECISIONS, PRESETS, SCHEDULES, Recipe, RecipeError


def options(architecture: str, declared: Sequence[Option]) -> dict[str, Value]:
    """A widget for each option of an architecture; returns their values by name."""
    return {p.name: _option(p, f"{architecture}.{p.name}") for p in declared}


def _option(option: Option, key: str) -> Any:
    label = option.label
    common: Any = {"key": key, "help": option.help or None, "bind": "query-params"}
    default: Any = option.default
    if option.choices:
        index = option.choices.index(default)
        return st.selectbox(label, option.choices, index, **common)
    if option.type is bool:
        return st.toggle(label, default, **common)
    number: Any = option.type
    if limits := option.range:
        step = limits.step or (1 if number is int else (limits.high - limits.low) / 100)
        low, high, value, step = map(number, (limits.low, limits.high, default, step))
        return st.slider(label, low, high, value, step, **common)
    if number is int:
        return st.number_input(label, value=default, step=1, **common)
    return st.number_input(label, value=default, **common)


def data_set(offered: Mapping[str, DataSet]) -> DataSet:
    """The picker of the data set."""
    name = st.selectbox(
        "Data set",
        list(offered),  # by the names that addresses and the command line use
        key="dataset",
        bind="query-params",
    )
    return offered[name]


def recipe() -> tuple[Recipe | None, DeltaGenerator]:
    """The preset, how long, which seed, and all the rest folded away.

    Returns:
        The recipe, or `None` if its values do not go together, which is then said; and the place
        for the button, above what is folded away.
    """
    name = st.segmented_control(
        "Recipe",
        list(PRESETS),
        default="fast",
        required=True,
        key="recipe",
        help="*fast*: AdamW and a one-cycle schedule; one epoch comes about as far as the "
        "tutorial's ten. *tutorial*: SGD at 0.01 with momentum 0.5, ten epochs.",
        width="stretch",
        bind="query-params",
    )
    base = PRESETS[name]

    def own(field: str) -> Any:
        # Another preset has fields of its own; what differs from it stands in the address.
        return {"key": f"{name}.{field}", "bind": "query-params"}

    left, right = st.columns(2)
    epochs = left.number_input("Epochs", 1, 1000, base.epochs, **own("epochs"))
    seed = right.number_input(
        "Seed",
        0,
        2**31 - 1,
        base.seed,
        help="Chance decides the initial weights and the order of the images. The same seed gives "
        "the same run; another seed shows how much was chance.",
        **own("seed"),
    )
    button = st.container()
    with st.expander("Details of the recipe"):
        optimiser = st.selectbox(
            "Optimiser", OPTIMISERS, OPTIMISERS.index(base.optimiser), **own("optimiser")
        )
        rate = st.number_input(
            "Learning rate",
            1e-6,
            10.0,
            base.learning_rate,
            step=base.learning_rate / 10,
            format="%g",
            help="The peak of the one-cycle schedule.",
            **own("learning_rate"),
        )
        momentum = base.momentum
        if optimiser != "adamw":
            momentum = st.slider("Momentum", 0.0, 0.99, base.momentum, 0.01, **own("momentum"))
        decay = st.number_input(
            "Weight decay", 0.0, 1.0, base.weight_decay, 0.01, "%g", **own("weight_decay")
        )
        schedule = st.selectbox(
            "Schedule", SCHEDULES, SCHEDULES.index(base.schedule), **own("schedule")
        )
        batch = st.number_input("Batch size", 1, 10_000, base.batch_size, **own("batch_size"))
        images = st.number_input(
            "Training images",
            1,
            None,
            base.train_size,
            1000,
            placeholder="all",
            help="Fewer images train sooner and teach less. Empty: all of them.",
            **own("train_size"),
        )
        precision = st.selectbox(
            "Precision",
            PRECISIONS,
            PRECISIONS.index(base.precision),
            help="How many bits a factor keeps in convolutions and matrix products: `float32` 24, "
            "`tf32` 11 (on NVIDIA's GPUs; elsewhere like `float32`), `bfloat16` 8. Fewer are "
            "quicker on a processor made for it, slower on others, and never quite the same "
            "numbers.",
            **own("precision"),
        )
        gradients = st.toggle(
            "Record gradients",
            True,
            help="The norm of each layer's gradient, every few steps, for the page *Look inside*. "
            "It changes nothing in what is learned.",
            **own("gradients"),
        )
    every = base.gradients_every if gradients else None
    try:
        chosen = Recipe(
            optimiser,
            rate,
            momentum,
            decay,
            schedule,
            batch,
            epochs,
            seed,
            images,
            every,
            precision,
        )
    except RecipeError as error:
        st.error(str(error))
        return None, button
    return chosen, button
