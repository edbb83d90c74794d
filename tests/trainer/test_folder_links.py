"""Links in a folder of images are followed without adding an image twice."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.trainer.folders import cats_and_dogs, divided, read, refused
from tests.trainer.tools import write_images


@pytest.mark.parametrize("place", [".", "cat", "cat/deeper"])
@pytest.mark.parametrize("target", ["..", "../..", "."])
def test_a_link_to_a_folder_above_it_adds_nothing(tmp_path: Path, place: str, target: str) -> None:
    root = cats_and_dogs(tmp_path / "data")
    write_images(tmp_path / "aside", 5, [(8, 8)])
    write_images(root / "cat" / "deeper", 5, [(8, 8)])
    (root / place / "again").symlink_to(target)
    counts, (told,) = read(root)
    assert counts == {"cat": 35, "dog": 30}
    assert "ignored links to files already read (1)" in told


def test_links_in_a_circle_end(tmp_path: Path) -> None:
    root = cats_and_dogs(tmp_path / "data")
    for name, other in (("one", "two"), ("two", "one")):
        write_images(tmp_path / name, 5, [(8, 8)])
        (tmp_path / name / "other").symlink_to(tmp_path / other)
    (root / "cat" / "far").symlink_to(tmp_path / "one")
    (root / "cat" / "self").symlink_to("self")
    counts, (told,) = read(root)
    assert counts == {"cat": 30 + 10, "dog": 30}
    assert "links to files already read (1)" in told
    assert "broken links (1)" in told


def test_links_elsewhere_work(tmp_path: Path) -> None:
    store = cats_and_dogs(tmp_path / "store")
    root = tmp_path / "data"
    (root / "mouse").mkdir(parents=True)
    (root / "cat").symlink_to(store / "cat")  # a class
    (root / "mouse" / "more").symlink_to(store / "dog")  # a folder below a class
    (root / "mouse" / "gone.png").symlink_to(store / "gone.png")
    (tmp_path / "rat.png").write_bytes((store / "cat" / "0.png").read_bytes())
    (root / "mouse" / "one.png").symlink_to(tmp_path / "rat.png")  # a file
    counts, (told,) = read(root)
    assert counts == {"cat": 30, "mouse": 31}
    assert "ignored broken links (1)" in told
    assert read(_linked(tmp_path / "linked", root))[0] == counts


def _linked(link: Path, target: Path) -> Path:
    link.symlink_to(target)
    return link


def test_a_file_that_a_class_links_twice_is_one_sample(tmp_path: Path) -> None:
    root = cats_and_dogs(tmp_path)
    (root / "cat" / "first.png").symlink_to("0.png")
    (root / "cat" / "folder").mkdir()
    (root / "cat" / "folder" / "second.png").symlink_to("../1.png")
    counts, (told,) = read(root)
    assert counts == {"cat": 30, "dog": 30}
    assert "links to files already read (2)" in told


def test_a_file_of_two_classes_is_refused(tmp_path: Path) -> None:
    root = cats_and_dogs(tmp_path)
    (root / "dog" / "cats").symlink_to("../cat")
    told = refused(root)
    assert f"{root / 'dog' / 'cats' / '0.png'} and {root / 'cat' / '0.png'} are the same file" in told
    (root / "dog" / "cats").unlink()
    (root / "katze").symlink_to("cat")
    assert "so it would have two labels; remove one of the links." in refused(root)


def test_training_images_in_another_split_are_told(tmp_path: Path) -> None:
    divided(tmp_path, train="train", test="test")
    (tmp_path / "val").symlink_to("train")
    _, (told,) = read(tmp_path)
    assert "8 files of val are also training images, through links" in told
