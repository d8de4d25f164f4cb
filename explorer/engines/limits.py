"""What a run of a visitor may take, and the sentences that refuse more.

Each sentence names the limit, and says what is possible instead.
"""

from collections.abc import Sequence

from explorer.engines.questions import Drawn
from explorer.engines.queue import Task
from explorer.errors import ExplorerError
from explorer.runs.run import RunSpec
from explorer.settings import Settings
from explorer.training.recipe import Recipe


class LimitError(ExplorerError):
    """Something is more than a visitor may ask for here; the message says how much is possible."""


def most_epochs(settings: Settings, images: int | None) -> int | None:
    """Return how many epochs a run on so many images may have; `None` if there is no limit."""
    limits = [settings.max_epochs]
    if settings.max_image_epochs and images:
        limits.append(settings.max_image_epochs // images)
    return min((limit for limit in limits if limit is not None), default=None)


def demand_recipe(settings: Settings, recipe: Recipe, images: int | None) -> None:
    """Refuse a training that takes too many epochs or images.

    Args:
        settings: The limits.
        recipe: How it is to be trained.
        images: How many training images there are; `None` if that is not known yet.

    Raises:
        LimitError: It does.
    """
    if settings.max_epochs and recipe.epochs > settings.max_epochs:
        raise LimitError(
            f"A run may have {settings.max_epochs:,} epochs here, not {recipe.epochs:,}."
        )
    used = min(filter(None, (recipe.train_size, images)), default=None)
    most = settings.max_image_epochs
    if most and used and used * recipe.epochs > most:
        fewer = most // used
        instead = f"{fewer} epoch{'s' if fewer > 1 else ''} of these images, or " if fewer else ""
        raise LimitError(
            f"A run may train on {most:,} images here, counted once for each epoch; this one asks "
            f"for {used * recipe.epochs:,}. Possible are {instead}"
            f"{most // recipe.epochs:,} images in {recipe.epochs} "
            f"epoch{'s' if recipe.epochs > 1 else ''}."
        )


def demand_network(settings: Settings, drawn: Drawn) -> None:
    """Refuse a network that is too large.

    Raises:
        LimitError: It has too many parameters or multiply-adds.
    """
    if settings.max_parameters and drawn.parameters > settings.max_parameters:
        raise LimitError(
            f"A network may have {settings.max_parameters:,} parameters here; with these options "
            f"it has {drawn.parameters:,}. Choose a smaller one."
        )
    if settings.max_macs and drawn.macs > settings.max_macs:
        raise LimitError(
            f"A network may take {settings.max_macs:,} multiply-adds for an image here; with these "
            f"options it takes {drawn.macs:,}. Choose a smaller one."
        )


def demand_memory(settings: Settings, megabytes: float, batch_size: int) -> None:
    """Refuse a training whose step takes too much memory.

    Args:
        settings: The limits.
        megabytes: What a step takes at its peak.
        batch_size: Images in a batch.

    Raises:
        LimitError: It does.
    """
    if settings.run_memory and megabytes > settings.run_memory:
        fits = int(batch_size * settings.run_memory / megabytes) // 8 * 8
        instead = f"a batch of about {fits} images" if fits else "a smaller network"
        raise LimitError(
            f"A run may take {settings.run_memory:,} MB of memory here; a step of this one takes "
            f"{megabytes:,.0f} MB. Choose {instead}."
        )


def demand_room(
    settings: Settings, waiting: Sequence[Task], running: Sequence[Task], visitor: str, id: str
) -> None:
    """Refuse a run if its visitor, or all of them, have asked for enough.

    Args:
        settings: The limits.
        waiting: The runs that wait.
        running: The runs that are trained.
        visitor: Who asks.
        id: The run; one that waits or is trained already takes no more room.

    Raises:
        LimitError: They have.
    """
    if any(task.id == id for task in (*waiting, *running)):
        return
    own = sum(visitor in task.visitors for task in (*waiting, *running))
    if settings.queue_per_visitor and own >= settings.queue_per_visitor:
        raise LimitError(
            f"You have {own} run{'s' if own > 1 else ''} that wait or are trained, as many as are "
            "possible here; stop one, or wait until one is finished."
        )
    if settings.queue_total and len(waiting) >= settings.queue_total:
        raise LimitError(
            f"{len(waiting)} runs wait, as many as are possible here; try again in some minutes. "
            "Finished runs can be looked into meanwhile."
        )


def demand_pin(settings: Settings, own: int, megabytes: float) -> None:
    """Refuse to keep one more run for links.

    Args:
        settings: The limits.
        own: How many runs are kept for links of this visitor.
        megabytes: How much all runs that are kept would take with this one.

    Raises:
        LimitError: They are enough.
    """
    without = "The link works as long as the run is there, but the run is not kept for it"
    if settings.pins_per_visitor and own >= settings.pins_per_visitor:
        raise LimitError(
            f"{without}: {own} run{'s are' if own > 1 else ' is'} kept for links of yours, as many "
            "as are possible here."
        )
    if settings.pins_disk and megabytes > settings.pins_disk:
        raise LimitError(
            f"{without}: the {settings.pins_disk:,} MB for runs that links keep are used here."
        )


def recipe_ends(settings: Settings) -> dict[str, int]:
    """Return the largest value of each field of the recipe that has one here."""
    most = most_epochs(settings, None)
    return {"epochs": most} if most else {}


def of_spec(settings: Settings, spec: RunSpec, drawn: Drawn, images: int | None) -> None:
    """Refuse a run that takes too much, by what can be known without running it.

    Raises:
        LimitError: It does.
    """
    demand_recipe(settings, spec.recipe, images)
    demand_network(settings, drawn)
