"""What a plugin changes in the process that loads it is put back, and named; nothing else is."""

import builtins
import functools
import io
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn.modules import module as all_modules
from torch.overrides import TorchFunctionMode

from explorer.plugin import guard
from explorer.plugin.catalogue import Meddling
from explorer.plugin.guard import guarded
from explorer.plugin.registry import discover, load
from explorer.plugin.sources import built_in, in_folders

BUILT_IN = [source.location for source in built_in()]


def rebind_path():
    sys.path = ["/nowhere", *sys.path]


def leave():
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
    # From a folder that is gone by now.


ENTERED = []  # what is forgotten is left


def inferring():
    return torch.is_inference_mode_enabled(), torch.ones(1).is_inference()


class Doubled(TorchFunctionMode):
    def __torch_function__(self, function, types, args=(), kwargs=None):
        found = function(*args, **(kwargs or {}))
        return 2 * found if function is torch.neg else found


def answers_in_bfloat16():
    weight, found = torch.ones(1, 1, requires_grad=True), []
    for _ in range(2):
        with torch.autocast("cpu", torch.bfloat16):
            found.append((torch.ones(1, 1) @ weight).item())
        with torch.no_grad():
            weight += 1
    return found


def product():
    return torch.ones(1, 1) @ torch.ones(1, 1)


def kernels(library, flag, value):
    setattr(getattr(torch.backends, library), flag, value)


# Of each kind of change: how it is made, and how it is seen.
CHANGES = {
    "torch's default dtype": [
        (lambda: torch.set_default_dtype(torch.float64), lambda: torch.zeros(1).dtype),
    ],
    "torch's default device": [
        (lambda: torch.set_default_device("meta"), lambda: torch.zeros(1).device),
    ],
    "torch's grad mode": [
        (lambda: ENTERED.append(torch.inference_mode()) or ENTERED[-1].__enter__(), inferring),
        (
            lambda: torch.set_grad_enabled(False),
            lambda: (torch.zeros(1, requires_grad=True) * 1).requires_grad,
        ),
    ],
    "torch's number of threads": [
        (lambda: torch.set_num_threads(torch.get_num_threads() + 1), torch.get_num_threads),
    ],
    "torch's deterministic mode": [
        (
            lambda: torch.use_deterministic_algorithms(True),
            torch.are_deterministic_algorithms_enabled,
        ),
        (
            lambda: torch.use_deterministic_algorithms(True, warn_only=True),
            torch.get_deterministic_debug_mode,
        ),
    ],
    "torch's anomaly detection": [
        (lambda: torch.autograd.set_detect_anomaly(True), torch.is_anomaly_enabled),
    ],
    "torch's function modes": [
        (lambda: Doubled().__enter__(), lambda: torch.neg(torch.ones(1)).item()),
    ],
    "torch's autocast": [
        (lambda: torch.set_autocast_enabled("cpu", True), lambda: product().dtype),
        (lambda: torch.autocast("cpu").__enter__(), lambda: product().dtype),
        (lambda: torch.autocast("cpu").__enter__(), answers_in_bfloat16),
    ],
    "torch's precision of products": [
        (
            lambda: torch.set_float32_matmul_precision("medium"),
            torch.get_float32_matmul_precision,
        ),
    ],
    "torch's choice of kernels": [
        (lambda: kernels("cudnn", "benchmark", True), lambda: torch.backends.cudnn.benchmark),
        (lambda: kernels("cudnn", "enabled", False), lambda: torch.backends.cudnn.enabled),
        (
            lambda: kernels("cudnn", "deterministic", True),
            lambda: torch.backends.cudnn.deterministic,
        ),
        (lambda: kernels("mkldnn", "enabled", False), lambda: torch.backends.mkldnn.enabled),
    ],
    "Python's random numbers": [(lambda: random.seed(1), random.getstate)],
    "NumPy's random numbers": [
        (lambda: np.random.seed(1), lambda: np.random.get_state()[1].tolist()),
        (lambda: np.random.rand(), lambda: np.random.get_state()[2]),
    ],
    "torch's random numbers": [
        (lambda: torch.manual_seed(1), lambda: torch.get_rng_state().tolist()),
        (lambda: torch.rand(3), lambda: torch.get_rng_state().tolist()),
    ],
    "torch's hooks of all modules": [
        (
            lambda: all_modules.register_module_forward_hook(lambda *_: None),
            lambda: len(all_modules._global_forward_hooks),
        ),
        (
            lambda: all_modules.register_module_forward_pre_hook(lambda *_: None),
            lambda: len(all_modules._global_forward_pre_hooks),
        ),
        (
            lambda: all_modules.register_module_full_backward_hook(lambda *_: None),
            lambda: len(all_modules._global_backward_hooks),
        ),
    ],
    "sys.path": [
        (lambda: sys.path.insert(0, "/nowhere"), lambda: (id(sys.path), list(sys.path))),
        (sys.path.clear, lambda: (id(sys.path), list(sys.path))),
        (rebind_path, lambda: (id(sys.path), list(sys.path))),
    ],
    "the recursion limit": [(lambda: sys.setrecursionlimit(4321), sys.getrecursionlimit)],
    "the working directory": [(lambda: os.chdir(os.sep), os.getcwd), (leave, os.getcwd)],
    "the environment": [
        (lambda: os.environ.update(EXPLORER_TEST="1"), lambda: dict(os.environ)),
        (lambda: os.environ.pop("PATH"), lambda: dict(os.environ)),
        (lambda: os.environ.update(PATH="/nowhere"), lambda: os.getenv("PATH")),
    ],
    "signal handlers": [
        (
            lambda: signal.signal(signal.SIGTERM, signal.SIG_IGN),
            lambda: signal.getsignal(signal.SIGTERM),
        ),
        (
            lambda: signal.signal(signal.SIGINT, lambda *_: None),
            lambda: signal.getsignal(signal.SIGINT),
        ),
    ],
    "sys.stdout or sys.stderr": [
        (lambda: setattr(sys, "stdout", io.StringIO()), lambda: sys.stdout),
        (lambda: setattr(sys, "stderr", None), lambda: sys.stderr),
    ],
    "the filters of warnings": [
        (lambda: warnings.simplefilter("error"), lambda: list(warnings.filters)),
        (warnings.resetwarnings, lambda: list(warnings.filters)),
    ],
    "sys.excepthook": [
        (lambda: setattr(sys, "excepthook", print), lambda: sys.excepthook),
    ],
}
EACH = [(what, *change) for what, changes in CHANGES.items() for change in changes]
IDS = [f"{what} {n}" for what, changes in CHANGES.items() for n in range(len(changes))]
QUIET = {
    "Python's random numbers",
    "NumPy's random numbers",
    "torch's random numbers",
    "the filters of warnings",
    "the environment",
}

