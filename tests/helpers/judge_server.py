"""A stand-in on loopback for services that judge: Gemini by REST, and OpenAI's chat."""

from __future__ import annotations

import base64
import json
import socket
import struct
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

SCORE = 4


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What the server does with one request, in place of a good answer."""

    status: int = 200
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)
    reset: bool = False
    hang: bool = False


@dataclass(frozen=True, kw_only=True)
class Asked:
    """One request that the server saw."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Service:
    """The address, what is to be answered first, and what was asked; states of uploaded files."""

    url: str
    answers: list[Answer] = field(default_factory=list)
    asked: list[Asked] = field(default_factory=list)
    files: dict[str, bytes] = field(default_factory=dict)
    states: list[str] = field(default_factory=list)
    over: threading.Event = field(default_factory=threading.Event)

    @property
    def calls(self) -> list[Asked]:
        """The requests for a verdict."""
        return [a for a in self.asked if a.path.endswith((":generateContent", "/completions"))]

    def texts(self, call: int = -1) -> list[str]:
        """The texts of a request's parts."""
        parts = self.calls[call].json["contents"][0]["parts"]
        return [part["text"] for part in parts if "text" in part]


def verdict(ids: list[str], score: Any = SCORE) -> dict[str, Any]:
    return {name: {"reason": f"{name} as seen", "score": score} for name in ids}


def gemini(text: str, *, finish: str = "STOP") -> dict[str, Any]:
    """A reply of Gemini with that text; 1000 tokens in, 200 out, 50 of thought."""
    return {
        "candidates": [
            {"content": {"role": "model", "parts": [{"text": text}]}, "finishReason": finish}
        ],
        "usageMetadata": {
            "promptTokenCount": 1000,
            "candidatesTokenCount": 200,
            "thoughtsTokenCount": 50,
            "totalTokenCount": 1250,
        },
        "modelVersion": "gemini-2.5-pro-stand-in",
    }


def openai(text: Any, *, finish: str = "stop", **message: Any) -> dict[str, Any]:
    return {
        "model": "open-vlm",
        "choices": [{"message": {"content": text, **message}, "finish_reason": finish}],
        "usage": {"prompt_tokens": 1000, "completion_tokens": 200},
    }


@contextmanager
def serve() -> Iterator[Service]:
    """Serves until the block ends."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            asked = self._note("POST")
            if asked.path.startswith("/upload/"):
                self._upload_starts()
            elif asked.path.startswith("/session/"):
                self._uploaded(asked)
            elif service.answers:
                self._answer(service.answers.pop(0))
            elif asked.path.endswith("/completions"):
                schema = asked.json["response_format"]["json_schema"]["schema"]
                self._json(200, openai(json.dumps(verdict(schema["required"]))))
            else:
                schema = asked.json["generationConfig"]["responseJsonSchema"]
                self._json(200, gemini(json.dumps(verdict(schema["required"]))))

        def do_GET(self) -> None:
            self._json(200, self._file(self._note("GET").path.rpartition("/")[2]))

        def do_DELETE(self) -> None:
            del service.files[self._note("DELETE").path.rpartition("/")[2]]
            self._json(200, {})

        def _note(self, method: str) -> Asked:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            headers = {name.lower(): value for name, value in self.headers.items()}
            service.asked.append(Asked(method=method, path=self.path, headers=headers, body=body))
            return service.asked[-1]

        def _upload_starts(self) -> None:
            name = f"f{len(service.asked)}"
            url = f"{service.url}/session/{name}"
            self._json(200, {}, {"X-Goog-Upload-URL": url, "X-Goog-Upload-Status": "active"})

        def _uploaded(self, asked: Asked) -> None:
            name = asked.path.rpartition("/")[2]
            service.files[name] = asked.body
            self._json(200, {"file": self._file(name)}, {"X-Goog-Upload-Status": "final"})

        def _file(self, name: str) -> dict[str, Any]:
            uri = f"{service.url}/v1beta/files/{name}"
            state = service.states.pop(0) if service.states else "ACTIVE"
            return {"name": f"files/{name}", "uri": uri, "state": state}

        def _answer(self, answer: Answer) -> None:
            if answer.reset:
                self.connection.setsockopt(
                    socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)
                )
                self.connection.close()
                self.close_connection = True
            elif answer.hang:
                service.over.wait()
                self.close_connection = True
            else:
                self._json(answer.status, answer.body, answer.headers)

        def _json(self, status: int, body: Any, headers: Mapping[str, str] | None = None) -> None:
            data = body.encode() if isinstance(body, str) else json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            for name, value in (headers or {}).items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(data)

        def finish(self) -> None:
            if not self.wfile.closed and self.connection.fileno() != -1:
                super().finish()

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    service = Service(url=f"http://127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield service
    finally:
        service.over.set()
        server.shutdown()
        thread.join()
        server.server_close()


def inline(call: Asked, mime: str) -> list[bytes]:
    """The media of one type inside a request."""
    found = [part.get("inlineData", {}) for part in call.json["contents"][0]["parts"]]
    return [base64.urlsafe_b64decode(b["data"]) for b in found if b.get("mime_type") == mime]
