"""The command `lessons check`."""

import json
from pathlib import Path
from typing import Annotated

import typer

from explorer.cli.common import AsJson, in_english
from explorer.language import later, say


def check(
    files: Annotated[
        list[Path], typer.Argument(help=later("Files of lessons."), show_default=False)
    ],
    as_json: AsJson = False,
) -> None:
    """Print what is wrong with files of lessons."""
    from explorer.labs.worksheet import NAME, address_of, mistakes, read_worksheet

    found = {}
    for file in files:
        found[str(file)] = sentences = mistakes(file)
        if not sentences and (file.suffix != ".yaml" or not NAME.fullmatch(file.stem)):
            sentences.append(
                say(
                    "{file} should have a name of letters, digits, - and _ that ends in .yaml, "
                    "since its address has it.",
                    file=file.name,
                )
            )
        if sentences and not as_json:
            print("\n".join(sentences))
        elif not as_json:
            page = address_of(read_worksheet(file).page)
            address = f"{page}?lesson={file.stem}"
            print(say("{file} is right; its address ends in {address}", file=file, address=address))
    if as_json:
        print(json.dumps(in_english(found), indent=2, ensure_ascii=False))
    if any(found.values()):
        raise typer.Exit(1)