# Where something is replaced for all, its name, and the name by which it is called.
SHARED = [
    (builtins, "print", "builtins.print"),
    (torch, "relu", "torch.relu"),
    (torch, "load", "torch.load"),
    (nn, "Linear", "torch.nn.Linear"),
    (F, "cross_entropy", "torch.nn.functional.cross_entropy"),
    (nn.init, "kaiming_uniform_", "torch.nn.init.kaiming_uniform_"),
    (torch.optim, "AdamW", "torch.optim.AdamW"),
    (torch.autograd, "grad", "torch.autograd.grad"),
    (nn.Module, "__call__", "torch.nn.modules.module.Module.__call__"),
    (nn.Module, "__init__", "torch.nn.modules.module.Module.__init__"),
    (nn.Module, "dump_patches", "torch.nn.modules.module.Module.dump_patches"),
    (nn.Linear, "forward", "torch.nn.modules.linear.Linear.forward"),
    (nn.BatchNorm2d, "forward", "torch.nn.modules.batchnorm.BatchNorm2d.forward"),  # inherited
    (nn.Conv2d, "reset_parameters", "torch.nn.modules.conv.Conv2d.reset_parameters"),  # inherited
    (torch.optim.SGD, "step", "torch.optim.sgd.SGD.step"),
    (torch.Tensor, "backward", "torch.Tensor.backward"),
    (torch.Tensor, "add", "torch.Tensor.add"),  # inherited
    (torch.Tensor, "__mul__", "torch.Tensor.__mul__"),  # inherited
]
NAMES = [name for _, _, name in SHARED]


