"""Networks as others write them: nothing in their code is meant for the explorer.

Those of torchvision and those below, written as in papers and tutorials, are for small images, in
evaluation mode, with random weights that are the same each time.
"""

import functools
import warnings

import torch
import torch.nn.functional as F
from inspection.trees import settle
from torch import nn
from torch.utils.checkpoint import checkpoint
from torchvision import models

from explorer.inspection.tracing import Trace, trace

# --- pytorch/examples


class MnistNet(nn.Module):
    """The structure of `mnist` in pytorch/examples."""

    def __init__(self):
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(1, 32, 3), nn.Conv2d(32, 64, 3)
        self.dropout1, self.dropout2 = nn.Dropout(0.25), nn.Dropout(0.5)
        self.fc1, self.fc2 = nn.Linear(9216, 128), nn.Linear(128, 10)

    def forward(self, x):
        x = F.relu(self.conv1(x))
        x = F.relu(self.conv2(x))
        x = F.max_pool2d(x, 2)
        x = torch.flatten(self.dropout1(x), 1)
        x = F.relu(self.fc1(x))
        return F.log_softmax(self.fc2(self.dropout2(x)), dim=1)


class MnistRnn(nn.Module):
    """The structure of `mnist_rnn` in pytorch/examples: the rows of the image are the steps."""

    def __init__(self):
        super().__init__()
        self.rnn = nn.LSTM(28, 64, batch_first=True)
        self.batchnorm = nn.BatchNorm1d(64)
        self.dropout1, self.dropout2 = nn.Dropout(0.25), nn.Dropout(0.5)
        self.fc1, self.fc2 = nn.Linear(64, 32), nn.Linear(32, 10)

    def forward(self, x):
        x = x.reshape(-1, 28, 28)
        output, _ = self.rnn(x)
        output = output[:, -1, :]
        output = self.dropout1(self.batchnorm(output))
        output = F.relu(self.fc1(output))
        return F.log_softmax(self.fc2(self.dropout2(output)), dim=1)


# --- other ways to merge


class DoubleConv(nn.Sequential):
    """Two convolutions."""

    def __init__(self, inputs, outputs):
        super().__init__(
            nn.Conv2d(inputs, outputs, 3, padding=1, bias=False),
            nn.BatchNorm2d(outputs),
            nn.ReLU(inplace=True),
            nn.Conv2d(outputs, outputs, 3, padding=1, bias=False),
            nn.BatchNorm2d(outputs),
            nn.ReLU(inplace=True),
        )


class Up(nn.Module):
    """Twice as many pixels, beside what was there at that size on the way down."""

    def __init__(self, inputs, outputs):
        super().__init__()
        self.up = nn.ConvTranspose2d(inputs, outputs, 2, stride=2)
        self.conv = DoubleConv(2 * outputs, outputs)

    def forward(self, below, across):
        below = self.up(below)
        return self.conv(torch.cat([across, below], dim=1))


class UNet(nn.Module):
    """Ronneberger et al. 2015, arXiv:1505.04597: an answer for each pixel."""

    def __init__(self, channels=1, classes=2, width=4):
        super().__init__()
        self.inc = DoubleConv(channels, width)
        self.down1, self.down2 = DoubleConv(width, 2 * width), DoubleConv(2 * width, 4 * width)
        self.up1, self.up2 = Up(4 * width, 2 * width), Up(2 * width, width)
        self.outc = nn.Conv2d(width, classes, 1)

    def forward(self, x):
        x1 = self.inc(x)
        x2 = self.down1(F.max_pool2d(x1, 2))
        x3 = self.down2(F.max_pool2d(x2, 2))
        x = self.up1(x3, x2)
        x = self.up2(x, x1)
        return self.outc(x)


class HighwayLayer(nn.Module):
    """Srivastava et al. 2015, arXiv:1505.00387: y = T(x) H(x) + (1 - T(x)) x."""

    def __init__(self, width):
        super().__init__()
        self.plain, self.gate = nn.Linear(width, width), nn.Linear(width, width)

    def forward(self, x):
        t = torch.sigmoid(self.gate(x))
        return torch.relu(self.plain(x)) * t + x * (1 - t)


