"""References of mixing: Kornia with the same draws for image-only layers; test_mixing.py compares the rest."""

import kornia.augmentation as K
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
