import threading
import time

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torchvision.transforms import Compose, Normalize, ToTensor

import explorer.data.cache
from explorer.data.cache import Arrays
from explorer.data.dataset import DataSet
from explorer.data.loader import Data, Split, default_device, load_data
from explorer.data.mnist import MNIST
from explorer.plugin.registry import discover
from explorer.spec import ImageSpec

# A busy machine is slow, not wrong.
property_test = settings(deadline=None)

CPU = torch.device("cpu")


def split(length, channels=1, size=4, seed=0):
    """A split whose image `i` has the label `i`."""
    generator = torch.Generator().manual_seed(seed)
    return Split(
        torch.randint(256, (length, channels, size, size), generator=generator, dtype=torch.uint8),
        torch.arange(length),
        torch.full((channels, 1, 1), 0.25),
        torch.full((channels, 1, 1), 0.5),
    )


def order(images, batch_size, **options):
    return torch.cat([labels for _, labels in images.batches(batch_size, **options)]).tolist()


lengths = st.integers(1, 200)
batch_sizes = st.integers(1, 250)
seeds = st.integers(0, 2**40)


@property_test
@given(lengths, batch_sizes, seeds)
def test_every_image_comes_exactly_once_an_epoch(length, batch_size, seed):
    assert sorted(order(split(length), batch_size, seed=seed)) == list(range(length))


@property_test
@given(lengths, batch_sizes)
def test_without_a_seed_images_come_in_stored_order(length, batch_size):
    assert order(split(length), batch_size) == list(range(length))


