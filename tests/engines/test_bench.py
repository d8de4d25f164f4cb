"""What a part of a lesson computes with."""

import pytest

from explorer.data.mnist import MNIST
from explorer.engines.bench import Bench
from explorer.plugin.lessons import LessonError


def test_a_lesson_builds_what_it_says_that_it_uses_and_nothing_else(registry, cache):
    bench = Bench(["plain"], lambda name: registry, cache)
    seen = bench.outline("plain", {}, MNIST.images)
    parameters = sum(p.numel() for p in bench.build("plain", {}, MNIST.images).parameters())
    assert seen.parameters == parameters
    assert seen.macs > parameters
    for ask in (
        lambda: bench.build("residual", {}, MNIST.images),
        lambda: bench.images("residual", "mnist"),
    ):
        with pytest.raises(LessonError, match="asks for residual; name it in the lesson's `uses`"):
            ask()
