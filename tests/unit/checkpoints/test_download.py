from __future__ import annotations

import errno
import hashlib
import os
import socket
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from http.client import HTTPMessage
from io import BytesIO
from itertools import count
from pathlib import Path
from typing import NoReturn
from urllib.request import Request

import pytest

from a2bench.checkpoints import transfer as module
from a2bench.checkpoints.download import copy, download, take_member
from a2bench.checkpoints.transfer import Expected
from a2bench.errors import CannotRun
from a2bench.waiting.patience import Patience
from tests.helpers.clocks import Clock
from tests.helpers.web import Web, serve

DATA = bytes(range(256)) * 40
SHA256 = hashlib.sha256(DATA).hexdigest()
WHOLE = Expected(bytes=len(DATA), sha256=SHA256)
NONE = Patience(deadline_s=0)


@pytest.fixture
def web(monkeypatch: pytest.MonkeyPatch) -> Iterator[Web]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with serve() as web:
        web.files["/weights.pth"] = DATA
        yield web


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def part(out: Path) -> Path:
    return out.with_name(f"{out.name}.part")


def test_a_file_arrives_with_progress_and_leaves_nothing_else(web: Web, tmp_path: Path) -> None:
    out, shown = tmp_path / "new" / "weights.pth", []

    def show(done: int, total: int | None) -> None:
        shown.append((done, total))

    assert download(f"{web.url}/weights.pth", out, WHOLE, progress=show) == SHA256
    assert out.read_bytes() == DATA
    assert shown[-1] == (len(DATA), len(DATA))
    assert names(out.parent) == ["weights.pth"]


def test_a_size_that_is_not_told_is_no_obstacle(web: Web, tmp_path: Path) -> None:
    web.sized = False
    shown = []
    out = tmp_path / "weights.pth"
    download(f"{web.url}/weights.pth", out, Expected(), progress=lambda *p: shown.append(p))
    assert out.read_bytes() == DATA
    assert shown[-1] == (len(DATA), None)


def test_a_cut_download_goes_on_where_it_stopped(web: Web, tmp_path: Path) -> None:
    out = tmp_path / "weights.pth"
    web.cut_after = 3000
    with pytest.raises(CannotRun, match="3000 of 10240 bytes; 3000 bytes are kept in"):
        download(f"{web.url}/weights.pth", out, WHOLE, patience=NONE)
    assert part(out).read_bytes() == DATA[:3000]
    assert not out.exists()
    web.cut_after = None
    assert download(f"{web.url}/weights.pth", out, WHOLE) == SHA256
    assert [asked for _, asked in web.asked] == ["", "bytes=3000-"]
    assert names(tmp_path) == ["weights.pth"]


def test_a_server_that_ignores_the_range_sends_all_again(web: Web, tmp_path: Path) -> None:
    out = tmp_path / "weights.pth"
    part(out).write_bytes(b"the beginning of something")
    web.ranges = False
    assert download(f"{web.url}/weights.pth", out, WHOLE) == SHA256
    assert web.asked == [("/weights.pth", "bytes=26-")]


def test_a_part_that_the_server_cannot_continue_is_fetched_anew(web: Web, tmp_path: Path) -> None:
    out = tmp_path / "weights.pth"
    part(out).write_bytes(DATA + b"too long")
    assert download(f"{web.url}/weights.pth", out, Expected(sha256=SHA256)) == SHA256
    assert [asked for _, asked in web.asked] == ["bytes=10248-", ""]


def test_a_part_longer_than_the_file_is_not_continued(web: Web, tmp_path: Path) -> None:
    out = tmp_path / "weights.pth"
    part(out).write_bytes(DATA + b"too long")
    assert download(f"{web.url}/weights.pth", out, WHOLE) == SHA256
    assert [asked for _, asked in web.asked] == [""]


def test_a_part_that_is_whole_needs_no_server(tmp_path: Path) -> None:
    out = tmp_path / "weights.pth"
    part(out).write_bytes(DATA)
    assert download("http://127.0.0.1:9/weights.pth", out, WHOLE) == SHA256


def test_another_range_than_asked_for_is_refused(web: Web, tmp_path: Path) -> None:
    out = tmp_path / "weights.pth"
    part(out).write_bytes(DATA[:100])
    web.wrong_range = True
    with pytest.raises(CannotRun, match="another range than asked for"):
        download(f"{web.url}/weights.pth", out, WHOLE)
    assert not part(out).exists()


