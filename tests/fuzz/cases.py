"""The cases of each kind; a case passes or raises."""

import inspect
import itertools
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from random import Random

import torch
from torch import Tensor

import augment as A
from tests.conformance.catalogue import LAYERS
from tests.fuzz.arguments import WRONG, demand, layer, required

NUMBERS = 10**6
"""Number of cases per seed: case n belongs to seed n // NUMBERS."""
NAMES = tuple(LAYERS)


def numbers(seed: int, count: int, kinds: Sequence[str]) -> list[int]:
    """Return `count` case numbers of a seed, restricted to some kinds."""
    of_kinds = (n for n in range(seed * NUMBERS, (seed + 1) * NUMBERS) if kind_of(n) in kinds)
    return list(itertools.islice(of_kinds, count))


def kind_of(number: int) -> str:
    return Random(number).choices(list(KINDS), [share for share, *_ in KINDS.values()])[0]


def limit(number: int) -> float:
    """Return the time limit of a case in seconds."""
    return KINDS[kind_of(number)][1]


def run(number: int) -> str:
    """Run a case and return its description."""
    torch.manual_seed(number)
    kind = kind_of(number)
    return f"{kind}: {KINDS[kind][2](Random(number))}"


def legal(rng: Random) -> str:
    """Run a layer or a pipeline on images with annotations."""
    augment, told = _any(rng)
    batch = batch_of(rng)
    noise = augment.noise(batch_size=len(batch))
    with _told(told, batch):
        out = _answered(augment, batch, noise)
        if out is not None:
            check(augment, batch, out)
            again = augment(batch, noise)
            assert torch.equal(again.image, out.image), "the same noise gave another image"
            if rng.random() < 0.3:
                _gradient(augment, batch, noise)
    return told


def packed(rng: Random) -> str:
    """Run a layer on images of different sizes, packed in one buffer."""
    first, told = layer(rng, rng.choice(NAMES))
    channels, side = rng.choice((1, 3, 4)), rng.choice((3, 40))
    sizes = [(channels, rng.randint(1, side), rng.randint(1, side)) for _ in range(rng.randint(1, 4))]
    images = A.PackedImages.from_images([_bytes(size) for size in sizes])
    augment = A.Pipeline(first, A.Resize((8, 9)), compile=False)
    label = torch.eye(len(sizes)) if rng.random() < 0.5 else None
    with _told(f"Pipeline({type(first).__name__}({told}), Resize)", sizes):
        out = _answered(augment, A.Batch(images, label=label), augment.noise(batch_size=len(sizes)))
        if out is not None:
            assert out.image.shape == (len(sizes), channels, 8, 9)
            assert torch.isfinite(out.image).all(), "the output is not finite"
    return f"{type(first).__name__}({told})"


def constructor(rng: Random) -> str:
    """Pass an odd argument: the error must name it, or the layer must work."""
    name = rng.choice(NAMES)
    arguments = required(rng, name)
    parameter, wrong = rng.choice(list(inspect.signature(LAYERS[name]).parameters)), rng.choice(WRONG)
    told = f"{name}({parameter}={type(wrong).__name__} {str(wrong)[:40]})"
    with _told(told):
        try:
            built = LAYERS[name](**(arguments | {parameter: wrong}))
        except (ValueError, TypeError) as error:
            demand(str(error).startswith(f"{name}: {parameter}"), f"does not name the argument: {error!r}")
        else:
            batch = A.Batch(torch.rand(2, 3, 12, 13), torch.eye(2), torch.ones(2, 12, 13, dtype=torch.int64))
            out = _answered(built, batch, built.noise(batch_size=2))
            assert out is None or not torch.isnan(out.image).any(), "accepted, and the output is not a number"
    return told