@pytest.fixture(autouse=True)
def _unharmed():
    """Keep other tests from what is not put back, so that only the test of that fails."""
    shared = [(owner, name) for owner, name, _ in SHARED]
    shared += [(torch.Tensor, "relu"), (nn.Dropout, "forward"), (builtins, "sorted")]
    own = [(owner, name, vars(owner).get(name)) for owner, name in shared]
    path, folders, directory = sys.path, list(sys.path), os.getcwd()
    streams, hook, limit = (sys.stdout, sys.stderr), sys.excepthook, sys.getrecursionlimit()
    hooks = [each for name, each in vars(all_modules).items() if name.startswith("_global_")]
    yield
    for owner, name, value in own:
        if value is not None:
            setattr(owner, name, value)
        elif name in vars(owner):
            delattr(owner, name)
    sys.path, sys.path[:] = path, folders
    (sys.stdout, sys.stderr), sys.excepthook = streams, hook
    sys.setrecursionlimit(limit)
    os.chdir(directory)
    torch.set_default_dtype(torch.float32)
    torch.set_grad_enabled(True)
    for each in hooks:
        if isinstance(each, dict):
            each.clear()


def another(_):
    return lambda *args, **kwargs: args


def wrapped(before):
    @functools.wraps(before)
    def wrapper(*args, **kwargs):
        return before(*args, **kwargs)

    return wrapper


def made_up_to_be_torchs(_):
    def cross_entropy(*args, **kwargs):
        return args

    cross_entropy.__module__ = "torch.nn.functional"
    return cross_entropy


def of_torch(_):
    return torch.softmax


def test_each_kind_of_change_is_tried():
    assert set(CHANGES) == set(guard._STATES)
    assert set(guard._QUIETLY) == QUIET
    owners = [owner for owner, _, _ in SHARED]
    assert {*guard._SHARED} >= {*owners}
    assert all(getattr(owner, name) is not None for owner, name, _ in SHARED)


@pytest.mark.parametrize(("what", "change", "see"), EACH, ids=IDS)
def test_a_change_is_put_back_and_named(what, change, see):
    changed, before = [], see()
    with guarded(changed):
        change()
    assert see() == before
    assert changed == ([] if what in QUIET else [what])


@pytest.mark.parametrize("error", [ZeroDivisionError, SystemExit, KeyboardInterrupt])
@pytest.mark.parametrize(("what", "change", "see"), EACH, ids=IDS)
def test_a_change_is_put_back_and_named_after_an_exception(what, change, see, error):
    changed, before = [], see()

    def fail():
        change()
        raise error

    with pytest.raises(error), guarded(changed):
        fail()
    assert see() == before
    assert changed == ([] if what in QUIET else [what])


@pytest.mark.parametrize("replace", [another, wrapped, made_up_to_be_torchs, of_torch])
@pytest.mark.parametrize(("owner", "name", "called"), SHARED, ids=NAMES)
def test_what_is_replaced_for_all_is_put_back_and_named(owner, name, called, replace):
    changed, before, own = [], getattr(owner, name), name in vars(owner)
    with guarded(changed):
        setattr(owner, name, replace(before))
        assert getattr(owner, name) is not before
    assert getattr(owner, name) is before
    assert (name in vars(owner)) == own
    assert changed == [called]


@pytest.mark.parametrize(
    ("owner", "name", "called"), [each for each in SHARED if each[1] in vars(each[0])]
)
def test_what_is_removed_for_all_is_put_back_and_named(owner, name, called):
    changed, before = [], vars(owner)[name]
    with guarded(changed):
        delattr(owner, name)
        assert name not in vars(owner)
    assert vars(owner)[name] is before
    assert changed == [called]


@given(
    st.lists(st.sampled_from(range(len(EACH))), unique_by=lambda number: EACH[number][0]),
    st.lists(st.sampled_from(range(len(SHARED))), unique=True),
    st.randoms(use_true_random=False),
    st.booleans(),
)
@settings(deadline=None, max_examples=60)
def test_all_that_is_changed_at_once_is_put_back_and_named(states, names, chance, fails):
    changed = []
    seen = [see() for _, _, see in EACH]
    own = [vars(owner).get(name) for owner, name, _ in SHARED]
    tasks = [*(EACH[number][1] for number in states)]
    tasks += [
        functools.partial(setattr, owner, name, another(None))
        for owner, name, _ in map(SHARED.__getitem__, names)
    ]
    chance.shuffle(tasks)

    def change():
        for task in tasks:
            task()
        if fails:
            raise SystemExit

    if fails:
        with pytest.raises(SystemExit), guarded(changed):
            change()
    else:
        with guarded(changed):
            change()
    assert [see() for _, _, see in EACH] == seen
    assert [vars(owner).get(name) for owner, name, _ in SHARED] == own
    wanted = {EACH[number][0] for number in states} - QUIET | {SHARED[n][2] for n in names}
    assert set(changed) == wanted
    assert len(changed) == len(wanted)