class Highway(nn.Module):
    """Two highway layers."""

    def __init__(self, width=16):
        super().__init__()
        self.begin = nn.Linear(64, width)
        self.layers = nn.ModuleList([HighwayLayer(width), HighwayLayer(width)])
        self.end = nn.Linear(width, 3)

    def forward(self, x):
        x = self.begin(x.flatten(1))
        for layer in self.layers:
            x = layer(x)
        return self.end(x)


def squash(s):
    """Make each vector shorter than 1 and keep its direction."""
    norm2 = (s**2).sum(-1, keepdim=True)
    return norm2 / (1 + norm2) * s / torch.sqrt(norm2 + 1e-8)


class Capsules(nn.Module):
    """Sabour et al. 2017, arXiv:1710.09829: the length of each class's vector is the answer."""

    def __init__(self, rounds=3):
        super().__init__()
        self.rounds = rounds
        self.conv = nn.Conv2d(1, 8, 3, stride=2, padding=1)
        self.primary = nn.Conv2d(8, 8, 3, stride=2, padding=1)
        self.weight = nn.Parameter(0.1 * torch.randn(3, 8, 4, 6))  # (classes, capsules, from, to)

    def forward(self, x):
        x = self.primary(F.relu(self.conv(x)))
        u = squash(x.reshape(len(x), 2, 4, -1).transpose(2, 3).reshape(len(x), -1, 4))
        votes = (u[:, None, :, None, :] @ self.weight).squeeze(3)  # (N, classes, capsules, to)
        return self.route(votes).norm(dim=-1)

    def route(self, votes):
        """Let the capsules vote for the classes that the votes of the others agree with."""
        b = torch.zeros(votes.shape[:3], device=votes.device)
        for number in range(self.rounds):
            c = torch.softmax(b, dim=1)
            v = squash((c[:, :, None] @ votes).squeeze(2))
            if number < self.rounds - 1:
                b = b + (votes @ v[..., None]).squeeze(-1)
        return v


# --- attention


