"""One file from the web, resumable: into ``NAME.part``, verified, then renamed to ``NAME``."""

from __future__ import annotations

import errno
import os
import shutil
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPException, HTTPMessage, HTTPResponse
from pathlib import Path
from typing import IO
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import HTTPRedirectHandler, Request, build_opener

from a2bench.errors import CannotRun
from a2bench.keys import file_sha256

Progress = Callable[[int, int | None], None]
"""Told the bytes that are here, and all there will be (None where the server does not say)."""

_BLOCK_BYTES = 1 << 20
_LIMIT_BYTES = 8 << 30


@dataclass(frozen=True, kw_only=True)
class Expected:
    """What a file must be, as far as it is known; ``sha256`` may be its first digits."""

    bytes: int | None = None
    sha256: str = ""

    @property
    def limit(self) -> int:
        return _LIMIT_BYTES if self.bytes is None else self.bytes


def silent(done: int, total: int | None) -> None:
    """No progress is shown."""


def download(
    url: str,
    out: Path,
    expected: Expected,
    *,
    progress: Progress = silent,
    timeout_s: float = 60.0,
) -> str:
    """Fetches ``url`` to ``out`` and returns the file's sha256.

    What an interrupted download left is continued (HTTP Range) if a sha256 can tell that the two
    halves fit; a server that ignores the range sends all of it again. Raises ``CannotRun`` for
    anything that went wrong; ``out`` is then as it was before.
    """
    part = _part(out)
    try:
        with _told(url, part):
            part.parent.mkdir(parents=True, exist_ok=True)
            kept = part.stat().st_size if part.exists() and expected.sha256 else 0
            kept = kept if kept <= expected.limit else 0
            if kept != expected.bytes:
                _transfer(url, part, kept, expected, progress, timeout_s)
    except CannotRun as error:
        if not part.exists():
            raise
        if not expected.sha256:
            part.unlink()
            raise
        size = part.stat().st_size
        raise CannotRun(f"{error}; {size} bytes are kept in {part}: fetch goes on there") from error
    return _publish(part, out, expected)


def take_member(archive: Path, member: str, out: Path, expected: Expected) -> str:
    """Takes the member of exactly this name out of a zip archive; returns its sha256.

    The name of a member never becomes a path: ``out`` says where the bytes go.
    """
    part = _part(out)
    try:
        with _told(str(archive), part), zipfile.ZipFile(archive) as zipped:
            size = zipped.getinfo(member).file_size
            if size > expected.limit:
                raise CannotRun(f"{archive}: {member} has {size} bytes, over {expected.limit}")
            with zipped.open(member) as source:
                _write(source, part)
    except KeyError as error:
        raise CannotRun(f"{archive} holds no member {member}") from error
    except (zipfile.BadZipFile, zlib.error, RuntimeError, EOFError) as error:
        part.unlink(missing_ok=True)
        raise CannotRun(f"{archive} is no readable zip archive: {error}; delete it") from error
    return _publish(part, out, expected)


def copy(source: Path, out: Path, expected: Expected) -> str:
    """Copies a file and returns the copy's sha256; a wrong or cut copy never takes the name."""
    part = _part(out)
    with _told(str(source), part), source.open("rb") as file:
        _write(file, part)
    return _publish(part, out, expected)


def _write(source: IO[bytes], part: Path) -> None:
    """All of ``source``, or nothing."""
    part.parent.mkdir(parents=True, exist_ok=True)
    try:
        with part.open("wb") as file:
            shutil.copyfileobj(source, file, _BLOCK_BYTES)
            file.flush()
            os.fsync(file.fileno())
    except OSError:
        part.unlink(missing_ok=True)
        raise


def _publish(part: Path, out: Path, expected: Expected) -> str:
    """Renames what is as expected and returns its sha256; deletes what is not."""
    with _told(str(out), part):
        size, found = part.stat().st_size, file_sha256(part)
        if found.startswith(expected.sha256) and expected.bytes in (None, size):
            part.replace(out)
            return found
        part.unlink()
    wanted = f"sha256 {expected.sha256 or 'unknown'}"
    wanted += "" if expected.bytes is None else f", {expected.bytes} bytes"
    raise CannotRun(
        f"{out.name} arrived with sha256 {found}, {size} bytes; expected {wanted}; "
        "it was deleted; if that happens again, the publisher has changed it"
    )


def _part(out: Path) -> Path:
    """The name under which a file grows."""
    return out.with_name(f"{out.name}.part")


class _WebOnly(HTTPRedirectHandler):
    """Follows a redirect within the web, never from https down to http."""

    def redirect_request(
        self, req: Request, fp: IO[bytes], code: int, msg: str, headers: HTTPMessage, newurl: str
    ) -> Request | None:
        if urlsplit(newurl).scheme not in ("https", req.type):
            raise CannotRun(f"{req.full_url} leads to {newurl}, which is not followed")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _transfer(
    url: str, part: Path, kept: int, expected: Expected, progress: Progress, timeout_s: float
) -> None:
    if urlsplit(url).scheme not in ("https", "http"):
        raise CannotRun(f"{url} is no web address: only http and https are fetched")
    headers = {"User-Agent": "a2bench", "Accept-Encoding": "identity"}
    if kept:
        headers["Range"] = f"bytes={kept}-"
    try:
        request = Request(url, headers=headers)  # noqa: S310 - the scheme was checked
        with build_opener(_WebOnly).open(request, timeout=timeout_s) as response:
            _receive(response, part, kept, expected, progress)
    except HTTPError as error:
        error.close()
        if error.code != 416 or not kept:
            raise
        _transfer(url, part, 0, expected, progress, timeout_s)  # what was kept is no beginning


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
        while block := response.read(_BLOCK_BYTES):
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


@contextmanager
def _told(source: str, part: Path) -> Iterator[None]:
    """Every way in which the network or the disk fails, as ``CannotRun``."""
    try:
        yield
    except HTTPError as error:
        raise CannotRun(f"{source}: the server answered {error.code} {error.reason}") from error
    except (URLError, HTTPException, TimeoutError, ConnectionError) as error:
        reason = error.reason if isinstance(error, URLError) else error
        raise CannotRun(f"{source}: {reason}") from error
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise CannotRun(f"no space left for {part}: free some") from error
        raise CannotRun(f"{source} cannot be stored as {part}: {error}") from error
