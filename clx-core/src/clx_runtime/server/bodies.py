"""The bodies of requests: read within limits, parsed, and turned into texts."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import BaseModel, ValidationError

from clx_runtime.server.limits import Limits
from clx_runtime.server.refusals import EMPTY, VALIDATION, Refusal, invalid
from clx_runtime.texts import TextRow

if TYPE_CHECKING:
    from starlette.requests import Request

Form = TypeVar("Form", bound=BaseModel)


async def body_of(request: Request, limits: Limits) -> bytes:
    """Return the body of a request.

    Raises:
        Refusal: it is too large, or the client sends it too slowly.
    """
    declared = request.headers.get("content-length", "0")
    if declared.isascii() and declared.isdigit() and int(declared) > limits.body:
        raise _too_large(limits)
    parts, size = [], 0
    try:
        async with asyncio.timeout(limits.read_seconds):
            async for part in request.stream():
                size += len(part)
                if size > limits.body:
                    raise _too_large(limits)
                parts.append(part)
    except TimeoutError as error:
        message = f"The request took more than {limits.read_seconds:g} seconds to arrive"
        raise Refusal(408, VALIDATION, message, {"connection": "close"}) from error
    return b"".join(parts)


def _too_large(limits: Limits) -> Refusal:
    message = f"A request has at most {limits.body} bytes: send several"
    return Refusal(413, VALIDATION, message, {"connection": "close"})


def parsed(form: type[Form], body: bytes, malformed: int = 422) -> Form:
    """Return a body as a form.

    Args:
        form: the form.
        body: the body.
        malformed: the status for a body that is not JSON.

    Raises:
        Refusal: the body is not JSON, or a value is wrong; the message names the place.
    """
    try:
        return form.model_validate_json(body)
    except ValidationError as error:
        problems = error.errors(include_url=False, include_context=False, include_input=False)
    if problems[0]["type"] == "json_invalid":
        raise invalid((), problems[0]["msg"], malformed)
    detail = [{"loc": ["body", *each["loc"]], "msg": each["msg"]} for each in problems]
    message = "; ".join(
        f"{'.'.join(map(str, each['loc'])) or 'the body'}: {each['msg']}" for each in problems
    )
    raise Refusal(422, VALIDATION, message, detail=detail)


class Inputs:
    """Reads the texts of a request.

    Args:
        columns: the texts that the run reads together.
        limits: the limits of the server.
    """

    def __init__(self, columns: Sequence[str], limits: Limits) -> None:
        self._columns, self._limits = columns, limits

    def texts(self, value: Any, place: str) -> tuple[list[str], bool]:
        """Return the texts of a value, and whether it was a single one.

        For a run that reads several texts together, an input is a list of them, or an object with
        the columns, or ``text`` and ``text_pair``, as keys.

        Raises:
            Refusal: a value is not a text, or there are too many.
        """
        if len(self._columns) > 1:
            return self._rows(value, place)
        if isinstance(value, str):
            return [value], True
        if isinstance(value, dict):
            return [self._of_object(value, (place,))], True
        if not isinstance(value, list):
            raise invalid((place,), "must be a text or a list of texts")
        self.count(value)
        return [
            self._of_object(each, (place, n)) if isinstance(each, dict) else _text(each, (place, n))
            for n, each in enumerate(value)
        ], False

    def _rows(self, value: Any, place: str) -> tuple[list[str], bool]:
        is_one = isinstance(value, dict) or (
            isinstance(value, list) and bool(value) and all(isinstance(each, str) for each in value)
        )
        if is_one:
            return [self.row(value, (place,))], True
        if not isinstance(value, list):
            raise invalid((place,), f"must be {self._wanted()}, or a list of these")
        self.count(value)
        return [self.row(each, (place, n)) for n, each in enumerate(value)], False

    def pairs(self, value: Any, place: str) -> tuple[list[str], bool]:
        """Return the texts of a value in the form of Text Embeddings Inference.

        A text, a list of one or two texts (an input), or a list of such lists (a batch).

        Raises:
            Refusal: see :meth:`texts`.
        """
        if isinstance(value, list) and any(isinstance(each, list) for each in value):
            self.count(value)
            texts = [self._sequence(each, (place, n)) for n, each in enumerate(value)]
            single = False
        else:
            texts, single = [self._sequence(value, (place,))], True
        if not all(texts):
            raise Refusal(400, EMPTY, f"`{place}` cannot be empty")
        return texts, single

    def _sequence(self, value: Any, place: tuple[str | int, ...]) -> str:
        if value == []:
            raise Refusal(400, EMPTY, f"`{place[0]}` cannot be empty")
        if len(self._columns) > 1:
            return self.row(value, place)
        if isinstance(value, list) and len(value) > 1:
            raise invalid(
                place, "is a pair, but the run reads one text: a batch is [[text], [text]]"
            )
        return _text(value[0], (*place, 0)) if isinstance(value, list) else _text(value, place)

    def row(self, value: Any, place: tuple[str | int, ...]) -> str:
        """Return the texts that the run reads together.

        Raises:
            Refusal: the value does not have one text per column.
        """
        if isinstance(value, dict):
            keys = self._columns
            if "text_pair" in value and len(keys) == 2 and not set(keys) <= set(value):
                keys = ("text", "text_pair")
            value = [value.get(key) for key in keys]
        if not isinstance(value, list) or len(value) != len(self._columns):
            raise invalid(place, f"must be {self._wanted()}")
        return TextRow(_text(each, (*place, n)) for n, each in enumerate(value))

    def _of_object(self, value: dict[str, Any], place: tuple[str | int, ...]) -> str:
        if value.get("text_pair") is not None:
            raise invalid((*place, "text_pair"), "the run reads one text")
        return _text(value.get("text"), (*place, "text"))

    def _wanted(self) -> str:
        return f"a list of {len(self._columns)} texts ({', '.join(self._columns)})"

    def count(self, values: Sequence[Any]) -> None:
        """Refuse more texts than the server takes at once."""
        most = self._limits.texts
        if len(values) > most:
            message = f"batch size {len(values)} > maximum allowed batch size {most}"
            raise Refusal(413, VALIDATION, message)


def _text(value: Any, place: tuple[str | int, ...]) -> str:
    if not isinstance(value, str):
        raise invalid(place, "must be a text")
    return value
