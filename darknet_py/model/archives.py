"""What a file that is a ZIP archive, or ends in one, says of itself: a JSON text among its entries."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

from ..contract.told import from_text, to_text
from ..errors import DataError
from ..files import reading

if TYPE_CHECKING:
    from ..contract.contract import Contract

ENTRY = "darknet.json"
LABELS = "labels.txt"
MOST = 1 << 24  # bytes of the first


def contract_in(path: Path) -> Contract:
    """The contract in an archive, in whichever of its folders. Raises `DataError` for any other file."""
    try:
        with reading(path) as file, zipfile.ZipFile(file) as archive:
            name = next(n for n in archive.namelist() if n.rpartition("/")[2] == ENTRY)
            with archive.open(name) as entry:
                text = entry.read(MOST)
    except (zipfile.BadZipFile, StopIteration, NotImplementedError, RuntimeError, OSError, ValueError) as e:
        told = f"no {ENTRY} in it" if isinstance(e, StopIteration) else str(e)
        raise DataError(f"{path} was not exported by darknet-py ({told})") from None
    return from_text(text, path)


def append_contract(path: Path, contract: Contract) -> None:
    """Put an archive with the contract, and the names of the classes in lines, at the end of a file."""
    with zipfile.ZipFile(path, "a") as archive:
        for name, text in ((ENTRY, to_text(contract)), (LABELS, "".join(f"{n}\n" for n in contract.names))):
            archive.writestr(zipfile.ZipInfo(name), text)
