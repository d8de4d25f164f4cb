"""The command `lessons check`."""

import json
from pathlib import Path
from typing import Annotated

import typer

from explorer.cli.common import AsJson


def check(
    files: Annotated[list[Path], typer.Argument(help="Files of lessons.", show_default=False)],
    as_json: AsJson = False,
) -> None:
    """Check the files of lessons; exit with status 1 if one of them has a mistake."""
    from explorer.labs.worksheet import NAME, address_of, mistakes, read_worksheet

    found = {}
    for file in files:
        found[str(file)] = sentences = mistakes(file)
        if not sentences and (file.suffix != ".yaml" or not NAME.fullmatch(file.stem)):
            sentences.append(
                f"{file.name} should have a name of letters, digits, - and _ that ends in .yaml, "
                "since its address has it."
            )
        if sentences and not as_json:
            print("\n".join(sentences))
        elif not as_json:
            page = address_of(read_worksheet(file).page)
            print(f"{file} is right; its address ends in {page}?lesson={file.stem}")
    if as_json:
        print(json.dumps(found, indent=2, ensure_ascii=False))
    if any(found.values()):
        raise typer.Exit(1)
