from __future__ import annotations

import json
import shlex
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from a2bench.keys import digest
from a2bench.redaction import MARK, redact, redacted, redacted_line, redacted_words, sealed
from a2bench.registry import PROFILES
from tests.helpers.secrets import CUT, FORMS, ORDINARY, PRINTED, SAID, SECRET, TOKENS, WORDS


@pytest.mark.parametrize("words", WORDS, ids=shlex.join)
def test_no_word_of_a_command_line_holds_a_secret(words: tuple[str, ...]) -> None:
    found = redacted_words(["program", *words, "--steps", "50"])
    assert len(found) == len(words) + 3
    assert not [word for word in found if SECRET in word]
    assert [found[0], *found[-2:]] == ["program", "--steps", "50"]
    assert MARK in redacted_line(words)


@pytest.mark.parametrize("words", WORDS, ids=shlex.join)
@pytest.mark.parametrize("told", [shlex.join, repr, json.dumps], ids=["shell", "repr", "json"])
def test_no_text_that_quotes_a_command_line_holds_a_secret(
    words: tuple[str, ...], told: object
) -> None:
    assert callable(told)
    shown = redact(f"failed: {told(list(words))} ended with 1")
    assert SECRET not in shown
    assert MARK in shown


@pytest.mark.parametrize("text", PRINTED)
def test_what_a_program_prints_holds_no_secret(text: str) -> None:
    shown = redact(f"it said:\n{text}\nthe end")
    assert SECRET not in shown
    assert shown.startswith("it said:\n")
    assert shown.endswith("\nthe end")


@pytest.mark.parametrize("text", CUT)
def test_what_is_cut_off_holds_no_secret(text: str) -> None:
    assert SECRET not in redact(text)
    assert redact(f"{text}\n") != f"{text}\n"


def test_a_private_key_without_its_beginning_is_taken_out_as_far_as_it_goes() -> None:
    text = f"it said:\nloading the key\n{SECRET}\n{SECRET}==\n-----END PRIVATE KEY-----\nrefused"
    assert redact(text) == f"it said:\nloading the key\n{MARK}\nrefused"


def test_a_structure_is_taken_out_to_its_matching_end() -> None:
    text = f'{{"secret": {{"a": ["}}", {{"b": "{SECRET}"}}]}}, "steps": 50}} and (n=3)'
    assert redact(text) == f'{{"secret": {MARK}, "steps": 50}} and (n=3)'
    assert redact(f"Settings(api_key=SecretStr('{SECRET}'), n=3)") == (
        f"Settings(api_key={MARK}, n=3)"
    )
    assert redact(f"db:\n  password: |-\n    {SECRET}\n    x\n  port: 1") == (
        f"db:\n  password: |-\n    {MARK}\n  port: 1"
    )
    assert redact(f"password: (see {SECRET}\nthe end").endswith("\nthe end")


def test_colours_stay_in_a_text_without_a_secret() -> None:
    assert redact("\x1b[31mkey\x1b[0m frames: 3") == "\x1b[31mkey\x1b[0m frames: 3"
    assert redact(f"\x1b[31mpassword\x1b[0m: {SECRET}") == f"password: {MARK}"


@pytest.mark.parametrize("token", TOKENS, ids=lambda token: token[:9])
def test_published_tokens_are_known_anywhere(token: str) -> None:
    assert redact(f"not allowed for {token} today") == f"not allowed for {MARK} today"
    assert redacted({"file": [token], token: 3}) == {"file": [MARK], MARK: 3}
    assert redacted_words(["--model", token]) == ["--model", MARK]


@pytest.mark.parametrize("words", ORDINARY, ids=shlex.join)
def test_ordinary_words_stay_as_they_are(words: tuple[str, ...]) -> None:
    assert redacted_words(words) == list(words)
    assert redacted_line(words) == redact(shlex.join(words)) == shlex.join(words)


@pytest.mark.parametrize("text", SAID)
def test_ordinary_texts_stay_as_they_are(text: str) -> None:
    assert redact(text) == text


