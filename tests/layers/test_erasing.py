"""RandomErasing: timm's fillings, numbers of rectangles and clean splits."""

import pytest
import torch

import augment as A

timm_erasing = pytest.importorskip("timm.data.random_erasing")
COUNT, SIDE = 64, 40
GREY = torch.full((COUNT, 3, SIDE, SIDE), 0.5)


def erased(**options: object) -> torch.Tensor:
    layer = A.RandomErasing(p=1.0, **options)
    return layer(GREY, layer.noise(torch.arange(COUNT)))


@pytest.mark.parametrize("count", [1, 3, (1, 4)])
def test_a_value_per_channel(count):
    out = erased(value=(0.1, 0.2, 0.3), count=count)
    changed = (out != 0.5).all(1)
    assert changed.flatten(1).any(1).all()
    assert torch.equal(out.movedim(1, -1)[changed], torch.tensor([0.1, 0.2, 0.3]).expand(int(changed.sum()), 3))


def test_rand_is_one_standard_normal_colour_per_rectangle():
    out = erased(value="rand")
    colours = [image.flatten(1)[:, (image != 0.5).all(0).flatten()].unique(dim=1) for image in out]
    assert {colour.shape for colour in colours} == {(3, 1)}
    found = torch.cat(colours)
    assert found.mean() == pytest.approx(0, abs=0.25)
    assert found.std() == pytest.approx(1, abs=0.2)
    several = erased(value="rand", count=3)
    kinds = [len(image.flatten(1)[:, (image != 0.5).all(0).flatten()].unique(dim=1).T) for image in several]
    assert 1 <= min(kinds) <= max(kinds) == 3


@pytest.mark.parametrize("value", ["pixel", "random"])
def test_pixel_is_noise_in_every_pixel(value):
    out = erased(value=value, count=2)
    noise = out[out != 0.5]
    assert noise.mean() == pytest.approx(0, abs=0.05)
    assert noise.std() == pytest.approx(1, abs=0.05)


@pytest.mark.parametrize("counts", [(1, 1), (1, 4), (3, 3)])
def test_the_erased_area_is_timms(counts):
    """timm draws again where a rectangle does not fit, which small areas do."""
    torch.manual_seed(0)
    theirs = timm_erasing.RandomErasing(
        1.0, 0.02, 0.1, min_count=counts[0], max_count=counts[1], mode="const", device="cpu"
    )
    expected = torch.stack([theirs(GREY[0].clone()) for _ in range(1000)])
    layer = A.RandomErasing((0.02, 0.1), (0.3, 1 / 0.3), count=counts, p=1.0)
    ours = layer(GREY[:1].expand(1000, -1, -1, -1), layer.noise(torch.arange(1000)))
    areas = [(images == 0).all(1).flatten(1).float().mean(1) for images in (ours, expected)]
    assert areas[0].mean() == pytest.approx(areas[1].mean().item(), rel=0.06)
    assert areas[0].std() == pytest.approx(areas[1].std().item(), rel=0.12)


@pytest.mark.parametrize("splits", [0, 1, 2, 3])
def test_the_first_split_is_clean(splits):
    out = erased(num_splits=splits)
    changed = (out != 0.5).flatten(1).any(1)
    clean = COUNT // splits if splits > 1 else 0
    assert torch.equal(changed, torch.arange(COUNT) >= clean)


def test_a_chunked_batch_has_one_clean_split():
    """A large batch goes through other layers in chunks; the split counts the whole batch."""
    images = torch.zeros(48, 3, 160, 160)
    pipeline = A.Pipeline(A.RandomInvert(p=1.0), A.RandomErasing(p=1.0, value=7.0, num_splits=2))
    changed = (pipeline(images) == 7).flatten(1).any(1)
    assert torch.equal(changed, torch.arange(48) >= 24)


@pytest.mark.parametrize("count", [0, -1, (2, 1), 101, (1, 2, 3)])
def test_impossible_counts(count):
    with pytest.raises(ValueError, match=r"RandomErasing: count=.* must be a whole number or a pair"):
        A.RandomErasing(count=count)
