"""STIV's tables: what can be computed from the figures is what they print.

A figure that does not follow within rounding is an exception by name, so a slip in copying fails.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from math import fsum, isnan, nan
from typing import Any

import pytest

from tests.helpers.published import TABLES, column, noted, order, rows

QUALITY = {
    "vbench_subject_consistency": (0.1462, 1.0, 1.0),
    "vbench_background_consistency": (0.2615, 1.0, 1.0),
    "vbench_temporal_flickering": (0.6293, 1.0, 1.0),
    "motion_smoothness": (0.706, 0.9975, 1.0),
    "dynamic_degree": (0.0, 1.0, 0.5),
    "aesthetic_quality": (0.0, 1.0, 1.0),
    "image_quality": (0.0, 1.0, 1.0),
}
SEMANTIC = {
    "vbench_object_class": (0.0, 1.0, 1.0),
    "vbench_multiple_objects": (0.0, 1.0, 1.0),
    "vbench_human_action": (0.0, 1.0, 1.0),
    "vbench_color": (0.0, 1.0, 1.0),
    "vbench_spatial_relationship": (0.0, 1.0, 1.0),
    "vbench_scene": (0.0, 0.8222, 1.0),
    "vbench_appearance_style": (0.0009, 0.2855, 1.0),
    "vbench_temporal_style": (0.0, 0.364, 1.0),
    "text_similarity": (0.0, 0.364, 1.0),
}
I2V = {"vbench_i2v_subject": (0.1462, 1.0, 1.0), "vbench_i2v_background": (0.2615, 1.0, 1.0)}
"""VBench's scales and weights (scripts/constant.py of its repository): low, high, weight."""
SIXTEEN = dict.fromkeys((*QUALITY, *SEMANTIC), (0.0, 1.0, 1.0))
"""The plain mean."""
TENTH = 0.0005
"""Half a step of what is printed in percent with one decimal; with two a tenth of it."""

Scales = Mapping[str, tuple[float, float, float]]


def told(name: str, metric: str) -> dict[str, float]:
    """Of the models whose figure carries a note, the first number that it names."""
    figures = (one for one in TABLES[name].figures if one.metric == metric and one.note)
    numbers = ((one.model, re.search(r"(?<!\w)\.\d+", one.note)) for one in figures)
    return {model: float(found[0]) if found else nan for model, found in numbers}


def nearly(found: Mapping[str, float]) -> Any:
    """As notes say it: to three decimals."""
    return pytest.approx(found, abs=0.000501)


def mean(row: Mapping[str, float], scales: Scales, half: float) -> tuple[float, float]:
    """The mean over scaled dimensions, and how far their rounding by ``half`` can have moved it."""
    whole = fsum(weight for _, _, weight in scales.values())
    parts = (w * (row[name] - low) / (high - low) for name, (low, high, w) in scales.items())
    slack = (w * half / (high - low) for low, high, w in scales.values())
    return fsum(parts) / whole, fsum(slack) / whole


def unlike(
    printed: Mapping[str, float], computed: Callable[[str], tuple[float, float]], half: float
) -> dict[str, float]:
    """The models whose printed figure does not follow, with the computed one, to five decimals."""
    found = {}
    for model, value in printed.items():
        expected, slack = computed(model)
        if abs(value - expected) > slack + half + 1e-9:
            found[model] = round(expected, 5)
    return found


def total(row: Mapping[str, float], half: float) -> tuple[float, float]:
    """VBench's total from its two printed parts."""
    return (4 * row["vbench_quality"] + row["vbench_semantic"]) / 5, half


@pytest.mark.parametrize(
    ("metric", "scales", "expected"),
    [
        ("vbench_quality", QUALITY, {
            "CogVideoX-5B": 0.8345, "VideoCrafter": 0.74912, "CogVideo": 0.71894, "M-256": 0.8194,
        }),
        ("vbench_semantic", SEMANTIC, {"VideoCrafter": 0.65453}),
        ("vbench_average", SIXTEEN, {"LaVie-2": 0.6745, "EMU3": 0.66475}),
    ],
)  # fmt: skip
def test_parts_of_vbench_follow_from_the_dimensions(
    metric: str, scales: Scales, expected: dict[str, float]
) -> None:
    table = rows("stiv-12")
    assert len(table) == 25
    found = unlike(column("stiv-12", metric), lambda m: mean(table[m], scales, TENTH), TENTH)
    assert found == expected
    assert told("stiv-12", metric) == nearly(expected)


