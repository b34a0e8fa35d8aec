"""500 videos as chance would have them: none may crash or hang, none that is damaged may pass.

Each is made from a seed: an encoder, a container, a rate, a shape of pixels and colours by chance,
then by chance some bytes are changed or its end is cut. It is probed and scored for quality by
the profile lite in a worker that is watched. Beside it FFmpeg decodes it plainly and tells what it
saw.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from fractions import Fraction
from multiprocessing import get_context
from pathlib import Path
from typing import Any, NamedTuple

import av
import numpy as np
from av.video.frame import VideoFrame
from av.video.stream import VideoStream
from numpy.typing import NDArray
from pebble import ProcessExpired, ProcessPool

from a2bench.errors import VideoError
from a2bench.features import FeatureBank
from a2bench.registry import build_profile
from a2bench.runs.executors import single_thread
from a2bench.types import Case
from a2bench.video import probe

COUNT = 500
LIMIT_S = 60.0
ENCODERS = (
    ("libx264", "yuv420p", (".mp4", ".mkv", ".ts", ".mov")),
    ("libx264", "yuv420p10le", (".mp4", ".mkv")),
    ("libx265", "yuv420p", (".mp4", ".mkv")),
    ("libvpx-vp9", "yuv420p", (".webm",)),
    ("libvpx-vp9", "yuva420p", (".webm",)),
    ("libvpx", "yuv420p", (".webm",)),
    ("libsvtav1", "yuv420p", (".mp4", ".webm")),
    ("mpeg4", "yuv420p", (".avi", ".mp4")),
    ("wmv2", "yuv420p", (".wmv",)),
    ("mjpeg", "yuvj420p", (".avi", ".mov")),
    ("gif", "rgb8", (".gif",)),
    ("ffv1", "yuv444p", (".mkv",)),
    ("prores_ks", "yuv422p10le", (".mov",)),
)


class Outcome(NamedTuple):
    """What became of a video: ``scored`` or ``refused`` with the reason, and what FFmpeg saw."""

    kind: str
    reason: str
    damaged: bool
    reported: bool
    seconds: float


def make(seed: int, folder: Path) -> tuple[Path, bool]:
    """A video and whether it was damaged."""
    random = np.random.default_rng(seed)
    codec, pix_fmt, suffixes = ENCODERS[random.integers(len(ENCODERS))]
    path = folder / f"{seed}{suffixes[random.integers(len(suffixes))]}"
    width, height = (int(side) * 16 for side in random.integers(4, 16, 2))
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=int(random.choice([5, 8, 12, 15, 24, 30])))
        assert isinstance(stream, VideoStream)
        stream.width, stream.height, stream.pix_fmt = width, height, pix_fmt
        if random.random() < 0.3:
            stream.codec_context.sample_aspect_ratio = Fraction(int(random.integers(1, 4)), 2)
        if random.random() < 0.3:
            stream.codec_context.colorspace = int(random.choice([1, 5, 9]))
        if random.random() < 0.1:
            stream.codec_context.color_trc = int(random.choice([1, 16, 18]))
        for array in frames(random, width, height):
            container.mux(stream.encode(VideoFrame.from_ndarray(array, format="rgb24")))
        container.mux(stream.encode(None))
    data = bytearray(path.read_bytes())
    fate = random.random()
    if fate < 0.35:  # bytes changed
        for place in random.integers(len(data) // 4, len(data), int(random.integers(1, 60))):
            data[place] = random.integers(256)
    elif fate < 0.55:  # cut off
        del data[int(len(data) * random.uniform(0.3, 0.999)) :]
    path.write_bytes(data)
    return path, fate < 0.55


def frames(random: np.random.Generator, width: int, height: int) -> Iterator[NDArray[np.uint8]]:
    """A texture that moves, so that every frame has something to lose."""
    wide = random.integers(0, 256, (height // 8 + 1, width // 8 + 60, 3), np.uint8)
    wide = wide.repeat(8, 0).repeat(8, 1)
    for index in range(int(random.integers(2, 40))):
        yield np.ascontiguousarray(wide[:height, 4 * index : 4 * index + width])


def reported(path: Path) -> bool:
    """Whether FFmpeg, asked plainly, finds damage: an error, or a frame that it had to guess."""
    try:
        with av.open(str(path)) as container:
            return any(frame.is_corrupt for frame in container.decode(video=0))
    except (av.error.FFmpegError, IndexError, UnicodeDecodeError):
        return True


def examine(seed: int) -> Outcome:
    single_thread()
    av.logging.set_level(None)
    with tempfile.TemporaryDirectory() as folder:
        path, damaged = make(seed, Path(folder))
        seen = reported(path)
        start = time.perf_counter()
        try:
            video = probe(path)
            metrics = [m for m in build_profile("lite").metrics if m.info.needs == ("video",)]
            case = Case(id="c", prompt="p", elements=())
            bank = FeatureBank(case, video, [e for metric in metrics for e in metric.extractors])
            for metric in (metric for metric in metrics if metric.extractors):
                metric.score(case, bank)
            kind, reason = "scored", ""
        except VideoError as error:
            kind, reason = "refused", str(error).rpartition("): ")[2]
        except Exception as error:  # noqa: BLE001 - a metric may say that it is not applicable
            kind, reason = type(error).__name__, str(error)
        return Outcome(kind, reason, damaged, seen, time.perf_counter() - start)


def main(count: int = COUNT) -> None:
    found: dict[int, Any] = {}
    with ProcessPool(max_workers=2, context=get_context("spawn")) as pool:
        jobs = {
            seed: pool.schedule(examine, args=(seed,), timeout=LIMIT_S) for seed in range(count)
        }
        for seed, job in jobs.items():
            try:
                found[seed] = job.result()
            except TimeoutError:
                found[seed] = "hung"
            except ProcessExpired as error:
                found[seed] = f"crashed ({error.exitcode})"
    lost = {seed: one for seed, one in found.items() if isinstance(one, str)}
    outcomes = {seed: one for seed, one in found.items() if seed not in lost}
    passed = [s for s, o in outcomes.items() if o.reported and o.kind != "refused"]
    print(f"{count} videos: {dict(Counter(one.kind for one in outcomes.values()))}")
    print(f"  crashed or hung: {lost or 'none'}")
    print(f"  damaged {sum(o.damaged for o in outcomes.values())}, of which FFmpeg reports "
          f"{sum(o.damaged and o.reported for o in outcomes.values())} and a2bench refuses "
          f"{sum(o.damaged and o.kind == 'refused' for o in outcomes.values())}")  # fmt: skip
    print(f"  reported by FFmpeg and not refused: {passed or 'none'}")
    whole = [o for o in outcomes.values() if not o.damaged and o.kind == "refused"]
    print(f"  undamaged and refused: {dict(Counter(o.reason for o in whole)) or 'none'}")
    others = {s: o for s, o in outcomes.items() if o.kind not in ("scored", "refused")}
    print(f"  other outcomes: {dict(Counter(f'{o.kind}: {o.reason}' for o in others.values()))}")
    print(f"  slowest: {max(o.seconds for o in outcomes.values()):.1f} s")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else COUNT)
