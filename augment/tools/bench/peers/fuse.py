"""fuse-augmentations over Kornia's transforms."""

from collections.abc import Sequence

from augment.tools.bench.peers import kornia
from augment.tools.bench.work import Implementation, NotOfferedError, Run, Task, translated


def _build(task: Task, operators: Sequence[str]) -> Run:
    from fuse_augmentations import Compose, ReorderPolicy

    if set(operators) & {"mixup", "cutmix"}:
        raise NotOfferedError("has no mixing")
    # keep the order of the operators, as all other implementations do
    steps = Compose(translated(kornia.TABLE, operators, task), reorder=ReorderPolicy.NONE)
    steps = steps.to(task.device)
    return lambda: steps(task.images.float() / 255).to(task.dtype)


IMPLEMENTATIONS = [Implementation("fuse-augmentations", "fuse-augmentations", "per sample", True, _build)]
