"""Any endpoint that speaks OpenAI's chat completions: a local vLLM with an open model, a host."""

from __future__ import annotations

import base64
import json
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.client import HTTPException
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import HTTPRedirectHandler, Request, build_opener

from a2bench.errors import UsageError
from a2bench.metrics.judge.http import fault, no_connection
from a2bench.metrics.judge.protocol import (
    Declined,
    JudgeError,
    Part,
    Price,
    Question,
    Rejected,
    Reply,
    Shows,
)
from a2bench.types import Json
from a2bench.waiting.patience import retry_after_s

KEY = "A2BENCH_JUDGE_API_KEY"
OLD_LIMIT, NEW_LIMIT = "max_tokens", "max_completion_tokens"
_TEXTS = ("text", "output_text")
_MOST_BYTES = 4 << 20


@dataclass(frozen=True, kw_only=True)
class OpenAi:
    """A model at ``url`` (up to ``/v1``) at temperature 0; it is shown frames.

    The key, if the endpoint wants one, is in ``A2BENCH_JUDGE_API_KEY``. Raises ``UsageError`` for
    a URL with a login or a query, where secrets hide. ``limits`` is what the endpoint calls the
    limit of tokens: the name of old, and once it has said so, OpenAI's new one.
    """

    url: str
    model: str
    max_output_tokens: int = 4096
    price: Price | None = None
    limits: list[str] = field(default_factory=lambda: [OLD_LIMIT], compare=False, repr=False)

    def __post_init__(self) -> None:
        parts = urlsplit(self.url)
        if parts.scheme not in ("http", "https") or not parts.hostname or not self.model:
            raise UsageError("write the judge as openai:http://HOST:PORT/v1#MODEL")
        if "@" in parts.netloc or parts.query:
            raise UsageError(f"no login or query in the judge's URL: put the key in {KEY}")

    @property
    def identity(self) -> Mapping[str, Json]:
        return {
            "judge": "openai",
            "url": self.url,
            "model": self.model,
            "temperature": 0,
            "max_output_tokens": self.max_output_tokens,
        }

    @property
    def shows(self) -> Shows:
        return "frames"

    @property
    def video_fps(self) -> float:
        return 0.0

    def missing(self) -> tuple[str, ...]:
        return ()

    def ask(self, question: Question, *, timeout_s: float) -> Reply:
        body = {
            "model": self.model,
            "temperature": 0,
            "messages": [
                {"role": "system", "content": question.system},
                {"role": "user", "content": [_content(part) for part in question.parts]},
            ],
            "response_format": {
                "type": "json_schema",
                "json_schema": {"name": "verdict", "strict": True, "schema": question.schema},
            },
        }
        start = time.monotonic()
        limited = {**body, self.limits[-1]: self.max_output_tokens}
        try:
            return _reply(self._post(limited, timeout_s))
        except Rejected as error:
            if NEW_LIMIT in limited or NEW_LIMIT not in str(error):
                raise
        self.limits.append(NEW_LIMIT)
        limited = {**body, NEW_LIMIT: self.max_output_tokens}
        left_s = max(1e-3, timeout_s - (time.monotonic() - start))
        return _reply(self._post(limited, left_s))

    def _post(self, body: Json, timeout_s: float) -> Any:
        headers = {"Content-Type": "application/json"}
        if key := os.environ.get(KEY, "").strip():
            headers["Authorization"] = f"Bearer {key}"
        url = f"{self.url.rstrip('/')}/chat/completions"
        request = Request(url, json.dumps(body).encode(), headers)  # noqa: S310 - http(s) only, see above
        try:
            with build_opener(_NoRedirect).open(request, timeout=timeout_s) as response:
                return json.loads(response.read(_MOST_BYTES))
        except HTTPError as error:
            with error:
                text = error.read(2000).decode("utf-8", "replace")
                raise fault(error.code, text, retry_after_s(dict(error.headers))) from None
        except (URLError, HTTPException, OSError) as error:
            reason = getattr(error, "reason", None)
            why = reason if isinstance(reason, Exception) else error
            raise no_connection("the judge", why) from None
        except ValueError:
            raise JudgeError("the judge's endpoint sent no JSON") from None


class _NoRedirect(HTTPRedirectHandler):
    """A redirect would carry the key to another host: it is an error."""

    def redirect_request(self, *_: Any) -> None:
        return None


def _content(part: Part) -> Json:
    if isinstance(part, str):
        return {"type": "text", "text": part}
    data = base64.b64encode(part.data).decode()
    return {"type": "image_url", "image_url": {"url": f"data:{part.mime};base64,{data}"}}


def _reply(answer: Any) -> Reply:
    """The text of the first choice. Raises ``Declined`` for a refusal or a content filter."""
    try:
        (choice, *_), usage = answer["choices"] or [{}], answer.get("usage") or {}
        message = choice.get("message") or {}
        reply = Reply(
            text=_text(message.get("content")),
            model=str(answer.get("model", "")),
            tokens_in=int(usage.get("prompt_tokens", 0)),
            tokens_out=int(usage.get("completion_tokens", 0)),
            cut=choice.get("finish_reason") == "length",
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise JudgeError("the judge's endpoint sent no chat completion") from error
    if not choice or message.get("refusal") or choice.get("finish_reason") == "content_filter":
        raise Declined("the judge declined to answer", reply)
    return reply


def _text(content: Any) -> str:
    """The text of a message: itself, or its parts without those that are thoughts."""
    if isinstance(content, list):
        return "".join(str(part["text"]) for part in content if part.get("type") in _TEXTS)
    return str(content or "")
