"""Runs the kernels of `augment.kernels.cuda` on a CPU in Triton's interpreter, next to what torch computes.

    TRITON_INTERPRET=1 python -m tests.kernels.gpu_kernels            differences, a line of JSON each
    python -m tests.kernels.gpu_kernels --compile                     compiles them for an H100 instead

A process of its own, because Triton decides when it is imported whether it interprets.
"""

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from itertools import product

import torch
import triton
from triton.backends.compiler import GPUTarget

import augment as A
from augment.data.operator import Backend, Operator
from augment.data.pixels import stacked, to_bytes, to_float
from augment.engine.warp_run import apply_motions, motions_of
from augment.kernels.cpu import library
from augment.kernels.cuda import filtering_triton as filtering_kernels
from augment.kernels.cuda import finishing_triton as finishing_kernels
from augment.kernels.cuda import policy_step as policy
from augment.kernels.cuda import policy_step_triton as policy_kernels
from augment.kernels.cuda import warping_triton as warping_kernels
from augment.kernels.cuda.library import TRITON
from augment.kernels.reference.filtering import BORDERS, separable_filter
from augment.kernels.reference.finishing import finish
from augment.kernels.reference.policy_step import policy_step
from augment.kernels.reference.warping import resample

COLOUR = (0.1, 0.9, 0.4)
WARPS = {
    "crop": lambda: (A.RandomResizedCrop(24), A.RandomHorizontalFlip()),
    "turned": lambda: (A.RandomResizedCrop(24, (0.5, 1.0)), A.RandomAffine(45.0, (0.2, 0.2), (0.6, 1.3), p=0.8)),
    "tilted": lambda: (A.RandomPerspective(0.5, p=1.0), A.RandomRotation(30.0)),
    "nearest": lambda: (A.RandomRotation(30.0, resample="nearest"),),
    "flipped": lambda: (A.RandomHorizontalFlip(), A.RandomVerticalFlip()),
    "small": lambda: (A.Resize((9, 13)), A.RandomShear(20.0, p=1.0)),
    "filled": lambda: (A.Pad(9, fill=0.5), A.RandomRotation(60.0), A.RandomTranslate(0.5, 0.5, p=1.0)),
    "filled nearest": lambda: (A.Pad(9, fill=0.5), A.RandomRotation(60.0, resample="nearest")),
    "coloured": lambda: (A.Pad(9, fill=COLOUR), A.RandomAffine(60.0, scale=(0.3, 1.2), fill_value=COLOUR, p=1.0)),
    "coloured nearest": lambda: (A.Pad(9, fill=COLOUR), A.RandomRotation(60.0, resample="nearest", fill_value=COLOUR)),
}
ENDS = {
    "planes of bytes": lambda: (
        *(A.ColorJitter(0.4, 0.4, 0.4, 0.1, (0, 2, 1, 3), p=0.7), A.Normalize((0.5, 0.4, 0.3), (0.2, 0.3, 0.4))),
        A.RandomErasing(p=0.7),
    ),
    "a view": lambda: (A.RandomHue((-0.3, 0.3)), A.RandomBrightness((0.5, 1.5)), A.Normalize(0.4, 0.3)),
    "one float": lambda: (A.Normalize(0.4, 0.2), A.RandomErasing(p=0.8, count=(0, 2), value=0.5)),
    "a view among NaN": lambda: (A.ColorJiggle(0.4, 0.4, 0.4, 0.1, p=0.7), A.RandomErasing(value=COLOUR)),
    "packed": lambda: (A.ColorJitter(0.4, 0.4, 0.4, 0.1, p=0.7), A.Normalize(0.4, 0.3)),
}
"""What follows the warps in the same kernel, for some images; after "small" nothing does."""

OPERATORS = ("Contrast", "Posterize", "Solarize", "AutoContrast", "Equalize", "Color", "Sharpness", "Invert", "Rotate")


def images() -> dict[str, object]:
    """Memory orders, types and numbers of channels; and images of different sizes."""
    torch.manual_seed(0)
    bytes = torch.randint(0, 256, (4, 48, 57, 3), dtype=torch.uint8)
    four = torch.rand(4, 4, 48, 57)
    among_nan = torch.full((4, 3, 50, 60), torch.nan)
    among_nan[:, :, 1:-1, 1:-2] = four[:, :3]
    sizes = ((40, 60), (90, 31), (33, 33), (64, 80))
    return {
        "bytes": bytes.permute(0, 3, 1, 2),
        "planes of bytes": bytes.permute(0, 3, 1, 2).contiguous(),
        "a view": bytes.permute(0, 3, 1, 2)[:, :, 3:-2, 5:],
        "four floats": four,
        "one float": four[:, :1],
        "halves": four[:, :3].half(),
        "a view among NaN": among_nan[:, :, 1:-1, 1:-2],
        "packed": A.PackedImages.from_images([torch.randint(0, 256, (3, *size), dtype=torch.uint8) for size in sizes]),
    }


