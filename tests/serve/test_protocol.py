"""The protocol as bytes: what is written is read again, and what is not of the protocol is an error and no other."""

from __future__ import annotations

import doctest
import json
import random

import numpy as np
import pytest

from darknet_py.apps.serve import protocol, question
from darknet_py.apps.serve.protocol import (
    DATATYPES,
    HEAD_LENGTH,
    NamedTensor,
    parse_request,
    to_binary,
    write_response,
)
from darknet_py.errors import DataError

BEYOND, ENDLESS = 10**30, 10**4000  # elements that no machine has, and whose product Python does not write down


def request(*tensors: NamedTensor, **more: object) -> tuple[bytes, str]:
    """A request with binary tensors, and the length of its JSON."""
    parts = [to_binary(t) for t in tensors]
    inputs = [
        {
            "name": t.name,
            "datatype": t.datatype,
            "shape": list(t.array.shape),
            "parameters": {"binary_data_size": len(p)},
        }
        for t, p in zip(tensors, parts, strict=True)
    ]
    head = json.dumps({"inputs": inputs, **more}).encode()
    return b"".join([head, *parts]), str(len(head))


@pytest.mark.parametrize("datatype", DATATYPES)
def test_each_datatype_is_read_from_bytes_and_from_json(datatype: str) -> None:
    array = np.array([[0, 1, 1], [1, 0, 1]]).astype(DATATYPES[datatype])
    (found,) = parse_request(*request(NamedTensor("x", datatype, array))).inputs
    assert found.array.dtype == array.dtype
    np.testing.assert_array_equal(found.array, array)
    for data in (array.tolist(), array.ravel().tolist()):
        said = {"inputs": [{"name": "x", "datatype": datatype, "shape": [2, 3], "data": data}]}
        (found,) = parse_request(json.dumps(said).encode()).inputs
        assert found.array.dtype == array.dtype
        np.testing.assert_array_equal(found.array, array)


def test_several_tensors_follow_each_other_in_the_order_of_the_inputs() -> None:
    elements = np.empty(2, object)
    elements[:] = [b"a", b"\0" * 300]
    given = [
        NamedTensor("a", "UINT8", np.arange(3, dtype=np.uint8)),
        NamedTensor("b", "BYTES", elements),
        NamedTensor("c", "FP32", np.float32([[1.5]])),
    ]
    found = parse_request(*request(*given, id="7")).inputs
    assert [t.name for t in found] == ["a", "b", "c"]
    assert found[1].array.tolist() == [b"a", b"\0" * 300]
    assert found[2].array.tolist() == [[1.5]]


def test_bytes_are_base64_in_json() -> None:
    said = {"inputs": [{"name": "x", "datatype": "BYTES", "shape": [2], "data": ["YQ==", ""]}]}
    assert parse_request(json.dumps(said).encode()).inputs[0].array.tolist() == [b"a", b""]
    for wrong in (["a"], [1], [None], [["YQ=="], "YQ=="], [{}], ["YQ=="]):
        said["inputs"][0]["data"] = wrong
        with pytest.raises(DataError):
            parse_request(json.dumps(said).encode())


@pytest.mark.parametrize(
    ("data", "match"),
    [
        (b"", "no JSON"), (b"[]", "no JSON object"), (b"{}", "no inputs"), (b'{"inputs":[]}', "no inputs"),
        (b'{"inputs":[1]}', "an input is no JSON object"), (b'{"inputs":[{}]}', "has no name"),
        (b'{"inputs":[{"name":"x"}]}', "the shape of"), (b'{"inputs":[{"name":"x","shape":[1]}]}', "datatype None"),
        (b'{"inputs":[{"name":"x","shape":[true],"datatype":"FP32"}]}', "the shape of"),
        (b'{"inputs":[{"name":"x","shape":[1],"datatype":"FP32"}]}', "neither data nor binary_data_size"),
        (b'{"inputs":[{"name":"x","shape":[1],"datatype":"FP32","data":[1],"extra":1}]}', "'extra'"),
        (b'{"inputs":[{"name":"x","shape":[1],"datatype":"FP32","data":1}]}', "is no list"),
        (b'{"inputs":[{"name":"x","shape":[2],"datatype":"FP32","data":[1]}]}', r"not FP32 of \[2\]"),
        (b'{"inputs":[{"name":"x","shape":[1],"datatype":"FP32","data":["1"]}]}', "not FP32"),
        (b'{"inputs":[{"name":"x","shape":[1],"datatype":"FP32","data":[true]}]}', "not FP32"),
        (b'{"inputs":[{"name":"x","shape":[1],"datatype":"UINT8","data":[1.5]}]}', "not UINT8"),
        (b'{"inputs":[{"name":"x","shape":[1],"datatype":"UINT8","data":[256]}]}', "not UINT8"),
        (b'{"inputs":[{"name":"x","shape":[2],"datatype":"FP32","data":[[1],[1,2]]}]}', "ragged"),
        (b'{"inputs":[{"name":"x","shape":[1],"datatype":"FP32","data":[1]}],"outputs":{}}', "outputs is no list"),
        (b'{"inputs":[{"name":"x","shape":[1],"datatype":"FP32","data":[1]}],"id":1}', "no text"),
        (b'{"inputs":[{"name":"x","shape":[1],"datatype":"FP32","data":[1]}],"parameters":[]}', "no JSON object"),
        (b'{"inputs":[{"name":"x","shape":[1],"datatype":"FP32","data":[1]}],"outputs":[{"name":"a"},{"name":"a"}]}',
         "an output twice"),
        (b'{"inputs":[{"name":"x","shape":[0,%d],"datatype":"FP32","data":[]}]}' % BEYOND, "more than 2,147"),
        (b'{"inputs":[{"name":"x","shape":[0,%d],"datatype":"BYTES","data":[]}]}' % BEYOND, "more than 2,147"),
        (b'{"inputs":[{"name":"x","shape":[%d,9],"datatype":"FP32","parameters":{"binary_data_size":0}}]}' % ENDLESS,
         "more than 2,147"),
        (b"[" * 100_000, "nested too deep|no JSON"),
        (b'{"inputs":[' + b"[]," * 100_000 + b"1]}", "more than 100,000 lists"),
        (b'{"inputs":[' + b'"a",' * 200_000 + b"1]}", "more than 100,000 lists"),
    ],
)  # fmt: skip
def test_what_is_not_of_the_protocol_is_said(data: bytes, match: str) -> None:
    with pytest.raises(DataError, match=match):
        parse_request(data)


