"""The bytes of a file, from the web into ``NAME.part``: continued, tried again, never for ever."""

from __future__ import annotations

import io
import os
from collections.abc import Callable
from dataclasses import dataclass
from http.client import BadStatusLine, HTTPException, HTTPMessage, HTTPResponse, IncompleteRead
from pathlib import Path
from typing import IO, Any
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import (
    AbstractHTTPHandler,
    HTTPHandler,
    HTTPRedirectHandler,
    HTTPSHandler,
    OpenerDirector,
    Request,
    build_opener,
)

from a2bench.errors import CannotRun
from a2bench.waiting.patience import Patience, passes, retry_after_s

Progress = Callable[[int, int | None], None]
"""Told the bytes that are here, and all there will be (None where the server does not say)."""

BLOCK_BYTES = 1 << 20
WINDOW_S = 60.0
LEAST_BYTES = 64 << 10
"""An attempt that brings less in a window of ``WINDOW_S`` is over."""
_LIMIT_BYTES = 8 << 30
_MAY_PASS = (ConnectionError, TimeoutError, IncompleteRead, BadStatusLine)


@dataclass(frozen=True, kw_only=True)
class Expected:
    """What a file must be, as far as it is known; ``sha256`` may be its first digits."""

    bytes: int | None = None
    sha256: str = ""

    @property
    def limit(self) -> int:
        return _LIMIT_BYTES if self.bytes is None else self.bytes


class _Later(CannotRun):
    """What may be otherwise at the next attempt."""

    def __init__(self, text: str, told_s: float | None = None) -> None:
        super().__init__(text)
        self.told_s = told_s


def transfer(
    url: str, part: Path, expected: Expected, *, progress: Progress, patience: Patience
) -> None:
    """Brings ``url`` into ``part``, which may hold a beginning of it already.

    Tries again what may pass (408, 425, 429, 5xx, lost connections, silence for
    ``patience.call_s``, less than ``LEAST_BYTES`` in ``WINDOW_S``), and ends when
    ``patience.deadline_s`` have brought no more than a block. Raises ``CannotRun`` for this and for
    all else that the network does, ``OSError`` for the disk.
    """
    if urlsplit(url).scheme not in ("https", "http"):
        raise CannotRun(f"{url} is no web address: only http and https are fetched")
    retry, most, since_s = 0, _kept(part, expected), patience.now_s()
    while (kept := _kept(part, expected)) != expected.bytes:
        try:
            return _attempt(url, part, kept, expected, progress, patience)
        except _Later as error:
            now_s, size = patience.now_s(), part.stat().st_size if part.exists() else 0
            if size >= most + BLOCK_BYTES:
                retry, most, since_s = 0, size, now_s
            wait_s = patience.wait_s(retry, error.told_s)
            left_s = since_s + patience.deadline_s - now_s
            if left_s <= wait_s:
                tried = f"given up after {retry + 1} attempts"
                raise CannotRun(f"{error}; {tried}" if retry else str(error)) from error
            again = f"tried again in {wait_s:.0f} s, given up after {left_s:.0f} s"
            patience.tell(f"{error}; {again} without progress")
            patience.sleep(wait_s)
            retry += 1
    return None


def _kept(part: Path, expected: Expected) -> int:
    """How much of a beginning can be used: none where no sha256 tells that the halves fit."""
    size = part.stat().st_size if expected.sha256 and part.exists() else 0
    return size if size <= expected.limit else 0


def _attempt(
    url: str, part: Path, kept: int, expected: Expected, progress: Progress, patience: Patience
) -> None:
    headers = {"User-Agent": "a2bench", "Accept-Encoding": "identity"}
    if kept:
        headers["Range"] = f"bytes={kept}-"
    try:
        request = Request(url, headers=headers)  # noqa: S310 - the scheme was checked
        with _opener(patience).open(request, timeout=patience.call_s) as response:
            return _receive(response, part, kept, expected, progress)
    except HTTPError as error:
        error.close()
        told = f"{url}: the server answered {error.code} {error.reason}"
        if passes(error.code):
            raise _Later(told, retry_after_s(dict(error.headers))) from error
        if error.code != 416 or not kept:
            raise CannotRun(told) from error
    except (URLError, HTTPException, *_MAY_PASS) as error:
        reason = error.reason if isinstance(error, URLError) else error
        told = f"{url}: {reason}"
        raise (_Later if isinstance(reason, _MAY_PASS) else CannotRun)(told) from error
    return _attempt(url, part, 0, expected, progress, patience)  # what was kept is no beginning