INTERPRETER = Backend("Triton's interpreter", ready=lambda device: True, takes=lambda tensors: True)


@contextmanager
def interpreted(operator: Operator) -> Iterator[list[object]]:
    """Has the operator's kernel in Triton run, and lists its calls."""
    (kernel,), kernels = [k for k in operator.kernels if k.backend is TRITON], operator.kernels
    calls: list[object] = []
    serves = lambda *arguments: kernel.serves(*arguments) and (calls.append(arguments) or True)  # noqa: E731
    operator.kernels = (replace(kernel, backend=INTERPRETER, serves=serves),)
    try:
        yield calls
    finally:
        operator.kernels = kernels


def difference_of_warps() -> None:
    library.AVAILABLE = False
    for name, (kind, image) in product(WARPS, images().items()):
        if kind == "packed" and name not in ("crop", "turned", "small"):
            continue  # these do not bring images to one size
        if kind in ("halves", "four floats") and name not in ("crop", "tilted", "nearest", "filled nearest"):
            continue  # where they look does not depend on the type and the channels
        if name.startswith("coloured") and kind in ("four floats", "one float"):
            continue  # the colour has three channels
        end = ENDS[kind]() if kind in ENDS and name != "small" else ()
        pipeline = A.Pipeline(*WARPS[name](), *end, dtype=torch.float32)
        noise = pipeline.noise(torch.arange(4), 2)
        wanted = pipeline(image, noise)
        with interpreted(finish if end else resample) as used:
            found = pipeline(image, noise)
        # nearest pixels may be the neighbours where a position lies between them
        apart = 1 - ((found - wanted).abs() <= 1e-4).float().mean().item()  # NaN is apart
        print(json.dumps({"name": f"{name} of {kind}", "used": len(used), "apart": apart}))


def difference_of_types() -> None:
    """What the next layer is handed instead of float32: half precision, or the nearest bytes."""
    image = images()["bytes"]
    for name in ("crop", "turned", "filled"):
        pipeline = A.Pipeline(*WARPS[name]())
        motions = motions_of(pipeline.leaves(), pipeline.leaf_params(pipeline.noise(torch.arange(4))), image)
        wanted = stacked(apply_motions(A.Batch(image), motions).image)
        for dtype, least in ((torch.float16, 2**-11), (torch.uint8, 1 / 255)):
            with interpreted(resample):
                found = resample(image, motions, "bilinear", dtype)
            assert found.dtype == dtype
            error = (to_float(found) - (to_float(to_bytes(wanted)) if dtype == torch.uint8 else wanted)).abs()
            # a byte is the next one where the value lies between two
            apart = (error > 1.01 * least).float().mean().item() + ((error > 0.9 * least).float().mean().item() > 2e-3)
            print(json.dumps({"name": f"{name} as {dtype}", "used": 1, "apart": apart}))


def difference_of_policies() -> None:
    for channels in (1, 3, 4):
        image = torch.randint(0, 256, (10, channels, 21, 30), dtype=torch.uint8)
        image[3] //= 3
        op, value = torch.arange(10), torch.tensor([0.6, 3.0, 100.0, 0.0, 0.0, 1.7, 0.2, 0.0, 0.0, 0.0])
        wanted = policy_step(image, None, OPERATORS, op, value)
        with interpreted(policy_step):
            found = policy_step(image, None, OPERATORS, op, value)
        apart = (found.int() - wanted.int()).abs().float().mean().item()
        print(json.dumps({"name": f"policy on {channels} channels", "used": 1, "apart": apart}))