class Attention(nn.Module):
    """Several heads, written out."""

    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.qkv, self.proj = nn.Linear(width, 3 * width), nn.Linear(width, width)

    def forward(self, x):
        n, tokens, width = x.shape
        qkv = self.qkv(x).reshape(n, tokens, 3, self.heads, width // self.heads)
        q, k, v = qkv.permute(2, 0, 3, 1, 4).unbind(0)
        attn = (q @ k.transpose(-2, -1)) * (width // self.heads) ** -0.5
        attn = attn.softmax(dim=-1)
        return self.proj((attn @ v).transpose(1, 2).reshape(n, tokens, width))


class EncoderBlock(nn.Module):
    """Attention and a small network, each beside a skip."""

    def __init__(self, width, heads):
        super().__init__()
        self.norm1, self.attn = nn.LayerNorm(width), Attention(width, heads)
        self.norm2 = nn.LayerNorm(width)
        self.mlp = nn.Sequential(
            nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width)
        )

    def forward(self, x):
        x = x + self.attn(self.norm1(x))
        return x + self.mlp(self.norm2(x))


class ViT(nn.Module):
    """Dosovitskiy et al. 2020, arXiv:2010.11929."""

    def __init__(self, width=16, heads=4, depth=2, classes=3):
        super().__init__()
        self.patches = nn.Conv2d(1, width, 4, stride=4)
        self.token = nn.Parameter(torch.randn(1, 1, width))
        self.position = nn.Parameter(torch.randn(1, 17, width))
        self.blocks = nn.Sequential(*[EncoderBlock(width, heads) for _ in range(depth)])
        self.norm, self.head = nn.LayerNorm(width), nn.Linear(width, classes)

    def forward(self, x):
        x = self.patches(x).flatten(2).transpose(1, 2)
        x = torch.cat([self.token.expand(len(x), -1, -1), x], dim=1) + self.position
        return self.head(self.norm(self.blocks(x))[:, 0])


class RowAttention(nn.Module):
    """torch's own attention over the rows of an image."""

    def __init__(self):
        super().__init__()
        self.attention = nn.MultiheadAttention(16, 4, batch_first=True)
        self.linear = nn.Linear(256, 3)

    def forward(self, x):
        x = x[:, 0]
        y, _ = self.attention(x, x, x)
        return self.linear((x + y).flatten(1))


class RowEncoder(nn.Module):
    """torch's own transformer over the rows of an image."""

    def __init__(self):
        super().__init__()
        layer = nn.TransformerEncoderLayer(16, 4, 32, batch_first=True)
        self.encoder = nn.TransformerEncoder(layer, 2)
        self.linear = nn.Linear(256, 3)

    def forward(self, x):
        return self.linear(self.encoder(x[:, 0]).flatten(1))


def _googlenet(num_classes):
    return models.googlenet(num_classes=num_classes, aux_logits=False, init_weights=False)


# Each with the shape of its images.
NETWORKS = {
    **{
        name: (functools.partial(make, num_classes=10), (3, 32, 32))
        for name, make in {
            "resnet18": models.resnet18,
            "googlenet": _googlenet,
            "densenet121": models.densenet121,
            "shufflenet": models.shufflenet_v2_x0_5,
            "mobilenet": models.mobilenet_v3_small,
            "swin": models.swin_t,
        }.items()
    },
    "mnist": (MnistNet, (1, 28, 28)),
    "mnist rnn": (MnistRnn, (1, 28, 28)),
    "u-net": (UNet, (1, 16, 16)),
    "highway": (Highway, (1, 8, 8)),
    "capsules": (Capsules, (1, 8, 8)),
    "vit": (ViT, (1, 16, 16)),
    "row attention": (RowAttention, (1, 16, 16)),
    "row encoder": (RowEncoder, (1, 16, 16)),
}


@functools.cache
def network(name: str) -> nn.Module:
    """Return one of the networks, which no test may change."""
    torch.manual_seed(0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return settle(NETWORKS[name][0]()).eval()


def images(name: str, number: int = 2) -> torch.Tensor:
    """Return random images for one of the networks."""
    generator = torch.Generator().manual_seed(number)
    return torch.randn(number, *NETWORKS[name][1], generator=generator)


@functools.cache
def seen(name: str) -> Trace[torch.Size]:
    """Return what one run of one of the networks does, and what that costs."""
    return trace(network(name), images(name), lambda tensor: tensor.shape, count=True)


# --- networks of 1×8×8 images and 3 classes that do something unusual


class Usual(nn.Module):
    """A residual block of one convolution, which those below change."""

    def __init__(self):
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(1, 4, 3, padding=1), nn.Conv2d(4, 4, 3, padding=1)
        self.linear = nn.Linear(256, 3)

    def body(self, x):
        return self.conv2(x)

    def forward(self, x):
        x = F.relu(self.conv1(x))
        x = F.relu(x + self.body(x))
        return self.linear(x.flatten(1))


class WeightNorm(Usual):
    def __init__(self):
        super().__init__()
        self.conv2 = nn.utils.parametrizations.weight_norm(self.conv2)


class OldWeightNorm(Usual):
    def __init__(self):
        super().__init__()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)
            self.conv2 = nn.utils.weight_norm(self.conv2)


class Checkpoint(Usual):
    def body(self, x):
        return checkpoint(self.conv2, x, use_reentrant=False)


class ReentrantCheckpoint(Usual):
    def body(self, x):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that no input needs a gradient
            return checkpoint(self.conv2, x, use_reentrant=True)


class Scripted(Usual):
    def __init__(self):
        super().__init__()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that it is deprecated
            self.conv2 = torch.jit.script(nn.Sequential(self.conv2, nn.ReLU()))


class ComplexWeights(Usual):
    def __init__(self):
        super().__init__()
        self.filters = nn.Parameter(torch.randn(4, 8, 5, dtype=torch.cfloat))

    def body(self, x):
        return torch.fft.irfft2(torch.fft.rfft2(x) * self.filters, s=(8, 8))


class KeepsAnActivation(Usual):
    def body(self, x):
        self.last = self.conv2(x)
        return self.last


class CachesATable(Usual):
    table = None

    def body(self, x):
        if self.table is None:
            self.table = torch.linspace(0, 1, 64).view(1, 1, 8, 8)
        return self.conv2(x * self.table)


class OneNumberAnImage(Usual):
    def __init__(self):
        super().__init__()
        self.gate = nn.Sequential(nn.Flatten(), nn.Linear(256, 1), nn.Flatten(0))

    def body(self, x):
        return self.conv2(x) * self.gate(x)[:, None, None, None]


class CallsALayerTwice(Usual):
    def body(self, x):
        return self.conv2(torch.tanh(self.conv2(x)))


class ComputesInVain(Usual):
    def body(self, x):
        torch.tanh(self.conv2(x))
        return self.conv2(x)


class Tuple(Usual):
    def forward(self, x):
        y = super().forward(x)
        return y, y * 2


class Dictionary(Usual):
    def forward(self, x):
        y = super().forward(x)
        return {"logits": y, "features": y * 2}


class Vmap(Usual):
    def body(self, x):
        return torch.vmap(self.conv2)(x)


class InferenceMode(Usual):
    def body(self, x):
        with torch.inference_mode():
            inside = self.conv2(x)
        return inside.clone()


class Doubled(torch.autograd.Function):
    @staticmethod
    def forward(context, x):
        return x * 2

    @staticmethod
    def backward(context, gradient):
        return gradient * 2


class OwnFunction(Usual):
    def body(self, x):
        return Doubled.apply(self.conv2(x))


class ModulesInAList(Usual):
    def __init__(self):
        super().__init__()
        self.hidden = [nn.Conv2d(4, 4, 1)]

    def body(self, x):
        return self.hidden[0](x)


class ToFloat(Usual):
    def body(self, x):
        return self.conv2(x.float())


class NoGrad(Usual):
    def body(self, x):
        with torch.no_grad():
            return self.conv2(x)


class Autocast(Usual):
    def body(self, x):
        with torch.autocast("cpu", torch.bfloat16):
            return self.conv2(x).float()


class InPlace(Usual):
    def forward(self, x):
        x = F.relu(self.conv1(x), inplace=True)
        y = self.conv2(x)
        y.add_(x)
        return self.linear(y.relu_().flatten(1))


class WritesParts(Usual):
    def forward(self, x):
        x = self.conv1(x)
        y = torch.empty_like(x)
        y[:, :2] = self.conv2(x)[:, :2]
        y[:, 2:] = x[:, 2:]
        return self.linear(y.flatten(1))


class OneDimension(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv, self.linear = nn.Conv1d(8, 4, 3), nn.Linear(24, 3)

    def forward(self, x):
        return self.linear(self.conv(x[:, 0]).flatten(1))


class ThreeDimensions(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv, self.linear = nn.Conv3d(1, 4, 3, padding=1), nn.Linear(256, 3)

    def forward(self, x):
        return self.linear(self.conv(x[:, :, None]).flatten(1))


ONE = [("sum", ["skip", "conv2"])]
# Each with its blocks: how their branches are merged, and what they are called.
UNUSUAL = {
    WeightNorm: ONE,
    OldWeightNorm: ONE,
    Checkpoint: ONE,
    ReentrantCheckpoint: ONE,
    Scripted: ONE,
    ComplexWeights: [("sum", ["skip", "residual"])],
    KeepsAnActivation: ONE,
    CachesATable: ONE,
    OneNumberAnImage: [("sum", ["skip", "residual"]), ("product", ["conv2", "gate"])],
    CallsALayerTwice: ONE,
    ComputesInVain: ONE,
    Tuple: ONE,
    Dictionary: ONE,
    Vmap: ONE,
    InferenceMode: ONE,
    OwnFunction: ONE,
    ModulesInAList: [("sum", ["skip", "residual"])],
    ToFloat: ONE,
    NoGrad: ONE,
    Autocast: ONE,
    InPlace: [("sum", ["conv2", "skip"])],
    WritesParts: [("write", ["conv2", "skip"])],
    OneDimension: [],
    ThreeDimensions: [],
}
