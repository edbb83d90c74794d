"""Patches of an image in another order, with everything that belongs to it."""

from collections import Counter

import pytest
import torch

import augment as A


def scene(size: tuple[int, int] = (41, 50)) -> A.Batch:
    """Every pixel another value, which is also the mask; boxes over one, several and all patches, and none."""
    image = torch.arange(float(size[0] * size[1])).view(1, 1, *size).expand(12, 1, *size).clone()
    boxes = torch.tensor([[3.0, 2, 9, 8], [8, 5, 30, 22], [0, 0, size[1], size[0]], [40, 3, 50, 41], [0, 0, 0, 0]])
    points = torch.tensor([[0.0, 0.0], [11.5, 9.5], [11.4, 9.4], [24.0, 31.0], [49.0, 40.0]])
    return A.Batch(
        image / image.max(),
        mask=image[:, 0].long(),
        boxes=boxes.expand(12, -1, -1).clone(),
        keypoints=points.expand(12, -1, -1).clone(),
    )


def jumbled(**changes: object) -> tuple[A.RandomJigsaw, torch.Tensor]:
    layer = A.RandomJigsaw(**({"grid": (4, 4), "p": 0.7} | changes))
    return layer, layer.noise(torch.arange(12), epoch=2)


def test_masks_follow_the_patches():
    layer, noise = jumbled()
    source = scene()
    out = layer(source, noise)
    torch.testing.assert_close(out.mask / source.mask.max(), out.image[:, 0])
    assert torch.equal(out.image.flatten(1).sort(1).values, source.image.flatten(1))
    gate = layer.params(noise)["gate"]
    assert torch.equal(gate, (out.image != source.image).flatten(1).any(1))


def test_rows_and_columns_that_the_grid_does_not_divide_stay():
    layer, noise = jumbled(p=1.0)
    source = scene()
    out = layer(source, noise)
    assert torch.equal(out.image[:, :, 40:], source.image[:, :, 40:])
    assert torch.equal(out.image[:, :, :, 48:], source.image[:, :, :, 48:])


def test_keypoints_follow_the_patches():
    layer, noise = jumbled()
    source = scene()
    out = layer(source, noise)
    assert out.keypoints_visible.all()
    for i in range(12):
        for before, after in zip(source.keypoints[i], out.keypoints[i], strict=True):
            (x, y), (u, v) = torch.floor(before + 0.5).long(), torch.floor(after + 0.5).long()
            assert out.mask[i, v, u] == source.mask[i, y, x]
            assert torch.allclose(after - u.new_tensor([u, v]), before - u.new_tensor([x, y]), atol=1e-5)


def test_boxes_hold_all_their_pieces():
    layer, noise = jumbled()
    source = scene()
    out = layer(source, noise)
    assert torch.equal(out.boxes_visible, torch.tensor([1.0, 1, 1, 1, 0]).expand(12, -1))
    for i in range(12):
        for before, after in zip(source.boxes[i, :4].long(), out.boxes[i, :4], strict=True):
            inside = torch.zeros(41, 50, dtype=torch.bool)
            inside[before[1] : before[3], before[0] : before[2]] = True
            rows, columns = torch.nonzero(torch.isin(out.mask[i], source.mask[i][inside]), as_tuple=True)
            found = [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
            assert after.tolist() == [int(edge) for edge in found]


def test_inverse_puts_the_patches_back():
    layer, noise = jumbled()
    source = scene().replace(boxes=None)
    back = layer.inverse(layer(source, noise), noise, size=(41, 50))
    assert torch.equal(back.image, source.image)
    assert torch.equal(back.mask, source.mask)
    torch.testing.assert_close(back.keypoints, source.keypoints)


def test_every_patch_is_equally_likely_everywhere():
    layer = A.RandomJigsaw((2, 3), p=1.0)
    order = layer.resolve(layer.params(layer.noise(torch.arange(3000))), (4, 6))["permutation"]
    for place in range(6):
        counts = Counter(order[:, place].tolist())
        assert all(counts[patch] / 3000 == pytest.approx(1 / 6, abs=0.03) for patch in range(6))


def test_all_patches_in_place_are_avoided_on_request():
    for ensure, share in ((True, 0.0), (False, 0.5)):
        layer = A.RandomJigsaw((1, 2), ensure_perm=ensure, p=1.0)
        order = layer.resolve(layer.params(layer.noise(torch.arange(500))), (4, 6))["permutation"]
        assert (order == torch.arange(2)).all(1).float().mean() == pytest.approx(share, abs=0.07)
