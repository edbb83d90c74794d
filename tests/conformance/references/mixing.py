"""References of mixing: Kornia with the same draws for image-only layers; test_mixing.py compares the rest."""

import kornia.augmentation as K
import numpy as np
import torch

from tests.conformance.references.register import not_compared, reference

for name in ("RandomMixUp", "RandomCutMix", "ResizeMix", "RandomTransplantation"):
    not_compared(name, "compared in test_mixing.py, together with labels and masks")
not_compared("RandomMix", "a choice among other layers, compared in test_mixing.py")


@reference("RandomMosaic", example={"mosaic_grid": (3, 2)})
def _(images, params):
    order = params["pairing"].argsort().tolist()
    sources = [[order[(order.index(i) + k) % len(order)] for k in range(6)] for i in range(len(order))]
    (height, width), start = images.shape[-2:], params["start"]
    corners = torch.tensor([[0, 0], [width - 1, 0], [width - 1, height - 1], [0, height - 1]])
    theirs = {"permutation": torch.tensor(sources), "src": start[:, None] + corners}
    layer = K.RandomMosaic(mosaic_grid=(3, 2), p=1.0)
    return layer.apply_transform(images, theirs, layer.flags)


@reference("RandomJigsaw", example={"grid": (4, 3)})
def _(images, params):
    """Use only the part that the grid divides evenly, as Kornia requires; Kornia fills the grid column by column."""
    height, width = images.shape[-2] // 4 * 4, images.shape[-1] // 3 * 3
    theirs = params["permutation"].unflatten(1, (4, 3)).mT.flatten(1)
    out = images.clone()
    out[..., :height, :width] = K.RandomJigsaw((4, 3), p=1.0).apply_transform(
        images[..., :height, :width], {"permutation": theirs}
    )
    return out


def partners(params):
    """Return the sample after each one in the order of the draws, the first after the last."""
    order = params["pairing"].argsort().tolist()
    return [order[(order.index(i) + 1) % len(order)] for i in range(len(order))]


@reference("HistogramMatching")
def _(images, params):
    """Compute scikit-image's algorithm, which interpolates the quantiles of the values that occur."""
    out = images.numpy().copy()
    for i, other in enumerate(partners(params)):
        for c in range(3):
            source, template = (images[j, c].flatten().numpy() for j in (i, other))
            _, where, counts = np.unique(source, return_inverse=True, return_counts=True)
            values, their_counts = np.unique(template, return_counts=True)
            quantiles = (np.cumsum(n) / n.sum() for n in (counts, their_counts))
            matched = np.interp(*quantiles, values)[where].reshape(images.shape[-2:])
            out[i, c] += params["blend_ratio"][i].item() * (matched - out[i, c])
    return torch.from_numpy(out)


@reference("FDA", example={"beta_limit": (0.05, 0.3)})
def _(images, params):
    """Cut the square out of the shifted spectrum, as the code of the paper does."""
    height, width = images.shape[-2:]
    spectra = np.fft.fftshift(np.fft.fft2(images.numpy()), axes=(-2, -1))
    out = spectra.copy()
    for i, other in enumerate(partners(params)):
        side, middle = int(params["beta_limit"][i] * min(height, width)), (height // 2, width // 2)
        square = np.s_[:, middle[0] - side : middle[0] + side + 1, middle[1] - side : middle[1] + side + 1]
        out[i][square] = np.abs(spectra[other][square]) * np.exp(1j * np.angle(spectra[i][square]))
    return torch.from_numpy(np.fft.ifft2(np.fft.ifftshift(out, axes=(-2, -1))).real).clamp(0, 1)
