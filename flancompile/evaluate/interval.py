"""95% confidence intervals of mean scores.

Scores of 0 and 1 get Wilson's interval, which is valid for few rows and near 0 and 1. Fractional
scores (F1) get the normal interval, whose variance includes one row of 0 and one of 1: a few equal
scores must not give an interval of width 0.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

__all__ = ["Interval", "interval"]

Z = 1.959963984540054  # the normal distribution's 97.5% point
Interval = tuple[float, float, float]


def interval(scores: Sequence[float]) -> Interval:
    """(mean, low, high) of scores in [0, 1]. Source: Wilson 1927; Agresti and Coull 1998.

    >>> [round(x, 3) for x in interval([1.0] * 8 + [0.0] * 2)]
    [0.8, 0.49, 0.943]
    >>> interval([])
    (0.0, 0.0, 1.0)
    """
    n = len(scores)
    if n == 0:
        return 0.0, 0.0, 1.0
    mean = math.fsum(scores) / n
    if all(s in (0.0, 1.0) for s in scores):
        scale = 1 + Z * Z / n
        middle = (mean + Z * Z / (2 * n)) / scale
        half = Z * math.sqrt(mean * (1 - mean) / n + Z * Z / (4 * n * n)) / scale
        return mean, max(0.0, middle - half), min(1.0, middle + half)
    squares = math.fsum((s - mean) ** 2 for s in (*scores, 0.0, 1.0))
    half = Z * math.sqrt(squares / (n + 1) / n)
    return mean, max(0.0, mean - half), min(1.0, mean + half)
