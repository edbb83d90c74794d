"""Modules of other libraries as stages: what they draw is keyed like everything else."""

import kornia
import kornia.augmentation as K
import pytest
import torch
from torch import nn

import augment as A

STAGES = {
    "kornia": lambda: K.RandomAffine(30.0, p=0.7),
    "kornia, one draw for a batch": lambda: K.RandomMotionBlur((3, 9), 40.0, 0.5, p=1.0),
    "kornia, a container": lambda: K.ImageSequential(
        K.ColorJitter(0.4, 0.4, 0.4, 0.1), K.RandomErasing(), random_apply=1
    ),
    "torchvision": lambda: pytest.importorskip("torchvision.transforms.v2").RandAugment(),
    "torch": lambda: nn.Dropout2d(0.4),
}


@pytest.fixture(params=STAGES)
def pipeline(request) -> A.Pipeline:
    return A.Pipeline(A.RandomHorizontalFlip(), A.Opaque(STAGES[request.param]()), A.RandomGamma((0.5, 2.0)))


def test_replays_to_the_bit_and_leaves_the_generator_alone(pipeline, photos):
    noise, state = pipeline.noise(torch.arange(8)), torch.get_rng_state()
    first = pipeline(photos, noise)
    assert torch.equal(torch.get_rng_state(), state)
    torch.rand(7)
    assert torch.equal(pipeline(photos, noise), first)
    assert not torch.equal(pipeline(photos, pipeline.noise(torch.arange(8), epoch=1)), first)


def test_every_sample_has_a_draw_of_its_own(pipeline, photos):
    """Also where the module itself makes one draw for all images of a call."""
    index = torch.arange(8)
    together = pipeline(photos, index=index)
    for i in (0, 5):
        alone = pipeline(photos[i : i + 1], index=index[i : i + 1])
        torch.testing.assert_close(alone[0], together[i], rtol=0, atol=1e-5)
    alike = A.Pipeline(pipeline.layers[1])(photos[:1].expand(8, -1, -1, -1), index=index)
    assert len({image.sum().item() for image in alike}) > 2


def test_nothing_but_the_module(photos):
    """Kornia's own result, from the seed that the stage takes from the noise."""
    module = K.RandomAffine(30.0, p=1.0)
    stage, noise = A.Opaque(module), torch.tensor([[0.25, 0.5]])
    torch.manual_seed((2**22 << 24) + 2**23)
    expected = module(photos[:1].contiguous() / 255)
    torch.testing.assert_close(stage(photos[:1], noise), expected, rtol=0, atol=1e-6)


def test_a_module_that_draws_nothing_is_called_once(photos):
    calls = []

    def halved(images: torch.Tensor) -> torch.Tensor:
        calls.append(len(images))
        return images / 2

    stage = A.Opaque(halved, random=False)
    assert stage.draws == 0
    assert stage.deterministic
    torch.testing.assert_close(stage(photos), photos / 510)
    torch.testing.assert_close(stage.eval()(photos), photos / 510)
    assert calls == [8, 8]
    gated = A.Opaque(halved, random=False, p=0.5)
    assert not gated.deterministic
    assert torch.equal(gated.eval()(photos), photos * torch.tensor(1 / 255))


def test_the_module_is_part_of_the_pipeline(photos):
    convolution = nn.Conv2d(3, 3, 3, padding=1)
    pipeline = A.Pipeline(A.Opaque(convolution, random=False), A.RandomGamma((0.5, 2.0)))
    assert "layers.0.module.weight" in pipeline.state_dict()
    pipeline(photos).sum().backward()
    assert convolution.weight.grad is not None


def test_what_is_no_image_of_the_same_shape_is_refused(photos):
    crop = r"Opaque: CenterCrop must return images of its input's shape \(1, 3, 29, 37\); it returned \(1, 3, 8, 8\)"
    with pytest.raises(ValueError, match=crop):
        A.Opaque(K.CenterCrop(8))(photos)
    with pytest.raises(ValueError, match=r"RgbToGrayscale must return .*; it returned \(8, 1, 29, 37\)"):
        A.Opaque(kornia.color.RgbToGrayscale(), random=False)(photos)
    with pytest.raises(ValueError, match=r"split must return .*; it returned tuple"):
        A.Opaque(split, random=False)(photos)


def split(images: torch.Tensor) -> tuple[torch.Tensor, ...]:
    return images.unbind()


def test_a_pipeline_with_a_stage_is_not_compiled(photos):
    pipeline = A.Pipeline(A.Opaque(nn.Dropout(0.3)), A.RandomGamma((0.5, 2.0)), compile=True)
    noise = pipeline.noise(torch.arange(8))
    pipeline(photos, noise)
    assert not pipeline.__dict__.get("_compiled")
    assert not pipeline.compiles_on(torch.device("cuda"))
    assert A.Pipeline(A.RandomGamma()).compiles_on(torch.device("cuda"))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_on_a_gpu(photos):
    pipeline = A.Pipeline(A.RandomResizedCrop(16), A.Opaque(K.RandomGaussianNoise(p=1.0)), A.RandomGamma((0.5, 2.0)))
    photos, index = photos.cuda(), torch.arange(8).cuda()
    state = torch.cuda.get_rng_state(), torch.get_rng_state()
    first = pipeline(photos, index=index)
    assert torch.equal(torch.cuda.get_rng_state(), state[0])
    assert torch.equal(torch.get_rng_state(), state[1])
    torch.rand(3, device="cuda")
    assert torch.equal(pipeline(photos, index=index), first)
    assert torch.equal(pipeline(photos[2:4], index=index[2:4]), first[2:4])