def call(rng: Random) -> str:
    """Call a layer with a wrong argument, which it must refuse."""
    augment, told = _any(rng)
    batch = A.Batch(torch.rand(2, 3, 12, 13), torch.eye(2), torch.ones(2, 12, 13, dtype=torch.int64))
    noise = augment.noise(batch_size=2)
    wrongs = {
        "noise too wide": lambda: augment(batch, torch.rand(2, augment.draws + 1)),
        "noise too long": lambda: augment(batch, torch.rand(3, augment.draws)),
        "noise of integers": lambda: augment(batch, noise.long()),
        "noise as a list": lambda: augment(batch, noise.tolist()),
        "noise above 1": lambda: augment(batch, torch.ones(2, augment.draws + (augment.draws == 0))),
        "index as a list": lambda: augment(batch, index=[0, 1]),
        "index of floats": lambda: augment(batch, index=torch.rand(2)),
        "index too long": lambda: augment(batch, index=torch.arange(3)),
        "epoch of a float": lambda: augment(batch, epoch=1.5),
        "no epoch": lambda: augment(batch, epoch=None),
        "images of integers": lambda: augment(batch.replace(image=batch.image.long())),
        "an image without channels": lambda: augment(batch.image[0, 0]),
        "a list of images": lambda: augment([batch.image]),
        "a size of one side": lambda: augment.explain(noise[0], (8,)),
        "noise of two samples": lambda: augment.explain(noise, (8, 8)),
    }
    kind = rng.choice(list(wrongs))
    with _told(f"{kind}: {told}"):
        try:
            wrongs[kind]()
        except (ValueError, TypeError) as error:
            demand(len(str(error)) < 500 and "\n" not in str(error), f"not a single sentence: {error!r}")
        else:
            raise AssertionError("accepted")
    return f"{kind}: {told}"


def traced(rng: Random, backend: str = "aot_eager") -> str:
    """Compile a layer to one graph, whose result must equal that of eager mode."""
    augment, told = layer(rng, rng.choice([name for name in NAMES if LAYERS[name].compilable]))
    if not all(leaf.compilable for leaf in augment.leaves()):
        return f"not to be compiled: {type(augment).__name__}"
    batch = A.Batch(torch.rand(3, 3, 14, 15), torch.eye(3), torch.ones(3, 14, 15, dtype=torch.int64))
    noise = augment.noise(batch_size=3)
    with _told(f"{type(augment).__name__}({told})"):
        expected = _answered(augment, batch, noise)
        if expected is not None:
            torch._dynamo.reset()
            out = torch.compile(augment, fullgraph=True, backend=backend, dynamic=False)(batch, noise)
            torch.testing.assert_close(out.image, expected.image, rtol=0, atol=2e-2)  # bytes may round differently
            assert (out.image - expected.image).abs().mean() < 1e-3
    return f"{type(augment).__name__}({told})"


def compiled(rng: Random) -> str:
    """Do the same as `traced` with generated code."""
    return traced(rng, "inductor")


KINDS: dict[str, tuple[float, float, Callable[[Random], str]]] = {
    "legal": (50, 60, legal),
    "packed": (12, 60, packed),
    "constructor": (25, 60, constructor),
    "call": (12, 60, call),
    "traced": (2, 600, traced),
    "compiled": (0.3, 600, compiled),
}
"""Kind -> its weight, its time limit in seconds, and its function."""


def _any(rng: Random) -> tuple[A.Layer, str]:
    """Return a layer, or a pipeline of up to four layers."""
    if rng.random() < 0.6:
        augment, told = layer(rng, rng.choice(NAMES))
        return augment, f"{type(augment).__name__}({told})"
    some = [layer(rng, rng.choice(NAMES)) for _ in range(rng.randint(1, 4))]
    dtype = rng.choice((None, torch.uint8, torch.float16, torch.bfloat16, torch.float32))
    told = ", ".join(f"{type(one).__name__}({arguments})" for one, arguments in some)
    augment = A.Pipeline(*(one for one, _ in some), dtype=dtype, compile=False)
    return augment, f"Pipeline({told}, dtype={dtype})"


