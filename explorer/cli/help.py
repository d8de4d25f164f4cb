"""Help, and what typer says of what was typed, in the language of the environment.

Each help is given as a message, by `later`, and said just before the command line is read.
"""

import sys
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import typer
from typer.core import TyperGroup

from explorer import language
from explorer.cli.wide import closed, opened
from explorer.language import english, later, recognise, say

_HELP = later("Show this message and exit.")
# What typer writes, in English, into the help and into errors.
_TYPERS = (
    *(later("Arguments"), later("Options"), later("Commands"), later("required")),
    later("Missing command."),
    later("No such command {name}."),
    later("No such command {name}. Did you mean {others}?"),
    later("Missing argument {name}."),
    later("Got unexpected extra argument(s) ({arguments})"),
    later("No such option: {name}"),
    later("No such option: {name} (Possible options: {others})"),
    later("Option {name} requires an argument."),
    later("Option {name} does not take a value."),
    later("Invalid value for {name}: {problem}"),
    later("Value error, {value} is not one of {values}."),
    later("Input should be a valid integer, unable to parse string as an integer"),
    later("Input should be greater than or equal to {least}"),
)

_late: dict[str, Callable[[], str]] = {}


def late(make: Callable[[], str]) -> str:
    """Return help that is put together of several messages, and is made again when it is shown."""
    text = english(make())
    _late[text] = make
    return text


class Group(TyperGroup):
    """Commands whose help and errors are said in the language of the environment."""

    def main(self, *arguments: Any, **options: Any) -> Any:
        """Run the command that was typed; end the program, unless it is not `standalone_mode`."""
        language.follow_environment()
        for command in _all(self):
            command.context_class = _Context
            command.help = _said(command.help)
            for parameter in command.params:
                parameter.help, metavar = _said(parameter.help), parameter.metavar
                parameter.metavar = metavar and say(metavar)
        stands_alone = options.get("standalone_mode", True)
        try:
            status = super().main(*arguments, **{**options, "standalone_mode": False})
        except (typer.TyperException, typer.Abort) as error:
            if not stands_alone:
                raise
            status = _print(error)
        if stands_alone:
            sys.exit(status)
        return status


def _all(command: Any) -> Iterator[Any]:
    yield command
    for each in getattr(command, "commands", {}).values():
        yield from _all(each)


def _said(help: str | None) -> str | None:
    if not help:
        return help
    return opened(_late[help]() if help in _late else say(help))


def _print(error: Exception) -> int:
    """Print how the command is used, if that is the matter, and what is wrong."""
    if not isinstance(error, typer.TyperException):
        typer.echo(say("Aborted!"), err=True)
        return 1
    problem, context = error.format_message(), getattr(error, "ctx", None)
    if context is not None:
        if problem == context.get_help():  # nothing was typed that could be wrong
            typer.echo(problem, err=True)
            return error.exit_code
        command = f"{context.command_path} {context.help_option_names[0]}"
        hint = say("Try '{command}' for help.", command=command)
        typer.echo(f"{context.get_usage()}\n{hint}\n", err=True)
    typer.echo(say("Error: {problem}", problem=recognise(problem)), err=True)
    return error.exit_code


class _Formatter(typer.Context.formatter_class):  # type: ignore[valid-type, misc]
    """Writes help in the spoken language."""

    def write_usage(self, prog: str, args: str = "", prefix: str | None = None) -> None:
        super().write_usage(prog, args, opened(say("Usage: ")) if prefix is None else prefix)

    def write_heading(self, heading: str) -> None:
        super().write_heading(say(heading))

    def write_dl(self, rows: Sequence[tuple[str, str]], *arguments: int, **options: int) -> None:
        said = [(opened(names), _with_remarks(help)) for names, help in rows]
        super().write_dl(said, *arguments, **options)

    def getvalue(self) -> str:
        return closed(super().getvalue())


class _Context(typer.Context):
    formatter_class = _Formatter


def _with_remarks(help: str) -> str:
    """Return the help of an option with what typer remarks after it, as `[default: 0; x>=0]`."""
    if help == _HELP:
        return opened(say(_HELP))
    words, bracket, remarks = help.rpartition("  [")
    if not bracket:
        return help
    said = say("; ").join(map(_remark, remarks.removesuffix("]").split("; ")))
    return f"{words}  [{opened(said)}]"


def _remark(remark: str) -> str:
    name, _, value = remark.partition(": ")
    if name == "default":
        return say("default: {value}", value=value)
    return say(remark)
