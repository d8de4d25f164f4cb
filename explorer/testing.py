"""Tests of a plugin: its passport, check by check.

A plugin package's whole test file:

```python
from explorer.testing import passport_tests

test_passport = passport_tests("my_net")
```
"""

import functools
import warnings
from collections.abc import Callable, Sequence
from typing import Any

import pytest
import torch

from explorer.data.mnist import MNIST
from explorer.data.resident import Data, resident
from explorer.passport import images, networks
from explorer.passport.examined import Examined
from explorer.passport.findings import Finding
from explorer.passport.plugins import load_beside_built_ins
from explorer.registry import BrokenPlugin
from explorer.settings import read_settings
from explorer.sources import find_sources


class PassportWarning(UserWarning):
    """Something of a plugin that works, and that its author may want to know."""


def passport_tests(target: str) -> Callable[..., None]:
    """A test function for pytest with one case for each check of all that a plugin offers.

    An error fails its case; a note is a warning in pytest's summary.

    Args:
        target: What `explorer check` takes: the plugin's module, file or folder.

    Raises:
        PluginError: There is no such plugin.
    """
    registry = load_beside_built_ins(find_sources(target))
    cases: list[Any] = [
        pytest.param(functools.partial(_fail, broken), id=broken.source.name)
        for broken in registry.broken
    ]
    for architecture in registry.architectures.values():

        @functools.cache
        def network(architecture: Any = architecture) -> Examined:
            return Examined(architecture, _data())

        cases += [
            pytest.param(
                lambda network=network, check=check: networks.run(network(), check),
                id=f"{architecture.name}-{check}",
            )
            for check in networks.CHECKS
        ]
    for dataset in registry.datasets.values():
        examined = images.Examined(dataset, read_settings().cache)
        cases += [
            pytest.param(
                lambda examined=examined, check=check: images.run(examined, check),
                id=f"{dataset.name}-{check}",
            )
            for check in images.CHECKS
        ]

    @pytest.mark.parametrize("findings", cases)
    def test(findings: Callable[[], Sequence[Finding]]) -> None:
        for finding in findings():
            text = f"{finding.text} {finding.place}".strip()
            if finding.verdict == "error":
                pytest.fail(text, pytrace=False)
            if finding.verdict == "note":
                warnings.warn(text, PassportWarning, stacklevel=2)

    return test


def _fail(broken: BrokenPlugin) -> Sequence[Finding]:
    return [Finding("loads", "error", f"{broken.reason}\n{broken.trace}".strip())]


@functools.cache
def _data() -> Data:
    return resident(MNIST, torch.device("cpu"), read_settings().cache)
