"""`darknet-py serve`: networks over HTTP, for programs, for curl and for people."""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..apps.serve.limits import MEBI, Limits
from ..backends.backend import AUTO, DEFAULT, backends
from .options import device_option, echo, message, network_options, opened_of, precision_of, precision_options

if TYPE_CHECKING:
    from ..apps.serve.run import ServerOptions
    from ..model.model import Model

PLACE = ("Run", 5)
EXTRA = "serve"
TOKEN = "DARKNET_PY_TOKEN"
OF_A_CFG = ("name", "names", "letterbox", "dialect", "size", "random", "allow_partial", "strict", "as_darknet")


@click.command("serve")
@click.argument("cfg", required=False)
@click.argument("weights", required=False, type=click.Path(path_type=Path))
@click.option("--models", type=click.Path(path_type=Path, file_okay=False),
              help="A folder of models, NAME/VERSION/model.onnx, as `export --format triton` writes it.")  # fmt: skip
@click.option("--name", help="What the model is called (default: CFG's name).")
@click.option("--allow-load", is_flag=True, help="Clients may load and unload models of --models.")
@click.option("--host", default="127.0.0.1", show_default=True, help="Where to listen; 0.0.0.0 is everywhere.")
@click.option("--port", type=click.IntRange(0, 65535), default=8000, show_default=True, help="0: a free one.")
@click.option("--token", help=f"What clients must show; also the variable {TOKEN}, which others cannot see.")
@click.option("--token-file", type=click.Path(path_type=Path, dir_okay=False), help="A file with the token.")
@click.option("--open", "is_open", is_flag=True, help="No token, though others can connect.")
@click.option("--allow-host", "hosts", multiple=True, metavar="NAME",
              help="A name under which the server may be addressed; may be repeated.")  # fmt: skip
@click.option("--tls-cert", "certificate", type=click.Path(path_type=Path, dir_okay=False), help="A certificate (PEM).")
@click.option("--tls-key", "key", type=click.Path(path_type=Path, dir_okay=False), help="Its key (PEM).")
@click.option("--batch", type=click.IntRange(1), default=8, show_default=True,
              help="Pictures that are computed at most at a time, and that a request may have.")  # fmt: skip
@click.option("--window", type=click.FloatRange(0, 1000), default=2, show_default=True, metavar="MS",
              help="Milliseconds that a batch waits for more.")  # fmt: skip
@click.option("--sessions", type=click.IntRange(1), default=1, show_default=True,
              help="Batches that are computed at a time; they share the cores.")  # fmt: skip
@click.option("--threads", "cores", type=click.IntRange(1), help="Cores to use (default: all).")
@click.option("--queue", type=click.IntRange(1), default=Limits.queue, show_default=True,
              help="Pictures of a model that may wait; more get 503.")  # fmt: skip
@click.option("--max-body", type=click.IntRange(1), default=Limits.body // MEBI, show_default=True, metavar="MB",
              help="The largest body of a request.")  # fmt: skip
@click.option("--max-pixels", type=click.IntRange(1), default=Limits.pixels, show_default=True,
              help="The most pixels of a picture.")  # fmt: skip
@click.option("--user", help="Whom the process becomes when the models are open, where root starts it.")
@click.option("--backend", type=click.Choice((AUTO.name, *backends())), default=DEFAULT, show_default=True,
              help="What computes; auto: the fastest here, measured the first time.")  # fmt: skip
@device_option
@precision_options
@click.option("-n", "--names", type=click.Path(path_type=Path), help="A .names or .data file (default: beside CFG).")
@click.option("--letterbox/--no-letterbox", default=None, help="How pictures are fitted (default: as the cfg says).")
@click.option("-q", "--quiet", is_flag=True, help="No line for each request.")
@network_options
def command(cfg: str | None, weights: Path | None, quiet: bool, **options: Any) -> None:
    """Serve the network CFG, or a folder of exported ones, until Ctrl-C.

    \b
    darknet-py serve yolov4-tiny
    curl --data-binary @dog.jpg http://127.0.0.1:8000/detect

    The Open Inference Protocol is at /v2, a page at /, what is measured at /metrics. Only this machine can connect,
    unless --host says otherwise, and then clients need a token. A line in JSON about each request goes to stderr.
    """
    if cfg is None and options["models"] is None:
        raise click.UsageError("name a CFG, or a folder with --models")
    if cfg is None and (idle := [name for name in OF_A_CFG if options[name] not in (None, False)]):
        told = ", ".join(f"--{name.replace('_', '-')}" for name in idle)
        raise click.UsageError(f"{told}: of a CFG, and the models of a folder are as they were exported")
    from ..apps.serve.run import run_server

    precision = precision_of(options)
    given = {**precision, **{key: options.pop(key) for key in ("backend", "device", *OF_A_CFG)}}
    name, given["random_weights"] = given.pop("name"), given.pop("random")
    own = [(name or Path(cfg).stem, partial(_load, cfg, weights, given))] if cfg is not None else []
    log = (lambda _: None) if quiet else message
    of_files = {"backend": given["backend"], "device": given["device"], **precision}
    run_server(own, partial(_load_file, of_files), _options(options), say=message, log=log, ready=echo)


def _load(cfg: str, weights: Path | None, given: dict[str, Any], threads: int) -> Model:
    from ..backends.backend import find_backend

    own = {key: value for key, value in given.items() if value is not None}
    if find_backend(given["backend"]).threads == "session":
        own["threads"] = threads
    return opened_of(cfg, weights, **own)


def _load_file(given: dict[str, Any], path: Path, threads: int) -> Model:
    return _load(str(path), None, given, threads)


def _options(given: dict[str, Any]) -> ServerOptions:
    from ..apps.serve.run import ServerOptions, read_token

    file, token = given.pop("token_file"), given.pop("token")
    if file is not None and token is not None:
        raise click.UsageError("--token and --token-file exclude each other")
    if token is None:  # one that was given and is empty is a variable that was forgotten, and no wish to be open
        token = read_token(file) if file is not None else os.environ.get(TOKEN) or None
    limits = Limits(
        body=given.pop("max_body") * MEBI, pixels=given.pop("max_pixels"), queue=given.pop("queue"),
    )  # fmt: skip
    cores = {"cores": n} if (n := given.pop("cores")) else {}
    window = given.pop("window") / 1000
    return ServerOptions(token=token, limits=limits, window=window, may_load=given.pop("allow_load"), **cores, **given)
