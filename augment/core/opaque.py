"""Any module or function of images as a stage of a pipeline."""

from collections.abc import Callable

import torch
from torch import Tensor

from augment.core.kinds import ImageOp
from augment.data.types import Images, Params
from augment.draws.distributions import Bernoulli


class Opaque(ImageOp):
    """A Kornia augmentation or filter, a torchvision transform or any other function of images as a stage.

    The module sees float images in [0, 1] and must return images of the same shape. Annotations stay as they are, so
    it should not move pixels where there are any.

    What it draws from torch's global generators is keyed like every other draw: the module is called image by image,
    each time seeded by the sample's own noise, and the generators are put back afterwards. Samples are therefore
    independent of their batch and replay to the bit, also from modules that draw once a call. That costs a call a
    sample and one read of values by the host, so the stage can be neither compiled nor exported: a Pipeline that holds
    one runs in eager mode whatever its `compile` says. Randomness that does not come from torch's global generators
    (Python's `random`, NumPy) is not keyed.

    Args:
        module: maps (B, C, H, W) to the same; a module is registered, so its parameters train with the pipeline.
        random: False for a module that draws nothing, which is then called once for the whole batch and, where p is 1,
            also in `eval()`.
        p: probability that an image goes through the module.
        same_on_batch: one seed for all samples of a batch.
    """

    compilable = False
    by_sample = False
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
        from augment.engine.foreign_calls import (  # here, for it loads the compiler, which takes seconds
            by_image,
            called,
        )

        if not len(image):
            return image
        if not self.random:
            return called(self.module, image)
        return by_image(self.module, image, params["key"], params.get("gate"))
