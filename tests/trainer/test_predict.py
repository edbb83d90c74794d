"""Predictions of files: every file once and in order, from any source and on any number of processes."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from omegaconf import DictConfig

import lightning_modules
from lightning_modules.callbacks.prediction_writer import PredictionWriter
from lightning_modules.cli import main
from lightning_modules.errors import UserError
from lightning_modules.launching.predict import predict, refuse_contradictions
from lightning_modules.predicting.files import FilesToPredict, batches_in_turn
from lightning_modules.predicting.sources import found_in
from tests.trainer.test_load import trained
from tests.trainer.tools import ROOT, write_images

Configure = Callable[..., DictConfig]


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return trained(tmp_path_factory.mktemp("digits"))[1]


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Nine images, and two files that are none, in nested folders."""
    write_images(tmp_path / "photos" / "b" / "c", 4, [(9, 12), (20, 8)])
    write_images(tmp_path / "photos" / "a", 5, [(8, 8), (16, 9)], seed=1)
    (tmp_path / "photos" / "a" / "2b.png").write_bytes(b"no image")
    (tmp_path / "photos" / "z.png").write_bytes(b"")
    return tmp_path / "photos"


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def good(photos: Path) -> list[Path]:
    return [path for path in found_in(str(photos)).paths if path.stat().st_size > 10]


def test_one_and_two_processes_write_the_same_table(
    checkpoint: Path, photos: Path, tmp_path: Path, configure: Configure
):
    settings = [f"predict={photos}", f"ckpt_path={checkpoint}", "data.batch_size=2", "predict_top=3"]
    cfg = configure(*settings)
    predict(cfg)
    one, two = Path(cfg.output_dir), tmp_path / "two"
    forked = ["trainer=ddp_notebook", "trainer.accelerator=cpu", "trainer.devices=2", f"output_dir={two}"]
    predict(configure(*settings, *forked))
    for name in ("predictions.csv", "predictions_unreadable.csv"):
        assert (one / name).read_bytes() == (two / name).read_bytes()
    assert not list(tmp_path.rglob("*_so_far*"))

    found = rows(one / "predictions.csv")
    assert [row["file"] for row in found] == list(map(str, good(photos)))
    model = lightning_modules.load(checkpoint)
    best = model.predict(good(photos)).topk(3)
    for row, values, numbers in zip(found, best.values.tolist(), best.indices.tolist(), strict=True):
        assert list(row) == ["file", "label", "probability", "label_2", "probability_2", "label_3", "probability_3"]
        assert [row["label"], row["label_2"], row["label_3"]] == [model.class_names[number] for number in numbers]
        written = [float(row[name]) for name in ("probability", "probability_2", "probability_3")]
        assert written == pytest.approx(values, abs=2e-6)
    unreadable = rows(one / "predictions_unreadable.csv")
    assert [row["file"] for row in unreadable] == [str(photos / "a" / "2b.png"), str(photos / "z.png")]
    assert all(row["reason"] for row in unreadable)


def test_a_run_that_ends_early_leaves_its_rows(
    checkpoint: Path, photos: Path, configure: Configure, monkeypatch: pytest.MonkeyPatch
):
    cfg = configure(f"predict={photos}", f"ckpt_path={checkpoint}", "data.batch_size=3")
    predict(cfg)
    place = Path(cfg.output_dir)
    assert not (place / "predictions_so_far.csv").exists()
    whole = (place / "predictions.csv").read_bytes()
    (place / "predictions.csv").unlink()
    after_a_batch = PredictionWriter.on_predict_batch_end

    def ends_early(writer: PredictionWriter, *given: Any) -> None:
        after_a_batch(writer, *given)
        assert (place / "predictions_so_far.csv").read_bytes().count(b"\n") == 1 + len(writer.rows)
        if len(writer.rows) > 3:
            raise RuntimeError("power failure")

    monkeypatch.setattr(PredictionWriter, "on_predict_batch_end", ends_early)
    with pytest.raises(RuntimeError, match="power failure"):
        predict(cfg)
    so_far = (place / "predictions_so_far.csv").read_bytes()
    assert whole.startswith(so_far)
    assert len(whole) > len(so_far) > 0
    assert not (place / "predictions.csv").exists()


