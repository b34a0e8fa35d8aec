"""Intervals, paired tests, power and rank correlations.

Input is a case's value or values; the unit that is drawn anew is the case. Every result is the
same, to the last bit, in whatever order the cases (of paired samples: the pairs) are given.
"""

from a2bench.stats.association import kendall, roc_auc, spearman
from a2bench.stats.intervals import (
    Interval,
    bootstrap_mean,
    paired_proportions,
    student_t,
    wilson,
)
from a2bench.stats.paired import (
    cases_to_tell,
    effect_size,
    effect_to_tell,
    holm,
    paired_permutation,
    paired_power,
    spread_of_differences,
)
from a2bench.stats.samples import Floats

__all__ = [
    "Floats",
    "Interval",
    "bootstrap_mean",
    "cases_to_tell",
    "effect_size",
    "effect_to_tell",
    "holm",
    "kendall",
    "paired_permutation",
    "paired_power",
    "paired_proportions",
    "roc_auc",
    "spearman",
    "spread_of_differences",
    "student_t",
    "wilson",
]
