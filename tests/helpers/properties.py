"""What properties are tried with: the same examples in every run, and values of any kind."""

from __future__ import annotations

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

deterministic = settings(
    derandomize=True,
    max_examples=40,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
"""Of a test in whose folder each example writes its files anew."""

ANY_TEXT = st.text(st.characters(codec=None), max_size=12)
"""Also control characters, line ends and halves of surrogate pairs."""

JSON = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(-(2**70), 2**70),
        st.floats(allow_nan=False, allow_infinity=False),
        ANY_TEXT,
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4), st.dictionaries(ANY_TEXT, inner, max_size=4)
    ),
    max_leaves=10,
)
"""Whatever canonical JSON can hold."""
