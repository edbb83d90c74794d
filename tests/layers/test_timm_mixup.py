"""RandomMix.from_timm: timm's modes, rectangles and labels."""

import numpy as np
import pytest
import torch

import augment as A

timm = pytest.importorskip("timm.data.mixup")
COUNT, CLASSES = 64, 10
LABELS = torch.arange(COUNT) % CLASSES
INDEX = torch.arange(COUNT)


def mixed(labels: torch.Tensor = LABELS, count: int = COUNT, **arguments: object) -> tuple[torch.Tensor, torch.Tensor]:
    """Return how much of each sample every mixed one shows (B, B, H, W), and the labels."""
    layer = A.RandomMix.from_timm(**({"num_classes": CLASSES} | arguments))
    one_hot = torch.eye(count)[:, :, None, None].expand(-1, -1, 16, 20)
    out = layer(A.Batch(one_hot.contiguous(), label=labels[:count], index=INDEX[:count]))
    return out.image, out.label


@pytest.mark.parametrize("mode", ["batch", "pair", "elem"])
def test_labels_are_those_of_the_pixels_and_smoothed(mode):
    """A label is the average of timm's smoothed labels, weighted by the share of the pixels."""
    shares, labels = mixed(mode=mode, mixup_alpha=0.8, cutmix_alpha=1.0, prob=0.8, label_smoothing=0.2)
    smooth = timm.mixup_target(LABELS, CLASSES, 1.0, 0.2)
    torch.testing.assert_close(labels, shares.mean((2, 3)) @ smooth, rtol=0, atol=1e-5)


def test_labels_of_several_classes_move_towards_a_half():
    several = torch.rand(COUNT, CLASSES, generator=torch.Generator().manual_seed(0)).round()
    shares, labels = mixed(several, multi_label=True, label_smoothing=0.1)
    smooth = timm.mixup_target(several, CLASSES, 1.0, 0.1, multi_label=True)
    torch.testing.assert_close(labels, shares.mean((2, 3)) @ smooth, rtol=0, atol=1e-5)


@pytest.mark.parametrize("count", [2, 7, 64])
def test_a_pair_mixes_with_each_other_alike(count):
    shares, _ = mixed(count=count, mode="pair", mixup_alpha=0.8, cutmix_alpha=1.0)
    own = shares[torch.arange(count), torch.arange(count)]
    partner = shares.mean((2, 3)).fill_diagonal_(0)
    other = partner.argmax(1)
    paired = partner.amax(1) > 0
    assert paired.sum() >= count - 1 - count // 8  # the last of an odd number stays, and a rectangle may be empty
    assert torch.equal(other[other[paired]], torch.arange(count)[paired])
    torch.testing.assert_close(own[other[paired]], own[paired])  # the same weight and rectangle


def test_a_batch_shares_its_draw_and_elements_do_not():
    for mode, most in (("batch", 1), ("elem", COUNT)):
        shares, _ = mixed(mode=mode, mixup_alpha=1.0)
        own = shares[INDEX, INDEX].mean((1, 2))
        assert (len(own.unique()) == 1) == (most == 1)


def test_probabilities():
    layer = A.RandomMix.from_timm(0.8, 1.0, prob=0.7, switch_prob=0.2, mode="elem", num_classes=CLASSES)
    drawn = layer.params(layer.noise(torch.arange(20_000)))
    assert drawn["gate"].float().mean().item() == pytest.approx(0.7, abs=0.02)
    assert drawn["choice"].float().mean().item() == pytest.approx(0.2, abs=0.02)  # CutMix is the second


def test_sides_of_rectangles_are_timms():
    layer = A.RandomCutMix(minmax=(0.2, 0.8), num_classes=CLASSES)
    size = (37, 50)
    box = layer.resolve(layer.params(layer.noise(torch.arange(20_000))), size)
    np.random.seed(0)  # noqa: NPY002  # the generator that timm draws from
    top, bottom, left, right = timm.rand_bbox_minmax((3, *size), (0.2, 0.8), count=20_000)
    for ours, theirs in (
        (box["height"], bottom - top),
        (box["width"], right - left),
        (box["top"], top),
        (box["left"], left),
    ):
        assert (ours.min().item(), ours.max().item()) == (theirs.min(), theirs.max())
        assert ours.mean().item() == pytest.approx(theirs.mean(), abs=0.2)
        assert ours.std().item() == pytest.approx(theirs.std(), abs=0.2)
    torch.testing.assert_close(box["lambda_val"], 1 - box["height"] * box["width"] / (37 * 50))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: A.RandomMix.from_timm(0.0, 0.0), "mixup_alpha=0.0 or cutmix_alpha=0.0 must be above 0"),
        (lambda: A.RandomMix.from_timm(mode="half"), "mode='half' must be one of batch, pair, elem"),
        (lambda: A.RandomMix.from_timm(correct_lam=False), "correct_lam=False must be True"),
        (lambda: A.RandomMix.from_timm(cutmix_minmax=(0.8, 0.2)), r"minmax=.* must be a pair \(smallest, largest\)"),
        (lambda: A.RandomCutMix(minmax=(0.1, 0.2), beta=1.0), "give either minmax=.*, or lambda_val or beta"),
    ],
)
def test_what_is_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()
