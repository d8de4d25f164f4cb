"""What the server knows of plugins, and the children that it asks about them.

They are loaded in one child, described, and known from then on. Another child builds and draws
their networks, a third looks into the networks of runs, a fourth computes what lessons show, a
fifth reads data sets; these load what they are asked about. None of them can hold up or end the
server, or another.
"""

import logging
import re
import threading
import time
from collections.abc import Collection, Hashable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path
from typing import Any

from explorer.engines.asking import AnswerError, Asker, LostAnswerError, SlowAnswerError
from explorer.engines.children import ChildError, Nursery, status_text
from explorer.engines.plain import NotPlainError
from explorer.engines.questions import Answer, Drawn, Needed
from explorer.inspection.session import Cache, Session
from explorer.language import learn, say
from explorer.lessons import Shown
from explorer.plugin.catalogue import BrokenPlugin, Catalogue, Description, both
from explorer.plugin.sources import (
    PluginError,
    Source,
    all_sources,
    built_in,
    changed_since,
    fingerprint,
    from_target,
)
from explorer.runs.run import Run, RunSpec
from explorer.settings import Settings
from explorer.training.events import Moment

MOST_BYTES = 2**25  # of answers that are kept for all visitors
MNIST = "mnist"  # the data set whose plugin reads the images of lessons
STEP = "explorer.engines.dry_step:dry_step"
READING_SECONDS = 600.0  # that reading a data set may take before it is trained on
FORGET_SECONDS = 60.0  # after which a data set that could not be read is tried again
PATIENCE = 5.0  # seconds that a page waits for plugins that take long to load

_log = logging.getLogger(__name__)


