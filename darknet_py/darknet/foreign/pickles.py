"""A reader of pickles that executes nothing: what a pickle would call is written down instead of called.

Decision: our own stack machine over the standard library's disassembler, not a subclass of `pickle.Unpickler`. Names
become inert values, so nothing can be imported; every number in the file is held against what is left of the file, so
nothing can be allocated that was not paid for in bytes; keys are plain, so nothing is hashed at length.
"""

from __future__ import annotations

import io
import pickletools
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, BinaryIO, Final

from ...errors import DataError

MAX_OPERATIONS = 5_000_000  # a checkpoint of a thousand tensors has 100 thousand
KEYS = (str, bytes, int, float, type(None))

# Whose classes and functions a checkpoint may name; `builtins` of these alone. They are noted and never called.
ROOTS = frozenset(
    "torch torchvision collections numpy argparse pathlib datetime copy_reg copyreg _codecs "
    "models model utils timm mmengine mmcv mmcls mmpretrain mmdet ultralytics yolor".split()
)
BUILTINS = frozenset(
    "set frozenset list tuple dict object int float bool str bytes bytearray complex slice range".split()
)


@dataclass(frozen=True)
class Name:
    """A class or function that a pickle names, as 'module.name'."""

    name: str


@dataclass(eq=False)
class Inert:
    """What a call would have made: of what, from which arguments, and the state that was given to it."""

    name: str
    args: tuple[Any, ...]
    state: Any = None
    items: dict[Any, Any] = field(default_factory=dict)


Call = Callable[[str, tuple[Any, ...]], Any]  # what to make of a call of a function or class
Persist = Callable[[Any], Any]  # what a persistent id stands for


class Bounded(io.RawIOBase):
    """A file that never reads more than it has: a length in a pickle may be a lie."""

    def __init__(self, file: BinaryIO, size: int) -> None:
        self._file, self._size = file, size

    def read(self, count: int = -1, /) -> bytes:
        """At most `count` bytes; what `pickletools` asks for."""
        left = self._size - self._file.tell()
        return self._file.read(left if count < 0 else min(count, left))

    def readline(self, limit: int | None = -1, /) -> bytes:
        """A line."""
        return self._file.readline()

    def tell(self) -> int:
        """Where the next byte is."""
        return self._file.tell()


def read_pickle(file: BinaryIO | Bounded, call: Call, persist: Persist) -> Any:
    """The value of the next pickle in `file`, which is left after it.

    `call` makes something of a call that the pickle asks for, `persist` of a persistent id; an object that is only
    created, as those of modules are, is `Inert`. Raises `DataError` for what is no pickle, is damaged, or names
    anything outside `ROOTS`.

    >>> import pickle, os
    >>> data = pickle.dumps({"a": [1, 2.5, (True, None)], "b": b"raw"})
    >>> read_pickle(io.BytesIO(data), Inert, lambda key: key)
    {'a': [1, 2.5, (True, None)], 'b': b'raw'}
    >>> read_pickle(io.BytesIO(pickle.dumps(os.system)), Inert, lambda key: key)
    Traceback (most recent call last):
    darknet_py.errors.DataError: the pickle asks for posix.system, which no checkpoint needs; nothing was executed
    """
    try:
        return _Machine(call, persist).run(file)
    except (ValueError, IndexError, KeyError, TypeError, AttributeError, OverflowError, EOFError, RecursionError) as e:
        raise DataError(f"the pickle is damaged ({str(e)[:100] or type(e).__name__})") from None


