from __future__ import annotations

from pathlib import Path

import pytest

from a2bench.errors import MetricError, VideoError
from a2bench.features import FeatureBank
from a2bench.video import probe
from tests.helpers.fakes import BreaksOnFrame, Levels
from tests.helpers.makers import make_case, write_video


def test_one_decode_serves_every_extractor_with_its_own_frames(tmp_path: Path) -> None:
    video = probe(write_video(tmp_path / "v.mp4", frames=9))
    every, few = Levels(), Levels(sampling="linspace-3")
    bank = FeatureBank(make_case(tmp_path), video, [every, few, Levels()])
    assert (len(bank[every]), len(bank[few])) == (9, 3)
    assert bank[few] == [bank[every][i] for i in (0, 4, 8)]
    assert bank.decodes == 1


def test_a_padded_policy_pushes_the_last_frame_again(tmp_path: Path) -> None:
    video = probe(write_video(tmp_path / "v.mp4", frames=3))
    levels = Levels(sampling="middle-8")
    features = FeatureBank(make_case(tmp_path), video, [levels])[levels]
    assert len(features) == 8
    assert len(set(features[2:])) == 1


def test_a_broken_extractor_spoils_only_its_own_features(tmp_path: Path) -> None:
    video = probe(write_video(tmp_path / "v.mp4"))
    breaks, levels = BreaksOnFrame(), Levels()
    bank = FeatureBank(make_case(tmp_path), video, [breaks, levels])
    with pytest.raises(RuntimeError, match="no such network"):
        bank[breaks]
    assert len(bank[levels]) == 9
    assert bank.decodes == 1


def test_an_undeclared_extractor_is_refused_before_decoding(tmp_path: Path) -> None:
    video = probe(write_video(tmp_path / "v.mp4"))
    bank = FeatureBank(make_case(tmp_path), video, [])
    with pytest.raises(MetricError, match="not listed"):
        bank[Levels()]
    assert bank.decodes == 0


def test_a_video_that_breaks_off_fails_every_reader_after_one_attempt(tmp_path: Path) -> None:
    path = write_video(tmp_path / "v.mp4", frames=30)
    video = probe(path)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    levels = Levels()
    bank = FeatureBank(make_case(tmp_path), video, [levels])
    for _ in range(2):
        with pytest.raises(VideoError, match="unreadable video"):
            bank[levels]
    assert bank.decodes == 1
