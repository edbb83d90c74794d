"""FSDP2: weights, gradients and the optimizer's state are divided between the processes."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from pytorch_lightning.strategies import ModelParallelStrategy
from torch import Tensor, nn
from torch.distributed.device_mesh import DeviceMesh
from torch.distributed.fsdp import FSDPModule, fully_shard
from torch.distributed.tensor import DTensor

from lightning_modules.errors import UserError
from lightning_modules.model.backbones import BATCH_NORMS


class FullyShardedStrategy(ModelParallelStrategy):
    """Lightning's strategy for FSDP2 over all processes of all machines.

    A checkpoint is one file, as with every other strategy, so any number of processes can continue from it.
    """

    def __init__(self) -> None:
        super().__init__(tensor_parallel_size=1, save_distributed_checkpoint=False)

    def setup_environment(self) -> None:
        self._data_parallel_size = self.num_nodes * self.num_processes
        super().setup_environment()


def shard(model: nn.Module, network: nn.Module, mesh: DeviceMesh) -> None:
    """Divide the weights of a network between the processes, in place, unless they are divided already.

    The blocks of the network are divided one by one, so that only the weights of one block are complete at a time.

    Args:
        model: the model that contains the network.
        network: the network.
        mesh: the processes.

    Raises:
        UserError: if the model has weights or statistics that would differ between the processes.
    """
    if isinstance(network, FSDPModule):  # by an earlier stage, such as fit before test
        return
    if len(list(network.parameters())) < len(list(model.parameters())):
        raise UserError("trainer=fsdp does not average gradients of a learned policy: choose another augment.")
    if any(isinstance(layer, BATCH_NORMS) for layer in network.modules()):
        raise UserError(
            f"trainer=fsdp does not synchronise the batch norm of {type(network).__name__}: choose a network without "
            "it, such as a vision transformer, or trainer=ddp."
        )
    network.to(memory_format=torch.contiguous_format)  # FSDP does not support weights in channels_last order
    for block in _blocks(network):
        fully_shard(block, mesh=mesh)
    fully_shard(network, mesh=mesh, reshard_after_forward=True)  # the default would leave it whole after an evaluation


def local(tensor: Tensor) -> Tensor:
    """Return the part of a tensor that this process holds; all of it unless it is divided."""
    return tensor.to_local() if isinstance(tensor, DTensor) else tensor


def _blocks(network: nn.Module) -> Iterator[nn.Module]:
    """Yield the members of the network's sequences, such as transformer blocks or residual blocks."""
    for child in network.children():
        if isinstance(child, (nn.Sequential, nn.ModuleList)):
            yield from (block for block in child if any(True for _ in block.parameters()))
