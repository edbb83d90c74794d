"""Writes predictions of files as a table."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import IO, Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import Callback
from pytorch_lightning.utilities import rank_zero_warn
from torch import Tensor

from augment.data.known import known
from augment.tools.decoding import shown
from augment.tools.errors import ToolError, required
from lightning_modules.classifier import model_of
from lightning_modules.errors import UserError
from lightning_modules.predicting.files import FilesBatch, FilesToPredict
from lightning_modules.predicting.tta import views_of
from lightning_modules.saving.whole_file import whole_file


class PredictionWriter(Callback):
    """Write one row for each file that can be read: file, label, probability, label_2, probability_2, ...

    The rows of all processes are in the order of the files. Files that cannot be read are listed with the reason in a
    second table beside the first, such as predictions_unreadable.csv.

    Until the table is complete, each process adds its rows to a file such as predictions_so_far.csv after every batch,
    so a run that is killed leaves what it has predicted.

    Args:
        to: path of the result, a .csv or .parquet file; a relative one starts from the run's folder.
        top: number of classes in a row, at least 1.
        tta, tta_views: see `views_of`.
    """

    def __init__(self, to: str = "predictions.csv", top: int = 5, tta: str = "none", tta_views: int = 8) -> None:
        if Path(to).suffix.lower() not in (".csv", ".parquet"):
            raise UserError(f"PredictionWriter: to={to!r} must end with .csv or .parquet.")
        if top < 1:
            raise UserError(f"PredictionWriter: top={top} must be at least 1.")
        if to.lower().endswith(".parquet"):
            _parquet()  # if it is missing, say so now
        self.to, self.top, self.tta, self.tta_views = Path(to).expanduser(), top, tta, tta_views
        self.rows: dict[int, tuple[list[float], list[int]]] = {}
        self.unreadable: dict[int, str] = {}

    def path(self, trainer: pl.Trainer) -> Path:
        """Return the path of the result."""
        return Path(trainer.default_root_dir) / self.to

    def beside(self, trainer: pl.Trainer) -> Path:
        """Return the path of the list of files that cannot be read."""
        return self.path(trainer).with_name(f"{self.to.stem}_unreadable.csv")

    def so_far(self, trainer: pl.Trainer, rank: int) -> Path:
        """Return the path of the rows of a process while the run lasts."""
        process = f"_{rank}" if trainer.world_size > 1 else ""
        return self.path(trainer).with_name(f"{self.to.stem}_so_far{process}.csv")

    def setup(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        if stage == "predict" and not isinstance(_data(trainer), FilesToPredict):
            raise UserError("PredictionWriter: the data to predict must be FilesToPredict.")

    def on_predict_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        model_of(pl_module).views = views_of(model_of(pl_module), self.tta, self.tta_views)
        self.rows, self.unreadable = {}, {}
        path = self.so_far(trainer, trainer.global_rank)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(_csv([self._header(model_of(pl_module).class_names)]))

    def on_predict_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: FilesBatch, *_: Any
    ) -> None:
        probabilities: Tensor = outputs
        best = probabilities.topk(min(self.top, probabilities.shape[1]), dim=1)
        numbers = known(batch.images.index).tolist()
        fresh: dict[int, tuple[list[float], list[int]]] = {}
        for number, values, classes in zip(numbers, best.values.tolist(), best.indices.tolist(), strict=True):
            if number not in batch.unreadable and number not in self.rows:  # the last batch may come twice
                fresh[number] = (values, classes)
        self.rows |= fresh
        self.unreadable.update(batch.unreadable)
        with open(
            self.so_far(trainer, trainer.global_rank), "ab", buffering=0
        ) as file:  # one write, so that every line is whole
            file.write(_csv(self._named(fresh, trainer, model_of(pl_module).class_names)))

    def on_predict_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        model_of(pl_module).views = None
        if trainer.world_size > 1:
            parts: list[Any] = [None] * trainer.world_size
            torch.distributed.all_gather_object(parts, (self.rows, self.unreadable))
            for rows, unreadable in parts:
                self.rows |= rows
                self.unreadable |= unreadable
        if trainer.is_global_zero:
            self._write(trainer, model_of(pl_module).class_names)
            for rank in range(trainer.world_size):
                self.so_far(trainer, rank).unlink(missing_ok=True)  # those of other machines stay there

    def _header(self, classes: Sequence[str]) -> list[str]:
        more = range(2, min(self.top, len(classes)) + 1)
        return ["file", "label", "probability"] + [
            f"{name}_{place}" for place in more for name in ("label", "probability")
        ]

    def _named(
        self, rows: dict[int, tuple[list[float], list[int]]], trainer: pl.Trainer, classes: Sequence[str]
    ) -> Iterator[list[Any]]:
        """Yield the fields of rows in the order of the files."""
        names = known(_data(trainer)).found.names
        return (_row(names[number], *rows[number], classes) for number in sorted(rows))

    def _write(self, trainer: pl.Trainer, classes: Sequence[str]) -> None:
        names = known(_data(trainer)).found.names
        write_table(self.path(trainer), self._header(classes), self._named(self.rows, trainer, classes))
        beside = self.beside(trainer)
        beside.unlink(missing_ok=True)  # of an earlier run
        if self.unreadable:
            write_table(beside, ["file", "reason"], ([names[n], why] for n, why in sorted(self.unreadable.items())))
            rank_zero_warn(f"{len(self.unreadable)} of {len(names)} files cannot be read; {beside} lists them.")


def write_table(path: Path, header: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Write rows to a .csv or .parquet file, which is complete at every moment.

    Example:
        >>> write_table(Path("predictions.csv"), ["file", "label"], [["a.png", "cat"]])
    """
    with whole_file(path) as file:
        (_write_parquet if path.suffix.lower() == ".parquet" else _write_csv)(file, header, rows)


def _write_csv(file: IO[bytes], header: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    file.write(_csv([header]))
    file.writelines(_csv([row]) for row in rows)


def _csv(rows: Iterable[Sequence[Any]]) -> bytes:
    text = io.StringIO(newline="")
    csv.writer(text).writerows([f"{v:.6f}" if isinstance(v, float) else v for v in row] for row in rows)
    return text.getvalue().encode("utf-8", "surrogateescape")


def _write_parquet(file: IO[bytes], header: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    import pyarrow

    columns = list(zip(*([shown(row[0]), *row[1:]] for row in rows), strict=True)) or [()] * len(header)
    _parquet().write_table(pyarrow.table(dict(zip(header, map(list, columns), strict=True))), file)


def _row(name: str, values: list[float], numbers: list[int], classes: Sequence[str]) -> list[Any]:
    pairs = zip(numbers, values, strict=True)
    return [name, *(field for number, value in pairs for field in (classes[number], value))]


def _data(trainer: pl.Trainer) -> FilesToPredict | None:
    return getattr(trainer, "datamodule", None)  # Lightning sets it without declaring it


def _parquet() -> Any:
    try:
        return required("pyarrow.parquet", "pyarrow", "a .parquet file")
    except ToolError as error:
        raise UserError(str(error)) from error