class Plugins:
    """All plugins, as they were when they were last loaded.

    Args:
        nursery: Where the children come from.
        settings: Folders and limits.
    """

    def __init__(self, nursery: Nursery, settings: Settings) -> None:
        self._nursery, self._settings = nursery, settings
        self._cache = Cache(MOST_BYTES)
        self._begin = threading.Lock()
        self._loading: _Loading | None = None
        memory = settings.load_memory
        self._builder = Asker("builder", nursery, settings, memory)
        self._inspector = Asker("inspector", nursery, settings, memory)
        self._teacher = Asker("teacher", nursery, settings, memory)
        self._askers = self._builder, self._inspector, self._teacher
        self._reader = self._new_reader()
        self._reading = threading.Lock()
        self._remarks: dict[Hashable, tuple[float, Future[Sequence[str]]]] = {}

    @property
    def catalogue(self) -> Catalogue[Description]:
        """What they offer; at first, they are loaded.

        The built-in ones are always there. For others it waits a few seconds at most; those that
        take longer are there later, and in `loading` until then.
        """
        return self._current.wait(PATIENCE)

    @property
    def whole_catalogue(self) -> Catalogue[Description]:
        """What they offer, once all are loaded."""
        return self._current.wait(None)

    @property
    def loading(self) -> list[str]:
        """The names of the plugins that are still being loaded."""
        return self._current.left

    @property
    def restarts(self) -> int:
        """How often a child hung or died and was replaced."""
        return sum(asker.restarts for asker in self._askers)

    def reload(self) -> None:
        """Load all plugins again."""
        with self._begin:
            if self._loading:
                self._loading.close()
            for asker in self._askers:
                asker.restart()
            self._cache = Cache(MOST_BYTES)
            self._reader.abandon()  # it may take long
            self._reader, self._remarks = self._new_reader(), {}
            self._loading = _Loading(self._nursery, self._settings)

    def changed(self) -> list[str]:
        """Return the names of plugins that were edited, added or removed since they were loaded."""
        return changed_since(self._current.before, self._settings.plugins)

    def fitting(self, name: str) -> Mapping[str, bool]:
        """Return the data sets that fit an architecture, and whether it needs their grey repeated.

        Raises:
            AnswerError: It cannot be found out.
        """
        found: Mapping[str, bool] = self._build("fitting", name)
        return found

    def draw(self, name: str, values: Mapping[str, object], dataset: str) -> Drawn:
        """Return what a network is made of, with these options, for the images of a data set.

        Raises:
            AnswerError: It cannot be built so, or does not take these images.
        """
        found: Drawn = self._build("draw", name, dict(values), dataset)
        return found

    def draw_alone(self, name: str) -> Drawn:
        """Return what a network is made of, by default, for the images it is described on.

        Raises:
            AnswerError: It cannot be built.
        """
        found: Drawn = self._build("draw_alone", name)
        return found

    def remarks(self, name: str) -> Sequence[str] | None:
        """Return what whoever trains on a data set should know of it, in sentences.

        It is found out once, in a child, which reads the data set and keeps it in the cache folder.

        Returns:
            The sentences, possibly none; `None` until they are known.

        Raises:
            UnknownDataSetError: There is no such data set.
            AnswerError: It cannot be read.
        """
        catalogue, now = self.catalogue, time.monotonic()
        dataset = catalogue.dataset(name)
        key = name, dataset.version, dataset.images
        with self._begin:
            began, found = self._remarks.get(key, (now, None))
            if found and found.done() and found.exception() and now - began > FORGET_SECONDS:
                found = None
            if found is None:
                found = Future()
                self._remarks[key] = now, found
                source = _source_of(dataset.target)
                question = source, _known(catalogue, source), name
                about = question, key, found
                threading.Thread(target=self._read, args=about, daemon=True).start()
        return found.result() if found.done() else None

    def _read(
        self, question: Sequence[object], key: Hashable, found: "Future[Sequence[str]]"
    ) -> None:
        try:
            with self._reading:  # one after the other, however long that takes
                if self._remarks.get(key, (0.0, None))[1] is not found:
                    return  # the plugins were loaded again
                said = self._reader.ask("remarks", *question, seconds=READING_SECONDS, about=key)
                self._reader.restart()  # it is seldom needed again
            found.set_result(said)
        except (SlowAnswerError, LostAnswerError):
            found.set_result(())  # the log has why, and a training may have more time and memory
        except Exception as error:
            found.set_exception(error)

    def _new_reader(self) -> Asker:
        return Asker("reader", self._nursery, self._settings, self._settings.load_memory)

    def step_memory(self, spec: RunSpec) -> float:
        """Measure how many MB a step of a run's training takes at its peak, in a child of its own.

        Raises:
            AnswerError: The step fails, or takes too long.
        """
        needed, recipe = self.needed(spec), spec.recipe.changed(epochs=1, seed=0)
        measured = replace(spec, recipe=recipe)

        def measure() -> float:
            child = self._nursery.start(STEP, self._settings, needed, measured)
            try:
                answer: Answer = child.receive(self._settings.inspect_time)
            except TimeoutError:
                raise SlowAnswerError(
                    say(
                        "A single step of this training takes too long here; choose a smaller "
                        "network or a smaller batch."
                    )
                ) from None
            except ChildError as error:
                raise AnswerError(
                    say(
                        "A single step of this training ends its process, possibly for want of "
                        "memory; choose a smaller network or a smaller batch."
                    )
                ) from error
            finally:
                child.close()
            if answer.reason:
                raise AnswerError(answer.reason, answer.trace)
            return float(answer.value)

        return self._cache.once(("memory", measured.id), measure)

    def needed(self, spec: RunSpec) -> Needed:
        """Return the plugins that a run needs.

        Raises:
            UnknownArchitectureError: Its architecture is gone.
            UnknownDataSetError: Its data set is.
        """
        catalogue = self.catalogue
        target = catalogue.dataset(spec.dataset).target
        return replace(_needed(catalogue, spec.architecture), dataset=_source_of(target))

    def look_into(self, run: Run, moment: Moment) -> Session:
        """Return a session about the network that a run had at a moment.

        Raises:
            UnknownArchitectureError: Its architecture is gone.
            UnknownDataSetError: Its data set is.
        """
        catalogue, needed = self.catalogue, self.needed(run.spec)
        architecture = catalogue[run.spec.architecture]
        version = catalogue.dataset(run.spec.dataset).version

        def ask(question: str, /, *args: object) -> Any:
            return self._inspector.ask(
                "look",
                *(needed, run.id, moment, question, args),
                seconds=self._settings.inspect_time,
                about=(run.id, moment, question),
            )

        return Session(
            ask,
            location=architecture.location,
            network=(run.id, architecture.fingerprint, version),
            weights=moment,
            cache=self._cache,
        )

    def teach(
        self,
        name: str,
        part: str,
        values: Mapping[str, object],
        look: tuple[Run, Moment] | None = None,
    ) -> Shown:
        """Return what a part of a lesson shows for some values of its controls.

        Args:
            name: The lesson.
            part: The part.
            values: A value for each control.
            look: The run that is looked into, and at which moment; `None` if none is.

        Raises:
            UnknownLessonError: There is no such lesson.
            UnknownArchitectureError: A network that it needs is gone.
            AnswerError: It cannot be computed.
        """
        catalogue = self.catalogue
        lesson = catalogue.lesson(name)
        read = _source_of(catalogue.dataset(MNIST).target)
        needed = {each: replace(_needed(catalogue, each), dataset=read) for each in lesson.uses}
        run = (self.needed(look[0].spec), look[0].id, look[1]) if look else None
        about = (lesson.fingerprint, name, part, _hashable([dict(values)]), run and run[1:])
        found: Shown = self._cache.once(
            about,
            lambda: self._teacher.ask(
                "teach",
                *(lesson.plugin, (name, part), dict(values), needed, run),
                seconds=self._settings.inspect_time,
                about=about,
            ),
        )
        return found

    def close(self) -> None:
        """End the children."""
        with self._begin:
            if self._loading:
                self._loading.close()
            self._remarks = {}
            self._reader.abandon()
        for asker in self._askers:
            asker.restart()

    @property
    def _current(self) -> "_Loading":
        with self._begin:
            if self._loading is None:
                self._loading = _Loading(self._nursery, self._settings)
            return self._loading

    def _build(self, question: str, name: str, *args: Any) -> Any:
        catalogue = self.catalogue
        kinds = tuple(sorted((n, each.images) for n, each in catalogue.datasets.items()))
        about: Hashable = (catalogue[name].fingerprint, question, name, _hashable(args), kinds)
        return self._cache.once(
            about,
            lambda: self._builder.ask(
                question,
                *(_needed(catalogue, name), name, *args),
                seconds=self._settings.inspect_time,
                about=about,
            ),
        )


