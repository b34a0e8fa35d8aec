"""Every kind of file in docs/videos.md, with the right pixels or the right reason."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from a2bench.errors import VideoError
from a2bench.video import decode, probe
from tests.helpers.video_files import BLUE, FILES, PAGE, RED, VideoFile, page


@pytest.mark.parametrize("one", FILES, ids=lambda one: one.what)
def test_a_file_becomes_what_the_page_says(one: VideoFile, tmp_path: Path) -> None:
    path = tmp_path / f"a{one.suffix}"
    one.write(path)
    if one.outcome == "refused":
        with pytest.raises(VideoError, match=rf"unreadable video: .*{one.tells}"):
            list(decode(probe(path)))
        return
    video = probe(path)
    assert (video.width, video.height) == one.size
    assert (one.outcome == "converted") == bool(video.notes)
    assert one.tells in "; ".join(video.notes)
    shown = [frame for _, frame in decode(video)]
    assert len(shown) == video.frames
    opaque = 0.2 if "alpha" in one.what else 1.0
    for part, colour in ((np.s_[8:-8, 8:20], RED), (np.s_[8:-8, -20:-8], BLUE)):
        expected = opaque * np.array(colour) + (1 - opaque) * 255
        # a lossy codec moves a flat colour by a few levels; GIF has 256 colours in all
        near = 40 if one.suffix == ".gif" else 8
        for frame in shown:
            assert np.abs(frame[part].mean(axis=(0, 1)) - expected).max() < near


def test_the_page_is_made_of_the_list() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "python -m tests.helpers.video_files"
