"""Files: what is read is a file and no pipe, what is written is there whole or not at all, and users' files are theirs.

Decision: one rule, in one place. A file that was read in a run is not written in it. An existing file is replaced only
if this package can tell that it wrote it: by what the file says of itself, or by the list of names and hashes that is
kept in each folder that is written to (`LIST`); a file that was edited since is the user's. Everything else needs
`replace`. Every write goes to a neighbour first (`.darknet-py.HOST.PID.TOKEN`) and is renamed; neighbours that killed
processes left are removed by the next write into the folder.

Invariant: nothing else in this package opens a file of the user's, to read or to write (tests/test_files.py).
"""

from .cache import cache_dir
from .listed import LIST, is_own
from .neighbours import FULL, scratch
from .opening import check_file, read_at_most, read_whole, reading
from .paths import Identity, identity, is_file, kind_of
from .run import one_run, will_read
from .writing import (
    check_output,
    check_outputs,
    check_room,
    continuing,
    permitting,
    put,
    replacing,
    write_cached,
    write_once,
    write_whole,
)

__all__ = [
    "FULL", "LIST", "Identity", "cache_dir", "check_file", "check_output", "check_outputs", "check_room",
    "continuing", "identity", "is_file", "is_own", "kind_of", "one_run", "permitting", "put", "read_at_most",
    "read_whole", "reading", "replacing", "scratch", "will_read", "write_cached", "write_once", "write_whole",
]  # fmt: skip
