"""The tables of a study, for queries; ``migrations`` makes them, by steps that never change.

No name, address or IP of anybody: a rater is a number, a pseudonym and the hash of a code.
Times are seconds since 1970 (UTC).
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Double,
    ForeignKey,
    Integer,
    MetaData,
    Table,
    Text,
)

metadata = MetaData()

schema = Table("schema_version", metadata, Column("version", Integer, primary_key=True))

study = Table(
    "study",
    metadata,
    Column("id", Integer, primary_key=True),  # always 1: a database holds one study
    Column("key", Text, nullable=False),
    Column("design", Text, nullable=False),
)

invite = Table(
    "invite",
    metadata,
    Column("id", BigInteger, primary_key=True),
    Column("token_sha256", Text, nullable=False, unique=True),
    Column("admin", Boolean, nullable=False),
    Column("made_at", Double, nullable=False),
    Column("spent_at", Double),
)

rater = Table(
    "rater",
    metadata,
    Column("id", BigInteger, primary_key=True),
    Column("code_sha256", Text, nullable=False, unique=True),
    Column("name", Text, nullable=False, unique=True),
    Column("number", Integer, nullable=False),
    Column("joined_at", Double, nullable=False),
)

# One row for each vote that is wanted: an assignment holds a seat or none, a seat one assignment.
seat = Table(
    "seat",
    metadata,
    Column("item", Text, primary_key=True),
    Column("number", Integer, primary_key=True),
)

assignment = Table(
    "assignment",
    metadata,
    Column("id", BigInteger, primary_key=True),
    Column("rater_id", BigInteger, ForeignKey("rater.id"), nullable=False),
    Column("item", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("seat", Integer),
    Column("slots", Text, nullable=False),  # JSON: the clip that each slot shows
    Column("made_at", Double, nullable=False),
    Column("lease_until", Double, nullable=False),
    Column("done_at", Double),
)

rating = Table(
    "rating",
    metadata,
    Column("assignment_id", BigInteger, ForeignKey("assignment.id"), primary_key=True),
    Column("criterion", Text, primary_key=True),
    Column("slot", Integer, primary_key=True),
    Column("revision", Integer, primary_key=True),
    Column("answer", Text, nullable=False),
    Column("score", Integer),
    Column("elapsed_ms", BigInteger, nullable=False),
    Column("plays", Integer, nullable=False),
    Column("stalls", Integer, nullable=False),
    Column("made_at", Double, nullable=False),
)

event = Table(
    "event",
    metadata,
    Column("id", BigInteger, primary_key=True),
    Column("rater_id", BigInteger, ForeignKey("rater.id"), nullable=False),
    Column("kind", Text, nullable=False),
    Column("detail", Text, nullable=False),  # JSON
    Column("made_at", Double, nullable=False),
)
