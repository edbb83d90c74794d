"""Jigsaw: shuffles the patches of an image."""

from collections.abc import Sequence
from functools import partial

import torch
from torch import Tensor

from augment.core import checks
from augment.core.acting import dense_image
from augment.core.layer import Layer
from augment.data.batch import Batch
from augment.data.known import known, whole_size
from augment.data.types import Float, Integer, Params, Size
from augment.draws.distributions import Bernoulli
from augment.engine.warp_run import apply_motions, motions_of
from augment.geometry import matrix as mat
from augment.geometry.boxes import are_rotated
from augment.geometry.motion import Motion, Positions


class RandomJigsaw(Layer):
    """Cuts each image into a grid of patches and shuffles them (Noroozi and Favaro 2016).

    Patches have whole pixels. If the grid does not divide the image, the remaining rows and columns at the bottom and
    right stay in place; Kornia raises an error for such images. Masks, maps and keypoints follow the pixels. A box
    becomes the smallest box around all its pieces; rotated boxes are refused. `inverse` moves the patches back, but
    cannot shrink the boxes again.

    Args:
        grid: (rows, columns) of patches, at most 64 each.
        ensure_perm: never leave all patches in place; the reverse order replaces the identity.
        p: probability of applying the layer to a sample.
        same_on_batch: use one draw for all samples of a batch.

    Example:
        >>> images = torch.rand(2, 3, 16, 16)
        >>> A.RandomJigsaw((2, 2), p=1.0)(images).shape
        torch.Size([2, 3, 16, 16])
    """

    def __init__(
        self,
        grid: Sequence[int] = (4, 4),
        ensure_perm: bool = True,
        p: float | Bernoulli = 0.5,
        same_on_batch: bool = False,
    ) -> None:
        super().__init__(p, same_on_batch)
        self.grid, self.ensure_perm = checks.grid(self, "grid", grid, most=64), ensure_perm
        if ensure_perm and self.grid == (1, 1):
            raise ValueError(f"RandomJigsaw: grid={grid} has only one patch, which ensure_perm=True cannot move.")
        self.quantity("keys", (0.0, 1.0), count=self.grid[0] * self.grid[1])

    def resolve(self, params: Params, size: Size) -> Params:
        """Computes `permutation` (B, patches), the patch shown at each place, row by row."""
        order = params["keys"].argsort(dim=1, stable=True)
        if self.ensure_perm:
            same = (order == torch.arange(order.shape[1], device=order.device)).all(1, keepdim=True)
            order = torch.where(same, order.flip(1), order)
        return {"permutation": order} | {name: params[name] for name in ("gate",) if name in params}

    def motion(self, size: Size, max_size: tuple[int, int], params: Params, like: Tensor) -> Motion:
        order = self._order(params, size)
        return Motion(
            matrix=mat.identity(like),
            in_size=size,
            out_size=size,
            lattice=True,
            displace=partial(self._look, size, order),
            undisplace=partial(self._look, size, order.argsort(1)),
        )

    def transform(self, batch: Batch, params: list[Params], run: Sequence[Layer], kept: torch.dtype) -> Batch:
        """Runs in its own pass: joined with other warps, interpolation would blur across patch borders."""
        motions = motions_of(run, params, dense_image(self, batch))
        out = apply_motions(batch.replace(boxes=None, boxes_visible=None), motions)
        if batch.boxes is None:
            return out
        if are_rotated(batch.boxes):
            raise ValueError(
                "RandomJigsaw cuts boxes into pieces, so they must be upright: convert rotated boxes first."
            )
        return out.replace(boxes=self._around_pieces(batch, params[0]), boxes_visible=batch.boxes_visible)

    def _order(self, params: Params, size: Size) -> Integer[Tensor, "b n"]:
        """Returns the permutation, which is the identity for samples with a closed gate."""
        resolved = self.resolve(params, size)
        order, gate = resolved["permutation"], resolved.get("gate")
        if gate is None:
            return order
        return torch.where(gate[:, None], order, torch.arange(order.shape[1], device=order.device))

    def _look(
        self, size: Size, order: Integer[Tensor, "b n"], x: Positions, y: Positions
    ) -> tuple[Float[Tensor, "b h w"], Float[Tensor, "b h w"]]:
        """Moves each position with the patch that contains it."""
        rows, columns = self.grid
        height, width = size[0] // rows, size[1] // columns
        x, y = torch.broadcast_tensors(x, y)
        row, column = torch.floor((y + 0.5) / max(height, 1)), torch.floor((x + 0.5) / max(width, 1))
        inside = (row >= 0) & (row < rows) & (column >= 0) & (column < columns)
        place = torch.where(inside, row * columns + column, 0).to(torch.int64)
        patch = order.gather(1, place.expand(order.shape[0], -1, -1).flatten(1)).unflatten(1, place.shape[1:])
        to_row, to_column = patch // columns, patch % columns
        return (
            torch.where(inside, x + (to_column - column) * width, x),
            torch.where(inside, y + (to_row - row) * height, y),
        )

    def _around_pieces(self, batch: Batch, params: Params) -> Float[Tensor, "b n 4"]:
        """Returns the smallest boxes around the pieces of each box in the moved patches and the fixed strips."""
        rows, columns = self.grid
        (tall, wide), order = whole_size(batch.size), self._order(params, batch.size)
        height, width, boxes = tall // rows, wide // columns, known(batch.boxes)
        patch = torch.arange(rows * columns, device=boxes.device)
        y, x = patch // columns * height, patch % columns * width
        strips = torch.tensor([[columns * width, 0, wide, tall], [0, rows * height, columns * width, tall]])
        cells = torch.cat([torch.stack([x, y, x + width, y + height], 1), strips.to(boxes.device)]).to(boxes.dtype)
        place = order.argsort(1)
        shift = torch.stack([place % columns * width - x, place // columns * height - y], -1)
        shift = torch.cat([shift, shift.new_zeros(order.shape[0], 2, 2)], 1).repeat(1, 1, 2).to(boxes.dtype)
        low, high = cells[:, :2].repeat(1, 2), cells[:, 2:].repeat(1, 2)
        pieces = boxes[:, :, None].maximum(low).minimum(high)
        there = (pieces[..., 2:] > pieces[..., :2]).all(-1, keepdim=True)
        pieces = pieces + shift[:, None]
        first = torch.where(there, pieces[..., :2], torch.inf).amin(2)
        last = torch.where(there, pieces[..., 2:], -torch.inf).amax(2)
        return torch.where(there.any(2), torch.cat([first, last], -1), boxes)
