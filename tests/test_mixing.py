"""Mixing of images and labels."""

import kornia.augmentation as K
import pytest
import torch

import augment as A


def batch(size: int = 16, classes: int = 16) -> A.Batch:
    image = torch.arange(1.0, size + 1)[:, None, None, None].expand(size, 3, 20, 24) / size
    return A.Batch(image, label=torch.eye(classes)[torch.arange(size) % classes])


@pytest.mark.parametrize("build", [A.RandomMixUp, A.RandomCutMix], ids=lambda c: c.__name__)
def test_labels_are_the_share_of_pixels(build):
    """Every image is constant, so its mean tells whose pixels it holds."""
    source = batch()
    out = build()(source)
    torch.testing.assert_close(out.label.sum(1), torch.ones(16))
    expected = out.label @ source.image[:, 0, 0, 0]
    torch.testing.assert_close(out.image.mean((1, 2, 3)), expected)
    assert (out.label > 0).sum(1).max() == 2


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
