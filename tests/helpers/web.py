"""A small web server on loopback that can fail, cut, stop, ignore ranges, redirect, give a page."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Web:
    """What the server has, and what it was asked for: (path, Range header).

    ``answers`` are given first: a status with a ``Retry-After``, or 0 for a closed connection.
    After ``stop_after`` bytes of a body the rest comes when ``go_on`` is set.
    """

    url: str
    files: dict[str, bytes] = field(default_factory=dict)
    ranges: bool = True
    wrong_range: bool = False
    sized: bool = True
    content_type: str = "application/octet-stream"
    redirect: str = ""
    cut_after: int | None = None
    stop_after: int | None = None
    go_on: threading.Event = field(default_factory=threading.Event)
    answers: list[tuple[int, str]] = field(default_factory=list)
    asked: list[tuple[str, str]] = field(default_factory=list)


@contextmanager
def serve() -> Iterator[Web]:
    """Serves until the block ends."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked = self.headers.get("Range", "")
            web.asked.append((self.path, asked))
            if web.answers:
                status, retry_after = web.answers.pop(0)
                if status:
                    self.send_response(status)
                    self.send_header("Retry-After", retry_after)
                    self.end_headers()
                return
            if web.redirect:
                self.send_response(302)
                self.send_header("Location", web.redirect)
                self.end_headers()
                return
            if self.path not in web.files:
                self.send_error(404)
                return
            self._send(web.files[self.path], asked)

        def _send(self, whole: bytes, asked: str) -> None:
            found = re.fullmatch(r"bytes=(\d+)-", asked) if web.ranges else None
            start = int(found[1]) if found else 0
            if start and start >= len(whole):
                self.send_error(416)
                return
            body = whole[start:]
            self.send_response(206 if found else 200)
            self.send_header("Content-Type", web.content_type)
            if web.sized:
                self.send_header("Content-Length", str(len(body)))
            if found:
                first = start + web.wrong_range
                self.send_header("Content-Range", f"bytes {first}-{len(whole) - 1}/{len(whole)}")
            self.end_headers()
            body = body[: web.cut_after]
            if web.stop_after is not None:
                self.wfile.write(body[: web.stop_after])
                assert web.go_on.wait(timeout=30)
                body = body[web.stop_after :]
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    web = Web(url=f"http://127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield web
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
