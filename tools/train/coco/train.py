"""`python -m tools.train.coco.train COCO`: a detector of this family learns the 80 classes of COCO, from nothing.

Decision: the schedule is that of the YOLOv3 cfgs that the authors published, 500,500 iterations of 64 pictures, which
the cfgs here carry. Nobody has run it whole with this program, and what it would give is not known; each part of it is
tested on 64 pictures. No backbone that was trained on ImageNet begins it, as the paper's had: none was published.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from darknet_py import files
from darknet_py.apps.train.plan import Plan, Settings, read_plan
from darknet_py.apps.train.run import need_torch
from darknet_py.errors import DarknetError, DataError
from darknet_py.zoo.find import find_cfg

NETWORK = "yolov3-csppelee-efm"
BATCH, PARTS = 64, 16  # as the cfg's header has it
MAP_EPOCHS = 10  # times through the pictures between two measurements
SPLITS = ("train", "val")


def find_split(folder: Path, split: str) -> Path:
    """The annotations of a split in the folder of COCO's archives, of any year. Raises `DataError`."""
    found = sorted(folder.glob(f"annotations/instances_{split}*.json"))
    if not found:
        raise DataError(
            f"{folder} has no annotations/instances_{split}*.json\n  hint: unpack COCO's archives in one folder, so "
            f"that {split}2017/ lies beside annotations/; or give lists of your own with --train and --valid"
        )
    return found[-1]


def folder_of(network: str) -> Path:
    """Where the state of the training lies, outside the work tree."""
    return files.cache_dir() / "training" / f"coco-{network}"


def plan_of(given: argparse.Namespace) -> Plan:
    """The whole training. Raises `DarknetError`."""
    train, valid = given.train, given.valid
    if given.coco is not None:
        train, valid = (find_split(given.coco, split) for split in SPLITS)
    if train is None or valid is None:
        raise DataError("say where the pictures are: the folder of COCO, or --train and --valid")
    settings = Settings(
        seed=given.seed, device=given.device, precision=given.precision, workers=given.workers, batch=BATCH,
        subdivisions=given.subdivisions, max_batches=given.max_batches, iterations=given.iterations, map_=True,
        map_epochs=MAP_EPOCHS, fresh=given.fresh,
    )  # fmt: skip
    return read_plan(
        find_cfg(given.network), train, backup=given.backup or folder_of(given.network), valid=valid,
        settings=settings, say=print,
    )  # fmt: skip


def say_what_it_takes(plan: Plan) -> None:
    """Print how long it is, in iterations and pictures, and where it is kept."""
    total = plan.net.max_batches
    print(
        f"{total:,} iterations of {BATCH} pictures, {total * BATCH:,} in all; the published YOLOv3 cfgs have 500,500\n"
        f"it is kept in {plan.backup}, and the same command goes on where it was stopped"
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Train, or go on; the exit status, 130 where it was stopped."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("coco", type=Path, nargs="?", help="folder with annotations/, train2017/ and val2017/")
    parser.add_argument("--train", type=Path, help="other pictures to learn: a list, a folder, a .data or COCO file")
    parser.add_argument("--valid", type=Path, help="other pictures to measure on")
    parser.add_argument("--network", default=NETWORK, help="a cfg of 80 classes (default: %(default)s)")
    parser.add_argument("--subdivisions", type=int, default=PARTS, help="parts of a batch (default: %(default)s)")
    parser.add_argument("--device", default="cpu", help="cpu, cuda, mps (default: %(default)s)")
    parser.add_argument("--precision", choices=("float32", "bf16"), default="float32")
    parser.add_argument("--workers", type=int, default=4, help="threads that make pictures (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--max-batches", type=int, help="iterations in all (default: the cfg's 500,500)")
    parser.add_argument("--iterations", type=int, help="stop after this iteration; the same command goes on")
    parser.add_argument("--backup", type=Path, help="where it is kept (default: in the user's cache)")
    parser.add_argument("--fresh", action="store_true", help="begin anew")
    given = parser.parse_args(arguments)
    need_torch()
    from darknet_py.cli.train import follow

    plan = plan_of(given)
    if os.environ.get("RANK", "0") == "0":
        say_what_it_takes(plan)
    return follow(plan, "table", 100)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except DarknetError as e:
        sys.exit(f"error: {e}")