@property_test
@given(lengths, batch_sizes)
def test_all_batches_are_full_except_the_last_and_no_image_is_left_alone(length, batch_size):
    sizes = [len(labels) for _, labels in split(length).batches(batch_size, seed=1)]
    assert len(sizes) == -(-length // batch_size)
    if length % batch_size == 1 and length > batch_size > 2:
        assert sizes == [batch_size] * (len(sizes) - 2) + [batch_size - 1, 2]
    else:
        assert sizes[:-1] == [batch_size] * (len(sizes) - 1)
        assert 1 <= sizes[-1] <= batch_size


@property_test
@given(lengths, batch_sizes, seeds)
def test_one_seed_gives_one_order_for_every_batch_size(length, batch_size, seed):
    assert order(split(length), batch_size, seed=seed) == order(split(length), length, seed=seed)


@property_test
@given(seeds)
def test_another_seed_gives_another_order(seed):
    images = split(100)
    assert order(images, 10, seed=seed) != order(images, 10, seed=seed + 1)


@property_test
@given(seed=seeds)
def test_the_order_neither_reads_nor_changes_the_global_generator(seed):
    torch.manual_seed(1)
    state = torch.get_rng_state()
    first = order(split(50), 10, seed=seed)
    assert torch.equal(torch.get_rng_state(), state)
    torch.manual_seed(2)
    assert order(split(50), 10, seed=seed) == first


@property_test
@given(lengths, batch_sizes, seeds)
def test_labels_stay_with_their_images(length, batch_size, seed):
    images = split(length)
    batches = list(images.batches(batch_size, seed=seed))
    assert batches
    for inputs, labels in batches:
        assert torch.equal(inputs, images.normalise(images.images[labels]))


def torchvision_s(images, mean, std):
    """What `ToTensor` and `Normalize` make of each image."""
    transform = Compose([ToTensor(), Normalize(mean, std)])
    return torch.stack([transform(image.permute(1, 2, 0).numpy()) for image in images])


def test_mnist_s_batches_equal_torchvision_s_to_the_bit(cache):
    data, known = load_data(MNIST, CPU, cache), MNIST
    wanted = torchvision_s(data.test.images[:200], known.mean, known.std)
    inputs, labels = next(data.test.batches(200))
    assert torch.equal(inputs, wanted)
    assert torch.equal(labels, data.test.labels[:200])


def test_every_byte_in_every_channel_equals_torchvision_s_to_the_bit():
    known = discover().dataset("cifar-10")
    every = torch.arange(256, dtype=torch.uint8).view(1, 1, 16, 16).repeat(2, 3, 1, 1)
    images = Split(
        every,
        torch.zeros(2, dtype=torch.int64),
        torch.tensor(known.mean).view(-1, 1, 1),
        torch.tensor(known.std).view(-1, 1, 1),
    )
    inputs, _ = next(images.batches(2))
    assert torch.equal(inputs, torchvision_s(every, known.mean, known.std))


@pytest.mark.parametrize("options", [{}, {"seed": 3}], ids=["stored", "shuffled"])
def test_batches_are_float32_in_channels_last_layout_with_int64_labels(options):
    batches = list(split(20, channels=3).batches(8, **options))
    assert len(batches) == 3
    for inputs, labels in batches:
        assert inputs.dtype == torch.float32
        assert inputs.is_contiguous(memory_format=torch.channels_last)
        assert inputs.shape[1:] == (3, 4, 4)
        assert labels.dtype == torch.int64


def test_making_batches_does_not_change_the_stored_images():
    images = split(20)
    before = images.images.clone()
    for inputs, _ in images.batches(8):
        inputs.zero_()
    assert torch.equal(images.images, before)


@property_test
@given(lengths, st.integers(1, 200))
def test_a_subset_is_the_same_for_every_call_and_holds_no_image_twice(length, size):
    first, second = split(length).subset(size), split(length).subset(size)
    assert torch.equal(first.labels, second.labels)
    assert torch.equal(first.images, second.images)
    assert len(first) == len(set(first.labels.tolist())) == min(size, length)


@property_test
@given(lengths)
def test_a_subset_keeps_images_and_labels_together(length):
    images = split(length)
    subset = images.subset(max(1, length // 2))
    assert torch.equal(subset.images, images.images[subset.labels])


def test_a_subset_is_drawn_from_the_whole_split():
    assert max(split(1000).subset(20).labels.tolist()) > 500


def test_a_smaller_subset_is_part_of_a_larger_one():
    images = split(100)
    assert set(images.subset(10).labels.tolist()) < set(images.subset(50).labels.tolist())


@pytest.mark.parametrize("size", [None, 30, 31])
def test_a_subset_of_all_is_the_split_itself(size):
    images = split(30)
    assert images.subset(size) is images


def test_a_data_set_is_the_same_object_for_every_call(mnist, cache):
    assert load_data(MNIST, default_device(), cache) is mnist


def test_a_data_set_is_on_its_device_as_bytes(cache):
    data = load_data(MNIST, CPU, cache)
    assert data.device == CPU
    assert data.spec == MNIST.images
    assert (len(data.train), len(data.test)) == (60_000, 10_000)
    assert data.train.images.dtype == data.test.images.dtype == torch.uint8
    assert data.train.mean.flatten().tolist() == pytest.approx(MNIST.mean)
    assert data.test.std.flatten().tolist() == pytest.approx(MNIST.std)


def test_threads_that_ask_at_once_share_one_data_set(tmp_path, monkeypatch):
    # As the pages of two visitors do, right after the start.
    calls = []

    def slow(*_):
        calls.append(1)
        time.sleep(0.2)
        images, labels = np.zeros((2, 1, 28, 28), np.uint8), np.zeros(2, np.int64)
        return Arrays(images, labels, images, labels)

    monkeypatch.setattr(explorer.data.cache, "load_arrays", slow)
    found = []
    threads = [
        threading.Thread(target=lambda: found.append(load_data(MNIST, CPU, tmp_path)))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({id(data) for data in found}) == 1
    assert len(calls) == 1


def test_grey_images_seen_as_colour_have_their_grey_in_each_channel():
    grey = Data(ImageSpec(1, 4, 10), split(8), split(4, seed=1))
    colour = grey.seen_as(ImageSpec(3, 4, 10))
    assert colour.spec.shape == (3, 4, 4)
    assert colour.train.images is grey.train.images
    for memory_format in (torch.channels_last, torch.contiguous_format):
        wanted, _ = grey.laid_out(memory_format).train.gather(torch.arange(8))
        found, _ = colour.laid_out(memory_format).train.subset(None).gather(torch.arange(8))
        assert torch.equal(found, wanted.repeat(1, 3, 1, 1))
        assert found.is_contiguous(memory_format=memory_format)
    assert grey.seen_as(grey.spec) is grey


def test_a_channel_that_is_the_same_everywhere_is_divided_by_one(tmp_path):
    images = np.zeros((4, 4, 4, 2), np.uint8)
    images[:2, ..., 0], images[..., 1] = 255, 51
    arrays = [images, [0, 1, 0, 1]] * 2
    facts = {"images": ImageSpec(2, 4, 2), "classes": "ab", "read": lambda _: arrays}
    for name, declared in (("measured", {}), ("declared", {"mean": (0.5, 0.2), "std": (0.5, 0)})):
        loaded = load_data(DataSet(name=name, **facts, **declared), CPU, tmp_path)
        assert loaded.train.std.flatten().tolist() == [0.5, 1]
        inputs, _ = loaded.train.gather(torch.arange(4))
        assert inputs[:, 1].abs().max() < 1e-6
        assert inputs[:, 0].abs().min() == 1


def test_the_default_device_is_one_that_can_be_used():
    assert torch.ones(1, device=default_device()).item() == 1
