"""The threat model, line by line: what `tools/docs/serve.md` promises of each danger is seen to hold.

Each test has the number of its line there.
"""

from __future__ import annotations

import base64
import contextlib
import gzip
import json
import re
import shutil
import signal
import socket
import ssl
import struct
import subprocess
import sys
import time
import urllib.request
import zlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from networks import picture, write_detector
from serving import ROOT, Live, encoded, limited, refused, serving, threat

from tools.serve.started import Started

RED = picture((1, 2, "red"))
PNG = encoded(RED)
TOKEN = "correct-horse-battery-staple"
POST = f"POST /detect HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {TOKEN}\r\n"
PAGE = ROOT / "tools/docs/serve.md"


@pytest.fixture(scope="module")
def guarded(detector_cfg: Path, tmp_path_factory: pytest.TempPathFactory, live: Live) -> Iterator[Live]:
    """A server with a token from a file, small limits, and no memory to speak of."""
    token = tmp_path_factory.mktemp("token") / "token"
    token.write_text(f"{TOKEN}\n")
    small = ["--max-body", "1", "--max-pixels", "100000", "--queue", "2", "--batch", "2"]
    with serving(detector_cfg, "--token-file", token, *small) as server:
        yield server


def showing(token: str = TOKEN) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


# -- 1: strangers on the network -----------------------------------------------------------------------------------


@threat(1)
def test_only_this_machine_can_connect(live: Live) -> None:
    assert live.address[0] == "127.0.0.1"
    own = {info[4][0] for info in socket.getaddrinfo(socket.gethostname(), None, socket.AF_INET)} - {"127.0.0.1"}
    for address in own:
        if address.startswith("127."):
            continue
        with pytest.raises(OSError, match="refused"):
            socket.create_connection((address, live.address[1]), timeout=5)


@threat(1)
def test_to_be_reached_from_elsewhere_takes_a_token_or_a_word(detector_cfg: Path) -> None:
    assert "--token-file" in refused(detector_cfg, "--host", "0.0.0.0")
    with serving(detector_cfg, "--host", "0.0.0.0", "--open") as server:
        port = server.url.rpartition(":")[2]
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/v2/health/ready", timeout=60) as answer:
            assert answer.status == 200


@threat(1)
@pytest.mark.parametrize(
    "shown", [{}, showing("x"), showing(f"{TOKEN}x"), {"Authorization": TOKEN}, {"Authorization": f"Basic {TOKEN}"}]
)
@pytest.mark.parametrize(
    ("method", "path"),
    [("POST", "/detect"), ("GET", "/metrics"), ("GET", "/v2"), ("GET", "/v2/models/net"), ("GET", "/nothing"),
     ("POST", "/v2/models/net/infer"), ("POST", "/v2/repository/index"), ("POST", "/v2/repository/models/net/unload")],
)  # fmt: skip
def test_without_the_token_nothing_is_done_or_told(
    guarded: Live, method: str, path: str, shown: dict[str, str]
) -> None:
    status, headers, answer = guarded.ask(method, path, PNG if method == "POST" else None, shown)
    assert status == 401
    assert headers["www-authenticate"] == "Bearer"
    assert b"token" in answer


@threat(1)
def test_with_the_token_it_is(guarded: Live) -> None:
    assert guarded.ask("POST", "/detect", PNG, showing())[0] == 200
    for public in ("/", "/page.js", "/look.js", "/look.css", "/v2/health/live", "/v2/health/ready", "/openapi.json"):
        assert guarded.ask("GET", public)[0] == 200