class _Loading:
    """Loads all plugins, one after the other, in a thread; one that ends or hangs is broken."""

    def __init__(self, nursery: Nursery, settings: Settings) -> None:
        self._settings = settings
        self._sources = all_sources(settings.plugins)
        self._first = len(list(built_in()))
        self._began = time.monotonic()
        self._found: list[Catalogue[Description]] = []
        self._progress = threading.Condition()
        self._is_closed = False
        self.before = {source: fingerprint(source.location) for source in self._sources}
        memory = settings.load_memory
        self._loader = Asker("loader", nursery, settings, memory, prepare=self._load_again)
        threading.Thread(target=self._load, name="loading plugins", daemon=True).start()

    @property
    def left(self) -> list[str]:
        """The names of those that are not loaded yet, without the built-in ones."""
        return [source.name for source in self._sources[max(self._first, len(self._found)) :]]

    def wait(self, patience: float | None) -> Catalogue[Description]:
        """Return what was found, once all or, after so many seconds, the built-in ones are there.

        Args:
            patience: Seconds since the beginning; `None` for as long as it takes.
        """
        with self._progress:
            self._progress.wait_for(lambda: self._are_loaded(self._first))
            rest = None if patience is None else self._began + patience - time.monotonic()
            if rest is None or rest > 0:
                self._progress.wait_for(lambda: self._are_loaded(len(self._sources)), rest)
            return _together(self._found)

    def close(self) -> None:
        """Give up."""
        with self._progress:
            self._is_closed = True
            self._progress.notify_all()
        self._loader.abandon()

    def _are_loaded(self, number: int) -> bool:
        return self._is_closed or len(self._found) >= number

    def _load(self) -> None:
        for source in self._sources:
            part = self._load_one(source)
            with self._progress:
                if self._is_closed:
                    break
                self._found.append(part)
                learn(_together(self._found).translations)
                self._progress.notify_all()
        self._loader.restart()  # it is not needed any more

    def _load_one(self, source: Source) -> Catalogue[Description]:
        try:
            part: Catalogue[Description] = self._loader.ask(
                "load", source, {}, seconds=self._settings.load_time
            )
        except Exception as error:
            if not self._is_closed:
                _log.error("The plugin %s cannot be loaded: %s", source.origin, error)
            return self._broken(source, error)
        return part

    def _broken(self, source: Source, error: Exception) -> Catalogue[Description]:
        reason, trace = str(error), ""
        if isinstance(error, NotPlainError):
            reason = say("What it offers cannot be described: {reason}", reason=error)
        elif isinstance(error, SlowAnswerError):
            reason = say(
                "It takes longer than {seconds:g} s to load (EXPLORER_LOAD_TIME) and was given up; "
                "when a plugin is imported, it only defines things.",
                seconds=self._settings.load_time or 0,
            )
        elif isinstance(error, LostAnswerError):
            line, trace = _crash(error.output, source.location)
            status = status_text(error.status)
            reason = (
                say(
                    "Line {line}: it ends the process that loads it ({status}); when a plugin is "
                    "imported, it only defines things.",
                    line=line,
                    status=status,
                )
                if line
                else say(
                    "It ends the process that loads it ({status}); when a plugin is imported, it "
                    "only defines things.",
                    status=status,
                )
            )
        return Catalogue({}, {}, (BrokenPlugin(source, "", reason, trace),))

    def _load_again(self, loader: Asker) -> None:
        """Give a new child the plugins that the last one had, whose names are taken."""
        for source, part in zip(self._sources, self._found, strict=False):
            if part.architectures or part.datasets or part.lessons:
                seconds = self._settings.load_time
                loader.ask("load", source, part.architectures, seconds=seconds)


