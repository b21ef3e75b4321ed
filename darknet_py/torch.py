"""A Darknet network as a `torch.nn.Module`, and back to `.weights`; needs the extra `[torch]`.

Decision: parameters keep Darknet's names and layout, so a file that was read and not trained is written back byte for
byte, and what was trained by any optimizer of PyTorch is a file for Darknet and for every back end here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace as changed
from pathlib import Path
from typing import Any

from .version import requirement

try:
    from torch import Tensor
except ModuleNotFoundError:
    message = f"darknet_py.torch needs PyTorch: pip install {requirement('torch')}"
    raise ModuleNotFoundError(message, name="torch") from None

from .backends.torch.module import GraphModule, as_array
from .darknet.compile import Compilation, compile_file
from .darknet.initial import completed, initial_weights
from .darknet.network import open_network
from .darknet.reading import Reading
from .darknet.training import training_of
from .darknet.weights import Header, Weights
from .darknet.weights import write_weights as write_file
from .errors import Say, WeightsError
from .zoo.find import find_network


class DarknetModule(GraphModule):
    """A `GraphModule` that was made of a cfg, and can be written to a `.weights` file.

    `compilation` is the compiled cfg; `header` is that of the weights file, or a new one. Copies share the former.
    """

    def __init__(self, compilation: Compilation, weights: Weights, *, quirks: bool = True, freeze: int = 0) -> None:
        """The module of a compiled cfg with all of its parameters; `quirks` is that of `training_of`.

        Layers before `freeze` normalize with their stored statistics in training too.
        """
        training = training_of(compilation, quirks=quirks)
        training = changed(training, frozen=max(training.frozen, freeze))
        super().__init__(compilation.graph.with_data(weights.arrays), training)
        self.compilation, self.header = compilation, weights.header

    def _shared(self) -> tuple[object, ...]:
        return (*super()._shared(), self.compilation)


def module(
    cfg: str | Path,
    weights: str | Path | None = None,
    *,
    seed: int = 0,
    allow_partial: bool = False,
    quirks: bool = True,
    dialect: str | None = None,
    size: tuple[int, int] | None = None,
    strict: bool = False,
    as_darknet: bool = False,
    say: Say | None = None,
) -> DarknetModule:
    r"""A network to train or to use in PyTorch, in training mode as PyTorch's modules are when they are made.

    `cfg` and `weights` are found as `load` finds them. Without weights its parameters are those that Darknet begins
    with, by `seed`; with `allow_partial` a file may hold the first layers only (`yolov4.conv.137`), and the others
    begin so. `dialect`, `size`, `strict` and `as_darknet` say how the cfg is read, as in `load`. Without `quirks`,
    gradients are true derivatives where CUDA's are not (`darknet.training`). Raises what `load` does.

    Pictures go in as (N, C, H, W), 0 to 1; a list of the outputs comes out, raw as Darknet's heads give them, then
    the new states of a recurrent network, whose old ones are given after the pictures.

    >>> import tempfile
    >>> import torch
    >>> path = Path(tempfile.mkdtemp(), "tiny.cfg")
    >>> _ = path.write_text("[net]\nwidth=8\nheight=8\nchannels=3\n[convolutional]\nfilters=2\nsize=3\n")
    >>> net = module(path)
    >>> [y.shape for y in net(torch.zeros(4, 3, 8, 8))], [name for name, _ in net.named_parameters()]
    ([torch.Size([4, 2, 6, 6])], ['0_convolutional.biases', '0_convolutional.weights'])
    """
    options: dict[str, Any] = dict(dialect=dialect, size=size, strict=strict, as_darknet=as_darknet)
    if weights is None:
        compilation = compile_file(find_network(cfg, say, trained=False).cfg, Reading(**options)).check()
        return DarknetModule(compilation, initial_weights(compilation.graph, seed), quirks=quirks)
    network = open_network(cfg, weights, allow_partial=allow_partial, say=say, **options)
    held = network.loaded or Weights(Header(), {})
    return DarknetModule(network.compilation, completed(network.compilation.graph, held, seed), quirks=quirks)


def write_weights(
    module: DarknetModule,
    path: str | Path,
    *,
    seen: int | None = None,
    instead: Mapping[str, Tensor] | None = None,
    replace: bool = False,
) -> None:
    """Write the parameters of a module as they are now to a weights file, which appears whole or not at all.

    The header is that of the file that was read, `seen` (images) that of the header unless given. `instead` are tensors
    for some parameters, by name, such as running means. Raises `WeightsError` if it cannot, or for tensors that the
    network has no place for, and `DataError` if there is a file that this package did not write, unless `replace` says
    that it may go.
    """
    header: Header = module.header if seen is None else changed(module.header, seen=seen)
    given = instead or {}
    shapes = {p.value.name: p.value.shape for p in module.graph.params}
    for name, tensor in given.items():
        if shapes.get(name) != tuple(tensor.shape):
            has = f"{name} of {shapes[name]}" if name in shapes else f"no parameter {name}"
            raise WeightsError(f"the network has {has}, and is given one of {tuple(tensor.shape)}")
    arrays = {
        p.value: as_array(given[p.value.name]) if p.value.name in given else module.array_of(p)
        for p in module.graph.params
    }
    write_file(path, module.graph, Weights(header, arrays), replace=replace)
