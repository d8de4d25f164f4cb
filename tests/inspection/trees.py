"""Networks to look into: random ones, their forward pass by hand, and what must not change."""

import warnings
from contextlib import contextmanager

import torch
import torch.nn.functional as F
from hypothesis import settings
from hypothesis import strategies as st
from torch import nn
from torch.nn.modules import module as everywhere

from explorer.branches import Branches, add, concat
from explorer.data.loader import Data, Split
from explorer.spec import ImageSpec

# Networks that ship for the lessons, made of what the others are made of.
MEASURED = {"deep", "windows", "inception-relu"}
property_test = settings(max_examples=40, deadline=None)

_HOOKS = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")
_GLOBAL_HOOKS = [f"_global{name}" for name in _HOOKS]


def _bytes(tensor):
    return None if tensor is None else tensor.detach().numpy().tobytes()


def _state(model):
    return {
        "tensors": [
            (name, id(t), _bytes(t)) for name, t in model.state_dict(keep_vars=True).items()
        ],
        "gradients": [(p.requires_grad, _bytes(p.grad)) for p in model.parameters()],
        "modules": [
            (name, module.training, getattr(module, "merge", None), *_lengths(module, _HOOKS))
            for name, module in model.named_modules()
        ],
        "hooks of all modules": _lengths(everywhere, _GLOBAL_HOOKS),
        "random generator": _bytes(torch.get_rng_state()),
    }


def _lengths(owner, names):
    return [len(getattr(owner, name)) for name in names]


@contextmanager
def unchanged(model):
    """Nothing about `model` may differ afterwards, whether an exception leaves the block or not."""
    before = _state(model)
    try:
        yield
    finally:
        after = _state(model)
        assert before
        for what in before:
            assert after[what] == before[what], what


class Breaks(nn.Sequential):
    """Runs all it holds, then fails."""

    def forward(self, x):
        super().forward(x)
        raise RuntimeError("on purpose")


class Noise(nn.Module):
    """Draws at random, in evaluation mode as well."""

    def forward(self, x):
        return x + torch.randn_like(x)


class CachesATable(nn.Module):
    """Makes a table at its first run and keeps it as an attribute, as position encodings do."""

    def __init__(self):
        super().__init__()
        self.table = None
        self.conv = nn.Conv2d(1, 4, 3, padding=1)
        self.linear = nn.Linear(4 * 64, 3)

    def forward(self, x):
        if self.table is None:
            self.table = torch.linspace(0.5, 1.5, 64).view(1, 1, 8, 8)
        return self.linear((self.table * self.conv(x * self.table)).flatten(1))


class Queries(nn.Module):
    """Runs modules on parameters: learned queries, and dropout on a position embedding."""

    def __init__(self):
        super().__init__()
        self.queries = nn.Parameter(torch.randn(3, 4))
        self.position = nn.Parameter(torch.randn(1, 64, 4))
        self.embed = nn.Conv2d(1, 4, 1)
        self.drop, self.norm, self.key = nn.Dropout(), nn.LayerNorm(4), nn.Linear(4, 4)

    def forward(self, x):
        x = self.embed(x).flatten(2).transpose(1, 2) + self.drop(self.position)
        scores = self.norm(self.queries) @ self.key(x).transpose(1, 2)
        return scores.mean(2)


class Odd(nn.Module):
    """Has modules that take no tensor, give a tuple, give a number an image, or one for all."""

    class _Table(nn.Module):
        def forward(self):
            return torch.ones(1, 1, 8, 8)

    class _Pair(nn.Module):
        def forward(self, x):
            return x, -x

    class _Sum(nn.Module):
        def forward(self, x):
            return x.flatten(1).sum(1)

    class _Mean(nn.Module):
        def forward(self, *, x):
            return x.mean()

    def __init__(self):
        super().__init__()
        self.table, self.pair, self.sum, self.mean = (
            self._Table(),
            self._Pair(),
            self._Sum(),
            self._Mean(),
        )
        self.linear = nn.Linear(1, 3)

    def forward(self, x):
        _, x = self.pair(x * self.table())
        return self.linear(self.sum(x)[:, None]) + self.mean(x=x)


