from __future__ import annotations

import json
import pickle
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from a2bench.criteria import criteria
from a2bench.errors import CannotRun, UsageError
from a2bench.judging.ledger import Ledger
from a2bench.judging.options import JudgeOptions, with_judge
from a2bench.metric import Profile, metric_identity
from a2bench.metrics.judge import judgement
from a2bench.metrics.judge.contract import rubric_sha256
from a2bench.metrics.judge.gemini import Gemini
from a2bench.metrics.judge.openai import KEY as OPENAI_KEY
from a2bench.metrics.judge.openai import OpenAi
from a2bench.metrics.judge.protocol import Price
from a2bench.metrics.judge.scores import JudgeScore, judge_of
from a2bench.metrics.judge.visible_text import FrameText
from a2bench.registry import choose_metrics
from a2bench.results.leaderboard import collect
from a2bench.runs.executors import Processes
from a2bench.runs.loop import Policy, perform, plan
from a2bench.runs.store import RunStore
from a2bench.types import Status
from tests.helpers.clocks import Clock
from tests.helpers.fakes import Level
from tests.helpers.judge_server import SCORE, Answer, gemini, inline, openai, serve, verdict
from tests.helpers.judges import KEY, ask, everything, gemini_service, judge_metrics
from tests.helpers.makers import make_case, make_suite
from tests.helpers.runs import do

FACE = "judge_face_consistency"


def written(path: Path, *lines: dict[str, Any]) -> Path:
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


@pytest.mark.slow
def test_one_request_a_video_gives_all_scores_and_the_second_run_makes_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = RunStore(tmp_path / "store")
    with gemini_service(monkeypatch) as service:
        request = ask(make_suite(tmp_path / "s", 2), judge_metrics(store))
        request.prepare()
        records = [r for r in do(request, store) if r.kind == "score"]
        assert len(service.calls) == 2
        assert do(request, store) == []
        assert len(service.calls) == 2
    assert len(records) == 2 * 15
    assert {r.value for r in records if r.metric != "judge_text_flag"} == {SCORE}
    face = next(r for r in records if r.metric == FACE)
    assert face.detail["reasons"] == ["face_consistency as seen"]
    (told,) = face.detail["requests"]
    assert (told["tokens_in"], told["tokens_out"], told["attempts"]) == (1000, 250, 1)
    assert told["model"] == "gemini-2.5-pro-stand-in"
    assert told["cost_usd"] == pytest.approx((1000 * 1.25 + 250 * 10) / 1e6)
    call = service.calls[0]
    assert call.path.endswith("/models/gemini-2.5-pro:generateContent")
    assert call.headers["x-goog-api-key"] == KEY
    assert call.json["generationConfig"]["temperature"] == 0
    (video,) = inline(call, "video/mp4")
    videos = [path.read_bytes() for path in (tmp_path / "store" / "videos").rglob("*.mp4")]
    assert video in videos
    assert len(inline(call, "image/jpeg")) == 3
    assert [p["videoMetadata"] for p in _parts(call) if "videoMetadata" in p] == [{"fps": 8.0}]


def _parts(call: Any) -> list[Any]:
    found: list[Any] = call.json["contents"][0]["parts"]
    return found


def test_large_media_go_by_the_files_api_and_are_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = RunStore(tmp_path / "store")
    with gemini_service(monkeypatch) as service:
        metrics = judge_metrics(store, judge=Gemini(inline_bytes=100))
        records = do(ask(make_suite(tmp_path / "s", 1), metrics), store)
        paths = [(a.method, a.path.split("/")[-1]) for a in service.asked]
        uploaded = next(a for a in service.asked if a.path.startswith("/session/"))
    assert {r.status for r in records} == {Status.OK}
    assert [method for method, _ in paths] == ["POST", "POST", "POST", "DELETE"]
    assert uploaded.body == next((tmp_path / "store" / "videos").rglob("*.mp4")).read_bytes()
    (file,) = [part for part in _parts(service.calls[0]) if "fileData" in part]
    assert file["fileData"]["file_uri"].endswith(paths[1][1])
    assert file["videoMetadata"] == {"fps": 8.0}
    assert service.files == {}


