"""Tests of a plugin: one for each check.

A plugin package's whole test file:

```python
from explorer.testing import check_tests

test_checks = check_tests("my_net")
```
"""

import functools
import warnings
from collections.abc import Callable, Sequence
from typing import Any

import pytest
import torch

from explorer.checks import images, networks
from explorer.checks.examined import Examined
from explorer.checks.findings import Finding
from explorer.checks.plugins import load_beside_built_ins
from explorer.data.dataset import DataSet
from explorer.data.loader import load_data
from explorer.data.mnist import MNIST
from explorer.plugin.architecture import Architecture
from explorer.plugin.catalogue import BrokenPlugin
from explorer.plugin.sources import find_sources
from explorer.settings import read_settings


class CheckWarning(UserWarning):
    """A note of a check: it works, but the author may want to know something."""


def check_tests(target: str) -> Callable[..., None]:
    """Return a test function for pytest, with one case for each check of all that a plugin offers.

    An error fails its case; a note is a warning in pytest's summary.

    Args:
        target: The plugin's module, file or folder, as `explorer check` takes it.

    Raises:
        PluginError: There is no such plugin.
    """
    registry = load_beside_built_ins(find_sources(target))
    cases: list[Any] = [
        pytest.param(functools.partial(_fail, broken), id=broken.name or broken.source.name)
        for broken in registry.broken
    ]
    cases += [
        pytest.param(functools.partial(_check_network, network, check), id=f"{name}-{check}")
        for name, network in registry.architectures.items()
        for check in networks.CHECKS
    ]
    cases += [
        pytest.param(functools.partial(_check_images, dataset, check), id=f"{name}-{check}")
        for name, dataset in registry.datasets.items()
        for check in images.CHECKS
    ]

    @pytest.mark.parametrize("findings", cases)
    def test(findings: Callable[[], Sequence[Finding]]) -> None:
        for finding in findings():
            text = f"{finding.text} {finding.place}".strip()
            if finding.verdict == "error":
                pytest.fail(text, pytrace=False)
            if finding.verdict == "note":
                warnings.warn(text, CheckWarning, stacklevel=2)

    return test


def _fail(broken: BrokenPlugin) -> Sequence[Finding]:
    return [Finding("loads", "error", f"{broken.reason}\n{broken.trace}".strip())]


def _check_network(architecture: Architecture, check: str) -> Sequence[Finding]:
    return networks.run(_network(architecture), check)


def _check_images(dataset: DataSet, check: str) -> Sequence[Finding]:
    return images.run(_images(dataset), check)


# One for all checks, created when the first of them runs and not when tests are collected.


@functools.cache
def _network(architecture: Architecture) -> Examined:
    return Examined(architecture, load_data(MNIST, torch.device("cpu"), read_settings().cache))


@functools.cache
def _images(dataset: DataSet) -> images.Examined:
    return images.Examined(dataset, read_settings().cache)
