"""Layers for which bytes are 256 levels: what becomes of each is computed once, in a table, not for every pixel."""

import torch
from torch import Tensor

from augment.core.kinds import PixelOp
from augment.core.layer import Layer
from augment.data.batch import Batch
from augment.data.pixels import colours, to_float
from augment.data.types import Float, Images, Params
from augment.kernels.cpu import levels as native
from augment.kernels.reference.levels import LEVELS


class LevelOp(PixelOp):
    """Changes each value by itself, with parameters that do not depend on the image's size.

    Bytes on a CPU go through tables, to the same bits as `pixel` makes of them.
    """

    def tables(self, image: Images, level: Float[Tensor, "b c 256"], params: Params) -> Float[Tensor, "b c2 256"]:
        """What each level becomes in bytes `image`, with resolved parameters; (B, 1, 256) if the channels share it."""
        return self.pixel((level[:, :1],), params)[0]

    def apply(self, batch: Batch, params: list[Params], run: list[Layer]) -> Batch:
        image, (drawn,) = batch.image, params
        if not native.serves(image, *drawn.values()):
            return super().apply(batch, params, run)
        bytes = torch.arange(LEVELS, dtype=torch.uint8, device=image.device)
        count = colours(image.shape[1])
        coloured = image if count == image.shape[1] else image[:, :count]
        level = to_float(bytes).expand(*coloured.shape[:2], LEVELS)
        tables = self.tables(coloured, level, self.resolve(drawn, image.shape[-2:]))
        chosen = self.acts_on(drawn)
        if chosen is not None:
            tables = torch.where(chosen[:, None, None], tables, level)
        tables = tables.expand_as(level)
        if coloured is not image:  # alpha keeps its levels
            tables = torch.cat([tables, level[:, :1]], 1)
        return batch.replace(image=native.looked_up(image, tables))
