"""Arguments of constructors and calls: whose numbers are taken, what is refused, and in which words."""

import math

import numpy as np
import pytest
import torch
from hydra.utils import instantiate
from omegaconf import OmegaConf
from scipy import stats

from tests.unchecked import import_unchecked

A = import_unchecked("augment")  # the sentences that a user sees, not those of the tests' type checks
IMAGES = torch.linspace(0, 1, 2 * 3 * 9 * 11).view(2, 3, 9, 11)
NAN, INF = math.nan, math.inf
MANY_LINES = torch.nn.Sequential(torch.nn.ReLU(), torch.nn.ReLU())

CONSTRUCTION = [
    (lambda: A.RandomRotation(NAN), ValueError, r"RandomRotation: degrees=nan must lie within \[-360, 360\]"),
    (lambda: A.RandomRotation((0, INF)), ValueError, r"RandomRotation: degrees=\(0, inf\) must lie within"),
    (lambda: A.RandomRotation((0, True)), TypeError, r"RandomRotation: degrees=\(0, True\) must be a number, a pair"),
    (lambda: A.RandomRotation(A.Bernoulli(0.5)), TypeError, "RandomRotation: degrees=.* a distribution of numbers"),
    (lambda: A.RandomInvert(NAN), ValueError, "RandomInvert: max_val=nan must be finite"),
    (lambda: A.ColorJitter(INF), ValueError, "ColorJitter: brightness=inf must lie within"),
    (lambda: A.ColorJitter(order=(0, True)), ValueError, r"order=\(0, True\) must hold numbers from 0 to 3"),
    (lambda: A.RandomHue(p=A.Uniform(0, 1)), TypeError, "RandomHue: p=.* must be a number or a Bernoulli within"),
    (
        lambda: A.RandomAffine(5, fill_value={1: 2}),
        TypeError,
        "RandomAffine: fill_value=.* must be a number, one number per channel or",
    ),
    (lambda: A.Pad(1, fill=None), TypeError, "Pad: fill=.* must be a number, one number per channel or"),
    (lambda: A.Pad(True), ValueError, "Pad: padding=True must be 1, 2 or 4 numbers"),
    (lambda: A.Pad(10**9), ValueError, "Pad: padding=1000000000 .* above 65536"),
    (lambda: A.Resize(10**9), ValueError, "Resize: size=1000000000 .* at most 65536"),
    (lambda: A.LongestMaxSize((3, 4)), TypeError, r"LongestMaxSize: max_size=\(3, 4\) must be a whole number"),
    (lambda: A.Preprocess(8, crop=1e-9), ValueError, "Preprocess: size / crop=.* at most 65536"),
    (lambda: A.RandomErasing(value=NAN), ValueError, "RandomErasing: value=nan must lie within"),
    (lambda: A.RandomErasing(value={}), TypeError, "RandomErasing: value=.* one number, one per channel"),
    (lambda: A.CoarseDropout(fill=300), ValueError, r"CoarseDropout: fill=300 must lie within \[0, 1\]"),
    (lambda: A.GridMask(fill=-7), ValueError, r"GridMask: fill=-7 must lie within \[0, 1\]"),
    (lambda: A.Normalize([], []), ValueError, r"Normalize: mean=\[\] must be numbers in a list, 1 to 1024"),
    (lambda: A.Normalize((0.1, NAN), 1.0), ValueError, "Normalize: mean=nan must lie within"),
    (lambda: A.Normalize(0.0, 1e-42), ValueError, "Normalize: std=1e-42 must be at least 1e-38"),
    (lambda: A.Preprocess(8, NAN, 1.0), ValueError, "Preprocess: mean=nan"),
    (lambda: A.RandomCutMix(beta=NAN), ValueError, r"RandomCutMix: beta=nan must lie within \[0.001, 10000\]"),
    (lambda: A.AugMix(alpha=INF), ValueError, r"AugMix: alpha=inf must lie within \[0.001, 100\]"),
    (lambda: A.AugMix(mixture_width=10**30), ValueError, "AugMix: mixture_width=1.* whole number from 1 to 100"),
    (lambda: A.AugMix(chain_depth=10**30), ValueError, "AugMix: chain_depth=1.* whole number from 1 to 100"),
    (lambda: A.AugMix(severity=2.5), TypeError, "AugMix: severity=2.5 must be a whole number"),
    (lambda: A.RandAugment(n=10**30), ValueError, "RandAugment: n=1.* must be a whole number from 0 to 100"),
    (lambda: A.RandAugment(operators="Rotate"), TypeError, "RandAugment: operators='Rotate' must be a list of some"),
    (lambda: A.RandAugment(operators=["Turn"]), ValueError, r"RandAugment: operators=\['Turn'\] must be a list of"),
    (lambda: A.RandomRotation90((0, 10**9)), ValueError, r"RandomRotation90: times=.* within \[-100, 100\]"),
    (lambda: A.RandomRotation90(2), ValueError, "RandomRotation90: times=2 must be two whole numbers"),
    (lambda: A.RandomGaussianBlur(10**9 + 1), ValueError, "RandomGaussianBlur: kernel_size=.* at most 1023"),
    (lambda: A.RandomMedianBlur(33), ValueError, "RandomMedianBlur: kernel_size=33 .* at most 31"),
    (lambda: A.RandomMotionBlur((1, 10**9), 0, 0), ValueError, "RandomMotionBlur: kernel_size=.* at most 255"),
    (lambda: A.RandomJigsaw((1, 10**9)), ValueError, "RandomJigsaw: grid=.* at most 64"),
    (lambda: A.RandomMosaic(mosaic_grid=(1, 10**9)), ValueError, "RandomMosaic: mosaic_grid=.* at most 16"),
    (lambda: A.RandomGridDistortion(10**9), ValueError, "RandomGridDistortion: num_steps=.* from 1 to 100"),
    (lambda: A.RandomMixUp(num_classes=10**12), ValueError, "RandomMixUp: num_classes=.* from 1 to 1000000"),
    (lambda: A.RandomMixUp(num_classes=[3]), TypeError, r"RandomMixUp: num_classes=\[3\] must be a whole number"),
    (lambda: A.Choice(range(10**9)), ValueError, r"Choice: values=range\(0, 1000000000\) must be .* 1 to 1024 of them"),
    (lambda: A.OneOf([A.RandomHue()], [-1]), ValueError, "OneOf: weights=-1 must lie within"),
    (lambda: A.OneOf([A.RandomHue()], [1, 2]), ValueError, r"OneOf: weights=\[1, 2\] must be 1 numbers"),
    (lambda: A.OneOf(A.RandomHue()), TypeError, "OneOf: layers is a RandomHue; it must be a list of layers"),
    (lambda: A.SomeOf([A.RandomHue()], 0.5), ValueError, "SomeOf: n=0.5 must be a whole number or a pair"),
    (lambda: A.Pipeline(seed=None), TypeError, "Pipeline: seed=None must be a whole number"),
    (lambda: A.Pipeline(seed=1.7), TypeError, "Pipeline: seed=1.7 must be a whole number"),
    (lambda: A.Pipeline(seed="3"), TypeError, "Pipeline: seed='3' must be a whole number"),
    (lambda: A.Pipeline(seed=2**64), ValueError, "Pipeline: seed=18446744073709551616 must be a whole number from"),
    (lambda: A.Pipeline(compile=1), ValueError, "Pipeline: compile=1 must be True, False, 'auto' or one of"),
    (lambda: A.Preprocess(8, dtype="int8"), ValueError, "Preprocess: dtype='int8' must be"),
    (lambda: A.Pipeline([A.RandomHue()]), TypeError, "Pipeline: layers are given one by one, not in a list"),
    (lambda: A.ThreeAugment("a"), TypeError, "ThreeAugment: color_jitter='a' must be one number"),
    (lambda: A.LearnedPolicy("rotate"), TypeError, "LearnedPolicy: operators='rotate' must hold at least one name"),
    (lambda: A.RandomHue(same_on_batch=MANY_LINES), TypeError, "RandomHue: same_on_batch=Sequential.* True or False"),
    (lambda: A.RandomHue(torch.tensor([0.1], requires_grad=True)), TypeError, "learnable=True"),
    (lambda: A.presets.cifar(8, mean=NAN), ValueError, "Normalize: mean=nan"),
    (lambda: A.presets.cifar(8, framing="crop"), TypeError, "Pipeline: .*framing"),
]


