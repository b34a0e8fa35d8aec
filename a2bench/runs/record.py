"""One outcome, and its line in a file: JSON that carries a checksum of itself."""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime
from sys import intern
from typing import Any, Literal, NoReturn

from a2bench.errors import StoreError
from a2bench.keys import canonical_json
from a2bench.types import Json, Status

SCHEMA = 2
"""1, until 0.2: lines have no checksum, videos are named by their keys. It is still read."""

_SHA256 = re.compile("[0-9a-f]{64}")
_CHECK = re.compile(rb'\{"check":"([0-9a-f]{16})",')
_BEGINNING = b'{"check":"' + 16 * b"0" + b'","case_id":"'
_OLD_BEGINNING = b'{"case_id":"'


@dataclass(frozen=True, kw_only=True, slots=True)
class Record:
    """The outcome of one piece of work, named by its content key.

    Only a score of status ``ok`` has a value, and that is finite; anything else raises
    ``ValueError``. ``revision`` numbers the run that wrote it, so that the newest wins without a
    clock. ``licence`` (of a score: that of the metric and of its weights) and ``written_at`` (UTC)
    only inform.
    """

    kind: Literal["video", "score"]
    key: str
    model: str
    case_id: str
    case_key: str
    seed: int
    status: Status
    metric: str = ""
    profile: str = ""
    video_sha256: str = ""
    value: float | None = None
    detail: Mapping[str, Json] = field(default_factory=dict)
    error: str | None = None
    licence: str = ""
    seconds: float = 0.0
    revision: int = 0
    written_at: str = ""

    def __post_init__(self) -> None:
        finite = self.value is not None and math.isfinite(self.value)
        if finite != (self.kind == "score" and self.status is Status.OK):
            raise ValueError(f"a {self.kind} of status {self.status} has the value {self.value}")

    @property
    def final(self) -> bool:
        """Whether the work is done for good; what failed is tried again by the next run."""
        return self.status is not Status.FAILED

    @property
    def read(self) -> tuple[str, ...] | None:
        """The notes of a video; None where the record was made before there were any."""
        notes = self.detail.get("read")
        return None if notes is None else tuple(notes)

    @property
    def rank(self) -> tuple[int, bool, str]:
        """Which of several records of one key counts: the highest, in any order of reading."""
        outcome = [self.status, self.value, self.video_sha256, self.error]
        return self.revision, self.final, canonical_json(outcome)


def newest(records: dict[str, Record], record: Record) -> None:
    """Puts a record among others by their keys, if it counts."""
    held = records.get(record.key)
    if (
        held is None
        or record.revision > held.revision
        or (record.revision == held.revision and record.rank > held.rank)
    ):
        records[record.key] = record


_NUMBER = (int, float)
_TEXT = (str,)
_TYPES: dict[str, tuple[type, ...]] = {
    **dict.fromkeys(("kind", "key", "model", "case_id", "case_key", "status"), _TEXT),
    **dict.fromkeys(("metric", "profile", "video_sha256", "licence", "written_at"), _TEXT),
    **dict.fromkeys(("seed", "revision"), (int,)),
    "value": (*_NUMBER, type(None)),
    "detail": (dict,),
    "error": (str, type(None)),
    "seconds": _NUMBER,
}
_REPEATED = ("model", "case_id", "case_key", "metric", "profile", "video_sha256", "licence")
"""Texts that many records share; in memory they are one."""
_NAMES = tuple(one.name for one in fields(Record))
_KINDS = tuple((name, _TYPES[name]) for name in _NAMES)


def to_line(record: Record) -> bytes:
    """The line of a record: ``{"check":"<16 digits>",...}`` and a newline.

    The check is the beginning of the sha256 of the line without it. A record that was never written
    gets the time of now.
    """
    row = {"schema": SCHEMA, **{name: getattr(record, name) for name in _NAMES}}
    row["written_at"] = record.written_at or datetime.now(UTC).isoformat(timespec="seconds")
    body = canonical_json(row).encode("utf-8", "surrogatepass")
    return b'{"check":"' + _check(body) + b'",' + body[1:] + b"\n"


def from_line(line: bytes) -> Record:
    """The record of a line without its newline.

    Raises ``ValueError`` saying how it is damaged, ``StoreError`` if it is whole and was written by
    a later version.
    """
    row = _checked(line)
    row.setdefault("licence", "")  # older records have none
    try:
        for name, kinds in _KINDS:
            if type(row[name]) not in kinds:
                raise ValueError(f"its {name!r} is {type(row[name]).__name__}")
    except KeyError as error:
        raise ValueError(f"it lacks {error}") from None
    if row["revision"] < 0 or row["kind"] not in ("video", "score"):
        raise ValueError(f"a {row['kind']!r} of revision {row['revision']}")
    notes = row["detail"].get("read", [])
    if not isinstance(notes, list) or not all(isinstance(note, str) for note in notes):
        raise ValueError("its notes are no list of texts")
    row["status"] = Status(row["status"])
    made = row["kind"] == "video" and row["status"] is Status.OK
    if made and not _SHA256.fullmatch(row["video_sha256"]):
        raise ValueError(f"its video has the sha256 {row['video_sha256'][:64]!r}")
    for name in _REPEATED:
        row[name] = intern(row[name])
    return Record(**{name: row[name] for name in _NAMES} if len(row) > len(_NAMES) else row)


def has_check(line: bytes) -> bool:
    """Whether a line has a checksum; none has in older stores."""
    return _CHECK.match(line) is not None


def begins_line(torn: bytes) -> bool:
    """Whether bytes can be the beginning of a line, which is left by who is stopped as they write.

    Zeros, which a file system may leave in place of what was written, cannot.
    """
    head = torn[:10] + re.sub(rb"[0-9a-f]", b"0", torn[10:26]) + torn[26:]
    begins = _BEGINNING.startswith(head[: len(_BEGINNING)])
    old = _OLD_BEGINNING.startswith(torn[: len(_OLD_BEGINNING)])
    return (begins or old) and min(torn, default=32) >= 32  # JSON of ours has no control character


def _checked(line: bytes) -> dict[str, Any]:
    found = _CHECK.match(line)
    body = b"{" + line[found.end() :] if found else line
    if found and found[1] != _check(body):
        raise ValueError("its checksum is not that of its content")
    try:
        row = _DECODER.decode(body.decode("utf-8", "surrogatepass"))
    except RecursionError:
        raise ValueError("it is nested too deep") from None
    if not isinstance(row, dict):
        raise ValueError(f"it is a {type(row).__name__}, no record")
    schema = row.pop("schema", None)
    if found and schema != SCHEMA:
        raise StoreError(f"it was written by another version of a2bench (schema {schema})")
    if not found and schema != 1:
        raise ValueError("it has no checksum")
    return row


def _check(body: bytes) -> bytes:
    return hashlib.sha256(body).hexdigest()[:16].encode()


def _refused(name: str) -> NoReturn:
    raise ValueError(f"it holds {name}")


_DECODER = json.JSONDecoder(parse_constant=_refused)
