"""The networks that visitors look at: each is loaded once, and shared by all of them."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import streamlit as st

from explorer.data.dataset import DataSet
from explorer.inspection.session import Cache, Session, in_one_thread
from explorer.runs.restore import dataset_of, is_current, open_network
from explorer.runs.run import Run
from explorer.ui import state

MOST_NETWORKS, MOST_RESULTS = 40, 300  # in memory


@dataclass(frozen=True)
class Subject:
    """A run's network after one of its epochs.

    Attributes:
        run: The run.
        epoch: The epoch.
        dataset: The data set that it was trained on.
        session: The network and its images, to be asked questions.
    """

    run: Run
    epoch: int
    dataset: DataSet
    session: Session

    @property
    def key(self) -> tuple[str, int]:
        """Identifies it among the networks of a visit."""
        return self.run.id, self.epoch

    @property
    def moment(self) -> str:
        """After which epoch it is, such as `epoch 3`; or that its weights were imported."""
        return "imported" if self.run.spec.imported else f"epoch {self.epoch}"

    @property
    def is_current(self) -> bool:
        """Whether code and images are still those that the run was made with."""
        return is_current(self.run, state.registry())

    @property
    def file(self) -> str:
        """The beginning of the names of files that are saved of it."""
        return f"{self.run.spec.architecture}-{self.moment.replace(' ', '-')}"

    @contextmanager
    def figure(self, name: str) -> Iterator[None]:
        """Show what is drawn within; if it fails, show why, and let the rest of the page go on.

        Args:
            name: What is shown, as the beginning of a sentence.
        """
        try:
            yield
        except (Exception, SystemExit) as error:  # the author's code may raise anything
            st.warning(self.session.explain(name, error))


def load(id: str, epoch: int) -> Subject:
    """Load the network of a run after one of its epochs, by the code that is there now.

    Raises:
        NetworkError: It cannot be restored.
        DataError: Its data set cannot be read.
    """
    spec, registry = state.find_run(id)[0].spec, state.registry()
    architecture = registry.architectures.get(spec.architecture)
    dataset = registry.datasets.get(spec.dataset)
    code = architecture.fingerprint if architecture else ""
    return _load(id, epoch, code, dataset.version or "" if dataset else "")


@st.cache_resource(show_spinner=False, max_entries=MOST_NETWORKS)
def _load(id: str, epoch: int, code: str, images: str) -> Subject:
    run, store = state.find_run(id)
    registry = state.registry()
    architecture = registry.architectures.get(run.spec.architecture)
    folder = state.settings().cache
    model, data = in_one_thread(lambda: open_network(run, epoch, store, registry, folder))
    session = Session(
        model,
        data,
        location=architecture.location if architecture else None,
        network=(id, code, images),
        weights=epoch,
        cache=_results(),
        worker=in_one_thread,
    )
    return Subject(run, epoch, dataset_of(run, registry), session)


@st.cache_resource(show_spinner=False)
def _results() -> Cache:
    return Cache(MOST_RESULTS)
