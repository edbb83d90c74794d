"""Tensor shapes as types: documentation in a signature, assertions in the tests, nothing at run time.

The tests check every annotated call with jaxtyping and beartype; without jaxtyping the names mean `Tensor`.
"""

from typing import TYPE_CHECKING

from torch import Tensor

if TYPE_CHECKING:  # to an editor each of them is its first argument
    from typing import Annotated as Bool
    from typing import Annotated as Float
    from typing import Annotated as Integer
    from typing import Annotated as Num
    from typing import Annotated as Shaped
    from typing import Annotated as UInt8
else:
    try:
        from jaxtyping import Bool, Float, Integer, Num, Shaped, UInt8
    except ImportError:  # jaxtyping is a development tool, not a requirement

        class Shaped:
            def __class_getitem__(cls, item: tuple) -> type:
                return item[0]

        Bool = Float = Integer = Num = UInt8 = Shaped

Images = Num[Tensor, "b c h w"]
Plane = Num[Tensor, "b h w"]
Planes = tuple[Plane, ...]
Noise = Float[Tensor, "b n"]
PerSample = Shaped[Tensor, "b ..."]
Matrices = Float[Tensor, "b 3 3"]

Params = dict[str, PerSample]
"""What a layer drew: one entry a quantity, each with the batch as its leading dimension."""

Size = tuple[int | Tensor, int | Tensor]
"""(height, width) in pixels: two numbers, or two (B,) tensors where the images of a batch differ."""
