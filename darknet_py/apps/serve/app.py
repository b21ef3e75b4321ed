"""The addresses of the server: the protocol's, `/detect` for people with curl, metrics, and the page.

Decision: an address is a few lines here, from a request to a function that knows no HTTP and back.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from contextlib import asynccontextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route, Router

from ... import page
from ...errors import DataError, shorten
from ...version import PROJECT, VERSION
from ...vision.results import Results
from .bodies import GoneError, Receive, form_file, pack, read_body
from .describe import metadata, model_config
from .guard import Told
from .limits import Budget, Limits, Refusal
from .metrics import Metrics
from .openapi import WARNING, openapi
from .protocol import HEAD_LENGTH, InferRequest, NamedTensor, parse_json, parse_request, write_response
from .question import FORMATS, question_of
from .repository import Repository
from .served import PICTURES, Served, Times, picture_tensors, pictures_of

PAGE = Path(__file__).with_name("page")
PAGE_FILES = ("index.html", "page.js", *page.LOOK)
KINDS = {".html": "text/html", ".js": "text/javascript", ".css": "text/css"}
EXTENSIONS = ("binary_tensor_data", "model_repository", "model_configuration", "statistics", "parameters")
SMALL = 1024  # bytes of an answer that is not packed, whatever the client accepts
JSON = "application/json"

T = TypeVar("T")


class Application:
    """The server's application: what is served, within which limits."""

    def __init__(self, repository: Repository, limits: Limits) -> None:
        self.repository, self.limits = repository, limits
        self.metrics = Metrics(repository)
        self._budget = Budget(limits.memory)
        self._loading = asyncio.Lock()

    def router(self) -> Router:
        """The application as ASGI has it."""
        model, version = "/v2/models/{model}", "/v2/models/{model}/versions/{version}"
        get, post = partial(_route, "GET"), partial(_route, "POST")
        routes = [
            *(get(f"/{name}".removesuffix("index.html"), partial(self._file, name)) for name in PAGE_FILES),
            get("/openapi.json", self._openapi),
            get("/metrics", self._metrics),
            post("/detect", self._detect),
            get("/v2", self._server),
            get("/v2/health/live", self._live),
            get("/v2/health/ready", self._ready),
            get("/v2/models/stats", self._statistics),
            post("/v2/repository/index", self._index),
            post("/v2/repository/models/{model}/load", self._load),
            post("/v2/repository/models/{model}/unload", self._unload),
        ]
        for prefix in (model, version):
            routes += [
                get(prefix, self._metadata), get(f"{prefix}/ready", self._model_ready),
                get(f"{prefix}/config", self._config), get(f"{prefix}/stats", self._statistics),
                post(f"{prefix}/infer", self._infer),
            ]  # fmt: skip
        return Router(routes, redirect_slashes=False, lifespan=self._life)

    @asynccontextmanager
    async def _life(self, _: object) -> AsyncIterator[None]:
        for served in self.repository:
            self._start(served)
        try:
            yield
        finally:
            for served in self.repository:
                await served.close()

    def _start(self, served: Served) -> None:
        served.start(partial(self.metrics.batch, served.name, served.version))

    # -- pictures --------------------------------------------------------------------------------------------------

    async def _detect(self, request: Request) -> Response:
        query = dict(request.query_params)
        if len(query) < len(request.query_params.multi_items()):
            raise DataError("the query says something twice: classes have commas between them")
        kind = query.pop("format", "json")
        if kind not in FORMATS:
            raise DataError(f"format is {' or '.join(FORMATS)}, not {shorten(repr(kind), 40)}")
        served = self.repository.find(query.pop("model", None) or self._only(), query.pop("version", None))
        question = question_of(served.contract, query, ("format", "model", "version"))
        told = _told(request, served)
        with self._budget.portion() as portion:
            data = await read_body(request.receive, request.headers, self.limits, portion)
            told.received, told.rows, told.times = len(data), 1, Times()
            content_type = request.headers.get("content-type", "")
            if content_type.lower().startswith("multipart/"):
                data = await served.in_thread(form_file, data, content_type)
            found = await _unless_gone(request.receive, served.detect([data], question, told.times))
            if kind == "image":
                drawn = await served.in_thread(served.drawn, data, found[0])
                return _bytes(drawn, "image/jpeg", _warning(found[0]))
        return _json({**_plain(found[0]), "model": served.name, "seconds": vars(told.times)})

    def _only(self) -> str:
        names = list(self.repository.models)
        if len(names) != 1:
            raise DataError(f"say which model: /detect?model=NAME, of {', '.join(names) or 'none'}")
        return names[0]

    # -- the protocol ----------------------------------------------------------------------------------------------

    async def _infer(self, request: Request) -> Response:
        served = self._find(request)
        told = _told(request, served)
        with self._budget.portion() as portion:
            body = await read_body(request.receive, request.headers, self.limits, portion)
            told.received, told.times = len(body), Times()
            asked = await served.in_thread(parse_request, body, request.headers.get(HEAD_LENGTH))
            outputs, warning = await _unless_gone(request.receive, self._outputs(served, asked, told))
        answer, head = await served.in_thread(write_response, served.name, served.version, asked, outputs, warning)
        headers = {} if head is None else {HEAD_LENGTH: str(head)}
        if len(answer) > SMALL:
            answer, packing = await served.in_thread(pack, answer, request.headers.get("accept-encoding", ""))
            headers |= {"content-encoding": packing, "vary": "accept-encoding"} if packing else {}
        return _bytes(answer, JSON if head is None else "application/octet-stream", headers)

    async def _outputs(self, served: Served, asked: InferRequest, told: Told) -> tuple[list[NamedTensor], str]:
        """The tensors of an answer, and what may be wrong with them."""
        names = [t.name for t in asked.inputs]
        own = served.contract.input
        if names not in ([own], [PICTURES]):
            raise DataError(
                f"{served.name} takes one input, {own} or {PICTURES}, and not {shorten(', '.join(names), 80)}"
            )
        (tensor,) = asked.inputs
        told.rows = tensor.array.shape[0] if tensor.array.ndim else 0
        assert told.times is not None, "set where the body was read"
        if tensor.name == PICTURES:
            question = question_of(served.contract, asked.parameters)
            found = await served.detect(pictures_of(tensor), question, told.times)
            return picture_tensors(found), "; ".join(f"{i}: {r.warning}" for i, r in enumerate(found) if r.warning)
        if tensor.datatype != "FP32":
            raise DataError(
                f"{own} is FP32, not {tensor.datatype}: encoded pictures and pixels are the input {PICTURES}"
            )
        if asked.parameters:
            raise DataError(f"with {own} there are no parameters: {shorten(', '.join(asked.parameters), 80)}")
        return await served.infer(tensor.array, told.times), ""

    async def _server(self, _: Request) -> Response:
        return _json({"name": PROJECT, "version": VERSION, "extensions": list(EXTENSIONS)})

    async def _live(self, _: Request) -> Response:
        return _json({"live": True})

    async def _ready(self, request: Request) -> Response:
        if request.app.is_stopping:  # the guard, which is around this
            raise Refusal(503, "the server is stopping")
        return _json({"ready": True})

    async def _model_ready(self, request: Request) -> Response:
        served = self._find(request)
        return _json({"name": served.name, "ready": True})

    async def _metadata(self, request: Request) -> Response:
        served = self._find(request)
        return _json(metadata(served, list(self.repository.models[served.name])))

    async def _config(self, request: Request) -> Response:
        return _json(model_config(self._find(request)))

    async def _statistics(self, request: Request) -> Response:
        return _json(self.metrics.statistics(request.path_params.get("model"), request.path_params.get("version")))

    async def _index(self, request: Request) -> Response:
        asked = await self._control(request, {"ready"})
        return _json(await asyncio.to_thread(self.repository.index, ready=bool(asked.get("ready"))))

    async def _load(self, request: Request) -> Response:
        await self._control(request, set())
        name = request.path_params["model"]
        async with self._loading:
            versions = await asyncio.to_thread(self.repository.opened, name)
            for served in versions:
                self._start(served)
            before = self.repository.replace(name, versions)
        for served in before:
            await served.close()
        return _json({})

    async def _unload(self, request: Request) -> Response:
        asked = await self._control(request, {"parameters"})
        if set(asked.get("parameters", {})) - {"unload_dependents"}:
            raise DataError("of the parameters of unload only unload_dependents is read")
        for served in self.repository.removed(request.path_params["model"]):
            await served.close()
        return _json({})

    async def _control(self, request: Request, known: set[str]) -> Mapping[str, Any]:
        """What a request about the repository says, which is little; a file that it brings is not taken."""
        with self._budget.portion() as portion:
            body = await read_body(request.receive, request.headers, self.limits, portion)
            data = await asyncio.to_thread(parse_json, body, "the request") if body.strip() else {}
        if not isinstance(data, dict) or set(data) - known or not isinstance(data.get("parameters", {}), dict):
            raise DataError(f"the request is a JSON object with {', '.join(known) or 'nothing'} in it")
        return data

    def _find(self, request: Request) -> Served:
        return self.repository.find(request.path_params["model"], request.path_params.get("version"))

    # -- the rest --------------------------------------------------------------------------------------------------

    async def _metrics(self, _: Request) -> Response:
        return _bytes(self.metrics.text(), "text/plain; version=0.0.4; charset=utf-8")

    async def _openapi(self, _: Request) -> Response:
        return _json(openapi(self.limits))

    async def _file(self, name: str, _: Request) -> Response:
        body = page.part(name) if name in page.LOOK else page.complete((PAGE / name).read_bytes())
        return _bytes(body, f"{KINDS[Path(name).suffix]}; charset=utf-8")


