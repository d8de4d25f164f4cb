"""What a run of a visitor may take, and the sentences that refuse more.

Each sentence names the limit, and says what is possible instead.
"""

from collections.abc import Sequence

from explorer.engines.questions import Drawn
from explorer.engines.queue import Task
from explorer.errors import ExplorerError
from explorer.language import plural, say
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
            plural(
                "A run may have {n:,} epoch here, not {epochs:,}.",
                "A run may have {n:,} epochs here, not {epochs:,}.",
                settings.max_epochs,
                epochs=recipe.epochs,
            )
        )
    used = min(filter(None, (recipe.train_size, images)), default=None)
    most = settings.max_image_epochs
    if most and used and used * recipe.epochs > most:
        epochs = plural("{n} epoch", "{n} epochs", recipe.epochs)
        asked, images = used * recipe.epochs, most // recipe.epochs
        if not (fewer := most // used):
            raise LimitError(
                say(
                    "A run may train on {most:,} images here, counted once for each epoch; this "
                    "one asks for {asked:,}. Possible are {images:,} images in {epochs}.",
                    most=most,
                    asked=asked,
                    images=images,
                    epochs=epochs,
                )
            )
        raise LimitError(
            say(
                "A run may train on {most:,} images here, counted once for each epoch; this one "
                "asks for {asked:,}. Possible are {fewer} of these images, or {images:,} images in "
                "{epochs}.",
                most=most,
                asked=asked,
                fewer=plural("{n} epoch", "{n} epochs", fewer),
                images=images,
                epochs=epochs,
            )
        )


def demand_network(settings: Settings, drawn: Drawn) -> None:
    """Refuse a network that is too large.

    Raises:
        LimitError: It has too many parameters or multiply-adds.
    """
    if settings.max_parameters and drawn.parameters > settings.max_parameters:
        raise LimitError(
            say(
                "A network may have {most:,} parameters here; with these options it has "
                "{parameters:,}. Choose a smaller one.",
                most=settings.max_parameters,
                parameters=drawn.parameters,
            )
        )
    if settings.max_macs and drawn.macs > settings.max_macs:
        raise LimitError(
            say(
                "A network may take {most:,} multiply-adds for an image here; with these options "
                "it takes {macs:,}. Choose a smaller one.",
                most=settings.max_macs,
                macs=drawn.macs,
            )
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
        if not fits:
            raise LimitError(
                say(
                    "A run may take {most:,} MB of memory here; a step of this one takes "
                    "{memory:,.0f} MB. Choose a smaller network.",
                    most=settings.run_memory,
                    memory=megabytes,
                )
            )
        raise LimitError(
            say(
                "A run may take {most:,} MB of memory here; a step of this one takes "
                "{memory:,.0f} MB. Choose a batch of about {images} images.",
                most=settings.run_memory,
                memory=megabytes,
                images=fits,
            )
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
            plural(
                "You have {n} run that waits or is trained, as many as are possible here; stop "
                "one, or wait until one is finished.",
                "You have {n} runs that wait or are trained, as many as are possible here; stop "
                "one, or wait until one is finished.",
                own,
            )
        )
    if settings.queue_total and len(waiting) >= settings.queue_total:
        raise LimitError(
            plural(
                "{n} run waits, as many as are possible here; try again in some minutes. Finished "
                "runs can be looked into meanwhile.",
                "{n} runs wait, as many as are possible here; try again in some minutes. Finished "
                "runs can be looked into meanwhile.",
                len(waiting),
            )
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
    if settings.pins_per_visitor and own >= settings.pins_per_visitor:
        raise LimitError(
            plural(
                "The link works as long as the run is there, but the run is not kept for it: {n} "
                "run is kept for links of yours, as many as are possible here.",
                "The link works as long as the run is there, but the run is not kept for it: {n} "
                "runs are kept for links of yours, as many as are possible here.",
                own,
            )
        )
    if settings.pins_disk and megabytes > settings.pins_disk:
        raise LimitError(
            say(
                "The link works as long as the run is there, but the run is not kept for it: the "
                "{most:,} MB for runs that links keep are used here.",
                most=settings.pins_disk,
            )
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
