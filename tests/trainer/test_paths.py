"""Many paths in two arrays are the paths that were given."""

from __future__ import annotations

import os
import pickle
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lightning_modules.data.paths import Paths

NAMES = st.binary(min_size=1, max_size=12).filter(lambda name: b"/" not in name and b"\0" not in name)


@given(st.lists(st.lists(NAMES, min_size=1, max_size=3), max_size=8))
def test_paths_come_back(names: list[list[bytes]]) -> None:
    """Also names that are no valid text."""
    given_ = [Path(os.fsdecode(b"/".join(parts))) for parts in names]
    paths = Paths(given_)
    assert list(paths) == given_
    assert [paths[-1 - place] for place in range(len(given_))] == given_[::-1]
    assert list(paths[1:]) == given_[1:]
    assert list(pickle.loads(pickle.dumps(paths))) == given_
    assert list(paths.taken(range(0, len(given_), 2))) == given_[::2]


def test_there_is_no_path_beyond_the_last() -> None:
    with pytest.raises(IndexError):
        Paths(["a", "b"])[2]


def test_a_million_paths_need_little_memory() -> None:
    paths = Paths(f"train/n{i % 1000:08}/n{i % 1000:08}_{i}.JPEG" for i in range(10_000))
    assert sum(array.nbytes for array in vars(paths).values()) < 60 * len(paths)
