"""The layers of ImageNet-C whose noise is random by pixel, and the presets made of them."""

import numpy as np
import pytest
import scipy.stats
import torch

import augment as A
from augment.layers.photometric.noise import poisson
from tests.layers.images import noisy


@pytest.mark.parametrize("mean", [0.0, 0.3, 3.9, 4.1, 25.0, 400.0])
def test_poisson_counts_are_the_inverse_of_scipys_distribution(mean):
    u = (torch.arange(1, 2**24, 1009) * 2.0**-24).to(torch.float32)
    expected = scipy.stats.poisson.ppf(u.double().numpy(), mean)
    wrong = np.abs(poisson(u, torch.full_like(u, mean)).numpy() - expected)
    assert wrong.max() <= (1 if mean > 4 else 0.01)
    assert (wrong > 0).mean() < 2e-3


def test_shot_noise_counts_photons():
    image = torch.full((1, 3, 200, 200), 0.5)
    out = A.RandomShotNoise(12.0, p=1.0)(image, index=torch.arange(1))
    torch.testing.assert_close(out * 12, (out * 12).round())
    assert abs(out.mean() - 0.5) < 0.005
    assert abs(out.var() - 0.5 / 12) < 0.002
    assert not torch.equal(out[:, 0], out[:, 1])


def test_speckle_grows_with_the_value():
    image = torch.tensor([0.0, 0.2, 0.8]).view(1, 3, 1, 1).expand(1, 3, 200, 200)
    out = A.RandomSpeckleNoise(0.3, p=1.0)(image, index=torch.arange(1))
    torch.testing.assert_close(out.std((2, 3))[0], torch.tensor([0.0, 0.06, 0.24]), rtol=0.03, atol=0)
    torch.testing.assert_close(out.mean((2, 3))[0], image[0, :, 0, 0], rtol=0.02, atol=0)


@pytest.mark.parametrize("per_channel", [False, True])
def test_impulses_hit_pixels_or_channels(per_channel):
    out = A.RandomSaltAndPepperNoise(0.2, 0.5, p=1.0, per_channel=per_channel)(torch.full((1, 3, 100, 100), 0.5))
    changed = out != 0.5
    assert abs(changed.float().mean() - 0.2) < 0.02
    together = (changed.all(1) | ~changed.any(1)).float().mean()
    assert (together < 0.7) if per_channel else (together == 1)


@pytest.mark.parametrize(
    ("preset", "name"),
    [(A.presets.imagenet_c, name) for name in (*A.presets.IMAGENET_C, *A.presets.IMAGENET_C_EXTRA)]
    + [(A.presets.cifar_c, name) for name in (*A.presets.CIFAR_C, *A.presets.IMAGENET_C_EXTRA)],
)
def test_a_higher_severity_leaves_less(preset, name):
    images = torch.nn.functional.avg_pool2d(noisy(4, 3, 48, 48).float(), 3, 1, 1).to(torch.uint8)
    errors = []
    for severity in (1, 5):
        pipeline = preset(name, severity, compile=False)
        out = pipeline(images, index=torch.arange(4))
        assert out.dtype == torch.uint8
        assert out.shape == images.shape
        assert torch.equal(out[2:3], pipeline(images[2:3], index=torch.arange(2, 3)))
        errors.append((out.float() - images.float()).abs().mean().item())
    assert errors[0] > 0.5
    if name != "saturate":  # 2 of its severities take colour away, and 3 add it
        assert errors[1] > errors[0]


def test_unknown_names_and_severities_are_refused():
    with pytest.raises(ValueError, match="name='frost' must be one of gaussian_noise"):
        A.presets.imagenet_c("frost", 1)
    with pytest.raises(ValueError, match="cifar_c: name='elastic_transform' must be one of"):
        A.presets.cifar_c("elastic_transform", 1)
    with pytest.raises(ValueError, match="severity=6 must be a whole number from 1 to 5"):
        A.presets.imagenet_c("fog", 6)
