"""The child that answers questions about plugins and about networks, one after the other.

`asking.py` is the server's side of it.
"""

import contextlib
import os
import pickle
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from explorer import logs
from explorer.checks.images import remarks
from explorer.engines.bench import Bench
from explorer.engines.loading import Shelf
from explorer.engines.machine import end_copy, give_back, limit_memory
from explorer.engines.questions import Answer, Drawn, Needed
from explorer.errors import explain, full_trace
from explorer.inspection.network import Network
from explorer.inspection.outline import outline
from explorer.inspection.session import Session
from explorer.lessons import Shown
from explorer.plugin.architecture import Architecture
from explorer.plugin.catalogue import Catalogue, Description
from explorer.plugin.registry import Loading, Registry
from explorer.plugin.sources import Source
from explorer.runs.recorded import open_examples
from explorer.runs.restore import open_network
from explorer.runs.store import RunStore, find_run
from explorer.settings import Settings
from explorer.spec import ImageSpec
from explorer.training.events import Moment

MOST_NETWORKS = 20  # that are kept in memory


def answer_questions(connection: Connection, settings: Settings, memory: int | None) -> None:
    """Answer until the other side hangs up.

    Args:
        connection: Brings a question and its arguments at a time, and takes an `Answer`.
        settings: Folders, and the database.
        memory: How many MB the process may use; `None` for as many as there are.
    """
    logs.start(settings.log_level, settings.log_format)
    limit_memory(memory)
    desk, own = _Desk(settings), os.getpid()
    with contextlib.suppress(EOFError):
        while True:
            question, args = pickle.loads(connection.recv_bytes())
            answer = _packed(desk, question, args)
            end_copy(own)
            connection.send_bytes(answer)
            give_back()  # while nobody waits for it


def _packed(desk: "_Desk", question: str, args: Sequence[Any]) -> bytes:
    try:
        return pickle.dumps(Answer(getattr(desk, question)(*args)), pickle.HIGHEST_PROTOCOL)
    except BaseException as error:  # an author's code may raise anything
        reason = explain(error, desk.location)
        return pickle.dumps(Answer(None, reason, full_trace(error)), pickle.HIGHEST_PROTOCOL)


class _Desk:
    """Has the plugins and the networks; each public method is a question."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._loading, self._shelf = Loading(), Shelf()
        self._networks: OrderedDict[Any, Network] = OrderedDict()
        self._stores: list[RunStore] = []
        self.location: Path | None = None  # of the plugin that is asked about

    def load(self, source: Source, known: Mapping[str, Description]) -> Catalogue[Description]:
        """Load one more plugin, and describe what it offers beside those that were loaded."""
        found = self._loading.add(source, known)
        return Catalogue(
            {name: each.described() for name, each in found.architectures.items()},
            {name: each.described() for name, each in found.datasets.items()},
            found.broken,
            found.meddling,
            found.lessons,
            found.translations,
        )

    def fitting(self, needed: Needed, name: str) -> dict[str, bool]:
        """Return the names of the data sets that fit an architecture, and which are made colour."""
        registry = self._registry(needed)
        architecture = registry[name]
        fitting = registry.fitting(architecture)
        return {name: architecture.repeats_grey(each.images) for name, each in fitting.items()}

    def draw(self, needed: Needed, name: str, values: Mapping[str, Any], dataset: str) -> Drawn:
        """Build a network for a data set, and say what it is made of; refuse what does not fit."""
        registry = self._registry(needed)
        architecture, images = registry[name], registry.dataset(dataset)
        registry.require_fit(architecture, values, images)
        return _drawn(architecture, values, images.images)

    def draw_alone(self, needed: Needed, name: str) -> Drawn:
        """Build a network with its default options, for the images on which it is described."""
        architecture = self._registry(needed)[name]
        return _drawn(architecture, {}, architecture.images)

    def remarks(
        self, plugin: Source, known: Mapping[str, Description], name: str
    ) -> tuple[str, ...]:
        """Return what to know of a data set; it is read and kept, if it was not before."""
        self.location = plugin.location
        return remarks(self._shelf.dataset(plugin, known, name), self._settings.cache)

    def look(
        self, needed: Needed, id: str, moment: Moment, question: str, args: Sequence[Any]
    ) -> Any:
        """Answer a question of `Network` about the network that a run had at a moment."""
        return self._network(needed, id, moment)(question, *args)

    def teach(
        self,
        plugin: Source,
        part: tuple[str, str],
        values: Mapping[str, Any],
        needed: Mapping[str, Needed],
        look: tuple[Needed, str, Moment] | None,
    ) -> Shown:
        """Return what a part of a lesson shows.

        Args:
            plugin: What brings the lesson.
            part: The names of the lesson and of the part.
            values: Of its controls.
            needed: The plugins of the networks that the lesson builds, by architecture.
            look: The run that is looked into, and at which moment; `None` if none is.
        """
        self.location = plugin.location
        lesson = self._shelf.lesson(plugin, part[0])
        (own,) = (each for each in lesson.parts if each.name == part[1])
        find = lambda name: self._shelf.registry(needed[name])  # noqa: E731
        bench = Bench(needed, find, self._settings.cache)
        session = [Session(self._network(*look), location=plugin.location)] if look else []
        return own.show(bench, *session, **values)

    def _network(self, needed: Needed, id: str, moment: Moment) -> Network:
        key = needed.architecture, id, moment
        if key not in self._networks:
            self._networks[key] = self._open(needed, id, moment)
        self._networks.move_to_end(key)
        while len(self._networks) > MOST_NETWORKS:
            self._networks.popitem(last=False)
        return self._networks[key]

    def _registry(self, needed: Needed) -> Registry:
        self.location = needed.architecture.location
        return self._shelf.registry(needed)

    def _open(self, needed: Needed, id: str, moment: Moment) -> Network:
        if not self._stores:
            self._stores = [RunStore(self._settings.database_url), open_examples()]
        run, store = find_run(id, self._stores)
        registry = self._registry(needed)
        return Network(*open_network(run, moment, store, registry, self._settings.cache))


def _drawn(architecture: Architecture, values: Mapping[str, Any], images: ImageSpec) -> Drawn:
    seen = architecture.sees(images, values)
    found = outline(architecture.build(seen, values), seen)
    return Drawn(seen, found.parts, found.parameters, found.macs)
