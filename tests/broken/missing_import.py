"""Needs a package that nobody has installed."""

import flux_capacitor

from explorer import hookimpl


@hookimpl
def register_architectures(register):
    register(flux_capacitor.Network)
