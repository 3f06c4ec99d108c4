"""What a training that went wrong looks like: each check yields what it finds in the `Evidence`.

What it yields is (a key of `diagnosis.CHANGES`, the problem, its evidence, and perhaps a dict of words for the change).
`before`: whether a cause was found before, of which what a check sees may be a consequence. The thresholds are where
trainings that went well and trainings that were spoilt on purpose come apart.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np

from netwright.core.arguments import Array
from netwright.core.losses import both_classes
from netwright.inspection.evidence import Evidence, everywhere

Found = Iterator[tuple[Any, ...]]


def columns(seen: Evidence, before: bool) -> Found:
    """Tails, constants, and what is far from a mean of 0 and a spread of 1."""
    X, mean, spread = seen.X, seen.mean, seen.spread
    width, reach = _extent(X)
    tails = (width > 0) & (reach > 50 * width) & (reach > 5)
    constant = (spread == 0) & (np.abs(mean) > 2)
    off = (spread > 20) | ((np.abs(mean) > 10 * spread) & (np.abs(mean) > 2)) | ((reach < 0.15) & (width > 0))
    off &= ~tails & (spread > 0)
    if tails.any():
        i, also = _worst(tails, reach / np.where(tails, width, 1), "and so has", "and so have")
        yield (
            "tails",
            f"{seen.column(i)} has values far outside the others{also}",
            f"half of its values lie within {rounded(width[i])}, the farthest is {rounded(reach[i])} from the middle",
        )
    if constant.any():
        i, also = _worst(constant, np.abs(mean), "and so is", "and so are")
        yield "constant", f"{seen.column(i)} is constant{also}", f"it is {mean[i]:g} in every sample"
    if off.any():
        far = np.where(off, np.maximum(spread, np.abs(mean)), 1)
        i, also = _worst(off, np.maximum(far, 1 / np.where(off, reach, 1)), "nor is", "nor are")
        typical = rounded(float(np.median(spread[spread > 0])))
        yield (
            "scale",
            f"{seen.column(i)} is not scaled{also}",
            f"its mean is {rounded(mean[i])} and its spread {rounded(spread[i])}, the median column's spread {typical}",
        )


def _extent(M: Array) -> tuple[Array, Array]:
    """For each row: how wide its middle half lies, and how far from its median the farthest value is."""
    low, middle, high = np.quantile(M, [0.25, 0.5, 0.75], axis=1)
    return high - low, np.abs(M - middle[:, None]).max(axis=1)


def _worst(which: Array, measure: Array, one: str, many: str) -> tuple[int, str]:
    """The one of these where the measure is largest, and words for the others, which begin with `one` or `many`."""
    others = int(which.sum()) - 1
    also = f", {one if others == 1 else many} {others} other{'s' * (others > 1)}" if others else ""
    return int(np.argmax(np.where(which, measure, -1))), also


def targets(seen: Evidence, before: bool) -> Found:
    """A regression's targets out of the outputs' reach, with tails, or far from a mean of 0 and a spread of 1."""
    Y = seen.Y
    if seen.link != "identity" or not seen.harmed:
        return
    mean, spread = Y.mean(axis=1), Y.std(axis=1)
    if not seen.network.linked:
        last = seen.network.layers[-1].activation
        Z = everywhere(seen.network.layers[-1])
        Z[0, [0, -1]] = -1e9, 1e9  # a leaky relu goes on and on; alone, as a softmax's outputs depend on each other
        ends = last.f(Z)[0].round(6)  # a sigmoid's are 0 and 1
        least, most = (end if abs(end) < 20 else np.copysign(np.inf, end) for end in (ends.min(), ends.max()))
        outside = float(((least > Y) | (most < Y)).mean())
        if outside > 0.05:
            yield (
                "reach",
                f"The outputs cannot reach the targets: {last.name} stays within {least:g} and {most:g}",
                f"{outside:.0%} of the targets are outside, up to {rounded(Y.max())} and down to {rounded(Y.min())}",
            )
    width, reach = _extent(Y)
    tails = (width > 0) & (reach > 50 * width)
    i = int(np.argmax(np.maximum(spread, np.abs(mean))))
    if seen.network.loss.name == "squared_error" and tails.any():
        j = int(np.argmax(tails))
        yield (
            "target tails",
            "A few targets are far outside the others, and squared they outweigh them",
            f"half of the targets lie within {rounded(width[j])}, the farthest is {rounded(reach[j])} from the middle",
        )
    elif spread[i] > 10 or abs(mean[i]) > max(10, 5 * spread[i]) or 0 < reach.max() < 0.1:
        yield (
            "target",
            "The target is not scaled",
            f"its mean is {rounded(mean[i])} and its spread {rounded(spread[i])}, "
            f"a network's outputs begin near 0 and 1; the cost is still {rounded(seen.cost)}, "
            f"a constant's {rounded(seen.base)}",
        )


def rates(seen: Evidence, before: bool) -> Found:
    """Steps that are too long: the cost diverged, rose or jumps; too short: one good step outdoes many epochs."""
    history = seen.history
    rate = f"; the rate was {seen.rate:g}" if seen.rate else ""
    if not seen.finite or " became " in history.stopped:
        yield "diverged", "The training diverged", f"{history.stopped or 'the cost is not finite'}{rate}"
        return
    if not (seen.harmed and seen.rate):
        return
    top, end, jump = seen.unrest
    signs = (
        (jump > min(0.035, 0.08 * seen.harm), f"jumps by {rounded(jump * seen.base)} an epoch in the second half"),
        (end > 0.05, f"ends {rounded(end * seen.base)} above its lowest"),
        (top > 1, f"rose {rounded(top * seen.base)} above its first epoch's"),
    )
    if any(there for there, _ in signs):
        told = ", ".join(sign for there, sign in signs if there)
        evidence = f"the cost {told}, where knowing nothing costs {rounded(seen.base)}{rate}"
        yield "too high", "The learning rate is too high", evidence
    elif seen.fall and jump * seen.base < 3 * seen.fall.pace:  # smooth, not on a plateau where batches shake it
        gain = seen.step(seen.l2)[0]
        if gain < max(0.03 * seen.base, 25 * seen.fall.pace):
            return
        ratio = gain / max(seen.fall.pace, 1e-9 * seen.base)
        higher = one_digit(seen.rate * 10.0 ** min(max(round(np.log10(ratio) - 0.5), 1), 4))
        went = ""
        if seen.start is not None:
            moved = np.linalg.norm(seen.network.theta - seen.start) / max(float(np.linalg.norm(seen.start)), 1e-12)
            went = f"; the weights moved by {moved:.2%} of their length"
        yield (
            "too low",
            "The learning rate is too low",
            f"one step of the right length down the gradient lowers the cost by {rounded(gain)}, a whole epoch by "
            f"{rounded(seen.fall.pace)}{went}{rate}",
            {"higher": higher},
        )


def units(seen: Evidence, before: bool) -> Found:
    """Hidden units that no longer learn: flat at their ends, or dead."""
    if not seen.harmed:
        return
    for place, (layer, saturated, dead) in enumerate(seen.units, 1):
        name = layer.activation.name
        if saturated > 0.5:
            yield (
                "saturated",
                f"The {name} units of hidden layer {place} are saturated",
                f"in {saturated:.0%} of the cases their derivative is under a hundredth of its peak",
            )
            return  # the layers after it follow from it
        if dead > 0.5:
            yield (
                "dead",
                f"The {name} units of hidden layer {place} are dead",
                f"{dead:.0%} of them have derivative 0 for every one of {seen.X.shape[1]} samples",
            )
            return


def penalty(seen: Evidence, before: bool) -> Found:
    """Weights that the penalty holds down: near 0, or the data pull them outwards and would gain by it."""
    if not (seen.harmed and (seen.l2 or seen.l1)):
        return
    weights = [layer.W for layer in seen.network.dense]
    sizes = [float(np.sqrt(np.mean(W**2) * W.shape[1])) for W in weights]
    gain, outwards, balanced = seen.step(0.0)
    value = float(sum(0.5 * seen.l2 * np.sum(W**2) + seen.l1 * np.sum(np.abs(W)) for W in weights))
    terms = [f"{rounded(seen.l2)}/2 · ΣW²"] * bool(seen.l2) + [f"{rounded(seen.l1)} · Σ|W|"] * bool(seen.l1)
    held = outwards > 0.7 and gain > 0.05 * seen.cost and seen.l2 > 0.5 * balanced
    if min(sizes) < 0.05 or held or value > seen.base:
        yield (
            "penalty",
            "The penalty holds the weights down",
            f"{' + '.join(terms)} is {rounded(value)}; in one layer the weights "
            f"into a unit have a length of {rounded(min(sizes))}; the data alone pull outwards (cosine {outwards:.2f})",
        )


def time(seen: Evidence, before: bool) -> Found:
    """A cost that would go on falling."""
    done = len(seen.history)
    if before or not seen.harmed or not done:
        return
    near, own = seen.neighbours
    if not seen.history.validation_cost and own > near + 0.3:
        return  # it knows these samples better than any neighbour could tell: more would be learning by heart
    if seen.fall:
        gain, pace, more = seen.fall
        if near > own + 0.2 or done < 10:  # there is more to learn: it may go on as it did
            gain = max(gain, pace * max(done, 10))
    elif done < 3:  # too few to see a fall: one good step tells
        gain = pace = seen.step(seen.l2)[0]
        more = 100
    else:
        return
    if gain < max(0.05 * seen.base, 0.2 * seen.cost):
        return
    epochs = {"epochs": int(one_digit(max(done + more, 2 * done, 50)))}
    early = done < seen.epochs or seen.history.stopped.startswith("no ")
    gain = min(gain, seen.cost)  # the history's cost has penalties too
    evidence = (
        f"the cost is {rounded(seen.cost)}, falls by {rounded(pace)} an epoch, and may fall by another {rounded(gain)}"
    )
    if early and seen.tolerance and pace < 2 * seen.tolerance:
        evidence = f"{evidence}; an epoch counted only from {rounded(seen.tolerance)} on"
        yield "tolerance", f"The tolerance ended the training too early, after {done} epochs", evidence, epochs
    elif not seen.history.stopped.startswith("no "):
        yield "epochs", f"{done} epochs were too few", evidence, epochs


def classes(seen: Evidence, before: bool) -> Found:
    """A rare class that is never predicted."""
    if before or not seen.classes:
        return
    Y, A = both_classes(seen.Y), both_classes(seen.A)
    several = np.allclose(Y.sum(axis=0), 1)
    guess = A.argmax(axis=0) == np.arange(len(A))[:, None] if several else A > 0.5
    share = np.average(Y, axis=1, weights=seen.weight)
    even = 1 / len(Y) if several else 0.5
    recall = (guess * Y).sum(axis=1) / np.maximum(Y.sum(axis=1), 1e-12)
    rare = (share < 0.5 * even) & (Y.sum(axis=1) >= 5) & (recall < 0.1)
    if rare.any():
        i = int(np.argmin(np.where(rare, share, 1)))
        yield (
            "rare",
            f"The rare class {seen.label(i)} is hardly ever predicted",
            f"{share[i]:.1%} of the samples are of it, and {recall[i]:.0%} of them are recognised",
        )


def capacity(seen: Evidence, before: bool) -> Found:
    """A network that cannot bend enough, or learns by heart; targets that contradict each other, or are no secret."""
    near, own = seen.neighbours if seen.harmed and not before else (0.0, 0.0)
    floor = seen.floor if seen.harmed else 0.0
    validation, cost = np.array(seen.history.validation_cost), np.array(seen.history.cost)
    if len(validation) > 3 and np.isfinite(validation).all():
        best = int(np.argmin(validation))
        ended = float(np.median(validation[-max(1, len(validation) // 10) :]))
        if ended > 1.3 * validation[best] and np.median(cost[-max(1, len(cost) // 10) :]) < 0.8 * cost[best]:
            yield (
                "overfit",
                "The training learns by heart",
                f"the validation cost was lowest in epoch {best + 1}, {rounded(validation[best])}, and rose to "
                f"{rounded(ended)} while that of training fell from {rounded(cost[best])} to {rounded(cost[-1])}",
            )
    if floor > max(0.1 * seen.base, 0.5 * seen.cost):
        yield (
            "contradiction",
            "Equal samples have different targets",
            f"no network can get under a cost of {rounded(floor)} on them; it is {rounded(seen.cost)} now",
        )
    small = seen.samples <= 50 and seen.harmed and floor < 0.01 * seen.base and seen.network.theta.size > seen.samples
    if not before and (near > own + 0.2 or small):
        yield (
            "too small",
            "The network does not bend enough for these data",
            f"its outputs explain {own:.0%} of the targets, the mean of the 5 nearest samples {near:.0%}; the cost is "
            f"{rounded(seen.cost)}, where a constant costs {rounded(seen.base)}",
        )
    elif not before and seen.harm > 0.97 and near < 0.05:
        yield (
            "no answer",
            "The columns may not hold the answer",
            f"the network explains {own:.0%} of the targets, and the mean of the 5 nearest samples {near:.0%}",
        )


def leaks(seen: Evidence, before: bool) -> Found:
    """A column that is the target, or nearly."""
    if len(seen.X) < 2 or seen.X.shape[1] < 20:
        return
    x, y = (M - M.mean(axis=1, keepdims=True) for M in (seen.X, seen.Y))
    size = np.sqrt((x * x).sum(axis=1)[:, None] * (y * y).sum(axis=1))
    r = np.abs(x @ y.T) / np.where(size > 0, size, np.inf)
    if r.max() > 0.9995:
        i = int(np.argmax(r.max(axis=1)))
        yield (
            "leak",
            f"{seen.column(i)} is a copy of the target: will it be known when predicting?",
            f"their correlation is {r.max():.5f}",
            {"columns": np.flatnonzero(r.max(axis=1) > 0.9995).tolist()},
        )


CHECKS = (columns, targets, rates, units, penalty, time, classes, capacity, leaks)


def rounded(x: float) -> str:
    """Three digits, with commas rather than exponents."""
    return f"{float(f'{x:.3g}'):,}".removesuffix(".0") if 1e-4 <= abs(x) < 1e9 or x == 0 else f"{x:.3g}"


def one_digit(x: float) -> float:
    return float(f"{x:.1g}")
