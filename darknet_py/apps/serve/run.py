"""`serve`: from networks and options to a process that answers until it is asked to stop.

Decision: networks are opened and warm before anybody can connect, so that who is answered is answered by a server that
works; and after the question to stop, it goes on until everything that was accepted is finished.
"""

from __future__ import annotations

import errno
import logging
import re
import socket
import ssl
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import uvicorn

from ...errors import DataError, Say
from ...files import read_whole
from ...machine import cores as all_cores
from ...model.model import Model
from .app import Application
from .confine import confine
from .connection import connection_class
from .guard import LOOPBACK, Guard
from .limits import Limits
from .repository import Repository, check_name, models_in
from .served import Served, Workers
from .stopping import Server
from .tls import secured

BACKLOG, TAKEN = 1024, 128  # connections that the system makes before they are taken, and that are taken at a time
MAX_TOKEN = 4096  # bytes of its file
SHORT = 16  # characters of a token that is easily guessed


@dataclass(frozen=True)
class ServerOptions:
    """How a server is reached and how it works.

    `port` 0 is a free one. `token` is what clients must show; where others than this machine can connect there must be
    one, unless `is_open`. `hosts` are further names under which it may be addressed. `batch` pictures are computed at a
    time, which wait `window` seconds for each other, by `sessions` networks at a time on `cores`. `user` is whom the
    process becomes.
    """

    host: str = "127.0.0.1"
    port: int = 8000
    token: str | None = None
    is_open: bool = False
    hosts: tuple[str, ...] = ()
    certificate: Path | None = None
    key: Path | None = None
    batch: int = 8
    window: float = 0.002
    sessions: int = 1
    cores: int = field(default_factory=all_cores)
    models: Path | None = None
    may_load: bool = False
    user: str | None = None
    linger: float = 0.5  # seconds in which a server that is to stop still takes what comes
    limits: Limits = field(default_factory=Limits)

    @property
    def is_local(self) -> bool:
        """Whether only this machine can connect."""
        return self.host in LOOPBACK

    def check(self) -> None:
        """Raise `DataError` for what would be open by accident, or cannot be."""
        if not self.is_local and self.token is None and not self.is_open:
            raise DataError(
                f"at {self.host} everybody who can reach this machine could use the server: give it a token "
                "(--token-file), or say --open"
            )
        if self.token is not None and not re.fullmatch(f"[!-~]{{{SHORT},}}", self.token):
            raise DataError(f"a token has at least {SHORT} printable characters of ASCII")
        if (self.certificate is None) != (self.key is None):
            raise DataError("TLS needs a certificate and its key: --tls-cert and --tls-key")
        if self.may_load and self.models is None:
            raise DataError("--allow-load needs a folder of models: --models DIR")


Own = tuple[str, Callable[[int], Model]]  # a name, and a function from a number of threads to the model


def read_token(path: Path) -> str:
    """The token in a file, without the line end. Raises `DataError` if it cannot be read."""
    return read_whole(path, MAX_TOKEN, "token").decode("utf-8", "replace").strip()


def run_server(
    own: Iterable[Own], load_file: Callable[[Path, int], Model], options: ServerOptions, *, say: Say, log: Say,
    ready: Callable[[str], None],
) -> None:  # fmt: skip
    """Serve models until SIGTERM or Ctrl-C, and then finish what was accepted.

    `own` are models by name, opened with so many threads; `load_file` opens one of the folder `options.models`. `say`
    is told what a person may want to know, `log` gets a line for each request, and `ready` the address, when somebody
    can connect. Raises `DataError` for options that do not go together, an address that is not to be had, and whatever
    opening a model raises.
    """
    options.check()
    logging.getLogger("python_multipart").setLevel(logging.CRITICAL)  # it tells of every damaged form
    context = _tls(options)
    listening = _listen(options)
    workers = Workers.of(options.cores, options.sessions)
    try:
        repository = _repository(own, load_file, options, workers)
        application = Application(repository, options.limits)
        guard = Guard(
            application.router(), application.metrics, log, options.token,
            frozenset((*LOOPBACK, *options.hosts)) if options.is_local else frozenset(options.hosts) or None,
            options.limits.head,
        )  # fmt: skip
        for done in confine(options.user):
            say(f"this process {done}")
        scheme, port = "https" if context else "http", listening.getsockname()[1]
        host = f"[{options.host}]" if ":" in options.host else options.host
        connection = connection_class(options.limits)
        config = uvicorn.Config(
            guard, options.host, options.port, loop="asyncio", ws="none",
            http=secured(connection, context, options.limits) if context else connection,
            lifespan="on", log_config=None, log_level="critical", access_log=False, server_header=False,
            proxy_headers=False, backlog=TAKEN,
            timeout_keep_alive=options.limits.idle_seconds, timeout_graceful_shutdown=options.limits.stop_seconds,
            h11_max_incomplete_event_size=options.limits.head,
        )  # fmt: skip
        config.load()
        server = Server(
            config, guard, BACKLOG, options.linger, partial(ready, f"{scheme}://{host}:{port}"),
            partial(_cannot_serve, options.host, options.port),
        )  # fmt: skip
        server.run(sockets=[listening])
    finally:
        listening.close()
        workers.close()


def _repository(
    own: Iterable[Own], load_file: Callable[[Path, int], Model], options: ServerOptions, workers: Workers
) -> Repository:
    served = partial(Served, workers=workers, limits=options.limits, batch=options.batch, window=options.window)

    def open_file(name: str, version: str, path: Path) -> Served:
        return served(name, version, load_file(path, workers.threads))

    repository = Repository(folder=options.models, open_file=open_file, may_load=options.may_load)
    for name, opened in own:
        repository.add(served(check_name(name), "1", opened(workers.threads)))
    found = models_in(options.models) if options.models else {}
    for name, versions in found.items():
        for version, path in versions.items():
            if name in repository.models and version in repository.models[name]:
                raise DataError(f"there are two models {name} in version {version}: give one another --name")
            repository.add(open_file(name, version, path))
    if not repository.models and not options.may_load:
        raise DataError(f"there is nothing to serve: {options.models} has no NAME/VERSION/model.onnx")
    return repository


def _tls(options: ServerOptions) -> ssl.SSLContext | None:
    if options.certificate is None or options.key is None:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        # A key with a password would be asked for at a terminal that nobody may be sitting at.
        context.load_cert_chain(options.certificate, options.key, password=lambda: "")
    except (OSError, ssl.SSLError) as e:
        raise DataError(
            f"cannot use the certificate {options.certificate} with {options.key}: {e}\n"
            "  hint: both are PEM, they belong together, and the key has no password"
        ) from None
    return context


def _listen(options: ServerOptions) -> socket.socket:
    """The socket, which nobody can connect to before the models are open: it does not listen yet."""
    try:
        found = socket.getaddrinfo(options.host, options.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        family, kind, protocol, _, address = found[0]
        listening = socket.socket(family, kind, protocol)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(address)
    except OSError as e:
        raise _cannot_serve(options.host, options.port, e) from None
    return listening


def _cannot_serve(host: str, port: int, error: OSError) -> DataError:
    hint = "\n  hint: --port takes another one, and 0 any that is free" if error.errno == errno.EADDRINUSE else ""
    return DataError(f"cannot serve at {host}:{port}: {error.strerror or error}{hint}")
