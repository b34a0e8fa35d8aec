"""Faults 11, 13, 15, 17, 30, 31, 34 and 40: bad plug-ins, other orders, other machines."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import asdict, replace
from datetime import datetime, tzinfo
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from a2bench.cli import main
from a2bench.metrics.profiles import lite
from a2bench.registry import choose_metrics
from a2bench.results.leaderboard import collect, to_csv
from a2bench.runs.executors import Executor, Processes, Ray, Serial
from a2bench.runs.loop import Policy, perform, plan
from a2bench.runs.record import Record
from a2bench.runs.store import RunStore
from a2bench.types import Status
from tests.helpers import ROOT
from tests.helpers.fakes import Cured, Level, Misbehaves
from tests.helpers.generators import MyGenerator
from tests.helpers.makers import make_suite
from tests.helpers.runs import ask, command, csv_of, do
from tests.helpers.suites import write_suite


def perform_all(request: Any, store: RunStore, executor: Executor) -> dict[str, Record]:
    perform(request, plan(request, {}, Policy.ONLY_MISSING).jobs, store, executor)
    return store.records()


def test_fault_11_non_finite_values_never_reach_a_file(tmp_path: Path) -> None:
    store = RunStore(tmp_path / "store")
    do(ask(make_suite(tmp_path / "s", 1), Misbehaves(how="nan"), Level()), store)
    text = "".join(p.read_text() for p in (tmp_path / "store" / "records").iterdir())
    assert '"value":NaN' not in text
    assert "non-finite value nan" in text
    assert "nan" not in to_csv(collect([store])).replace("does_nan", "")


def test_fault_13_an_element_that_a_case_lacks_is_not_applicable(tmp_path: Path) -> None:
    store = RunStore(tmp_path / "store")
    do(ask(make_suite(tmp_path / "s", 2), Misbehaves(how="na"), Level()), store)
    (row,) = collect([store])
    cell = row.cell("does_na")
    assert cell.interval is None
    assert cell.counts == {"not_applicable": 2}


def test_fault_15_a_changed_reference_is_a_miss_and_status_explains(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, store = write_suite(tmp_path / "suite", 2), tmp_path / "store"
    assert main(command(path, store, "--in-process")[3:]) == 0
    image = tmp_path / "suite" / "case-001-object.png"
    image.write_bytes((tmp_path / "suite" / "case-002-object.png").read_bytes())
    assert main(command(path, store, "--dry-run")[3:]) == 3  # the manifest's sha256 differs
    assert "case-001-object" in capsys.readouterr().err
    manifest = tmp_path / "suite" / "manifest.csv"
    rows = manifest.read_text().splitlines()
    other = next(r for r in rows if r.startswith("case-002-object")).split(",")[-1]
    rows = [
        ",".join([*r.split(",")[:-1], other]) if r.startswith("case-001-object") else r
        for r in rows
    ]
    manifest.write_text("\n".join(rows) + "\n")
    assert main(command(path, store, "--dry-run")[3:]) == 0
    assert "would make 1 videos and 1 scores" in capsys.readouterr().out
    assert main(["status", str(store), "--suite", str(path)]) == 0
    assert "case-001 has changed since it was run" in capsys.readouterr().out


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", ["../../etc/x", "a/b", "CON", "x" * 300, "a\0b", "\x1b[31mred", "=1+1", "a|b<script>"]
)
def test_fault_17_no_model_name_becomes_a_path(tmp_path: Path, name: str) -> None:
    store = RunStore(tmp_path / "in" / "store")
    generator = MyGenerator(name=name)
    do(ask(make_suite(tmp_path / "s", 1), generator=generator), store)
    stems = {path.stem for path in (tmp_path / "in").rglob("*") if path.is_file()} - {"lock"}
    assert all(set(stem) <= set("0123456789abcdef") for stem in stems)
    assert {path.name for path in tmp_path.iterdir()} == {"in", "s"}
    row = to_csv(collect([store])).splitlines()[1]
    assert "\0" not in row
    assert "\x1b" not in row
    assert not row.startswith("=")


def test_fault_30_a_metric_that_raises_or_returns_nan_is_isolated(tmp_path: Path) -> None:
    store = RunStore(tmp_path / "store")
    metrics = (Misbehaves(how="raise"), Misbehaves(how="nan"), Level())
    records = do(ask(make_suite(tmp_path / "s", 2), *metrics), store)
    counts = [(r.metric, r.status.value) for r in records if r.kind == "score"]
    assert counts.count(("level", "ok")) == 2
    assert counts.count(("does_raise", "failed")) == counts.count(("does_nan", "failed")) == 2


def test_fault_30_a_metric_under_the_name_of_another_is_refused() -> None:
    from a2bench.errors import UsageError

    with pytest.raises(UsageError, match="called 'level', and so is another"):
        choose_metrics(lite(), ["tests.helpers.fakes:Level", "tests.helpers.fakes:Level"])


@pytest.mark.slow
def test_fault_31_a_broken_plugin_is_named_and_list_still_works(tmp_path: Path) -> None:
    info = tmp_path / "broken_plugin-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: broken-plugin\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(
        "[a2bench.generators]\nbroken = no_such_module:Model\ngood = good_plugin:Model\n"
        "[a2bench.metrics]\nbroken_metric = good_plugin:missing\n"
    )
    (tmp_path / "good_plugin.py").write_text(
        "from tests.helpers.generators import MyGenerator\n"
        "class Model(MyGenerator):\n    'A plug-in.'\n"
    )
    environment = {**os.environ, "PYTHONPATH": f"{tmp_path}{os.pathsep}{ROOT}"}

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "a2bench", *arguments],
            env=environment, cwd=ROOT, capture_output=True, text=True, check=False,
        )  # fmt: skip

    models = run("list", "models")
    assert models.returncode == 0, models.stderr
    assert "'broken' of the package 'broken-plugin'" in models.stderr
    assert "collage" in models.stdout
    assert "A plug-in." in models.stdout
    metrics = run("list", "metrics")
    assert metrics.returncode == 0, metrics.stderr
    assert "broken_metric" in metrics.stderr
    assert "id_consistency" in metrics.stdout
    suite = write_suite(tmp_path / "suite", 1)
    done = run(
        "run", "--model", "good", "--suite", str(suite), "--store", str(tmp_path / "store"),
        "--profile", "tests.helpers.fakes:profile",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


def same(records: dict[str, Record]) -> dict[str, str]:
    """The records without what may differ: when, and how long it took."""
    loose = {"seconds": 0, "written_at": ""}
    return {key: json.dumps({**asdict(r), **loose}, sort_keys=True) for key, r in records.items()}


@pytest.mark.slow
def test_fault_34_workers_order_and_ray_give_identical_records(tmp_path: Path) -> None:
    suite = make_suite(tmp_path / "s", 6)
    request = ask(suite, Level(), Misbehaves(how="raise"), seeds=(0, 1))
    cases = list(suite.cases)
    np.random.default_rng(3).shuffle(cases)
    runs: dict[str, tuple[Any, Executor]] = {
        "serial": (request, Serial()),
        "two": (request, Processes(workers=2)),
        "four": (request, Processes(workers=4)),
        "shuffled": (replace(request, cases=tuple(cases)), Serial()),
        "ray": (request, Ray(workers=2)),
    }
    records, tables = {}, {}
    for name, (asked, executor) in runs.items():
        store = RunStore(tmp_path / name)
        records[name] = same(perform_all(asked, store, executor))
        tables[name] = to_csv(collect([store]))
    assert len(records["serial"]) == 12 * 3
    for name in runs:
        assert records[name] == records["serial"], name
        assert tables[name] == tables["serial"], name


@pytest.mark.slow
def test_fault_40_clock_locale_and_zone_change_nothing(tmp_path: Path) -> None:
    suite = write_suite(tmp_path / "suite", 2)
    plain = {"TZ": "UTC", "LC_ALL": "C"}
    odd = {"TZ": "Asia/Kathmandu", "LC_ALL": "de_DE.UTF-8", "LANG": "de_DE.UTF-8"}
    for name, environment in (("plain", plain), ("odd", odd)):
        subprocess.run(
            command(suite, tmp_path / name), cwd=ROOT, check=True, capture_output=True,
            env={**os.environ, **environment},
        )  # fmt: skip
    assert csv_of(tmp_path / "plain") == csv_of(tmp_path / "odd")
    stamps = {r.written_at[-6:] for r in RunStore(tmp_path / "odd").records().values()}
    assert stamps == {"+00:00"}


def test_fault_40_a_clock_that_goes_backwards_brings_back_no_old_outcome(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    suite, store = make_suite(tmp_path / "s", 1), RunStore(tmp_path / "store")
    cured = tmp_path / "cured"
    do(ask(suite, Cured(by=str(cured))), store)

    class Earlier(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> Earlier:
            return cls(1999, 1, 1, tzinfo=tz)

    monkeypatch.setattr("a2bench.runs.record.datetime", Earlier)
    cured.touch()
    do(ask(suite, Cured(by=str(cured))), store)
    (score,) = (r for r in store.records().values() if r.kind == "score")
    assert score.status is Status.OK
    assert score.written_at.startswith("1999")