def _route(method: str, path: str, handler: Callable[[Request], Coroutine[Any, Any, Response]]) -> Route:
    async def endpoint(request: Request) -> Response:
        return await handler(request)

    return Route(path, endpoint, methods=[method])


def _told(request: Request, served: Served) -> Told:
    told: Told = request.scope["state"]["told"]
    told.model, told.version = served.name, served.version
    return told


async def _unless_gone(receive: Receive, work: Coroutine[Any, Any, T]) -> T:
    """What the work gives; `GoneError` when the client leaves before, and then nobody works for it any more."""
    task, gone = asyncio.create_task(work), asyncio.create_task(_gone(receive))
    try:
        await asyncio.wait((task, gone), return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            raise GoneError
        return task.result()
    finally:
        for one in (task, gone):
            one.cancel()
            with suppress(BaseException):
                await one


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def _plain(found: Results) -> dict[str, Any]:
    """What `Results.to_dict` says, without the name of a file: there is none."""
    return {key: value for key, value in found.to_dict().items() if key != "filename"}


def _warning(found: Results) -> dict[str, str]:
    """What may be wrong with results, for an answer that is no JSON."""
    return {WARNING: ascii(found.warning)[1:-1]} if found.warning else {}


def _json(data: Any) -> Response:
    return _bytes(json.dumps(data, allow_nan=False, separators=(",", ":")).encode(), JSON)


def _bytes(body: bytes, kind: str, headers: Mapping[str, str] | None = None) -> Response:
    return Response(body, headers=headers, media_type=kind)
