from __future__ import annotations

import hashlib
import os
import sys
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from filelock import FileLock

from a2bench.checkpoints.files import Checkpoints, State, default_root
from a2bench.checkpoints.table import TABLE, Checkpoint, File
from a2bench.cli import checkpoints as cli_checkpoints
from a2bench.cli import main
from a2bench.errors import CannotRun, UnknownName, UsageError
from a2bench.waiting.patience import Patience
from tests.helpers import ROOT
from tests.helpers.web import Web, serve

A, B = b"weights a" * 500, b"weights b" * 300
CONFIG = b'{"size": 1}'
HUB = "https://huggingface.co/owner/model/resolve/abc"


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def table(url: str) -> tuple[Checkpoint, ...]:
    """One of each kind: published sha256, none, a folder of the hub, an archive."""
    a = File(name="a.pth", url=f"{url}/a.pth", bytes=len(A), sha256=sha256(A))
    members = (
        File(name="a.onnx", member="in/a.onnx", bytes=len(A), sha256=sha256(A)),
        File(name="b.onnx", member="in/b.onnx", bytes=len(B), sha256=sha256(B)),
    )
    folder = (
        File(name="model.safetensors", url=f"{HUB}/model.safetensors", sha256=sha256(B)),
        File(name="config.json", url=f"{HUB}/config.json"),
    )
    return (
        Checkpoint(name="one", purpose="faces", licence="MIT", files=(a,)),
        Checkpoint(
            name="unpublished",
            purpose="heads",
            licence="MIT",
            files=(File(name="b.pth", url=f"{url}/b.pth"),),
        ),
        Checkpoint(name="hub-model", purpose="masks", licence="MIT", files=folder),
        Checkpoint(
            name="pack",
            purpose="ids",
            licence="research only",
            accept="pack-nc",
            archive=File(name="pack.zip", url=f"{url}/pack.zip"),
            files=members,
        ),
    )


@pytest.fixture
def web(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Web]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    for name in ("HF_ENDPOINT", "HF_HUB_OFFLINE", "A2BENCH_OFFLINE"):
        monkeypatch.delenv(name, raising=False)
    with zipfile.ZipFile(tmp_path / "pack.zip", "w") as archive:
        archive.writestr("in/a.onnx", A)
        archive.writestr("in/b.onnx", B)
        archive.writestr("../evil.onnx", b"evil")
    with serve() as web:
        web.files = {
            "/a.pth": A,
            "/b.pth": B,
            "/pack.zip": (tmp_path / "pack.zip").read_bytes(),
            "/owner/model/resolve/abc/model.safetensors": B,
            "/owner/model/resolve/abc/config.json": CONFIG,
        }
        yield web