def test_without_a_sha256_nothing_is_kept_to_go_on_from(web: Web, tmp_path: Path) -> None:
    out = tmp_path / "weights.pth"
    web.cut_after = 3000
    with pytest.raises(CannotRun, match=r"3000 of 10240 bytes$"):
        download(f"{web.url}/weights.pth", out, Expected(), patience=NONE)
    assert names(tmp_path) == []


@pytest.mark.parametrize(
    "expected",
    [Expected(sha256="0" * 64), Expected(sha256="abcd1234"), Expected(bytes=len(DATA) + 1)],
)
def test_what_is_not_as_expected_is_deleted(web: Web, tmp_path: Path, expected: Expected) -> None:
    out = tmp_path / "weights.pth"
    out.write_bytes(b"the file before")
    with pytest.raises(CannotRun, match=f"sha256 {SHA256}, 10240 bytes; expected sha256"):
        download(f"{web.url}/weights.pth", out, expected)
    assert out.read_bytes() == b"the file before"
    assert names(tmp_path) == ["weights.pth"]


def test_the_first_digits_of_a_sha256_are_enough(web: Web, tmp_path: Path) -> None:
    expected = Expected(sha256=SHA256[:8])
    assert download(f"{web.url}/weights.pth", tmp_path / "weights.pth", expected) == SHA256


@pytest.mark.parametrize(("sized", "text"), [(True, "offers 10240"), (False, "sends over 5000")])
def test_more_than_expected_is_not_stored(web: Web, tmp_path: Path, sized: bool, text: str) -> None:
    web.sized = sized
    with pytest.raises(CannotRun, match=text):
        download(f"{web.url}/weights.pth", tmp_path / "w", Expected(bytes=5000, sha256=SHA256))
    assert names(tmp_path) == []


def test_a_page_is_not_the_file(web: Web, tmp_path: Path) -> None:
    web.content_type = "text/html; charset=utf-8"
    with pytest.raises(CannotRun, match="answered with a web page"):
        download(f"{web.url}/weights.pth", tmp_path / "weights.pth", WHOLE)
    assert names(tmp_path) == []


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def told() -> list[str]:
    """What was said of waits."""
    return []


@pytest.fixture
def patience(clock: Clock, told: list[str]) -> Patience:
    """Waits that take no time."""
    return Patience(
        deadline_s=300,
        now_s=clock.now_s,
        sleep=clock.sleep,
        random=lambda: 0.5,
        tell=told.append,
    )


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504, 0])
def test_what_may_pass_is_tried_again(
    web: Web, tmp_path: Path, clock: Clock, patience: Patience, status: int
) -> None:
    web.answers = [(status, "soon"), (status, "soon")]
    assert download(f"{web.url}/weights.pth", tmp_path / "w", WHOLE, patience=patience) == SHA256
    assert clock.slept == [0.75, 1.5]
    assert len(web.asked) == 3


def test_a_server_that_tells_how_long_to_wait_is_heard(
    web: Web, tmp_path: Path, clock: Clock, patience: Patience, told: list[str]
) -> None:
    web.answers = [(503, "120")]
    assert download(f"{web.url}/weights.pth", tmp_path / "w", WHOLE, patience=patience) == SHA256
    assert clock.slept == [120.25]
    assert told == [
        f"{web.url}/weights.pth: the server answered 503 Service Unavailable; "
        "tried again in 120 s, given up after 300 s without progress"
    ]


def test_a_wait_beyond_the_deadline_is_not_begun(
    web: Web, tmp_path: Path, clock: Clock, patience: Patience
) -> None:
    web.answers = [(429, "3600")]
    with pytest.raises(CannotRun, match=r"the server answered 429 Too Many Requests$"):
        download(f"{web.url}/weights.pth", tmp_path / "w", WHOLE, patience=patience)
    assert clock.slept == []


def test_a_server_that_stays_busy_is_given_up(
    web: Web, tmp_path: Path, clock: Clock, patience: Patience
) -> None:
    web.answers = [(503, "")] * 100
    with pytest.raises(CannotRun, match="answered 503 Service Unavailable; given up after 12 att"):
        download(f"{web.url}/weights.pth", tmp_path / "w", WHOLE, patience=patience)
    assert clock.slept == [0.75, 1.5, 3.0, 6.0, 12.0, 24.0, 45.0, 45.0, 45.0, 45.0, 45.0]


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410])
def test_what_does_not_pass_is_not_tried_again(
    web: Web, tmp_path: Path, clock: Clock, patience: Patience, status: int
) -> None:
    web.answers = [(status, "1")]
    with pytest.raises(CannotRun, match=f"the server answered {status}"):
        download(f"{web.url}/weights.pth", tmp_path / "w", WHOLE, patience=patience)
    assert (len(web.asked), clock.slept) == (1, [])


