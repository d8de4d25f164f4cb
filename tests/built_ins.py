"""The built-in plugins, loaded once for all tests of a process."""

from explorer.plugin.registry import discover

REGISTRY = discover()
