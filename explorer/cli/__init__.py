"""The explorer without a browser."""

import typer

from explorer.cli.inspecting import inspect
from explorer.cli.listing import list_architectures, list_datasets, runs
from explorer.cli.plugins import check, new_plugin
from explorer.cli.training import train

__all__ = ["app"]

app = typer.Typer(
    help="See why convolutional architectures work.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

# In the order in which `explorer --help` shows them.
app.command("list")(list_architectures)
app.command("datasets")(list_datasets)
app.command()(train)
app.command("new-plugin")(new_plugin)
app.command()(check)
app.command()(inspect)
app.command()(runs)
