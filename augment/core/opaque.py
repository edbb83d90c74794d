"""Stages that run any module or function of images."""

from collections.abc import Callable

import torch
from torch import Tensor

from augment.core.kinds import ImageOp
from augment.data.types import Images, Params
from augment.draws.distributions import Bernoulli


class Opaque(ImageOp):
    """Runs a Kornia augmentation or filter, a torchvision transform or any other function of images as a stage.

    The module gets float images in [0, 1] and must return images of the same shape. Annotations are not changed, so
    with annotations the module must not move pixels. The frames of a clip are images like any other.

    Draws from torch's global generators are keyed as all other draws are. The module is called once per image, with the
    generators seeded by the sample's own noise and restored afterwards. Samples are therefore independent of their
    batch and replay bit for bit, even for modules that draw once per call. This costs one call per sample and one read
    of values by the host, so the stage can be neither compiled nor exported. A Pipeline with such a stage runs in eager
    mode regardless of `compile`. Randomness from other sources (Python's `random`, NumPy) is not keyed.

    Args:
        module: maps (B, C, H, W) to the same shape. A module is registered, so its parameters train with the pipeline.
        random: False for a module without random draws. It is then called once for the whole batch and, if p is 1, also
            in `eval()`.
        p: probability of applying the layer to a sample.
        same_on_batch: use one draw for all samples of a batch.

    Example:
        >>> import kornia
        >>> images = torch.rand(2, 3, 16, 16)
        >>> A.Opaque(kornia.filters.MedianBlur((3, 3)), random=False)(images).shape
        torch.Size([2, 3, 16, 16])
    """

    compilable = False
    by_sample = False
    frames_are_images = True
    example = {"module": torch.nn.functional.dropout}

    def __init__(
        self,
        module: Callable[[Tensor], Tensor],
        random: bool = True,
        p: float | Bernoulli = 1.0,
        same_on_batch: bool = False,
    ) -> None:
        super().__init__(p, same_on_batch)
        if not callable(module):
            raise TypeError(f"Opaque: module={module!r} must be a module or a function of images.")
        self.module, self.random = module, random
        self.deterministic = not random and self.p.support() == (1.0, 1.0)
        if random:
            self.quantity("key", (0.0, 1.0), count=2)

    def image(self, image: Images, params: Params) -> Images:
        from augment.engine.foreign_calls import (  # imported here because it loads the compiler, which takes seconds
            by_image,
            called,
        )

        if not len(image):
            return image
        if not self.random:
            return called(self.module, image)
        return by_image(self.module, image, params["key"], params.get("gate"))
