"""`darknet-py download`: fetch models of the zoo before they are needed."""

from __future__ import annotations

import click

from .options import echo, message

PLACE = ("Run", 3)


@click.command("download")
@click.argument("names", nargs=-1, required=True)
def command(names: tuple[str, ...]) -> None:
    """Fetch the models NAMES and print where their files are.

    What comes with darknet-py is here already. DARKNET_PY_CACHE is the folder that others are kept in; files in the
    folder DARKNET_PY_MIRROR are taken before any other.

    \b
    darknet-py download yolov4-tiny
    """
    from ..zoo import models as zoo
    from ..zoo.checkpoints import fetch_checkpoint, trained_networks
    from ..zoo.find import find_cfg, find_weights
    from ..zoo.shipped import shipped_networks

    foreign, shipped = trained_networks(), shipped_networks()
    for name in names:
        if name not in foreign and name not in shipped:
            zoo.get_model(name)
    for name in names:
        if name in shipped:
            cfg = find_cfg(name)
            weights = find_weights(cfg)
            message(f"{name} comes with darknet-py: nothing is fetched")
            for path in (cfg, weights, cfg.with_suffix(".names")):
                echo(path)
            continue
        if name in foreign:
            echo(find_cfg(name))
            echo(fetch_checkpoint(name, message))
            continue
        fetched = zoo.fetch(name, message)
        for path in (fetched.cfg, fetched.weights, fetched.names):
            echo(path)
