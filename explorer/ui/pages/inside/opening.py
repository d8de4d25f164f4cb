"""What *Look inside* opens with: a network, an image and a part that show what a switch does."""

from collections.abc import Sequence

from explorer.runs.run import Run
from explorer.ui import acts, state


def first_network(runs: Sequence[Run]) -> str:
    """Return the id of the run that is looked into at first.

    It is the newest that this visitor asked for, or else the recorded example that loses most by
    one switch; never somebody else's.
    """
    mine, examples = acts.mine(), {run.id for run in state.example_runs()}
    for run in runs:
        if run.id not in examples and (mine is None or run.id in mine):
            return run.id
    known = state.tellings()
    recorded = [run.id for run in runs if run.id in examples]
    return max(recorded, key=lambda id: known[id].lost if id in known else 0.0, default=runs[0].id)


def first_image(id: str) -> int:
    """Return the number of the test image that a run is shown with at first."""
    found = state.tellings().get(id)
    return found.image if found else 0


def first_part(id: str) -> str:
    """Return the name of the block that is opened at first; empty if any may be."""
    found = state.tellings().get(id)
    return found.off.rpartition(".")[0] if found else ""
