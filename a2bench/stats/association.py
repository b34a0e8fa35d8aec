"""How far two samples go together: rank correlations, and how far two are apart."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from a2bench.stats.samples import Floats, finite, paired


def spearman(a: Sequence[float], b: Sequence[float]) -> float | None:
    """Spearman's rho: Pearson's correlation of the ranks, ties at their mean rank.

    In [-1, 1]; None when a side is constant. Raises ``ValueError`` as ``paired_permutation`` does.
    Only the ranks are scipy's: ``spearmanr`` warns of a constant side, and of equal samples it
    often says 0.9999999999999999.
    """
    from scipy.stats import rankdata

    # a rank less the mean rank is a multiple of a half, so the sums are exact in any order
    x, y = (rankdata(side) - (len(side) + 1) / 2 for side in paired(a, b))
    return _cosine(x, y)


def kendall(a: Sequence[float], b: Sequence[float]) -> float | None:
    """Kendall's tau-b: concordant less discordant pairs, over the pairs that are not tied.

    ``(C - D) / sqrt((P - Ta) * (P - Tb))`` with P pairs of cases, Ta and Tb of them tied in a and
    b. In [-1, 1]; None when a side is constant. Raises ``ValueError`` as ``paired_permutation``.
    Not ``scipy.stats.kendalltau``: it differs in the last bit, and the version of fitted weights is
    a digest of such figures; of equal samples it often says 0.9999999999999999.
    """
    x, y = (np.sign(np.subtract.outer(side, side)) for side in paired(a, b))
    return _cosine(x, y)


def roc_auc(positives: Sequence[float], negatives: Sequence[float]) -> float:
    """The area under the ROC curve: the chance that a positive beats a negative, ties half.

    In [0, 1]. Raises ``ValueError`` when a side is empty or a value is not finite.
    """
    if not positives or not negatives:
        raise ValueError("an area under the ROC curve needs positives and negatives")
    order = np.sign(np.subtract.outer(finite(positives), finite(negatives)))
    return float((order.mean() + 1) / 2)


def _cosine(x: Floats, y: Floats) -> float | None:
    squares = float(np.sum(x * x) * np.sum(y * y))
    return float(np.sum(x * y)) / math.sqrt(squares) if squares else None
