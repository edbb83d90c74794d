"""Mixing of images and labels."""

from collections import Counter

import kornia.augmentation as K
import pytest
import torch
import torch.nn.functional as F

import augment as A
from augment.core import mix


def batch(size: int = 16, classes: int = 16) -> A.Batch:
    image = torch.arange(1.0, size + 1)[:, None, None, None].expand(size, 3, 20, 24) / size
    return A.Batch(image, label=torch.eye(classes)[torch.arange(size) % classes])


MIXES = {
    "RandomMixUp": A.RandomMixUp(),
    "RandomCutMix": A.RandomCutMix(),
    "ResizeMix": A.ResizeMix(),
    "RandomMosaic": A.RandomMosaic(p=0.8),
    "RandomMosaic in a row": A.RandomMosaic(mosaic_grid=(4, 1), start_ratio_range=(0.0, 1.0), p=1.0),
    "RandomTransplantation": A.RandomTransplantation(p=1.0),
    "RandomMix": A.RandomMix([A.RandomMixUp(), A.RandomCutMix(), A.ResizeMix(), A.RandomMosaic()], p=0.9),
}
every_mix = pytest.mark.parametrize("layer", MIXES.values(), ids=MIXES)


@every_mix
def test_labels_are_the_share_of_pixels(layer):
    """Every image is constant, so its mean tells whose pixels it holds; a black one only dims what is there."""
    stripes = (torch.arange(20)[:, None] + torch.arange(16)[:, None, None]) // 3 % 5
    source = batch().replace(mask=stripes.expand(16, 20, 24))
    out = layer(source, layer.noise(torch.arange(16)))
    torch.testing.assert_close(out.label.sum(1), torch.ones(16))
    image = out.image[:, 0].flatten(1)
    shown = (image > 0).float().sum(1)
    expected = out.label @ source.image[:, 0, 0, 0]
    torch.testing.assert_close(image.sum(1) / shown, expected)
    assert (out.label > 0).sum(1).max() > 1


@every_mix
def test_permuting_the_batch_permutes_everything(layer):
    source = scene().replace(mask=scene().image[:, 0].long())
    noise, order = layer.noise(torch.arange(16)), torch.randperm(16, generator=torch.Generator().manual_seed(0))
    out = layer(source, noise)
    permuted = layer(source.map(lambda part: part[order]), noise[order])
    for name, part in out.parts().items():
        torch.testing.assert_close(getattr(permuted, name), part[order], msg=name)


def scene() -> A.Batch:
    """On each image a rectangle of its own colour and place with a keypoint in it, and a row that is not there."""
    image, boxes = torch.zeros(16, 1, 40, 48), torch.zeros(16, 2, 4)
    for i in range(16):
        x, y = 3 + 5 * i % 31, 2 + 7 * i % 23
        image[i, :, y : y + 14, x : x + 12] = i + 1
        boxes[i, 0] = torch.tensor([x, y, x + 12, y + 14])
    centres = (boxes[:, :1, :2] + boxes[:, :1, 2:]) / 2 - 0.4  # not on a border between pixels
    return A.Batch(image, label=torch.eye(16), boxes=boxes, keypoints=centres)


def partners(layer: A.Mix, noise: torch.Tensor) -> torch.Tensor:
    """(B, images): whose rows stand where."""
    return torch.cat([torch.arange(16)[:, None], layer.partner(layer.params(noise)).view(16, -1)], 1)


