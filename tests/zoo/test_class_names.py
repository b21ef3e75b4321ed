"""Names of classes: any encoding, lists that do not go together with the network, and what is said of both."""

from __future__ import annotations

from pathlib import Path

import pytest

from darknet_py.errors import DataError
from darknet_py.zoo.names import find_names, known_names, read_names

WORDS = ("person", "Fahrrad mit Rädern", "車")


@pytest.mark.fault("names-in-utf16")
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r", "\r\r\n"])
@pytest.mark.parametrize(
    "encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le", "utf-32-be"]
)
def test_names_are_read_in_every_unicode_encoding(tmp_path: Path, encoding: str, end: str) -> None:
    path = tmp_path / "net.names"
    path.write_bytes("".join(word + end for word in WORDS).encode(encoding))
    known = find_names(3, given=path)
    assert known.names == WORDS
    assert len(known.notes) == (0 if encoding.startswith("utf-8") else 1)


def test_latin_1_is_the_last_resort_and_is_said(tmp_path: Path) -> None:
    path = tmp_path / "net.names"
    path.write_bytes(b"caf\xe9\nth\xe9\x85x\n")
    known = find_names(2, given=path)
    assert known.names == ("café", "thé\x85x")
    assert "was read as Latin-1" in known.notes[0]


def test_what_is_no_text_is_no_list_of_names(tmp_path: Path) -> None:
    path = tmp_path / "net.names"
    path.write_bytes(bytes(range(256)) * 3)
    with pytest.raises(DataError, match="no list of names"):
        read_names(path)


@pytest.mark.fault("names-more-than-classes")
def test_more_names_than_classes_are_said(tmp_path: Path) -> None:
    (tmp_path / "coco3.names").write_text("a\nb\nc\n")
    (tmp_path / "one.data").write_text("classes = 3\nnames = coco3.names\n")
    known = find_names(1, given=tmp_path / "coco3.names")
    assert known.names == ("a",)
    assert "holds 3 names, and the network has 1 class:" in known.notes[0]
    assert "says classes=3, and the network has 1 class" in find_names(1, given=tmp_path / "one.data").notes[1]
    assert find_names(3, given=tmp_path / "one.data").notes == ()


@pytest.mark.parametrize("name", ["../../x", "/etc/passwd", "a\0b", "x" * 5000, "", "nolist"])
def test_a_list_of_names_is_never_a_path(name: str) -> None:
    with pytest.raises(DataError, match="list of names"):
        known_names(name)


def test_a_data_file_whose_classes_are_another_number_is_said(tmp_path: Path) -> None:
    (tmp_path / "two.names").write_text("a\nb\n")
    (tmp_path / "net.data").write_text("classes=80\nnames=two.names\n")
    (told,) = find_names(2, cfg=tmp_path / "net.cfg", given=tmp_path / "net.data").notes
    assert "says classes=80, and the network has 2 classes" in told


def test_two_classes_of_one_name_and_one_without_are_said(tmp_path: Path) -> None:
    path = tmp_path / "net.names"
    path.write_text("a\nb\n\na\n")
    assert [told.partition(": ")[2] for told in find_names(4, given=path).notes] == [
        "line 3 is empty, so class 2 has no name", "'a' is the name of classes 0 and 3",
    ]  # fmt: skip


def test_names_that_lie_beside_the_cfg_and_do_not_fit_are_said(tmp_path: Path) -> None:
    (tmp_path / "net.names").write_text("a\nb\n")
    known = find_names(5, cfg=tmp_path / "net.cfg")
    assert known.names == ("0", "1", "2", "3", "4")
    assert known.notes == (f"{tmp_path / 'net.names'} holds 2 names, and the network has 5 classes: it is not used",)


def test_data_files_that_name_each_other_come_to_an_end(tmp_path: Path) -> None:
    path = tmp_path / "net.data"
    path.write_text("names=net.data\n")
    with pytest.raises(DataError, match="is named in another one"):
        read_names(path)
