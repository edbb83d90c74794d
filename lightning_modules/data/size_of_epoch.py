"""The size of training images in each epoch."""

from __future__ import annotations

from dataclasses import dataclass

from augment import Pipeline


@dataclass(frozen=True)
class SizeOfEpoch:
    """The size of training images as a function of the epoch; plain data, which loaders send to their workers.

    Attributes:
        sizes: (height, width) of each stage, the last one is the full size.
        epochs: number of epochs of the run.
        layers: names of the pipeline's layers that deliver the full size.
    """

    sizes: tuple[tuple[int, int], ...]
    epochs: int
    layers: tuple[str, ...]

    def __call__(self, epoch: int) -> tuple[int, int]:
        """Return (height, width) in an epoch; all stages have the same number of epochs."""
        return self.sizes[min(epoch * len(self.sizes) // self.epochs, len(self.sizes) - 1)]

    def apply(self, pipeline: Pipeline, epoch: int) -> None:
        """Let a pipeline deliver the size of an epoch."""
        for name in self.layers:
            layer = pipeline.get_submodule(name)
            if layer.size != self(epoch):  # an assignment would discard CUDA graphs
                layer.size = self(epoch)  # type: ignore[assignment]  # a plain attribute of these layers