def test_totals_of_vbench_follow_from_the_dimensions() -> None:
    table = rows("stiv-12")

    def computed(model: str) -> tuple[float, float]:
        quality, of_quality = mean(table[model], QUALITY, TENTH)
        semantic, of_semantic = mean(table[model], SEMANTIC, TENTH)
        return (4 * quality + semantic) / 5, (4 * of_quality + of_semantic) / 5

    printed = column("stiv-12", "vbench_total")
    expected = {"CogVideoX-5B": 0.82169, "VideoCrafter": 0.7302}
    assert unlike(printed, computed, TENTH) == expected
    assert told("stiv-12", "vbench_total") == nearly(expected)
    found = unlike(printed, lambda model: total(table[model], TENTH), TENTH)
    assert found == {"M-256": 0.8112}  # so its quality is Table 8's


@pytest.mark.parametrize(
    ("name", "half"),
    [("stiv-3", TENTH / 10), ("stiv-4", TENTH / 10), ("stiv-6", TENTH), ("stiv-8", TENTH)],
)
def test_totals_of_vbench_follow_from_their_parts(name: str, half: float) -> None:
    table = rows(name)
    assert not unlike(column(name, "vbench_total"), lambda model: total(table[model], half), half)


def test_table_4_follows_from_table_16() -> None:
    dimensions, half = rows("stiv-16"), TENTH / 10
    assert len(dimensions) == 4
    for metric, scales in (("vbench_quality", QUALITY), ("vbench_semantic", SEMANTIC)):
        printed = column("stiv-4", metric)
        assert printed.keys() == dimensions.keys()
        computed = {model: mean(row, scales, TENTH) for model, row in dimensions.items()}
        assert not unlike(printed, computed.__getitem__, half)
        assert all(abs(computed[model][0] - value) < 0.0005 for model, value in printed.items())


def test_averages_of_table_5_are_plain_means() -> None:
    table = rows("stiv-5")
    three = (*I2V, "vbench_i2v_camera_motion")

    def plain_mean(names: Sequence[str]) -> Callable[[str], tuple[float, float]]:
        return lambda model: (fsum(table[model][name] for name in names) / len(names), TENTH)

    found = unlike(column("stiv-5", "vbench_i2v_average"), plain_mean(three), TENTH)
    assert found == {"STIV-XL, CA": 0.689, "STIV-XL, FR": 0.75133}
    assert told("stiv-5", "vbench_i2v_average") == nearly(found)
    assert noted("stiv-5") == found.keys()
    assert not unlike(
        column("stiv-5", "vbench_i2v_average_of_ten"), plain_mean((*QUALITY, *three)), TENTH
    )


def test_table_13_gives_the_scores_of_table_9() -> None:
    table, totals = rows("stiv-13"), rows("stiv-9")
    quality = unlike(
        column("stiv-13", "vbench_i2v_quality"), lambda m: mean(table[m], QUALITY, TENTH), TENTH
    )
    assert quality == {
        "SVD": 0.82391, "I2VGen-XL": 0.42921, "STIV-M": 0.80163, "STIV-M-512": 0.82416,
        "STIV-M-512-JIT": 0.82853,
    }  # fmt: skip
    notes = told("stiv-13", "vbench_i2v_quality")
    assert isnan(notes.pop("I2VGen-XL"))  # it cannot be checked
    assert notes == nearly({model: value for model, value in quality.items() if model in notes})
    assert notes.keys() == quality.keys() - {"I2VGen-XL"}
    assert table["I2VGen-XL"]["motion_smoothness"] == table["I2VGen-XL"]["dynamic_degree"]
    score = {model: row["vbench_i2v_score"] for model, row in totals.items() if model in table}
    scores = unlike(score, lambda m: mean(table[m], I2V, TENTH), TENTH)
    assert scores == {"SVD": 0.98349, "STIV-M": 0.96483, "STIV-M-512": 0.97703}
    assert told("stiv-9", "vbench_i2v_score") == nearly(scores)
    assert totals.keys() - table.keys() == {"STIV-XL"}
    for model, row in table.items():
        for metric in ("vbench_i2v_quality", "vbench_i2v_total"):
            assert totals[model][metric] == row[metric], model