@pytest.mark.parametrize(("build", "error", "words"), CONSTRUCTION, ids=[case[2][:60] for case in CONSTRUCTION])
def test_construction(build, error, words):
    with pytest.raises(error, match=words) as caught:
        build()
    assert "\n" not in str(caught.value)


NOISE = torch.rand(2, 2, generator=torch.Generator().manual_seed(0))
LAYER = A.RandomRotation(5)
CALLS = [
    (lambda: LAYER(IMAGES, epoch=1.5), TypeError, "RandomRotation: epoch=1.5 must be a whole number"),
    (lambda: LAYER.inverse(A.Batch(IMAGES), size=(8, 8), epoch=1.5), TypeError, "epoch=1.5 must be a whole number"),
    (lambda: LAYER.inverse(A.Batch(IMAGES), LAYER.noise(batch_size=2), size=(8, 8), epoch=-1), ValueError, "epoch=-1"),
    (lambda: LAYER(IMAGES, epoch=None), TypeError, "RandomRotation: epoch=None must be a whole number"),
    (lambda: LAYER(IMAGES, epoch=True), TypeError, "RandomRotation: epoch=True must be a whole number"),
    (lambda: LAYER(IMAGES, epoch=-1), ValueError, "RandomRotation: epoch=-1 must be a whole number from 0 to 42"),
    (lambda: LAYER(IMAGES, epoch=2**32), ValueError, "epoch=4294967296 must be a whole number from 0 to 42"),
    (lambda: LAYER(IMAGES, epoch=torch.ones(2, dtype=torch.int64)), TypeError, r"epoch=\(2,\) torch.int64 must be"),
    (lambda: A.Pipeline(LAYER)(IMAGES, epoch=torch.tensor(1.0)), TypeError, r"Pipeline: epoch=\(\) torch.float32"),
    (lambda: LAYER.noise(torch.arange(2), 1.5), TypeError, "RandomRotation: epoch=1.5"),
    (lambda: A.uniform(1.5, 0, torch.arange(2), 3), TypeError, "uniform: seed=1.5 must be a whole number from"),
    (lambda: A.uniform(1, 0.5, torch.arange(2), 3), TypeError, "uniform: epoch=0.5 must be a whole number from"),
    (lambda: A.uniform(1, 0, [0, 1], 3), TypeError, r"uniform: index=\[0, 1\] must be a \(B,\) tensor"),
    (lambda: A.uniform(1, 0, torch.arange(2), -1), ValueError, "uniform: columns=-1 must be a whole number from 0"),
    (lambda: A.OneOf([A.RandomHue(), A.Resize((4, 5))])(IMAGES), ValueError, "OneOf: Resize changes the size"),
    (lambda: A.Pipeline(A.SomeOf([A.Pad(1), A.RandomHue()]))(IMAGES), ValueError, "SomeOf: Pad changes the size"),
    (lambda: LAYER.noise(batch_size=2.0), TypeError, "RandomRotation: batch_size=2.0 must be a whole number"),
    (lambda: LAYER(IMAGES, index=[0, 1]), TypeError, r"RandomRotation: index=\[0, 1\] must be a \(B,\) tensor"),
    (lambda: LAYER(IMAGES, index=torch.tensor([True, False])), ValueError, "index must be .* got .* torch.bool"),
    (lambda: LAYER(IMAGES, index=torch.zeros(2, 1).long()), ValueError, r"index must be .* got \(2, 1\)"),
    (lambda: LAYER(A.Batch(IMAGES, index=[0, 1])), TypeError, "index"),
    (lambda: LAYER(IMAGES, [0.1, 0.2]), TypeError, "RandomRotation: noise must be a tensor of floats.* got a list"),
    (lambda: LAYER(IMAGES, torch.zeros(2, 2).long()), TypeError, "noise must be a tensor of floats.* torch.int64"),
    (lambda: LAYER(IMAGES, NOISE * NAN), ValueError, r"noise must lie within \[0, 1\), got values from nan to nan"),
    (lambda: LAYER(IMAGES, NOISE - 1e9), ValueError, r"RandomRotation: noise must lie within \[0, 1\), got values"),
    (lambda: LAYER(IMAGES, torch.ones(2, 2)), ValueError, r"noise must lie within \[0, 1\), got values from 1 to 1"),
    (lambda: LAYER(IMAGES, NOISE.to("meta")), ValueError, "RandomRotation: noise is on meta, the images are on cpu"),
    (lambda: LAYER.explain(NOISE, (8, 8)), ValueError, r"noise must be \(2,\), one row .* got \(2, 2\)"),
    (lambda: LAYER.explain(NOISE[0], (8,)), ValueError, r"RandomRotation: size=\(8,\) must be a positive whole number"),
    (lambda: LAYER.explain(NOISE[0], (8, 0)), ValueError, r"RandomRotation: size=\(8, 0\) must be a positive whole"),
    (lambda: LAYER.explain(NOISE[0] + 1, (8, 8)), ValueError, r"noise must lie within \[0, 1\)"),
    (lambda: LAYER.inverse(A.Batch(IMAGES), NOISE, size=(8,)), ValueError, r"RandomRotation: size=\(8,\) must be"),
    (lambda: LAYER.inverse(A.Batch(IMAGES), NOISE, size=8.5), ValueError, "RandomRotation: size=8.5 must be"),
    (lambda: LAYER.inverse(A.Batch(IMAGES), NOISE + 1, size=(9, 11)), ValueError, "noise must lie within"),
]


