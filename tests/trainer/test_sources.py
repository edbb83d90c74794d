"""Images inside of larger files: Hugging Face's data sets and WebDataset's shards, trained on like files."""

from __future__ import annotations

import pickle
import shutil
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path

import datasets
import pytest
import torch
import webdataset
from omegaconf import DictConfig
from PIL import Image
from sklearn.datasets import load_sample_image

from augment.__main__ import main as augment
from lightning_modules.data.folder import FolderData
from lightning_modules.data.image_sets import Splits
from lightning_modules.errors import UserError
from lightning_modules.sources import webdataset as source
from lightning_modules.sources.huggingface import HuggingFaceData
from lightning_modules.sources.webdataset import WebDatasetData
from tests.trainer.image_files import saved
from tests.trainer.seen import Seen, assert_same
from tests.trainer.tools import build

SIZE = 16
CLASSES = ["ant", "bee"]
HIDDEN = datasets.Features({"image": datasets.Image(), "label": datasets.ClassLabel(names=CLASSES)})


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", str(tmp_path / "cache"))


@pytest.fixture(scope="module")
def jpegs() -> list[bytes]:
    """24 JPEG files cut from photographs, in three sizes."""
    pixels = load_sample_image("china.jpg")
    sizes = [(120, 160), (96, 131), (201, 99)]
    cuts = [(9 * i, 15 * i, *sizes[i % 3]) for i in range(24)]
    return [saved(Image.fromarray(pixels[y : y + h, x : x + w]), "JPEG", quality=95) for y, x, h, w in cuts]


@pytest.fixture(scope="module")
def folders(jpegs: list[bytes], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The same 24 images of two classes as files, in shards of five, and in a data set of Hugging Face."""
    root = tmp_path_factory.mktemp("sources")
    for number, data in enumerate(jpegs):
        place = root / "folder" / CLASSES[number // 12]
        place.mkdir(parents=True, exist_ok=True)
        (place / f"{number:02}.jpg").write_bytes(data)
    write_shards(root / "webdataset", jpegs)
    rows = {"image": [{"bytes": data, "path": None} for data in jpegs], "label": [n // 12 for n in range(24)]}
    datasets.Dataset.from_dict(rows, HIDDEN).save_to_disk(str(root / "huggingface"))
    return {name: root / name for name in ("folder", "webdataset", "huggingface")}


def write_shards(folder: Path, jpegs: list[bytes], labels: Callable[[int], dict] = lambda n: {"cls": n // 12}) -> Path:
    """Write shards of five samples each with WebDataset's own writer."""
    folder.mkdir(parents=True, exist_ok=True)
    with webdataset.ShardWriter(str(folder / "train-%03d.tar"), maxcount=5, verbose=0) as out:
        for number, data in enumerate(jpegs):
            out.write({"__key__": f"part/{number:02}", "jpg": data} | labels(number))
    return folder


def trained(configure: Callable[..., DictConfig], name: str, root: Path, *given: str, ckpt: str | None = None) -> Seen:
    given = (f"data={name}", f"data.root={root}", f"data.size={SIZE}", "data.num_workers=0", *given)
    given = ("model=small_cnn", "data.batch_size=4", "trainer.max_epochs=2", "augment=imagenet", *given)
    trainer, model, data = build(configure(*given))
    seen = Seen()
    trainer.callbacks.append(seen)
    trainer.fit(model, data, ckpt_path=ckpt, weights_only=True)
    return seen


@pytest.mark.parametrize("name", ["webdataset", "huggingface"])
def test_a_source_is_trained_on_like_files(
    configure: Callable[..., DictConfig], folders: dict[str, Path], name: str, tmp_path: Path
) -> None:
    """The same images, draws and counts as from a folder, with workers, and when resumed."""
    files = trained(configure, "folder", folders["folder"])
    whole = trained(configure, name, folders[name], "data.num_workers=2", f"output_dir={tmp_path / 'whole'}")
    assert whole.images.keys() == files.images.keys()
    assert_same(whole, files)
    assert (whole.bytes, whole.labels) == (files.bytes, files.labels)
    trained(configure, name, folders[name], "trainer.max_epochs=1", f"output_dir={tmp_path / 'first'}")
    last = tmp_path / "first" / "checkpoints" / "last.ckpt"
    assert_same(whole, trained(configure, name, folders[name], ckpt=str(last)))


def parts(splits: Splits) -> list[list[int]]:
    return [part.labels.tolist() for part in splits]


def test_splits_of_hugging_face(jpegs: list[bytes], tmp_path: Path) -> None:
    def rows(labels: list[int]) -> datasets.Dataset:
        images = [{"bytes": jpegs[n], "path": None} for n in range(len(labels))]
        return datasets.Dataset.from_dict({"image": images, "label": labels}, HIDDEN)

    every = {"train": rows([0, 1] * 5), "validation": rows([1, 0]), "test": rows([-1, -1]), "unlabelled": rows([-1])}
    datasets.DatasetDict(every).save_to_disk(str(tmp_path / "saved"))
    with pytest.warns(UserWarning, match="ignored the split") as told:
        splits = HuggingFaceData(str(tmp_path / "saved"), test_share=0.2).splits
    text = " ".join(str(one.message) for one in told)
    assert "'unlabelled'" in text
    assert "'test'" in text
    assert [len(part) for part in splits] == [8, 2, 2]  # the test split without labels is split off from train
    assert splits.val.labels.tolist() == [1, 0]
    assert splits.train.classes == CLASSES
    again = pickle.loads(pickle.dumps(splits.val))  # as a worker gets it
    assert torch.equal(again.__getitems__([1]).image, splits.val.__getitems__([1]).image)


def test_other_columns_of_hugging_face(jpegs: list[bytes], tmp_path: Path) -> None:
    """A folder of Parquet files; labels are lists of names."""
    names = [["a"], [], ["b", "a"]] * 4
    features = datasets.Features({"img": datasets.Image(), "tags": datasets.List(datasets.Value("string"))})
    images = [{"bytes": jpegs[n], "path": None} for n in range(12)]
    (tmp_path / "parquet").mkdir()
    found = datasets.Dataset.from_dict({"img": images, "tags": names}, features)
    found.to_parquet(str(tmp_path / "parquet" / "train.parquet"))
    splits = HuggingFaceData(str(tmp_path / "parquet"), image="img", label="tags", val_share=0.25).splits
    assert splits.train.classes == ["a", "b"]
    assert sum(part.labels.sum(0) for part in splits).tolist() == [8, 4]
    with pytest.raises(UserError, match=r"has no column 'image'; its columns are img, tags"):
        _ = HuggingFaceData(str(tmp_path / "parquet")).splits
    with pytest.raises(UserError, match=r"column 'tags' .* not Image"):
        _ = HuggingFaceData(str(tmp_path / "parquet"), image="tags", label="img").splits


def test_a_data_set_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"cannot open root='.*nowhere'"):
        _ = HuggingFaceData(str(tmp_path / "nowhere")).splits


