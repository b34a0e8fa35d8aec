"""Gemini through google-genai. (google-generativeai, its predecessor, is at its end of life.)"""

from __future__ import annotations

import io
import os
import re
import sys
import time
import warnings
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, replace
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from a2bench.metrics.judge.http import fault, no_connection
from a2bench.metrics.judge.protocol import (
    Declined,
    Denied,
    JudgeError,
    Media,
    Price,
    Question,
    Reply,
    Shows,
    Unavailable,
)
from a2bench.redaction import redact
from a2bench.text import plain
from a2bench.types import Json
from a2bench.waiting.patience import retry_after_s

if TYPE_CHECKING:
    from google.genai import Client, types

KEYS = ("GEMINI_API_KEY", "GOOGLE_API_KEY")

PRICES = {
    "gemini-2.5-pro": Price(input_usd=1.25, output_usd=10.0),
    "gemini-2.5-flash": Price(input_usd=0.30, output_usd=2.50),
    "gemini-2.5-flash-lite": Price(input_usd=0.10, output_usd=0.40),
}
"""The list prices of the paid tier for prompts up to 200,000 tokens; others by ``price``."""

_CUT = "MAX_TOKENS"
_ANSWERED = ("STOP", _CUT)
_PROCESSING_POLL_S = 2.0


@dataclass(frozen=True, kw_only=True)
class Gemini:
    """Gemini by its REST interface at temperature 0; the key comes from the environment only.

    ``video_fps`` is the rate at which it looks at a video: its own, one frame a second, shows
    nothing of the motion of a short video. Media go inside the request, or over ``inline_bytes``
    by the Files API, from which they are removed after the answer. ``list_price`` overrides the
    known price. The environment's ``GOOGLE_GEMINI_BASE_URL`` names another host.
    """

    model: str = "gemini-2.5-pro"
    video_fps: float = 8.0
    max_output_tokens: int = 8192
    inline_bytes: int = 14_000_000
    list_price: Price | None = None

    @property
    def identity(self) -> Mapping[str, Json]:
        return {
            "judge": "gemini",
            "model": self.model,
            "temperature": 0,
            "max_output_tokens": self.max_output_tokens,
        }

    @property
    def shows(self) -> Shows:
        return "video"

    @property
    def price(self) -> Price | None:
        return self.list_price or PRICES.get(self.model)

    def missing(self) -> tuple[str, ...]:
        found = []
        if find_spec("google") is None or find_spec("google.genai") is None:
            found.append("Gemini needs the package google-genai: pip install 'a2bench[judge]'")
        if not _key():
            found.append(f"Gemini needs a key in the environment: export {KEYS[0]}=...")
        return tuple(found)

    def ask(self, question: Question, *, timeout_s: float) -> Reply:
        from google.genai import types

        with _client(timeout_s) as client:
            ends_s = time.monotonic() + timeout_s
            with _placed(client, question, self.inline_bytes, ends_s) as parts:
                answer = client.models.generate_content(
                    model=self.model,
                    contents=[types.Content(role="user", parts=parts)],
                    config=types.GenerateContentConfig(
                        system_instruction=question.system,
                        temperature=0.0,
                        max_output_tokens=self.max_output_tokens,
                        response_mime_type="application/json",
                        response_json_schema=question.schema,
                        automatic_function_calling=types.AutomaticFunctionCallingConfig(
                            disable=True
                        ),
                    ),
                )
        return _reply(answer)


def _key() -> str:
    return next((value for name in KEYS if (value := os.environ.get(name, "").strip())), "")


@contextmanager
def _client(timeout_s: float) -> Iterator[Client]:
    """A client without retries of its own; its errors become ours."""
    from google.genai import Client, errors, types

    options = types.HttpOptions(
        timeout=max(1, int(timeout_s * 1000)), retry_options=types.HttpRetryOptions(attempts=1)
    )
    try:
        with (
            warnings.catch_warnings(),
            closing(Client(api_key=_key(), vertexai=False, http_options=options)) as client,
        ):
            warnings.simplefilter("ignore", UserWarning)  # of reasons that it does not know
            yield client
    except errors.APIError as error:
        told_s = retry_after_s(getattr(error.response, "headers", {})) or _retry_info_s(error)
        found = fault(error.code, f"{error.status}: {error.message}", told_s)
        raise Denied(str(found)) if _bad_key(error) else found from None
    except _transport_errors() as error:
        raise no_connection("Gemini", error) from None
    except (errors.UnknownApiResponseError, KeyError, ValueError) as error:
        raise JudgeError(f"Gemini sent no usable answer: {type(error).__name__}") from None


