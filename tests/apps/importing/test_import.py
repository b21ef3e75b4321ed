"""`darknet-py import`: what was exported comes back, other programs' files too, and what no cfg says is named."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from click.testing import CliRunner
from goldens import Golden, error, goldens
from networks import picture, write_classifier, write_detector, write_recurrent
from onnx import TensorProto, helper, numpy_helper

from darknet_py import export_onnx, load
from darknet_py.apps.importing.run import import_network
from darknet_py.backends.session import initial_states, open_session
from darknet_py.cli import main
from darknet_py.darknet.compile import compile_file
from darknet_py.darknet.network import open_network
from darknet_py.errors import DataError

CASES = [c for c in goldens().values() if c.ran]

# What an ONNX file no longer shows, by the beginning of the name of the case: the node that is named, or why there is
# none to name.
NOT_SAID = {"softmax_tree": r"node '4_softmax\.concat' \(Concat\) .* a class tree"}


def not_said(case: Golden) -> str | None:
    return next((told for name, told in NOT_SAID.items() if case.name.startswith(name)), None)


def exported(case: Golden, folder: Path) -> Path:
    network = open_network(case.folder / "net.cfg", case.folder / "net.weights", dialect="alexeyab", as_darknet=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        export_onnx(network, folder / "net.onnx")
    return folder / "net.onnx"


@pytest.mark.parametrize("case", [c for c in CASES if not not_said(c)], ids=lambda c: c.name)
def test_what_was_exported_computes_the_same_again(case: Golden, tmp_path: Path) -> None:
    done = import_network(exported(case, tmp_path), tmp_path / "net.cfg")
    assert done.worst < 1e-3
    assert done.layers >= 1


@pytest.mark.parametrize("case", [c for c in CASES if len(c.layer_files) > 1], ids=lambda c: c.name)
def test_what_remembers_computes_what_darknet_computed_step_by_step(case: Golden, tmp_path: Path) -> None:
    import_network(exported(case, tmp_path), tmp_path / "net.cfg")
    graph = open_network(tmp_path / "net.cfg").graph
    session, states = open_session(graph), initial_states(graph)
    for image, layers in zip(case.steps(), case.layers(), strict=True):
        output, *states = session.run([image, *states])
        assert error(output.ravel(), layers[max(layers)].ravel()) < 1e-4


@pytest.mark.parametrize("case", [c for c in CASES if not_said(c)], ids=lambda c: c.name)
def test_what_an_onnx_file_no_longer_shows_is_refused_by_node(case: Golden, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=not_said(case)):
        import_network(exported(case, tmp_path), tmp_path / "net.cfg")
    assert not (tmp_path / "net.cfg").exists()


def test_boxes_and_names_come_back(tmp_path: Path) -> None:
    cfg = write_detector(tmp_path)
    export_onnx(cfg, tmp_path / "net.onnx", letterbox=True)
    told = CliRunner().invoke(main, ["import", str(tmp_path / "net.onnx"), "-o", str(tmp_path / "again/my.cfg")])
    assert told.exit_code == 0, told.output
    assert "3 layers, 28 parameters" in told.output
    pixels = picture((1, 2, "red"), (3, 0, "blue"))
    again, own = load(tmp_path / "again/my.cfg"), load(tmp_path / "net.onnx")
    assert (again.names[1], again.contract.letterbox) == ("blue", True)
    np.testing.assert_allclose(again(pixels)[0].boxes.xyxy, own(pixels)[0].boxes.xyxy, atol=1e-3)


def test_layers_come_back_as_they_were_written(tmp_path: Path) -> None:
    cfg = tmp_path / "net.cfg"
    cfg.write_text(
        "[net]\nwidth=16\nheight=16\nchannels=3\n[convolutional]\nfilters=8\nsize=3\npad=1\nactivation=mish\n"
        "[route]\nlayers=-1\ngroups=2\ngroup_id=1\n[convolutional]\nfilters=4\nsize=3\npad=1\nactivation=leaky\n"
        "[shortcut]\nfrom=-2\nactivation=swish\n[route]\nlayers=-1,0\n[maxout]\ngroups=6\n[upsample]\nstride=2\n"
    )
    export_onnx(open_network(cfg, random=1), tmp_path / "net.onnx")
    import_network(tmp_path / "net.onnx", tmp_path / "again.cfg")
    before, after = (compile_file(p).graph.layers for p in (cfg, tmp_path / "again.cfg"))
    assert [i.inputs for i in after] == [i.inputs for i in before]
    sections = ["maxpool" if i.section == "maxout" else i.section for i in before]
    assert [i.section for i in after] == sections


def test_a_class_scores_network_comes_back(tmp_path: Path) -> None:
    cfg = write_classifier(tmp_path)
    export_onnx(cfg, tmp_path / "net.onnx")
    import_network(tmp_path / "net.onnx", tmp_path / "again.cfg")
    assert load(tmp_path / "again.cfg").names[0] == "red"
    assert not (tmp_path / "again.weights").exists()


@pytest.mark.parametrize("boxes", ["decoded", "nms"])
def test_a_file_that_ends_in_boxes_is_refused(tmp_path: Path, boxes: str) -> None:
    export_onnx(write_detector(tmp_path), tmp_path / "net.onnx", boxes=boxes)
    with pytest.raises(DataError, match="export it with --boxes raw"):
        import_network(tmp_path / "net.onnx", tmp_path / "again.cfg")


def test_half_precision_is_refused(tmp_path: Path) -> None:
    export_onnx(write_detector(tmp_path), tmp_path / "half.onnx", half=True)
    with pytest.raises(DataError, match="in 16 or 8 bits"):
        import_network(tmp_path / "half.onnx", tmp_path / "again.cfg")


def memory(folder: Path, sections: str, size: str = "width=8\nheight=6\nchannels=4") -> tuple[Path, Path]:
    """A network of these sections with random weights, and the file that it is exported to."""
    cfg = folder / "memory.cfg"
    cfg.write_text(f"[net]\n{size}\n{sections}")
    export_onnx(open_network(cfg, random=1), folder / "memory.onnx")
    return cfg, folder / "memory.onnx"


DENSE = [
    *(f"[rnn]\noutput=3\nhidden=5\nactivation={a}\nlogistic={n}\nshortcut={s}\nbatch_normalize={s}\n"
      for a, n, s in [("leaky", 0, 1), ("mish", 1, 0), ("tanh", 2, 1), ("linear", 0, 0), ("logistic", 0, 0)]),
    *(f"[{section}]\noutput=4\nbatch_normalize={n}\n" for section in ("gru", "lstm") for n in (0, 1)),
]  # fmt: skip
IMAGES = [
    *(f"[crnn]\noutput=6\nhidden=4\nsize={k}\npad=1\ngroups={g}\nactivation={a}\nshortcut={s}\nbatch_normalize={s}\n"
      for k, g, a, s in [(3, 2, "swish", 1), (1, 1, "linear", 0), (5, 1, "selu", 0)]),
    *(f"[conv_lstm]\noutput=4\nsize=3\npad=1\ngroups={g}\nactivation={a}\npeephole={p}\nstate_constrain={c}\n"
      for g, a, p, c in [(1, "linear", 0, 0), (2, "mish", 1, 16), (1, "hard_mish", 1, 32), (4, "relu6", 0, 3)]),
]  # fmt: skip


@pytest.mark.parametrize("section", [*DENSE, *IMAGES], ids=lambda text: ",".join(text.split()))
def test_layers_that_remember_come_back_as_they_were_written(section: str, tmp_path: Path) -> None:
    cfg, file = memory(tmp_path, section)
    assert import_network(file, tmp_path / "again.cfg").worst < 1e-5
    before, after = (compile_file(p).graph.layers[0].layer for p in (cfg, tmp_path / "again.cfg"))
    assert after == replace(before, batch_normalize=0)  # which is folded


def test_layers_that_remember_come_back_one_after_another(tmp_path: Path) -> None:
    texts = [IMAGES[0], IMAGES[4], "[route]\nlayers=0\n", IMAGES[3], "[shortcut]\nfrom=1\n", *DENSE]
    cfg, file = memory(tmp_path, "".join(texts))
    import_network(file, tmp_path / "again.cfg")
    before, after = (compile_file(p).graph for p in (cfg, tmp_path / "again.cfg"))
    assert [i.section for i in after.layers] == [i.section for i in before.layers]
    assert [s.input.shape for s in after.states] == [s.input.shape for s in before.states]


@pytest.mark.parametrize("batch", [1, 3])
@pytest.mark.parametrize("write", [write_detector, write_recurrent])
def test_a_file_of_a_fixed_number_of_samples_comes_back(
    write: Callable[[Path], Path], batch: int, tmp_path: Path
) -> None:
    export_onnx(write(tmp_path), tmp_path / "net.onnx", batch=batch)
    assert import_network(tmp_path / "net.onnx", tmp_path / "again.cfg").worst < 1e-5


def test_a_detector_that_remembers_comes_back(tmp_path: Path) -> None:
    head = "[convolutional]\nfilters=7\nactivation=linear\n[yolo]\nclasses=2\nnum=1\nmask=0\nanchors=4,6\n"
    cfg, file = memory(tmp_path, IMAGES[4] + head)
    import_network(file, tmp_path / "again.cfg")
    before, after = (compile_file(p).graph.layers for p in (cfg, tmp_path / "again.cfg"))
    assert [i.section for i in after] == [i.section for i in before]


def test_a_state_that_is_computed_otherwise_is_an_error_with_the_node(tmp_path: Path) -> None:
    _, file = memory(tmp_path, "[gru]\noutput=4\n")
    model = onnx.load(file)
    next(n for n in model.graph.node if n.name == "0_gru.add_4").op_type = "Sub"
    onnx.save(model, file)
    with pytest.raises(DataError, match=r"node '0_gru\.add_4' \(Sub\) .* no section computes this sub"):
        import_network(file, tmp_path / "again.cfg")


def test_a_memory_that_leads_to_no_output_is_an_error_with_the_node(tmp_path: Path) -> None:
    _, file = memory(tmp_path, "[maxpool]\nsize=2\n[gru]\noutput=4\n[route]\nlayers=0\n")
    with pytest.raises(DataError, match=r"node '1_gru\.add_4' \(Add\) .* it is remembered, and leads to no output"):
        import_network(file, tmp_path / "again.cfg")


def test_a_state_that_something_else_reads_is_an_error_with_the_node(tmp_path: Path) -> None:
    _, file = memory(tmp_path, "[gru]\noutput=4\n[softmax]\n")
    model = onnx.load(file)
    softmax = next(n for n in model.graph.node if n.op_type == "Softmax")
    reshaped = next((n for n in model.graph.node if n.output[0] == softmax.input[0]), softmax)
    reshaped.input[0] = model.graph.input[1].name
    onnx.save(model, file)
    with pytest.raises(DataError, match=r"it reads the state '0_gru\.state', and no layer of Darknet"):
        import_network(file, tmp_path / "again.cfg")


def test_a_file_whose_states_are_not_its_inputs_is_an_error(tmp_path: Path) -> None:
    _, file = memory(tmp_path, "[gru]\noutput=4\n")
    model = onnx.load(file)
    states = next(p for p in model.metadata_props if p.key == "darknet.states")
    states.value = states.value.replace("0_gru", "1_gru")
    onnx.save(model, file)
    with pytest.raises(DataError, match="does not go together with what it says about itself"):
        import_network(file, tmp_path / "again.cfg")


@pytest.mark.parametrize(
    "options",
    ["filters=3\nsize=3\npad=1\nactivation=leaky", "filters=2\nsize=1\nstride=3\nactivation=linear",
     "filters=2\nsize=4\nstride=2\nactivation=mish", "filters=1\nsize=3\nstride=2\npad=1\nactivation=logistic"],
    ids=lambda text: ",".join(text.split()),
)  # fmt: skip
def test_local_layers_come_back_as_they_were_written(options: str, tmp_path: Path) -> None:
    cfg, file = memory(tmp_path, f"[maxpool]\nsize=2\nstride=1\n[local]\n{options}\n")
    import_network(file, tmp_path / "again.cfg")
    before, after = (compile_file(p).graph.layers for p in (cfg, tmp_path / "again.cfg"))
    assert [i.layer for i in after][1:] == [i.layer for i in before][1:]


def test_binary_convolutions_come_back_with_what_is_left_of_their_weights(tmp_path: Path) -> None:
    text = "[convolutional]\nfilters=6\nsize=3\nstride={}\npad={}\nxnor=1\nbatch_normalize={}\nactivation={}\n"
    layers = [text.format(1, 1, 1, "relu6"), text.format(2, 0, 0, "linear"), text.format(1, 1, 0, "mish")]
    cfg, file = memory(tmp_path, "".join(layers), "width=16\nheight=12\nchannels=4")
    import_network(file, tmp_path / "again.cfg")
    assert (tmp_path / "again.cfg").read_text().count("xnor=1") == 3
    x = RNG.standard_normal((1, 4, 12, 16)).astype(np.float32)
    networks = (open_network(cfg, random=1), open_network(tmp_path / "again.cfg"))
    (own,), (theirs,) = (open_session(n.graph).run([x]) for n in networks)
    np.testing.assert_allclose(theirs, own, rtol=1e-5, atol=1e-5)
    export_onnx(tmp_path / "again.cfg", tmp_path / "again.onnx")
    import_network(tmp_path / "again.onnx", tmp_path / "third.cfg")
    again, third = (np.fromfile(tmp_path / f"{n}.weights", np.float32, offset=20) for n in ("again", "third"))
    np.testing.assert_allclose(third, again, rtol=1e-6)


TREE = "animal -1\nthing -1\ncat 0\ndog 0\nchair 1\n"
WITH_TREE = (
    "[convolutional]\nfilters=10\nactivation=linear\n"
    "[region]\nanchors=1,2\nnum=1\nclasses=5\ncoords=4\nsoftmax=1\ntree=own.tree\n"
)


def test_a_class_tree_comes_back_as_a_file_beside_the_cfg(tmp_path: Path) -> None:
    (tmp_path / "own.tree").write_text(TREE)
    _, file = memory(tmp_path, WITH_TREE)
    import_network(file, tmp_path / "out/a gain.cfg")
    assert (tmp_path / "out/a_gain.tree").read_text() == TREE
    decoders = [load(path).contract.decoders for path in (tmp_path / "memory.onnx", tmp_path / "out/a gain.cfg")]
    assert decoders[0][0].tree == decoders[1][0].tree


def test_a_tree_of_somebody_else_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "own.tree").write_text(TREE)
    _, file = memory(tmp_path, WITH_TREE)
    (tmp_path / "again.tree").write_text("mine")
    with pytest.raises(DataError, match=r"again\.tree"):
        import_network(file, tmp_path / "again.cfg")
    assert (tmp_path / "again.tree").read_text() == "mine"
    assert not (tmp_path / "again.cfg").exists()


def test_a_class_tree_whose_names_no_file_has_is_refused(tmp_path: Path) -> None:
    (tmp_path / "own.tree").write_text(TREE)
    _, file = memory(tmp_path, WITH_TREE)
    model = onnx.load(file)
    told = next(p for p in model.metadata_props if p.key == "darknet.decoders")
    told.value = told.value.replace('"cat"', '"big cat"')
    onnx.save(model, file)
    with pytest.raises(DataError, match="names in its class tree have spaces"):
        import_network(file, tmp_path / "again.cfg")


def test_a_tree_that_was_not_found_stays_the_name_of_a_file(tmp_path: Path) -> None:
    _, file = memory(tmp_path, WITH_TREE)
    import_network(file, tmp_path / "again.cfg")
    assert "tree=own.tree" in (tmp_path / "again.cfg").read_text()
    assert not (tmp_path / "again.tree").exists()


@pytest.mark.parametrize(("first", "second"), [(4, 8), (8, 4)])
def test_a_sum_keeps_the_channels_of_the_layer_before_it(first: int, second: int, tmp_path: Path) -> None:
    kernels = [f"[convolutional]\nfilters={n}\nsize=3\npad=1\nactivation=linear\n" for n in (5, first, second)]
    text = "".join(kernels[:2]) + f"[route]\nlayers=-2\n{kernels[2]}[route]\nlayers=-3\n[shortcut]\nfrom=-2\n"
    cfg, file = memory(tmp_path, text)
    import_network(file, tmp_path / "again.cfg")
    before, after = (compile_file(p).graph.layers for p in (cfg, tmp_path / "again.cfg"))
    assert [i.section for i in after] == [i.section for i in before]
    assert after[-1].output.shape[0] == first


def test_boxes_of_the_pytorch_code_come_back_as_new_coords(tmp_path: Path) -> None:
    cfg = tmp_path / "net.cfg"
    cfg.write_text(
        "[net]\nwidth=8\nheight=8\nchannels=3\n[convolutional]\nfilters=7\nactivation=linear\n[yolo]\nclasses=2\nnum=1\n"
        "mask=0\nanchors=4,6\n"
    )
    export_onnx(open_network(cfg, random=1, dialect="pytorch"), tmp_path / "net.onnx")
    import_network(tmp_path / "net.onnx", tmp_path / "again.cfg")
    text = (tmp_path / "again.cfg").read_text()
    assert "activation=logistic" in text
    assert "new_coords=1" in text


# -- files of other programs ---------------------------------------------------------------------------------------

RNG = np.random.default_rng(4)


def written(
    folder: Path,
    nodes: Sequence[onnx.NodeProto],
    shape: Sequence[int | str] = ("N", 3, 8, 8),
    output: str = "y",
    **arrays: object,
) -> Path:
    """A file with these nodes from `x` to `output`."""
    stored = [numpy_helper.from_array(np.asarray(a, getattr(a, "dtype", np.float32)), n) for n, a in arrays.items()]
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)
    y = helper.make_tensor_value_info(output, TensorProto.FLOAT, None)
    graph = helper.make_graph(nodes, "net", [x], [y], stored)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 15)], ir_version=8)
    onnx.save(model, folder / "other.onnx")
    return folder / "other.onnx"


def node(kind: str, inputs: str, output: str, **attrs: object) -> onnx.NodeProto:
    return helper.make_node(kind, inputs.split(), output.split(), name=f"the_{kind}_{output}", **attrs)


def weights(*shape: int) -> np.ndarray:
    return RNG.standard_normal(shape).astype(np.float32)


def test_batch_normalization_of_another_program_keeps_its_statistics(tmp_path: Path) -> None:
    file = written(
        tmp_path,
        [node("Conv", "x w", "a", auto_pad="SAME_UPPER", strides=[1, 1]),
         node("BatchNormalization", "a scale bias mean variance", "b", epsilon=1e-3),
         node("LeakyRelu", "b", "y", alpha=0.1)],
        w=weights(4, 3, 3, 3), scale=weights(4), bias=weights(4), mean=weights(4), variance=np.abs(weights(4)) + 0.1,
    )  # fmt: skip
    import_network(file, tmp_path / "net.cfg")
    (layer,) = compile_file(tmp_path / "net.cfg").graph.layers
    assert "batch_normalize=1" in (tmp_path / "net.cfg").read_text()
    assert layer.section == "convolutional"


def test_a_classifier_of_another_program(tmp_path: Path) -> None:
    file = written(
        tmp_path,
        [node("Conv", "x w b", "a", pads=[1, 1, 1, 1], strides=[2, 2]), node("Softplus", "a", "s"),
         node("Tanh", "s", "t"), node("Mul", "t a", "m"), node("Split", "m", "l r", axis=1),
         node("Concat", "r l", "c", axis=1), node("Add", "c m", "d"), node("Sigmoid", "d", "e"),
         node("Mul", "e d", "f"), node("MaxPool", "f", "g", kernel_shape=[2, 2], strides=[2, 2], ceil_mode=1),
         node("GlobalAveragePool", "g", "h"), node("Flatten", "h", "i"), node("Gemm", "i v", "j", transB=1),
         node("Softmax", "j", "y", axis=1)],
        w=weights(4, 3, 3, 3), b=weights(4), v=weights(5, 4),
    )  # fmt: skip
    done = import_network(file, tmp_path / "net.cfg")
    sections = [info.section for info in compile_file(done.cfg).graph.layers]
    assert sections == [
        "convolutional", "route", "route", "route", "shortcut", "maxpool", "avgpool", "connected", "softmax",
    ]  # fmt: skip


def test_the_image_may_be_read_twice(tmp_path: Path) -> None:
    file = written(tmp_path, [node("Conv", "x w", "a"), node("Add", "a x", "y")], w=weights(3, 3, 1, 1))
    import_network(file, tmp_path / "net.cfg")
    assert [i.section for i in compile_file(tmp_path / "net.cfg").graph.layers] == [
        "upsample",
        "convolutional",
        "shortcut",
    ]


@pytest.mark.parametrize(
    ("nodes", "told"),
    [
        ([node("HardSwish", "x", "y")], r"node 'the_HardSwish_y' \(HardSwish\) .*nothing that computes this"),
        ([node("LeakyRelu", "x", "y", alpha=0.2)], r"the_LeakyRelu_y.* a slope of 0.2, and Darknet has 0.1"),
        ([node("Conv", "x w", "y", pads=[0, 0, 1, 1])], r"the_Conv_y.* paddings of \(0, 0, 1, 1\)"),
        ([node("Resize", "x none scales", "y", mode="linear")], r"the_Resize_y.* repeats pixels"),
        ([node("Add", "x places", "y")], r"the_Add_y.* a constant for each place"),
        ([node("Transpose", "x", "y", perm=[0, 2, 3, 1])], r"the_Transpose_y"),
        ([node("AveragePool", "x", "y", kernel_shape=[3, 3], pads=[1, 1, 1, 1], count_include_pad=1)],
         "counts the padding"),
        ([node("MaxPool", "x", "y", kernel_shape=[2, 3])], r"the_MaxPool_y.*square"),
        ([node("Slice", "x one three axis", "y")], r"the_Slice_y.*channels 1 to 2 of 3"),
    ],
    ids=lambda v: v[0].op_type if isinstance(v, list) else "",
)  # fmt: skip
def test_what_a_cfg_has_no_words_for_is_an_error_with_the_node(
    nodes: list[onnx.NodeProto], told: str, tmp_path: Path
) -> None:
    file = written(
        tmp_path, nodes, w=weights(2, 3, 2, 2), places=weights(1, 3, 8, 8), none=np.zeros(0, np.float32),
        scales=np.array([1, 1, 2, 2], np.float32), one=np.array([1]), three=np.array([3]), axis=np.array([1]),
    )  # fmt: skip
    with pytest.raises(DataError, match=told):
        import_network(file, tmp_path / "net.cfg")


@pytest.mark.parametrize(
    "bad",
    [
        node("Conv", "x w", "y", strides=[0, 1]), node("Conv", "x", "y"), node("MaxPool", "x", "y"),
        node("SpaceToDepth", "x", "y", blocksize=0), node("Split", "x", "y", axis=9, split=[1]),
        node("Transpose", "x", "y", perm=[0, 1]), node("Slice", "x axis w", "y"), node("Clip", "x w", "y"),
        node("Conv", "x w", "y", dilations=[0, 0]), node("Cast", "x", "y", to=TensorProto.INT32),
        node("BatchNormalization", "x v v v v", "y m"), node("Add", "x missing", "y"),
        node("Concat", "x", "y", axis="no"), node("Reshape", "x w", "y"),
    ],
    ids=lambda n: "-".join((n.name, *(a.name for a in n.attribute))),
)  # fmt: skip
def test_a_node_that_is_not_sound_is_an_error_with_its_name(bad: onnx.NodeProto, tmp_path: Path) -> None:
    file = written(tmp_path, [bad], w=weights(2, 3, 2, 2), v=weights(3), axis=np.array([1]))
    with pytest.raises(DataError, match=f"node '{bad.name}'"):
        import_network(file, tmp_path / "net.cfg")


def changed(file: Path, change: Callable[[onnx.ModelProto], object]) -> Path:
    model = onnx.load(file)
    change(model)
    file.write_bytes(model.SerializeToString())
    return file


def not_there(model: onnx.ModelProto, *told: str) -> None:
    """The first array is in another file, of which this is told."""
    stored = model.graph.initializer[0]
    stored.ClearField("raw_data")
    stored.data_location = TensorProto.EXTERNAL
    for location in told:
        stored.external_data.add(key="location", value=location)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda m: not_there(m, "gone.data"), "its arrays cannot be read: .*gone.data.*\n  hint: .*beside the model"),
        (lambda m: not_there(m, "../../gone.data"), "its arrays cannot be read: .*outside the directory"),
        (lambda m: not_there(m, "/gone.data"), "its arrays cannot be read: .*absolute path"),
        (lambda m: not_there(m), "its arrays cannot be read: .*should not be empty"),
        (lambda m: setattr(m.graph.initializer[0], "data_type", 99), "the array 'w' cannot be read: .*no type of ONNX"),
        (lambda m: m.graph.ClearField("output"), "it has no output"),
        (lambda m: m.graph.node.add(op_type="Relu", input=["y"]), r"node '' \(Relu\) .*: it gives nothing"),
    ],
    ids=["gone", "outside", "absolute", "unnamed", "type", "outputs", "node"],
)  # fmt: skip
def test_a_broken_file_is_an_error_that_says_what_is_broken(
    change: Callable[[onnx.ModelProto], object], told: str, tmp_path: Path
) -> None:
    file = written(tmp_path, [node("Conv", "x w", "y")], w=weights(2, 3, 2, 2))
    with pytest.raises(DataError, match=told):
        import_network(changed(file, change), tmp_path / "net.cfg")


@pytest.mark.parametrize("opset", [9, 11, 13, 18, 21])
def test_the_shape_that_other_programs_compute_is_computed_as_in_the_version_of_their_file(
    opset: int, tmp_path: Path
) -> None:
    axes = dict(axes=[0]) if opset < 13 else {}
    file = written(
        tmp_path,
        [node("GlobalAveragePool", "x", "p"), node("Shape", "p", "s"), node("Gather", "s first", "n", axis=0),
         node("Unsqueeze", "n" if axes else "n axis", "m", **axes), node("Concat", "m rest", "t", axis=0),
         node("Reshape", "p t", "f"), node("Gemm", "f v b", "y", transB=1)],
        v=weights(5, 3), b=weights(5), first=np.array(0), axis=np.array([0]), rest=np.array([-1]),
    )  # fmt: skip
    changed(file, lambda model: setattr(model.opset_import[0], "version", opset))
    import_network(file, tmp_path / "net.cfg")
    assert [i.section for i in compile_file(tmp_path / "net.cfg").graph.layers] == ["avgpool", "connected"]


@pytest.mark.parametrize("after", [[], [node("Tanh", "s", "t"), node("Tanh", "t", "y")], [node("Add", "s w", "y")]])
def test_a_softplus_that_is_no_part_of_a_mish_is_an_error(after: list[onnx.NodeProto], tmp_path: Path) -> None:
    file = written(tmp_path, [node("Softplus", "x", "s"), *after], output="y" if after else "s", w=weights(1))
    with pytest.raises(DataError, match="it reads a softplus" if after else "does not depend on the input"):
        import_network(file, tmp_path / "net.cfg")


def test_a_constant_may_be_written_out_for_each_sample(tmp_path: Path) -> None:
    file = written(tmp_path, [node("Mul", "x c", "y")], (2, 3, 8, 8), c=np.repeat(weights(1, 3, 1, 1), 2, 0))
    import_network(file, tmp_path / "net.cfg")
    assert compile_file(tmp_path / "net.cfg").graph.layers[-1].section == "batchnorm"


@pytest.mark.parametrize(("constant", "batch"), [(weights(2, 3, 1, 1), 2), (np.ones((2, 3, 1, 1)), "N")])
def test_a_constant_that_differs_from_sample_to_sample_is_refused(
    constant: np.ndarray, batch: str | int, tmp_path: Path
) -> None:
    file = written(tmp_path, [node("Mul", "x c", "y")], (batch, 3, 8, 8), c=constant.astype(np.float32))
    with pytest.raises(DataError, match=r"the_Mul_y.* differs from sample to sample"):
        import_network(file, tmp_path / "net.cfg")


def test_an_open_size_is_asked_for(tmp_path: Path) -> None:
    file = written(tmp_path, [node("Conv", "x w", "y")], ("N", 3, "h", "w_"), w=weights(2, 3, 1, 1))
    with pytest.raises(DataError, match="no fixed shape\n  hint: --size"):
        import_network(file, tmp_path / "net.cfg")
    import_network(file, tmp_path / "net.cfg", size=(8, 16))
    assert compile_file(tmp_path / "net.cfg").net.shape == (3, 8, 16)


def test_what_is_no_onnx_file_is_an_error(tmp_path: Path) -> None:
    for data in (b"no", b""):
        (tmp_path / "net.onnx").write_bytes(data)
        with pytest.raises(DataError, match="no ONNX file"):
            import_network(tmp_path / "net.onnx", tmp_path / "net.cfg")
    with pytest.raises(DataError, match=r"nothing\.onnx"):
        import_network(tmp_path / "nothing.onnx", tmp_path / "net.cfg")


def test_where_it_cannot_be_written_nothing_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("darknet_py.apps.importing.run.read_network", lambda *_: pytest.fail("read"))
    (tmp_path / "mine.weights").write_text("mine")
    for name, told in (("mine.cfg", "mine.weights exists"), ("again.txt", "ends in .cfg")):
        with pytest.raises(DataError, match=told):
            import_network(tmp_path / "model.onnx", tmp_path / name)