@pytest.mark.parametrize(("call", "error", "words"), CALLS, ids=[case[2][:60] for case in CALLS])
def test_calls(call, error, words):
    with pytest.raises(error, match=words) as caught:
        call()
    assert "\n" not in str(caught.value)


SAME = {
    "a NumPy float": (
        lambda: A.RandomRotation(np.float32(0.5), p=np.float64(0.5)),
        lambda: A.RandomRotation(0.5, p=0.5),
    ),
    "a NumPy integer": (lambda: A.Resize(np.int64(3)), lambda: A.Resize(3)),
    "a NumPy array": (lambda: A.RandomRotation(np.array([-10, 20])), lambda: A.RandomRotation((-10, 20))),
    "a NumPy flag": (lambda: A.Resize(3, antialias=np.bool_(False)), lambda: A.Resize(3, antialias=False)),
    "a tensor": (lambda: A.RandomRotation(torch.tensor([-10, 20])), lambda: A.RandomRotation((-10, 20))),
    "tensors without a dimension": (
        lambda: A.RandomHue([torch.tensor(-0.25), torch.tensor(0.5)], p=torch.tensor(0.5)),
        lambda: A.RandomHue((-0.25, 0.5), p=0.5),
    ),
    "a seed of NumPy": (
        lambda: A.Pipeline(A.RandomRotation(5), seed=np.int64(3)),
        lambda: A.Pipeline(A.RandomRotation(5), seed=3),
    ),
    "a Choice of a NumPy array": (
        lambda: A.RandomRotation(A.Choice(np.array([1.0, 2.0]), np.array([1, 3]))),
        lambda: A.RandomRotation(A.Choice((1, 2), (1, 3))),
    ),
    "statistics in tensors": (
        lambda: A.Normalize(torch.tensor([0.5, 0.25, 0.5]), torch.tensor(0.5)),
        lambda: A.Normalize((0.5, 0.25, 0.5), 0.5),
    ),
}