def _receive(
    response: HTTPResponse, part: Path, kept: int, expected: Expected, progress: Progress
) -> None:
    """Writes the answer's body to ``part``, from ``kept`` on if the server agreed to that."""
    if response.headers.get_content_type() == "text/html":
        raise CannotRun(f"{response.url} answered with a web page, not with the file")
    resumed = response.status == 206
    if resumed and not response.headers.get("Content-Range", "").startswith(f"bytes {kept}-"):
        part.unlink(missing_ok=True)
        raise CannotRun(f"{response.url} sent another range than asked for; fetch it again")
    done = kept if resumed else 0
    total = None if response.length is None else done + response.length
    if total is not None and total > expected.limit:
        raise CannotRun(f"{response.url} offers {total} bytes, over the {expected.limit} expected")
    with part.open("r+b" if resumed else "wb") as file:
        file.seek(done)
        while block := response.read1(BLOCK_BYTES):  # what is there, not all that was asked for
            done += len(block)
            if done > expected.limit:
                part.unlink()
                raise CannotRun(f"{response.url} sends over {expected.limit} bytes")
            file.write(block)
            progress(done, total)
        file.flush()
        os.fsync(file.fileno())
    if total is not None and done < total:  # a body that ends early raises nothing of itself
        raise ConnectionError(f"it ended after {done} of {total} bytes")


class _WebOnly(HTTPRedirectHandler):
    """Follows a redirect within the web, never from https down to http."""

    def redirect_request(
        self, req: Request, fp: IO[bytes], code: int, msg: str, headers: HTTPMessage, newurl: str
    ) -> Request | None:
        if urlsplit(newurl).scheme not in ("https", req.type):
            raise CannotRun(f"{req.full_url} leads to {newurl}, which is not followed")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


class _Paced(io.RawIOBase):
    """What a socket receives, headers and body; an error where that is too little in a window."""

    def __init__(self, raw: io.RawIOBase | io.BytesIO, now_s: Callable[[], float]) -> None:
        self._raw, self._now_s = raw, now_s
        self._since_s, self._bytes = now_s(), 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        try:
            count = self._raw.readinto(buffer)
        except OSError as error:  # of the network: the disk's are others
            raise ConnectionError(str(error)) from error
        self._bytes += count or 0
        passed_s = self._now_s() - self._since_s
        if passed_s >= WINDOW_S:
            if self._bytes < LEAST_BYTES:
                raise ConnectionError(f"too slow: {self._bytes} bytes in {passed_s:.0f} s")
            self._since_s, self._bytes = self._now_s(), 0
        return count

    def close(self) -> None:
        self._raw.close()
        super().close()


class _Pacing(AbstractHTTPHandler):
    """A handler of urllib whose responses are read at a pace."""

    def __init__(self, now_s: Callable[[], float]) -> None:
        super().__init__()
        self._now_s = now_s

    def do_open(self, http_class: Any, req: Request, **more: Any) -> HTTPResponse:
        def connect(host: str, **options: Any) -> Any:
            connection = http_class(host, **options)
            connection.response_class = self._response
            return connection

        return super().do_open(connect, req, **more)

    def _response(self, sock: Any, **options: Any) -> HTTPResponse:
        response: Any = HTTPResponse(sock, **options)
        response.fp = io.BufferedReader(_Paced(response.fp.detach(), self._now_s))
        return response  # type: ignore[no-any-return]


class _Http(_Pacing, HTTPHandler):
    pass


class _Https(_Pacing, HTTPSHandler):
    pass


def _opener(patience: Patience) -> OpenerDirector:
    return build_opener(_WebOnly, _Http(patience.now_s), _Https(patience.now_s))
