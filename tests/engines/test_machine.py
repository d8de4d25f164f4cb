import os
import subprocess
import sys

import pytest

from explorer.engines import machine

linux = pytest.mark.skipif(sys.platform != "linux", reason="the memory settings are glibc's")

FAULTS = """
import resource, sys

if sys.argv[1] == "prepared":
    from explorer.engines.machine import prepare
    prepare()

import torch
import torch.nn.functional as F
from explorer.plugin.registry import load
from explorer.plugin.sources import built_in
from explorer.spec import ImageSpec

torch.set_num_threads(2)
# Alone: what a larger net gives back teaches glibc to keep memory as well.
registry = load(source for source in built_in() if source.name == "residual")
model = registry["residual"].build(ImageSpec(1, 28, 10)).to(memory_format=torch.channels_last)
images, labels = torch.randn(64, 1, 28, 28), torch.arange(64) % 10

def steps(number):
    for _ in range(number):
        F.cross_entropy(model(images), labels).backward()
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt

print((-steps(20) + steps(20)) / 20)
"""


def run(script, *arguments, **environment):
    done = subprocess.run(
        [sys.executable, "-c", script, *arguments],
        env={name: value for name, value in os.environ.items() if "MALLOC" not in name}
        | environment,
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip()


@linux
def test_a_prepared_process_keeps_its_memory_from_step_to_step():
    prepared, unprepared = float(run(FAULTS, "prepared")), float(run(FAULTS, "as it is"))
    assert prepared < 20  # pages asked of the system in a step
    assert unprepared > 10 * prepared


SETTINGS = """
import ctypes, os, sys

class Library:
    def __init__(self, name): pass
    def mallopt(self, *setting): print(*setting)

ctypes.CDLL = Library
from explorer.engines import machine
getattr(machine, sys.argv[1])()
print(os.environ.get("GOMP_SPINCOUNT"))
"""


@linux
def test_what_another_has_set_is_left_alone():
    assert run(SETTINGS, "prepare") == "-3 33554432\n-1 2147483647\n10000"
    own = {"MALLOC_TRIM_THRESHOLD_": "65536", "GOMP_SPINCOUNT": "0"}
    assert run(SETTINGS, "prepare", **own) == "0"
    assert run(SETTINGS, "prepare", MALLOC_ARENA_MAX="2").startswith("-3")
    own = {"MALLOC_ARENA_MAX": "2", "GOMP_SPINCOUNT": "0"}
    assert run(SETTINGS, "prepare_server", GOMP_SPINCOUNT="0") == "-8 1\n0"
    assert run(SETTINGS, "prepare_server", **own) == "0"


def test_it_is_in_time_for_torch():
    script = "import sys, explorer.engines.machine; print('torch' in sys.modules)"
    assert run(script) == "False"


@pytest.mark.parametrize(
    ("quota", "period", "number"),
    [
        ("max 100000", None, 8),
        ("150000 100000", None, 2),
        ("25000 100000", None, 1),
        ("1600000 100000", None, 8),
        ("nothing", None, 8),
        ("300000", "100000", 3),
        ("-1", "100000", 8),
    ],
)
def test_a_container_s_part_of_the_processors_counts(monkeypatch, tmp_path, quota, period, number):
    files = tmp_path / "quota", tmp_path / "period" if period else None
    files[0].write_text(quota)
    if period:
        files[1].write_text(period)
    monkeypatch.setattr(machine, "_QUOTAS", (files, (tmp_path / "absent", None)))
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)), raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: 8)
    assert machine.processors() == number
