"""Labels of every kind in every mix: class numbers, multi-hots, probabilities, targets."""

import pytest
import torch

import augment as A
from tests.unchecked import import_unchecked

MIXES = {
    "RandomMixUp": lambda **kwargs: A.RandomMixUp(**kwargs),
    "RandomCutMix": lambda **kwargs: A.RandomCutMix(**kwargs),
    "ResizeMix": lambda **kwargs: A.ResizeMix(**kwargs),
    "RandomMosaic": lambda **kwargs: A.RandomMosaic(p=0.8, **kwargs),
    "RandomTransplantation": lambda **kwargs: A.RandomTransplantation(p=0.8, **kwargs),
    "RandomMix": lambda **kwargs: A.RandomMix([A.RandomMixUp(), A.RandomCutMix(), A.RandomMosaic()], p=0.9, **kwargs),
}
every_mix = pytest.mark.parametrize("name", MIXES)
SIZE = 8


def mixed(label: torch.Tensor, name: str, **kwargs: object) -> torch.Tensor:
    layer = MIXES[name](**kwargs)
    mask = torch.arange(20 * 24).view(1, 20, 24) // 37 % 5 + torch.arange(SIZE)[:, None, None]
    image = torch.rand(SIZE, 3, 20, 24, generator=torch.Generator().manual_seed(0))
    return layer(A.Batch(image, label=label, mask=mask), layer.noise(torch.arange(SIZE))).label


def weights(name: str) -> torch.Tensor:
    """(B, B): the share of every sample in every mixed one."""
    return mixed(torch.eye(SIZE), name)


@every_mix
def test_the_shares_are_no_identity(name):
    shares = weights(name)
    torch.testing.assert_close(shares.sum(1), torch.ones(SIZE))
    assert (shares.diagonal() < 0.999).sum() >= 3


@every_mix
@pytest.mark.parametrize("dtype", [torch.float16, torch.float32, torch.float64], ids=str)
def test_targets_are_mixed_as_they_are(name, dtype):
    target = torch.linspace(-3, 5, SIZE).to(dtype)
    out = mixed(target, name)
    assert out.shape == (SIZE,)
    assert out.dtype == dtype
    expected = (weights(name) @ target.float()).to(dtype)  # float32, whatever comes out
    torch.testing.assert_close(out, expected, rtol=1e-3 if dtype == torch.float16 else 1e-5, atol=1e-5)


@every_mix
@pytest.mark.parametrize("dtype", [torch.bool, torch.uint8, torch.int64, torch.float32], ids=str)
@pytest.mark.parametrize("classes", [None, 5])
def test_a_multi_hot_of_any_type_is_mixed_as_it_is(name, dtype, classes):
    label = (torch.arange(SIZE * 5).view(SIZE, 5) * 7 % 3 == 0).to(dtype)
    out = mixed(label, name, num_classes=classes)
    assert out.shape == (SIZE, 5)
    torch.testing.assert_close(out, weights(name) @ label.float())


@every_mix
@pytest.mark.parametrize("shape", [(SIZE,), (SIZE, 1)], ids=str)
@pytest.mark.parametrize("dtype", [torch.uint8, torch.int32, torch.int64], ids=str)
def test_class_numbers_become_weights_of_all_classes(name, shape, dtype):
    number = torch.arange(SIZE) * 3 % 5
    out = mixed(number.view(shape).to(dtype), name, num_classes=5)
    assert out.shape == (SIZE, 5)
    torch.testing.assert_close(out, weights(name) @ torch.eye(5)[number])


@every_mix
def test_booleans_are_targets_or_class_numbers(name):
    truth = torch.arange(SIZE) % 3 == 0
    torch.testing.assert_close(mixed(truth, name), weights(name) @ truth.float())
    torch.testing.assert_close(mixed(truth, name, num_classes=2), weights(name) @ torch.eye(2)[truth.long()])
    torch.testing.assert_close(mixed(truth[:, None], name), weights(name) @ truth[:, None].float())


@every_mix
@pytest.mark.parametrize("shape", [(SIZE,), (SIZE, 1)], ids=str)
def test_class_numbers_need_to_know_how_many(name, shape):
    with pytest.raises(ValueError, match=f"{name}: labels .* of torch.int64 are class indices; give num_classes"):
        mixed(torch.zeros(shape, dtype=torch.int64), name)


@every_mix
@pytest.mark.parametrize("wrong", [-100, -1, 5, 2**40])
@pytest.mark.parametrize("shape", [(SIZE,), (SIZE, 1)], ids=str)
def test_what_is_no_class_is_refused(name, wrong, shape):
    number = torch.arange(SIZE) % 5
    number[3] = wrong
    with pytest.raises(ValueError, match=rf"{name}: class numbers must lie within \[0, 4\], got {wrong}"):
        mixed(number.view(shape), name, num_classes=5)


@every_mix
def test_class_numbers_of_several_tasks_are_no_multi_hot(name):
    several = torch.arange(SIZE * 3).view(SIZE, 3)
    with pytest.raises(ValueError, match=rf"{name}: a multi-hot label must lie within \[0, 1\], got 23"):
        mixed(several, name)
    with pytest.raises(ValueError, match=f"{name}: a multi-hot label must have num_classes=10 columns, got 3"):
        mixed(several, name, num_classes=10)


def test_compiled_code_does_not_read_labels():
    """A number that is no class has no weight, and changes no others'."""
    augment = import_unchecked("augment")
    layer = augment.RandomMixUp(num_classes=4)
    number, image = torch.tensor([0, -100, 2, 4]), torch.rand(4, 3, 5, 5)
    noise = layer.noise(torch.arange(4))
    compiled = torch.compile(lambda batch, noise: layer(batch, noise), fullgraph=True, backend="eager")
    out = compiled(augment.Batch(image, label=number), noise).label
    known = torch.tensor([[1.0, 0, 0, 0], [0, 0, 0, 0], [0, 0, 1, 0], [0, 0, 0, 0]])
    expected = layer(augment.Batch(image, label=known), noise).label
    torch.testing.assert_close(out, expected)


def test_a_second_mix_goes_on_with_what_the_first_made():
    for label, classes, shape in ((torch.arange(SIZE) % 5, 5, (SIZE, 5)), (torch.rand(SIZE), None, (SIZE,))):
        pipeline = A.Pipeline(A.RandomMixUp(num_classes=classes), A.RandomCutMix(num_classes=classes))
        assert pipeline(A.Batch(torch.rand(SIZE, 3, 8, 8), label=label)).label.shape == shape


@pytest.mark.parametrize("grid", [(2, 1), (1, 2), (1, 1), (3, 2)], ids=str)
@pytest.mark.parametrize("output", [None, (9, 11), (50, 70)], ids=str)
def test_a_mosaic_shows_images_wherever_its_window_starts(grid, output):
    layer = A.RandomMosaic(output, grid, start_ratio_range=1.0, p=1.0)
    out = layer(A.Batch(torch.ones(SIZE, 3, 20, 24), label=torch.eye(SIZE)))
    torch.testing.assert_close(out.label.sum(1), torch.ones(SIZE))
    height, width = out.image.shape[-2:]
    fits = height <= 20 * grid[1] and width <= 24 * grid[0]
    assert out.image.mean((1, 2, 3)).eq(1).all() == fits
    assert (out.image.mean((1, 2, 3)) >= 20 * 24 / (50 * 70) - 1e-6).all()
