"""Counter-based uniforms: the only source of randomness.

A draw is a pure function of four numbers, uniform(seed, epoch, sample index, column), computed by an integer hash on
the device of the indices. There is no generator and no state. A sample therefore gets the same draw regardless of the
batch, the number of workers and ranks, and restarts, and a stored key replays it. Samples without an index get fresh
indices from torch's generator (`fresh_index`), as dropout does.

All arithmetic is on 32-bit words held in int64 and never overflows, so every backend computes the same bits.
The mixing function is the two-round xorshift-multiply permutation with the least bias found by Chris Wellons'
hash-prospector (https://github.com/skeeto/hash-prospector, "16 21f0aaad 15 d35a2d97 15", bias 0.107).
"""

import math
import os
from collections.abc import Sequence
from typing import NamedTuple, overload

import torch
from torch import Tensor

from augment.data.context import replayed
from augment.data.memory import has_memory
from augment.data.operator import operator
from augment.data.types import Float, Integer, Noise
from augment.draws import keys
from augment.draws.arguments import whole

_MASK = 0xFFFFFFFF
_GOLDEN = 0x9E3779B9  # 2**32 / golden ratio: the Weyl increment that separates neighbouring counters
_MULTIPLIERS = (0x21F0AAAD, 0xD35A2D97 - 2**32)  # the second is negative to keep |word * multiplier| < 2**63
_LANES = (0x243F6A88, 0x85A308D3)  # first fractional digits of pi; two 32-bit lanes make a 64-bit key


@overload
def mix32(word: int) -> int: ...
@overload
def mix32(word: Tensor) -> Tensor: ...
def mix32(word: int | Tensor) -> int | Tensor:
    """Permutes 32-bit words; flipping any input bit flips each output bit with probability 1/2."""
    word = ((word ^ (word >> 16)) * _MULTIPLIERS[0]) & _MASK
    word = ((word ^ (word >> 15)) * _MULTIPLIERS[1]) & _MASK
    return word ^ (word >> 15)


def sample_key(seed: int, epoch: int | Tensor, index: Integer[Tensor, " b"]) -> tuple[Tensor, Tensor]:
    """Hashes (seed, epoch, sample index) to two 32-bit words per sample, (B,) int64 each."""
    index = index.to(torch.int64)
    lanes = [_absorbed(lane, (seed & _MASK, (seed >> 32) & _MASK, epoch & _MASK)) for lane in _LANES]
    if all(isinstance(lane, int) for lane in lanes) and has_memory(index):  # both lanes at once: half as many calls
        both = _absorbed(index.new_tensor(lanes)[:, None], (index & _MASK, (index >> 32) & _MASK))
        return both[0], both[1]
    first, second = (_absorbed(lane, (index & _MASK, (index >> 32) & _MASK)) for lane in lanes)
    return first, second


@overload
def _absorbed(lane: int | Tensor, words: Sequence[Tensor]) -> Tensor: ...
@overload
def _absorbed(lane: int | Tensor, words: Sequence[int | Tensor]) -> int | Tensor: ...
def _absorbed(lane: int | Tensor, words: Sequence[int | Tensor]) -> int | Tensor:
    """A lane of the key after further 32-bit words."""
    for word in words:
        lane = mix32(((lane + _GOLDEN) & _MASK) ^ word)
    return lane


def to_unit(word: Tensor) -> Float[Tensor, "..."]:
    """Converts the upper 24 bits of a 32-bit word to float32 in [0, 1). Every value is exact and below 1."""
    return (word >> 8).to(torch.float32) * 2.0**-24


def from_unit(u: Float[Tensor, "..."]) -> Integer[Tensor, "..."]:
    """Returns the 24-bit word of a uniform."""
    return (u.to(torch.float32) * 2.0**24).to(torch.int64)