def parametrized(name):
    """A convolution and a linear layer whose weights are computed of others at each run."""
    torch.manual_seed(0)
    norm = getattr(nn.utils.parametrizations, name)
    return nn.Sequential(norm(nn.Conv2d(1, 4, 3)), nn.ReLU(), nn.Flatten(), norm(nn.Linear(144, 3)))


def old_weight_norm():
    """The same by the function that came before parametrizations, which keeps an activation."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        norm = nn.utils.weight_norm
        return nn.Sequential(norm(nn.Conv2d(1, 4, 3)), nn.Flatten(), norm(nn.Linear(144, 3)))


# Networks of 1×8×8 images and 3 classes with modules that are no map from activations to another.
UNUSUAL = {
    "weight norm": lambda: parametrized("weight_norm"),
    "spectral norm": lambda: parametrized("spectral_norm"),
    "orthogonal": lambda: parametrized("orthogonal"),
    "old weight norm": old_weight_norm,
    "queries": Queries,
    "odd modules": Odd,
    "cached table": CachesATable,
}


def small_data(size=40):
    """A few random images of 1×8×8 in 3 classes."""
    generator = torch.Generator().manual_seed(1)
    images = torch.randint(0, 256, (size, 1, 8, 8), generator=generator, dtype=torch.uint8)
    channels = torch.full((1, 1, 1), 0.4), torch.full((1, 1, 1), 0.25)
    split = Split(images, torch.arange(size) % 3, *channels)
    return Data(ImageSpec(1, 8, 3), split, split)


def settle(model):
    """Give batch norm statistics as after some training, so that its two modes differ."""
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.running_mean, -0.5, 0.5)
            nn.init.uniform_(module.running_var, 0.5, 1.5)
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.uniform_(module.bias, -0.5, 0.5)
    return model


@st.composite
def blocks(draw, inputs, depth=2, activations=True):
    """A `Branches` of random paths that keep height and width, and how many channels it gives."""
    add_up = draw(st.booleans())
    widths = draw(st.lists(st.integers(1, 4), min_size=2, max_size=3))
    if add_up:
        widths = [draw(st.sampled_from([inputs, 3]))] * len(widths)
    paths = {
        name: draw(_paths(inputs, width, depth - 1, activations))
        for name, width in zip(("1x1", "skip", "b"), widths, strict=False)
    }
    return Branches(paths, add if add_up else concat), widths[0] if add_up else sum(widths)


@st.composite
def _paths(draw, inputs, outputs, depth, activations):
    kinds = ["conv", "normalised", *["nested"] * 2 * (depth > 0)]
    if inputs == outputs:
        kinds += ["skip", "pool"]
    kind = draw(st.sampled_from(kinds))
    kernel = draw(st.sampled_from([1, 3, (1, 3)]))
    if kind == "skip":
        return nn.Identity()
    if kind == "pool":
        return nn.AvgPool2d(3, stride=1, padding=1)
    if kind == "conv":
        return nn.Conv2d(inputs, outputs, kernel, padding="same", bias=draw(st.booleans()))
    if kind == "normalised":
        last = nn.ReLU() if activations else nn.Identity()
        return settle(
            nn.Sequential(nn.Conv2d(inputs, outputs, 3, padding=1), nn.BatchNorm2d(outputs), last)
        )
    inner, width = draw(blocks(inputs, depth, activations))
    return nn.Sequential(inner, nn.Conv2d(width, outputs, 1))


@st.composite
def networks(draw, activations=True):
    """A network of one to three blocks between other layers, and a few images for it."""
    torch.manual_seed(draw(st.integers(0, 2**31)))
    height, width = draw(st.tuples(st.integers(1, 5), st.integers(1, 5)))
    channels = inputs = draw(st.integers(1, 2))
    parts = []
    for _ in range(draw(st.integers(1, 3))):
        block, channels = draw(blocks(channels, 2, activations))
        parts += [block, *[nn.ReLU()] * (activations and draw(st.booleans()))]
    parts += [nn.Flatten(), nn.Linear(channels * height * width, 3)]
    return nn.Sequential(*parts).eval(), torch.randn(draw(st.integers(1, 3)), inputs, height, width)


def path_of(path, name):
    return f"{path}.{name}" if path else name


def by_hand(module, x, path="", off=(), seen=None):
    """What `module` gives in evaluation mode, without calling it or any module in it.

    Branches in `off` count as zeros. What each layer, operation, branch and block gives goes into
    `seen`, a merge under its block's name. What hands its very input on, such as `nn.Identity`, is
    none of these, nor are the branches where nothing is merged, as in a sum of one path. What runs
    again has another number at each run.
    """
    seen = {} if seen is None else seen
    if (formula := FORMULAS.get(type(module).__name__)) is not None:
        return formula(_Hand(module, path, off, seen), x)
    if isinstance(module, Branches):
        ways = {path_of(path, name): branch for name, branch in module.items()}
        given = {own: by_hand(branch, x, own, off, seen) for own, branch in ways.items()}
        if not merges(module):
            return given.popitem()[1]
        seen |= given
        outputs = [torch.zeros_like(y) if own in off else y for own, y in given.items()]
        if module.merge is concat:
            seen[path] = torch.cat(outputs, 1)
            return seen[path]
        total, *others = outputs
        for number, output in enumerate(others, 1):
            total = total + output
            name = path_of(path, "add()" if number == 1 else f"add()#{number}")
            seen[path if number == len(others) else name] = total
        return total
    if isinstance(module, nn.Sequential):
        y = x
        for name, child in module.named_children():
            y = by_hand(child, y, path_of(path, name), off, seen)
        return y
    y = _layer(module, x)
    if y is not x:
        seen[_numbered(path, seen)] = y
    return y


def _numbered(name, seen):
    return next(n for n in (name, *(f"{name}#{i}" for i in range(2, 100))) if n not in seen)


def merges(module):
    """Whether a `Branches` does anything with the outputs of its paths."""
    return len(module) > 1


def _layer(module, x):
    match module:
        case nn.Conv2d(weight=w, bias=b, stride=stride, padding=padding):
            return F.conv2d(x, w, b, stride, padding)
        case nn.BatchNorm2d(running_mean=mean, running_var=variance, weight=w, bias=b):
            return F.batch_norm(x, mean, variance, w, b)
        case nn.ReLU():
            return x.clamp(min=0)
        case nn.MaxPool2d():
            return F.max_pool2d(
                x, module.kernel_size, module.stride, module.padding, ceil_mode=module.ceil_mode
            )
        case nn.AvgPool2d():
            return F.avg_pool2d(
                x, module.kernel_size, module.stride, module.padding, ceil_mode=module.ceil_mode
            )
        case nn.Dropout():
            return x.clone()
        case nn.AdaptiveAvgPool2d(output_size=1):
            return x.mean((2, 3), keepdim=True)
        case nn.Flatten():
            return x.reshape(len(x), -1)
        case nn.Linear(weight=w, bias=b):
            return F.linear(x, w, b)
        case nn.Identity():
            return x
        case _ if type(module).__name__ == "PadChannels":
            zeros = x.new_zeros(len(x), module.more, *x[:, :, ::2, ::2].shape[2:])
            return torch.cat([x[:, :, ::2, ::2], zeros], 1)
    raise NotImplementedError(module)


class _Hand:
    """Does what a module's `forward` does, step by step, and keeps what each step gives."""

    def __init__(self, module, path, off, seen):
        self.module, self.path, self.off, self.seen = module, path, off, seen

    def __call__(self, name, x):
        """Run one of its modules."""
        module, path = self.module.get_submodule(name), path_of(self.path, name)
        return by_hand(module, x, path, self.off, self.seen)

    def keep(self, operation, y):
        """Keep what an operation gave."""
        self.seen[_numbered(path_of(self.path, f"{operation}()"), self.seen)] = y
        return y

    def relu(self, x):
        return self.keep("relu", x.clamp(min=0))

    def merge(self, merge, **branches):
        """Merge branches."""
        given = {path_of(self.path, name): y for name, y in branches.items()}
        self.seen |= given
        outputs = [torch.zeros_like(y) if own in self.off else y for own, y in given.items()]
        self.seen[self.path] = torch.cat(outputs, 1) if merge is concat else sum(outputs)
        return self.seen[self.path]


