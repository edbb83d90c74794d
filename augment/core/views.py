"""Views: several augmentations of each sample in one call, for self-supervised and semi-supervised training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, overload

import torch
from torch import Tensor, nn

from augment.core import checks
from augment.core.layer import Layer, Pixels
from augment.data.batch import Batch
from augment.data.known import Modules
from augment.data.packed import PackedImages
from augment.data.types import Noise, Num
from augment.draws import keys
from augment.draws.config import Configured
from augment.draws.followed import inputs_after
from augment.engine.execution import noise_asked
from augment.engine.inputs import check_images


class Views(Configured, nn.Module):
    """Augments each sample several times: `first, second = A.Views([pipeline] * 2)(images, index=index)`.

    Every view reads its own columns of one noise, keyed by (seed, epoch, sample). So the views of a sample differ, also
    where they name the same pipeline, and stay the same in any batch and on any process. Labels, masks, boxes and
    keypoints of a Batch follow each view.

    Args:
        views: one pipeline or layer per view; their own seeds do not matter. Sizes may differ, as in multi-crop.
        shared: a pipeline or layer that runs once, before all views; None for none. A warp of it and one of a view
            sample the image twice.
        seed: keys the draws, together with epoch and sample index; any 64-bit integer.

    Example:
        >>> weak, strong = A.RandomHorizontalFlip(), A.Pipeline(A.RandAugment(), A.RandomErasing())
        >>> views = A.Views([weak, strong], shared=A.RandomCrop(24))
        >>> first, second = views(torch.rand(4, 3, 32, 32), index=torch.arange(4), epoch=3)
        >>> first.shape, second.shape
        (torch.Size([4, 3, 24, 24]), torch.Size([4, 3, 24, 24]))
    """

    compile_mode: bool | str = "auto"

    def __init__(self, views: Sequence[Layer], shared: Layer | None = None, seed: int = 0) -> None:
        super().__init__()
        self.views: Modules[Layer] = Modules(checks.some_layers(self, views, Layer, "a pipeline or layer", "views"))
        if shared is not None and not isinstance(shared, Layer):
            raise TypeError(f"Views: shared is {checks.kind_of(shared)}; it must be a pipeline or layer of augment.")
        self.shared = shared
        self.seed = keys.seed(self, seed)

    def parts(self) -> list[Layer]:
        """Returns the shared part, if there is one, and the views, in the order of their columns."""
        return [*([] if self.shared is None else [self.shared]), *self.views]

    @property
    def draws(self) -> int:
        """Number of columns of noise."""
        return sum(part.draws for part in self.parts())

    def inputs(self) -> list[tuple[int, str]]:
        """Returns the columns of noise that hold what schedules follow, see `Layer.inputs`."""
        return inputs_after(None, self.parts())

    def leaves(self) -> list[Layer]:
        """Returns the layers of all views."""
        return [leaf for part in self.parts() for leaf in part.leaves()]

    def noise(
        self,
        index: Tensor | None = None,
        epoch: int | Tensor = 0,
        *,
        batch_size: int | None = None,
        device: torch.device | str | None = None,
        given: Mapping[str, float | Tensor] | None = None,
    ) -> Noise:
        """Returns the draws (B, draws) of all views, see `Layer.noise`."""
        return noise_asked(self, index, epoch, batch_size, device, given)

    def forward(
        self,
        images: Pixels | Batch,
        noise: Noise | None = None,
        *,
        index: Tensor | None = None,
        epoch: int | Tensor = 0,
    ) -> list[Num[Tensor, "*b c h2 w2"]] | list[Batch]:
        """Augments images, or a Batch with its annotations.

        Args:
            images: what a layer takes, see `Layer.forward`.
            noise: (B, draws) from `noise(...)` to replay; drawn if not given.
            index, epoch: what keys the draw, if no noise is given; a Batch brings its own index.

        Returns:
            A list with one result per view: tensors, or Batches for a Batch. In `eval()` only layers that are not
            random run.
        """
        count, device = _count(images)
        if noise is not None:
            checks.given_noise(self, noise, device, count, self.draws)
        elif self.training:
            own = images.index if isinstance(images, Batch) and index is None else index
            noise = self.noise(own, epoch, batch_size=count, device=device)
        if not self.training or noise is None:
            shared = self._shared(images, None)
            return [view(shared) for view in self.views]
        columns = list(noise.split([part.draws for part in self.parts()], dim=1))
        shared = self._shared(images, columns.pop(0) if self.shared is not None else None)
        return [view(shared, part) for view, part in zip(self.views, columns, strict=True)]

    if TYPE_CHECKING:  # torch declares no type for calls of modules

        @overload
        def __call__(
            self, images: Batch, noise: Noise | None = None, *, index: Tensor | None = None, epoch: int | Tensor = 0
        ) -> list[Batch]: ...
        @overload
        def __call__(
            self, images: Pixels, noise: Noise | None = None, *, index: Tensor | None = None, epoch: int | Tensor = 0
        ) -> list[Tensor]: ...
        def __call__(self, *arguments: Any, **named: Any) -> Any: ...

    def _shared(self, images: Any, noise: Noise | None) -> Any:
        """Returns the images after the shared part, in their form."""
        return images if self.shared is None else self.shared(images, noise)

    def explain(self, noise: Tensor, size: tuple[int, int]) -> dict[str, Any]:
        """Describes what one sample gets in each view, as plain data, see `Layer.explain`.

        Args:
            noise: (draws,), one row of `noise(...)`.
            size: (height, width) of the sample's image.

        Returns:
            {"noise": [...], "size": [height, width], "shared": [...] or None, "views": [[...], ...]}, where each list
            is the "layers" of `Layer.explain`.
        """
        current = checks.image_size(self, size)
        checks.noise_of_one(self, noise, self.draws)
        told = []
        for number, (part, columns) in enumerate(
            zip(self.parts(), noise.split([part.draws for part in self.parts()]), strict=True)
        ):
            told.append(part.explain(columns, current)["layers"])
            if self.shared is not None and number == 0:
                height, width = part.out_size(current)
                current = int(height), int(width)
        shared = told.pop(0) if self.shared is not None else None
        return {"noise": noise.tolist(), "size": list(size), "shared": shared, "views": told}

    def extra_repr(self) -> str:
        return f"seed={self.seed}"

    def __getstate__(self) -> dict[str, Any]:  # without compiled code
        return {name: value for name, value in self.__dict__.items() if name != "_compiled"}


def _count(images: Pixels | Batch) -> tuple[int, torch.device]:
    """Returns the number of samples, each an image or a clip, and their device."""
    image = check_images(images.image if isinstance(images, Batch) else images)
    if isinstance(image, PackedImages):
        return image.sizes.shape[0], image.device
    return 1 if image.ndim == 3 else image.shape[0], image.device
