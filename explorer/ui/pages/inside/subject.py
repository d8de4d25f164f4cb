"""The networks that visitors look at, which are in another process."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import streamlit as st

from explorer.data.dataset import DataSet
from explorer.inspection.session import Session
from explorer.language import again, author, english, say
from explorer.runs.run import Run
from explorer.training.events import Moment
from explorer.ui import state
from explorer.ui.failure import sentence


@dataclass(frozen=True)
class Subject:
    """A run's network at one of the moments at which its weights are kept.

    Attributes:
        run: The run.
        at: The moment.
        dataset: The data set that it was trained on.
        session: The network and its images, to be asked questions.
    """

    run: Run
    at: Moment
    dataset: DataSet
    session: Session

    @property
    def key(self) -> tuple[str, Moment]:
        """Identifies it among the networks of a visit."""
        return self.run.id, self.at

    @property
    def classes(self) -> Sequence[str]:
        """The names of the classes of its images, as they are shown."""
        return [author(name) for name in self.dataset.classes]

    @property
    def moment(self) -> str:
        """When that is, such as `epoch 3` or `step 420`; or that its weights were imported."""
        return say("imported") if self.run.spec.imported else again(self.at)

    @property
    def is_current(self) -> bool:
        """Whether code and images are still those that the run was made with."""
        return state.catalogue().is_current(self.run.spec)

    @property
    def file(self) -> str:
        """The beginning of the names of files that are saved of it."""
        return f"{self.run.spec.architecture}-{english(self.moment).replace(' ', '-')}"

    @contextmanager
    def figure(self, name: str) -> Iterator[None]:
        """Show what is drawn within; if it fails, show why, and let the rest of the page go on.

        Args:
            name: What is shown, as the beginning of a sentence.
        """
        try:
            yield
        except (Exception, SystemExit) as error:  # the author's code may raise anything
            st.warning(sentence(self.session.explain(name, error)))


def load(id: str, at: Moment) -> Subject:
    """Return the network that a run had at a moment, by the code that is there now.

    Raises:
        UnknownArchitectureError: The plugin of its network is gone.
        UnknownDataSetError: That of its images is.
        AnswerError: The network cannot be restored.
    """
    run = state.find_run(id)[0]
    session = state.plugins().look_into(run, at)
    session.outline  # noqa: B018 restores it now, so that what fails is said in place of the page
    return Subject(run, at, state.catalogue().dataset(run.spec.dataset), session)