def _halved(net, x, conv):
    return net.relu(net("pool", net(conv, x)))


def _plain(net, x):
    x = _halved(net, _halved(net, x, "conv1"), "conv2")
    return net("linear", x.reshape(len(x), -1))


def _residual(net, x):
    x = net("block1", _halved(net, x, "conv1"))
    x = net("block2", _halved(net, x, "conv2"))
    return net("linear", x.reshape(len(x), -1))


def _residual_block(block, x):
    residual = block("conv2", block.relu(block("conv1", x)))
    return block.relu(block.merge(add, skip=x, residual=residual))


def _block_as_printed(block, x):
    block.relu(block("conv1", x))
    return block.relu(block.merge(add, skip=x, conv2=block("conv2", x)))


def _residual_bn(net, x):
    x = net.relu(net("norm", net("conv", x)))
    x = net.keep("max_pool2d", F.max_pool2d(x, 2))
    for number in range(len(net.module.blocks)):
        x = net(f"blocks.{number}", x)
    return net("linear", net.keep("mean", x.mean((2, 3))))


def _block_bn(block, x):
    residual = block.relu(block("norm1", block("conv1", x)))
    residual = block("norm2", block("conv2", residual))
    return block.relu(block.merge(add, skip=x, residual=residual))


def _inception(net, x):
    x = net("incep1", _halved(net, x, "conv1"))
    x = net("incep2", _halved(net, x, "conv2"))
    return net("linear", x.reshape(len(x), -1))


