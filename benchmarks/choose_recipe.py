"""Choose the `fast` preset: `python benchmarks/choose_recipe.py [--json]`.

Trains the tutorial's three nets for one epoch on 55,000 of MNIST's training images, at several
learning rates and batch sizes, and scores them on the other 5,000. The test images are not used;
`time_to_accuracy.py` measures on them what was chosen here.
"""

import json
import sys
from dataclasses import replace
from itertools import product
from statistics import mean, stdev

import torch
from common import NETS, parser

from explorer.data.loader import Data, Split, default_device, load_data
from explorer.data.mnist import MNIST
from explorer.plugin.registry import discover
from explorer.settings import read_settings
from explorer.training.events import Epoch
from explorer.training.loop import DivergedError, train
from explorer.training.recipe import preset

RATES = (0.003, 0.004, 0.005, 0.006, 0.008, 0.011)
BATCHES = (64, 128)
VALIDATION = 5_000


def main() -> None:
    """Print a row for each net, batch size and learning rate."""
    asked = parser(__doc__)
    asked.add_argument("--nets", nargs="*", default=NETS, help="which architectures")
    asked.add_argument("--rates", nargs="*", type=float, default=RATES, help="learning rates")
    asked.add_argument("--batches", nargs="*", type=int, default=BATCHES, help="batch sizes")
    asked.add_argument("--seeds", type=int, default=3, help="trainings of each")
    asked.add_argument("--threads", type=int, help="so that several can run side by side")
    options = asked.parse_args()
    if options.threads:
        torch.set_num_threads(options.threads)
    data = _held_out(load_data(MNIST, default_device(), read_settings().cache))
    rows = []
    for net, batch, rate in product(options.nets, options.batches, options.rates):
        scores = [100 * _score(net, batch, rate, seed, data) for seed in range(options.seeds)]
        rows.append(
            {
                "net": net,
                "batch": batch,
                "learning rate": rate,
                "validation accuracy, %": mean(scores),
                "std": stdev(scores) if len(scores) > 1 else 0.0,
            }
        )
        line = "{:10} batch {:4} rate {:<6} {:6.2f} % ± {:.2f}".format(*rows[-1].values())
        print(line, file=sys.stderr if options.json else sys.stdout, flush=True)
    if options.json:
        print(json.dumps(rows, indent=2))


def _held_out(data: Data) -> Data:
    """Put the last training images in the place of the test images."""
    whole = data.train

    def part(chosen: slice) -> Split:
        return replace(whole, images=whole.images[chosen], labels=whole.labels[chosen])

    return Data(data.spec, part(slice(None, -VALIDATION)), part(slice(-VALIDATION, None)))


def _score(net: str, batch: int, rate: float, seed: int, data: Data) -> float:
    recipe = preset("fast").changed(batch_size=batch, learning_rate=rate, seed=seed)
    torch.manual_seed(seed)
    model = discover()[net].build(data.spec)
    try:
        return next(e.test_accuracy for e in train(model, data, recipe) if isinstance(e, Epoch))
    except DivergedError:
        return 0.0


if __name__ == "__main__":
    main()
