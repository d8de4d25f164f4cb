"""The commands `settings` and `hash-password`."""

import getpass
import json
import sys

from explorer.cli.common import AsJson, in_english, refuse, settings_or_refuse
from explorer.language import again, say


def show_settings(as_json: AsJson = False) -> None:
    """Print each setting, its value, and where that is from."""
    from explorer.cli.output import print_settings
    from explorer.settings import rows, unknown

    found = rows(settings_or_refuse())
    if as_json:
        values = [{"name": r.name, "value": r.value, "origin": r.origin} for r in found]
        print(json.dumps(in_english(values), indent=2, ensure_ascii=False))
    else:
        print_settings(found)
    for sentence in unknown():
        print(again(sentence), file=sys.stderr)


def hash_password() -> None:
    """Ask for the operator's password, and print its hash."""
    from explorer import passwords

    if sys.stdin.isatty():
        password = getpass.getpass(say("Password of the operator: "))
        if getpass.getpass(say("Once more: ")) != password:
            refuse(say("The two passwords differ; start again."))
    else:
        password = sys.stdin.readline().rstrip("\r\n")
    print(f"EXPLORER_OPERATOR_PASSWORD_HASH={passwords.hash_password(password)}")
