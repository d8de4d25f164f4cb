"""Measures, in a child of its own, how much memory a step of training takes at its peak."""

import pickle
import sys
from multiprocessing.connection import Connection
from pathlib import Path

import psutil

from explorer.data.loader import default_device, load_data
from explorer.engines.loading import Shelf
from explorer.engines.machine import limit_memory
from explorer.engines.questions import Answer, Needed
from explorer.errors import explain, full_trace
from explorer.runs.run import RunSpec
from explorer.settings import Settings
from explorer.training.events import Step
from explorer.training.loop import evaluate, train

ROOM = 1000  # MB over the limit, beyond which a step fails


def dry_step(connection: Connection, settings: Settings, needed: Needed, spec: RunSpec) -> None:
    """Take one step and score one batch, and send an `Answer`: megabytes."""
    limit_memory(settings.run_memory and settings.run_memory + ROOM)
    try:
        answer = Answer(_measure(settings, needed, spec))
    except BaseException as error:  # an author's code may raise anything
        location = needed.architecture.location
        answer = Answer(None, explain(error, location), full_trace(error))
    connection.send_bytes(pickle.dumps(answer))


def _measure(settings: Settings, needed: Needed, spec: RunSpec) -> float:
    registry = Shelf().registry(needed)
    architecture, dataset = registry[spec.architecture], registry.dataset(spec.dataset)
    data = load_data(dataset, default_device(), settings.cache)
    data = data.seen_as(architecture.sees(data.spec, spec.options))
    before = psutil.Process().memory_info().rss
    model = architecture.build(data.spec, spec.options)
    next(event for event in train(model, data, spec.recipe) if isinstance(event, Step))
    evaluate(model, data.test.first(1000))
    return max(0, _peak() - before) / 2**20


def _peak() -> int:
    """Return the most bytes that this process ever had in memory."""
    if sys.platform == "linux":
        lines = Path("/proc/self/status").read_text().splitlines()
        return 1024 * next(int(each.split()[1]) for each in lines if each.startswith("VmHWM"))
    if sys.platform == "win32":
        return int(psutil.Process().memory_info().peak_wset)
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
