"""Steps of a policy on a CPU: the kernels of policy_step.cpp for `policy_step`, and for `warp` with one affine map."""

from collections.abc import Sequence

import torch
from torch import Tensor

from augment.data.packed import PackedImages
from augment.data.pixels import dtype_of, on_colours, stacked
from augment.data.subset import Drawn
from augment.data.types import Bool, Images, Matrices, PerSample, Planes, UInt8
from augment.geometry.fill import Fill, by_channel
from augment.geometry.motion import Motion
from augment.kernels.cpu.boundary import require, require_images
from augment.kernels.cpu.library import CPU, UNCOMPILED, address, bytes_of, compiled_call, is_bytes, kernels
from augment.kernels.reference.policy_step import on_bytes, policy_step, wanted
from augment.kernels.reference.warping import Geometry, warp
from augment.kernels.source import COUNTED, Source, can_be_counted

_NUMBERS = {
    "Brightness": 1,
    "Contrast": 2,
    "Posterize": 3,
    "Solarize": 4,
    "SolarizeAdd": 5,
    "Invert": 6,
    "AutoContrast": 7,
    "Equalize": 8,
    "Color": 9,
    "Sharpness": 10,
}
"""Numbers of the operators in policy_step.cpp; others get 0, which changes nothing."""

Bytes = UInt8[Tensor, "b c h w"]


def _is_one_map(
    image: Source,
    chosen: Bool[Tensor, " b"] | None,
    drawn: Drawn,
    geometry: Geometry,
    interpolation: str,
    plain: bool,
    gpu_dtype: torch.dtype,
) -> bool:
    """Whether `warp` copies the nearest pixels of one affine map, in bytes of one size, for chosen samples."""
    if chosen is None or interpolation != "nearest" or not plain or isinstance(image, PackedImages):
        return False
    return dtype_of(image) == torch.uint8 and can_be_counted(image)


@policy_step.kernel(
    CPU,
    serves=lambda image, chosen, names, op, value: is_bytes(image),
    tolerance=0.0,
    reason="Applies the drawn operator to each sample in one pass; torch copies the samples for every operator.",
)
def _(image: Bytes, chosen: Bool[Tensor, " b"] | None, names: Sequence[str], op: PerSample, value: PerSample) -> Bytes:
    return _stepped(image, " ".join(names), wanted(chosen, names, op), value)


@policy_step.kernel(
    UNCOMPILED,
    serves=lambda image, chosen, names, op, value: is_bytes(image),
    tolerance=0.0,
    reason="Compiled code computes every operator for every sample, and takes minutes to compile.",
)
def _(image: Bytes, chosen: Bool[Tensor, " b"] | None, names: Sequence[str], op: PerSample, value: PerSample) -> Bytes:
    return _stepped_in_torch(image, " ".join(names), wanted(chosen, names, op), value)


def _like(image: Tensor, *_: object) -> Tensor:
    return torch.empty_like(image, memory_format=torch.contiguous_format)


@compiled_call("on_bytes", _like)
def _stepped(image: Tensor, names: str, op: Tensor, value: Tensor) -> Tensor:
    """Applies what each sample drew; `names` are separated by spaces, because an operator takes no list of strings."""
    return on_colours(image, lambda coloured: carried_out(coloured, names.split(), op, value)).contiguous()


@compiled_call("on_bytes_in_torch", _like)
def _stepped_in_torch(image: Tensor, names: str, op: Tensor, value: Tensor) -> Tensor:
    return _own(image, on_bytes(image, names.split(), op, value))


@warp.kernel(
    CPU,
    serves=_is_one_map,
    tolerance=0.0,
    reason="Copies pixels row by row; torch writes positions and a 64-bit index for every pixel.",
)
def _(
    image: Images | Planes,
    chosen: Bool[Tensor, " b"],
    drawn: Drawn,
    geometry: Geometry,
    interpolation: str,
    plain: bool,
    gpu_dtype: torch.dtype,
) -> Bytes:
    (motion,) = geometry(drawn, image)
    image = stacked(image)
    return _moved(image, motion.matrix, chosen, _numbers(motion.fill, image))


