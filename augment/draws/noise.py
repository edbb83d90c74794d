"""Counter-based uniforms: the only source of randomness.

A draw is a pure function of four numbers, uniform(seed, epoch, sample index, column), computed by an integer hash on
the device of the indices. There is no generator and no state, so a sample gets the same draw whatever the batch,
the number of workers, ranks or restarts, and a stored key is a replay. Samples without an index get fresh numbers
from torch's generator (`fresh_index`), as dropout gets its draws.

All arithmetic is on 32-bit words held in int64 and never overflows, so that every backend computes the same bits.
The mixing function is the two-round xorshift-multiply permutation with the least bias found by Chris Wellons'
hash-prospector (https://github.com/skeeto/hash-prospector, "16 21f0aaad 15 d35a2d97 15", bias 0.107).
"""

import math
import os
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from augment.core import checks
from augment.data.context import replayed
from augment.data.memory import has_memory
from augment.data.types import Float, Integer, Noise
from augment.draws.arguments import whole

_MASK = 0xFFFFFFFF
_GOLDEN = 0x9E3779B9  # 2**32 / golden ratio: the Weyl increment that separates neighbouring counters
_MULTIPLIERS = (0x21F0AAAD, 0xD35A2D97 - 2**32)  # the second as a negative number: |word * multiplier| < 2**63
_LANES = (0x243F6A88, 0x85A308D3)  # first fractional digits of pi: two lanes make a 64-bit key out of 32-bit words


def mix32(word: int | Tensor) -> int | Tensor:
    """A bijection of 32-bit words that flips each output bit with probability 1/2 when any input bit flips."""
    word = ((word ^ (word >> 16)) * _MULTIPLIERS[0]) & _MASK
    word = ((word ^ (word >> 15)) * _MULTIPLIERS[1]) & _MASK
    return word ^ (word >> 15)


def sample_key(seed: int, epoch: int | Tensor, index: Integer[Tensor, " b"]) -> tuple[Tensor, Tensor]:
    """Two 32-bit words per sample, (B,) int64 each, that stand for (seed, epoch, sample index)."""
    index = index.to(torch.int64)
    lanes = [_absorbed(lane, (seed & _MASK, (seed >> 32) & _MASK, epoch & _MASK)) for lane in _LANES]
    if all(isinstance(lane, int) for lane in lanes) and has_memory(index):  # both lanes at once: half as many calls
        both = _absorbed(index.new_tensor(lanes)[:, None], (index & _MASK, (index >> 32) & _MASK))
        return both[0], both[1]
    first, second = (_absorbed(lane, (index & _MASK, (index >> 32) & _MASK)) for lane in lanes)
    return first, second


def _absorbed(lane: int | Tensor, words: Sequence[int | Tensor]) -> int | Tensor:
    """A lane of the key after further 32-bit words."""
    for word in words:
        lane = mix32(((lane + _GOLDEN) & _MASK) ^ word)
    return lane


def to_unit(word: Tensor) -> Float[Tensor, "..."]:
    """The upper 24 bits of a 32-bit word as float32 in [0, 1): every value is exact and 1 is never reached."""
    return (word >> 8).to(torch.float32) * 2.0**-24


def from_unit(u: Float[Tensor, "..."]) -> Integer[Tensor, "..."]:
    """The 24-bit word that a uniform was made of."""
    return (u.to(torch.float32) * 2.0**24).to(torch.int64)


def uniform(seed: int, epoch: int | Tensor, index: Integer[Tensor, " b"], columns: int) -> Noise:
    """Uniforms in [0, 1), float32 (B, columns), on the device of `index`.

    Args:
        seed: of the run, any 64-bit integer.
        epoch: an integer, or a 0-dimensional int64 tensor (which compiled code does not specialise on).
        index: (B,) integers, the samples' numbers in their data set.
        columns: how many draws each sample gets.
    """
    checks.index("uniform", index)
    seed, columns = checks.seed("uniform", seed), whole("uniform", "columns", columns, 0, 2**31 - 1)
    return drawn(seed, checks.epoch("uniform", epoch), index, columns)


