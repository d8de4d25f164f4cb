"""What is wrong with a plugin that does not load, in one sentence."""

import re

import pluggy

from explorer import errors
from explorer.hooks import HOOKS
from explorer.language import say
from explorer.plugin.sources import Source

# What Python says if the hook calls a network's class in place of registering it.
_CALLED = re.compile(r"(\w+)\.__init__\(\) missing .*'images'")


def explain(error: BaseException, source: Source) -> str:
    """Say in one sentence what is wrong, for the author of the plugin."""
    match error:
        case pluggy.PluginValidationError():
            hook = next((hook for hook in HOOKS if hook in str(error)), HOOKS[0])
            return say(
                "A hook has one argument, register: write `def {hook}(register):`.", hook=hook
            )
        case TypeError() if called := _CALLED.search(str(error)):
            return say(
                "It registers a network in place of its class: write register({name}), without "
                "brackets after {name}.",
                name=called[1],
            )
    return errors.explain(error, source.location)
