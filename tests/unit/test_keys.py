from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from a2bench.keys import canonical_json, digest, file_sha256
from a2bench.types import Case
from tests.helpers.makers import make_case


def test_canonical_json_ignores_the_order_of_keys_only() -> None:
    assert canonical_json({"b": [1, 2], "a": "é"}) == '{"a":"é","b":[1,2]}'
    assert digest({"a": 1, "b": 2}) == digest({"b": 2, "a": 1})
    assert digest([1, 2]) != digest([2, 1])


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_canonical_json_refuses_what_json_cannot_hold(value: float) -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        canonical_json({"x": value})


def test_digest_is_sha256_of_the_text(tmp_path: Path) -> None:
    assert digest("x") == hashlib.sha256(b'"x"').hexdigest()
    (tmp_path / "f").write_bytes(b"abc")
    assert file_sha256(tmp_path / "f") == hashlib.sha256(b"abc").hexdigest()


def test_a_case_is_its_prompt_and_its_images(tmp_path: Path) -> None:
    case = make_case(tmp_path)
    renamed = Case(id="other", prompt=case.prompt, elements=case.elements, category="x")
    reworded = Case(id=case.id, prompt=case.prompt + "!", elements=case.elements)
    reordered = Case(id=case.id, prompt=case.prompt, elements=case.elements[::-1])
    assert renamed.key == case.key
    assert len({case.key, reworded.key, reordered.key}) == 3