def test_shards_with_splits_and_json(jpegs: list[bytes], tmp_path: Path) -> None:
    folder = write_shards(tmp_path, jpegs[:10], lambda n: {"meta.json": {"tags": ["x", "y"][: n % 3]}, "seg.png": b"?"})
    shutil.copy(folder / "train-001.tar", folder / "valid.tar")
    data = WebDatasetData(
        str(folder), val="valid*.tar", image="jpg", label="meta.json", key="tags", test_share=0.2, seed=1
    )
    assert [len(part) for part in data.splits] == [8, 5, 2]
    assert data.splits.train.classes == ["x", "y"]
    assert data.splits.val.labels.tolist() == [[1, 1], [0, 0], [1, 0], [1, 1], [0, 0]]
    assert data.splits.val.paths[2].name == f"{folder}/valid.tar/part/07"
    assert data.splits.val.paths[2].read() == jpegs[7]


def test_numbers_are_ordered_by_value(jpegs: list[bytes], tmp_path: Path) -> None:
    folder = write_shards(tmp_path, jpegs[:12], lambda n: {"cls": n})
    assert WebDatasetData(str(folder)).load().train.classes == [str(number) for number in range(12)]


@pytest.fixture
def builds(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    """Counts how often shards are read."""
    done, whole = [], source.indexed

    def counted(*arguments):
        done.append(1)
        return whole(*arguments)

    monkeypatch.setattr(source, "indexed", counted)
    return done


def test_the_index_is_kept_until_a_shard_changes(jpegs: list[bytes], tmp_path: Path, builds: list[int]) -> None:
    folder = write_shards(tmp_path / "shards", jpegs)
    first = parts(WebDatasetData(str(folder)).splits)
    assert parts(WebDatasetData(str(folder)).splits) == first
    assert len(builds) == 1
    shutil.rmtree(folder)
    write_shards(folder, jpegs[:20])
    assert sum(map(len, parts(WebDatasetData(str(folder)).splits))) == 20
    assert len(builds) == 2
    for file in (tmp_path / "cache" / "augment").iterdir():
        file.write_bytes(b"damaged")
    assert sum(map(len, parts(WebDatasetData(str(folder)).splits))) == 20
    assert len(builds) == 3


def test_a_bad_image_in_a_shard_is_skipped(
    configure: Callable[..., DictConfig], jpegs: list[bytes], tmp_path: Path
) -> None:
    folder = write_shards(tmp_path / "shards", [b"no image" if n == 7 else data for n, data in enumerate(jpegs)])
    seen = trained(configure, "webdataset", folder, "data.on_error=skip")
    text = (tmp_path / "run" / "unreadable.csv").read_text()
    assert "train-001.tar/part/07" in text
    assert text.count("\n") == 1
    assert len(seen.images) == 2 * 19


def test_shrink_writes_shards_that_are_read(folders: dict[str, Path], tmp_path: Path) -> None:
    """With the classes and the pixels of the folder of smaller images."""
    augment(["shrink", str(folders["folder"]), str(tmp_path / "shards"), "--size", "50", "--to", "webdataset"])
    augment(["shrink", str(folders["folder"]), str(tmp_path / "files"), "--size", "50"])
    shards = WebDatasetData(str(tmp_path / "shards"), label="json").splits
    files = FolderData(str(tmp_path / "files")).splits
    assert [len(part) for part in shards] == [len(part) for part in files]
    assert shards.train.classes == files.train.classes == CLASSES
    seen = [
        {(part.labels[n].item(), part.images([n]).numpy().tobytes()) for part in splits for n in range(len(part))}
        for splits in (shards, files)
    ]
    assert len(seen[0]) == 24
    assert seen[0] == seen[1]


@pytest.mark.parametrize(
    ("labels", "options", "error"),
    [
        (lambda n: {"txt": "a"}, {}, r"train-000.tar: the sample 'part/00' has no member 'cls' but jpg, txt"),
        (lambda n: {"cls": "a", "png": b""}, {}, r"has the members cls, jpg, png; one must be an image"),
        (lambda n: {"cls": ""}, {}, r"label of the sample 'part/00' cannot be read .*must be a name"),
        (lambda n: {"json": {"a": 1}}, {"label": "json"}, r"label of the sample 'part/00' cannot be read .*'label'"),
        (lambda n: {"json": {"label": ["a"] if n else "a"}}, {"label": "json"}, "some samples have a list of labels"),
        (lambda n: {"cls": "a"}, {"train": "no*.tar"}, r"has no files no\*.tar; name the training shards"),
        (lambda n: {"cls": "a"}, {"val": "*.tar"}, "is a shard of train and of val; change their patterns"),
    ],
)
def test_mistakes_in_shards_name_the_sample(
    jpegs: list[bytes], tmp_path: Path, labels: Callable[[int], dict], options: dict[str, str], error: str
) -> None:
    folder = write_shards(tmp_path, jpegs[:6], labels)
    with pytest.raises(UserError, match=error):
        _ = WebDatasetData(str(folder), **options).splits


def test_shards_that_cannot_be_read(jpegs: list[bytes], tmp_path: Path) -> None:
    with pytest.raises(UserError, match="must be a local folder"):
        WebDatasetData("pipe:curl https://host/shards")
    with pytest.raises(UserError, match="is not a folder"):
        WebDatasetData(str(tmp_path / "no"))
    with tarfile.open(tmp_path / "train.tar", "w:gz"):
        pass
    with pytest.raises(UserError, match=r"cannot read the shard .*train.tar .*without compression"):
        _ = WebDatasetData(str(tmp_path)).splits
    folder = write_shards(tmp_path / "cut", jpegs[:5])
    files = WebDatasetData(str(folder), val_share=0.2, test_share=0.2).splits.train
    shard = folder / "train-000.tar"
    shard.write_bytes(shard.read_bytes()[:100])
    with pytest.raises(UserError, match=r"cannot read the image .*train-000.tar/part/\d\d \(the shard ends within"):
        files.__getitems__([0])
