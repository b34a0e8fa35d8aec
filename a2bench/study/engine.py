"""Connections to the database of a study: SQLite or PostgreSQL, one connection a transaction."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from threading import Lock
from typing import Any, Self

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import (
    ArgumentError,
    DataError,
    DBAPIError,
    IntegrityError,
    NoSuchModuleError,
    SQLAlchemyError,
)

from a2bench.errors import StoreError, UsageError
from a2bench.study.votes import Forbidden

BUSY_S = 20.0
"""How long a writer of SQLite waits for those of other processes."""


class Transactions:
    """Transactions on one database; safe in many threads. ``repr`` does not show the password."""

    def __init__(self, url: str) -> None:
        self._url = _checked(url)
        self._reader = _engine(self._url)
        self._writer = self._reader.execution_options(a2bench_writes=True)
        self._turn = Lock() if self._lite else nullcontext()

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._url.render_as_string(hide_password=True)})"

    @property
    def file(self) -> Path | None:
        """The file of an SQLite database; None for a server."""
        return Path(self._url.database or "") if self._lite else None

    @property
    def _lite(self) -> bool:
        return self._url.get_backend_name() == "sqlite"

    @contextmanager
    def read(self) -> Iterator[Connection]:
        with _told(), self._reader.connect() as connection:
            yield connection

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """All of it is kept, or nothing. SQLite lets one writer in at a time, in no fair order."""
        with _told(), self._turn, self._writer.begin() as connection:
            yield connection

    def close(self) -> None:
        self._reader.dispose()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _checked(text: str) -> URL:
    try:
        url = make_url(text)
    except (ArgumentError, ValueError):
        url = None
    if url is None or url.get_backend_name() not in ("sqlite", "postgresql"):
        raise UsageError(
            "the database must be sqlite:///FILE or postgresql+psycopg://USER:PASSWORD@HOST/NAME"
        )
    if url.drivername == "postgresql":
        url = url.set(drivername="postgresql+psycopg")
    if url.get_backend_name() == "sqlite" and url.database in (None, "", ":memory:"):
        raise UsageError("a study needs a file for SQLite: sqlite:///FILE")
    return url


def _engine(url: URL) -> Engine:
    try:
        # answers and hashes stay out of messages and logs; a server may have been restarted
        engine = create_engine(url, hide_parameters=True, pool_pre_ping=True, max_overflow=30)
    except (ImportError, NoSuchModuleError) as error:
        raise StoreError(f"no driver for {url.drivername}: pip install 'a2bench[study]'") from error
    if url.get_backend_name() == "sqlite":
        event.listen(engine, "connect", _prepare)
        event.listen(engine, "begin", _begin)
    return engine


def _prepare(connection: Any, _record: object) -> None:
    connection.isolation_level = None  # the driver must not begin transactions by itself
    for pragma in (
        f"busy_timeout={BUSY_S * 1000:.0f}",
        "journal_mode=WAL",
        "foreign_keys=ON",
        "synchronous=FULL",  # an answer that was saved outlives a power cut
        "secure_delete=ON",  # what a rater withdraws is overwritten
    ):
        connection.execute(f"PRAGMA {pragma}")


def _begin(connection: Connection) -> None:
    # A transaction that reads first and writes later could not wait for another writer.
    writes = connection.get_execution_options().get("a2bench_writes")
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


@contextmanager
def _told() -> Iterator[None]:
    """The driver's errors as ours, without the SQL."""
    try:
        yield
    except (IntegrityError, DataError) as error:
        raise Forbidden(f"the study's database refused it: {error.orig}") from None
    except SQLAlchemyError as error:
        reason = error.orig if isinstance(error, DBAPIError) else error
        raise StoreError(f"the study's database failed, nothing was kept: {reason}") from None