def test_lists_and_tables(checkpoint: Path, photos: Path, tmp_path: Path, configure: Configure):
    names = ["photos/b/c/1.png", "photos/a/0.png", "photos/not/there.png", "photos/b/c/1.png"]
    (tmp_path / "list.txt").write_text("\n".join(names) + "\n\n")
    (tmp_path / "table.csv").write_text("id,file\n" + "".join(f"{i},{name}\n" for i, name in enumerate(names)))
    for source in ("list.txt", "table.csv"):
        assert found_in(str(tmp_path / source)) == (names, [tmp_path / name for name in names])
    cfg = configure(f"predict={tmp_path / 'table.csv'}", f"ckpt_path={checkpoint}", "predict_to=all/p.csv", "tta=flip")
    predict(cfg)
    found = rows(Path(cfg.output_dir) / "all" / "p.csv")
    assert [row["file"] for row in found] == [names[0], names[1], names[3]]
    expected = lightning_modules.load(checkpoint).predict(tmp_path / names[0], tta="flip").max()
    assert float(found[0]["probability"]) == pytest.approx(float(expected), abs=2e-6)
    assert [row["file"] for row in rows(Path(cfg.output_dir) / "all" / "p_unreadable.csv")] == [names[2]]
    assert found_in(str(photos / "a" / "0.png")).paths == [photos / "a" / "0.png"]


def test_parquet(checkpoint: Path, photos: Path, configure: Configure):
    parquet = pytest.importorskip("pyarrow.parquet")
    cfg = configure(f"predict={photos / 'b'}", f"ckpt_path={checkpoint}", "predict_to=p.parquet", "predict_top=1")
    predict(cfg)
    table = parquet.read_table(Path(cfg.output_dir) / "p.parquet").to_pydict()
    assert table["file"] == list(map(str, good(photos / "b")))
    expected = lightning_modules.load(checkpoint).predict(good(photos / "b")).max(1).values
    assert table["probability"] == pytest.approx(expected.tolist(), abs=1e-6)
    assert list(table) == ["file", "label", "probability"]


def test_lightnings_command_line(photos: Path, tmp_path: Path):
    config = [f"--config={ROOT / 'conf' / 'cli' / 'digits.yaml'}", f"--trainer.default_root_dir={tmp_path}"]
    config += ["--trainer.accelerator=cpu", "--trainer.enable_progress_bar=false"]
    few = [f"--trainer.{name}=1" for name in ("max_epochs", "limit_train_batches", "limit_val_batches")]
    main(["fit", *config, *few])
    (last,) = tmp_path.rglob("last.ckpt")
    data = ["--data=lightning_modules.predicting.files.FilesToPredict", f"--data.source={photos}"]
    main(["predict", *config, *data, f"--ckpt_path={last}"])
    found = rows(tmp_path / "predictions.csv")
    assert [row["file"] for row in found] == list(map(str, good(photos)))
    expected = lightning_modules.load(last).predict(good(photos)).max(1).values
    assert [float(row["probability"]) for row in found] == pytest.approx(expected.tolist(), abs=2e-6)


def test_a_contradiction_to_the_checkpoint_is_told(checkpoint: Path, configure: Configure):
    model = lightning_modules.load(checkpoint)
    for override, said in (
        ("model.name=resnet18", "which has test_resnet: leave model.name out"),
        ("data.size=64", "data.size=64 contradicts"),
        ("data.mean=[0.1]", "data.mean"),
        ("model=small_cnn", "timm_backbone"),
    ):
        with pytest.raises(UserError, match=said):
            refuse_contradictions([override], configure(override), model)
    same = ["model.name=test_resnet", "data.size=32", "data.mean=[0.3053]", "data.channels=1", "data.batch_size=7"]
    refuse_contradictions([*same, "data.crop=null", "model=timm"], configure(*same), model)


def test_what_cannot_be_predicted(checkpoint: Path, tmp_path: Path, configure: Configure):
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty.txt").write_text("\n")
    (tmp_path / "table.csv").write_text("path\na.png\n")
    (tmp_path / "notes.md").write_text("x")
    for name, said in (
        ("empty", "holds no image files"),
        ("empty.txt", "names no files"),
        ("table.csv", "no column 'file'"),
        ("notes.md", "must be an image, a folder"),
        ("nowhere", "does not exist"),
    ):
        with pytest.raises(UserError, match=said):
            found_in(str(tmp_path / name))
    with pytest.raises(UserError, match="needs trained weights"):
        predict(configure(f"predict={tmp_path}"))
    with pytest.raises(UserError, match=r"\.csv or \.parquet"):
        PredictionWriter("x.json")
    with pytest.raises(UserError, match="top=0"):
        PredictionWriter(top=0)
    with pytest.raises(UserError, match="batch_size=0"):
        FilesToPredict("x", batch_size=0)


def test_every_file_is_in_one_batch():
    for count in (2, 3, 7, 64, 65):
        for size in (1, 2, 64):
            for world in (1, 2):
                shared = batches_in_turn(count, size, world)
                assert len({len(batches) for batches in shared}) == 1
                different = {tuple(batch) for batches in shared for batch in batches}
                assert sorted(number for batch in different for number in batch) == list(range(count))
    with pytest.raises(UserError, match="too few for 3 processes"):
        batches_in_turn(2, 1, 3)
