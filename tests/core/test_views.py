"""Views: several keyed augmentations of each sample in one call."""

import copy
import itertools

import pytest
import torch

import augment as A
from tests.unchecked import import_unchecked

UNCHECKED = import_unchecked("augment")
INDEX = torch.arange(8)


def flips_and_jitters() -> A.Pipeline:
    return A.Pipeline(A.RandomHorizontalFlip(), A.RandomResizedCrop(20), A.ColorJitter(0.4, 0.4, 0.4, 0.1))


def test_views_of_one_pipeline_differ_and_share_nothing_with_each_other(photos):
    pipeline = flips_and_jitters()
    out = A.Views([pipeline] * 3)(photos, index=INDEX)
    for first, second in itertools.combinations(out, 2):
        assert ((first - second).abs().amax((1, 2, 3)) > 0.05).all()
    noise = A.Views([pipeline] * 3).noise(torch.arange(2000)).double()
    correlation = torch.corrcoef(noise.T) - torch.eye(noise.shape[1])
    assert correlation.abs().max() < 5 / 2000**0.5


def test_a_view_does_not_depend_on_batch_or_call(photos):
    views = A.Views([flips_and_jitters()] * 2, shared=A.RandomVerticalFlip(), seed=3)
    whole, part = views(photos, index=INDEX, epoch=2), views(photos[5:], index=INDEX[5:], epoch=2)
    for one, some in zip(whole, part, strict=True):
        torch.testing.assert_close(one[5:], some)
    for other in (views(photos, index=INDEX, epoch=3), A.Views([flips_and_jitters()] * 2, seed=4)(photos, index=INDEX)):
        assert not torch.equal(other[0], whole[0])
    assert all(map(torch.equal, views(photos, views.noise(INDEX, 2)), whole))


def test_the_shared_part_is_the_same_in_all_views(photos):
    views = A.Views([A.Pipeline(), A.RandomErasing(p=1.0)], shared=A.RandomCrop((10, 12)))
    plain, erased = views(A.Batch(photos, index=INDEX))
    untouched = (erased.image == plain.image).all(1).float().mean((1, 2))
    assert (untouched > 0.6).all()
    assert (untouched < 1).all()
    assert plain.image.shape == (8, 3, 10, 12)


def test_annotations_follow_each_view(photos):
    points = torch.tensor([[5.0, 7.0], [20.0, 9.0]]).expand(8, -1, -1)
    boxes = torch.tensor([[4.0, 3.0, 20.0, 17.0]]).expand(8, -1, -1)
    mask = (photos[:, 0] > 128).long()
    batch = A.Batch(photos, label=INDEX, mask=mask, boxes=boxes, keypoints=points, index=INDEX)
    flip, stay = A.RandomHorizontalFlip(p=1.0), A.RandomInvert(p=1.0)
    flipped, inverted = A.Views([flip, stay])(batch)
    torch.testing.assert_close(flipped.keypoints[..., 0], 36 - points[..., 0])
    torch.testing.assert_close(inverted.keypoints, points)
    torch.testing.assert_close(flipped.boxes[..., 0], 37 - boxes[..., 2])
    assert torch.equal(flipped.mask, mask.flip(2))
    assert torch.equal(inverted.mask, mask)
    assert torch.equal(flipped.label, INDEX)


def test_views_may_have_different_sizes_and_packed_images(photos):
    packed = A.PackedImages.from_images([photos[0], photos[1, :, :20], photos[2, :, :, :25]])
    large, small = A.Views([A.RandomResizedCrop(16), A.RandomResizedCrop(8)])(packed, index=INDEX[:3])
    assert (large.shape, small.shape) == ((3, 3, 16, 16), (3, 3, 8, 8))


def test_explain_says_what_each_view_got():
    views = A.Views([A.RandomRotation(20.0), A.RandomGamma((0.5, 2.0))], shared=A.RandomCrop((10, 12)))
    noise = views.noise(INDEX)[0]
    told = views.explain(noise, (29, 37))
    assert [entry["layer"] for entry in told["shared"]] == ["RandomCrop"]
    rotation, gamma = (entry[0] for entry in told["views"])
    rotation_noise, gamma_noise = (
        part[None] for part in noise[views.shared.draws :].split([view.draws for view in views.views])
    )
    assert rotation["degrees"] == pytest.approx(views.views[0].params(rotation_noise)["degrees"].item())
    assert gamma["gamma"] == pytest.approx(views.views[1].params(gamma_noise)["gamma"].item())


def test_schedules_in_views_follow(photos):
    views = A.Views([A.Pipeline(), A.RandomInvert(p=A.Bernoulli(A.Schedule({0: 0.0, 1: 1.0})))])
    for epoch, inverted in ((0, False), (1, True)):
        plain, other = views(photos, index=INDEX, epoch=epoch)
        torch.testing.assert_close(other, 1 - plain if inverted else plain)


def test_in_evaluation_nothing_is_random(photos):
    views = A.Views([A.Pipeline(A.RandomRotation(20.0), A.Normalize(0.5, 0.5)), A.RandomInvert(p=1.0)]).eval()
    first, second = views(photos)
    torch.testing.assert_close(first, photos / 127.5 - 1)
    torch.testing.assert_close(second, photos / 255)


def test_one_graph_gives_the_same_views(photos):
    torch._dynamo.reset()
    free = UNCHECKED  # the compiler cannot look into type checks
    warps = free.Pipeline(free.RandomResizedCrop(20), free.ColorJitter(0.4, 0.4, 0.4, 0.1))
    views = free.Views([warps, free.RandomGamma((0.5, 2.0))], shared=free.RandomHorizontalFlip())
    noise = views.noise(INDEX)
    compiled = torch.compile(views, backend="aot_eager", fullgraph=True)
    for one, other in zip(compiled(photos, noise), views(photos, noise), strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=2e-4)


def test_a_copy_gives_the_same_views(photos):
    views = A.Views([flips_and_jitters()] * 2)
    assert all(map(torch.equal, copy.deepcopy(views)(photos, index=INDEX), views(photos, index=INDEX)))


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"views": []}, ValueError, r"Views: views=\[\] must hold at least one"),
        ({"views": [torch.nn.ReLU()]}, TypeError, "Views: views holds a ReLU"),
        ({"views": UNCHECKED.RandomInvert()}, TypeError, "Views: views is a RandomInvert"),
        ({"views": [UNCHECKED.RandomInvert()], "shared": 3}, TypeError, "Views: shared is a int"),
        ({"views": [UNCHECKED.RandomInvert()], "seed": 0.5}, TypeError, "Views: seed=0.5"),
    ],
)
def test_what_is_refused(arguments, error, message):
    with pytest.raises(error, match=message):
        UNCHECKED.Views(**arguments)
