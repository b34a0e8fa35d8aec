"""Any program as a generator: a JSON request on its standard input, a video where it says."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Thread
from typing import IO

from a2bench.errors import GeneratorError, UsageError
from a2bench.generator import GeneratorInfo
from a2bench.generators import warden
from a2bench.parameters import above_zero
from a2bench.redaction import redact, redacted_line, sealed
from a2bench.types import Case, Json

REQUEST_VERSION = 1
TAIL_CHARACTERS = 4000
_BEGIN = b"-----BEGIN PRIVATE KEY-----\n"
_KEY = re.compile(rb"-----(BEGIN|END) [A-Z ]*(?:PRIVATE KEY|\Z)")


@dataclass(frozen=True, kw_only=True)
class Command:
    """Runs a program once for each case and seed.

    It is started in the current folder, without a shell, and reads one JSON object from its
    standard input (ASCII, paths absolute)::

        {"version": 1, "case": "open-001", "prompt": "...", "seed": 0, "out": "/.../video.mp4",
         "elements": [{"id": "...", "role": "character", "name": "...", "caption": "...",
                       "image": "/.../woman.png"}, ...]}

    ``role`` is character, object or background. The program writes one video file to ``out`` and
    ends with exit code 0. Any other code, a missing video, or more than ``timeout_s`` seconds count
    as a failure of this case, told with the last 4,000 characters of its standard error (of its
    output, if there is no error). Whatever it has left running is ended with it: on Linux all that
    came of it, elsewhere what has stayed in its group of processes.

    The words of ``command`` are part of a video's key and are published with the results, except
    values that look like secrets, of which only a hash is kept. A short one can be guessed from it:
    hand secrets over in the environment. The program's files are not looked at: give another
    ``revision`` when they change.
    """

    command: str | Sequence[str]
    name: str = "command"
    revision: str = ""
    timeout_s: float = 3600.0

    def __post_init__(self) -> None:
        above_zero(self, "timeout_s")
        if not self.words:
            raise UsageError("--command is empty: give a program and its arguments")
        if shutil.which(self.words[0]) is None:
            raise UsageError(f"--command: there is no program {self.words[0]!r} to start")

    @property
    def words(self) -> tuple[str, ...]:
        """The program and its arguments."""
        if not isinstance(self.command, str):
            return tuple(self.command)
        try:
            return tuple(shlex.split(self.command))
        except ValueError as error:
            raise UsageError(f"--command {self.command!r}: {error}") from error

    @property
    def info(self) -> GeneratorInfo:
        return GeneratorInfo(
            name=self.name,
            revision=self.revision,
            params=sealed(
                {"command": shlex.join(self.words)}, {"command": redacted_line(self.words)}
            ),
        )

    def generate(self, case: Case, *, seed: int, out: Path) -> None:
        ours, theirs = socket.socketpair()
        with tempfile.TemporaryFile() as request, ours, theirs:
            request.write(json.dumps(_request(case, seed, out)).encode("ascii"))
            request.seek(0)  # a file, so that a deaf program blocks nobody
            process = self._start(request, theirs)
            theirs.close()
            assert process.stdout is not None
            assert process.stderr is not None
            output, errors = _Tail(process.stdout), _Tail(process.stderr)
            code: int | None = None
            try:
                with suppress(subprocess.TimeoutExpired):
                    code = process.wait(self.timeout_s)
            finally:
                _end(process, ours)
            what, _, number = ours.recv(64).decode().partition(" ")
        if what == "start":
            raise GeneratorError(f"cannot start {self.words[0]!r}: {os.strerror(int(number))}")
        reason = self._failure(int(number) if what else code, out)
        if reason:
            said = errors.text() or output.text() or "nothing"
            raise GeneratorError(f"{redact(self.words[0])}: {reason}; it said:\n{said}")

    def _start(self, request: IO[bytes], line: socket.socket) -> subprocess.Popen[bytes]:
        """The program's warden, which starts it, and ends it when the other end of ``line`` closes.

        So it ends with this process, however that dies. On Windows there is none.
        """
        warded = sys.platform != "win32"
        told = (str(line.fileno()), str(os.getpid()))
        try:
            return subprocess.Popen(
                (sys.executable, "-I", "-S", warden.__file__, *told, *self.words)
                if warded
                else self.words,
                stdin=request,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                pass_fds=(line.fileno(),) if warded else (),
                start_new_session=True,  # a Ctrl-C is for us: we end it
            )
        except OSError as error:
            raise GeneratorError(f"cannot start {self.words[0]!r}: {error.strerror}") from error

    def _failure(self, code: int | None, out: Path) -> str:
        if code is None:
            return f"over its time limit of {self.timeout_s:g} s"
        if code < 0:
            return f"ended by signal {-code} ({signal.strsignal(-code)})"
        if code > 0:
            return f"exit code {code}"
        return "" if out.exists() else "it wrote no video to the path in `out`"


class _Tail:
    """The end of what a pipe brings, read as it comes so that the program never has to wait.

    Secrets are taken out before it is cut, so that none is cut to a part that nothing would find.
    Of a flood, what is kept for that begins with a line or a word, and knows whether it begins
    inside a private key.
    """

    def __init__(self, pipe: IO[bytes]) -> None:
        self._pipe = pipe
        self._end = b""
        self._begin = b""
        self._thread = Thread(target=self._read, daemon=True)
        self._thread.start()

    def text(self) -> str:
        self._thread.join(timeout=1.0)  # a process that broke away may hold the pipe open
        said = (self._begin + self._end).decode("utf-8", "replace")
        return redact(said).strip()[-TAIL_CHARACTERS:]

    def _read(self) -> None:
        with self._pipe as pipe:
            while chunk := os.read(pipe.fileno(), 2**16):
                self._end += chunk
                if len(self._end) > 16 * TAIL_CHARACTERS:
                    self._shorten()

    def _shorten(self) -> None:
        """Forgets all but the last characters, from the start of a line or a word among them."""
        cut = len(self._end) - 8 * TAIL_CHARACTERS
        for start in (rb"\n", rb"\s", rb"[^\w+/=.-]"):
            found = re.compile(start).search(self._end, cut, len(self._end) - 4 * TAIL_CHARACTERS)
            if found:
                cut = found.end()
                break
        gone, self._end = self._begin + self._end[:cut], self._end[cut:]
        marks = _KEY.findall(gone)
        self._begin = _BEGIN if marks and marks[-1] == b"BEGIN" else b""


def _request(case: Case, seed: int, out: Path) -> dict[str, Json]:
    elements = [
        {
            "id": element.id,
            "role": element.role,
            "name": element.name,
            "caption": element.caption,
            "image": str(element.image.absolute()),
        }
        for element in case.elements
    ]
    return {
        "version": REQUEST_VERSION,
        "case": case.id,
        "prompt": case.prompt,
        "elements": elements,
        "seed": seed,
        "out": str(out.absolute()),
    }


def _end(process: subprocess.Popen[bytes], line: socket.socket) -> None:
    """Ends a program and all that it started, also when it has come to its end by itself."""
    if sys.platform == "win32":
        process.kill()
    with suppress(OSError):  # it is gone
        line.shutdown(socket.SHUT_WR)
    process.wait()