@threat(1)
def test_a_token_that_is_easily_guessed_is_refused(detector_cfg: Path) -> None:
    assert "at least 16" in refused(detector_cfg, "--token", "secret")
    assert "at least 16" in refused(detector_cfg, environment={"DARKNET_PY_TOKEN": "secret"})
    assert "at least 16" in refused(detector_cfg, "--token", ""), "a variable that was forgotten"
    assert "exclude" in refused(detector_cfg, "--token", TOKEN, "--token-file", detector_cfg)


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A certificate of this machine, and its key."""
    if shutil.which("openssl") is None:
        pytest.skip("needs openssl: apt install openssl")
    folder = tmp_path_factory.mktemp("tls")
    key, certificate = folder / "key.pem", folder / "cert.pem"
    made = "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost -addext subjectAltName=DNS:localhost"
    subprocess.run([*made.split(), "-keyout", key, "-out", certificate], check=True, capture_output=True)
    return certificate, key


@threat(7)
def test_who_begins_tls_and_does_not_go_on_is_counted_and_does_not_stay(
    detector_cfg: Path, pair: tuple[Path, Path]
) -> None:
    options = dict(zip(("certificate", "key"), map(str, pair), strict=True))
    context = ssl.create_default_context(cafile=str(pair[0]))
    with limited(detector_cfg, options=options, connections=3, head_seconds=1.0) as server:
        with contextlib.ExitStack() as stack:
            many = [stack.enter_context(socket.create_connection(server.address, timeout=60)) for _ in range(80)]
            for silent in reversed(many):  # the last ones at once, the first ones after a second
                with contextlib.suppress(ConnectionError):
                    assert silent.recv(1) == b""
        with urllib.request.urlopen(
            f"https://localhost:{server.address[1]}/detect", PNG, 60, context=context
        ) as answer:
            assert answer.status == 200
        with (
            socket.create_connection(server.address, timeout=60) as plain,
            context.wrap_socket(plain, server_hostname="localhost") as kept,
        ):
            server.process.send_signal(signal.SIGTERM)
            time.sleep(0.2)
            kept.sendall(b"GET /v2 HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert b"connection: close" in kept.recv(65536), "who has agreed is answered to the end"
            assert server.process.wait(60) == 0, "without waiting for who does not close"


@threat(2)
def test_tls_keeps_what_is_sent_to_those_who_talk(detector_cfg: Path, tmp_path: Path, pair: tuple[Path, Path]) -> None:
    certificate, key = pair
    with serving(detector_cfg, "--tls-cert", certificate, "--tls-key", key) as server:
        assert server.url.startswith("https://")
        context = ssl.create_default_context(cafile=str(certificate))
        address = f"https://localhost:{server.address[1]}/detect"
        with urllib.request.urlopen(address, PNG, timeout=60, context=context) as answer:
            assert json.load(answer)["objects"]
        old = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        old.check_hostname, old.verify_mode = False, ssl.CERT_NONE
        with pytest.warns(DeprecationWarning, match="TLS"):
            old.maximum_version = ssl.TLSVersion.TLSv1_1
        with socket.create_connection(server.address, timeout=60) as plain, pytest.raises((ssl.SSLError, OSError)):
            old.wrap_socket(plain)
    assert "--tls-key" in refused(detector_cfg, "--tls-cert", certificate)
    assert "cannot use the certificate" in refused(detector_cfg, "--tls-cert", key, "--tls-key", certificate)
    locked = tmp_path / "locked.pem"
    with_password = ["openssl", "rsa", "-in", key, "-aes128", "-passout", "pass:secret", "-out", locked]
    subprocess.run(with_password, check=True, capture_output=True)
    assert "the key has no password" in refused(detector_cfg, "--tls-cert", certificate, "--tls-key", locked)


# -- 3: pages of others in the browser of somebody who may use the server -------------------------------------------


@threat(3)
@pytest.mark.parametrize(
    "origin", ["https://evil.example", "null", "http://127.0.0.1:1", "http://localhost.evil.example", "http://["]
)
def test_pages_of_others_may_not_ask(live: Live, origin: str) -> None:
    status, headers, _ = live.ask("POST", "/detect", PNG, {"Origin": origin})
    assert status == 403
    assert not [name for name in headers if name.startswith("access-control")]
    assert live.ask("POST", "/detect", PNG, {"Sec-Fetch-Site": "cross-site"})[0] == 403
    status, headers, _ = live.ask(
        "OPTIONS", "/detect", None, {"Origin": origin, "Access-Control-Request-Method": "POST"}
    )
    assert status == 403
    assert live.ask("POST", "/detect", PNG, {"Origin": live.url})[0] == 200


@threat(3)
@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example:80", "", "[", "169.254.169.254"])
def test_a_name_that_was_turned_to_this_machine_is_not_answered(live: Live, host: str) -> None:
    assert live.ask("POST", "/detect", PNG, {"Host": host})[0] in (400, 421)
    assert live.ask("POST", "/detect", PNG, {"Host": "localhost:1"})[0] == 200


@threat(3)
def test_other_names_are_allowed_one_by_one(detector_cfg: Path) -> None:
    with serving(detector_cfg, "--allow-host", "models.lan") as server:
        assert server.ask("GET", "/v2", None, {"Host": "models.lan:8000"})[0] == 200
        assert server.ask("GET", "/v2", None, {"Host": "other.lan"})[0] == 421


@threat(3)
def test_the_page_runs_nothing_but_its_own_script_and_lies_in_no_frame(live: Live) -> None:
    status, headers, page = live.ask("GET", "/")
    assert status == 200
    policy = headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert "http" not in policy
    assert headers["x-content-type-options"] == "nosniff"
    assert not re.search(rb"(src|href)=.?https?:", page)
    assert not re.search(rb"\son\w+=|<script>|style=", page), "what the policy would not run"


# -- 4: paths and addresses in requests -----------------------------------------------------------------------------


@threat(4)
@pytest.mark.parametrize(
    "name", ["../net", "..%2Fnet", "%2Fetc%2Fpasswd", "net%00", "net/../net", "..", ".", "net%2F1", "%2e%2e", "~", "C:"]
)
def test_no_path_comes_from_a_request(tmp_path: Path, name: str, live: Live) -> None:
    for address in (
        f"/v2/models/{name}",
        f"/v2/models/net/versions/{name}",
        f"/v2/repository/models/{name}/load",
        f"/{name}",
    ):
        for method in ("GET", "POST"):
            assert live.ask(method, address, b"" if method == "POST" else None)[0] in (400, 403, 404, 405)


@threat(4)
def test_what_a_link_leads_out_of_the_folder_to_is_no_model(tmp_path: Path) -> None:
    from darknet_py import export_onnx
    from darknet_py.apps.serve.repository import models_in

    (tmp_path / "models/net/1").mkdir(parents=True)
    export_onnx(write_detector(tmp_path), tmp_path / "models/net/1/model.onnx")
    for name, version in (("out", "1"), ("net", "x"), ("net", "01"), (".hidden", "1"), ("a b", "1")):
        (tmp_path / "models" / name / version).mkdir(parents=True, exist_ok=True)
    (tmp_path / "secret.onnx").write_bytes(b"secret")
    (tmp_path / "models/out/1/model.onnx").symlink_to(tmp_path / "secret.onnx")
    for name, version in (("net", "x"), ("net", "01"), (".hidden", "1"), ("a b", "1")):
        shutil.copy(tmp_path / "models/net/1/model.onnx", tmp_path / "models" / name / version)
    assert {name: list(versions) for name, versions in models_in(tmp_path / "models").items()} == {"net": ["1"]}


@threat(5)
@pytest.mark.parametrize("text", [b"http://127.0.0.1:1/a.jpg", b"file:///etc/passwd", b"/etc/passwd", b"rtsp://a/b"])
def test_no_address_is_fetched_for_a_client(live: Live, text: bytes) -> None:
    assert live.ask("POST", "/detect", text)[0] == 415
    data = base64.b64encode(text).decode()
    asked = {"inputs": [{"name": "pictures", "shape": [1], "datatype": "BYTES", "data": [data]}]}
    assert live.json("POST", "/v2/models/net/infer", asked)[0] == 415
    assert live.ask("POST", "/detect?url=http://127.0.0.1/", PNG)[0] == 400


# -- 6: too much -----------------------------------------------------------------------------------------------------


@threat(6)
def test_a_body_that_is_too_large_is_refused_before_it_is_read(guarded: Live) -> None:
    head = (
        f"POST /detect HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {TOKEN}\r\nContent-Length: 99999999\r\n\r\n"
    )
    assert guarded.raw(head.encode()).startswith(b"HTTP/1.1 413 ")


@threat(6)
def test_a_body_of_no_known_length_is_counted(guarded: Live) -> None:
    chunk = b"10000\r\n" + bytes(0x10000) + b"\r\n"
    assert guarded.raw(POST.encode() + b"Transfer-Encoding: chunked\r\n\r\n" + chunk * 17).startswith(b"HTTP/1.1 413 ")


@threat(6)
@pytest.mark.parametrize("packing", ["gzip", "deflate"])
def test_a_packed_bomb_is_not_unpacked(guarded: Live, packing: str) -> None:
    bomb = (gzip.compress if packing == "gzip" else zlib.compress)(bytes(200 << 20))
    assert len(bomb) < 1 << 20
    server = Started(guarded.process, guarded.address[1])
    before = server.memory
    status, _, _ = guarded.ask("POST", "/detect", bomb, {**showing(), "Content-Encoding": packing})
    assert status == 413
    assert server.memory - before < 30


def png_of(width: int, height: int) -> bytes:
    """A PNG that says it is so large, and is a few bytes."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(bytes(1000))) + chunk(b"IEND", b"")
    )


