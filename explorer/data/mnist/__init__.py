"""MNIST, complete, as the explorer ships it."""

import gzip
import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from explorer.data.dataset import DataSet, DataSetError
from explorer.language import later, say
from explorer.spec import ImageSpec

FOLDER = Path(__file__).parent
CHECKSUMS = {
    "train-images-idx3-ubyte": "6bbc9ace898e44ae57da46a324031adb",
    "train-labels-idx1-ubyte": "a25bea736e30d166cdddb491f175f624",
    "t10k-images-idx3-ubyte": "2646ac647ad5339dbf082846283269ea",
    "t10k-labels-idx1-ubyte": "27ae3e4e09519cfbb04c329615203637",
}


def read(folder: Path) -> Sequence[Any]:
    """Unpack the files into `folder` and read them.

    Raises:
        DataSetError: The explorer's copy of them is damaged.
    """
    from torchvision.datasets.mnist import read_image_file, read_label_file  # slow to import

    arrays = []
    for name, checksum in CHECKSUMS.items():
        try:
            content = gzip.decompress((FOLDER / f"{name}.gz").read_bytes())
            if hashlib.md5(content).hexdigest() != checksum:
                raise ValueError(
                    say("{file} does not have the MD5 sum {sum}", file=name, sum=checksum)
                )
        except (OSError, EOFError, ValueError) as error:
            raise DataSetError(
                say(
                    "The explorer's copy of the files in {folder} is damaged ({reason}); reinstall "
                    "the explorer.",
                    folder=FOLDER,
                    reason=error,
                )
            ) from error
        (folder / name).write_bytes(content)
        read_file = read_image_file if "images" in name else read_label_file
        arrays.append(read_file(str(folder / name)))
    return arrays


MNIST = DataSet(
    name="mnist",
    title="MNIST",
    images=ImageSpec(channels=1, size=28, num_classes=10),
    classes=tuple("0123456789"),
    read=read,
    mean=(0.1307,),
    std=(0.3081,),
    citation=later(
        "LeCun, Cortes & Burges, The MNIST database of handwritten digits (CC BY-SA 3.0)"
    ),
    version="",
    centred=True,
)