@pytest.mark.slow
def test_an_uploaded_video_is_waited_for_and_removed_even_if_it_cannot_be_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("a2bench.metrics.judge.gemini._PROCESSING_POLL_S", 0.001)
    store = RunStore(tmp_path / "store")
    with gemini_service(monkeypatch) as service:
        service.states = ["PROCESSING", "PROCESSING", "ACTIVE", "PROCESSING", "FAILED"]
        metrics = judge_metrics(store, judge=Gemini(inline_bytes=100))
        records = do(ask(make_suite(tmp_path / "s", 2), metrics), store)
        assert [a.method for a in service.asked].count("GET") == 3
        assert service.files == {}
    first, second = [r for r in records if r.metric == FACE]
    assert first.status is Status.OK
    assert "cannot read the uploaded video; try --judge-frames" in str(second.error)


@pytest.mark.slow
def test_a_changed_byte_or_word_is_a_miss_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, suite = RunStore(tmp_path / "store"), make_suite(tmp_path / "s", 1)
    with gemini_service(monkeypatch) as service:
        do(ask(suite, judge_metrics(store)), store)
        assert do(ask(suite, judge_metrics(store)), store) == []
        for field, changed in (
            ("criteria", _reworded),
            ("repeats", lambda judged: judged.repeats + 1),
            ("frames", lambda judged: judged.frames + 4),
        ):
            metrics = tuple(_with(m, field, changed) for m in judge_metrics(store))
            work = plan(ask(suite, metrics), store.records(), Policy.ONLY_MISSING)
            assert work.scores == (1, 15)  # the flag reads no judge
        blob = next((tmp_path / "store" / "videos").rglob("*.mp4"))
        blob.write_bytes(blob.read_bytes() + b"\0")
        assert len(service.calls) == 1
        do(replace(ask(suite, judge_metrics(store)), seeds=(0, 1)), store)
        assert len(service.calls) == 2  # the other seed's video; the first is made anew, the same


def _with(metric: Any, field: str, changed: Any) -> Any:
    if not hasattr(metric, "judged"):
        return metric
    return replace(metric, judged=replace(metric.judged, **{field: changed(metric.judged)}))


def _reworded(judged: Any) -> Any:
    first, *others = judged.criteria
    return (replace(first, question=first.question + " Really?"), *others)


