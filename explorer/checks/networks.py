"""All checks of an architecture."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch

from explorer.checks import behaviour, form
from explorer.checks.examined import Examined
from explorer.checks.findings import Finding, Found, Report, run_check
from explorer.data.loader import Data
from explorer.plugin.architecture import Architecture


def examine(architecture: Architecture, data: Data) -> Report:
    """Run every check on an architecture.

    Args:
        architecture: The architecture.
        data: MNIST, to train it on.
    """
    examined = Examined(architecture, data)
    findings = tuple(finding for name in CHECKS for finding in run(examined, name))
    return Report("architecture", architecture.name, _facts(examined), findings)


def run(examined: Examined, name: str) -> Sequence[Finding]:
    """Run one check; torch's random numbers are left unchanged."""
    location, home = examined.architecture.location, examined.home
    with torch.random.fork_rng(devices=[]):
        return run_check(name, CHECKS[name], examined, location, home)


CHECKS: Mapping[str, Callable[[Examined], Found]] = {
    check.__name__: check
    for check in (
        form.options,
        form.size,
        form.fits,
        form.ranges,
        form.logits,
        form.gradients,
        form.branches,
        form.affine,
        behaviour.answers,
        behaviour.repeats,
        behaviour.learns,
        behaviour.keeps,
        behaviour.compiles,
        behaviour.devices,
    )
}


def _facts(examined: Examined) -> dict[str, Any]:
    architecture = examined.architecture
    facts = {
        "summary": architecture.summary,
        "origin": architecture.origin,
        "fingerprint": architecture.fingerprint,
        "images": architecture.images.shape,
        "parameters": architecture.parameters,
        "options": [option.describe() for option in architecture.options],
    }
    try:
        seen = examined.seen
    except (Exception, SystemExit):  # a check has said so
        return facts | {"macs": None, "layers": []}
    return facts | {
        "macs": seen.macs,
        "layers": [
            {
                "name": layer.name,
                "layer": layer.text,
                "shape": list(layer.shape),
                "parameters": layer.parameters,
                "macs": layer.macs,
            }
            for layer in seen.graph.nodes[1:]
        ],
    }
