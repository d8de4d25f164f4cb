"""The explorer without a browser."""

from collections.abc import Callable
from typing import Annotated

import typer

from explorer import __version__, logs
from explorer.cli.common import in_sentences
from explorer.cli.exchange import export, import_weights
from explorer.cli.help import Group
from explorer.cli.hosting import hash_password, show_settings
from explorer.cli.inspecting import inspect
from explorer.cli.lessons import check as check_lessons
from explorer.cli.listing import list_architectures, list_datasets, runs
from explorer.cli.lists import record, warm
from explorer.cli.plugins import check, new_plugin
from explorer.cli.predicting import predict
from explorer.cli.training import train
from explorer.language import later

__all__ = ["app"]

app = typer.Typer(
    cls=Group,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"explorer {__version__}")
        raise typer.Exit


@app.callback(help=later("See why convolutional architectures work."))
def main(
    context: typer.Context,
    debug: Annotated[
        bool,
        typer.Option("--debug", help=later("Print the log, and the traceback of each error.")),
    ] = False,
    version: Annotated[
        bool,
        typer.Option(
            "--version", help=later("Print the version."), is_eager=True, callback=_print_version
        ),
    ] = False,
) -> None:
    """Start the log before a command runs, and stop it afterwards."""
    # Without it a command says what is wrong in a sentence of its own.
    logs.start("debug" if debug else "critical")
    context.call_on_close(logs.stop)


lessons = typer.Typer(
    name="lessons", help=later("Lessons that the app can show."), no_args_is_help=True
)


@lessons.callback()
def _lessons() -> None:
    """Make `check` a command of its own, though it is the only one."""


def _add(name: str, command: Callable[..., None], help: str, to: typer.Typer = app) -> None:
    to.command(name, help=help)(in_sentences(command))


_add(
    "check",
    check_lessons,
    later("Check the files of lessons; exit with status 1 if one of them has a mistake."),
    to=lessons,
)

# In the order in which `explorer --help` shows them.
_add(
    "list",
    list_architectures,
    later("List the architectures that can be trained, and the plugins that are broken."),
)
_add("datasets", list_datasets, later("List the data sets that networks can be trained on."))
_add(
    "train",
    train,
    later(
        "Train an architecture. The run is kept; an unfinished one goes on from where it was kept."
    ),
)
_add(
    "warm",
    warm,
    later(
        "Train a list of runs and pin them, so that those who ask for them later have them at "
        "once.\n\n"
        "What is finished is left alone, and what was stopped goes on, so the command can be "
        "repeated."
    ),
)
_add(
    "record",
    record,
    later(
        "Train a list of runs, and put them into one small file that can be given away.\n\n"
        'It keeps their curves and, where the list says so, weights: `weights = "last"` in a '
        'run\'s table, or "all"; and what the list has measured of their networks. What is '
        "finished is left alone, and what was stopped goes on, so the command can be repeated; as "
        "long as a run is missing, the file keeps what is needed to go on."
    ),
)
_add(
    "new-plugin",
    new_plugin,
    later("Write a small plugin that works into this folder, for you to change."),
)
_add(
    "check",
    check,
    later("Check plugins as the app will use them; exit with status 1 if something does not work."),
)
_add(
    "inspect",
    inspect,
    later(
        "Look inside a trained network: prediction, ablation, logit attribution, cost, linearity."
    ),
)
_add(
    "predict",
    predict,
    later(
        "Predict what is on pictures, each prepared like the images that the run was trained on."
        "\n\n"
        "Says where it is not sure that it found what is meant, and why. Ends with status 1 if a "
        "file cannot be used; the others are answered all the same."
    ),
)
_add(
    "runs",
    runs,
    later("List all runs, the newest first; or show one, and give it a name or a note."),
)
_add(
    "import-weights",
    import_weights,
    later("Make a run of a network that was trained elsewhere, to look into, score and compare."),
)
_add(
    "export",
    export,
    later("Write a run to files: its weights for other programs, or a page for any static host."),
)
app.add_typer(lessons)
_add("settings", show_settings, later("Print each setting, its value, and where that is from."))
_add(
    "hash-password",
    hash_password,
    later(
        "Ask for the operator's password, and print the setting that has its hash.\n\n"
        "The password is asked for twice and not shown; where the input is no terminal, it is the "
        "first line of it."
    ),
)
