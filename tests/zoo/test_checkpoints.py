"""Trained networks of other programs: their checkpoints from a mirror, a local server, or a place by hand."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from click.testing import CliRunner

from darknet_py import list_models
from darknet_py.cli import main
from darknet_py.errors import ZooError
from darknet_py.model.holdings import clear_holdings, list_holdings
from darknet_py.zoo import checkpoints as zoo
from darknet_py.zoo.find import find_cfg, find_weights, installed_cfgs

NAME = "cspdarknet50_3rdparty_8xb32_in1k"
MADE, ORIGINAL = b"made of timm's" * 5000, b"timm's" * 5000


def file(name: str, data: bytes, server: str = "http://127.0.0.1:9") -> zoo.CheckpointFile:
    name = f"{name}-{hashlib.sha256(data).hexdigest()[:8]}.pth"
    return zoo.CheckpointFile(name, f"{server}/{name}")


class Server(BaseHTTPRequestHandler):
    """Serves MADE under any name; `asked` are the paths, `short` leaves off the end."""

    asked: list[str] = []
    short = False
    status = 200

    def do_GET(self) -> None:
        self.asked.append(self.path)
        self.send_response(self.status)
        self.send_header("Content-Length", str(len(MADE)))
        self.end_headers()
        self.wfile.write(MADE[:-100] if self.short else MADE)

    def log_message(self, *args: object) -> None: ...


@pytest.fixture
def server() -> Iterator[str]:
    Server.asked, Server.short, Server.status = [], False, 200
    with ThreadingHTTPServer(("127.0.0.1", 0), Server) as running:
        thread = threading.Thread(target=running.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{running.server_port}"
        running.shutdown()
        thread.join()


@pytest.fixture(autouse=True)
def places(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DARKNET_PY_MIRROR", raising=False)
    for proxy in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(proxy, raising=False)


def offer(monkeypatch: pytest.MonkeyPatch, *files: zoo.CheckpointFile) -> zoo.TrainedNetwork:
    network = zoo.TrainedNetwork(NAME, "Title", "MIT", "nowhere", files)
    monkeypatch.setattr(zoo, "trained_networks", lambda: {NAME: network})
    return network


def test_the_official_address_is_asked_once(monkeypatch: pytest.MonkeyPatch, server: str) -> None:
    network = offer(monkeypatch, file("made", MADE, server))
    said: list[str] = []
    path = zoo.fetch_checkpoint(NAME, said.append)
    assert path == network.folder / network.files[0].name
    assert path.read_bytes() == MADE
    assert zoo.fetch_checkpoint(NAME, said.append) == path
    assert Server.asked == [f"/{network.files[0].name}"]
    assert said == [f"fetching {network.files[0].name} from {network.files[0].url}"]
    assert [p.name for p in network.folder.iterdir()] == [path.name]


def test_a_file_of_other_bytes_is_refused(monkeypatch: pytest.MonkeyPatch, server: str) -> None:
    network = offer(monkeypatch, file("other", ORIGINAL, server))
    digits = hashlib.sha256(MADE).hexdigest()[:8]
    with pytest.raises(ZooError, match=f"its sha256 begins with {digits}, not {network.files[0].digits}"):
        zoo.fetch_checkpoint(NAME)
    assert not [*network.folder.iterdir()]


def test_a_transfer_that_breaks_off_is_an_error(monkeypatch: pytest.MonkeyPatch, server: str) -> None:
    offer(monkeypatch, file("made", MADE, server))
    Server.short = True
    with pytest.raises(ZooError, match=rf"ended after {len(MADE) - 100:,} of {len(MADE):,} bytes|IncompleteRead"):
        zoo.fetch_checkpoint(NAME)


def test_an_address_that_is_gone_leads_to_the_next(monkeypatch: pytest.MonkeyPatch, server: str) -> None:
    gone = file("gone", ORIGINAL)
    network = offer(monkeypatch, gone, file("made", MADE, server))
    assert zoo.fetch_checkpoint(NAME).name == network.files[1].name


@pytest.mark.parametrize("below", ["", NAME])
def test_a_mirror_comes_before_any_address_and_keeps_its_file(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, server: str, below: str
) -> None:
    network = offer(monkeypatch, file("made", MADE, server), file("original", ORIGINAL))
    place = tmp_path / "mirror" / below / network.files[1].name
    place.parent.mkdir(parents=True)
    place.write_bytes(ORIGINAL)
    monkeypatch.setenv("DARKNET_PY_MIRROR", str(tmp_path / "mirror"))
    assert zoo.fetch_checkpoint(NAME) == place
    assert Server.asked == []


def test_a_file_that_was_placed_by_hand_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    network = offer(monkeypatch, file("made", MADE), file("original", ORIGINAL))
    network.folder.mkdir(parents=True)
    (network.folder / network.files[1].name).write_bytes(ORIGINAL)
    assert zoo.fetch_checkpoint(NAME) == network.folder / network.files[1].name


def test_without_a_network_the_error_names_the_file_to_place(monkeypatch: pytest.MonkeyPatch) -> None:
    network = offer(monkeypatch, file("made", MADE), file("original", ORIGINAL))
    network.folder.mkdir(parents=True)
    (network.folder / network.files[0].name).write_bytes(b"half of it")
    with pytest.raises(ZooError) as raised:
        zoo.fetch_checkpoint(NAME)
    text = str(raised.value)
    assert f"put the file at {network.folder / network.files[0].name}" in text
    assert f"{network.files[1].name} will do as well" in text
    assert text.count("http://127.0.0.1:9/") == 2
    assert "not the file that was asked for" in text


# -- the list --------------------------------------------------------------------------------------------------------


def test_every_network_has_its_cfg_and_files_that_say_their_sha256() -> None:
    networks = zoo.trained_networks()
    assert networks.keys() <= {p.stem for p in installed_cfgs()}
    for network in networks.values():
        assert all(len(f.digits) == 8 and f.url.endswith(f.name) for f in network.files)
        assert all(f.url.startswith("https://") for f in network.files)


def test_mmpretrains_files_are_those_of_the_issue_and_of_its_page() -> None:
    names = [f.name for n in zoo.trained_networks().values() if n.published for f in n.files]
    for digits in ("f45add06", "6c68ac06", "1dab4810", "d05c7c21", "d3e8d487", "648b4713"):
        assert any(name.endswith(f"-{digits}.pth") for name in names)


def test_a_network_is_found_by_its_name(monkeypatch: pytest.MonkeyPatch, server: str) -> None:
    network = offer(monkeypatch, file("made", MADE, server))
    cfg = find_cfg(NAME)
    assert Server.asked == []
    assert find_weights(cfg) == network.folder / network.files[0].name


def test_a_cfg_of_the_same_name_elsewhere_is_not_that_network(tmp_path: Path) -> None:
    (tmp_path / f"{NAME}.cfg").write_text("[net]\n")
    with pytest.raises(Exception, match="no weights for") as raised:
        find_weights(tmp_path / f"{NAME}.cfg")
    assert not isinstance(raised.value, ZooError)


def test_models_shows_what_is_published_as_published() -> None:
    done = CliRunner().invoke(main, ["models", "csp*in1k"])
    assert done.exit_code == 0, done.output
    (line,) = [line for line in done.stdout.splitlines() if line.startswith(NAME)]
    assert "published: 27.64 M params, 5.04 GFLOPs, top-1 80.05 %, top-5 95.07 %" in line
    assert "published: 21.62 M params, 3.48 GFLOPs, top-1 79.55 %, top-5 94.68 %" in done.stdout
    assert "published: 20.57 M params, 3.11 GFLOPs, top-1 79.96 %, top-5 94.96 %" in done.stdout
    assert "to be trained" not in done.stderr


def test_models_are_json_with_addresses() -> None:
    done = CliRunner().invoke(main, ["models", NAME, "--json"])
    (entry,) = json.loads(done.stdout)
    assert entry["published"] == {"params": 27.64, "flops": 5.04, "top1": 80.05, "top5": 95.07}
    assert entry["trained"]
    assert not entry["cached"]
    assert NAME in list_models()


def test_download_fetches_the_checkpoint(monkeypatch: pytest.MonkeyPatch, server: str) -> None:
    network = offer(monkeypatch, file("made", MADE, server))
    done = CliRunner().invoke(main, ["download", NAME])
    assert done.exit_code == 0, done.output
    assert done.stdout.splitlines()[-1] == str(network.folder / network.files[0].name)


def test_the_cache_can_be_emptied_of_checkpoints(monkeypatch: pytest.MonkeyPatch, server: str) -> None:
    network = offer(monkeypatch, file("made", MADE, server))
    monkeypatch.setattr("darknet_py.model.holdings.trained_networks", zoo.trained_networks)
    zoo.fetch_checkpoint(NAME)
    (network.folder / "mine.txt").write_text("mine")
    (held,) = list_holdings(["checkpoints"])
    assert (held.entries, held.bytes) == (1, len(MADE))
    clear_holdings(["checkpoints"])
    assert [p.name for p in network.folder.iterdir()] == ["mine.txt"]
