"""Which stores may share a row: those whose videos are the same wherever both hold some."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

from a2bench.keys import digest
from a2bench.runs.record import Record
from a2bench.runs.store import RunStore
from a2bench.types import Json, Status

SUBJECT = ("model", "suite", "profile")


@dataclass(frozen=True, kw_only=True)
class Held:
    """What a store holds: its records, and its requests by subject, the oldest first."""

    store: RunStore
    records: Mapping[str, Record]
    requests: Mapping[str, Sequence[Mapping[str, Any]]]

    def made(self) -> dict[tuple[str, str, str, int], set[str]]:
        """The sha256 of all videos of each model, told by name and in full, case and seed."""
        found: dict[tuple[str, str, str, int], set[str]] = {}
        for request in (one for asked in self.requests.values() for one in asked):
            model = request["model"]["name"], digest(request["model"])
            for _, case_key, seed, key in request["works"]:
                record = self.records.get(key)
                if record is not None and record.status is Status.OK:
                    found.setdefault((*model, case_key, seed), set()).add(record.video_sha256)
        return found

    def videos(self, subject: str) -> dict[tuple[str, int], tuple[str, str]]:
        """The key and sha256 of each case and seed of a subject; no sha256 if it is not made."""
        found = {}
        for request in self.requests[subject]:
            for case_id, _, seed, key in request["works"]:
                record = self.records.get(key)
                made = record is not None and record.status is Status.OK
                found[case_id, seed] = key, record.video_sha256 if record and made else ""
        return found


def held(store: RunStore) -> Held:
    """Reads a store."""
    requests: dict[str, list[Mapping[str, Json]]] = {}
    for manifest in store.manifests():
        request = manifest["request"]
        about = digest({name: request[name] for name in SUBJECT})
        requests.setdefault(about, []).append(request)
    return Held(store=store, records=store.records(), requests=requests)


def shared(found: Sequence[Held], subject: str) -> list[list[Held]]:
    """The stores that hold a subject, in groups that may share a row.

    All of them, unless two hold other videos (another key or sha256) of one case and seed. Then
    only those share one that hold a video in common; the others may be of either.
    """
    holds = [one for one in found if subject in one.requests]
    videos = [one.videos(subject) for one in holds]
    if not any(_differ(a, b) for a, b in combinations(videos, 2)):
        return [holds] if holds else []
    groups: list[list[int]] = []
    for i, mine in enumerate(videos):
        fits = (
            group
            for group in groups
            if not any(_differ(mine, videos[j]) for j in group)
            and any(mine.keys() & videos[j].keys() for j in group)
        )
        group = next(fits, None)
        if group is None:
            groups.append([i])
        else:
            group.append(i)
    return [[holds[i] for i in group] for group in groups]


def clash(a: Held, b: Held) -> str:
    """The model of which two stores hold other videos of one case and seed; empty if of none.

    Of whatever suite and profile: a video is made for all of them.
    """
    for subject in (name for name in a.requests if name in b.requests):
        if _differ(a.videos(subject), b.videos(subject)):
            return str(a.requests[subject][0]["model"]["name"])
    for key in (key for key in a.records if key in b.records):
        one, other = a.records[key], b.records[key]
        both = one.kind == "video" and one.status is other.status is Status.OK
        if both and one.video_sha256 != other.video_sha256:
            return one.model
    mine, theirs = a.made(), b.made()
    for work in (work for work in mine if work in theirs):
        if mine[work] - theirs[work] and theirs[work] - mine[work]:
            return work[0]
    return ""


def origins(groups: Sequence[Sequence[Held]]) -> list[str]:
    """A name for each of several groups: the ends of its stores' paths that tell them apart."""
    if len(groups) < 2:
        return [""] * len(groups)
    parts = [[one.store.root.parts for one in group] for group in groups]
    everyone = [path for group in parts for path in group]
    length = next(
        n
        for n in range(2, max(map(len, everyone)) + 2)
        if len({path[-n:] for path in everyone}) == len(everyone)
    )
    return [" + ".join("/".join(path[-length:]) for path in group) for group in parts]


def _differ(
    a: Mapping[tuple[str, int], tuple[str, str]], b: Mapping[tuple[str, int], tuple[str, str]]
) -> bool:
    """Whether two stores hold other videos of one case and seed."""
    for work in a.keys() & b.keys():
        (key, sha256), (other, other_sha256) = a[work], b[work]
        if key != other or (sha256 and other_sha256 and sha256 != other_sha256):
            return True
    return False
