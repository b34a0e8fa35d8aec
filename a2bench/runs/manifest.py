"""What a run was asked for, and its file: JSON that carries a checksum of itself."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from a2bench.errors import StoreError
from a2bench.keys import canonical_json, digest
from a2bench.runs.record import SCHEMA
from a2bench.types import Json


def to_file(request: Mapping[str, Json], provenance: Mapping[str, Json], revision: int) -> bytes:
    """The file of a request; the check is the sha256 of its revision and the request."""
    manifest = {
        "schema": SCHEMA,
        "check": digest([revision, request]),
        "revision": revision,
        "request": dict(request),
        "provenance": dict(provenance),
    }
    return canonical_json(manifest).encode("utf-8", "surrogatepass")


def from_file(path: Path) -> dict[str, Any]:
    """The manifest of a file, which is named by the hash of its request.

    Raises ``ValueError`` saying what is wrong, ``StoreError`` for one of a later version.
    """
    try:
        found = json.loads(path.read_bytes())
        request, revision = found["request"], found["revision"]
        canonical_json(found)
        schema, check = found["schema"], found.get("check")
        for name in ("model", "suite", "profile", "metrics"):
            request[name]
        for case_id, case_key, seed, video in request["works"]:
            if [*map(type, (case_id, case_key, seed, video))] != [str, str, int, str]:
                raise ValueError("its works are none")
    except (KeyError, TypeError, RecursionError, AttributeError) as error:
        raise ValueError(f"{type(error).__name__}: {error}") from error
    if type(revision) is not int or revision < 0:
        raise ValueError(f"its revision is {revision!r}")
    if digest(request) != path.stem or (check or schema) not in (digest([revision, request]), 1):
        raise ValueError("its request is not that of its checksum")
    if schema not in (1, SCHEMA):
        raise StoreError(f"{path}: written by another version of a2bench (schema {schema})")
    return dict(found)
