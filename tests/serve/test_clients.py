"""Real clients: `tritonclient[http]` calls everything of it that the server claims, with nothing changed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from networks import picture, write_classifier
from serving import Live, encoded, serving, triton_config

from darknet_py import load

http = pytest.importorskip("tritonclient.http", reason="needs tritonclient: pip install 'tritonclient[http]'")
utils = pytest.importorskip("tritonclient.utils")

RED = picture((1, 2, "red"), (3, 0, "blue"))


@pytest.fixture
def client(live: Live) -> Iterator[Any]:
    with http.InferenceServerClient(live.url.removeprefix("http://"), concurrency=4) as made:
        yield made


def images(count: int = 1) -> Any:
    rows = np.random.default_rng(0).random((count, 3, 32, 32), np.float32)
    tensor = http.InferInput("images", rows.shape, "FP32")
    return rows, tensor


def encoded_input(*pictures: np.ndarray) -> Any:
    tensor = http.InferInput("pictures", [len(pictures)], "BYTES")
    tensor.set_data_from_numpy(np.array([encoded(p) for p in pictures], object))
    return tensor


def test_it_is_live_and_ready(client: Any) -> None:
    assert client.is_server_live()
    assert client.is_server_ready()
    assert client.is_model_ready("net")
    assert client.is_model_ready("net", "1")
    assert not client.is_model_ready("net", "2")
    assert not client.is_model_ready("nothing")


def test_it_says_what_it_is_and_what_models_take(client: Any) -> None:
    assert "binary_tensor_data" in client.get_server_metadata()["extensions"]
    told = client.get_model_metadata("net", "1")
    assert told["name"] == "net"
    assert told["versions"] == ["1"]
    assert {i["name"]: (i["datatype"], i["shape"]) for i in told["inputs"]} == {
        "images": ("FP32", [-1, 3, 32, 32]), "pictures": ("BYTES", [-1]),
    }  # fmt: skip
    outputs = {o["name"]: (o["datatype"], o["shape"]) for o in told["outputs"]}
    assert outputs.pop("2_yolo") == ("FP32", [-1, 7, 4, 4])
    assert outputs == {
        "num_dets": ("INT32", [-1, 1]), "boxes": ("FP32", [-1, -1, 4]),
        "scores": ("FP32", [-1, -1]), "classes": ("INT32", [-1, -1]),
    }  # fmt: skip


def test_its_configuration_is_one_of_tritons(client: Any) -> None:
    made = triton_config()()
    from google.protobuf.json_format import ParseDict

    config = ParseDict(client.get_model_config("net"), made)
    assert config.max_batch_size == 8
    assert json.loads(config.parameters["names"].string_value) == ["red", "blue"]


@pytest.mark.parametrize("binary_in", [True, False])
@pytest.mark.parametrize("binary_out", [True, False])
@pytest.mark.parametrize("packed", [None, "gzip", "deflate"])
def test_raw_tensors_are_what_forward_gives(
    client: Any, detector_cfg: Path, binary_in: bool, binary_out: bool, packed: str | None
) -> None:
    rows, tensor = images(3)
    tensor.set_data_from_numpy(rows, binary_data=binary_in)
    answer = client.infer(
        "net", [tensor], outputs=[http.InferRequestedOutput("2_yolo", binary_data=binary_out)], request_id="mine",
        request_compression_algorithm=packed, response_compression_algorithm=packed,
    )  # fmt: skip
    (expected,) = load(detector_cfg).forward(rows)
    np.testing.assert_allclose(answer.as_numpy("2_yolo"), expected, atol=1e-5)
    assert answer.get_response()["id"] == "mine"
    assert answer.get_response()["model_version"] == "1"


def test_encoded_pictures_give_boxes_in_their_pixels(client: Any, detector_cfg: Path) -> None:
    large = picture((1, 2, "red")).repeat(3, 0).repeat(2, 1)  # 96x64 pixels
    answer = client.infer("net", [encoded_input(RED, large)])
    model = load(detector_cfg)
    expected = [model(p)[0].boxes for p in (RED, large)]
    assert answer.as_numpy("num_dets").tolist() == [[2], [1]]
    for i, boxes in enumerate(expected):
        np.testing.assert_array_equal(answer.as_numpy("boxes")[i, : len(boxes)], boxes.xyxy)
        np.testing.assert_array_equal(answer.as_numpy("scores")[i, : len(boxes)], boxes.conf)
        np.testing.assert_array_equal(answer.as_numpy("classes")[i, : len(boxes)], boxes.cls)
    assert not answer.as_numpy("boxes")[1, 1:].any()


def test_pixels_are_rgb(client: Any) -> None:
    pixels = np.ascontiguousarray(RED[None, :, :, ::-1])
    tensor = http.InferInput("pictures", pixels.shape, "UINT8")
    tensor.set_data_from_numpy(pixels)
    found, wanted = (client.infer("net", [t]) for t in (tensor, encoded_input(RED)))
    for name in ("num_dets", "boxes", "scores", "classes"):
        np.testing.assert_array_equal(found.as_numpy(name), wanted.as_numpy(name))


def test_what_is_wanted_of_pictures_is_a_parameter(client: Any) -> None:
    answer = client.infer("net", [encoded_input(RED)], parameters={"classes": "blue", "conf": 0.5, "max_det": 1})
    assert answer.as_numpy("classes").tolist() == [[1]]
    with pytest.raises(utils.InferenceServerException, match=r"no class 'green'.*red, blue"):
        client.infer("net", [encoded_input(RED)], parameters={"classes": "green"})
    with pytest.raises(utils.InferenceServerException, match="did you mean 'conf'"):
        client.infer("net", [encoded_input(RED)], parameters={"confi": 1})


def test_requests_in_parallel_get_their_own_answers(client: Any, detector_cfg: Path) -> None:
    rows = np.random.default_rng(1).random((12, 3, 32, 32), np.float32)
    calls = []
    for row in rows:
        tensor = http.InferInput("images", (1, 3, 32, 32), "FP32")
        tensor.set_data_from_numpy(row[None])
        calls.append(client.async_infer("net", [tensor]))
    found = np.concatenate([call.get_result().as_numpy("2_yolo") for call in calls])
    np.testing.assert_allclose(found, load(detector_cfg).forward(rows)[0], atol=1e-5)


def test_a_request_that_was_made_apart_is_read(client: Any, live: Live) -> None:
    rows, tensor = images()
    tensor.set_data_from_numpy(rows)
    body, length = http.InferenceServerClient.generate_request_body([tensor])
    status, headers, answer = live.ask(
        "POST", "/v2/models/net/infer", body, {"Inference-Header-Content-Length": str(length)}
    )
    assert status == 200
    made = http.InferenceServerClient.parse_response_body(
        answer, header_length=int(headers["inference-header-content-length"])
    )
    assert made.as_numpy("2_yolo").shape == (1, 7, 4, 4)


def test_statistics_count_what_was_computed(client: Any) -> None:
    def told() -> dict[str, Any]:
        (stats,) = client.get_inference_statistics("net")["model_stats"]
        return stats

    before = told()
    client.infer("net", [encoded_input(RED, RED)])
    after = told()
    assert after["inference_count"] - before["inference_count"] == 2
    assert after["execution_count"] - before["execution_count"] == 1
    assert after["inference_stats"]["success"]["count"] - before["inference_stats"]["success"]["count"] == 1
    assert after["inference_stats"]["compute_infer"]["ns"] > before["inference_stats"]["compute_infer"]["ns"]
    assert {b["batch_size"] for b in after["batch_stats"]} >= {2}
    assert client.get_inference_statistics()["model_stats"][0]["name"] == "net"


@pytest.mark.parametrize(
    ("change", "match"),
    [
        (dict(outputs=["nothing"]), "no output nothing.*2_yolo"),
        (dict(sequence_id=5), "there are no parameters: sequence_id"),
        (dict(timeout=5), "timeout"),
        (dict(priority=1), "priority"),
        (dict(parameters={"conf": 0.5}), "there are no parameters: conf"),
    ],
)
def test_what_is_not_done_is_refused_and_not_passed_over(client: Any, change: dict[str, Any], match: str) -> None:
    rows, tensor = images()
    tensor.set_data_from_numpy(rows)
    if "outputs" in change:
        change = {"outputs": [http.InferRequestedOutput(name) for name in change["outputs"]]}
    with pytest.raises(utils.InferenceServerException, match=match) as caught:
        client.infer("net", [tensor], **change)
    assert caught.value.status() == "400"


def test_what_is_not_claimed_is_an_error_that_the_client_can_read(client: Any) -> None:
    for call in (client.get_trace_settings, client.get_log_settings, client.get_system_shared_memory_status):
        with pytest.raises(utils.InferenceServerException, match="no such address") as caught:
            call()
        assert caught.value.status() == "404"
    with pytest.raises(utils.InferenceServerException, match="no model 'nit'; did you mean 'net'"):
        client.get_model_metadata("nit")


def test_models_are_not_loaded_or_unloaded_unless_that_is_permitted(client: Any) -> None:
    assert client.get_model_repository_index() == [{"name": "net", "version": "1", "state": "READY", "reason": ""}]
    for call in (client.load_model, client.unload_model):
        with pytest.raises(utils.InferenceServerException, match="--allow-load") as caught:
            call("net")
        assert caught.value.status() == "403"


def test_a_classifier_gives_its_best_classes(tmp_path: Path, live: Live) -> None:
    cfg = write_classifier(tmp_path)
    with serving(cfg) as server, http.InferenceServerClient(server.url.removeprefix("http://")) as own:
        answer = own.infer("colour", [encoded_input(picture((1, 2, "red")))])
        expected = load(cfg)(picture((1, 2, "red")))[0]
        assert answer.as_numpy("classes").shape == (1, 3)
        assert int(answer.as_numpy("classes")[0, 0]) == expected.pred_label
        assert float(answer.as_numpy("scores")[0, 0]) == expected.pred_score
        with pytest.raises(utils.InferenceServerException, match="is a classifier"):
            own.infer("colour", [encoded_input(RED)], parameters={"classes": "red"})
        assert {o["name"] for o in own.get_model_metadata("colour")["outputs"]} >= {"scores", "classes"}


def test_a_network_without_heads_takes_tensors_and_claims_no_more(tmp_path: Path, live: Live) -> None:
    cfg = tmp_path / "half.cfg"
    cfg.write_text("[net]\nwidth=8\nheight=8\nchannels=3\n[maxpool]\nsize=2\nstride=2\n")
    with serving(cfg) as server, http.InferenceServerClient(server.url.removeprefix("http://")) as own:
        told = own.get_model_metadata("half")
        assert [i["name"] for i in told["inputs"]] == ["images"]
        assert [o["shape"] for o in told["outputs"]] == [[-1, 3, 4, 4]]
        assert "names" not in own.get_model_config("half")["parameters"]
        tensor = http.InferInput("images", (1, 3, 8, 8), "FP32")
        tensor.set_data_from_numpy(np.ones((1, 3, 8, 8), np.float32))
        assert own.infer("half", [tensor]).as_numpy(told["outputs"][0]["name"]).min() == 1
        with pytest.raises(utils.InferenceServerException, match="neither boxes nor scores"):
            own.infer("half", [encoded_input(RED)])


def test_what_the_network_takes_is_said_where_it_is_not_that(client: Any) -> None:
    tensor = http.InferInput("images", (1, 3, 8, 8), "FP32")
    tensor.set_data_from_numpy(np.zeros((1, 3, 8, 8), np.float32))
    with pytest.raises(utils.InferenceServerException, match=r"images is \(n, 3x32x32\)"):
        client.infer("net", [tensor])
    tensor = http.InferInput("images", (9, 3, 32, 32), "FP32")
    tensor.set_data_from_numpy(np.zeros((9, 3, 32, 32), np.float32))
    with pytest.raises(utils.InferenceServerException, match="1 to 8 pictures"):
        client.infer("net", [tensor])