def test_a_long_text_among_numbers_takes_no_more_than_itself() -> None:
    """NumPy gives each text of an array the room of the longest: here 64 GB."""
    data = '"' + "a" * 4_000_000 + '",' + '"",' * 4_000 + '""'
    with pytest.raises(DataError, match="not FP32"):
        parse_request(b'{"inputs":[{"name":"x","shape":[4002],"datatype":"FP32","data":[%s]}]}' % data.encode())


def test_bytes_that_belong_to_no_tensor_are_an_error() -> None:
    body, length = request(NamedTensor("x", "UINT8", np.arange(3, dtype=np.uint8)))
    for wrong, said in ((body + b"!", length), (body[:-1], length), (body, None), (body, "99999"), (body, "-1")):
        with pytest.raises(DataError):
            parse_request(wrong, said)


def test_whatever_bytes_come_there_is_a_request_or_an_error_of_ours() -> None:
    """Ten thousand requests with bytes changed, cut and doubled: nothing but `DataError`, whatever comes."""
    r = random.Random(0)
    elements = np.empty(1, object)
    elements[:] = [b"abc"]
    whole, length = request(
        NamedTensor("pictures", "BYTES", elements), NamedTensor("x", "FP32", np.ones((1, 2), np.float32)), id="1",
        parameters={"conf": 0.5}, outputs=[{"name": "boxes", "parameters": {"binary_data": True}}],
    )  # fmt: skip
    read = 0
    for _ in range(10_000):
        body = bytearray(whole)
        for _ in range(r.randrange(1, 4)):
            place = r.randrange(len(body))
            body[place : place + r.choice([0, 1, 1, 5])] = r.choice([b"", b"0", b"-", b"[", b'"', b"9" * 30, b"\xff"])
        try:
            parse_request(bytes(body), r.choice([length, length, str(len(body)), None]))
            read += 1
        except DataError:
            continue
    assert read > 0


def test_an_answer_has_what_was_asked_for() -> None:
    outputs = [NamedTensor("a", "FP32", np.float32([[1, 2]])), NamedTensor("b", "INT32", np.int32([3]))]
    asked = parse_request(
        b'{"inputs":[{"name":"x","shape":[1],"datatype":"FP32","data":[1]}],"id":"me",'
        b'"outputs":[{"name":"b","parameters":{"binary_data":true}},{"name":"a"}]}'
    )
    body, length = write_response("net", "1", asked, outputs)
    head = json.loads(body[:length])
    assert (head["model_name"], head["model_version"], head["id"]) == ("net", "1", "me")
    assert head["outputs"] == [
        {"name": "b", "datatype": "INT32", "shape": [1], "parameters": {"binary_data_size": 4}},
        {"name": "a", "datatype": "FP32", "shape": [1, 2], "data": [1.0, 2.0]},
    ]
    assert body[length:] == np.int32([3]).tobytes()
    with pytest.raises(DataError, match="NaN or infinity, which JSON cannot say"):
        write_response("net", "1", asked, [NamedTensor("a", "FP32", np.float32([np.nan])), outputs[1]])
    with pytest.raises(DataError, match="no output b: with these inputs there are a"):
        write_response("net", "1", asked, outputs[:1])


def test_the_examples_hold() -> None:
    assert HEAD_LENGTH == "inference-header-content-length"
    for module in (protocol, question):
        result = doctest.testmod(module)
        assert result.attempted
        assert not result.failed