@pytest.mark.parametrize(
    "layer",
    [A.RandomCutMix(p=0.8), A.RandomMosaic(p=0.8), A.RandomMosaic((50, 90), (3, 2), (0.0, 1.0), p=0.8)],
    ids=["CutMix", "Mosaic", "large Mosaic"],
)
def test_boxes_and_keypoints_of_all_images_are_found_again(layer):
    """What is pasted whole pixel by whole pixel shows exactly the share of each box that is said to be visible."""
    source, noise = scene(), layer.noise(torch.arange(16), epoch=1)
    out, sources = layer(source, noise), partners(layer, noise)
    assert out.boxes.shape == (16, 2 * sources.shape[1], 4)
    assert out.keypoints.shape == (16, sources.shape[1], 2)
    seen = 0
    for i in range(16):
        for k, j in enumerate(sources[i].tolist()):
            box, visible = out.boxes[i, 2 * k], out.boxes_visible[i, 2 * k]
            rows, columns = torch.nonzero(out.image[i, 0] == j + 1, as_tuple=True)
            assert visible * 12 * 14 == pytest.approx(len(rows), abs=1e-3)
            assert out.boxes_visible[i, 2 * k + 1] == 0
            if k and len(rows):
                found = [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
                assert box.tolist() == [int(edge) for edge in found]
            x, y = (round(v) for v in out.keypoints[i, k].tolist())
            height, width = out.image.shape[-2:]
            shown = 0 <= x < width and 0 <= y < height and bool(out.image[i, 0, y, x] == j + 1)
            assert shown == bool(out.keypoints_visible[i, k])
            seen += 0 < visible < 1
    assert seen > 5, "some boxes are cut"


@pytest.mark.parametrize(
    "layer", [A.RandomCutMix(), A.ResizeMix(), A.RandomMosaic(p=0.5)], ids=lambda m: type(m).__name__
)
def test_what_was_cut_off_before_stays_cut_off(layer):
    source, noise = scene(), layer.noise(torch.arange(16))
    whole = layer(source, noise)
    cut = layer(
        source.replace(boxes_visible=torch.full((16, 2), 0.25), keypoints_visible=torch.zeros(16, 1) > 0), noise
    )
    torch.testing.assert_close(cut.boxes_visible[:, ::2], whole.boxes_visible[:, ::2] / 4)
    assert whole.keypoints_visible.any()
    assert not cut.keypoints_visible.any()


def test_resizemix_shrinks_boxes_keypoints_and_masks():
    source = scene().replace(mask=scene().image[:, 0].long())
    layer = A.ResizeMix((0.4, 0.9))
    noise = layer.noise(torch.arange(16))
    out, sources = layer(source, noise), partners(layer, noise)
    place = layer.resolve(layer.params(noise), (40, 48))
    for i, j in sources.tolist():
        top, left, height, width = (int(place[name][i]) for name in ("top", "left", "height", "width"))
        pasted = torch.zeros(40, 48, dtype=torch.bool)
        pasted[top : top + height, left : left + width] = True
        assert torch.equal(out.mask[i][~pasted], source.mask[i][~pasted])
        rows, columns = torch.nonzero((out.mask[i] == j + 1) & pasted, as_tuple=True)
        found = torch.stack([columns.min(), rows.min(), columns.max() + 1, rows.max() + 1])
        torch.testing.assert_close(out.boxes[i, 2], found.float(), rtol=0, atol=0.51)
        assert out.boxes_visible[i, 2] == pytest.approx(1, abs=1e-5)
        own = ((source.mask[i] == i + 1) & ~pasted).sum() / (12 * 14)
        assert out.boxes_visible[i, 0] == pytest.approx(own.item(), abs=1e-5)
        x, y = out.keypoints[i, 1].round().long().tolist()
        assert out.mask[i, y, x] == j + 1
        resized = F.interpolate(source.image[j : j + 1], (height, width), mode="bilinear", antialias=True)
        inside = out.image[i, :, top : top + height, left : left + width]
        torch.testing.assert_close(inside, resized[0], rtol=0, atol=1e-4)


def test_mosaic_fills_or_cuts_samples_that_it_leaves_out():
    source, layer = scene(), A.RandomMosaic((30, 60), p=0.0)
    out = layer(source, layer.noise(torch.arange(16)))
    expected = F.pad(source.image[:, :, :30], (0, 12))
    assert torch.equal(out.image, expected)
    assert torch.equal(out.label, source.label)
    left = (out.image[:, 0] > 0).sum((1, 2)) / (12 * 14)
    torch.testing.assert_close(out.boxes_visible[:, 0], left)
    assert not out.boxes_visible[:, 1:].any()
    assert not out.keypoints_visible[:, 1:].any()


def test_mosaic_drops_boxes_that_become_small():
    noise = (layer := A.RandomMosaic(p=1.0)).noise(torch.arange(16))
    every, large = layer(scene(), noise), A.RandomMosaic(min_bbox_size=60, p=1.0)(scene(), noise)
    area = (every.boxes[..., 2:] - every.boxes[..., :2]).prod(-1)
    assert ((area > 0) & (area < 60)).any()
    assert torch.equal(large.boxes_visible, torch.where(area < 60, 0, every.boxes_visible))


def test_detection_and_segmentation_need_no_labels():
    source = scene().replace(label=None, mask=scene().image[:, 0].long())
    for layer in (A.RandomMosaic(p=1.0), A.RandomTransplantation(p=1.0)):
        noise = layer.noise(torch.arange(16))
        out, labelled = layer(source, noise), layer(source.replace(label=torch.eye(16)), noise)
        assert out.label is None
        assert torch.equal(out.image, labelled.image)
        assert torch.equal(out.mask, labelled.mask)


def stripes() -> A.Batch:
    """Masks of background 0, a large label and two small ones."""
    mask = torch.zeros(400, 6, 10, dtype=torch.int64)
    mask[:, 1:, :8], mask[:, 2, 2], mask[:, 4, 3:5] = -3, 7, 1000
    return A.Batch(torch.rand(400, 2, 6, 10), label=torch.rand(400, 3).softmax(1), mask=mask)


def test_transplantation_draws_every_label_alike():
    layer = A.RandomTransplantation([0], p=1.0)
    params = layer.params(layer.noise(torch.arange(400)))
    masks = stripes().mask
    moved = layer.selection(masks, params)
    labels = [masks[i][moved[i]].unique().tolist() for i in range(400)]
    assert all(len(label) == 1 for label in labels)
    counts = Counter(label[0] for label in labels)
    assert set(counts) == {-3, 7, 1000}
    assert all(count / 400 == pytest.approx(1 / 3, abs=0.08) for count in counts.values())
    assert all(moved[i].sum() == (masks[i] == labels[i][0]).sum() for i in range(400))


def test_transplantation_is_kornias():
    source = stripes().map(lambda part: part[:16])
    layer = A.RandomTransplantation(p=0.7)
    noise = layer.noise(torch.arange(16))
    params = layer.params(noise)
    gate, donor = params["gate"], layer.partner(params)
    drawn = {
        "acceptor_indices": torch.nonzero(gate)[:, 0],
        "donor_indices": donor[gate],
        "selection": layer.selection(source.mask[donor], params)[gate],
        "batch_prob": gate.float(),
    }
    image, mask = K.RandomTransplantation(p=0.7)(source.image, source.mask, params=drawn)
    out = layer(source, noise)
    assert torch.equal(out.image, image)
    assert torch.equal(out.mask, mask)
    layered = layer(source.replace(mask=torch.stack([source.mask, source.mask + 1], 1)), noise)
    assert torch.equal(layered.mask, torch.stack([mask, mask + 1], 1))


def test_transplantation_leaves_out_whom_the_donor_has_nothing_for():
    layer, source = A.RandomTransplantation([0, -3, 7, 1000], p=1.0), stripes()
    out = layer(source)
    assert torch.equal(out.image, source.image)
    assert torch.equal(out.label, source.label)


def test_mixup_is_kornias():
    source = batch()
    layer = A.RandomMixUp()
    noise = layer.noise(torch.arange(16))
    params = layer.params(noise)
    theirs = K.RandomMixUpV2(p=1.0, data_keys=["input", "class"])
    pairs, weight = layer.partner(params), 1 - params["lambda_val"]  # Kornia's lambda weights the partner
    image, label = theirs(
        source.image,
        torch.arange(16),
        params={
            "mixup_pairs": pairs,
            "mixup_lambdas": weight,
            "batch_prob": torch.ones(16),
            "dtype": torch.tensor(0),
            "forward_input_shape": torch.tensor(source.image.shape),
        },
    )
    out = layer(source, noise)
    torch.testing.assert_close(out.image, image)
    assert torch.equal(label[:, 1].long(), pairs)


@every_mix
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)  # with and without kernels
def test_an_empty_batch_stays_empty(layer, dtype):
    source = A.Batch(torch.rand(0, 3, 20, 24, dtype=dtype), torch.rand(0, 4), mask=torch.zeros(0, 20, 24))
    out = layer(source)
    assert out.image.shape == source.image.shape
    assert out.label.shape == (0, 4)