@threat(6)
@pytest.mark.parametrize("size", [(400, 400), (60000, 60000), (1 << 31, 1 << 31)])
def test_a_picture_that_says_it_is_too_large_is_not_decoded(guarded: Live, size: tuple[int, int]) -> None:
    status, _, answer = guarded.ask("POST", "/detect", png_of(*size), showing())
    assert status == 413
    assert b"more than 100,000 pixels" in answer
    pixels = np.zeros((1, 400, 400, 3), np.uint8)
    asked = {"inputs": [{"name": "pictures", "shape": list(pixels.shape), "datatype": "UINT8",
                         "parameters": {"binary_data_size": pixels.nbytes}}]}  # fmt: skip
    head = json.dumps(asked).encode()
    length = {"Inference-Header-Content-Length": str(len(head))}
    assert guarded.ask("POST", "/v2/models/net/infer", head + pixels.tobytes(), {**showing(), **length})[0] == 413


@threat(6)
@pytest.mark.skipif(sys.platform != "linux", reason="needs /proc of Linux")
def test_who_waits_for_a_drawn_picture_holds_no_pixels(detector_cfg: Path, live: Live) -> None:
    large = encoded(np.zeros((4000, 5000, 3), np.uint8), ".jpg")
    with limited(detector_cfg, delay=0.5, options={"cores": 1, "batch": 1}) as server, ThreadPoolExecutor(10) as pool:
        found = list(pool.map(lambda _: server.ask("POST", "/detect?format=image", large), range(10)))
        assert {status for status, _, _ in found} == {200}
        most = re.findall(r"VmHWM:\s+(\d+)", Path(f"/proc/{server.process.pid}/status").read_text())
        assert int(most[0]) << 10 < 10 * 4000 * 5000 * 3, "ten pictures would be more"