def uniform(seed: int, epoch: int | Tensor, index: Integer[Tensor, " b"], columns: int) -> Noise:
    """Draws uniforms in [0, 1), float32 (B, columns), on the device of `index`.

    Args:
        seed: seed of the run, any 64-bit integer.
        epoch: an integer, or a 0-dimensional int64 tensor, on which compiled code does not specialise.
        index: (B,) integers, the indices of the samples in their data set.
        columns: number of draws per sample.

    Example:
        >>> A.uniform(0, 3, torch.tensor([5, 6]), 2).shape
        torch.Size([2, 2])
    """
    keys.index("uniform", index)
    seed, columns = keys.seed("uniform", seed), whole("uniform", "columns", columns, 0, 2**31 - 1)
    return drawn(index, seed, keys.epoch("uniform", epoch), columns)


@operator
def drawn(index: Integer[Tensor, " b"], seed: int, epoch: int | Tensor, columns: int) -> Noise:
    """`uniform` of arguments that were checked."""
    first, second = sample_key(seed, epoch, index)
    column = _counter(columns, index.device)
    return to_unit(mix32(first[:, None] ^ mix32((second[:, None] + column) & _MASK)))


class Key(NamedTuple):
    """The key of a batch's draws, apart from the seed, for code that draws and augments in one pass.

    Attributes:
        index: (B,) integers, the sample indices.
        epoch: a 0-dimensional int64 tensor on the same device.
    """

    index: Integer[Tensor, " b"]  # type: ignore[assignment]  # nothing calls the tuple method of this name
    epoch: Integer[Tensor, ""]


def key_of(index: Integer[Tensor, " b"], epoch: int | Tensor) -> Key:
    """Builds the key with the epoch as a tensor, because a number would recompile the code in every epoch."""
    if isinstance(epoch, Tensor):
        return Key(index, epoch.to(index.device, non_blocking=True))
    return Key(index, torch.full((), epoch, dtype=torch.int64, device=index.device))


def _counter(count: int, device: torch.device) -> Integer[Tensor, " n"]:
    """Returns 0, 1, 2 ... times the golden ratio.

    The mask does not change the values. Without it the compiler would know that they are indices and multiply them on
    a GPU in 32 bits, too few for the factor.
    """
    return (torch.arange(count, device=device) & _MASK) * _GOLDEN


def uniform_field(key: Float[Tensor, "b 2"], shape: tuple[int, ...]) -> Float[Tensor, "b *shape"]:
    """Draws uniforms in [0, 1), float32 (B, *shape), keyed by two uniforms per sample.

    Use it if the number of draws depends on the image, such as one per pixel or per channel. The pipeline's noise holds
    the key, and the position in `shape` is the counter.
    """
    return to_unit(_words(key, shape))


def normal_field(key: Float[Tensor, "b 2"], shape: tuple[int, ...]) -> Float[Tensor, "b *shape"]:
    """Draws standard normal values, float32 (B, *shape), keyed by two uniforms per sample (Box and Muller 1958)."""
    words = _words(key, shape)
    radius = torch.sqrt(-2.0 * torch.log(to_unit(words) + 2.0**-25))  # the offset keeps log away from 0
    angle = to_unit(mix32(words)) * (2.0 * torch.pi)
    return radius * torch.cos(angle)


def _words(key: Float[Tensor, "b 2"], shape: tuple[int, ...]) -> Integer[Tensor, "b *shape"]:
    """Returns a 32-bit word per position."""
    keys = from_unit(key)
    counter = _counter(math.prod(shape), key.device)
    words = mix32((mix32(keys[:, :1]) + counter) & _MASK) ^ mix32(keys[:, 1:] ^ _LANES[0])
    return words.unflatten(1, shape)


def fresh_index(count: int, device: torch.device | str | None) -> Integer[Tensor, " b"]:
    """Returns indices (B,) for samples without an index; they differ in every call and on every rank.

    The first index comes from torch's default CPU generator. `torch.manual_seed` therefore reproduces the indices, data
    loader workers get different ones, and activation checkpointing, which restores that generator, recomputes the same
    draws. Code that a GPU replays without Python uses the GPU's generator, because a number from the CPU would be a
    constant there.
    """
    index = torch.arange(count, device=device)
    start = torch.randint(1 << 62, (), device=index.device if replayed(index.device) else "cpu")
    return index + (start + (_rank() << 40))  # ranks often have the same seed


def _rank() -> int:
    if torch.distributed.is_available() and torch.distributed.is_initialized():
        return torch.distributed.get_rank()
    return int(os.environ.get("RANK", 0))
