"""Wrong input ends in one sentence that names the layer, the argument, what was given and what is allowed."""

import pytest
import torch

from tests.unchecked import import_unchecked

A = import_unchecked("augment")  # the sentences that a user sees, not those of the tests' type checks
IMAGES = torch.zeros(2, 3, 32, 32)
MANY_LINES = torch.nn.Sequential(torch.nn.ReLU(), torch.nn.ReLU())

CONSTRUCTION = [
    (lambda: A.Pipeline([A.RandomHorizontalFlip()]), TypeError, r"one by one, not in a list: .*Pipeline\(\*layers\)"),
    (
        lambda: A.Batch(IMAGES, boxes=[[0, 0, 5, 5]]),
        TypeError,
        r"Batch: boxes must be a tensor \(B, N, 4\), got list; fill",
    ),
    (lambda: A.Batch(IMAGES, index=[0, 1]), TypeError, r"Batch: index must be a tensor \(B,\), got list\.$"),
    (lambda: A.Batch([IMAGES[0]]), TypeError, r"Batch: image .* got list; .*PackedImages.from_images\(images\)"),
    (lambda: A.RandomRotation("abc"), TypeError, "RandomRotation: degrees='abc' must be a number, a pair"),
    (lambda: A.RandomRotation(True), TypeError, "degrees=True must be a number"),
    (lambda: A.RandomRotation((1, 2, 3)), TypeError, r"degrees=\(1, 2, 3\) must be a number, a pair"),
    (lambda: A.RandomRotation((3, 1)), ValueError, r"degrees=\(3, 1\) must be a pair \(low, high\) with low <= high"),
    (lambda: A.RandomRotation((0, 400)), ValueError, r"degrees=\(0, 400\) must lie within \[-360, 360\]"),
    (lambda: A.RandomRotation(-5), ValueError, "degrees=-5 must not be negative"),
    (lambda: A.RandomRotation(A.Uniform(0, 999)), ValueError, "must lie within"),
    (lambda: A.RandomRotation(5, resample="cubic"), ValueError, "resample='cubic' must be one of nearest, bilinear"),
    (lambda: A.RandomRotation(5, padding_mode="wrap"), ValueError, "padding_mode='wrap' must be one of zeros"),
    (lambda: A.RandomAffine(5, translate=(2, 0)), ValueError, "translate_x=2 must lie within"),
    (lambda: A.RandomAffine(5, translate=0.1), TypeError, r"translate=0.1 must be a pair"),
    (lambda: A.RandomAffine(5, scale=(0, 1)), ValueError, r"scale=\(0, 1\) must lie within"),
    (lambda: A.RandomAffine(5, shear=100), ValueError, "shear_x=100 must lie within"),
    (lambda: A.RandomAffine(5, fill_value=2), ValueError, r"fill_value=2 must lie within \[0, 1\]"),
    (lambda: A.RandomPerspective(1.5), ValueError, r"distortion_scale=1.5 must lie within \[0, 1\]"),
    (lambda: A.RandomPerspective(sampling_method="wild"), ValueError, "sampling_method='wild' must be"),
    (lambda: A.RandomRotation90((2, 1)), ValueError, r"times=\(2, 1\) must be two whole numbers"),
    (lambda: A.RandomCrop((0, 5)), ValueError, r"RandomCrop: size=\(0, 5\) must be a positive whole number"),
    (lambda: A.RandomCrop(5.5), ValueError, "size=5.5 must be a positive whole number"),
    (lambda: A.RandomCrop(5, padding=-1), ValueError, "padding=-1 must be 1, 2 or 4"),
    (lambda: A.Pad((1, 2, 3)), ValueError, r"Pad: padding=\(1, 2, 3\) must be 1, 2 or 4 numbers of pixels"),
    (lambda: A.Pad(1, fill=255), ValueError, r"Pad: fill=255 must lie within \[0, 1\]"),
    (lambda: A.Opaque(3), TypeError, "Opaque: module=3 must be a module or a function of images"),
    (lambda: A.RandomCrop(5, padding_mode="wrap"), ValueError, "padding_mode='wrap' must be one of constant"),
    (lambda: A.RandomResizedCrop(5, scale=(0.5, 1.5)), ValueError, r"scale=\(0.5, 1.5\) must lie within"),
    (lambda: A.RandomResizedCrop(5, ratio=(0, 1)), ValueError, r"ratio=\(0, 1\) must lie within"),
    (lambda: A.Resize(-3), ValueError, "Resize: size=-3 must be a positive whole number"),
    (lambda: A.Resize(3, side="both"), ValueError, "side='both' must be one of short, long"),
    (lambda: A.ColorJitter(brightness=-1), ValueError, "brightness=-1 must not be negative"),
    (lambda: A.ColorJitter(hue=0.7), ValueError, "hue=0.7 must lie within"),
    (lambda: A.ColorJitter(order=(0, 0)), ValueError, r"order=\(0, 0\) must hold numbers from 0 to 3"),
    (lambda: A.RandomBrightness((-1, 1)), ValueError, r"brightness=\(-1, 1\) must lie within \[0, 2\]"),
    (lambda: A.RandomGaussianBlur(4), ValueError, "kernel_size=4 must be odd"),
    (lambda: A.RandomGaussianBlur(5, sigma=(0, 1)), ValueError, r"sigma=\(0, 1\) must lie within"),
    (lambda: A.RandomGaussianBlur(5, border_type="x"), ValueError, "border_type='x' must be one of reflect"),
    (lambda: A.RandomMedianBlur((3, 4)), ValueError, r"RandomMedianBlur: kernel_size=\(3, 4\) must be odd"),
    (lambda: A.RandomMotionBlur(4, 0.0, 0.0), ValueError, "kernel_size=4 must be an odd whole number, a pair"),
    (lambda: A.RandomMotionBlur((5, 3), 0.0, 0.0), ValueError, r"kernel_size=\(5, 3\) must be an odd whole number"),
    (lambda: A.RandomMotionBlur(A.Normal(5, 1), 0.0, 0.0), ValueError, "or a distribution with an upper end"),
    (lambda: A.RandomMotionBlur(3, 0.0, 0.0, resample="bicubic"), ValueError, "must be one of nearest, bilinear"),
    (lambda: A.RandomClahe(grid_size=(0, 2)), ValueError, r"grid_size=\(0, 2\) must be a positive whole number"),
    (lambda: A.RandomJPEG((0, 50)), ValueError, r"jpeg_quality=\(0, 50\) must lie within \[1, 100\]"),
    (lambda: A.RandomRain(drop_height=(0, 5)), ValueError, r"drop_height=\(0, 5\) must lie within \[1, 1000\]"),
    (lambda: A.RandomSnow(brightness=0.5), ValueError, r"brightness=0.5 must lie within \[1, 100\]"),
    (lambda: A.RandomErasing(value="noise"), ValueError, "value='noise' must be a number, one per channel, or"),
    (lambda: A.Normalize(0.5, 0.0), ValueError, "Normalize: std=0.0 must be positive"),
    (lambda: A.RandomCutMix(lambda_val=(0.2, 0.3), beta=1.0), ValueError, "give either lambda_val=.* or beta=1.0"),
    (lambda: A.ResizeMix((0.0, 0.5)), ValueError, r"scale=\(0.0, 0.5\) must lie within \[0.01, 1\]"),
    (lambda: A.RandomMosaic(mosaic_grid=(2, 0)), ValueError, r"mosaic_grid=\(2, 0\) must be two positive whole"),
    (lambda: A.RandomMosaic(start_ratio_range=(0, 2)), ValueError, r"start_ratio_range=\(0, 2\) must lie within"),
    (lambda: A.RandomMosaic(min_bbox_size=-1), ValueError, "min_bbox_size=-1 must not be negative"),
    (lambda: A.RandomJigsaw(4), ValueError, "RandomJigsaw: grid=4 must be two positive whole numbers"),
    (lambda: A.RandomJigsaw((1, 1)), ValueError, r"grid=\(1, 1\) has only one patch"),
    (lambda: A.RandomTransplantation(0), TypeError, "excluded_labels=0 must be whole numbers"),
    (lambda: A.RandomMix([]), ValueError, r"RandomMix: layers=\[\] must hold at least one"),
    (lambda: A.RandomMix([A.RandomHue()]), TypeError, "RandomMix: layers holds a RandomHue, which is not a Mix"),
    (lambda: A.ColorJiggle(order=(4,)), ValueError, r"ColorJiggle: order=\(4,\) must hold numbers from 0 to 3"),
    (lambda: A.RandomSolarize(0.6), ValueError, r"thresholds=0.6 must lie within \[0, 1\]"),
    (lambda: A.RandomPosterize(9), ValueError, r"bits=.*9.* must lie within \[0, 8\]"),
    (lambda: A.RandomPosterize(True), TypeError, "bits=True must be a number"),
    (lambda: A.RandomPlanckianJitter("warm"), ValueError, "mode='warm' must be one of blackbody, cied"),
    (lambda: A.RandomPlanckianJitter(select_from=25), ValueError, r"select_from=25 must be .* within \[-25, 24\]"),
    (lambda: A.RandomPlanckianJitter(select_from=[]), ValueError, r"select_from=\[\] must be whole numbers"),
    (lambda: A.RandomChannelDropout(fill_value=2), ValueError, r"fill_value=2 must lie within \[0, 1\]"),
    (lambda: A.RandomSaltAndPepperNoise(1.5), ValueError, r"amount=1.5 must lie within \[0, 1\]"),
    (lambda: A.CoarseDropout((3, 1)), ValueError, r"num_holes_range=\(3, 1\) must be a pair"),
    (lambda: A.CoarseDropout((1, 999)), ValueError, r"num_holes_range=\(1, 999\) must lie within \[0, 256\]"),
    (lambda: A.CoarseDropout(1, (0.5, 3)), ValueError, r"hole_height_range=\(0.5, 3\) must be fractions up to 1 or"),
    (lambda: A.CoarseDropout(1, 0.1, (0, 3)), ValueError, r"hole_width_range=\(0, 3\) must be fractions up to 1 or"),
    (lambda: A.GridMask(unit_range=(0.5, 30)), ValueError, r"GridMask: unit_range=\(0.5, 30\) must be fractions"),
    (lambda: A.Pipeline(torch.nn.ReLU), TypeError, "Pipeline: layers holds the class ReLU, which is not a layer"),
    (lambda: A.Pipeline(MANY_LINES), TypeError, "Pipeline: layers holds a Sequential, which is not a layer"),
    (lambda: A.OneOf([A.RandomHue(), MANY_LINES]), TypeError, "OneOf: layers holds a Sequential, which is not a layer"),
    (
        lambda: A.Pipeline(dtype="int32"),
        ValueError,
        "dtype='int32' must be a floating-point type, uint8, uint16, int16 or None",
    ),
    (lambda: A.Pipeline(compile="fast"), ValueError, "compile='fast' must be"),
    (lambda: A.Preprocess(224, mean=0.5), ValueError, "mean=0.5 and std=None go together"),
    (lambda: A.Preprocess((10, 20)), ValueError, r"size=\(10, 20\) is not square"),
    (lambda: A.Preprocess(10, crop=1.5), ValueError, r"crop=1.5 must lie within \(0, 1\]"),
]