@pytest.mark.parametrize("name", ["OPENAI_API_KEY", "MONKEY_TOKENIZER", "DB_PASS", "MY_CREDENTIAL"])
def test_values_of_secret_variables_are_taken_out(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    value = 'sword/fish+"x"'
    monkeypatch.setenv(name, value)
    monkeypatch.setenv("OTHER", "longword")
    for told in (value, quote(value, safe=""), json.dumps(value)):
        assert redact(f"see {told}!") in (f"see {MARK}!", f'see "{MARK}"!')
    assert redact("longword") == "longword"
    monkeypatch.setenv(f"{name}_URL", "redis://me:longword@host")
    assert redact("denied: longword") == f"denied: {MARK}"


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    "value", ["wort/Fisch 1é'<x>", "wörter+'\"&\\ü", "Tr0ub4dor3x9Zq", "ÿþ?>ÿþ?>ÿ"]
)
def test_values_of_variables_are_known_in_every_form(
    monkeypatch: pytest.MonkeyPatch, form: str, value: str
) -> None:
    told = FORMS[form](value)
    monkeypatch.setenv("MY_KEY", f" {value}\n")
    shown = redact(f"see <<{told}>>!")
    left = shown.removeprefix("see <<").removesuffix(">>!")
    assert MARK in left
    assert len(left) <= len(MARK) + 8  # quotes, or the digits of base64 beside it


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("MY_API_KEYS", f"abcd1234,{SECRET}X1,more"),
        ("MY_API_KEYS", json.dumps(["abcd1234", f"{SECRET}X1"])),
        ("STORAGE_CONNECTION_STRING", f"Name=me;AccountKey={SECRET}X1;EndpointSuffix=x"),
        ("BLOB", f"https://host/x?a=1&sig={SECRET}X1&b=2"),
        ("GOOGLE", json.dumps({"project_id": "project-123", "private_key_id": f"{SECRET}X1"})),
        ("GOOGLE", json.dumps({"a": {"private_key": f"-----BEGIN\n{SECRET}X1\nabc\n"}})),
        ("DB_LOGIN", f"me:{SECRET}X1"),
        ("MY_SECRETS", f"one={SECRET}X1;two=2"),
        ("DEPLOY_KEY", f"-----BEGIN PRIVATE KEY-----\nMIIabcdefg1\n{SECRET}X1\n-----END"),
    ],
)
def test_parts_of_a_variable_are_taken_out_where_they_are_secret_by_themselves(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    assert redact(f"see {SECRET}X1!") == f"see {MARK}!"
    text = "one of project-123 on https://host, more: me, Name, BEGIN PRIVATE KEY, EndpointSuffix"
    assert redact(text) == text


def test_parts_that_are_words_or_paths_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("A_KEY", "correcthorse batterystaple, short1, /models/v12/weights")
    text = "correcthorse or batterystaple in /models/v12/weights short1"
    assert redact(text) == text


def test_what_is_left_open_ends_with_its_line() -> None:
    text = 'raise Refused("token=" + held)\nRefused: "password=a b\nin line 3'
    assert redact(text) == text.replace("a b", MARK)


def test_of_two_variables_the_longer_is_taken_out_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("A_KEY", "swordfish")
    monkeypatch.setenv("B_KEY", "swordfish-and-chips")
    assert redact("swordfish-and-chips") == MARK


def test_a_mapping_is_redacted_by_name() -> None:
    params = {
        "apiKey": SECRET,
        "auth": {"user": "me", "how": [SECRET, 12345678]},
        "key": 3,
        "token": 77,
        "password": 12345678,
        "pass": "2",
        "use_token": True,
        "steps": 50,
        "words": ["--pass", SECRET],
        "frames": [1.5, None],
        "headers": [["X-Api-Key", SECRET], ["Accept", "x"]],
        "fields": ["key", "prompt"],
    }
    assert redacted(params) == {
        "apiKey": MARK,
        "auth": {"user": MARK, "how": [MARK, MARK]},
        "key": 3,
        "token": 77,
        "password": MARK,
        "pass": "2",
        "use_token": True,
        "steps": 50,
        "words": ["--pass", MARK],
        "frames": [1.5, None],
        "headers": [["X-Api-Key", MARK], ["Accept", "x"]],
        "fields": ["key", "prompt"],
    }


def test_seals_are_what_they_were() -> None:
    line = "prog --token sks --steps 50"
    assert sealed({"command": line}, {"command": redacted_line(shlex.split(line))}) == {
        "command": "prog --token [redacted] --steps 50",
        "scrypt": "4b5b3b4b14dd98f9bc377ea38714eedbad20414eb8149751bbe8ddf129b6f6b7",
    }
    assert sealed({"token": "sks", "seed": 3}) == {
        "token": MARK,
        "seed": 3,
        "scrypt": "28b227231d533b5cf4cbf37650b3ea930578d3fd9dcf0db1e32efd32c08ebf77",
    }
    params = {"command": "prog --steps 50", "key": 3}
    assert sealed(params) == params


@pytest.mark.parametrize("words", [*WORDS, *ORDINARY], ids=shlex.join)
def test_what_was_sealed_is_sealed(words: tuple[str, ...]) -> None:
    once = sealed({"command": shlex.join(words)}, {"command": redacted_line(words)})
    assert sealed(once) == once


def test_no_parameter_of_our_own_metrics_is_taken_for_a_secret() -> None:
    for metric in PROFILES.create("lite").all.values():
        assert sealed(metric.info.params) == dict(metric.info.params)
        for extractor in metric.extractors:
            assert sealed(extractor.info.params) == dict(extractor.info.params)


@given(st.text(alphabet="tokens=: '\"\\&?/@-key\nA1[]", max_size=60))
def test_any_text_is_redacted_to_what_stays(text: str) -> None:
    once = redact(text)
    assert redact(once) == once


LONG = (
    *(
        "a",
        "-sk-",
        "-eyJaaaaaa",
        "key: ",
        "'\\",
        "http://",
        "--key ",
        "-----BEGIN ",
        "key=[",
        "key: [",
    ),
    *("key=[\n", "key=(\n", "key: (", "token=a(", "token: x[", "token=\"{'", "token=<", "('key', "),
    *("a:", "a:a,", "a: str ", "<key>", "<a ", "key:\n", "key:\n ", '"key":\n', "set a_key "),
    *("\x1b[", "\x1b]", "mysql -p", "-u ", "-p'", "-----END PRIVATE KEY-----", "A\n", "\\'"),
    *("key = a(", "token=['\\'", "curl -u'", "jdbc:oracle:a:b/", f"{'a' * 70}\n", "key: [1, "),
)


def test_long_texts_take_no_time_that_grows_as_their_square() -> None:
    for part in LONG:
        assert digest(redact(part * 10_000))  # seconds each, if it did: the suite's time limit