def _crash(output: str, location: Path | None) -> tuple[str, str]:
    """Find a plugin's own lines in what Python prints when a process crashes.

    Returns:
        The number of the line that was running, and all lines; both may be empty.
    """
    frames = re.findall(r'^  File "(.+)", line (\d+) in (.+)$', output, re.MULTILINE)
    own = [
        (file, line, name)
        for file, line, name in frames
        if location is not None and Path(file).is_relative_to(location)
    ]
    text = "\n".join(f'File "{file}", line {line}, in {name}' for file, line, name in own[::-1])
    return (own[0][1] if own else ""), text


def _needed(catalogue: Catalogue[Description], name: str) -> Needed:
    source = catalogue[name].source
    return Needed(source, None, _known(catalogue, source), catalogue.datasets)


def _known(catalogue: Catalogue[Description], source: Source) -> dict[str, Description]:
    return {name: a for name, a in catalogue.architectures.items() if a.source == source}


def _source_of(target: str) -> Source:
    try:
        return from_target(target)
    except PluginError:  # the file is gone, and whoever loads it will say so
        return Source(Path(target).stem, target, Path(target))


def _hashable(args: Collection[Any]) -> Hashable:
    return tuple(tuple(sorted(a.items())) if isinstance(a, dict) else a for a in args)


def _together(parts: Sequence[Catalogue[Description]]) -> Catalogue[Description]:
    whole: Catalogue[Description] = Catalogue({}, {}, ())
    for part in parts:
        whole = Catalogue(
            {**whole.architectures, **part.architectures},
            {**whole.datasets, **part.datasets},
            (*whole.broken, *part.broken),
            (*whole.meddling, *part.meddling),
            {**whole.lessons, **part.lessons},
            both(whole.translations, part.translations),
        )
    return whole
