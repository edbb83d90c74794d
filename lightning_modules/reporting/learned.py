"""What a learned augmentation says about the data, for the report of a run."""

from __future__ import annotations

import pytorch_lightning as pl
from PIL import Image

from lightning_modules.learning.policy import LearnPolicy
from lightning_modules.learning.staircase import StaircasePolicy
from lightning_modules.model.schedules import callbacks_of


def what_was_learned(trainer: pl.Trainer) -> tuple[list[str], Image.Image | None]:
    """Return the sentences of policy.md and the picture policy.png of a run; nothing if it has learned no policy."""
    for callback in callbacks_of(trainer):
        if isinstance(callback, LearnPolicy | StaircasePolicy):
            findings, report = callback.findings(), callback.report
            picture = None
            if report is not None and report.picture.exists():
                with Image.open(report.picture) as file:
                    picture = file.convert("RGB")
            return ([], None) if findings is None else (findings.sentences, picture)
    return [], None
