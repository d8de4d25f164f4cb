"""The explorer without a browser."""

from typing import Annotated

import typer

from explorer import __version__, logs
from explorer.cli.common import in_sentences
from explorer.cli.exchange import export, import_weights
from explorer.cli.hosting import hash_password, show_settings
from explorer.cli.inspecting import inspect
from explorer.cli.lessons import check as check_lessons
from explorer.cli.listing import list_architectures, list_datasets, runs
from explorer.cli.lists import record, warm
from explorer.cli.plugins import check, new_plugin
from explorer.cli.predicting import predict
from explorer.cli.training import train

__all__ = ["app"]

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"explorer {__version__}")
        raise typer.Exit


@app.callback()
def main(
    context: typer.Context,
    debug: Annotated[
        bool, typer.Option("--debug", help="Print the log, and the traceback of each error.")
    ] = False,
    version: Annotated[
        bool,
        typer.Option(
            "--version", help="Print the version.", is_eager=True, callback=_print_version
        ),
    ] = False,
) -> None:
    """See why convolutional architectures work."""
    # Without it a command says what is wrong in a sentence of its own.
    logs.start("debug" if debug else "critical")
    context.call_on_close(logs.stop)


lessons = typer.Typer(name="lessons", help="Lessons that the app can show.", no_args_is_help=True)


@lessons.callback()
def _lessons() -> None:
    """Make `check` a command of its own, though it is the only one."""


lessons.command("check")(in_sentences(check_lessons))

# In the order in which `explorer --help` shows them.
app.command("list")(in_sentences(list_architectures))
app.command("datasets")(in_sentences(list_datasets))
app.command("train")(in_sentences(train))
app.command("warm")(in_sentences(warm))
app.command("record")(in_sentences(record))
app.command("new-plugin")(in_sentences(new_plugin))
app.command("check")(in_sentences(check))
app.command("inspect")(in_sentences(inspect))
app.command("predict")(in_sentences(predict))
app.command("runs")(in_sentences(runs))
app.command("import-weights")(in_sentences(import_weights))
app.command("export")(in_sentences(export))
app.add_typer(lessons)
app.command("settings")(in_sentences(show_settings))
app.command("hash-password")(in_sentences(hash_password))