def test_what_changes_nothing_names_nothing():
    changed = []
    with guarded(changed):
        torch.set_default_dtype(torch.get_default_dtype())
        torch.set_grad_enabled(torch.is_grad_enabled())
        torch.set_num_threads(torch.get_num_threads())
        sys.path[:] = list(sys.path)
        os.chdir(os.getcwd())
        os.environ["EXPLORER_TEST"] = "1"
        del os.environ["EXPLORER_TEST"]
        with torch.no_grad(), torch.device("meta"), warnings.catch_warnings():
            F.relu(nn.Linear(2, 2)(torch.zeros(1, 2)))
        before, F.relu = F.relu, print
        F.relu = before
        torch.of_the_author = nn.Module.of_the_author = print  # new names do no harm
    assert changed == []
    del torch.of_the_author, nn.Module.of_the_author


def test_a_guard_within_a_guard_tells_what_was_changed_in_it():
    outer, inner, last = [], [], []
    with guarded(outer):
        torch.set_default_dtype(torch.float64)
        F.relu = print
        with guarded(inner):
            sys.setrecursionlimit(4321)
        with guarded(last):
            torch.set_default_dtype(torch.float16)
        assert torch.get_default_dtype() is torch.float64
        assert F.relu is print
    assert inner == ["the recursion limit"]
    assert last == ["torch's default dtype"]
    assert outer == ["torch's default dtype", "torch.nn.functional.relu"]
    assert torch.get_default_dtype() is torch.float32


# What torch does of its own accord when it is first used, in a process that has not used it yet.

FIRST = """
import json, sys, warnings

from explorer.plugin.guard import guarded

found = {}
for what in json.loads(sys.argv[1]):
    changed = []
    with warnings.catch_warnings(), guarded(changed):
        warnings.simplefilter("ignore")
        exec(what)
    if changed:
        found[what] = changed
print(json.dumps(found))
"""
USES = """
import torch; from torch import nn
import torch.utils.data, torch.utils.checkpoint, torch.utils.flop_counter, torch.utils.benchmark
import torch.fx, torch.func, torch.jit, torch.export, torch.amp, torch.profiler, torch.hub
import torch.distributed, torch.distributions, torch.sparse, torch.fft, torch.linalg, torch.special
import torch.ao.quantization, torch.nn.utils.parametrize, torch.nn.utils.prune, torch.nn.attention
import torch.optim.swa_utils, torch.optim.lr_scheduler, torch.nested, torch.masked, torch.testing
import torch.multiprocessing, torch.package, torch.backends.cudnn, torch.cuda, torch.library
import torch.utils.cpp_extension
import torchvision, torchvision.models, torchvision.ops, torchvision.transforms.v2
import captum.attr
nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.LazyConv2d(2, 1))(torch.ones(2, 1, 4, 4))
nn.Linear(3, 3)(torch.ones(1, 3)).sum().backward()
nn.MultiheadAttention(4, 2)(*[torch.ones(1, 1, 4)] * 3)
[o([nn.Parameter(torch.ones(1))]).step() for o in (torch.optim.SGD, torch.optim.AdamW)]
nn.utils.parametrizations.weight_norm(nn.Linear(3, 3))
torch.utils.checkpoint.checkpoint(nn.Linear(3, 3), torch.ones(1, 3), use_reentrant=True)
list(torch.utils.data.DataLoader([1, 2, 3]))
torch.vmap(torch.sin)(torch.ones(3)), torch.func.grad(torch.sin)(torch.ones(()))
torch.jit.script(nn.Linear(3, 3)), torch.jit.trace(nn.ReLU(), torch.ones(3))
torch.fx.symbolic_trace(nn.Linear(3, 3))
import copy, pickle; copy.deepcopy(nn.Linear(3, 3)), pickle.dumps(nn.Linear(3, 3))
torch.autocast("cpu")(nn.Linear(3, 3))(torch.ones(1, 3)), torch.inference_mode()(torch.ones)(3)
import torch._dynamo
torch.compile(nn.Linear(3, 3), backend="eager")(torch.ones(1, 3))
torch.compile(nn.Linear(3, 3), backend="aot_eager")(torch.ones(1, 3))
torch.export.export(nn.Linear(3, 3), (torch.ones(1, 3),))
import torch._inductor.compile_fx
""".strip().splitlines()