def test_what_is_cut_again_and_again_goes_on_where_it_stopped(
    web: Web, tmp_path: Path, patience: Patience
) -> None:
    web.cut_after = 4000
    assert download(f"{web.url}/weights.pth", tmp_path / "w", WHOLE, patience=patience) == SHA256
    assert [asked for _, asked in web.asked] == ["", "bytes=4000-", "bytes=8000-"]


def test_progress_starts_the_patience_anew(
    web: Web, tmp_path: Path, clock: Clock, patience: Patience
) -> None:
    data = bytes(5 << 20)
    web.files["/weights.pth"], web.cut_after = data, 1 << 20
    expected = Expected(bytes=len(data), sha256=hashlib.sha256(data).hexdigest())
    download(f"{web.url}/weights.pth", tmp_path / "w", expected, patience=patience)
    assert clock.slept == [0.75] * 4


def test_without_a_sha256_what_is_cut_at_one_place_is_given_up(
    web: Web, tmp_path: Path, clock: Clock, patience: Patience
) -> None:
    web.files["/weights.pth"], web.cut_after = bytes(5 << 20), 2 << 20
    with pytest.raises(CannotRun, match="2097152 of 5242880 bytes; given up after 12 attempts"):
        download(f"{web.url}/weights.pth", tmp_path / "w", Expected(), patience=patience)
    assert names(tmp_path) == []


def test_a_server_that_drips_is_left_and_what_came_is_kept(
    web: Web, tmp_path: Path, clock: Clock, patience: Patience
) -> None:
    out, web.stop_after = tmp_path / "weights.pth", 1000

    def a_minute_passes(done: int, total: int | None) -> None:
        clock.at_s += 60
        web.go_on.set()

    url, impatient = f"{web.url}/weights.pth", replace(patience, deadline_s=60)
    with pytest.raises(CannotRun, match=r"too slow: \d+ bytes in 60 s; 1000 bytes are kept in"):
        download(url, out, WHOLE, progress=a_minute_passes, patience=impatient)
    assert part(out).read_bytes() == DATA[:1000]
    assert download(url, out, WHOLE, patience=patience) == SHA256
    assert [asked for _, asked in web.asked] == ["", "bytes=1000-"]


def test_headers_that_drip_are_left_too(web: Web, tmp_path: Path) -> None:
    hours = Patience(deadline_s=0, now_s=count(0, 3600).__next__)
    with pytest.raises(CannotRun, match="too slow"):
        download(f"{web.url}/weights.pth", tmp_path / "weights.pth", WHOLE, patience=hours)
    assert names(tmp_path) == []


def test_the_pace_is_that_of_each_window(clock: Clock) -> None:
    paced = module._Paced(BytesIO(bytes(2 * module.LEAST_BYTES)), clock.now_s)
    assert len(paced.read(1)) == 1
    clock.sleep(module.WINDOW_S)
    assert len(paced.read(module.LEAST_BYTES - 1)) == module.LEAST_BYTES - 1
    clock.sleep(module.WINDOW_S - 1)
    assert len(paced.read(1)) == 1
    clock.sleep(1)
    with pytest.raises(ConnectionError, match="too slow: 2 bytes in 60 s"):
        paced.read(1)


def test_what_the_server_answers_is_told(web: Web, tmp_path: Path) -> None:
    with pytest.raises(CannotRun, match=f"{web.url}/gone: the server answered 404 Not Found"):
        download(f"{web.url}/gone", tmp_path / "weights.pth", WHOLE)


def test_a_server_that_is_not_there_is_told(tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))  # bound and not listening: nobody answers
        url = f"http://127.0.0.1:{free.getsockname()[1]}/weights.pth"
        with pytest.raises(CannotRun, match="refused"):
            download(url, tmp_path / "weights.pth", WHOLE, patience=NONE)


