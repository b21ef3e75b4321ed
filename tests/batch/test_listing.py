"""The listing: which pictures a source has, in an order that is the same in every walk, without keeping them."""

from __future__ import annotations

import gzip
import os
import shutil
import tarfile
import tracemalloc
from pathlib import Path

import pytest
from scenes import encoded, write_pictures, write_tar

from darknet_py.apps.batch import listing
from darknet_py.apps.batch.fetch import fetches
from darknet_py.apps.batch.listing import Item, Reach, check_sources, list_items, sorted_names
from darknet_py.apps.batch.shards import Share, cut_shards
from darknet_py.errors import DataError


def paths_of(*sources: str | Path, out: Path | None = None) -> list[str]:
    return [item.path for item in list_items(map(str, sources), Reach(avoided=out))]


def test_a_folder_is_walked_in_the_order_of_names_with_those_in_it(tmp_path: Path) -> None:
    for name in ("b/2.png", "b/1.jpg", "a.png", "c.png", "b/labels.txt", "b/deep/er/3.webp"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    found = [Path(path).relative_to(tmp_path).as_posix() for path in paths_of(tmp_path)]
    assert found == ["a.png", "b/1.jpg", "b/2.png", "b/deep/er/3.webp", "c.png"]


def test_a_folder_that_leads_back_to_itself_is_entered_once(tmp_path: Path) -> None:
    write_pictures(tmp_path / "photos", 2)
    (tmp_path / "photos" / "again").symlink_to(tmp_path / "photos")
    assert len(paths_of(tmp_path / "photos")) == 2


def test_a_link_to_another_folder_is_followed(tmp_path: Path) -> None:
    write_pictures(tmp_path / "elsewhere", 2)
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "linked").symlink_to(tmp_path / "elsewhere")
    assert len(paths_of(tmp_path / "photos")) == 2


def test_the_folder_of_the_results_is_not_entered(tmp_path: Path) -> None:
    write_pictures(tmp_path, 2)
    write_pictures(tmp_path / "results", 2)
    assert len(paths_of(tmp_path, out=tmp_path / "results")) == 2
    assert len(paths_of(tmp_path)) == 4


def test_a_pattern_finds_what_it_matches_in_order(tmp_path: Path) -> None:
    write_pictures(tmp_path / "b", 2)
    write_pictures(tmp_path / "a", 1)
    assert [Path(p).parent.name for p in paths_of(tmp_path / "**" / "*.png")] == ["a", "b", "b"]


def test_a_list_is_read_in_its_order_and_may_name_a_picture_twice(tmp_path: Path) -> None:
    one, two = write_pictures(tmp_path / "photos", 2)
    listed = tmp_path / "list.txt"
    listed.write_text(f"{two}\n\nphotos/{one.name}\n{two}\nphotos/gone.png\n")
    items = list(list_items([str(listed)]))
    assert [Path(item.path).name for item in items] == [two.name, one.name, two.name, "gone.png"]
    assert [item.position for item in items] == [0, 1, 2, 3]
    assert items[0].size == two.stat().st_size
    assert items[3].size == -1  # it becomes a row with an error


def test_a_list_may_be_of_a_windows_editor(tmp_path: Path) -> None:
    (path,) = write_pictures(tmp_path, 1)
    (tmp_path / "list.txt").write_text(f"{path}\n", encoding="utf-16")
    assert paths_of(tmp_path / "list.txt") == [str(path)]


def test_a_list_of_a_windows_editor_that_was_cut_has_a_name_that_is_not_there(tmp_path: Path) -> None:
    (path,) = write_pictures(tmp_path, 1)
    (tmp_path / "list.txt").write_bytes(f"{path}\ngone".encode("utf-16") + b"\x41")
    assert paths_of(tmp_path / "list.txt") == [str(path), "gone\ufffd"]


def test_a_list_may_name_addresses_which_are_not_asked(tmp_path: Path) -> None:
    (tmp_path / "list.txt").write_text("http://localhost:1/a.jpg\ns3://bucket/b.jpg\n")
    assert paths_of(tmp_path / "list.txt") == ["http://localhost:1/a.jpg", "s3://bucket/b.jpg"]


def test_what_is_no_list_is_told(tmp_path: Path) -> None:
    (tmp_path / "list.txt").write_bytes(b"a\0b\n")
    with pytest.raises(DataError, match="not a list of pictures"):
        paths_of(tmp_path / "list.txt")


def test_a_tar_has_the_pictures_of_its_samples(tmp_path: Path) -> None:
    members = {"a/1.jpg": encoded(suffix=".jpg"), "a/1.json": b"{}", "a/2.png": encoded()}
    tar = write_tar(tmp_path / "train-0.tar", members)
    items = list(list_items([str(tar)]))
    assert [item.path for item in items] == [f"{tar}/a/1.jpg", f"{tar}/a/2.png"]
    assert [fetch() for fetch in fetches(items)] == [members["a/1.jpg"], members["a/2.png"]]


def test_a_folder_of_tars_is_all_that_is_in_them(tmp_path: Path) -> None:
    for i in range(2):
        write_tar(tmp_path / f"train-{i}.tar", {"x.png": encoded()})
    assert len(paths_of(tmp_path)) == 2


def test_a_tar_that_is_cut_is_an_error_and_no_smaller_tar(tmp_path: Path) -> None:
    tar = write_tar(tmp_path / "a.tar", {"1.png": encoded(), "2.png": encoded()})
    tar.write_bytes(tar.read_bytes()[:1200])
    with pytest.raises(DataError, match="ends early"):
        paths_of(tar)


