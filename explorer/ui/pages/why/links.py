"""Where a figure of a lesson leads: to a training that repeats it, or to a look inside."""

from collections.abc import Mapping
from typing import Any

import streamlit as st
from streamlit.navigation.page import Page

from explorer.language import author
from explorer.lessons import Look, Trained
from explorer.runs.run import Run
from explorer.ui import query_params
from explorer.ui.words import plain


def train(train: Trained, pages: Mapping[str, Page]) -> None:
    """Show a link to *Train* with all that a training needs."""
    if page := pages.get("train"):
        said: dict[str, str] = {"architecture": train.architecture, "dataset": train.dataset}
        said["recipe"] = train.recipe
        own = {f"{train.architecture}.{name}": value for name, value in train.options.items()}
        own |= {f"{train.recipe}.{name}": value for name, value in train.fields.items()}
        said |= {name: query_params.text_of(value) for name, value in own.items()}
        st.page_link(
            page,
            label=plain(author(train.label)),
            icon=":material/model_training:",
            query_params=said,
        )


def look(look: Look, run: Run | None, pages: Mapping[str, Page]) -> None:
    """Show a link to a state of *Look inside*; without a run of its own, of the one looked into."""
    if page := pages.get("inside"):
        said: dict[str, Any] = {"net": look.run or (run.id if run else "")}
        said |= {"off": list(look.off)} if look.off else {}
        said |= {"part": look.part} if look.part else {}
        said |= {"image": str(look.image)} if look.image is not None else {}
        label = plain(author(look.label))
        st.page_link(page, label=label, icon=":material/search:", query_params=said)
