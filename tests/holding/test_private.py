"""Folders of one user: who else could write there is found; what killed processes left goes, and no other."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from darknet_py.holding.private import ABANDONED, find_intruder, is_private_file, make_private, sweep

posix = pytest.mark.skipif(os.name != "posix", reason="needs the permissions of POSIX")


@posix
def test_folders_are_made_for_one_user_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        make_private(tmp_path / "a" / "b")
    finally:
        os.umask(before)
    assert [p.stat().st_mode & 0o777 for p in (tmp_path / "a", tmp_path / "a" / "b")] == [0o700, 0o700]


@posix
@pytest.mark.parametrize("mode", [0o777, 0o770, 0o702])
@pytest.mark.parametrize("which", ["itself", "above"])
def test_a_folder_that_others_may_write_or_replace_is_found(tmp_path: Path, mode: int, which: str) -> None:
    folder = tmp_path / "cache" / "compiled"
    make_private(folder)
    assert find_intruder(folder) is None
    changed = folder if which == "itself" else folder.parent
    changed.chmod(mode)
    assert find_intruder(folder) == f"others may write in {changed}"


@posix
def test_a_shared_folder_where_nobody_renames_what_is_anothers_may_lie_above(tmp_path: Path) -> None:
    make_private(tmp_path / "shared" / "mine")
    (tmp_path / "shared").chmod(0o1777)
    assert find_intruder(tmp_path / "shared" / "mine") is None


@posix
def test_a_folder_of_somebody_else_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 12345)
    assert "belongs to another user" in str(find_intruder(tmp_path))


@posix
def test_a_link_is_no_file_of_a_users_own(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("x")
    (tmp_path / "b").symlink_to("a")
    assert is_private_file(tmp_path / "a")
    assert not is_private_file(tmp_path / "b")


def dead() -> int:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


@posix
def test_what_a_killed_process_left_goes_and_what_a_living_one_makes_stays(tmp_path: Path) -> None:
    left = tmp_path / f".new.abc.{dead()}"
    left.mkdir()
    (left / "half").write_text("x")
    (tmp_path / f".new.file.{dead()}").write_text("x")
    kept = [tmp_path / name for name in (f".new.abc.{os.getppid()}", ".new.abc.txt", f".other.{dead()}", "new.1")]
    for path in kept:
        path.write_text("x")
    sweep(tmp_path, "new")
    assert sorted(tmp_path.iterdir()) == sorted(kept)


def test_what_nobody_touched_for_a_day_goes_though_the_number_is_in_use(tmp_path: Path) -> None:
    path = tmp_path / f".new.x.{os.getpid()}"
    path.write_text("x")
    old = time.time() - ABANDONED - 1
    os.utime(path, (old, old))
    sweep(tmp_path, "new")
    assert not path.exists()
