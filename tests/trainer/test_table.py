"""data=table: images that a CSV or Parquet file lists."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from omegaconf import DictConfig

from lightning_modules.data.table import TableData
from lightning_modules.errors import UserError
from tests.trainer.tools import build, write_images


@pytest.fixture
def images(tmp_path: Path) -> Path:
    write_images(tmp_path / "images", 20, [(10, 12), (9, 14)])
    return tmp_path


def table(folder: Path, rows: list[str], header: str = "file,label") -> Path:
    (folder / "table.csv").write_text("\n".join([header, *rows]) + "\n")
    return folder / "table.csv"


def test_rows_become_splits(images: Path) -> None:
    places = ["train"] * 12 + ["Valid"] * 5 + ["test"] * 3
    rows = [f"images/{i}.png,{'dog' if i % 3 else 'cat, small'!r},{place}" for i, place in enumerate(places)]
    rows = [row.replace("'cat, small'", '"cat, small"').replace("'dog'", "dog") for row in rows]
    data = TableData(str(table(images, rows, "file,label,split")))
    assert [len(part) for part in data.splits] == [12, 5, 3]
    assert data.splits.train.classes == ["cat, small", "dog"]
    assert data.splits.val.labels.tolist() == [0, 1, 1, 0, 1]
    assert data.splits.train.paths[1] == images / "images" / "1.png"
    batch = next(iter(data.val_dataloader()))
    assert batch.image.sizes.tolist() == [[10, 12], [9, 14], [10, 12], [9, 14], [10, 12]]


def test_other_columns_roots_and_shares(images: Path) -> None:
    path = table(images, [f"{i}.png,{i % 2}" for i in range(20)], "path,kind")
    data = TableData(str(path), root=str(images / "images"), file="path", label="kind", val_share=0.2, test_share=0.1)
    assert [len(part) for part in data.splits] == [14, 4, 2]


def test_several_labels_train(images: Path, configure: Callable[..., DictConfig]) -> None:
    rows = [f"images/{i}.png,{'|'.join(name for k, name in enumerate('abc') if i >> k & 1)}" for i in range(20)]
    path = table(images, rows)
    given = ["data=table", f"data.table={path}", "data.separator='|'", "loss=multi_label", "model=small_cnn"]
    given += ["data.size=16", "data.num_workers=0", "trainer.max_epochs=1", "callbacks.best.monitor=val/map"]
    trainer, model, data = build(configure(*given))
    assert data.splits.train.classes == ["a", "b", "c"]
    whole = torch.cat([part.labels for part in data.splits])
    assert whole.sum(0).tolist() == [sum(i >> k & 1 for i in range(20)) for k in range(3)]
    trainer.fit(model, data)
    assert 0 <= trainer.callback_metrics["val/map"] <= 1
    assert (Path(trainer.default_root_dir) / "checkpoints" / "last.ckpt").is_file()


def test_one_label_trains_by_one_line(images: Path, configure: Callable[..., DictConfig]) -> None:
    path = table(images, [f"images/{i}.png,{'ab'[i % 2]}" for i in range(20)])
    cfg = configure("data=table", f"data.table={path}", "data.size=16", "model=small_cnn", "data.num_workers=0")
    trainer, model, data = build(cfg, max_epochs=1)
    trainer.fit(model, data)
    assert trainer.callback_metrics["val/acc"] >= 0


def test_parquet_is_read_like_csv(images: Path) -> None:
    pyarrow, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    names = {"file": [f"images/{i}.png" for i in range(20)], "label": [i % 2 for i in range(20)]}
    parquet.write_table(pyarrow.table(names), images / "table.parquet")
    data = TableData(str(images / "table.parquet"))
    assert data.splits.train.classes == ["0", "1"]
    assert sum(len(part) for part in data.splits) == 20


@pytest.mark.parametrize(
    ("rows", "header", "options", "error"),
    [
        (["images/0.png,a"], "path,label", {}, "has no column 'file'; its columns are path, label"),
        (["images/0.png,"], "file,label", {}, "row 1 of .* has no label"),
        (["images/0.png,a,maybe"], "file,label,split", {}, "row 1 of .* has the split 'maybe', which must be one of"),
        (["images/0.png,a,test"], "file,label,split", {}, "has no row with train in its column 'split'"),
        (["images/0.png,a,b"], "file,label", {}, "row 1 of .* has 3 fields, and the header 2"),
        (["images/0.png,a", "images/0.png,b"], "file,label", {}, "0.png is in two rows of"),
        (["nowhere/0.png,a"], "file,label", {}, "nowhere/0.png is not a file; set root"),
        ([], "file,label", {}, "has no rows"),
        (["images/0.png,a"], "file,label", {"separator": ""}, "separator must not be empty"),
        (["images/0.png,a"], "file,label", {"channels": 2}, "TableData: channels=2 must be 1"),
    ],
)
def test_mistakes_name_the_row_and_the_remedy(
    images: Path, rows: list[str], header: str, options: dict[str, object], error: str
) -> None:
    with pytest.raises(UserError, match=error):
        _ = TableData(str(table(images, rows, header)), **options).splits


def test_a_table_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"table='.*no.csv' is not a file"):
        TableData(str(tmp_path / "no.csv"))
    (tmp_path / "empty.csv").write_text("")
    with pytest.raises(UserError, match="is empty; its first line names the columns"):
        _ = TableData(str(tmp_path / "empty.csv")).splits