@pytest.mark.parametrize("name", ["stiv-6", "stiv-9"])
def test_the_total_of_i2v_is_the_mean_of_its_parts(name: str) -> None:
    table = rows(name)

    def computed(model: str) -> tuple[float, float]:
        row = table[model]
        return (row["vbench_i2v_quality"] + row["vbench_i2v_score"]) / 2, TENTH

    assert not unlike(column(name, "vbench_i2v_total"), computed, TENTH)


def differing(one: str, other: str) -> set[tuple[str, str]]:
    """The figures that two tables have and that are not equal; they have at least four."""
    left, right = (
        {(f.model, f.metric): f.value for f in TABLES[name].figures} for name in (one, other)
    )
    both = left.keys() & right.keys()
    assert len(both) >= 4
    return {place for place in both if left[place] != right[place]}


def test_what_stands_in_two_tables_of_stiv_is_equal_but_for_what_notes_say() -> None:
    assert differing("stiv-8", "stiv-12") == {
        ("T2V-Turbo", "vbench_quality"), ("T2V-Turbo", "vbench_semantic"),
        ("T2V-Turbo", "vbench_total"), ("LaVie-2", "vbench_semantic"), ("M-256", "vbench_quality"),
    }  # fmt: skip
    in_table_12 = rows("stiv-12")
    for model, metric in differing("stiv-8", "stiv-12"):
        assert told("stiv-8", metric)[model] == in_table_12[model][metric]
    assert noted("stiv-8") == {"T2V-Turbo", "LaVie-2", "M-256"}
    assert differing("stiv-7", "stiv-13") == {
        ("STIV-M-512", "vbench_temporal_flickering"),
        ("STIV-M-512", "vbench_background_consistency"),
        ("STIV-M-512-JIT", "vbench_temporal_flickering"),
    }
    assert not differing("stiv-6", "stiv-9")
    t2v = rows("stiv-6")["M-512"]
    assert t2v.items() <= rows("stiv-12")["M-512"].items()
    assert rows("stiv-10")["XL, Panda-30M"]["fvd_msrvtt"] == 770.9
    assert rows("stiv-11")["XL, VCap captions"]["fvd_msrvtt"] == 770.9


def test_the_totals_of_table_10_are_none() -> None:
    table = rows("stiv-10")
    totals = {model: total(row, TENTH)[0] for model, row in table.items()}
    assert told("stiv-10", "vbench_average") == nearly(totals)
    assert column("stiv-10", "vbench_average") == {"XL, Panda-30M": 0.656, "XL, Panda-10M": 0.662}
    assert column("stiv-11", "vbench_average")["XL, VCap captions"] == 0.656


@pytest.mark.parametrize("name", ["stiv-14", "stiv-15"])
def test_stages_of_training_add_up_but_for_a_misprint(name: str) -> None:
    table = rows(name)
    for model, row in table.items():
        printed = row.pop("training_total_zettaflop")
        stages = [value / 10 if value == 8.43 else value for value in row.values()]
        assert fsum(stages) == pytest.approx(printed, abs=0.005 * (len(stages) + 1)), model
        assert (8.43 in row.values()) is (model in noted(name)), model


def test_averages_of_videophy_are_means_of_two() -> None:
    for model, row in rows("stiv-18").items():
        one, other, average = row.values()
        assert abs((one + other) / 2 - average) <= 0.005 + 1e-9, model


def test_what_the_text_of_stiv_says_of_table_19_does_not_hold() -> None:
    fvd, score = (column("stiv-19", f"{of}_ucf101") for of in ("fvd", "inception_score"))
    lower = {model for model, value in fvd.items() if value < fvd["XL-128"]}
    assert lower == {"XL-128, no spatial mask", "XL-128, causal temporal attention"}
    assert order(score)[:2] == ["XL-128, temporal mask", "XL-128"]
    assert noted("stiv-19") == {"XL-128, temporal mask", "XL-128, causal temporal attention"}
