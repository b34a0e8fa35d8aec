"""Any program as a generator: a JSON request on its standard input, a video where it says."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Thread
from typing import IO

from a2bench.errors import GeneratorError, UsageError
from a2bench.generator import GeneratorInfo
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
    output, if there is no error). Whatever it has left running is ended with it.

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
        with tempfile.TemporaryFile() as request, _warden() as ward:
            request.write(json.dumps(_request(case, seed, out)).encode("ascii"))
            request.seek(0)  # a file, so that a deaf program blocks nobody
            process = self._start(request)
            ward(process.pid)
            assert process.stdout is not None
            assert process.stderr is not None
            output, errors = _Tail(process.stdout), _Tail(process.stderr)
            code: int | None = None
            try:
                with suppress(subprocess.TimeoutExpired):
                    code = process.wait(self.timeout_s)
            finally:
                _end(process)
        reason = self._failure(code, out)
        if reason:
            said = errors.text() or output.text() or "nothing"
            raise GeneratorError(f"{redact(self.words[0])}: {reason}; it said:\n{said}")

    def _start(self, request: IO[bytes]) -> subprocess.Popen[bytes]:
        try:
            return subprocess.Popen(
                self.words,
                stdin=request,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                start_new_session=True,  # its own process group, so that all of it can be ended
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


_WARDEN = """
import os, signal, sys
group = sys.stdin.readline()
if group and not sys.stdin.readline():
    os.killpg(int(group), signal.SIGKILL)
"""


@contextmanager
def _warden() -> Iterator[Callable[[int], None]]:
    """Ends the group of processes that it is told if this process dies within, however it dies.

    A program in a group of its own is reached by no Ctrl-C, and outlives who started it. So a
    small process watches, which hears the end of its standard input when this one is gone.
    """
    if sys.platform == "win32":
        yield lambda _: None
        return
    with subprocess.Popen(
        (sys.executable, "-I", "-S", "-c", _WARDEN),
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,  # where the group has ended meanwhile
        start_new_session=True,
    ) as process:
        pipe = process.stdin
        assert pipe is not None

        def tell(text: str) -> None:
            with suppress(OSError):
                pipe.write(f"{text}\n".encode())
                pipe.flush()

        yield lambda group: tell(str(group))
        tell("ended")


def _end(process: subprocess.Popen[bytes]) -> None:
    """Ends a program and all that it started, also when it has come to its end by itself."""
    if sys.platform == "win32":
        process.kill()
    else:
        with suppress(ProcessLookupError, PermissionError):  # nobody is left of it
            os.killpg(process.pid, signal.SIGKILL)
    process.wait()