def batch_of(rng: Random) -> A.Batch:
    """Return images of any size, dtype and memory format, with some annotations."""
    count, side = rng.choice((0, 1, 2, 3, 5)), rng.choice((2, 9, 40))
    height, width, channels = rng.randint(1, side), rng.randint(1, side), rng.choice((1, 2, 3, 3, 3, 4))
    image = _bytes((count, channels, height, width), rng.choice((0, 1, 255, 256)))
    dtype = rng.choice((torch.uint8, torch.float16, torch.bfloat16, torch.float32, torch.float32, torch.float64))
    image = image if dtype == torch.uint8 else (image / 255).to(dtype)
    order = rng.choice(("planar", "channels_last", "strided"))
    if order == "channels_last":
        image = image.contiguous(memory_format=torch.channels_last)
    elif order == "strided":
        image = torch.stack([image, image], -1)[..., 0]
    batch = A.Batch(image, label=torch.rand(count, 4).softmax(1))
    whole = torch.randint(0, 4, (count, height, width))
    if rng.random() < 0.7:
        batch.mask = rng.choice((whole, whole > 1, whole.to(torch.uint8), whole.float(), whole[:, None]))
    if rng.random() < 0.5:
        corner = torch.rand(count, 3, 2) * torch.tensor([width, height])
        batch.boxes = torch.cat([corner, corner + torch.rand(count, 3, 2) * torch.tensor([width, height])], -1)
        batch.keypoints = torch.rand(count, 5, 2) * torch.tensor([width, height])
    return batch


def _bytes(shape: tuple[int, ...], most: int = 256) -> Tensor:
    """Return random bytes below `most`; all white for 1."""
    return torch.full(shape, 255, dtype=torch.uint8) if most == 1 else torch.randint(0, max(most, 1), shape).byte()


def check(augment: A.Layer, batch: A.Batch, out: A.Batch) -> None:
    """Check what holds for the output of every layer."""
    image, before = out.image, batch.image
    size = tuple(augment.out_size(batch.size)) if len(batch) else tuple(image.shape[-2:])
    assert image.shape == (*before.shape[:2], *size), f"image {tuple(image.shape)}, expected size {size}"
    assert image.dtype == (augment.dtype or (torch.float32 if before.dtype == torch.uint8 else before.dtype))
    assert torch.isfinite(image.float()).all(), "the image is not finite"
    total = out.label.float().sum(1)
    assert torch.allclose(total, torch.ones(len(batch)), atol=1e-3), f"labels add up to {total}"
    for name, part in batch.parts().items():
        if name not in ("image", "label"):
            assert getattr(out, name).dtype == part.dtype, f"{name} became {getattr(out, name).dtype}"
    if out.mask is not None:
        assert out.mask.shape[-2:] == size, f"mask {tuple(out.mask.shape)}"
    for part in (out.boxes, out.keypoints, out.boxes_visible):
        assert part is None or torch.isfinite(part).all(), "boxes or keypoints are not finite"


def _gradient(augment: A.Layer, batch: A.Batch, noise: Tensor) -> None:
    """Check that the gradients of the image and of learnable parameters are finite."""
    if not batch.image.is_floating_point() or augment.dtype == torch.uint8:
        return
    image = batch.image.float().requires_grad_()
    out = augment(batch.replace(image=image), noise).image.float()
    if out.requires_grad:
        out.sum().backward()
    for tensor in (image, *augment.parameters()):
        assert tensor.grad is None or torch.isfinite(tensor.grad).all(), "a gradient is not finite"


def _answered(augment: A.Layer, batch: A.Batch, noise: Tensor) -> A.Batch | None:
    """Return the output, or None if the layer refuses the batch with a proper error."""
    try:
        return augment(batch, noise)
    except (ValueError, TypeError) as error:
        names = (*NAMES, "Batch", "still differ in size")
        demand(any(name in str(error) for name in names), f"names no layer: {error!r}")
        return None


@contextmanager
def _told(*told: object) -> Iterator[None]:
    """Add a description of the call to any exception."""
    try:
        yield
    except BaseException as error:
        error.add_note(" ".join(_text(one) for one in told))
        raise


def _text(told: object) -> str:
    if not isinstance(told, A.Batch):
        return str(told)
    return ", ".join(f"{name} {part.dtype} {tuple(part.shape)}" for name, part in told.parts().items())
