"""Steps of a policy on a CPU by the kernels of policy.cpp, as `policies.slot` and `policies.on_bytes` define them."""

from collections.abc import Sequence

import torch
from torch import Tensor

from augment.data.types import Bool, Matrices, PerSample, UInt8
from augment.kernels.cpu.boundary import require, require_images
from augment.kernels.cpu.library import address, kernels
from augment.kernels.cpu.sampling import can_be_counted

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
"""policy.cpp's; whatever else is drawn is 0, which changes nothing."""

Bytes = UInt8[Tensor, "b c h w"]


def carried_out(image: Bytes, names: Sequence[str], op: PerSample, value: PerSample) -> Bytes:
    """The photometric operator that each sample drew, none beyond the last name; see `policies.on_bytes.on_bytes`."""
    require_images("carry_out", image, torch.uint8)
    image, out = image.contiguous(), torch.empty(image.shape, dtype=torch.uint8)
    numbers = [_NUMBERS.get(name, 0) for name in names]
    number = torch.tensor([*numbers, 0], dtype=torch.int32)[op.long()]
    value = value.float().contiguous()
    require("carry_out", op=(number, torch.int32, image.shape[:1]), value=(value, torch.float32, image.shape[:1]))
    kernels().augment_carry_out(
        address(image), address(number), address(value), *image.shape, address(out), torch.get_num_threads()
    )
    return out


def moved(image: Bytes, matrix: Matrices, chosen: Bool[Tensor, " b"], fill: float) -> Bytes:
    """The chosen images through their affine matrices, the nearest pixel for each, `fill` in [0, 1] outside."""
    require_images("move", image, torch.uint8)
    if not can_be_counted(image):
        raise ValueError(f"kernel move: images of {tuple(image.shape)} are too large for it.")
    image, out = image.contiguous(), torch.empty(image.shape, dtype=torch.uint8)
    matrix, chosen = matrix.float().contiguous(), chosen.contiguous()
    require("move", matrix=(matrix, torch.float32, (len(image), 3, 3)), chosen=(chosen, torch.bool, image.shape[:1]))
    kernels().augment_move(
        *(address(image), address(matrix), address(chosen), round(fill * 255)),
        *(*image.shape, address(out), torch.get_num_threads()),
    )
    return out
