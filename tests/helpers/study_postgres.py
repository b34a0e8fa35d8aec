"""A PostgreSQL server of our own, for as long as tests run."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
from psycopg import sql
from sqlalchemy import make_url

USER, PASSWORD = "study", "correct-horse-battery"


@contextmanager
def postgresql(*, durable: bool = False) -> Iterator[str]:
    """Starts a server on a free port of this machine and yields a URL with a password.

    Without ``durable`` nothing is forced to the disk. PostgreSQL does not run as root: then it
    runs as nobody, in a folder of nobody's, outside of pytest's, which only root may enter.
    """
    programs = _programs()
    as_user: tuple[str, ...] = ()
    with tempfile.TemporaryDirectory(prefix="a2bench-postgresql-") as name:
        home = Path(name)
        (home / "password").write_text(PASSWORD)
        if os.geteuid() == 0:
            as_user = ("setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups")
            for path in (home, home / "password"):
                shutil.chown(path, "nobody")
        initdb = [*as_user, str(programs / "initdb"), "-D", str(home / "data"), "-U", USER]
        access = ["--auth=scram-sha-256", f"--pwfile={home / 'password'}", "--no-sync"]
        done = subprocess.run([*initdb, *access], cwd=home, capture_output=True, check=False)
        assert done.returncode == 0, done.stderr.decode()
        port = _free_port()
        settings = [f"port={port}", "listen_addresses=127.0.0.1", "unix_socket_directories="]
        settings += [] if durable else ["fsync=off"]
        server = [*as_user, str(programs / "postgres"), "-D", str(home / "data")]
        options = [part for setting in settings for part in ("-c", setting)]
        with (home / "log").open("w") as log:
            process = subprocess.Popen([*server, *options], cwd=home, stdout=log, stderr=log)
        try:
            yield _when_ready(process, port, home / "log")
        finally:
            process.send_signal(signal.SIGQUIT)
            process.wait(timeout=30)


def new_database(server: str) -> str:
    """A fresh database on a server of ``postgresql``."""
    name = f"study_{uuid.uuid4().hex}"
    with psycopg.connect(_plain(server), autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    return make_url(server).set(database=name).render_as_string(hide_password=False)


def _programs() -> Path:
    """The folder of the newest server; Debian keeps it out of the path."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda p: p.parts[-3])
    on_path = shutil.which("initdb")
    found += [Path(on_path).resolve()] if on_path else []
    assert found, "install a PostgreSQL server, as by: apt-get install postgresql"
    return found[-1].parent


def _when_ready(process: subprocess.Popen[bytes], port: int, log: Path) -> str:
    url = f"postgresql+psycopg://{USER}:{PASSWORD}@127.0.0.1:{port}/postgres"
    until = time.monotonic() + 60
    while True:
        assert process.poll() is None, log.read_text()
        try:
            psycopg.connect(_plain(url)).close()
            return url
        except psycopg.OperationalError:
            assert time.monotonic() < until, log.read_text()
            time.sleep(0.05)


def _plain(url: str) -> str:
    return url.replace("postgresql+psycopg", "postgresql")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
