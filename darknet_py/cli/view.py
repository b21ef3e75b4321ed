"""`darknet-py view`: a network in Netron."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from .options import echo, message, network_of, network_options, weights_option

PLACE = ("Look into a network", 4)


@click.command("view")
@click.argument("network")
@click.option("--onnx", is_flag=True, help="Show what the network is exported as, not the cfg.")
@click.option("--port", type=click.IntRange(1, 65535), help="The port to serve at (default: a free one).")
@click.option("--browser/--no-browser", default=True, help="Open a browser, or only serve.")
@weights_option
@network_options
def command(network: str, onnx: bool, port: int | None, browser: bool, **options: Any) -> None:
    """Open NETWORK, a cfg or an ONNX file, in Netron until Ctrl-C.

    Needs Netron, the extra [view]: pip install '.[view]' in a checkout, else 'darknet-compiler[view]'. With --onnx the
    cfg is exported to a temporary file first, which needs weights or --random-weights.

    \b
    darknet-py view yolov3-csppelee-efm
    darknet-py view yolov3-csppelee-efm --onnx --random-weights 0
    """
    if onnx and Path(network).suffix.lower() != ".onnx":
        from ..files import scratch

        with scratch() as folder:
            _show(_exported(network, folder, options), port, browser)
        return
    from ..zoo.find import find_cfg

    path = Path(network)
    _show(path if path.suffix.lower() == ".onnx" else find_cfg(network, message), port, browser)


def _exported(cfg: str, folder: Path, options: dict[str, Any]) -> Path:
    from ..model.export import export_onnx

    network = network_of(cfg, options.pop("weights"), **options)
    path = folder / f"{network.cfg.stem}.onnx"
    export_onnx(network, path)
    return path


def _show(path: Path, port: int | None, browser: bool) -> None:
    from ..analysis.view import view, wait

    echo(view(path, port=port, browse=browser))
    message("Ctrl-C ends it")
    wait()
