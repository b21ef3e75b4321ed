"""`darknet-py models`: the networks that can be used by name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from .options import echo, message, write_json

if TYPE_CHECKING:
    from ..zoo.checkpoints import TrainedNetwork
    from ..zoo.installed import InstalledCfg
    from ..zoo.models import ZooModel

PLACE = ("Run", 2)


@click.command("models")
@click.argument("pattern", default="*")
@click.option("--json", "as_json", is_flag=True, help="As JSON, with addresses and checksums.")
def command(pattern: str, as_json: bool) -> None:
    """List the networks that can be used by name: a trained one that comes with darknet-py, trained models that are
    fetched, and the cfgs of the CSPNet family.

    Classifiers of mmpretrain and timm are fetched as the checkpoints that their authors publish, and converted once;
    their figures are the published ones, not measured here.

    PATTERN selects by name. A cfg is listed with its task, input size, millions of parameters and billions of
    floating-point operations; it has no weights until you train it. Where both lists have a name, the name means the
    trained model, and with `.cfg` after it the cfg.

    \b
    darknet-py models
    darknet-py models '*csppelee*'
    darknet-py run yolov4-tiny dog.jpg
    darknet-py summary yolov3-csppelee-efm.cfg
    darknet-py run yolov3-csppelee-efm-codes dog.jpg
    """
    from ..zoo import models as zoo
    from ..zoo.checkpoints import trained_networks
    from ..zoo.find import list_models, suggest
    from ..zoo.installed import list_installed
    from ..zoo.shipped import ready_networks

    names = set(list_models(pattern))
    trained = [zoo.get_model(name) for name in sorted(zoo.models()) if name in names]
    foreign = [network for name, network in sorted(trained_networks().items()) if name in names]
    installed = [cfg for cfg in list_installed() if cfg.name in names and cfg.name not in trained_networks()]
    ready = ready_networks()
    shipped = [cfg for cfg in installed if cfg.name in ready]
    cfgs = [cfg for cfg in installed if cfg not in shipped]
    if as_json:
        found = [*map(_shipped_json, shipped), *map(_trained_json, trained), *map(_foreign_json, foreign)]
        return write_json([*found, *map(_cfg_json, cfgs)])
    if not names:
        hint = suggest(pattern)
        return message(f"no network is called {pattern!r}" + (f"\n  hint: {hint}" if hint else ""))
    _print("trained here, and come with darknet-py", [_shipped_row(c) for c in shipped])
    _print("trained models, fetched when first used", [_trained_row(m) for m in trained])
    _print(
        "trained networks of other programs, fetched and converted when first used", [_foreign_row(n) for n in foreign]
    )
    _print("cfgs that come with darknet-py, to be trained", [_cfg_row(c) for c in cfgs])
    return None


def _shipped_json(cfg: InstalledCfg) -> dict[str, Any]:
    from ..zoo.shipped import LICENCE, shipped_networks

    network = shipped_networks()[cfg.name]
    weights = {"name": network.file, "path": str(network.weights), "size": network.size, "sha256": network.sha256}
    return {**_cfg_json(cfg), "licence": LICENCE, "weights": weights, "trained": True, "shipped": True, "cached": True}


def _shipped_row(cfg: InstalledCfg) -> tuple[str, ...]:
    from ..zoo.shipped import LICENCE, shipped_networks

    network = shipped_networks()[cfg.name]
    assert network.weights is not None, "it is ready"
    here = "damaged" if network.damage(network.weights) else "here"
    height, width = cfg.size
    megabytes = network.weights.stat().st_size / 1e6
    return cfg.name, f"{megabytes:.1f} MB", here, f"{cfg.title}, {width}x{height}; {LICENCE}"


def _trained_json(model: ZooModel) -> dict[str, Any]:
    from dataclasses import asdict

    from ..zoo import models as zoo

    return {**asdict(model), "trained": True, "cached": zoo.find_cached(model.name) is not None}


def _foreign_json(network: TrainedNetwork) -> dict[str, Any]:
    from dataclasses import asdict

    from ..zoo.checkpoints import find_checkpoint

    return {**asdict(network), "trained": True, "cached": find_checkpoint(network.name) is not None}


def _foreign_row(network: TrainedNetwork) -> tuple[str, ...]:
    from ..zoo.checkpoints import find_checkpoint

    here = "here" if find_checkpoint(network.name) else ""
    said = network.published
    figures = (
        f"published: {said.params:.2f} M params, {said.flops:.2f} GFLOPs, top-1 {said.top1:.2f} %, "
        f"top-5 {said.top5:.2f} %; "
        if said
        else ""
    )
    return network.name, here, f"{network.title}; {figures}{network.licence}"


def _cfg_json(cfg: InstalledCfg) -> dict[str, Any]:
    from dataclasses import asdict

    height, width = cfg.size
    return {**asdict(cfg), "cfg": str(cfg.cfg), "size": {"width": width, "height": height}, "trained": False}


def _trained_row(model: ZooModel) -> tuple[str, ...]:
    from ..zoo import models as zoo

    here = "here" if zoo.find_cached(model.name) else ""
    return model.name, f"{model.weights.size / 1e6:.1f} MB", here, f"{model.title}; {model.licence}"


def _cfg_row(cfg: InstalledCfg) -> tuple[str, ...]:
    height, width = cfg.size
    return f"{cfg.name}.cfg", cfg.task, f"{width}x{height}", f"{cfg.params:.2f} M", f"{cfg.bflops:.3f} BF", cfg.title


def _print(heading: str, rows: list[tuple[str, ...]]) -> None:
    if not rows:
        return
    message(f"{heading}:")
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for name, *cells in rows:
        aligned = (cell.rjust(width) for cell, width in zip(cells[:-1], widths[1:-1], strict=True))
        echo("  ".join([name.ljust(widths[0]), *aligned, cells[-1]]))