def _inception_block(block, x):
    pooled = block.keep("avg_pool2d", F.avg_pool2d(x, 3, 1, 1))
    return block.merge(
        concat,
        branch1x1=block("branch1x1", x),
        branch5x5=block("branch5x5_2", block("branch5x5_1", x)),
        branch3x3=block("branch3x3_3", block("branch3x3_2", block("branch3x3_1", x))),
        branch_pool=block("branch_pool", pooled),
    )


def _inception_bn(net, x):
    x = net("stem", x)
    for number in range(len(net.module.blocks)):
        x = net.keep("max_pool2d", F.max_pool2d(x, 2, ceil_mode=True))
        x = net(f"blocks.{number}", x)
    return net("linear", net.keep("mean", x.mean((2, 3))))


def _inception_bn_block(block, x):
    pooled = block.keep("max_pool2d", F.max_pool2d(x, 3, 1, 1))
    names = ("branch1x1", "branch3x3", "branch5x5")
    outputs = {name: block(name, x) for name in names}
    return block.merge(concat, **outputs, branch_pool=block("branch_pool", pooled))


# What the `forward` of the built-ins does that are in plain code.
FORMULAS = {
    "Plain": _plain,
    "Residual": _residual,
    "ResidualAsPrinted": _residual,
    "ResidualBlock": _residual_block,
    "BlockAsPrinted": _block_as_printed,
    "ResidualBN": _residual_bn,
    "BlockBN": _block_bn,
    "Inception": _inception,
    "InceptionBlock": _inception_block,
    "InceptionBN": _inception_bn,
    "InceptionBNBlock": _inception_bn_block,
}