@pytest.fixture
def held(web: Web, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Checkpoints:
    held = Checkpoints(root=tmp_path / "root", table=table(web.url))
    monkeypatch.setattr(cli_checkpoints, "_held", lambda: held)
    return held


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def touch(path: Path, data: bytes) -> None:
    """Writes, with another time of change, as any later writer would."""
    path.write_bytes(data)
    os.utime(path, ns=(1, path.stat().st_mtime_ns + 1_000_000))


def test_a_file_is_fetched_once_and_pinned(held: Checkpoints, web: Web) -> None:
    assert held.state("one") is State.MISSING
    path = held.fetch("one")
    assert path == held.root / "one" / "a.pth" == held.locate("one") == held.path("one")
    assert path.read_bytes() == A
    assert names(path.parent) == ["a.pth", "a.pth.pin.json"]
    assert held.sha256("one") == {"a.pth": sha256(A)}
    assert held.state("one") is State.PRESENT
    held.fetch("one")
    assert len(web.asked) == 1


def test_a_second_process_waits_tells_it_and_finds_the_file(held: Checkpoints, web: Web) -> None:
    first, lines = FileLock(held.root / "one.lock"), []
    held.root.mkdir()
    first.acquire()

    def while_it_waits(line: str) -> None:
        lines.append(line)
        path = held.path("one")
        path.parent.mkdir()
        path.write_bytes(A)  # as the first process would
        first.release()

    patience = Patience(tell=while_it_waits)
    assert held.fetch("one", patience=patience).read_bytes() == A
    assert lines == ["checkpoint one: another process is at it; waiting for that"]
    assert web.asked == []


def test_what_is_here_needs_no_lock(held: Checkpoints) -> None:
    path = held.fetch("one")
    with FileLock(held.root / "one.lock"):
        assert held.fetch("one", patience=Patience(tell=pytest.fail)) == path


def test_a_folder_that_cannot_be_locked_is_told(held: Checkpoints) -> None:
    (held.root / "one.lock").mkdir(parents=True)
    with pytest.raises(CannotRun, match=r"one.lock cannot be locked: (.|\n)*without internet: put"):
        held.fetch("one")


def test_what_is_missing_is_told_with_the_way_to_get_it(held: Checkpoints, web: Web) -> None:
    with pytest.raises(CannotRun) as told:
        held.locate("pack")
    path = held.root / "pack" / "a.onnx"
    assert str(told.value).splitlines() == [
        f"checkpoint pack is missing: {path}",
        f"expected sha256: {sha256(A)}",
        "fetch it: a2bench checkpoints fetch pack --accept-licence pack-nc",
        f"without internet: put in/a.onnx of {web.url}/pack.zip at {path}, "
        "or run a2bench checkpoints import FOLDER",
    ]


def test_a_name_that_is_not_known_is_told_with_the_nearest(held: Checkpoints) -> None:
    with pytest.raises(UnknownName, match=r"no checkpoint 'pac'; did you mean pack\?"):
        held.fetch("pac")


def test_a_file_without_a_published_sha256_is_held_to_the_first_bytes(
    held: Checkpoints, web: Web
) -> None:
    path = held.fetch("unpublished")
    touch(path, b"something else")
    assert held.state("unpublished") is State.NOT_VERIFIED
    with pytest.raises(CannotRun, match=f"is damaged.*\nexpected sha256: {sha256(B)}"):
        held.locate("unpublished")
    path.unlink()
    web.files["/b.pth"] = b"the publisher changed it"
    with pytest.raises(CannotRun, match=f"expected sha256 {sha256(B)}"):
        held.fetch("unpublished")
    web.files["/b.pth"] = B
    assert held.fetch("unpublished").read_bytes() == B


def test_the_first_digits_of_a_sha256_are_held_and_pinned(held: Checkpoints, web: Web) -> None:
    short = replace(held.table[1].files[0], sha256=sha256(B)[:8])
    held = replace(held, table=(replace(held.table[1], files=(short,)),))
    held.fetch("unpublished")
    web.files["/b.pth"] = A
    held.path("unpublished").unlink()
    with pytest.raises(CannotRun, match=f"expected sha256 {sha256(B)}"):
        held.fetch("unpublished")


def test_a_damaged_file_is_told_and_fetched_anew(held: Checkpoints) -> None:
    path = held.fetch("one")
    touch(path, A[:-1] + b"x")
    with pytest.raises(CannotRun, match=f"is damaged: {path} has sha256 {sha256(A[:-1] + b'x')}"):
        held.locate("one")
    path.write_bytes(A[:-1])
    assert held.state("one") is State.DAMAGED
    assert held.fetch("one").read_bytes() == A


def test_a_change_that_keeps_size_and_time_is_found_by_verify(held: Checkpoints) -> None:
    path = held.fetch("one")
    stat = path.stat()
    path.write_bytes(A[:-1] + b"x")
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert held.locate("one") == path
    with pytest.raises(CannotRun, match="is damaged"):
        held.sha256("one", anew=True)


@pytest.mark.parametrize("pin", ["", "[]", "{}", '{"sha256": 1, "size": 1, "mtime_ns": 1}'])
def test_a_pin_that_cannot_be_read_only_costs_a_hash(held: Checkpoints, pin: str) -> None:
    path = held.fetch("unpublished")
    path.with_name("b.pth.pin.json").write_text(pin)
    assert held.state("unpublished") is State.NOT_VERIFIED
    assert held.locate("unpublished") == path
    assert held.state("unpublished") is State.PRESENT


def test_the_members_of_an_archive_are_fetched_with_one_download(
    held: Checkpoints, web: Web, tmp_path: Path
) -> None:
    assert held.fetch("pack", accept=["pack-nc"]) == held.root / "pack"
    pins = ["a.onnx", "a.onnx.pin.json", "b.onnx", "b.onnx.pin.json"]
    assert names(held.root / "pack") == pins
    assert [path for path, _ in web.asked] == ["/pack.zip"]
    assert not list(tmp_path.rglob("evil*"))


def test_a_licence_that_is_not_accepted_fetches_nothing(held: Checkpoints, web: Web) -> None:
    with pytest.raises(UsageError, match=r"\(research only\).*fetch pack --accept-licence pack-nc"):
        held.fetch("pack")
    with pytest.raises(UsageError, match=r"no checkpoint has the licence pack; known: .*pack-nc"):
        held.fetch("pack", accept=["pack"])
    assert web.asked == []


def test_the_hub_is_fetched_from_its_mirror(held: Checkpoints, web: Web) -> None:
    folder = held.fetch("hub-model", environ={"HF_ENDPOINT": f"{web.url}/"})
    assert folder == held.root / "hub-model"
    assert (folder / "config.json").read_bytes() == CONFIG
    held.fetch("one", environ={"HF_ENDPOINT": "http://127.0.0.1:9"})  # not of the hub


@pytest.mark.parametrize("flag", ["A2BENCH_OFFLINE", "HF_HUB_OFFLINE"])
def test_offline_nothing_is_asked_and_the_way_by_hand_is_told(
    held: Checkpoints, web: Web, flag: str
) -> None:
    with pytest.raises(CannotRun, match=r"the network is off") as told:
        held.fetch("one", environ={flag: "1"})
    assert sha256(A) in str(told.value)
    assert str(held.path("one")) in str(told.value)
    assert web.asked == []
    held.fetch("one", environ={flag: "0"})
    assert held.fetch("one", environ={flag: "1"}) == held.path("one")


def test_import_knows_a_file_by_its_sha256(held: Checkpoints, tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    (disk / "deep").mkdir(parents=True)
    (disk / "deep" / "blob").write_bytes(A)
    (disk / "a.pth").write_bytes(b"another file of that name")
    (disk / "deep" / "same size").write_bytes(bytes(len(A)))
    assert held.import_folder(disk) == {"one": ("a.pth",), "pack": ("a.onnx",)}
    assert held.locate("one").read_bytes() == A
    assert held.import_folder(disk) == {}


def test_import_follows_the_links_of_a_cache_of_the_hub(held: Checkpoints, tmp_path: Path) -> None:
    snapshot = tmp_path / "cache" / "snapshots" / "hub-model"
    snapshot.mkdir(parents=True)
    (tmp_path / "blob").write_bytes(B)
    (snapshot / "model.safetensors").symlink_to(tmp_path / "blob")
    (snapshot / "config.json").write_bytes(CONFIG)
    assert held.import_folder(tmp_path / "cache")["hub-model"] == (
        "model.safetensors",
        "config.json",
    )
    assert not (held.locate("hub-model") / "model.safetensors").is_symlink()


def test_import_takes_an_unpublished_file_by_its_name(held: Checkpoints, tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    (disk / "other").mkdir(parents=True)
    (disk / "b.pth").write_bytes(B)
    (disk / "other" / "config.json").write_bytes(b"of another model")
    held = replace(held, table=(*held.table, replace(held.table[2], name="hub-model-2")))
    assert held.import_folder(disk) == {"unpublished": ("b.pth",), "pack": ("b.onnx",)}


def test_import_takes_the_members_of_an_archive(held: Checkpoints, tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    data = (tmp_path / "pack.zip").read_bytes()
    (disk / "pack.zip").write_bytes(data)
    pack = held.table[3]
    published = File(name="pack.zip", sha256=sha256(data))
    held = replace(held, table=(replace(pack, archive=published),))
    assert held.import_folder(disk) == {"pack": ("a.onnx", "b.onnx")}
    assert held.locate("pack") == held.root / "pack"


def test_import_wants_a_folder(held: Checkpoints, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is no folder"):
        held.import_folder(tmp_path / "absent")


def test_the_root_is_named_or_in_the_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", "/c")
    monkeypatch.setenv("A2BENCH_CHECKPOINTS", "/data/a")
    assert default_root() == Path("/data/a")
    monkeypatch.delenv("A2BENCH_CHECKPOINTS")
    assert default_root() == Path("/c/a2bench/checkpoints")
    monkeypatch.delenv("XDG_CACHE_HOME")
    if sys.platform == "linux":
        assert default_root() == Path.home() / ".cache" / "a2bench" / "checkpoints"


def test_fetch_by_command(held: Checkpoints, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["checkpoints", "fetch", "one", "unpublished"]) == 0
    told = capsys.readouterr()
    assert told.out.splitlines() == [
        f"one: {held.path('one')}",
        f"unpublished: {held.path('unpublished')}",
    ]
    assert "one: 0.0 of 0.0 MB" in told.err


def test_fetch_by_command_wants_a_name(
    held: Checkpoints, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["checkpoints", "fetch"]) == 1
    assert main(["checkpoints", "fetch", "on"]) == 1
    assert "name a checkpoint, or give --all" in capsys.readouterr().err


def test_a_licence_is_accepted_by_command(
    held: Checkpoints,
    web: Web,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("HF_ENDPOINT", web.url)
    assert main(["checkpoints", "fetch", "--all"]) == 1
    command = "a2bench checkpoints fetch pack --accept-licence pack-nc"
    assert command in capsys.readouterr().err
    assert web.asked == []  # refused before anything is fetched
    assert main(["checkpoints", "fetch", "--all", "--accept-licence", "pack-nc"]) == 0
    assert {held.state(checkpoint.name) for checkpoint in held.table} == {State.PRESENT}


def test_a_fetch_that_fails_exits_3(
    held: Checkpoints, web: Web, capsys: pytest.CaptureFixture[str]
) -> None:
    web.files.clear()
    assert main(["checkpoints", "fetch", "one"]) == 3
    assert "the server answered 404" in capsys.readouterr().err


def test_verify_hashes_anew_and_exits_2_on_damage(
    held: Checkpoints, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["checkpoints", "verify"]) == 0
    assert f"no checkpoint in {held.root}" in capsys.readouterr().out
    held.fetch("one")
    held.fetch("unpublished")
    assert main(["checkpoints", "verify"]) == 0
    assert f"one: a.pth whole, sha256 {sha256(A)}" in capsys.readouterr().out
    held.path("one").write_bytes(b"x")
    assert main(["checkpoints", "verify"]) == 2
    told = capsys.readouterr()
    assert "checkpoint one is damaged" in told.err
    assert "unpublished: b.pth whole" in told.out
    assert main(["checkpoints", "verify", "unpublished"]) == 0
    assert main(["checkpoints", "verify", "pack"]) == 2


def test_import_by_command_tells_what_came_and_what_is_not_here(
    held: Checkpoints, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    assert main(["checkpoints", "import", str(disk)]) == 2
    (disk / "b.pth").write_bytes(B)
    capsys.readouterr()
    assert main(["checkpoints", "import", str(disk)]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "unpublished: b.pth",
        "pack: b.onnx",
        "not here: one, hub-model, pack",
    ]


def test_list_and_path_by_command(held: Checkpoints, capsys: pytest.CaptureFixture[str]) -> None:
    held.fetch("one")
    assert main(["checkpoints", "list"]) == 0
    shown = capsys.readouterr().out
    assert str(held.root) in shown
    assert "research only (pack-nc)" in shown
    assert "present" in next(line for line in shown.splitlines() if "one" in line)
    assert "missing" in next(line for line in shown.splitlines() if "pack" in line)
    assert main(["checkpoints", "path", "pack"]) == 0
    assert capsys.readouterr().out == f"{held.root / 'pack'}\n"


def test_the_mirror_and_the_folder_come_from_the_environment(
    web: Web, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_ENDPOINT", web.url)
    monkeypatch.setenv("A2BENCH_CHECKPOINTS", str(tmp_path / "shared disk"))
    assert main(["checkpoints", "fetch", "amt-s", "--accept-licence", "CC-BY-NC-4.0"]) == 3
    assert web.asked == [("/lalala125/AMT/resolve/main/amt-s.pth", "")]
    assert names(tmp_path / "shared disk") == ["amt-s", "amt-s.lock"]


@pytest.mark.parametrize("checkpoint", TABLE, ids=[c.name for c in TABLE])
def test_each_row_of_the_table_can_be_fetched_and_told(checkpoint: Checkpoint) -> None:
    assert checkpoint.name == checkpoint.name.lower()
    assert checkpoint.purpose
    assert checkpoint.licence
    restricted = "non-commercial" in checkpoint.licence or "CC-BY-NC" in checkpoint.licence
    assert bool(checkpoint.accept) == restricted
    for file in (*checkpoint.files, *filter(None, [checkpoint.archive])):
        in_archive = checkpoint.archive not in (None, file)
        assert file.url.startswith("https://") != in_archive
        assert bool(file.member) == in_archive
        assert Path(file.name).name == file.name
        assert len(file.sha256) in (0, 8, 64)
        assert not set(file.sha256) - set("0123456789abcdef")


def test_no_two_rows_have_one_name() -> None:
    assert len({c.name for c in TABLE}) == len(TABLE)


def test_the_page_names_each_licence_that_must_be_accepted() -> None:
    page = (ROOT / "docs" / "checkpoints.md").read_text(encoding="utf-8")
    for checkpoint in TABLE:
        named = f"| `{checkpoint.name}` |" in page
        assert named == bool(checkpoint.accept)
        assert f"--accept-licence {checkpoint.accept}" in page
