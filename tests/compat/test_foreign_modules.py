"""timm's and mmpretrain's own modules, seeded and saved by themselves, answer as what is imported here does.

These run where the programs are installed (the extra `foreign-test`); their answers are kept in `golden_foreign/` for
everybody else.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from foreign_truth import GOLDENS, MMPRETRAIN, NEEDED, NETWORKS, TIMM, pictures, softmax, their_answer, their_model

from darknet_py import inference_model, load
from darknet_py.zoo import checkpoints as zoo

TOLERANCE = 1e-4  # of scale


@pytest.fixture
def torch() -> Any:
    pytest.importorskip("timm", reason=NEEDED)
    pytest.importorskip("mmpretrain", reason=NEEDED)
    return pytest.importorskip("torch", reason=NEEDED)


@pytest.fixture(params=["three made up", "three photos"])
def three(request: pytest.FixtureRequest) -> list[np.ndarray]:
    if request.param == "three made up":
        return pictures()
    shared: Path = request.getfixturevalue("shared")
    return [cv2.imread(str(shared / "images" / f"{name}.jpg")) for name in ("dog", "eagle", "person")]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", NETWORKS)
def test_features_and_scores_are_those_of_their_modules(
    name: str, three: list[np.ndarray], torch: Any, tmp_path: Path
) -> None:
    with np.load(GOLDENS / f"{name}.npz") as kept:
        head = float(kept["head"])
    model = their_model(name, head)
    state = model.state_dict()
    torch.save(state if name in TIMM else {"meta": {"epoch": 1}, "state_dict": state}, tmp_path / "made.pth")
    ours = load(name, tmp_path / "made.pth", cache=False)
    assert ours.network is not None
    graph = ours.network.graph
    pool = [layer.index for layer in graph.layers if layer.section == "avgpool"][-1]
    from darknet_py.backends.session import open_session
    from darknet_py.vision.inference import prepare
    from darknet_py.vision.sources import loaders

    session = open_session(graph.with_outputs((graph.layer_output(pool),)), "onnxruntime")
    for picture in three:
        features, logits = their_answer(name, model, picture)
        scores = softmax(logits)
        (result,) = ours(picture)
        np.testing.assert_allclose(result.scores, scores, atol=TOLERANCE * scores.max())
        assert result.pred_label == scores.argmax()
        x = np.empty((1, *ours.contract.shape), np.float32)
        prepare(next(iter(loaders(picture, 3)))(), ours.contract, False, x[0])
        found = session.run([x])[0].ravel()
        np.testing.assert_allclose(found, features, atol=TOLERANCE * np.abs(features).max())


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("form", ["zip", "legacy"])
@pytest.mark.parametrize("name", MMPRETRAIN)
def test_the_answer_of_inference_model_is_mmpretrains(
    name: str, form: str, torch: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The page's call, with the checkpoint where it is to be placed by hand."""
    from mmpretrain import inference_model as theirs

    with np.load(GOLDENS / f"{name}.npz") as kept:
        head = float(kept["head"])
    model = their_model(name, head)
    import hashlib

    made = tmp_path / "made.pth"
    torch.save({"state_dict": model.state_dict()}, made, _use_new_zipfile_serialization=form == "zip")
    file = zoo.CheckpointFile(f"made-{hashlib.sha256(made.read_bytes()).hexdigest()[:8]}.pth", "http://127.0.0.1:9/x")
    network = zoo.TrainedNetwork(name, "", "", "", (file,))
    monkeypatch.setattr(zoo, "trained_networks", lambda: {name: network})
    network.folder.mkdir(parents=True)
    made.rename(network.folder / file.name)

    picture = pictures()[0]
    cv2.imwrite(str(tmp_path / "bird.png"), picture)
    predict, wanted = inference_model(name, str(tmp_path / "bird.png")), theirs(model, str(tmp_path / "bird.png"))
    assert predict.keys() == wanted.keys()
    np.testing.assert_allclose(predict["pred_scores"], wanted["pred_scores"], atol=TOLERANCE * wanted["pred_score"])
    assert predict["pred_label"] == wanted["pred_label"]
    assert predict["pred_class"] == wanted["pred_class"]
    assert predict["pred_score"] == pytest.approx(wanted["pred_score"], abs=TOLERANCE)


@pytest.mark.filterwarnings("ignore")
def test_the_class_names_are_mmpretrains(torch: Any) -> None:
    from mmpretrain.datasets.categories import IMAGENET_CATEGORIES

    from darknet_py.zoo.names import known_names

    assert known_names("imagenet-synsets") == tuple(IMAGENET_CATEGORIES)


@pytest.mark.parametrize("name", MMPRETRAIN[1:2])
def test_the_pages_snippet_runs_as_written(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Three lines, ours the import; the checkpoint is seeded, and lies where the error says to put it."""
    from checkpoints import write_zip
    from foreign_truth import seeded

    with np.load(GOLDENS / f"{name}.npz") as kept:
        shapes = [tuple(map(int, text.split(","))) if text else () for text in map(str, kept["shapes"])]
        state = {str(n): seeded(str(n), s, float(kept["head"])) for n, s in zip(kept["names"], shapes, strict=True)}
        label = int(kept["labels"][0])
    network = zoo.trained_networks()[name]
    network.folder.mkdir(parents=True)
    write_zip(network.folder / network.files[0].name, {"meta": {}, "state_dict": state})
    monkeypatch.setattr(zoo, "sha256_of", lambda path: network.files[0].digits + "0" * 56)
    (tmp_path / "demo").mkdir()
    cv2.imwrite(str(tmp_path / "demo" / "bird.JPEG"), pictures()[0], [cv2.IMWRITE_JPEG_QUALITY, 100])
    monkeypatch.chdir(tmp_path)
    said: dict[str, Any] = {}
    snippet = (
        "from darknet_py import inference_model\n"
        f"predict = inference_model('{name}', 'demo/bird.JPEG')\n"
        "print(predict['pred_class'])\nprint(predict['pred_score'])\n"
    )
    exec(snippet, said)
    assert said["predict"]["pred_label"] == label
    assert [*said["predict"]] == ["pred_scores", "pred_label", "pred_score", "pred_class"]
