"""Ask a network about pictures of digits: `python benchmarks/pictures.py [--seed N] [--json]`.

The pictures are MNIST's test digits as people scan, photograph and draw them (`digit_pictures.py`
beside the tests): 24 conditions, strengths drawn from a seed. Each way makes an image of MNIST from
a picture, and the recorded `residual` classifies it; a picture that is refused counts as classified
incorrectly. *sure* is the share that the explorer has no doubt about, *if sure* its accuracy there.
The explorer's way was made with seed 0; any other seed shows it what it has never seen.
"""

import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from statistics import mean, median
from time import process_time
from typing import Any, TypeVar

import numpy as np
import torch
from common import Row, machine, parser, show
from numpy.typing import NDArray
from PIL import Image

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from digit_pictures import CONDITIONS, pictures

from explorer.data.cache import load_arrays
from explorer.data.loader import default_device
from explorer.data.mnist import MNIST
from explorer.data.pictures import PictureError, Prepared, prepare_and_show
from explorer.plugin.registry import discover
from explorer.runs.recorded import open_examples
from explorer.runs.restore import load_network
from explorer.settings import read_settings

Image28 = NDArray[np.uint8]
T = TypeVar("T")


def main() -> None:
    """Print the table."""
    options = parser(__doc__)
    options.add_argument("--pictures", type=int, default=60, help="of each condition")
    options.add_argument("--seed", type=int, default=0, help="of digits and strengths")
    given = options.parse_args()
    arrays = load_arrays(MNIST, read_settings().cache)
    classify = _network()
    rows: list[Row] = []
    seconds: list[float] = []
    for condition in CONDITIONS:
        chance = np.random.default_rng([given.seed, *condition.encode()])
        chosen = np.sort(chance.choice(len(arrays.test_labels), given.pictures, replace=False))
        digits, labels = arrays.test_images[chosen, 0], arrays.test_labels[chosen]
        made = [picture for _, picture in pictures(condition, digits, given.seed)]
        row: Row = {"condition": condition}
        shown = []
        for picture in made:
            began = process_time()
            shown.append(_attempt(_shown, picture))
            seconds.append(process_time() - began)
        images = [each and each.image[0] for each in shown]
        row["explorer"] = _accuracy(classify, images, labels)
        for way, prepared in WAYS.items():
            row[way] = _accuracy(classify, [_attempt(prepared, each) for each in made], labels)
        row["the digits"] = _accuracy(classify, list(digits), labels)
        sure = np.array([each is not None and each.sure for each in shown])
        row["sure"] = 100 * float(sure.mean())
        of_sure = [image for image, is_sure in zip(images, sure, strict=True) if is_sure]
        row["if sure"] = _accuracy(classify, of_sure, labels[sure])
        rows.append(row)
    overall = {way: mean(row[way] for row in rows) for way in rows[0] if way != "condition"}
    rows.append({"condition": "all", **overall})
    show(
        {
            **machine(),
            "seed": given.seed,
            "pictures of each condition": given.pictures,
            "ms of a core, median picture": round(1000 * median(seconds)),
            "ms, slowest": round(1000 * max(seconds)),
            "Classified correctly, %": rows,
        },
        given.json,
    )


def _network() -> Callable[[Image28], NDArray[np.int64]]:
    """Return what predicts the classes of images, `(N, 28, 28)`: the recorded `residual`."""
    store, registry = open_examples(), discover()
    run = next(run for run in store.runs() if run.spec.architecture == "residual")
    device = default_device()
    model = load_network(run, store.moment(run.id), store, registry, device)

    def classify(images: Image28) -> NDArray[np.int64]:
        pixels = torch.tensor(images, device=device)[:, None].float() / 255
        with torch.inference_mode():
            logits = model((pixels - MNIST.mean[0]) / MNIST.std[0])
        predicted: NDArray[np.int64] = logits.argmax(1).cpu().numpy()
        return predicted

    return classify


def _attempt(way: Callable[[Image.Image], T], picture: Image.Image) -> T | None:
    try:
        return way(picture)
    except PictureError:
        return None


def _accuracy(
    classify: Callable[[Image28], NDArray[np.int64]], images: list[Any], labels: NDArray[np.int64]
) -> float:
    """Return the share that is classified correctly, in percent; what was refused is not."""
    usable = [image is not None for image in images]
    if not any(usable):
        return 0.0
    predicted = classify(np.stack([image for image in images if image is not None]))
    return 100 * float((predicted == labels[usable]).sum()) / len(labels)


# --- the ways


def _shown(picture: Image.Image) -> Prepared:
    return prepare_and_show(picture, MNIST)


def _on_white(picture: Image.Image) -> NDArray[np.float64]:
    """Return the greys of a picture, 0-255; what is transparent is white."""
    whole = picture.convert("RGBA")
    paper = Image.new("RGBA", whole.size, "white")
    paper.alpha_composite(whole)
    return np.asarray(paper.convert("L"), np.float64)


def _resized(picture: Image.Image) -> Image28:
    """Resize the whole picture, white on black."""
    grey = _on_white(picture)
    grey = 255 - grey if grey.mean() > 127 else grey
    small = Image.fromarray(grey.astype(np.uint8)).resize((28, 28), Image.Resampling.BOX)
    image: Image28 = np.asarray(small)
    return image


def _otsu(picture: Image.Image) -> Image28:
    """Prepare as most scripts for MNIST do: Otsu's threshold, a box of 20 pixels, its mass."""
    grey = _on_white(picture)
    counts = np.bincount(grey.astype(np.uint8).ravel(), minlength=256).astype(float)
    if (counts > 0).sum() < 2:
        raise PictureError("There is no ink.")
    below, levels = counts.cumsum(), np.arange(256)
    above = below[-1] - below
    sums = (counts * levels).cumsum()
    with np.errstate(invalid="ignore", divide="ignore"):
        apart = below * above * (sums / below - (sums[-1] - sums) / above) ** 2
    dark = grey <= np.nanargmax(apart)
    ink = dark if dark.mean() < 0.5 else ~dark
    rows, columns = (np.flatnonzero(ink.any(axis)) for axis in (1, 0))
    cut = ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    width, height = (max(1, round(20 * side / max(cut.shape))) for side in cut.shape[::-1])
    small = Image.fromarray((255 * cut).astype(np.uint8)).resize(
        (width, height), Image.Resampling.BOX
    )
    image = np.zeros((28, 28), np.uint8)
    pixels = np.asarray(small)
    middle = [
        (pixels.sum(axis) @ np.arange(n)) / pixels.sum() for axis, n in ((1, height), (0, width))
    ]
    top, left = (
        int(np.clip(round(14 - centre), 0, 28 - side))
        for centre, side in zip(middle, pixels.shape, strict=True)
    )
    image[top : top + height, left : left + width] = pixels
    return image


WAYS: Mapping[str, Callable[[Image.Image], Image28]] = {
    "resized": _resized,
    "Otsu, box, mass": _otsu,
}


if __name__ == "__main__":
    main()