@warp.kernel(
    UNCOMPILED,
    serves=_is_one_map,
    tolerance=0.0,
    reason="Compiled code computes every sample; this works on the chosen ones only.",
)
def _(
    image: Images | Planes,
    chosen: Bool[Tensor, " b"],
    drawn: Drawn,
    geometry: Geometry,
    interpolation: str,
    plain: bool,
    gpu_dtype: torch.dtype,
) -> Bytes:
    (motion,) = geometry(drawn, image)
    image = stacked(image)
    return _moved_in_torch(image, motion.matrix, chosen, _numbers(motion.fill, image))


def _numbers(fill: Fill, image: Tensor) -> list[float]:
    return list(by_channel(fill, image.shape[1]))


@compiled_call("nearest_by_rows", _like)
def _moved(image: Tensor, matrix: Tensor, chosen: Tensor, fill: list[float]) -> Tensor:
    return moved(image, matrix, chosen, fill)


@compiled_call("nearest_by_rows_in_torch", _like)
def _moved_in_torch(image: Tensor, matrix: Tensor, chosen: Tensor, fill: list[float]) -> Tensor:
    size = (image.shape[-2], image.shape[-1])

    def geometry(drawn: Drawn, images: Source) -> list[Motion]:
        return [Motion(drawn[0]["matrix"], size, size, padding="zeros", fill=tuple(fill))]

    out = warp.reference(image, chosen, [{"matrix": matrix}], geometry, "nearest", True, torch.uint8)
    return _own(image, out)


def _own(given: Tensor, out: Tensor) -> Tensor:
    """Returns the result, as a copy if it is the input, because a custom operator must not return its input."""
    return given.clone(memory_format=torch.contiguous_format) if out is given else out.contiguous()


def carried_out(image: Bytes, names: Sequence[str], op: PerSample, value: PerSample) -> Bytes:
    """Applies to each sample the photometric operator at position `op` in `names`, none if op is len(names)."""
    require_images("carry_out", image, torch.uint8)
    image, out = image.contiguous(), torch.empty(image.shape, dtype=torch.uint8)
    numbers = torch.tensor([*(_NUMBERS.get(name, 0) for name in names), 0], dtype=torch.int32)
    drawn, value = numbers[op.long()], value.float().contiguous()
    require("carry_out", op=(drawn, torch.int32, image.shape[:1]), value=(value, torch.float32, image.shape[:1]))
    kernels().augment_carry_out(
        address(image), address(drawn), address(value), *image.shape, address(out), torch.get_num_threads()
    )
    return out


def moved(image: Bytes, matrix: Matrices, chosen: Bool[Tensor, " b"], fill: Sequence[float]) -> Bytes:
    """Warps the chosen images by their affine matrices: copies the nearest pixel, or its channel's `fill` outside."""
    require_images("move", image, torch.uint8)
    if len(fill) != image.shape[1]:
        raise ValueError(f"kernel move: fill must be {image.shape[1]} numbers, got {len(fill)}.")
    if not can_be_counted(image):
        raise ValueError(
            f"kernel move: images {tuple(image.shape)} are too large, each must have fewer than {COUNTED} values."
        )
    image, out = image.contiguous(), torch.empty(image.shape, dtype=torch.uint8)
    matrix, chosen = matrix.float().contiguous(), chosen.contiguous()
    require("move", matrix=(matrix, torch.float32, (len(image), 3, 3)), chosen=(chosen, torch.bool, image.shape[:1]))
    kernels().augment_move(
        *(address(image), address(matrix), address(chosen), bytes_of(*(round(value * 255) for value in fill))),
        *(*image.shape, address(out), torch.get_num_threads()),
    )
    return out
