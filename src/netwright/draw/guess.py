"""What always guessing the same would score: the baseline beside each score of a report."""

from collections.abc import Sequence
from typing import Any

import numpy as np


def guesses(task: str, truth: Sequence[Any]) -> dict[str, float]:
    """By score: of the most frequent class, or of the classes' shares as probabilities; of the mean, or the median.

    truth: (rows,), labels or numbers.
    """
    if not len(truth):
        return {}
    if task == "classification":
        _, counts = np.unique([str(each) for each in truth], return_counts=True)
        shares = counts / counts.sum()
        entropy = -float(shares @ np.log(shares))
        return {"accuracy": float(shares.max()), "balanced_accuracy": 1 / len(shares), "log_loss": entropy}
    numbers = np.asarray(truth, np.float64)
    numbers = numbers[np.isfinite(numbers)]
    if not numbers.size:
        return {}
    return {"rmse": float(numbers.std()), "mae": float(np.abs(numbers - np.median(numbers)).mean()), "r2": 0.0}
