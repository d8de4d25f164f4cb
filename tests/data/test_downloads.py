"""Data sets that are downloaded, from servers on this machine that answer well, badly or never."""

import contextlib
import gzip
import hashlib
import http.server
import io
import pickle
import re
import socket
import struct
import tarfile
import threading
import urllib.request

import numpy as np
import pytest
import torchvision.datasets

from explorer import DataSet, ImageSpec
from explorer.data.cache import DataError, load_arrays
from explorer.data.downloads import request_timeout
from explorer.plugin.registry import discover

dataset = discover().dataset
DOWNLOADED = ["fashion-mnist", "kmnist", "qmnist", "cifar-10"]


@contextlib.contextmanager
def serving(files):
    """A loopback server for `files`, a dictionary of bytes by path; yields its address."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            content = files.get(self.path.lstrip("/"))
            self.send_response(404 if content is None else 200)
            self.send_header("Content-Length", str(len(content or b"")))
            self.end_headers()
            self.wfile.write(content or b"")

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def closed_address():
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{unused.getsockname()[1]}/"


def point_torchvision_to(monkeypatch, address):
    """Make torchvision download everything from `address`."""
    vision = torchvision.datasets
    monkeypatch.setattr(vision.FashionMNIST, "mirrors", [address])
    monkeypatch.setattr(vision.KMNIST, "mirrors", [address])
    monkeypatch.setattr(vision.CIFAR10, "url", f"{address}cifar-10-python.tar.gz")
    moved = {
        part: [(address + url.rsplit("/", 1)[1], md5) for url, md5 in files]
        for part, files in vision.QMNIST.resources.items()
    }
    monkeypatch.setattr(vision.QMNIST, "resources", moved)
    monkeypatch.setenv("no_proxy", "127.0.0.1")


def idx(array, kind=8):
    """An array in the format of MNIST's files, gzipped."""
    array = np.asarray(array)
    header = struct.pack(f">I{array.ndim}I", kind * 256 + array.ndim, *array.shape)
    return gzip.compress(header + array.astype(">u1" if kind == 8 else ">i4").tobytes())


def md5(content):
    return hashlib.md5(content).hexdigest()


def pixels(*shape, seed=0):
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


@pytest.mark.parametrize("name", DOWNLOADED)
def test_without_a_network_the_error_names_data_set_url_and_cache(name, tmp_path, monkeypatch):
    point_torchvision_to(monkeypatch, closed_address())
    with pytest.raises(DataError) as error:
        load_arrays(dataset(name), tmp_path)
    sentence = str(error.value)
    assert sentence.startswith(f"{dataset(name).title} could not be downloaded from ")
    assert dataset(name).url in sentence
    assert str(tmp_path) in sentence
    assert "choose a data set that needs none" in sentence
    assert "\n" not in sentence
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", DOWNLOADED)
def test_a_corrupt_download_is_refused_and_leaves_nothing(name, tmp_path, monkeypatch):
    class Garbage(dict):
        def get(self, _):
            return gzip.compress(b"this is no data set")

    with serving(Garbage()) as address:
        point_torchvision_to(monkeypatch, address)
        with pytest.raises(DataError) as error:
            load_arrays(dataset(name), tmp_path)
    sentence = str(error.value)
    assert sentence.startswith(f"{dataset(name).title} could not be downloaded from ")
    assert dataset(name).url in sentence
    assert str(tmp_path) in sentence
    assert "corrupted" in sentence
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", DOWNLOADED)
def test_a_missing_file_is_refused_and_leaves_nothing(name, tmp_path, monkeypatch):
    with serving({}) as address:
        point_torchvision_to(monkeypatch, address)
        with pytest.raises(DataError, match="404"):
            load_arrays(dataset(name), tmp_path)
    assert list(tmp_path.iterdir()) == []


def serve_tiny(monkeypatch, cls, train_images, train_labels, test_images, test_labels):
    files = {
        "train-images-idx3-ubyte.gz": idx(train_images),
        "train-labels-idx1-ubyte.gz": idx(train_labels),
        "t10k-images-idx3-ubyte.gz": idx(test_images),
        "t10k-labels-idx1-ubyte.gz": idx(test_labels),
    }
    monkeypatch.setattr(cls, "resources", [(name, md5(file)) for name, file in files.items()])
    return serving(files)


