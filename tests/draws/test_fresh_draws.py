"""What a call without an index draws: a key from torch's generator, as every module of torch does."""

import collections
import itertools

import pytest
import torch
import torch._dynamo.testing
from kornia.augmentation.container import ImageSequential
from torch import nn
from torch.utils.checkpoint import checkpoint
from torch.utils.data import DataLoader, Dataset

import augment as A
from tests.unchecked import import_unchecked

plain = import_unchecked("augment")
COUNT = 4000


@pytest.fixture
def squares() -> torch.Tensor:
    """(4000, 1, 2, 2) the same image of four different pixels: the first row tells how it was flipped."""
    return torch.arange(4.0).view(1, 1, 2, 2).expand(COUNT, 1, 2, 2) / 4


def outcomes(images: torch.Tensor) -> list[int]:
    """How often each result came out."""
    return sorted(collections.Counter(tuple(row.tolist()) for row in images[:, 0, 0]).values())


def flips(lib=A) -> list:
    return [lib.RandomHorizontalFlip(), lib.RandomVerticalFlip()]


@pytest.mark.parametrize(
    "container", [nn.Sequential, ImageSequential, lambda *layers: torch.compile(nn.Sequential(*layers))]
)
def test_layers_in_a_container_of_torch_or_kornia_are_independent(container, squares):
    found = outcomes(container(*flips(plain))(squares))
    assert len(found) == 4
    assert all(abs(count - COUNT / 4) < 5 * (COUNT * 3 / 16) ** 0.5 for count in found)


def test_layers_of_different_kinds_choose_different_images():
    images = torch.rand(COUNT, 3, 4, 4)
    gray = A.RandomGrayscale(p=0.2)(images).ne(images).flatten(1).any(1)
    blurred = A.RandomGaussianBlur(3, p=0.2)(images).ne(images).flatten(1).any(1)
    both = (gray & blurred).double().mean()
    assert abs(both - 0.04) < 5 * (0.04 * 0.96 / COUNT) ** 0.5


@pytest.mark.parametrize("compile", [False, True])
def test_two_pipelines_give_two_views_and_every_call_another(compile, photos):
    one, other = (plain.Pipeline(plain.RandomResizedCrop(16), plain.ColorJitter(0.4), compile=compile) for _ in "ab")
    views = [one(photos), other(photos), one(photos), other(photos)]
    assert not any(torch.equal(a, b) for a, b in itertools.combinations(views, 2))


@pytest.mark.parametrize("compile", [False, True])
def test_manual_seed_repeats_the_draws(compile, photos):
    pipeline = plain.Pipeline(*flips(plain), plain.ColorJitter(0.4), compile=compile)
    calls = []
    for _ in range(2):
        torch.manual_seed(11)
        calls.append([pipeline(photos) for _ in range(3)])
    assert all(torch.equal(a, b) for a, b in zip(*calls, strict=True))


def test_compiled_and_eager_passes_draw_the_same(photos):
    results = []
    for compile in (False, True):
        torch.manual_seed(2)
        results.append(plain.Pipeline(*flips(plain), compile=compile)(photos))
    torch.testing.assert_close(*results, rtol=0, atol=1e-6)


def test_a_call_can_be_replayed_by_its_noise(photos):
    pipeline = A.Pipeline(*flips(), A.ColorJitter(0.4))
    noise = pipeline.noise(batch_size=8)
    assert torch.equal(pipeline(photos, noise), pipeline(photos, noise))
    torch.manual_seed(4)
    out = pipeline(photos)
    torch.manual_seed(4)
    assert torch.equal(pipeline(photos, pipeline.noise(batch_size=8)), out)


def test_an_index_leaves_the_generator_alone_and_keys_as_ever(photos):
    layer, state = A.RandomRotation(10), torch.get_rng_state()
    out = layer(photos, index=torch.arange(8), epoch=2)
    assert torch.equal(torch.get_rng_state(), state)
    torch.manual_seed(1)
    assert torch.equal(layer(photos, index=torch.arange(8), epoch=2), out)


def test_ranks_of_the_same_seed_draw_differently(monkeypatch):
    layer, drawn = A.RandomRotation(10), []
    for rank in (0, 1, 7):
        monkeypatch.setenv("RANK", str(rank))
        torch.manual_seed(0)
        drawn.append(layer.noise(batch_size=500))
    assert not any(torch.isin(a, b).float().mean() > 0.01 for a, b in itertools.combinations(drawn, 2))


class Augmented(Dataset):
    """Its workers call a layer."""

    def __init__(self) -> None:
        self.layer = A.RandomRotation(10)

    def __len__(self) -> int:
        return 16

    def __getitem__(self, number: int) -> torch.Tensor:
        return self.layer.noise(batch_size=1)[0, 0]


@pytest.mark.parametrize("start", ["fork", "spawn"])
def test_workers_and_epochs_draw_differently(start):
    loader = DataLoader(Augmented(), batch_size=4, num_workers=2, multiprocessing_context=start)
    drawn = torch.cat([batch for _ in range(2) for batch in loader])
    assert len(drawn.unique()) == len(drawn) == 32


@pytest.mark.parametrize("compiled", [False, True])
@pytest.mark.parametrize(
    "make", [lambda: plain.RandomAffine(30.0, p=1.0), lambda: plain.Pipeline(plain.RandomAffine(30.0, p=1.0))]
)
def test_activation_checkpointing_computes_the_same_draw_again(make, compiled):
    """A rotation is a linear map A, so <A x, w> = <x, A' w> holds only if backward used the draw of forward."""
    layer = make()

    def recomputed(images):
        return checkpoint(layer, images, use_reentrant=False)

    run = torch.compile(recomputed, fullgraph=True) if compiled else recomputed
    for _ in range(3):
        images = torch.randn(8, 3, 16, 16, requires_grad=True)
        out = run(images)
        weight = torch.randn_like(out)
        (out * weight).sum().backward()
        adjoint = (images.detach() * images.grad).sum()
        torch.testing.assert_close(adjoint, (out.detach() * weight).sum(), rtol=1e-3, atol=1e-2)


def test_code_that_somebody_compiles_draws_anew_without_compiling_again(squares):
    torch._dynamo.reset()
    frames = torch._dynamo.testing.CompileCounterWithBackend("inductor")
    compiled = torch.compile(plain.Pipeline(*flips(plain)), backend=frames, fullgraph=True)
    outputs = [compiled(squares) for _ in range(6)]
    assert frames.frame_count == 1
    assert not any(torch.equal(a, b) for a, b in itertools.pairwise(outputs))
    assert [len(outcomes(out)) for out in outputs] == [4] * 6
    torch.manual_seed(3)
    first = compiled(squares)
    torch.manual_seed(3)
    assert torch.equal(compiled(squares), first)