@pytest.mark.parametrize("name", ["a.tar.gz", "a.tar"])
def test_a_compressed_tar_is_told_apart(tmp_path: Path, name: str) -> None:
    tar = write_tar(tmp_path / "b.tar", {"1.png": encoded()})
    (tmp_path / name).write_bytes(gzip.compress(tar.read_bytes()))
    with pytest.raises(DataError, match="compressed"):
        paths_of(tmp_path / name)


def test_a_member_is_read_within_its_bytes(tmp_path: Path) -> None:
    tar = write_tar(tmp_path / "a.tar", {"1.png": encoded()})
    (item,) = list_items([str(tar)])
    tar.write_bytes(tar.read_bytes()[: item.at + 3])
    (fetch,) = fetches([item])
    with pytest.raises(DataError, match="ends within it"):
        fetch()


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("gone", "nothing is there"),
        ("empty", "no pictures in"),
        ("*.png", "no pictures in"),
        ("nonsense://a", "nonsense://"),
    ],
)
def test_a_source_without_pictures_is_told_before_anything_is_computed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: str, message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    write_pictures(tmp_path / "photos", 1)
    with pytest.raises(DataError, match=message):
        check_sources(["photos", source])


def test_names_that_are_too_many_for_the_memory_are_sorted_in_files(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listing, "RUN", 3)
    names = [f"{i * 7 % 11}\n\udce4" for i in range(11)]
    assert list(sorted_names(names)) == sorted(names)


def test_memory_does_not_grow_with_the_number_of_names(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listing, "RUN", 5000)

    def peak(count: int) -> int:
        tracemalloc.start()
        assert sum(1 for _ in sorted_names(f"a rather long name of a picture {i}.jpg" for i in range(count))) == count
        most = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return most

    assert peak(80_000) < 1.5 * peak(20_000)


def test_a_shard_has_another_name_when_a_picture_has_changed(tmp_path: Path) -> None:
    paths = write_pictures(tmp_path, 6)

    def names(identity: str = "network and options") -> list[str]:
        return [shard.name for shard in cut_shards(list_items([str(tmp_path)]), 2, identity, ".jsonl")]

    before = names()
    assert names() == before
    assert len({*before}) == 3
    os.utime(paths[2], ns=(1, 1))
    assert [a == b for a, b in zip(names(), before, strict=True)] == [True, False, True]
    assert not {*names("another network")} & {*before}


def test_the_same_picture_at_two_places_makes_two_shards() -> None:
    items = (Item(0, "a.jpg"), Item(1, "a.jpg"))
    one, two = cut_shards(items, 1, "", ".jsonl")
    assert one.name.rpartition("-")[2] != two.name.rpartition("-")[2]


def test_shares_are_all_the_shards_and_none_twice() -> None:
    found = [number for part in range(3) for number in range(10) if Share.of(f"{part}/3").has(number)]
    assert sorted(found) == list(range(10))


@pytest.mark.parametrize("text", ["3/3", "1", "-1/2", "a/b", "1/0", ""])
def test_what_is_no_share_is_told(text: str) -> None:
    with pytest.raises(DataError, match="I/N"):
        Share.of(text)


def test_a_link_that_leads_to_itself_stops_nothing(tmp_path: Path) -> None:
    write_pictures(tmp_path, 1)
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "loop.png").symlink_to("loop.png")
    found = list(list_items([str(tmp_path)]))
    assert [Path(item.path).name for item in found] == ["0000.png", "loop.png"]
    with pytest.raises(DataError, match=r"loop\.png"):
        next(iter(fetches(found[1:])))()


def test_the_folder_of_the_results_is_no_source(tmp_path: Path) -> None:
    write_pictures(tmp_path, 1)
    with pytest.raises(DataError, match="is where the results go, and is not searched\n  hint: write to another"):
        list(list_items([str(tmp_path)], Reach(avoided=tmp_path)))


def test_results_that_a_pattern_or_a_store_finds_are_no_pictures(tmp_path: Path) -> None:
    write_pictures(tmp_path / "photos", 1)
    out = tmp_path / "photos" / "out"
    out.mkdir()
    (out / "part-000000000000-0123456789abcdef.parquet").write_bytes(b"rows")
    found = list(list_items([f"{tmp_path}/photos/**/*"], Reach(avoided=out)))
    assert [Path(item.path).name for item in found] == ["0000.png"]
    pytest.importorskip("fsspec", reason="needs fsspec: pip install 'darknet-compiler[batch]'")
    found = list(list_items([f"file://{tmp_path}/photos"], Reach(avoided=f"file://{out}/")))
    assert [Path(item.path).name for item in found] == ["0000.png"]


def test_a_link_in_a_tar_is_a_row_that_says_so(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "a.tar", "w") as tar:
        tar.add(write_pictures(tmp_path, 1)[0], "0.png")
        for name, kind in (("1.png", tarfile.LNKTYPE), ("2.png", tarfile.SYMTYPE)):
            info = tarfile.TarInfo(name)
            info.type, info.linkname = kind, "0.png"
            tar.addfile(info)
    there, *links = fetches(list_items([str(tmp_path / "a.tar")]))
    assert there() == (tmp_path / "0000.png").read_bytes()
    assert len(links) == 2
    for fetch in links:
        with pytest.raises(DataError, match=r"[12]\.png: a link .*--hard-dereference"):
            fetch()


def test_folders_may_be_deeper_than_calls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for _ in range(1100):
        os.mkdir("d")  # noqa: PTH102 - the whole path is longer than some calls take
        os.chdir("d")
    Path("a.png").write_bytes(b"")
    monkeypatch.chdir(tmp_path)
    assert paths_of(".") == [f"./{'d/' * 1100}a.png"]
    while Path("d").exists():  # rmtree calls itself, and so does pytest's
        if Path("d/d").exists():
            Path("d/d").rename("inner")
        shutil.rmtree("d")
        if Path("inner").exists():
            Path("inner").rename("d")