def first_use(*uses):
    done = subprocess.run(
        [sys.executable, "-c", FIRST, json.dumps(uses)],
        capture_output=True,
        text=True,
        check=False,
        cwd=Path(guard.__file__).parents[2],
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def test_an_import_of_torch_and_its_first_use_name_nothing():
    assert first_use(*USES) == {}


def test_a_change_beside_a_first_use_is_named():
    compiled = (
        "import torch\ntorch.compile(torch.nn.Linear(3, 3), backend='eager')(torch.ones(3))\n"
    )
    change = "torch.nn.Module.__init__ = torch.set_default_dtype(torch.float64)"
    assert first_use(compiled + change, "torch.compile(torch.nn.ReLU(), backend='eager')") == {
        compiled + change: ["torch's default dtype", "torch.nn.modules.module.Module.__init__"]
    }


def test_loading_the_built_in_plugins_for_the_first_time_names_nothing():
    load_all = "from explorer.plugin.registry import load\nfrom explorer.plugin.sources import *\n"
    load_all += "registry = load(built_in())\nassert registry.broken == registry.meddling == ()\n"
    assert first_use(load_all + "assert len(registry.architectures) > 8") == {}


def test_loading_the_built_in_plugins_names_nothing(registry):
    assert registry.meddling == ()
    assert load(built_in()).meddling == ()
    assert len(BUILT_IN) > 3


# Plugins, one after the other.

NETWORK = """
import os, sys
import torch
import torch.nn.functional as F
from torch import nn

from explorer import hookimpl

{first}


@hookimpl
def register_architectures(register):
    {hook}
    register({name})


class {name}(nn.Module):
    def __init__(self, images):
        {init}
        super().__init__()
        self.linear = nn.Linear(images.channels * images.size**2, images.num_classes)

    def forward(self, x):
        {forward}
        return self.linear(x.flatten(1))
"""


def plugin(folder, name, first="", hook="pass", init="pass", forward="pass"):
    text = NETWORK.format(name=name, first=first, hook=hook, init=init, forward=forward)
    (folder / f"{name.lower()}.py").write_text(text, encoding="utf-8")


# What a plugin may do, and what it is called.
DEEDS = {
    "torch.set_default_dtype(torch.float64)": "torch's default dtype",
    "torch.set_default_device('meta')": "torch's default device",
    "torch.set_grad_enabled(False)": "torch's grad mode",
    "torch.set_num_threads(torch.get_num_threads() + 1)": "torch's number of threads",
    "torch.use_deterministic_algorithms(True)": "torch's deterministic mode",
    "torch.autograd.set_detect_anomaly(True)": "torch's anomaly detection",
    "nn.modules.module.register_module_forward_hook(lambda *_: None)": (
        "torch's hooks of all modules"
    ),
    "sys.path.insert(0, '/nowhere')": "sys.path",
    "sys.path = ['/nowhere', *sys.path]": "sys.path",
    "sys.setrecursionlimit(4321)": "the recursion limit",
    "os.chdir('/')": "the working directory",
    "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)": "signal handlers",
    "sys.stdout = open(os.devnull, 'w')": "sys.stdout or sys.stderr",
    "sys.stderr = open(os.devnull, 'w')": "sys.stdout or sys.stderr",
    "sys.excepthook = print": "sys.excepthook",
    "F.cross_entropy = lambda *_, **__: torch.zeros((), requires_grad=True)": (
        "torch.nn.functional.cross_entropy"
    ),
    "torch.Tensor.relu = lambda x: x": "torch.Tensor.relu",
    "nn.Dropout.forward = lambda _, x: x": "torch.nn.modules.dropout.Dropout.forward",
    "import builtins; builtins.sorted = list": "builtins.sorted",
}
# What one plugin sees of it in another, and everyone afterwards.
SEEN = """
import builtins, signal
from torch.nn.modules import module

def seen():
    return {
        "dtype": torch.zeros(1).dtype,
        "device": torch.zeros(1).device,
        "grad": torch.is_grad_enabled(),
        "threads": torch.get_num_threads(),
        "deterministic": torch.are_deterministic_algorithms_enabled(),
        "anomalies": torch.is_anomaly_enabled(),
        "random": torch.get_rng_state().tolist(),
        "hooks": len(module._global_forward_hooks),
        "path": (id(sys.path), list(sys.path)),
        "limit": sys.getrecursionlimit(),
        "directory": os.getcwd(),
        "environment": dict(os.environ),
        "signals": signal.getsignal(signal.SIGTERM),
        "hook": sys.excepthook,
        "errors": sys.stderr,
        "functions": (F.cross_entropy, torch.Tensor.relu, nn.Dropout.forward, builtins.sorted),
    }

"""


def now():
    place = {"torch": torch, "F": F, "nn": nn, "sys": sys, "os": os}
    exec(SEEN, place)
    return place["seen"]()


@pytest.mark.parametrize("where", ["first", "hook", "init", "forward"])
@pytest.mark.parametrize("deed", DEEDS)
def test_a_plugin_that_changes_the_process_is_named_wherever_it_does_so(tmp_path, deed, where):
    plugin(tmp_path, "Meddles", **{where: deed})
    before, streams = now(), (sys.stdout, sys.stderr)
    registry = load(in_folders([tmp_path]))
    assert now() == before
    assert (sys.stdout, sys.stderr) == streams
    if "sys.stdout" in deed and where in ("init", "forward"):
        assert registry.meddling == ()  # a network never has the process's own, as it is tried
        return
    (found,) = registry.meddling
    assert found.source.location == tmp_path / "meddles.py"
    assert found.changes == (DEEDS[deed],)
    assert found.text == (
        f"Loading it changes {DEEDS[deed]} for all plugins; this was undone. Do it within the "
        "network's own methods, and undo it there."
    )


def test_a_plugin_is_not_affected_by_those_before_it(tmp_path):
    look = SEEN + "SEEN = [seen()]"
    plugin(tmp_path, "Looks", first=look, hook="SEEN.append(seen())", init="SEEN.append(seen())")
    before, alone = now(), load(in_folders([tmp_path]))
    saw = sys.modules[alone["looks"].constructor.function.__module__].SEEN
    assert len(saw) >= 3
    plugin(tmp_path, "Alters", first="\n".join(DEEDS), init="torch.manual_seed(1)")
    plugin(tmp_path, "Breaks", first="\n".join([*DEEDS, "1 / 0"]))
    plugin(tmp_path, "Calls", first="\n".join([*DEEDS, "os.environ.clear()", "sys.exit()"]))
    (tmp_path / "looks.py").write_text((tmp_path / "looks.py").read_text() + "\n# loaded again\n")
    both = load(in_folders([tmp_path]))
    assert now() == before
    later = sys.modules[both["looks"].constructor.function.__module__].SEEN
    assert later is not saw
    assert later == saw
    assert [each.source.name for each in both.meddling] == ["alters", "breaks", "calls"]
    everything = tuple(dict.fromkeys(DEEDS.values()))
    assert {frozenset(each.changes) for each in both.meddling} == {frozenset(everything)}
    assert [each.source.name for each in both.broken if each.name == ""] == ["breaks", "calls"]


def test_a_keyboard_interrupt_in_a_plugin_puts_back_what_it_changed(tmp_path):
    plugin(tmp_path, "Interrupted", first="\n".join([*DEEDS, "raise KeyboardInterrupt"]))
    before = now()
    with pytest.raises(KeyboardInterrupt):
        load(in_folders([tmp_path]))
    assert now() == before


def test_the_networks_of_a_plugin_that_changes_the_process_can_be_used(tmp_path):
    plugin(tmp_path, "Doubles", first="torch.set_default_dtype(torch.float64)")
    registry = discover([tmp_path])
    assert registry.broken == ()
    model = registry["doubles"].build(registry["doubles"].images)
    assert model.linear.weight.dtype is torch.float32
    assert [each.source.name for each in registry.meddling] == ["doubles"]


def test_random_numbers_and_the_environment_are_put_back_without_a_word(tmp_path):
    deeds = "torch.manual_seed(7)\nos.environ['EXPLORER_TEST'] = '1'\nimport warnings\n"
    plugin(tmp_path, "Draws", first=deeds + "warnings.simplefilter('error')", init="torch.rand(9)")
    before, filters = now(), list(warnings.filters)
    assert load(in_folders([tmp_path])).meddling == ()
    assert now() == before
    assert warnings.filters == filters


def test_several_changes_are_one_sentence(registry):
    source = registry["plain"].source
    found = Meddling(source, ("torch's default dtype", "sys.path"))
    assert found.text.startswith("Loading it changes torch's default dtype, sys.path for all")