def difference_of_filters() -> None:
    library.AVAILABLE = False
    for (kind, image), border in product(images().items(), BORDERS):
        if kind == "packed":
            continue
        size = (13, 3) if border == "reflect" else (5, 9)
        pipeline = A.Pipeline(A.RandomGaussianBlur(size, (0.3, 4.0), border, p=0.6), dtype=torch.float32)
        noise = pipeline.noise(torch.arange(4), 2)
        wanted = pipeline(image, noise)
        with interpreted(separable_filter) as used:
            found = pipeline(image, noise)
        apart = 1 - ((found - wanted).abs() <= 1e-6).float().mean().item()  # NaN is apart
        print(json.dumps({"name": f"blur of {kind}, {border}", "used": len(used), "apart": apart}))
    image = torch.rand(2, 1, 3, 140)  # fewer rows than margin, more columns than a program has
    weights = torch.rand(2, 13)
    wanted = separable_filter(image, None, weights, weights, "reflect", torch.float32)
    with interpreted(separable_filter):
        found = separable_filter(image, None, weights, weights, "reflect", torch.float16)
    apart = (found - wanted).abs().max().item() / wanted.max().item()
    print(json.dumps({"name": "wide filter", "used": 1, "apart": max(apart - 2**-11, 0.0)}))


POINTERS = {"offsets": "*i64", "sizes": "*i64", "kinds": "*i32", "counts": "*i32", "wanted": "*i1", "chosen": "*i1"}


def compiled(function: object, image: str, out: str, **constants: object) -> None:
    """For an H100, with what the interpreter does not mind: types that a branch changes, for instance."""
    kinds = {"image": image, "out": out, "tables": "*u8"} | POINTERS
    floats = ("matrices", "numbers", "colour", "sums", "values", "down", "across")
    signature = {
        name: "constexpr" if name in constants else kinds.get(name, "*fp32" if name in floats else "i32")
        for name in function.arg_names
    }
    source = triton.compiler.ASTSource(function, signature, constants)
    made = triton.compile(source, target=GPUTarget("cuda", 90, 32))
    print(json.dumps({"name": function.__name__, "code": len(made.asm["ptx"]), **constants}))


def compile_ends(shape: dict[str, int]) -> None:
    """All links in one chain on packed images, and the shortest on one channel."""
    given = {"PACKED": True, "NEAREST": False, "CHANNELS": 3, "BYTES": True, "PROJECTIVE": True, "ANTIALIAS": True}
    given |= {"STEPS": 2, "SHOWN": 3, "CHAIN": 0x987654321, "MORE": 28, "PARTS": 3} | shape
    compiled(finishing_kernels.add_up, "*u8", "*fp32", BEFORE=1, ASKED=2, **given)
    compiled(finishing_kernels.finish, "*u8", "*bf16", LINKS=9, **given)
    given = {"PACKED": False, "NEAREST": True, "CHANNELS": 1, "BYTES": False, "PROJECTIVE": False, "ANTIALIAS": False}
    given |= {"offsets": None, "sizes": None, "colour": None, "sums": None} | shape
    given |= {"STEPS": 1, "SHOWN": 1, "CHAIN": 0x98, "MORE": 8, "PARTS": 0, "LINKS": 2}
    compiled(finishing_kernels.finish, "*fp16", "*u8", **given)


def compile_all() -> None:
    shape = {"HEIGHT": 20, "WIDTH": 30, "PIXELS": 256}
    for packed, nearest, channels in product((False, True), (False, True), (1, 3, 4)):
        given = {} if packed else {"offsets": None, "sizes": None}
        given |= {"PACKED": packed, "NEAREST": nearest, "CHANNELS": channels, "BYTES": channels == 3}
        given |= {} if packed else {"colour": None}
        given |= {"STEPS": channels, "SHOWN": channels - 1, "PROJECTIVE": channels == 4, "ANTIALIAS": not nearest}
        kind = "*u8" if channels == 3 else "*fp16"
        out = {1: "*fp32", 3: "*u8", 4: "*fp16"}[channels]
        compiled(warping_kernels.warp, kind, kind if nearest else out, **given, **shape)
    compile_ends(shape)
    compiled(policy_kernels.count, "*u8", "*u8", BLOCK=policy._COUNTED)
    for channels in (1, 3, 4):
        compiled(policy_kernels.carry_out, "*u8", "*u8", CHANNELS=channels, BLOCK=policy._CHANGED)
    shape = {"HEIGHT": 20, "WIDTH": 30, "ROWS": 32}
    for border, taps, (kind, out) in product(BORDERS, (1, 13), (("*u8", "*fp32"), ("*fp16", "*fp16"))):
        given = {"CHANNELS": 3, "TALL": taps, "WIDE": 3, "BORDER": border, "BYTES": kind == "*u8", "COLUMNS": 128}
        compiled(filtering_kernels.blur, kind, out, **given, **shape)


if __name__ == "__main__":
    if "--compile" in sys.argv:
        compile_all()
    else:
        difference_of_warps()
        difference_of_types()
        difference_of_policies()
        difference_of_filters()
