"""Logs that continue when a run is resumed."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
from lightning_fabric.loggers.logger import rank_zero_experiment
from pytorch_lightning.callbacks import Callback
from pytorch_lightning.loggers import CSVLogger, TensorBoardLogger
from pytorch_lightning.loggers.csv_logs import ExperimentWriter
from pytorch_lightning.trainer.states import TrainerFn
from pytorch_lightning.utilities import rank_zero_only
from tensorboard.compat.proto.event_pb2 import Event, SessionLog

from lightning_modules.saving.whole_file import whole_file

Row = dict[str, Any]
"""Column -> value."""


class ContinueLogs(Callback):
    """When a run is resumed in its folder, remove the log entries that it will log again.

    These are the rows, and the TensorBoard points, from the checkpoint's step on; test results stay. A run that starts
    from scratch in a folder replaces the logs there. Supports the two loggers of conf/logger.
    """

    def on_fit_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if trainer.ckpt_path is None:
            begin_logs(trainer, 0)

    def on_load_checkpoint(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        if trainer.state.fn == TrainerFn.FITTING:
            begin_logs(trainer, checkpoint["global_step"])


@rank_zero_only
def begin_logs(trainer: pl.Trainer, step: int) -> None:
    """Prepare all loggers for training that starts at this optimizer step; 0 for a new run."""
    for logger in trainer.loggers:
        if isinstance(logger, ContinuedCSVLogger):
            logger.experiment.begin(step)
        elif isinstance(logger, TensorBoardLogger):
            session = Event(session_log=SessionLog(status=SessionLog.START))  # hides the points from this step on
            logger.experiment.file_writer.add_event(session, step)


class ContinuedCSVLogger(CSVLogger):
    """A CSV logger that appends to the metrics.csv of an earlier process; Lightning's logger deletes that file.

    New columns are added. A row replaces a row from an earlier process with the same step and columns.
    """

    @property
    @rank_zero_experiment
    def experiment(self) -> ContinuedRows:
        if not isinstance(self._experiment, ContinuedRows):
            self._experiment = ContinuedRows(self.log_dir)
        return self._experiment


class ContinuedRows(ExperimentWriter):
    """The file of a ContinuedCSVLogger.

    Args:
        log_dir: folder of the file.
    """

    def __init__(self, log_dir: str) -> None:
        super().__init__(log_dir)
        rows = self._read()
        self.earlier = {_key(row) for row in rows}
        self._write(rows)  # an interrupted process may have left an incomplete row

    def begin(self, step: int) -> None:
        """Remove training and validation rows from a step on; remove all rows if the step is 0."""
        rows = [row for row in self._read() if step > 0 and (int(row["step"]) < step or _is_of_a_test(row))]
        self.earlier = {_key(row) for row in rows}
        self._write(rows)

    def save(self) -> None:
        again = self.earlier & {_key(row) for row in self.metrics}
        if again:
            self._write([row for row in self._read() if _key(row) not in again])
            self.earlier -= again
        super().save()

    def _check_log_dir_exists(self) -> None:
        """Keep the file, which Lightning's method would delete."""

    def _read(self) -> list[Row]:
        """Return all complete rows of the file."""
        path = Path(self.metrics_file_path)
        text = path.read_bytes().decode() if path.is_file() else ""
        rows = csv.DictReader(io.StringIO(text[: text.rfind("\n") + 1], newline=""))
        return [row for row in rows if None not in row and (row.get("step") or "").isdigit()]

    def _write(self, rows: Sequence[Row]) -> None:
        """Replace the file atomically; without rows, delete it."""
        self.metrics_keys = list(rows[0]) if rows else []
        if not rows:
            Path(self.metrics_file_path).unlink(missing_ok=True)
            return
        text = io.StringIO(newline="")
        writer = csv.DictWriter(text, self.metrics_keys)
        writer.writeheader()
        writer.writerows(rows)
        with whole_file(self.metrics_file_path) as file:
            file.write(text.getvalue().encode())


def _key(row: Row) -> tuple[int, frozenset[str]]:
    """Return the step and the filled columns of a row."""
    return int(row["step"]), frozenset(name for name, value in row.items() if value != "")


def _is_of_a_test(row: Row) -> bool:
    return any(name.startswith("test/") and value != "" for name, value in row.items())
