"""The commands `settings` and `hash-password`."""

import getpass
import json
import sys

from explorer.cli.common import AsJson, refuse, settings_or_refuse


def show_settings(as_json: AsJson = False) -> None:
    """Print each setting, its value, and where that is from."""
    from explorer.cli.output import print_settings
    from explorer.settings import rows, unknown

    found = rows(settings_or_refuse())
    if as_json:
        values = [{"name": r.name, "value": r.value, "origin": r.origin} for r in found]
        print(json.dumps(values, indent=2, ensure_ascii=False))
    else:
        print_settings(found)
    for sentence in unknown():
        print(sentence, file=sys.stderr)


def hash_password() -> None:
    """Ask for the operator's password, and print the setting that has its hash.

    The password is asked for twice and not shown; where the input is no terminal, it is the first
    line of it.
    """
    from explorer import passwords

    if sys.stdin.isatty():
        password = getpass.getpass("Password of the operator: ")
        if getpass.getpass("Once more: ") != password:
            refuse("The two passwords differ; start again.")
    else:
        password = sys.stdin.readline().rstrip("\r\n")
    print(f"EXPLORER_OPERATOR_PASSWORD_HASH={passwords.hash_password(password)}")
