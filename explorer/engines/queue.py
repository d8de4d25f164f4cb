"""Who is next: the order in which runs that wait are trained."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from explorer.engines.questions import Needed
from explorer.runs.run import RunSpec


@dataclass(eq=False)
class Task:
    """A run that is to be trained.

    Attributes:
        spec: What was asked for.
        owner: In whose name it was claimed.
        needed: The plugins that it needs.
        visitors: Who asked for it; several if they asked for the same.
        number: Counts the requests; the first who asks has the lowest.
        steps: How many steps it is to take; `None` is all.
    """

    spec: RunSpec
    owner: str
    needed: Needed
    visitors: set[str] = field(default_factory=set)
    number: int = 0
    steps: int | None = None

    @property
    def id(self) -> str:
        """The id of the run."""
        return self.spec.id


def in_turn(waiting: Iterable[Task], running: Iterable[Task]) -> list[Task]:
    """Return the waiting tasks in the order in which they are trained.

    One run of each visitor comes before anybody's second, one that is running included; among
    equals, the one that was asked for first. A run that several visitors asked for has the best of
    their places.
    """
    taken = Counter(visitor for task in running for visitor in task.visitors)
    left = sorted(waiting, key=lambda task: task.number)
    order: list[Task] = []
    while left:
        following = min(left, key=lambda task: (_turn(task, taken), task.number))
        left.remove(following)
        order.append(following)
        taken.update(following.visitors)
    return order


def _turn(task: Task, taken: Counter[str]) -> int:
    return min((taken[visitor] for visitor in task.visitors), default=0)


def place_of(id: str, order: Sequence[Task]) -> int | None:
    """Return the place of a run in the queue, from 1; `None` if it does not wait."""
    return next((place for place, task in enumerate(order, 1) if task.id == id), None)


def seconds_until(place: int, ahead: Sequence[float], left: Sequence[float], workers: int) -> float:
    """Estimate when the run at a place begins.

    Args:
        place: Its place in the queue, from 1.
        ahead: How many seconds each run that waits takes, in the order of the queue.
        left: How many seconds each run that is trained still takes.
        workers: How many are trained at once.
    """
    free = sorted([*left, *[0.0] * (workers - len(left))])[:workers]
    for seconds in ahead[: place - 1]:
        free[0] += seconds
        free.sort()
    return free[0]
