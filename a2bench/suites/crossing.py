"""Subjects by prompts: every person in every scene, or a balanced part of that, as a suite."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from random import Random

from a2bench.errors import UsageError
from a2bench.suites.importing import Draft, Picture, opened
from a2bench.types import Suite

NAME = "{name}"
"""In a prompt, what is replaced by the subject's name."""
PERSON = "person"


def cross(
    subjects: Path, prompts: Path, out: Path, *, sample: int | None = None, seed: int = 0
) -> Suite:
    """The suite of every subject with every prompt in the folder ``out``, new or empty.

    ``subjects`` is a folder of pictures, one a subject; those in a subfolder are named by it
    (``woman/anna.jpg``), others ``person``. ``prompts`` is a text of one prompt a line; ``{name}``
    in it becomes the subject's name, and lines that begin with ``#`` are left out. Cases are called
    ``s01-p01``. ``sample`` takes so many of them, drawn by ``seed``, such that no two subjects, and
    no two prompts, differ by more than one in how often they come; the version says so.

    The layout of Lynx's evaluation (arXiv 2509.15496, section 4: 40 subjects by 20 prompts, whose
    pictures and prompts were not published). Raises as ``import_official`` does.
    """
    source = opened(prompts, subjects, out)
    texts = {
        number: line.strip()
        for number, line in enumerate(source.lines(), start=1)
        if line.strip() and not line.startswith("#")
    }
    pictures = sorted(path for path in subjects.rglob("*") if path.is_file())
    if not pictures:
        raise UsageError(f"{subjects} holds no picture")
    count = len(pictures) * len(texts)
    if sample is not None and not 0 < sample <= count:
        raise UsageError(f"--sample {sample}: there are {count} cases")
    draft, told = Draft(source, subjects), list(texts.items())
    drawn = _pairs(len(pictures), len(told), sample or count, Random(seed))  # noqa: S311 - no secret
    for at, number in sorted(drawn):
        path, (line, text) = pictures[at], told[number]
        folder = path.relative_to(subjects).parts[:-1]
        name = folder[0] if folder else PERSON
        file = path.relative_to(subjects).as_posix()
        element = draft.element(line, "subject", Picture(file=file, role="character", name=name))
        case_id = f"s{at + 1:02d}-p{number + 1:02d}"
        draft.case(line, case_id, text.replace(NAME, name), [element], "")
    version = f"{len(pictures)}x{len(told)}" + (f"-{sample}-seed{seed}" if sample else "")
    return draft.write("cross", out, version=version)


def _pairs(n: int, m: int, count: int, random: Random) -> Iterator[tuple[int, int]]:
    """So many different pairs of n and m things, each as often as another, or once more."""
    ours, theirs = random.sample(range(n), n), random.sample(range(m), m)
    turn = math.lcm(n, m) or 1
    for at in range(count):
        yield ours[at % n], theirs[(at + at // turn) % m]
