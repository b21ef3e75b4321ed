"""A contract as one JSON text, for files that have a place for one; `onnx.metadata` has an entry for each field."""

from __future__ import annotations

import json
from collections.abc import Callable

from ..errors import DataError
from .contract import Contract
from .trust import CONTRACT, MAX_NUMBERED, believe

# What a file does not say of itself: where it lies the reader knows.
UNTOLD = frozenset(("origin", "names_origin", "diagnostics"))


def to_text(contract: Contract) -> str:
    """The contract as JSON.

    >>> from_text(to_text(Contract((3, 8, 8), 2, names=("a", "b"))), "here").names
    ('a', 'b')
    """
    told = {k: v for k, v in contract.to_dict().items() if k not in UNTOLD}
    return json.dumps({"darknet-py": told}, ensure_ascii=False)


def from_text(text: str | bytes, where: object) -> Contract:
    """The contract again. Raises `DataError`, which names the file, for any other text."""
    return believed(lambda: Contract.of(json.loads(text)["darknet-py"]), where)


def believed(read: Callable[[], Contract], where: object) -> Contract:
    """The contract that `read` takes from a file, if it is one.

    Raises `DataError`, which names the file, where that is damaged, or somebody else's.
    """
    try:
        contract = read()
        believe(contract, CONTRACT)
        listed = contract.classes if contract.classes <= MAX_NUMBERED else 0
        if len(contract.names) not in (contract.classes, listed):
            raise ValueError(f"{len(contract.names)} names of {contract.classes} classes")
    except (AttributeError, ArithmeticError, LookupError, RecursionError, TypeError, ValueError) as e:
        told = f"{e}" if isinstance(e, ValueError) else f"{type(e).__name__}: {e}"
        raise DataError(f"{where} was not exported by darknet-py, or by another version of it ({told})") from None
    return contract
