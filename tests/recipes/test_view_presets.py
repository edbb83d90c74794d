"""Presets of views: as many views as the papers have, of their sizes, with their probabilities."""

import pytest
import torch

import augment as A
from augment.recipes import presets

INDEX = torch.arange(1000)


def images(count: int, *size: int) -> torch.Tensor:
    return torch.randint(0, 256, (count, 3, *size), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))


def layer(view: A.Pipeline, cls: type[A.Layer]) -> A.Layer:
    (found,) = (layer for layer in view.layers if isinstance(layer, cls))
    return found


def shares(views: A.Views, cls: type[A.Layer]) -> list[float]:
    """Return for each view the share of samples that a layer changes."""
    noise, found = views.noise(INDEX), []
    for view, part in zip(views.views, noise.split([view.draws for view in views.views], dim=1), strict=True):
        ((leaf, params),) = [
            (leaf, params)
            for leaf, params in zip(view.leaves(), view.leaf_params(part), strict=True)
            if isinstance(leaf, cls)
        ]
        gate = leaf.acts_on(params)
        found.append(1.0 if gate is None else gate.float().mean().item())
    return found


@pytest.mark.parametrize(
    ("name", "arguments", "sizes"),
    [
        ("simclr", {"size": 24}, [24, 24]),
        ("byol", {"size": 24}, [24, 24]),
        ("dino", {"size": 24, "local_size": 10, "local_views": 6}, [24, 24, *[10] * 6]),
        ("fixmatch", {"size": 24}, [24, 24]),
    ],
)
def test_views_of_any_images_come_out_normalised(name, arguments, sizes):
    views = getattr(presets, name)(**arguments, mean=0.5, std=0.25, dtype="bfloat16")
    packed = A.PackedImages.from_images([*images(1, 40, 31), *images(1, 24, 50), *images(1, 24, 24)])
    for given in (images(3, 33, 40), packed):
        out = views(given, index=INDEX[:3])
        assert [view.shape for view in out] == [(3, 3, size, size) for size in sizes]
        assert {view.dtype for view in out} == {torch.bfloat16}
        assert all(view.min() < -0.5 < 0.5 < view.max() for view in out)
    assert getattr(presets, name)(**arguments, seed=7).seed == 7


def test_simclr_on_cifar_has_half_the_colours_and_no_blur():
    strong, weak = presets.simclr(224), presets.simclr(32, strength=0.5, blur=False)
    for views, strength in ((strong, 1.0), (weak, 0.5)):
        jitter = layer(views.views[0], A.ColorJitter)
        assert jitter.brightness.support()[1] == pytest.approx(1 + 0.8 * strength)
        assert jitter.hue.support()[1] == pytest.approx(0.2 * strength)
    assert layer(strong.views[0], A.RandomGaussianBlur).kernel_size == (23, 23)
    assert not [found for found in weak.views[0].layers if isinstance(found, A.RandomGaussianBlur)]
    assert shares(presets.simclr(24), A.RandomGrayscale) == pytest.approx([0.2] * 2, abs=0.07)
    assert shares(presets.simclr(24), A.RandomGaussianBlur) == pytest.approx([0.5] * 2, abs=0.09)


def test_byol_blurs_one_view_and_solarizes_the_other():
    views = presets.byol(24)
    assert shares(views, A.RandomGaussianBlur) == pytest.approx([1.0, 0.1], abs=0.06)
    assert shares(views, A.RandomSolarize) == pytest.approx([0.0, 0.2], abs=0.07)
    assert shares(views, A.ColorJitter) == pytest.approx([0.8] * 2, abs=0.07)


def test_dino_has_two_large_and_six_small_crops():
    views = presets.dino()
    assert [view.out_size((300, 300)) for view in views.views] == [(224, 224)] * 2 + [(96, 96)] * 6
    scales = [layer(view, A.RandomResizedCrop).scale.support() for view in views.views]
    assert scales == [(0.4, 1.0)] * 2 + [(0.05, 0.4)] * 6
    assert shares(presets.dino(24, local_size=12), A.RandomGaussianBlur) == pytest.approx(
        [1, 0.1, *[0.5] * 6], abs=0.09
    )


def test_fixmatch_has_a_weak_and_a_strong_view():
    views = presets.fixmatch(32, mean=0.0, std=1.0)
    weak, strong = views(images(1, 32, 32).expand(64, -1, -1, -1), index=INDEX[:64])
    gray = (strong - 0.5).abs().amax(1) < 1e-6
    squares = gray.float().mean((1, 2))
    assert squares.max() <= 0.3
    assert (squares > 0.05).float().mean() > 0.3
    shifts = {tuple(entry[side] for side in ("top", "left")) for entry in _crops(views)}
    assert {abs(shift) <= 4 for pair in shifts for shift in pair} == {True}
    assert len(shifts) > 40
    assert weak.shape == (64, 3, 32, 32)
    assert not [found for found in presets.fixmatch(flip=False).leaves() if isinstance(found, A.RandomHorizontalFlip)]


def test_aug_splits_share_the_crop_and_keep_one_view_clean():
    framing = [A.RandomResizedCrop(24), A.RandomHorizontalFlip()]
    rest = [A.RandomRotation(40.0, p=1.0), A.Normalize(0.5, 0.25), A.RandomErasing(p=1.0)]
    pipeline = A.Pipeline(*framing, *rest, seed=5)
    views = presets.aug_splits(pipeline, 4)
    clean, *augmented = views(images(16, 33, 40), index=INDEX[:16])
    cropped = A.Pipeline(*framing, seed=5)
    torch.testing.assert_close(clean, cropped(images(16, 33, 40), index=INDEX[:16]) * 4 - 2)
    assert len(augmented) == 3
    for view in augmented:
        assert ((view - clean).abs().amax((1, 2, 3)) > 0.1).all()
    assert not torch.equal(augmented[0], augmented[1])
    assert torch.equal(views.noise(INDEX)[:, : cropped.draws], pipeline.noise(INDEX)[:, : cropped.draws])


@pytest.mark.parametrize(
    ("layers", "message"),
    [
        ([A.RandomMixUp()], "RandomMixUp mixes samples"),
        ([A.ColorJitter(0.4), A.RandomCrop(20)], "RandomCrop changes the size of images; put it before"),
    ],
)
def test_aug_splits_refuses_what_views_cannot_share(layers, message):
    with pytest.raises(ValueError, match=f"aug_splits: {message}"):
        presets.aug_splits(A.Pipeline(*layers))


def _crops(views: A.Views) -> list[dict]:
    told = [views.explain(row, (32, 32))["views"][0] for row in views.noise(INDEX[:100])]
    return [entry for view in told for entry in view if entry["layer"] == "RandomCrop"]
