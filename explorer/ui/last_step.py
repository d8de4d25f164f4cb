"""What the last step of a run did, which was taken alone: its batch, and each layer's update."""

import streamlit as st

from explorer.charts.updates import update_sizes
from explorer.data.cache import DataError
from explorer.errors import ExplorerError
from explorer.runs.run import Run
from explorer.runs.store import RunStore
from explorer.training.events import Update
from explorer.ui import state
from explorer.ui.components.chart import chart
from explorer.ui.components.strip import strip
from explorer.ui.words import code, plain
