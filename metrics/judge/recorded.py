"""A judge that replays answers from a file: offline, free, the same every time."""

from __future__ import annotations

import json
from codecs import BOM_UTF8
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from a2bench.errors import CannotRun
from a2bench.keys import file_sha256
from a2bench.metrics.judge.protocol import JudgeError, Price, Question, Reply, Shows
from a2bench.networks.component import LoadsAnew
from a2bench.types import Json


@dataclass(frozen=True, kw_only=True)
class Recorded(LoadsAnew):
    """Answers from a JSON-lines file, one answer a line: ``{"case": ..., "reply": ...}``.

    ``reply`` is the judge's text, or its JSON. A line may name its video with ``video_sha256``; it
    then answers for no other. A case's lines, in order, are its repeats. ``a2bench judge export``
    writes such a file. A changed file is another judge.
    """

    path: Path

    @property
    def identity(self) -> Mapping[str, Json]:
        return {"judge": "recorded", "sha256": self._sha256}

    @property
    def shows(self) -> Shows:
        return "nothing"

    @property
    def video_fps(self) -> float:
        return 0.0

    @property
    def max_output_tokens(self) -> int:
        return 0

    @property
    def price(self) -> Price:
        return Price(input_usd=0.0, output_usd=0.0)

    def missing(self) -> tuple[str, ...]:
        try:
            _ = self._answers
        except CannotRun as error:
            return (str(error),)
        return ()

    def ask(self, question: Question, *, timeout_s: float) -> Reply:
        exact = self._answers.get((question.case_id, question.video_sha256), [])
        replies = exact or self._answers.get((question.case_id, ""), [])
        if len(replies) <= question.repeat:
            raise JudgeError(
                f"{self.path} has no answer {question.repeat + 1} for the case {question.case_id} "
                f"and its video {question.video_sha256[:12]}"
            )
        return Reply(text=replies[question.repeat], model="recorded")

    @cached_property
    def _sha256(self) -> str:
        self._require()
        return file_sha256(self.path)

    @cached_property
    def _answers(self) -> dict[tuple[str, str], list[str]]:
        self._require()
        found: dict[tuple[str, str], list[str]] = {}
        data = self.path.read_bytes().removeprefix(BOM_UTF8)
        for number, line in enumerate(data.splitlines(), start=1):
            try:
                row = json.loads(line)
                case, reply = row["case"], row["reply"]
                name = str(case), str(row.get("video_sha256", ""))
            except (ValueError, KeyError, TypeError, AttributeError) as error:
                raise CannotRun(
                    f'{self.path}:{number}: not a line of {{"case": ..., "reply": ...}}'
                ) from error
            text = reply if isinstance(reply, str) else json.dumps(reply)
            found.setdefault(name, []).append(text)
        return found

    def _require(self) -> None:
        if not self.path.is_file():
            raise CannotRun(f"no recorded answers: {self.path} is not a file")