@pytest.mark.parametrize("kind", SAME)
def test_numbers_of_other_libraries_are_numbers(kind):
    given, expected = (build() for build in SAME[kind])
    index = torch.arange(2)
    assert torch.equal(given(IMAGES, index=index), expected(IMAGES, index=index))
    assert repr(given) == repr(expected)
    assert given.config() == expected.config()


def test_lists_of_omegaconf_are_lists():
    """What Hydra gives without `_convert_`."""
    config = OmegaConf.create(
        {
            "_target_": "augment.Pipeline",
            "_args_": [
                {"_target_": "augment.RandomResizedCrop", "size": [6, 5], "scale": [0.2, 0.9]},
                {
                    "_target_": "augment.OneOf",
                    "layers": [
                        {"_target_": "augment.RandomAffine", "degrees": 9, "translate": [0.1, 0.2]},
                        {"_target_": "augment.ColorJitter", "brightness": [0.5, 1.5], "order": [1, 0]},
                    ],
                    "weights": [1, 2],
                },
                {"_target_": "augment.LearnedPolicy", "operators": {"rotate": 30.0, "hue": None}},
                {"_target_": "augment.Normalize", "mean": [0.5, 0.4, 0.3], "std": [0.2, 0.3, 0.4]},
            ],
        }
    )
    given, expected = instantiate(config), instantiate(config, _convert_="all")
    index = torch.arange(2)
    assert torch.equal(given(IMAGES, index=index), expected(IMAGES, index=index))
    assert given.config() == expected.config()


