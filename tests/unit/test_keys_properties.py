"""Identity for any value: what must not change a key does not, and what must does."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from a2bench.keys import canonical_json, digest
from a2bench.types import ROLES, Case, Element
from tests.helpers.properties import ANY_TEXT, JSON, deterministic


def same(a: Any, b: Any) -> bool:
    """Equality of JSON values: True is not 1, and 1 is not 1.0."""
    if type(a) is not type(b):
        return False
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same(a[k], b[k]) for k in a)
    if isinstance(a, list):
        return len(a) == len(b) and all(map(same, a, b))
    return repr(a) == repr(b)  # -0.0 is not 0.0


def reordered(value: Any, random: Any) -> Any:
    """The same value, the keys of each of its dicts in another order."""
    if isinstance(value, dict):
        keys = list(value)
        random.shuffle(keys)
        return {key: reordered(value[key], random) for key in keys}
    return [reordered(part, random) for part in value] if isinstance(value, list) else value


@deterministic
@given(value=JSON, random=st.randoms(use_true_random=False))
def test_the_order_of_keys_is_no_part_of_a_value(value: Any, random: Any) -> None:
    other = reordered(value, random)
    assert canonical_json(other) == canonical_json(value)
    assert digest(other) == digest(value)


@deterministic
@given(value=JSON)
def test_canonical_json_is_the_value(value: Any) -> None:
    assert same(json.loads(canonical_json(value)), value)


@deterministic
@given(one=JSON, other=JSON)
def test_different_values_have_different_digests(one: Any, other: Any) -> None:
    assume(not same(one, other))
    assert digest(one) != digest(other)


@deterministic
@given(
    value=st.recursive(
        st.sampled_from([float("nan"), float("inf"), float("-inf")]),
        lambda inner: st.one_of(
            st.lists(inner, min_size=1, max_size=3),
            st.dictionaries(ANY_TEXT, inner, min_size=1, max_size=3),
        ),
        max_leaves=5,
    )
)
def test_what_is_not_finite_is_refused_however_deep_it_lies(value: Any) -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        digest(value)


@deterministic
@given(text=ANY_TEXT)
def test_any_text_has_a_digest_of_its_own(text: str) -> None:
    assert json.loads(canonical_json(text)) == text
    assert len(digest(text)) == 64
    assert digest(text) != digest(text + "\ud800")


ELEMENTS = st.builds(
    Element,
    id=ANY_TEXT,
    role=st.sampled_from(ROLES),
    image=st.just(Path("image.png")),
    sha256=st.text("0123456789abcdef", min_size=64, max_size=64),
    name=ANY_TEXT,
    caption=ANY_TEXT,
    licence=ANY_TEXT,
    subject=ANY_TEXT,
    category=ANY_TEXT,
    view=ANY_TEXT,
)
CASES = st.builds(
    Case,
    id=ANY_TEXT,
    prompt=ANY_TEXT,
    elements=st.lists(ELEMENTS, max_size=4).map(tuple),
    category=ANY_TEXT,
)


def content(case: Case) -> tuple[Any, ...]:
    return case.prompt, [(e.role, e.name, e.sha256) for e in case.elements]


@deterministic
@given(case=CASES, text=ANY_TEXT)
def test_a_case_is_not_what_it_is_called_or_filed_under(case: Case, text: str) -> None:
    elements = tuple(
        replace(
            e,
            id=text,
            image=Path("elsewhere.jpg"),
            caption=text,
            licence=text,
            subject=text,
            category=text,
            view=text,
        )
        for e in case.elements
    )
    assert replace(case, id=text, category=text, elements=elements).key == case.key


@deterministic
@given(one=CASES, other=CASES)
def test_a_case_is_its_prompt_and_its_elements_in_order(one: Case, other: Case) -> None:
    assert (one.key == other.key) == (content(one) == content(other))
    assert replace(one, prompt=one.prompt + "!").key != one.key
    if one.elements:
        assert replace(one, elements=one.elements[1:]).key != one.key
    backwards = replace(one, elements=one.elements[::-1])
    assert (backwards.key == one.key) == (content(backwards) == content(one))