@pytest.mark.parametrize(("build", "error", "words"), CONSTRUCTION, ids=[case[2][:50] for case in CONSTRUCTION])
def test_construction(build, error, words):
    with pytest.raises(error, match=words) as caught:
        build()
    assert "\n" not in str(caught.value)


LABELS = torch.tensor([0, 1])
CALLS = [
    (lambda: A.RandomCrop(40)(IMAGES), ValueError, r"RandomCrop: size=\(40, 40\) does not fit .* 32 pixels"),
    (lambda: A.CenterCrop(40)(IMAGES), ValueError, r"CenterCrop: size=\(40, 40\) does not fit .* \(32, 32\)"),
    (lambda: A.Normalize((0.1, 0.2), 1.0)(IMAGES), ValueError, "mean has 2 numbers for images of 3 channels"),
    (lambda: A.RandomGrayscale((0.5, 0.5), p=1.0)(IMAGES), ValueError, "2 weights for images of 3 channels"),
    (lambda: A.RandomChannelDropout(4, p=1.0)(IMAGES), ValueError, "num_drop_channels=4 is more than the image's 3"),
    (lambda: A.RandomMixUp()(IMAGES), ValueError, r"RandomMixUp mixes labels too: call it with Batch"),
    (lambda: A.RandomMixUp()(A.Batch(IMAGES, label=LABELS)), ValueError, "give num_classes"),
    (lambda: A.RandomTransplantation()(IMAGES), ValueError, "RandomTransplantation needs a mask: call it"),
    (lambda: A.RandomMix([A.RandomMosaic(9)]).out_size((8, 8)), ValueError, "RandomMosaic changes the size of the"),
    (lambda: A.RandomHue()(IMAGES[0, 0]), ValueError, r"images must be \(B, C, H, W\).* got \(32, 32\)"),
    (lambda: A.RandomHue()(IMAGES.long()), TypeError, "images must be uint8, uint16, int16 or float"),
    (lambda: A.RandomHue()([IMAGES]), TypeError, "images must be a tensor, PackedImages or a Batch, got list"),
    (lambda: A.RandomHue()(A.Batch(IMAGES[0], label=LABELS)), ValueError, r"images must be \(B, C, H, W\)"),
    (lambda: A.RandomHue()(A.Batch(IMAGES, box_format="yolo")), ValueError, "box_format='yolo' must be one of xyxy"),
    (lambda: A.RandomMixUp().inverse(A.Batch(IMAGES), size=(9, 9)), ValueError, "RandomMixUp cannot be undone"),
    (lambda: A.RandomRotation(5)(IMAGES, torch.rand(3, 2)), ValueError, r"expected \(2, 2\), got \(3, 2\)"),
    (lambda: A.RandomRotation(5)(IMAGES, index=torch.arange(3)), ValueError, "index .*expected 2, got 3"),
    (lambda: A.RandomRotation(5)(IMAGES, index=torch.rand(2)), ValueError, r"index must be \(B,\) integers"),
    (lambda: A.Batch(IMAGES).to(torch.float16), TypeError, "Batch.to moves to a device"),
]


@pytest.mark.parametrize(("call", "error", "words"), CALLS, ids=[case[2][:50] for case in CALLS])
def test_calls(call, error, words):
    with pytest.raises(error, match=words) as caught:
        call()
    assert "\n" not in str(caught.value)


def packed(*sizes):
    return A.PackedImages.from_images([torch.zeros(3, *size, dtype=torch.uint8) for size in sizes])


def test_packed_images_need_a_fixed_size_first():
    images = packed((5, 6), (7, 8))
    with pytest.raises(ValueError, match="ColorJitter cannot come first: the images of this batch differ in size"):
        A.Pipeline(A.ColorJitter(0.1), A.Resize((4, 4)))(images)
    with pytest.raises(ValueError, match="still differ in size after the last warp"):
        A.Pipeline(A.Resize(4))(images)
    with pytest.raises(ValueError, match="masks need images of one size"):
        A.Resize((4, 4))(A.Batch(images, mask=torch.zeros(2, 5, 6)))
    with pytest.raises(ValueError, match=r"uint8 .* same C"):
        A.PackedImages.from_images([torch.zeros(3, 4, 4)])