def drawn(seed: int, epoch: int | Tensor, index: Integer[Tensor, " b"], columns: int) -> Noise:
    """`uniform` of arguments that were checked."""
    first, second = sample_key(seed, epoch, index)
    column = _counter(columns, index.device)
    return to_unit(mix32(first[:, None] ^ mix32((second[:, None] + column) & _MASK)))


class Key(NamedTuple):
    """What the draws of a batch are a function of, besides the seed: for code that draws where it augments.

    Attributes:
        index: (B,) integers, the samples' numbers.
        epoch: a 0-dimensional int64 tensor on the same device.
    """

    index: Integer[Tensor, " b"]
    epoch: Integer[Tensor, ""]


def key_of(index: Integer[Tensor, " b"], epoch: int | Tensor) -> Key:
    """The epoch as a tensor next to the numbers: a number would be a constant of compiled code, compiled again in every
    epoch.
    """
    if isinstance(epoch, Tensor):
        return Key(index, epoch.to(index.device, non_blocking=True))
    return Key(index, torch.full((), epoch, dtype=torch.int64, device=index.device))


def _counter(count: int, device: torch.device) -> Integer[Tensor, " n"]:
    """0, 1, 2 ... times the golden ratio.

    The mask changes nothing, but a GPU would multiply what the compiler knows to be an index in 32 bits, in which the
    factor does not fit.
    """
    return (torch.arange(count, device=device) & _MASK) * _GOLDEN


def uniform_field(key: Float[Tensor, "b 2"], shape: tuple[int, ...]) -> Float[Tensor, "b *shape"]:
    """Uniforms in [0, 1), float32 (B, *shape), keyed by two uniforms per sample.

    For draws whose number depends on the image (one a pixel, one a channel): the pipeline's noise holds the key, and
    the position in `shape` is the counter.
    """
    return to_unit(_words(key, shape))


def normal_field(key: Float[Tensor, "b 2"], shape: tuple[int, ...]) -> Float[Tensor, "b *shape"]:
    """Standard normal values, float32 (B, *shape), keyed by two uniforms per sample (Box and Muller 1958)."""
    words = _words(key, shape)
    radius = torch.sqrt(-2.0 * torch.log(to_unit(words) + 2.0**-25))  # the offset keeps log away from 0
    angle = to_unit(mix32(words)) * (2.0 * torch.pi)
    return radius * torch.cos(angle)


def _words(key: Float[Tensor, "b 2"], shape: tuple[int, ...]) -> Integer[Tensor, "b *shape"]:
    """A 32-bit word for every position."""
    keys = from_unit(key)
    counter = _counter(math.prod(shape), key.device)
    words = mix32((mix32(keys[:, :1]) + counter) & _MASK) ^ mix32(keys[:, 1:] ^ _LANES[0])
    return words.unflatten(1, shape)


def fresh_index(count: int, device: torch.device | str | None) -> Integer[Tensor, " b"]:
    """Numbers (B,) for samples that come without any: others at every call and on every rank.

    They start at a number from torch's default CPU generator, so that `torch.manual_seed` repeats them, data loader
    workers differ, and activation checkpointing, which puts that generator back, computes the same draw again. Code
    that a GPU runs again without Python takes it from the generator of the GPU: a number of the CPU would be a
    constant there.
    """
    index = torch.arange(count, device=device)
    start = torch.randint(1 << 62, (), device=index.device if replayed(index.device) else "cpu")
    return index + (start + (_rank() << 40))  # ranks often have the same seed


def _rank() -> int:
    if torch.distributed.is_available() and torch.distributed.is_initialized():
        return torch.distributed.get_rank()
    return int(os.environ.get("RANK", 0))