@contextmanager
def _placed(
    client: Client, question: Question, inline_bytes: int, ends_s: float
) -> Iterator[list[types.Part]]:
    """The parts as the service takes them; what was uploaded is removed in the end."""
    from google.genai import errors, types

    media = [part for part in question.parts if isinstance(part, Media)]
    upload = sum(len(part.data) for part in media) > inline_bytes
    parts, uploaded = [], []
    try:
        for part in question.parts:
            if isinstance(part, str):
                parts.append(types.Part(text=part))
                continue
            seen = types.VideoMetadata(fps=part.fps) if part.fps else None
            if upload and part.mime.startswith("video/"):
                config = types.UploadFileConfig(mime_type=part.mime)
                uploaded.append(client.files.upload(file=io.BytesIO(part.data), config=config))
                uri = _processed(client, uploaded[-1], ends_s)
                data = types.FileData(file_uri=uri, mime_type=part.mime)
                parts.append(types.Part(file_data=data, video_metadata=seen))
            else:
                blob = types.Blob(data=part.data, mime_type=part.mime)
                parts.append(types.Part(inline_data=blob, video_metadata=seen))
        yield parts
    finally:
        for file in uploaded:
            with suppress(errors.APIError, *_transport_errors()):  # it expires after two days
                client.files.delete(name=file.name or "")


def _processed(client: Client, file: types.File, ends_s: float) -> str | None:
    """Where an uploaded file can be read, as soon as it can."""
    from google.genai import types

    while file.state == types.FileState.PROCESSING:
        if time.monotonic() > ends_s:
            raise Unavailable("Gemini did not process the uploaded video in time")
        time.sleep(_PROCESSING_POLL_S)
        file = client.files.get(name=file.name or "")
    if file.state == types.FileState.FAILED:
        raise JudgeError("Gemini cannot read the uploaded video; try --judge-frames 16")
    return file.uri


def _reply(answer: types.GenerateContentResponse) -> Reply:
    """The text of the one candidate. Raises ``Declined`` for a block, by its reason alone."""
    usage = answer.usage_metadata
    tokens_in = tokens_out = 0
    if usage is not None:
        tokens_in = usage.prompt_token_count or 0
        tokens_out = (usage.candidates_token_count or 0) + (usage.thoughts_token_count or 0)
    candidate = answer.candidates[0] if answer.candidates else None
    parts = (candidate.content.parts or []) if candidate and candidate.content else []
    reply = Reply(
        text="".join(part.text or "" for part in parts if not part.thought),
        model=answer.model_version or "",
        tokens_in=tokens_in,
        tokens_out=tokens_out,
    )
    blocked = answer.prompt_feedback and answer.prompt_feedback.block_reason
    if blocked or candidate is None:
        why = f"blocked: {_told(blocked)}" if blocked else "no candidate"
        raise Declined(f"Gemini declined to answer ({why})", reply)
    reason = candidate.finish_reason.value if candidate.finish_reason else "STOP"
    if reason not in _ANSWERED:
        why = f"finish reason {_told(candidate.finish_reason)}"
        raise Declined(f"Gemini declined to answer ({why})", reply)
    return replace(reply, cut=reason == _CUT)


def _bad_key(error: Any) -> bool:
    """Whether a 400 is about the key, which Gemini does not answer with a 401."""
    return error.code == 400 and "API_KEY_INVALID" in str(error.details)


def _told(reason: Any) -> str:
    """A reason of the service, which may be newer than the client and is any text then."""
    return plain(redact(str(reason.value)), limit=60)


def _transport_errors() -> tuple[type[Exception], ...]:
    """The errors of the HTTP library that google-genai found: httpx2 or httpx."""
    loaded = (sys.modules.get(name) for name in ("httpx2", "httpx"))
    return tuple(module.HTTPError for module in loaded if module is not None)


def _retry_info_s(error: Any) -> float | None:
    """The wait that the body of an error tells: ``google.rpc.RetryInfo``."""
    found = re.search(r"""['"]retryDelay['"]: ['"](\d+(?:\.\d+)?)s['"]""", str(error.details))
    return float(found[1]) if found else None
