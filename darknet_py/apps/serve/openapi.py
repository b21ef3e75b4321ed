"""What `/detect` takes and gives, as OpenAPI has it: written by hand, because a library for one address is larger."""

from __future__ import annotations

from typing import Any

from ...version import VERSION
from .limits import Limits
from .question import FORMATS, LEAST_CONF, MAX_DET, MOST_DET

NUMBER, TEXT = {"type": "number"}, {"type": "string"}
PROBABILITY = {"type": "number", "minimum": LEAST_CONF, "maximum": 1}
WARNING = "X-Warning"  # the header of an answer that is no JSON
WRONG = {
    400: "a parameter or a picture that is none", 401: "no token, where one is wanted", 404: "no such model",
    408: "a body that came too slowly", 413: "a body or a picture that is too large",
    415: "no picture of a format that is read", 503: "a full queue; Retry-After says when to come again",
}  # fmt: skip


def openapi(limits: Limits) -> dict[str, Any]:
    """The description of `/detect` with these limits."""
    picture = {"type": "string", "format": "binary"}
    form = {"type": "object", "properties": {"image": picture}, "required": ["image"]}
    parameters = [
        _parameter(
            "conf", {"anyOf": [PROBABILITY, TEXT]}, "the lowest probability that counts, or of each: person=0.5,car=0.3"
        ),
        _parameter("iou", {"type": "number", "minimum": 0, "maximum": 1}, "the overlap that suppresses"),
        _parameter("classes", TEXT, "names or numbers with commas between: person,car"),
        _parameter(
            "max_det", {"type": "integer", "minimum": 1, "maximum": MOST_DET, "default": MAX_DET}, "the most objects"
        ),
        _parameter("agnostic", {"type": "boolean", "default": False}, "a box suppresses those of other classes too"),
        _parameter(
            "format", {"type": "string", "enum": list(FORMATS), "default": FORMATS[0]}, "boxes, or a drawn JPEG"
        ),
        _parameter("model", TEXT, "which model, where there are several"),
        _parameter("version", TEXT, "which version of it (default: the highest)"),
    ]
    answers: dict[str, Any] = {
        "200": {
            "description": "what is in the picture",
            "headers": {WARNING: {"schema": TEXT, "description": "of a JPEG: what may be wrong with what is drawn"}},
            "content": {
                "application/json": {"schema": {"$ref": "#/components/schemas/Found"}},
                "image/jpeg": {"schema": picture},
            },
        }
    }
    for status, why in WRONG.items():
        schema = {"application/json": {"schema": {"$ref": "#/components/schemas/Wrong"}}}
        answers[str(status)] = {"description": why, "content": schema}
    return {
        "openapi": "3.1.0",
        "info": {"title": "darknet-py serve", "version": VERSION},
        "paths": {
            "/detect": {
                "post": {
                    "operationId": "detect",
                    "summary": f"What is in a picture: JPEG, PNG, WebP or BMP of at most {limits.body:,} bytes",
                    "parameters": parameters,
                    "requestBody": {
                        "required": True,
                        "content": {
                            "multipart/form-data": {"schema": form},
                            "image/*": {"schema": picture},
                        },
                    },
                    "responses": answers,
                    "security": [{}, {"token": []}],
                }
            }
        },
        "components": {
            "schemas": {"Found": _found(), "Wrong": _object({"error": TEXT})},
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
    }


def _parameter(name: str, schema: dict[str, Any], meaning: str) -> dict[str, Any]:
    return {"name": name, "in": "query", "required": False, "schema": schema, "description": meaning}


def _object(properties: dict[str, Any], *optional: str) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": [p for p in properties if p not in optional]}


def _found() -> dict[str, Any]:
    whole = {"type": "integer"}
    relative = _object({"center_x": NUMBER, "center_y": NUMBER, "width": NUMBER, "height": NUMBER})
    label = {"class_id": whole, "name": TEXT, "confidence": NUMBER}
    corners = {"type": "array", "items": NUMBER, "minItems": 4, "maxItems": 4}
    found = _object({**label, "relative_coordinates": relative, "box": corners})
    return _object(
        {
            "width": whole, "height": whole, "model": TEXT, "warning": TEXT,
            "objects": {"type": "array", "items": found},
            "classes": {"type": "array", "items": _object(label)},
            "seconds": _object({"prepare": NUMBER, "network": NUMBER, "boxes": NUMBER}),
        },
        "objects", "classes", "warning",
    )  # fmt: skip
