"""Runs a program and ends all that it started: a script of its own, between it and who asked.

It is called with the number of a socket, the process that asked, and the words of the program. On
Linux processes that lost their parent become its children, whatever session or group they made for
themselves, so that none gets away; elsewhere it ends the program's group. It does so when the
program has ended, and when the other end of the socket is closed, as it is by any death. Then it
answers: ``exit N`` (negative: a signal), ``start N`` (an errno), or nothing where it ended the
program.
"""

from __future__ import annotations

import os
import select
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress

LINUX = sys.platform == "linux"
_SET_PDEATHSIG, _SET_CHILD_SUBREAPER = 1, 36
_LOOK_S = 0.005
_DEAD = "ZX"


def name_of(asker: int) -> str:
    """The name of the processes that watch over the programs of a process, as ``ps`` shows it."""
    return f"a2ward-{asker}"


def processes() -> Iterator[tuple[int, str, int, int]]:
    """Number, name, parent and group of every process that lives. On Linux."""
    for entry in os.listdir("/proc"):  # noqa: PTH208 - pathlib costs each start of this script
        if entry.isdigit():
            with suppress(OSError), open(f"/proc/{entry}/stat", errors="replace") as file:  # noqa: PTH123
                head, _, rest = file.read().rpartition(")")
                state, parent, group, *_ = rest.split()
                if state not in _DEAD:
                    yield int(entry), head.partition("(")[2], int(parent), int(group)


def descendants(ancestor: int) -> list[int]:
    """All that live and come from a process. On Linux."""
    children: dict[int, list[int]] = {}
    for pid, _, parent, _ in processes():
        children.setdefault(parent, []).append(pid)
    found = [ancestor]
    for pid in found:
        found += children.pop(pid, ())
    return found[1:]


def main(words: Sequence[str]) -> None:
    """The life of this script."""
    line, asker, program = int(words[0]), int(words[1]), words[2:]
    os.set_inheritable(line, False)
    wake, woken = os.pipe()
    os.set_blocking(woken, False)
    signal.set_wakeup_fd(woken)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) != signal.SIG_IGN:  # else the program ignores it, too
            signal.signal(number, lambda *_: None)  # who asked ends in order, and this script after
    signal.signal(signal.SIGCHLD, lambda *_: None)
    if LINUX:
        _control(_SET_CHILD_SUBREAPER, 1)
        with open("/proc/self/comm", "w") as file:  # noqa: PTH123
            file.write(name_of(asker))
    if select.select([line], [], [], 0)[0]:  # who asked is gone
        return
    pid = _start(program, line)
    if not pid:
        return
    code: int | None = None
    while code is None:
        ready, _, _ = select.select([line, wake], [], [])
        if line in ready:
            break
        os.read(wake, 4096)
        code, _ = _reap(pid)
    _end(pid)
    if code is not None:
        _say(line, f"exit {code}")


def _start(words: Sequence[str], line: int) -> int:
    """The program, in a session of its own; 0 where it cannot be started, and why is told."""
    failed, fails = os.pipe()
    pid = os.fork()
    if not pid:
        try:
            for name in ("SIGPIPE", "SIGXFSZ"):  # Python ignores them, which would be inherited
                signal.signal(getattr(signal, name), signal.SIG_DFL)
            os.setsid()
            if LINUX:
                _control(_SET_PDEATHSIG, signal.SIGKILL)
            os.execvp(words[0], [*words])  # noqa: S606 - there is no shell
        except OSError as error:
            os.write(fails, str(error.errno).encode())
        finally:
            os._exit(127)
    os.close(fails)
    if reason := os.read(failed, 16).decode():
        _say(line, f"start {reason}")
    return 0 if reason else pid


def _reap(program: int) -> tuple[int | None, bool]:
    """Buries the dead; the program's exit code if it was one of them, and whether one is left."""
    code = None
    try:
        while (found := os.waitpid(-1, os.WNOHANG))[0]:
            if found[0] == program:
                code = os.waitstatus_to_exitcode(found[1])
    except ChildProcessError:
        return code, False
    return code, True


def _end(program: int) -> None:
    """Kills all that came of the program until nobody is left, but for who may not be killed."""
    if not LINUX:
        _kill(-program)
        return
    while _reap(program)[1]:
        allowed = [_kill(pid) for pid in descendants(os.getpid())]
        if allowed and not any(allowed):
            return
        time.sleep(_LOOK_S)


def _kill(pid: int) -> bool:
    """Kills a process, or a group; whether that is allowed."""
    with suppress(ProcessLookupError):
        try:
            os.kill(pid, signal.SIGKILL)
        except PermissionError:
            return False
    return True


def _control(what: int, value: int) -> None:
    import ctypes

    ctypes.CDLL(None).prctl(what, value, 0, 0, 0)


def _say(line: int, text: str) -> None:
    with suppress(OSError):  # who asked is gone
        os.write(line, text.encode())


if __name__ == "__main__":
    main(sys.argv[1:])