def test_a_good_download_is_read_correctly_and_only_once(tmp_path, monkeypatch):
    train, test = pixels(7, 28, 28), pixels(3, 28, 28, seed=1)
    labels = [0, 9, 1, 8, 2, 7, 3]
    tiny = serve_tiny(
        monkeypatch, torchvision.datasets.FashionMNIST, train, labels, test, [4, 5, 6]
    )
    with tiny as address:
        point_torchvision_to(monkeypatch, address)
        arrays = load_arrays(dataset("fashion-mnist"), tmp_path)
    assert np.array_equal(arrays.train_images, train[:, None])
    assert arrays.train_labels.tolist() == labels
    assert np.array_equal(arrays.test_images, test[:, None])
    assert arrays.test_labels.tolist() == [4, 5, 6]
    assert [path.name[:-17] for path in tmp_path.iterdir()] == ["fashion-mnist"]
    # The server is gone, so this is the cache.
    again = load_arrays(dataset("fashion-mnist"), tmp_path)
    assert np.array_equal(again.train_images, arrays.train_images)


def test_a_download_shows_a_progress_bar(tmp_path, monkeypatch, capfd):
    tiny = serve_tiny(
        monkeypatch, torchvision.datasets.KMNIST, pixels(2, 28, 28), [0, 1], pixels(1, 28, 28), [2]
    )
    with tiny as address:
        point_torchvision_to(monkeypatch, address)
        load_arrays(dataset("kmnist"), tmp_path)
    assert re.search(r"100(\.0)?%", capfd.readouterr().err)


