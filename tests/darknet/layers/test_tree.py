"""Class trees: their groups, the probability along a path, and files that are none."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from darknet_py.darknet.layers.heads.tree import read_tree
from darknet_py.errors import DataError

WORDS = "animal -1\nthing -1\n\ncat 0\ndog 0\ncup 1\nsiamese 2\n"


def test_a_group_is_a_run_of_lines_with_the_same_parent(tmp_path: Path) -> None:
    (tmp_path / "words.tree").write_text(WORDS)
    tree = read_tree(tmp_path / "words.tree")
    assert tree.names == ("animal", "thing", "cat", "dog", "cup", "siamese")
    assert tree.parents == (-1, -1, 0, 0, 1, 2)
    assert tree.groups == (2, 2, 1, 1)


def test_an_absolute_probability_is_the_product_along_the_path(tmp_path: Path) -> None:
    (tmp_path / "words.tree").write_text(WORDS)
    given = np.array([[0.8, 0.2, 0.5, 0.5, 1, 0.5]], np.float32)
    got = read_tree(tmp_path / "words.tree").absolute(given)
    np.testing.assert_allclose(got, [[0.8, 0.2, 0.4, 0.4, 0.2, 0.2]], rtol=1e-6)


@pytest.mark.parametrize("text", ["", "cat\n", "cat x\n", "cat 0\n", "cat 1\ndog -1\n", "cat -2\n"])
def test_what_is_no_tree_is_an_error(text: str, tmp_path: Path) -> None:
    (tmp_path / "bad.tree").write_text(text)
    with pytest.raises(DataError, match=r"bad\.tree"):
        read_tree(tmp_path / "bad.tree")


def test_a_missing_tree_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="cannot read"):
        read_tree(tmp_path / "none.tree")