def test_an_epoch_of_numpy_is_an_epoch():
    index = torch.arange(2)
    assert torch.equal(LAYER.noise(index, np.int64(3)), LAYER.noise(index, 3))


@pytest.mark.parametrize(("a", "b"), [(1e-2, 1e-2), (0.1, 30), (10, 10), (10, 0.2), (100, 3), (1e3, 1e3), (1e4, 1)])
def test_every_beta_is_the_right_one(a, b):
    u = (torch.arange(4000) + 0.5) / 4000
    expected = torch.from_numpy(stats.beta(a, b).ppf(u.double().numpy()))
    torch.testing.assert_close(A.Beta(a, b)(u).double(), expected, rtol=0, atol=3e-4)


def test_a_user_may_annotate_constructors_at_will():
    class Lifted(A.PixelOp):
        def __init__(self, steps: int = 1, strong: bool = False, p: float = 1.0) -> None:
            super().__init__(p)
            self.steps, self.strong = steps, strong

        def pixel(self, planes, params):
            return tuple(plane + self.steps for plane in planes)

    assert Lifted(0.25, strong="very")(IMAGES).sub(IMAGES).allclose(torch.tensor(0.25))
    with pytest.raises(TypeError, match=r"^Lifted: p='x' must be a number or a Bernoulli"):
        Lifted(p="x")


@pytest.mark.parametrize("given", ["noise", "index", "epoch"])
def test_the_checks_of_a_call_compile(given):
    """No graph break, and no value of a tensor that the host would wait for."""
    layer = A.Pipeline(A.RandomRotation(5), compile=False)
    arguments = {"noise": {"noise": NOISE}, "index": {"index": torch.arange(2)}, "epoch": {"epoch": torch.tensor(3)}}
    compiled = torch.compile(layer, fullgraph=True, backend="eager", dynamic=False)
    arguments["epoch"] |= arguments["index"]
    torch.testing.assert_close(compiled(IMAGES, **arguments[given]), layer(IMAGES, **arguments[given]))
