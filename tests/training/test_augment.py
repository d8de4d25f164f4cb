import pytest
import torch

from explorer.training.augment import SHARE, augmented


def pictures(count=200, channels=1, side=16):
    """Images without a black pixel, so that what moves in from outside is known."""
    return torch.randint(1, 256, (count, channels, side, side), dtype=torch.uint8)


def moved(image, down, right):
    """The image moved by whole pixels, black where nothing was."""
    empty = torch.zeros_like(image)
    height, width = image.shape[1:]
    for row in range(height):
        for column in range(width):
            if 0 <= row - down < height and 0 <= column - right < width:
                empty[:, row, column] = image[:, row - down, column - right]
    return empty


def test_none_returns_the_very_images_and_draws_no_random_number():
    images = pictures()
    torch.manual_seed(3)
    before = torch.get_rng_state()
    assert augmented(images, "none") is images
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("how", ["shift", "shift+flip"])
def test_each_image_is_moved_by_its_own_whole_pixels_and_perhaps_mirrored(channels, how):
    images = pictures(60, channels)
    torch.manual_seed(0)
    found = augmented(images, how)
    assert found.dtype is torch.uint8
    assert found.shape == images.shape
    far = 16 // SHARE
    ways = [(down, right) for down in range(-far, far + 1) for right in range(-far, far + 1)]
    seen, mirrored = set(), 0
    for image, result in zip(images, found, strict=True):
        plain = [way for way in ways if torch.equal(moved(image, *way), result)]
        flipped = [way for way in ways if torch.equal(moved(image.flip(2), *way), result)]
        assert len(plain) + len(flipped) == 1
        mirrored += bool(flipped)
        seen |= {*plain, *flipped}
    assert len(seen) > len(ways) / 2
    assert (10 < mirrored < 50) == (how == "shift+flip")


def test_the_same_state_of_the_generator_gives_the_same_images():
    images = pictures()
    results = []
    for _ in range(2):
        torch.manual_seed(5)
        results.append(augmented(images, "shift+flip"))
    assert torch.equal(*results)
    assert not torch.equal(results[0], augmented(images, "shift+flip"))


def test_the_smallest_images_are_moved_too():
    images = pictures(50, side=4)
    assert not torch.equal(augmented(images, "shift"), images)
