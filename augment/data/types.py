"""Tensor shapes as types for signatures.

The tests check every annotated call with jaxtyping and beartype. At run time nothing is checked, and without jaxtyping
the names mean `Tensor`.
"""

from typing import TYPE_CHECKING

from torch import Tensor

if TYPE_CHECKING:  # a type checker sees the first argument
    from typing import Annotated as Bool
    from typing import Annotated as Float
    from typing import Annotated as Integer
    from typing import Annotated as Num
    from typing import Annotated as Shaped
    from typing import Annotated as UInt8
else:
    try:
        from jaxtyping import Bool, Float, Integer, Num, Shaped, UInt8
    except ImportError:  # jaxtyping is only needed for development

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
"""Parameters of a layer: one entry per quantity, with the batch as leading dimension."""

Size = tuple[int | Tensor, int | Tensor]
"""(height, width) in pixels: two numbers, or two (B,) tensors if the images of a batch differ in size."""