@threat(6)
def test_a_jpeg_of_a_thousand_scans_is_not_decoded(live: Live) -> None:
    jpeg = encoded(RED, ".jpg")
    scan = jpeg[jpeg.index(b"\xff\xda") : -2]
    assert live.ask("POST", "/detect", jpeg[:-2] + scan * 1000 + b"\xff\xd9")[0] == 413


@threat(6)
def test_more_pictures_than_a_batch_are_refused(live: Live) -> None:
    data = [base64.b64encode(PNG).decode()] * 9
    asked = {"inputs": [{"name": "pictures", "shape": [9], "datatype": "BYTES", "data": data}]}
    status, answer = live.json("POST", "/v2/models/net/infer", asked)
    assert status == 400
    assert "1 to 8 pictures" in answer["error"]


# -- 9: too slow -----------------------------------------------------------------------------------------------------


@threat(9)
def test_a_head_that_is_longer_than_it_may_be_is_refused(live: Live) -> None:
    head = b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n" + b"".join(
        b"X-%d: %s\r\n" % (i, b"a" * 100) for i in range(400)
    )
    assert live.raw(head + b"\r\n").startswith(b"HTTP/1.1 431 ")
    assert live.raw(head).startswith(b"HTTP/1.1 4"), "one that does not end either"


@threat(9)
@pytest.mark.parametrize(
    "data", [b"\x00\x01\x02\r\n\r\n", b"GET\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n",
             b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
             b"GET / HTTP/1.1\r\n\r\n", b"POST /detect HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n",
             b"POST /detect HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nabcdef",
             b"POST /detect HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"],
)  # fmt: skip
def test_what_is_no_http_is_answered_and_closed(live: Live, data: bytes) -> None:
    answer = live.raw(data)
    assert re.match(rb"HTTP/1.1 4\d\d ", answer)
    assert b'"error"' in answer


@threat(9)
def test_a_body_in_thousands_of_tiny_chunks_is_refused(live: Live) -> None:
    """Each costs as much as a large one, and all others wait while they are taken apart."""
    head = b"POST /detect HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n"

    def sent(body: bytes, size: int) -> bytes:
        parts = [body[i : i + size] for i in range(0, len(body), size)]
        return live.raw(head + b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in parts) + b"0\r\n\r\n")

    assert len(PNG) < 1000
    assert sent(PNG, 1).startswith(b"HTTP/1.1 200 "), "few of them are nobody's burden"
    assert sent(PNG + bytes(5000), 1).startswith(b"HTTP/1.1 400 ")
    assert sent(PNG + bytes(500_000), 300).startswith(b"HTTP/1.1 200 ")


def test_the_lines_of_the_page_have_tests() -> None:
    """Every line of the table of threats has a test, and every test that is marked so a line."""
    text = PAGE.read_text("utf-8")
    listed = [int(n) for n in re.findall(r"^\| (\d+) \|", text, re.MULTILINE)]
    assert listed == list(range(1, len(listed) + 1))
    assert len(listed) > 9
    files = [Path(__file__).with_name(name) for name in ("test_threats.py", "test_limits.py", "test_repository.py")]
    marked = {int(n) for path in files for n in re.findall(r"^@threat\((\d+)\)", path.read_text(), re.MULTILINE)}
    assert set(listed) == marked
