"""What the references of tests/conformance do not cover of the layers with albumentations' names."""

import colorsys

import numpy as np
import pytest
import torch

import augment as A
from tests.layers.images import noisy

INDEX = torch.arange(2000)


def pictures(count: int, height: int, width: int) -> torch.Tensor:
    return noisy(count, 3, height, width) / 255


def test_multiplicative_noise_draws_a_factor_for_each_channel_or_pixel():
    image = torch.full((2, 3, 60, 70), 0.5)
    plain, channel, pixel, both = (
        A.MultiplicativeNoise((0.8, 1.2), per_channel=c, elementwise=e, p=1.0)(image, index=INDEX[:2]) * 2
        for c, e in ((False, False), (True, False), (False, True), (True, True))
    )
    assert [len(out[0].unique()) for out in (plain, channel)] == [1, 3]
    assert torch.equal(pixel[:, 0], pixel[:, 1])
    assert not torch.equal(both[:, 0], both[:, 1])
    assert not torch.equal(both[0], both[1])
    for out in (pixel, both):
        assert out.mean().item() == pytest.approx(1.0, abs=0.01)
        assert out.std().item() == pytest.approx(0.4 / 12**0.5, abs=0.005)
        assert 0.8 <= out.min() <= out.max() <= 1.2


def test_multiplicative_noise_learns_its_range_and_refuses_what_a_field_cannot_follow():
    layer = A.MultiplicativeNoise(A.Uniform(0.5, 1.5, learnable=True), elementwise=True, p=1.0)
    layer(torch.full((1, 3, 8, 8), 0.5)).sum().backward()
    assert all((parameter.grad != 0).all() for parameter in layer.parameters())
    for wrong in (A.Schedule({0: 1.0, 9: 2.0}), A.Choice((0.5, 1.5), learnable=True)):
        with pytest.raises(ValueError, match=r"MultiplicativeNoise: multiplier=.* must be no schedule and no"):
            A.MultiplicativeNoise(wrong, per_channel=True)


def test_iso_noise_lightens_in_proportion_to_what_is_missing_and_keeps_saturation():
    image = pictures(1, 40, 50)
    layer = A.ISONoise(0.0, 0.8, p=1.0)
    out = layer(image, index=INDEX[:1])
    before, after = (
        np.apply_along_axis(lambda pixel: colorsys.rgb_to_hls(*pixel), 0, part[0].double().numpy())
        for part in (image, out)
    )
    np.testing.assert_allclose(after[0], before[0], atol=1e-3)
    np.testing.assert_allclose(after[2], before[2], atol=1e-3)
    share = (after[1] - before[1]) / (1 - before[1])
    assert share.mean() == pytest.approx(0.8**2 * before[1].std(), rel=0.03)
    counts = share * 255 / 0.8
    np.testing.assert_allclose(counts, counts.round(), atol=0.02)
    assert counts.var() == pytest.approx(counts.mean(), rel=0.15)


def test_fancy_pca_of_the_image_has_the_distribution_of_its_eigenvectors():
    image = pictures(1, 20, 30) * torch.tensor([0.3, 0.2, 0.1])[:, None, None] + 0.35
    images = image.double().expand(len(INDEX), -1, -1, -1)[:, :, :8, :8]
    shifts = (A.FancyPCA(0.5, statistics="image", p=1.0)(images, index=INDEX) - images)[:, :, 0, 0]
    covariance = np.cov(images[0].flatten(1).numpy(), bias=True)
    values, vectors = np.linalg.eigh(covariance)
    expected = 0.25 * vectors @ np.diag(values**2) @ vectors.T
    np.testing.assert_allclose(np.cov(shifts.T.numpy()), expected, atol=0.12 * np.abs(expected).max())


def test_he_stain_leaves_the_background_and_what_is_no_stain():
    sections = torch.stack([torch.full((3, 4, 4), 0.9), torch.linspace(0.02, 0.5, 48).view(3, 4, 4)])
    out = A.HEStain(intensity_scale_range=(1.5, 1.5), intensity_shift_range=0.1, p=1.0)(sections, index=INDEX[:2])
    assert torch.equal(out[0], sections[0])
    assert (out[1] < sections[1]).all()
    everything = A.HEStain(1.5, 0.1, preset="macenko", augment_background=True, p=1.0)(sections, index=INDEX[:2])
    assert (everything[0] < 0.9).all()
    third = np.cross((0.5626, 0.7201, 0.4062), (0.2159, 0.8012, 0.5581))
    change = torch.log(everything / sections).double().permute(0, 2, 3, 1).numpy() @ third
    np.testing.assert_allclose(change, 0, atol=1e-5)


def test_unsharp_mask_without_a_threshold_is_kornias_and_spares_noise_with_one():
    from kornia.filters import unsharp_mask

    image = pictures(2, 20, 30)
    out = A.UnsharpMask((3, 5), 1.1, alpha=1.0, threshold=0.0, p=1.0)(image)
    torch.testing.assert_close(out, unsharp_mask(image, (3, 5), (1.1, 1.1)).clamp(0, 1))
    quiet = image * 0.02 + 0.4
    assert torch.equal(A.UnsharpMask(alpha=1.0, threshold=0.05, p=1.0)(quiet), quiet)


@pytest.mark.parametrize("layer", [A.HistogramMatching(1.0, p=1.0), A.FDA(0.1, p=1.0)], ids=lambda x: type(x).__name__)
def test_other_images_change_pixels_only(layer):
    images = pictures(4, 20, 30)
    label, mask = torch.arange(4), torch.randint(0, 9, (4, 20, 30))
    out = layer(A.Batch(images, label=label, mask=mask, index=INDEX[:4]))
    assert torch.equal(out.label, label)
    assert torch.equal(out.mask, mask)
    alone = layer(A.Batch(images, index=INDEX[:4]))
    assert alone.label is None
    assert torch.equal(alone.image, out.image)
    some = type(layer)(p=0.5)(A.Batch(images, label=label, index=INDEX[:4]))
    assert torch.equal(some.label, label)


def test_matching_with_an_equal_image_changes_nothing():
    twins = pictures(1, 20, 30).expand(2, -1, -1, -1)
    out = A.HistogramMatching(1.0, p=1.0)(A.Batch(twins)).image
    torch.testing.assert_close(out, twins, rtol=0, atol=1e-5)  # bytes
    torch.testing.assert_close(A.FDA(0.3, p=1.0)(A.Batch(twins)).image, twins, rtol=0, atol=1e-5)


def test_a_flat_image_takes_the_amplitudes_of_its_partner_without_a_phase_of_rounding_errors():
    images = torch.stack([torch.full((3, 16, 16), 0.3), pictures(1, 16, 16)[0]])
    single, double = (A.FDA(0.2, p=1.0)(A.Batch(part)).image[0] for part in (images, images.double()))
    torch.testing.assert_close(single, double.float(), rtol=0, atol=1e-4)
