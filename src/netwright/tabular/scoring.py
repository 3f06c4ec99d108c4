"""How good probabilities of classes are, as `evaluate` says it."""

import numpy as np

from netwright.core.arguments import Array


def class_scores(codes: Array, P: Array, weight: Array | None) -> dict[str, float]:
    """codes (n,), each row's class; P (n, n_classes), the probabilities."""
    weight = np.ones(len(codes)) if weight is None else weight
    right = P.argmax(axis=1) == codes
    found = [
        np.average(right[here], weights=weight[here]) for c in np.unique(codes) if weight[here := codes == c].any()
    ]
    likely = np.maximum(P[np.arange(len(codes)), codes], np.finfo(P.dtype).tiny)
    return {
        "accuracy": float(np.average(right, weights=weight)),
        "balanced_accuracy": float(np.mean(found)),
        "log_loss": float(np.average(-np.log(likely), weights=weight)),
    }
