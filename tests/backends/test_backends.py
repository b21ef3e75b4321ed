"""The table of back ends: read off the folder, nobody else names one, and nothing is imported to know them."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from importlib import import_module
from inspect import signature
from pathlib import Path

import numpy as np
import pytest
from agree import network, random_inputs

import darknet_py.backends
from darknet_py.analysis.verify import verify
from darknet_py.apps.bench.run import installed
from darknet_py.backends import auto
from darknet_py.backends.backend import (
    AUTO,
    DEFAULT,
    NOT_BACK_ENDS,
    Backend,
    available_backends,
    backends,
    find_backend,
)
from darknet_py.backends.session import initial_states, open_file, open_session
from darknet_py.errors import BackendError

CFG = "[net]\nwidth=8\nheight=8\nchannels=3\n[convolutional]\nfilters=4\nsize=3\npad=1\nactivation=leaky\n"
ONE_FILE = '''
"""A back end in one file."""

from darknet_py.backends.backend import Backend

BACKEND = Backend("slide.rule", "Slide rule", __name__, package="numpy", distributions=("numpy",), threads="none")


class SlideRule:
    def __init__(self, session):
        self.run = session.run


def open_session(graph):
    from darknet_py.backends.session import open_session

    return SlideRule(open_session(graph, "numpy"))
'''


@pytest.fixture
def slide_rule(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A further back end: a file in the folder, and nothing else."""
    (tmp_path / "slide_rule.py").write_text(ONE_FILE)
    monkeypatch.setattr(darknet_py.backends, "__path__", [*darknet_py.backends.__path__, str(tmp_path)])
    backends.cache_clear()
    yield "slide.rule"
    backends.cache_clear()
    sys.modules.pop("darknet_py.backends.slide_rule", None)


def test_a_new_back_end_is_one_new_file(slide_rule: str) -> None:
    graph = network(CFG)
    assert slide_rule in backends()
    assert slide_rule in available_backends()
    assert slide_rule in installed()
    assert slide_rule in [b.name for b in auto.contenders(threads=None)]
    assert slide_rule in verify(graph, random_inputs(graph, 1)).backends
    assert type(open_session(graph, slide_rule)).__name__ == "SlideRule"
    with pytest.raises(BackendError, match=r"'slide\.rule' does not run ONNX files"):
        open_file("net.onnx", slide_rule)


@pytest.mark.parametrize("command", ["run", "verify", "dump"])
def test_commands_offer_a_new_back_end(command: str, slide_rule: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, f"darknet_py.cli.{command}", raising=False)
    made = import_module(f"darknet_py.cli.{command}").command
    (option,) = (p for p in made.params if "--backend" in p.opts)
    assert slide_rule in option.type.choices


def test_no_runtime_is_imported_to_know_all_back_ends() -> None:
    script = """
import sys
from darknet_py.backends.backend import available_backends, backends
backends(), available_backends()
heavy = ("numpy", "cv2", "onnx", "onnxruntime", "openvino", "ncnn", "torch", "ai_edge_litert")
print([m for m in heavy if m in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_default_comes_first_and_who_is_not_raced_last() -> None:
    assert next(iter(backends())) == DEFAULT
    assert [b.name for b in backends().values()][-4:] == ["numpy", "onnx.reference", "litert", "torch"]
    assert AUTO.name not in backends()


def test_all_other_modules_of_the_folder_are_named() -> None:
    folder = Path(darknet_py.backends.__file__).parent
    found = {p.stem for p in folder.glob("*.py")} - {"__init__"} | {p.parent.name for p in folder.glob("*/__init__.py")}
    assert found >= NOT_BACK_ENDS
    assert len(found - NOT_BACK_ENDS) == len(backends()) >= 6


@pytest.mark.parametrize("backend", [AUTO, *backends().values()], ids=lambda b: b.name)
def test_a_back_end_has_the_functions_that_it_states(backend: Backend) -> None:
    if not backend.installed:
        pytest.skip(f"{backend.title} is not installed: pip install {backend.install}")
    module = import_module(backend.module)
    assert callable(module.open_session)
    assert hasattr(module, "open_file") == bool(backend.reads)
    functions = [getattr(module, f) for f in ("open_session", "open_file") if hasattr(module, f)]
    settings = getattr(module, "OpenVINOSettings", None)  # what `**options` of the functions are the fields of
    for function in functions:
        names = signature(settings if "options" in signature(function).parameters else function).parameters
        assert ("threads" in names) == (backend.threads != "none")


def test_an_unknown_name_is_an_error_with_the_closest_one() -> None:
    with pytest.raises(BackendError, match=r"no back end 'opencw'.*opencv"):
        find_backend("opencw")
    with pytest.raises(BackendError, match="one of auto, onnxruntime"):
        find_backend("?")


def test_who_sets_threads_for_the_whole_process_is_not_timed_with_a_number_of_them() -> None:
    assert "opencv" in [b.name for b in auto.contenders(threads=None)]
    assert {b.threads for b in auto.contenders(threads=2)} == {"session"}


def test_the_first_states_are_zeros_of_a_batch() -> None:
    graph = network("[net]\ninputs=6\n[rnn]\noutput=3\nhidden=4\n")
    states = initial_states(graph, 5)
    assert [s.shape for s in states] == [(5, *v.shape) for v in graph.inputs[1:]]
    assert states
    assert not np.any(states)