@pytest.mark.parametrize(
    ("images", "labels", "complaint"),
    [
        (pixels(3, 28, 28), [0, 1], "do not fit"),
        (pixels(2, 32, 32), [0, 1], "is expected"),
        (pixels(2, 28, 28), [0, 10], "the numbers 0 to 9"),
    ],
    ids=["a label is missing", "another size", "a class too many"],
)
def test_a_complete_download_of_something_else_is_refused(
    tmp_path, monkeypatch, images, labels, complaint
):
    tiny = serve_tiny(
        monkeypatch, torchvision.datasets.FashionMNIST, images, labels, pixels(1, 28, 28), [0]
    )
    with tiny as address:
        point_torchvision_to(monkeypatch, address)
        with pytest.raises(DataError, match=complaint):
            load_arrays(dataset("fashion-mnist"), tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_the_class_is_taken_from_the_labels_of_qmnist(tmp_path, monkeypatch):
    # A row is: class, series, writer, and so on.
    labels = np.array([[3, 100, 7, 1, 2, 3, 4, 5], [8, 200, 9, 1, 2, 3, 4, 5]], np.int32)
    images = pixels(2, 28, 28)
    files, resources = {}, {}
    for part in ("train", "test"):
        names = [f"qmnist-{part}-images-idx3-ubyte.gz", f"qmnist-{part}-labels-idx2-int.gz"]
        files |= dict(zip(names, [idx(images), idx(labels, kind=12)], strict=True))
        resources[part] = [(f"https://example.org/{name}", md5(files[name])) for name in names]
    monkeypatch.setattr(torchvision.datasets.QMNIST, "resources", resources)
    with serving(files) as address:
        point_torchvision_to(monkeypatch, address)
        arrays = load_arrays(dataset("qmnist"), tmp_path)
    assert arrays.train_labels.tolist() == arrays.test_labels.tolist() == [3, 8]
    assert np.array_equal(arrays.test_images, images[:, None])


def test_channels_come_before_height_and_width_in_cifar(tmp_path, monkeypatch):
    # A row of a CIFAR file is the red plane, then the green, then the blue one.
    rows, labels = pixels(10, 3 * 32 * 32), list(range(10))
    batches = {
        f"data_batch_{i + 1}": {
            "data": rows[2 * i : 2 * i + 2],
            "labels": labels[2 * i : 2 * i + 2],
        }
        for i in range(5)
    }
    batches["test_batch"] = {"data": rows[::-1][:4], "labels": labels[::-1][:4]}
    batches["batches.meta"] = {"label_names": list(dataset("cifar-10").classes)}
    contents = {name: pickle.dumps(batch) for name, batch in batches.items()}
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as tar:
        for name, content in contents.items():
            entry = tarfile.TarInfo(f"cifar-10-batches-py/{name}")
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
    cls = torchvision.datasets.CIFAR10
    train = [[name, md5(contents[name])] for name in contents if name.startswith("data")]
    monkeypatch.setattr(cls, "train_list", train)
    monkeypatch.setattr(cls, "test_list", [["test_batch", md5(contents["test_batch"])]])
    monkeypatch.setattr(cls, "meta", {**cls.meta, "md5": md5(contents["batches.meta"])})
    monkeypatch.setattr(cls, "tgz_md5", md5(packed.getvalue()))
    with serving({"cifar-10-python.tar.gz": packed.getvalue()}) as address:
        point_torchvision_to(monkeypatch, address)
        arrays = load_arrays(dataset("cifar-10"), tmp_path)
    planes = rows.reshape(10, 3, 32, 32)
    assert np.array_equal(arrays.train_images, planes)
    assert np.array_equal(arrays.test_images, planes[::-1][:4])
    assert arrays.train_images.flags.c_contiguous
    assert arrays.train_labels.tolist() == labels
    assert arrays.test_labels.tolist() == [9, 8, 7, 6]
    assert [path.name[:-17] for path in tmp_path.iterdir()] == ["cifar-10"]


# A server that never answers.


@contextlib.contextmanager
def silent_server():
    """A server that answers no request before the event that it has is set.

    Yields:
        Its address, a semaphore that counts the requests, and the event.
    """
    asked, answer = threading.Semaphore(0), threading.Event()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            asked.release()
            answer.wait()
            with contextlib.suppress(OSError):  # the other side may be gone
                self.send_response(200)
                self.send_header("Content-Length", "4")
                self.end_headers()
                self.wfile.write(b"here")

        def do_HEAD(self):
            self.do_GET()

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/", asked, answer
    finally:
        answer.set()
        server.shutdown()
        server.server_close()
        thread.join()


def answer_later(asked, answer):
    """Let the server answer, but later than an impatient thread would wait."""
    threading.Thread(target=lambda: (asked.acquire(), answer.wait(0.5), answer.set())).start()


@pytest.fixture
def impatient(monkeypatch):
    monkeypatch.setattr("explorer.data.cache.DOWNLOAD_SECONDS", 0.2)
    monkeypatch.setenv("no_proxy", "127.0.0.1")


@pytest.mark.parametrize("name", DOWNLOADED)
def test_a_silent_server_ends_in_a_sentence(name, tmp_path, monkeypatch, impatient):
    known = discover().dataset(name)
    with silent_server() as (address, *_):
        point_torchvision_to(monkeypatch, address)
        with pytest.raises(DataError) as error:
            load_arrays(known, tmp_path)
    assert str(error.value).startswith(f"{known.title} could not be downloaded from {known.url}")
    assert "(no answer for 0.2 seconds)" in str(error.value)
    assert list(tmp_path.iterdir()) == []


def test_other_threads_keep_their_own_time_outs_during_a_download(tmp_path, impatient):
    with silent_server() as (address, asked, answer):
        defaults, answers = [], []

        def ask_patiently():
            with urllib.request.urlopen(address) as response:
                answers.append(response.read())

        other = threading.Thread(target=ask_patiently)

        def read(_):
            defaults.append(socket.getdefaulttimeout())
            other.start()
            asked.acquire()  # the other thread's request has arrived
            urllib.request.urlopen(address)

        published = DataSet(
            name="toy", images=ImageSpec(1, 4, 2), classes=("a", "b"), read=read, url=address
        )
        with pytest.raises(DataError, match="no answer for"):
            load_arrays(published, tmp_path)
        answer.set()
        other.join()
    assert defaults == [socket.getdefaulttimeout()]
    assert answers == [b"here"]


def test_a_time_out_named_by_the_caller_is_kept(impatient):
    with silent_server() as (address, asked, answer), request_timeout(0.05):
        answer_later(asked, answer)
        with urllib.request.urlopen(address, timeout=60) as response:
            assert response.read() == b"here"


def test_after_a_download_the_thread_has_no_time_out(impatient):
    with silent_server() as (address, asked, answer):
        with request_timeout(0.05), pytest.raises(TimeoutError):
            urllib.request.urlopen(address)
        answer_later(asked, answer)
        with urllib.request.urlopen(address) as response:
            assert response.read() == b"here"


def test_an_installed_opener_stays_in_use(monkeypatch, impatient):
    monkeypatch.setattr(urllib.request, "_opener", None)
    seen = []

    class Watching(urllib.request.BaseHandler):
        def http_request(self, request):
            seen.append(request.full_url)
            return request

    urllib.request.install_opener(urllib.request.build_opener(Watching()))
    with silent_server() as (address, *_):
        for _ in range(2):
            with request_timeout(0.05), pytest.raises(TimeoutError):
                urllib.request.urlopen(address)
    assert seen == [address] * 2