_MARK: Final = object()
_CONSTANTS: Final[dict[str, Any]] = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False}
_LITERALS = frozenset(
    "INT BININT BININT1 BININT2 LONG LONG1 LONG4 FLOAT BINFLOAT STRING BINSTRING SHORT_BINSTRING UNICODE "
    "BINUNICODE SHORT_BINUNICODE BINUNICODE8 BINBYTES SHORT_BINBYTES BINBYTES8 BYTEARRAY8".split()
)
_PUTS, _GETS = frozenset("PUT BINPUT LONG_BINPUT".split()), frozenset("GET BINGET LONG_BINGET".split())
_TUPLES = {"EMPTY_TUPLE": 0, "TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}
_EMPTY: dict[str, Callable[[], Any]] = {"EMPTY_DICT": dict, "EMPTY_LIST": list, "EMPTY_SET": list}


class _Machine:
    """The stack and the memory of one pickle."""

    def __init__(self, call: Call, persist: Persist) -> None:
        self.call, self.persist = call, persist
        self.stack: list[Any] = []
        self.memo: dict[int, Any] = {}

    def run(self, file: BinaryIO | Bounded) -> Any:
        for count, (op, argument, _) in enumerate(pickletools.genops(file)):  # type: ignore[arg-type]  # reads, tells
            if count > MAX_OPERATIONS:
                raise DataError(f"the pickle has more than {MAX_OPERATIONS:,} operations: it is no checkpoint")
            if op.name == "STOP":
                (value,) = self.stack
                if value is _MARK:
                    raise ValueError("it ends with a mark")
                return value
            self.step(op.name, argument)
        raise EOFError("it has no end")

    def step(self, op: str, argument: Any) -> None:
        stack = self.stack
        if op in ("PROTO", "FRAME"):
            return
        if op in _LITERALS:
            stack.append(argument)
        elif op in _CONSTANTS:
            stack.append(_CONSTANTS[op])
        elif op in _TUPLES:
            stack.append(self.taken(_TUPLES[op]))
        elif op in _EMPTY:
            stack.append(_EMPTY[op]())
        elif op == "MEMOIZE":
            self.memo[len(self.memo)] = stack[-1]
        elif op in _PUTS:
            self.memo[argument] = stack[-1]
        elif op in _GETS:
            stack.append(self.memo[argument])
        elif method := getattr(self, f"do_{op.lower()}", None):
            method(argument)
        else:
            raise DataError(f"the pickle has the operation {op}, which no checkpoint needs")

    def taken(self, count: int) -> tuple[Any, ...]:
        """The last `count` values, off the stack."""
        if count > len(self.stack):
            raise IndexError("it takes more than there is")
        values = tuple(self.stack[len(self.stack) - count :])
        del self.stack[len(self.stack) - count :]
        return values

    def marked(self) -> list[Any]:
        """The values after the last mark, off the stack with it."""
        at = len(self.stack) - 1
        while self.stack[at] is not _MARK:  # the first index below 0 is caught as a damaged pickle
            at -= 1
            if at < 0:
                raise IndexError("a mark is missing")
        values = self.stack[at + 1 :]
        del self.stack[at:]
        return values

    def do_mark(self, _: Any) -> None:
        self.stack.append(_MARK)

    def do_pop(self, _: Any) -> None:
        self.stack.pop()

    def do_pop_mark(self, _: Any) -> None:
        self.marked()

    def do_dup(self, _: Any) -> None:
        self.stack.append(self.stack[-1])

    def do_tuple(self, _: Any) -> None:
        self.stack.append(tuple(self.marked()))

    def do_list(self, _: Any) -> None:
        self.stack.append(self.marked())

    def do_frozenset(self, _: Any) -> None:
        self.stack.append(self.marked())  # of anything: nothing read here is looked up in it

    def do_dict(self, _: Any) -> None:
        values: dict[Any, Any] = {}
        self.fill(values, self.marked())
        self.stack.append(values)

    def do_append(self, _: Any) -> None:
        self.extend([self.stack.pop()])

    def do_appends(self, _: Any) -> None:
        self.extend(self.marked())

    def do_additems(self, _: Any) -> None:
        self.extend(self.marked())

    def extend(self, values: list[Any]) -> None:
        if isinstance(self.stack[-1], list):
            self.stack[-1].extend(values)
        elif not isinstance(self.stack[-1], Inert):
            raise TypeError("it appends to what is no list")

    def do_setitem(self, _: Any) -> None:
        self.fill(self.stack[-3], list(self.taken(2)))

    def do_setitems(self, _: Any) -> None:
        values = self.marked()
        self.fill(self.stack[-1], values)

    def fill(self, target: Any, values: list[Any]) -> None:
        into = target.items if isinstance(target, Inert) else target
        if not isinstance(into, dict) or len(values) % 2:
            raise TypeError("it sets items of what is no dictionary")
        for key, value in zip(values[::2], values[1::2], strict=True):
            plain = isinstance(key, KEYS) or (isinstance(key, tuple) and all(isinstance(k, KEYS) for k in key))
            if not plain:
                raise TypeError(f"a {type(key).__name__} is a key")
            into[key] = value

    def do_global(self, argument: Any) -> None:
        self.stack.append(_named(*str(argument).split(" ", 1)))

    def do_stack_global(self, _: Any) -> None:
        self.stack.append(_named(*self.taken(2)))

    def do_reduce(self, _: Any) -> None:
        self.make(self.call, *self.taken(2))

    def do_newobj(self, _: Any) -> None:
        self.make(Inert, *self.taken(2))

    def do_newobj_ex(self, _: Any) -> None:
        what, args, _keywords = self.taken(3)
        self.make(Inert, what, args)

    def make(self, call: Call, what: Any, args: Any) -> None:
        if not isinstance(what, Name) or not isinstance(args, tuple):
            raise TypeError("it calls what is no function")
        self.stack.append(call(what.name, args))

    def do_build(self, _: Any) -> None:
        state = self.stack.pop()
        if isinstance(self.stack[-1], Inert):  # attributes of dictionaries and tensors say nothing that is needed
            self.stack[-1].state = state

    def do_persid(self, argument: Any) -> None:
        self.stack.append(self.persist(argument))

    def do_binpersid(self, _: Any) -> None:
        self.stack.append(self.persist(self.stack.pop()))


def _named(module: str, name: str) -> Name:
    module = "builtins" if module == "__builtin__" else module
    known = name in BUILTINS if module == "builtins" else module.partition(".")[0] in ROOTS
    if not known:
        what = f"{module}.{name}"
        message = f"the pickle asks for {what[:100]}, which no checkpoint needs; nothing was executed"
        if module.partition(".")[0] in sys.stdlib_module_names:
            raise DataError(message)
        raise DataError(f"{message}\n  hint: save the tensors alone: torch.save(model.state_dict(), PATH)")
    return Name(f"{module}.{name}")