@pytest.mark.slow
def test_what_was_paid_once_is_not_asked_again_in_another_profile(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, suite = RunStore(tmp_path / "store"), make_suite(tmp_path / "s", 1)
    with gemini_service(monkeypatch) as service:
        do(ask(suite, judge_metrics(store)), store)
        again = do(replace(ask(suite, judge_metrics(store)), profile="other"), store)
        assert len(service.calls) == 1
        assert {r.detail["requests"][0]["reused"] for r in again if "requests" in r.detail} == {
            True
        }
        do(replace(ask(suite, judge_metrics(store, reuse=False)), profile="third"), store)
        assert len(service.calls) == 2


def test_repeats_give_a_mean_and_a_spread(tmp_path: Path) -> None:
    store, suite = RunStore(tmp_path / "store"), make_suite(tmp_path / "s", 1)
    ids = [m.info.name.removeprefix("judge_") for m in judge_metrics(store)][:-1]
    lines = [{"case": "case-001", "reply": verdict(ids, score)} for score in (2, 5)]
    spec = f"recorded:{written(tmp_path / 'r.jsonl', *lines)}"
    records = do(ask(suite, judge_metrics(store, spec=spec, repeats=2)), store)
    face = next(r for r in records if r.metric == FACE)
    assert (face.value, face.detail["scores"], face.detail["spread"]) == (3.5, [2, 5], 3)
    three = do(ask(suite, judge_metrics(store, spec=spec, repeats=3)), store)
    assert {r.error and r.error.split(" for ")[0] for r in three} == {
        f"{tmp_path}/r.jsonl has no answer 3"
    }


def test_an_openai_endpoint_is_shown_frames(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, suite = RunStore(tmp_path / "store"), make_suite(tmp_path / "s", 1)
    monkeypatch.setenv(OPENAI_KEY, KEY)
    with serve() as service:
        spec = f"openai:{service.url}/v1#open-vlm"
        records = do(ask(suite, judge_metrics(store, spec=spec, frames=4, price="1,2")), store)
        (call,) = service.calls
    assert call.path == "/v1/chat/completions"
    assert call.headers["authorization"] == f"Bearer {KEY}"
    content = call.json["messages"][1]["content"]
    assert [part["type"] for part in content].count("image_url") == 3 + 4
    face = next(r for r in records if r.metric == FACE)
    assert (face.value, face.detail["requests"][0]["cost_usd"]) == (SCORE, 0.0014)
    assert KEY.encode() not in everything(tmp_path)


def test_an_openai_endpoint_that_redirects_gets_no_key_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, suite = RunStore(tmp_path / "store"), make_suite(tmp_path / "s", 1)
    monkeypatch.setenv(OPENAI_KEY, KEY)
    with serve() as service, serve() as other:
        service.answers = [Answer(status=302, body="", headers={"Location": f"{other.url}/x"})]
        spec = f"openai:{service.url}/v1#open-vlm"
        records = do(ask(suite, judge_metrics(store, spec=spec)), store)
        assert other.asked == []
    assert {r.error for r in records if r.metric == FACE} == {"HTTP 302:"}


@pytest.mark.slow
def test_workers_keep_one_account(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store, suite = RunStore(tmp_path / "store"), make_suite(tmp_path / "s", 3)
    with gemini_service(monkeypatch) as service:
        options = JudgeOptions(store=store.root, per_minute=60)
        profile = with_judge(Profile(metrics=()), options)
        (face,) = choose_metrics(profile, [FACE])
        assert isinstance(face, JudgeScore)
        request = ask(suite, (replace(face, text=FrameText(frames=1)),))
        assert pickle.loads(pickle.dumps(profile)) == profile
        work = plan(request, {}, Policy.ONLY_MISSING)
        perform(request, work.jobs, store, Processes(workers=2))
        assert len(service.calls) == 3
    scores = [r for r in store.records().values() if r.kind == "score"]
    assert [r.value for r in scores] == [SCORE] * 3
    attempts = options.ledger.attempts()
    assert [(a.outcome, a.cost_usd) for a in attempts] == [("ok", 0.00375)] * 3


def test_a_judge_says_beforehand_what_it_lacks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, suite = RunStore(tmp_path / "store"), make_suite(tmp_path / "s", 1)
    for name in ("GEMINI_API_KEY", "GOOGLE_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(CannotRun, match="export GEMINI_API_KEY"):
        ask(suite, judge_metrics(store)).prepare()
    spec = f"recorded:{tmp_path / 'nothing.jsonl'}"
    with pytest.raises(CannotRun, match=r"nothing\.jsonl is not a file"):
        ask(suite, judge_metrics(store, spec=spec)).prepare()
    spec = f"recorded:{written(tmp_path / 'r.jsonl', {'no': 1})}"
    with pytest.raises(CannotRun, match=r"r\.jsonl:1: not a line"):
        ask(suite, judge_metrics(store, spec=spec)).prepare()
    with pytest.raises(CannotRun, match="--judge-price"):
        spec = "openai:http://127.0.0.1:9/v1#m"
        ask(suite, judge_metrics(store, spec=spec, max_usd=1.0)).prepare()


@pytest.mark.parametrize(
    ("spec", "text"),
    [
        ("gemimi:x", "did you mean gemini"),
        ("gemini", "write gemini:MODEL"),
        ("openai:ftp://x/v1#m", "openai:http://HOST"),
        ("openai:http://127.0.0.1/v1", "openai:http://HOST"),
        ("openai:http://user:secret@host/v1#m", "no login or query"),
        ("openai:http://host/v1?key=secret#m", "no login or query"),
    ],
)
def test_a_judge_that_cannot_be_meant_is_refused(spec: str, text: str) -> None:
    with pytest.raises(UsageError, match=text) as error:
        judge_of(spec)
    assert "secret" not in str(error.value)


def test_prices_are_two_numbers() -> None:
    assert judge_of("gemini:new", "0.5,3").price == Price(input_usd=0.5, output_usd=3.0)
    assert judge_of("gemini:new").price is None
    for wrong in ("1", "a,b", "-1,2", "nan,1", "1,2,3"):
        with pytest.raises(UsageError, match="--judge-price"):
            judge_of("gemini:new", wrong)


def test_every_profile_gets_the_sets() -> None:
    options = JudgeOptions(store=Path("runs"), spec="gemini:m")
    profile = with_judge(Profile(metrics=(Level(),), sets={"mine": ("level",)}), options)
    assert [len(profile.sets[n]) for n in ("mine", "judge", "judge-a2bench", "judge-lynx")] == [
        1, 15, 11, 5,
    ]  # fmt: skip
    chosen = [metric.info.name for metric in choose_metrics(profile, ["judge-lynx", "level"])]
    assert chosen[0] == "judge_lynx_prompt_alignment"
    assert chosen[-2:] == ["judge_text_flag", "level"]


def test_one_set_is_asked_alone_and_its_scores_stand_apart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, suite = RunStore(tmp_path / "store"), make_suite(tmp_path / "s", 1)
    with gemini_service(monkeypatch) as service:
        do(ask(suite, judge_metrics(store, criteria="lynx")), store)
        (call,) = service.calls
        do(ask(suite, judge_metrics(store)), store)
        assert len(service.calls) == 2  # another question
    lynx = [c.id for c in criteria() if c.set == "lynx"]
    assert call.json["generationConfig"]["responseJsonSchema"]["required"] == lynx
    rubric = call.json["systemInstruction"]["parts"][0]["text"]
    titles = [line.split(" (")[0] for line in rubric.splitlines() if "): " in line]
    assert titles == lynx
    (row,) = collect([store])
    told = [name for name in row.metrics if name.startswith("judge_lynx_video_quality")]
    assert told == [
        "judge_lynx_video_quality (gemini-2.5-pro, one_set lynx)",
        "judge_lynx_video_quality (gemini-2.5-pro, no one_set)",
    ]
    assert all(row.cell(name).counts == {"ok": 1} for name in told)


def test_a_set_that_is_asked_alone_has_no_other_metric() -> None:
    options = JudgeOptions(store=Path("runs"), spec="gemini:m", criteria="lynx")
    profile = with_judge(Profile(metrics=()), options)
    assert list(profile.sets) == ["judge", "judge-lynx"]
    assert profile.sets["judge"] == profile.sets["judge-lynx"] == tuple(profile.all)
    assert len(profile.all) == 4 + 1
    with pytest.raises(UsageError, match="did you mean lynx"):
        with_judge(profile, replace(options, criteria="lynxx"))


def test_asking_all_sets_at_once_is_as_it_was() -> None:
    options = JudgeOptions(store=Path("runs"), spec="gemini:m")
    one, other = (
        with_judge(Profile(metrics=()), o).all[FACE]
        for o in (options, replace(options, criteria="a2bench"))
    )
    known = metric_identity(one)["extractors"][0]["params"]
    assert known["rubric_sha256"] == rubric_sha256(criteria())
    alone = metric_identity(other)["extractors"][0]["params"]
    told = {name for name in alone if alone[name] != known.get(name)}
    assert told == {"one_set", "rubric_sha256"}


def test_the_key_of_a_score_names_all_of_the_judge_and_no_host() -> None:
    profile = with_judge(Profile(metrics=()), JudgeOptions(store=Path("runs"), spec="gemini:m"))
    params = metric_identity(profile.all[FACE])["extractors"][0]["params"]
    assert params == {
        "judge": "gemini", "model": "m", "temperature": 0, "max_output_tokens": 8192,
        "video_fps": 8.0, "most": 240, "repeats": 1, "picture_px": 1024,
        "rubric_sha256": params["rubric_sha256"],
    }  # fmt: skip


def test_a_criterion_without_its_role_is_neither_asked_nor_scored(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = RunStore(tmp_path / "store")
    suite = make_suite(tmp_path / "s", 1)
    suite = replace(suite, cases=(make_case(tmp_path / "s", roles=("object",)),))
    with gemini_service(monkeypatch) as service:
        records = do(ask(suite, judge_metrics(store)), store)
        schema = service.calls[0].json["generationConfig"]["responseJsonSchema"]
    left = {r.metric: r.error for r in records if r.status is Status.NOT_APPLICABLE}
    assert left == {
        FACE: "the case has no character",
        "judge_dress_consistency": "the case has no character",
        "judge_background_consistency": "the case has no background",
    }
    assert len(schema["required"]) == 11


def test_a_video_is_looked_at_often_enough_but_not_endlessly(tmp_path: Path) -> None:
    from a2bench.video import probe
    from tests.helpers.makers import write_video

    video = probe(write_video(tmp_path / "v.mp4"))
    short, long = replace(video, fps=30.0), replace(video, fps=30.0, duration_s=480.0)
    assert [judgement._film(v, 8.0).fps for v in (short, long)] == [8.0, 0.5]
    assert judgement._film(replace(video, fps=6.0), 8.0).fps == 6.0
    video.path.write_bytes(b"GIF89a")
    with pytest.raises(Exception, match="use --judge-frames"):
        judgement._film(video, 8.0)


def test_a_run_that_is_stopped_while_it_asks_stays_booked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(OpenAi, "ask", interrupted)
    store, suite = RunStore(tmp_path / "store"), make_suite(tmp_path / "s", 1)
    metrics = judge_metrics(store, spec="openai:http://127.0.0.1:9/v1#m", price="1,1")
    with pytest.raises(KeyboardInterrupt):
        do(ask(suite, metrics), store)
    (attempt,) = Ledger(path=store.root / "judge.sqlite", run="x").attempts()
    assert attempt.outcome == "pending"
    assert attempt.cost_usd is not None and attempt.cost_usd > 0.004


def test_a_truncated_answer_is_repaired_with_what_was_wrong(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, clock = RunStore(tmp_path / "store"), Clock()
    with gemini_service(monkeypatch) as service:
        service.answers = [Answer(body=gemini('{"face', finish="MAX_TOKENS"))]
        records = do(ask(make_suite(tmp_path / "s", 1), judge_metrics(store, clock=clock)), store)
        assert len(service.calls) == 2
        assert (
            "could not be used: the reply is not one JSON object: it was cut" in service.texts()[-1]
        )
    assert {r.status for r in records} == {Status.OK}
    assert next(r for r in records if r.metric == FACE).detail["requests"][0]["attempts"] == 2
    assert clock.slept == []


@pytest.mark.parametrize("said", ["", "<think>let me see", None])
@pytest.mark.parametrize("api", ["gemini", "openai"])
def test_an_answer_without_room_to_begin_is_not_asked_for_again_with_the_same_limit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: str | None, api: str
) -> None:
    store, suite = RunStore(tmp_path / "store"), make_suite(tmp_path / "s", 1)
    with gemini_service(monkeypatch) as service:
        empty: dict[str, Any] = gemini(said or "", finish="MAX_TOKENS")
        if said is None:
            del empty["candidates"][0]["content"]
        if api == "openai":
            empty = openai(said, finish="length", reasoning_content="so much to think of")
        spec = "gemini:m" if api == "gemini" else f"openai:{service.url}/v1#m"
        service.answers = [Answer(body=empty)]
        metrics = judge_metrics(store, spec=spec, max_tokens=777)
        records = do(ask(suite, metrics), store)
        assert len(service.calls) == 1
        assert b"777" in service.calls[0].body
    face = next(r for r in records if r.metric == FACE)
    assert face.status is Status.FAILED
    assert "its 777 tokens up before it wrote an answer" in str(face.error)
    assert "--judge-max-tokens" in str(face.error)


def test_the_parts_of_a_message_are_read_and_its_thoughts_are_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, suite = RunStore(tmp_path / "store"), make_suite(tmp_path / "s", 1)
    ids = [m.info.name.removeprefix("judge_") for m in judge_metrics(store)][:-1]
    text = json.dumps(verdict(ids, 2))
    parts = [
        {"type": "reasoning", "text": json.dumps(verdict(ids, 5))},
        {"type": "text", "text": text[:40]},
        {"type": "text", "text": text[40:]},
    ]
    with serve() as service:
        service.answers = [Answer(body=openai(parts, reasoning_content=json.dumps(verdict(ids))))]
        spec = f"openai:{service.url}/v1#open-vlm"
        records = do(ask(suite, judge_metrics(store, spec=spec)), store)
        assert len(service.calls) == 1
    assert {r.value for r in records if r.metric.startswith("judge_") and r.value} == {2}


def test_a_model_that_knows_the_limit_by_its_new_name_only_is_asked_by_that(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, suite = RunStore(tmp_path / "store"), make_suite(tmp_path / "s", 2)
    text = "Unsupported parameter: 'max_tokens' is not supported with this model. "
    error = {"message": text + "Use 'max_completion_tokens' instead.", "param": "max_tokens"}
    with serve() as service:
        service.answers = [Answer(status=400, body={"error": error})]
        spec = f"openai:{service.url}/v1#new"
        records = do(ask(suite, judge_metrics(store, spec=spec)), store)
        bodies = [call.json for call in service.calls]
    assert [r.status for r in records if r.metric == FACE] == [Status.OK] * 2
    limits = [{n: v for n, v in body.items() if n.startswith("max_")} for body in bodies]
    new = {"max_completion_tokens": 4096}
    assert limits == [{"max_tokens": 4096}, new, new]
    ledger = Ledger(path=store.root / "judge.sqlite", run="x")
    assert [one.outcome for one in ledger.attempts()] == ["ok", "ok"]