def test_a_server_that_says_nothing_is_given_up(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as mute:
        url = f"http://127.0.0.1:{mute.getsockname()[1]}/weights.pth"
        with pytest.raises(CannotRun, match="timed out"):
            download(url, tmp_path / "weights.pth", WHOLE, patience=replace(NONE, call_s=0.05))


@pytest.mark.parametrize("target", ["ftp://127.0.0.1/weights.pth", "file:///etc/hostname"])
def test_a_redirect_leads_nowhere_but_to_the_web(web: Web, tmp_path: Path, target: str) -> None:
    web.redirect = target
    with pytest.raises(CannotRun, match=r"is not (followed|allowed)"):
        download(f"{web.url}/weights.pth", tmp_path / "weights.pth", WHOLE)
    assert names(tmp_path) == []


def test_a_redirect_to_another_server_is_followed(web: Web, tmp_path: Path) -> None:
    with serve() as other:
        other.redirect = f"{web.url}/weights.pth"
        download(f"{other.url}/weights.pth", tmp_path / "weights.pth", WHOLE)
    assert web.asked == [("/weights.pth", "")]


def test_a_redirect_from_https_to_http_is_refused() -> None:
    asked = Request("https://example.org/weights.pth")
    headers, to = HTTPMessage(), "http://example.org/w"
    with pytest.raises(CannotRun, match=f"leads to {to}, which is not followed"):
        module._WebOnly().redirect_request(asked, BytesIO(), 302, "Found", headers, to)


def test_only_the_web_is_fetched_from(tmp_path: Path) -> None:
    with pytest.raises(CannotRun, match="only http and https are fetched"):
        download("file:///etc/hostname", tmp_path / "weights.pth", WHOLE)


def no_space(_: int) -> NoReturn:
    raise OSError(errno.ENOSPC, "No space left on device")


def test_a_full_disk_is_told_and_what_came_is_kept(
    web: Web, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "weights.pth"
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", no_space)
        with pytest.raises(CannotRun, match=f"no space left for {out}.part: free some; 10240"):
            download(f"{web.url}/weights.pth", out, WHOLE)
    assert not out.exists()
    assert download(f"{web.url}/weights.pth", out, WHOLE) == SHA256


def test_a_full_disk_leaves_no_half_copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = tmp_path / "source"
    source.write_bytes(DATA)
    monkeypatch.setattr(os, "fsync", no_space)
    with pytest.raises(CannotRun, match="no space left"):
        copy(source, tmp_path / "out", WHOLE)
    assert names(tmp_path) == ["source"]


@pytest.mark.parametrize("expected", [WHOLE, Expected()])
def test_a_folder_that_cannot_be_made_is_told(web: Web, tmp_path: Path, expected: Expected) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(CannotRun, match="cannot be stored as"):
        download(f"{web.url}/weights.pth", tmp_path / "file" / "weights.pth", expected)


def archive(path: Path, members: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as zipped:
        for name, data in members.items():
            zipped.writestr(name, data)
    return path


def test_one_member_is_taken_and_no_other_leaves_the_archive(tmp_path: Path) -> None:
    members = {"../evil.pth": b"evil", "/evil.pth": b"evil", "models/weights.pth": DATA}
    path = archive(tmp_path / "models.zip", members)
    out = tmp_path / "in" / "weights.pth"
    assert take_member(path, "models/weights.pth", out, WHOLE) == SHA256
    assert names(tmp_path) == ["in", "models.zip"]
    assert names(out.parent) == ["weights.pth"]


def test_a_member_with_a_bad_path_is_written_where_we_say(tmp_path: Path) -> None:
    path = archive(tmp_path / "models.zip", {"../../evil.pth": DATA})
    out = tmp_path / "a" / "b" / "weights.pth"
    take_member(path, "../../evil.pth", out, WHOLE)
    assert sorted(p.name for p in tmp_path.rglob("*") if p.is_file()) == [
        "models.zip",
        "weights.pth",
    ]


def test_an_archive_without_the_member_is_told(tmp_path: Path) -> None:
    path = archive(tmp_path / "models.zip", {"weights.pth": DATA})
    with pytest.raises(CannotRun, match=r"holds no member models/weights.pth"):
        take_member(path, "models/weights.pth", tmp_path / "weights.pth", WHOLE)


def test_a_member_that_grows_beyond_its_size_is_refused(tmp_path: Path) -> None:
    path = archive(tmp_path / "models.zip", {"weights.pth": bytes(1 << 20)})
    with pytest.raises(CannotRun, match="has 1048576 bytes, over 10240"):
        take_member(path, "weights.pth", tmp_path / "weights.pth", WHOLE)
    assert names(tmp_path) == ["models.zip"]


@pytest.mark.parametrize("damage", ["cut", "byte"])
def test_a_damaged_archive_gives_nothing(tmp_path: Path, damage: str) -> None:
    path = archive(tmp_path / "models.zip", {"weights.pth": DATA})
    data = bytearray(path.read_bytes())
    data[60] ^= 255
    path.write_bytes(data[:80] if damage == "cut" else data)
    with pytest.raises(CannotRun, match="is no readable zip archive"):
        take_member(path, "weights.pth", tmp_path / "weights.pth", WHOLE)
    assert names(tmp_path) == ["models.zip"]