@pytest.mark.parametrize("step", [1, 3])
def test_partners_are_the_same_with_and_without_a_sort(monkeypatch, step):
    """In code for a GPU everybody counts who comes before; of equal draws it is who stands before."""
    draws = torch.tensor([0.5, 0.2, 0.5, 0.9, 0.2, 0.5, 0.0])
    wanted = mix.following(draws, step)
    monkeypatch.setattr(mix, "for_gpu", lambda device: True)
    assert torch.equal(mix.following(draws, step), wanted)
    assert step != 1 or wanted.tolist() == [2, 4, 5, 6, 0, 3, 1]


def test_cutmix_pastes_the_partners_rectangle():
    source = batch().replace(mask=torch.arange(16)[:, None, None].expand(16, 20, 24))
    layer = A.RandomCutMix(beta=1.0)
    noise = layer.noise(torch.arange(16))
    box = layer.resolve(layer.params(noise), (20, 24))
    partner = layer.partner(layer.params(noise))
    out = layer(source, noise)
    for i in range(16):
        top, left, height, width = (int(box[name][i]) for name in ("top", "left", "height", "width"))
        expected, mask = source.image[i].clone(), source.mask[i].clone()
        expected[:, top : top + height, left : left + width] = source.image[partner[i], 0, 0, 0]
        mask[top : top + height, left : left + width] = partner[i]
        assert torch.equal(out.image[i], expected)
        assert torch.equal(out.mask[i], mask)
        assert out.label[i, i] == pytest.approx(1 - height * width / 480)


@pytest.mark.parametrize("size", [1, 2, 7])
def test_everybody_is_somebodys_partner_once(size):
    layer = A.RandomMixUp()
    partner = layer.partner(layer.params(layer.noise(torch.arange(size))))
    assert sorted(partner.tolist()) == list(range(size))
    if size > 1:
        assert (partner != torch.arange(size)).all()


def test_class_indices_become_probabilities():
    out = A.RandomMixUp(num_classes=5, p=0.5)(A.Batch(torch.rand(8, 3, 4, 4), label=torch.arange(8) % 5))
    assert out.label.shape == (8, 5)
    torch.testing.assert_close(out.label.sum(1), torch.ones(8))


def test_samples_left_out_keep_image_and_label():
    layer, source = A.RandomCutMix(p=0.5), batch()
    noise = layer.noise(torch.arange(16))
    out, left_out = layer(source, noise), ~layer.params(noise)["gate"]
    assert left_out.any()
    assert torch.equal(out.image[left_out], source.image[left_out])
    assert torch.equal(out.label[left_out], source.label[left_out])
