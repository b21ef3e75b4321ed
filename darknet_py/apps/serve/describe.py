"""What a model takes and gives, in the words of the protocol and of Triton's model configuration."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from .protocol import BYTES
from .served import FOUND, PICTURES, SCORED, Port, Served


def metadata(served: Served, versions: Sequence[str]) -> dict[str, Any]:
    """The metadata of a model: a request has one of the inputs, and gets the outputs that belong to it."""
    return {
        "name": served.name,
        "versions": list(versions),
        "platform": "darknet_py",
        "inputs": [_port(p) for p in _inputs(served)],
        "outputs": [_port(p) for p in _outputs(served)],
    }


def model_config(served: Served) -> dict[str, Any]:
    """The same as Triton's ModelConfig in JSON, with the names of the classes."""
    config: dict[str, Any] = {
        "name": served.name,
        "platform": "darknet_py",
        "max_batch_size": served.batch,
        "input": [{**_dims(p), "optional": True} for p in _inputs(served)],
        "output": [_dims(p) for p in _outputs(served)],
        "dynamic_batching": {"max_queue_delay_microseconds": round(served.window * 1e6)},
    }
    told = {"names": json.dumps(served.contract.names)} if served.contract.names and served.takes_pictures else {}
    if served.contract.is_suppressed:  # by itself: what is below is not to be had
        told["least_conf"] = f"{served.contract.threshold:g}"
    config["parameters"] = {key: {"string_value": value} for key, value in told.items()}
    return config


def _inputs(served: Served) -> list[Port]:
    own: Port = (served.contract.input, "FP32", served.contract.shape)
    return [own, (PICTURES, BYTES, (1,))] if served.takes_pictures else [own]


def _outputs(served: Served) -> list[Port]:
    found = FOUND if served.contract.decoders else SCORED if served.takes_pictures else ()
    own = {name for name, _, _ in served.outputs}
    return [*served.outputs, *(p for p in found if p[0] not in own)]


def _port(port: Port) -> dict[str, Any]:
    name, datatype, shape = port
    return {"name": name, "datatype": datatype, "shape": [-1] if name == PICTURES else [-1, *shape]}


def _dims(port: Port) -> dict[str, Any]:
    name, datatype, shape = port
    return {"name": name, "data_type": f"TYPE_{'STRING' if datatype == BYTES else datatype}", "dims": list(shape)}
