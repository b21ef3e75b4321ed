"""What the files of each picture are called: its own name, with a number where two pictures would share one.

Decision: names are given in the order in which pictures come, so the same run gives the same names; the frames of a
video are numbered after its name, so that a long one takes no memory.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from unicodedata import normalize

if TYPE_CHECKING:
    from ...vision.results import Results

WRITABLE = frozenset((".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff"))
FORBIDDEN = frozenset('/\\:*?"<>|')  # in the names of folders, on one system or another


@dataclass(frozen=True)
class Destination:
    """Where the files of one picture go: its drawing is `picture`, the others have its stem."""

    picture: Path

    @property
    def label(self) -> Path:
        """Its YOLO label file."""
        return self.picture.parent / "labels" / f"{self.picture.stem}.txt"

    def crop(self, name: str, number: int) -> Path:
        """The file of an object of the class `name`.

        >>> Destination(Path("out/dog.jpg")).crop("c/o", 3).as_posix()
        'out/crops/c_o/dog-3.jpg'
        """
        folder = "".join("_" if c in FORBIDDEN or not c.isprintable() else c for c in name).strip(". ")
        return self.picture.parent / "crops" / (folder or "_") / f"{self.picture.stem}-{number}.jpg"


class Places:
    """Gives each picture its place in a folder; with `stems`, pictures that differ in the suffix only differ in more.

    Names that differ in capitals, or in how their accents are encoded, are one name on some file systems.
    """

    def __init__(self, folder: Path, *, stems: bool) -> None:
        self._folder, self._stems = folder, stems
        self._taken: set[str] = set()
        self._videos: dict[str, Path] = {}

    def of(self, results: Results) -> Destination:
        """The place of a result."""
        if results.frame is None:
            return self.free(results.file_name)
        if results.source not in self._videos:
            from ...vision.sources import video_name

            name = f"{Path(video_name(results.source)).stem or 'video'}.jpg"
            self._videos[results.source] = self.free(name).picture
        video = self._videos[results.source]
        return Destination(video.with_name(f"{video.stem}_{results.frame:08d}.jpg"))

    def free(self, name: str) -> Destination:
        """The place of a picture of this name."""
        path = self._folder / name
        if path.suffix.lower() not in WRITABLE:
            path = path.with_suffix(".jpg")
        number, free = 1, path
        while self._taken & (names := self._names(free)):
            number += 1
            free = path.with_name(f"{path.stem}-{number}{path.suffix}")
        self._taken |= names
        return Destination(free)

    def _names(self, path: Path) -> set[str]:
        stems = {f"labels/{path.stem}"} if self._stems else set()
        return {normalize("NFC", name).casefold() for name in {path.name, *stems}}
