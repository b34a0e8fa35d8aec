"""The judge's commands of docs/judge.md, as a user types them."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from a2bench.cli import main
from a2bench.metrics.judge import scores as judge
from tests.helpers import ROOT
from tests.helpers.judges import KEY, SILENT, everything, gemini_service

EXAMPLE = ROOT / "docs" / "judge-example.jsonl"
RUN = ["run", "--model", "collage", "--limit", "3", "--metrics", "judge"]


def test_the_example_of_the_readme_works_offline(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("GEMINI_API_KEY", raising=False)
    monkeypatch.delenv("GOOGLE_API_KEY", raising=False)
    store, out = tmp_path / "store", tmp_path / "x.csv"
    command = [*RUN, "--store", str(store), "--in-process"]
    assert main([*command, "--judge", f"recorded:{EXAMPLE}"]) == 0
    assert main(["leaderboard", str(store), "--out", str(out)]) == 0
    (line,) = pd.read_csv(out).to_dict("records")
    assert line["judge_face_consistency"] == pytest.approx((5 + 5 + 4) / 3)
    assert line["judge_lynx_video_quality_n_ok"] == 3
    assert line["judge_text_flag"] == 0.0
    capfd.readouterr()
    assert main(command) == 3
    assert "export GEMINI_API_KEY" in capfd.readouterr().err


def test_gemini_is_one_option_away_and_its_key_stays_where_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(judge, "FrameText", lambda: SILENT)
    store, out = tmp_path / "store", tmp_path / "x.md"
    command = [*RUN, "--store", str(store), "--in-process", "--judge", "gemini:gemini-2.5-flash"]
    with gemini_service(monkeypatch) as service:
        assert main([*command, "--max-cost", "1", "--judge-rpm", "100"]) == 0
        assert main(command) == 0
        assert len(service.calls) == 3
        assert main([*command, "--policy", "always"]) == 0
        assert len(service.calls) == 6
    assert main(["judge", "costs", str(store)]) == 0
    assert main(["status", str(store)]) == 0
    assert main(["leaderboard", str(store), "--out", str(out)]) == 0
    assert KEY.encode() not in everything(tmp_path)
    assert all(KEY not in text for text in capfd.readouterr())


def test_the_judges_metrics_are_listed_with_every_profile(
    capfd: pytest.CaptureFixture[str],
) -> None:
    assert main(["list", "metrics"]) == 0
    shown = capfd.readouterr().out
    assert "judge_lynx_motion_naturalness" in shown
    assert "judge-a2bench = " in shown
