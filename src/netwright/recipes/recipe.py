"""The recipe for tables: features and targets in, a mixture of networks out. From top to bottom:

0. Columns become features: numbers softly cut and in steps, categories one-hot or by their targets (`encode`).
1. The rows are dealt into folds, alike in their targets. For each fold a network learns from the other rows and is
   judged on these, so that every row is predicted by a network that never saw it (`learn`).
2. Scouts go first. They say after how many epochs that network predicts its fold best, and how much each column
   matters (`explore`). The scouts' epochs, times `LONGER`, are what all networks train for: few rows are seen often,
   many rows seldom, and training ends before noise is learnt by heart. One scout has numbers without their steps; where
   that is clearly better for every fold, as where all is smooth, the networks do so too (`pick_scouts`).
3. The networks start anew, with the inputs scaled by how much their columns mattered (`input_scale_of`), and with a
   rate that falls to nothing. Each ends as it was when it predicted its fold best (`train`).
4. As many networks again learn from all rows, for as many epochs.
5. Linear networks learn from the same folds; as far as they help to predict the rows held out, they have a share in
   the mixture, most where rows are few (`linear`, `linear_share`).
6. The same rows choose one exponent that sharpens or softens the probabilities (`calibrate`).
7. They also say how sure the mixture is: how far off it was, by row, or how probable the true classes were
   (`number_margin`, `class_margin`).
"""

from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np

from netwright.core.arguments import Array
from netwright.core.memory import give_back
from netwright.core.samples import Samples
from netwright.network import Network
from netwright.recipes.blend import calibrate, class_margin, linear, linear_share, number_margin
from netwright.recipes.folds import Chosen, Fold, held_out_rows, in_float32, out_of_fold, stratified_folds
from netwright.recipes.mixture import Mixture, tempered
from netwright.recipes.networks import Trained, train
from netwright.recipes.problem import ACTIVATION, DROPOUT, HIDDEN, PARTS, SCOUTING, Problem
from netwright.recipes.scouts import explore, pick_scouts
from netwright.tables.features import TableEncoder
from netwright.tables.frame import Frame
from netwright.training.checkpoint import fingerprint
from netwright.training.history import History

LEVELS = 40  # of a category, up to which each is an input of its own
MANY_OUTPUTS = 20  # up to which the mean targets of a level are features
FOLDS = 5  # of the rows, each of which gets the mean targets of a level from the others
REFITS = 4  # networks more, which learn from all rows
LONGER, FEWEST = 4.0, 12  # epochs, against the scouts' best; and at least
FAR = 0.1  # of the targets' range, by which predictions may leave it


class Interrupted(KeyboardInterrupt):
    """Ctrl-C, with what `learn` would have returned: the mixture of the networks that were done, and their history."""


def encode(
    frame: Frame, targets: Array, weight: Array | None, max_levels: int = LEVELS, kinds: Mapping[str, str] | None = None
) -> TableEncoder:
    """What becomes of each column; `targets` are (outputs, rows)."""
    return TableEncoder.fit(frame, weight=weight, max_levels=max_levels, kinds=kinds, targets=_encoded(targets))


def samples_of(encoder: TableEncoder, frame: Frame, targets: Array, weight: Array | None, seed: int) -> Samples:
    """The rows that the encoder was fitted to, as networks learn from them."""
    fold = np.random.default_rng(seed).integers(FOLDS, size=frame.n_rows)
    inputs = encoder.training_features(frame, fold, weight, _encoded(targets), np.float32)
    return in_float32(inputs, targets, weight)


def mixture_of(
    encoder: TableEncoder, samples: Samples, held_out: Samples | None = None, **options: Any
) -> tuple[Mixture, History]:
    """What `learn` makes of `samples_of` the encoder; `options` are those of `Problem`."""
    return learn(Problem(group=encoder.sources, steps=encoder.is_step, **options), samples, held_out)


def _encoded(targets: Array) -> Array:
    """The targets whose means become features of a category's levels, (rows, outputs); none if they are too many."""
    return targets.T if len(targets) <= MANY_OUTPUTS else targets.T[:, :0]


def untrained(encoder: TableEncoder, outputs: int, loss: str) -> Mixture:
    """As `learn` would begin it: what is to be shown, or asked for its size, before there is one."""
    network = Network([len(encoder.feature_names), *HIDDEN, outputs], ACTIVATION, loss=loss, dropout=DROPOUT, rng=0)
    return Mixture([network] * (PARTS + REFITS), [1 / (PARTS + REFITS)] * (PARTS + REFITS))


def learn(problem: Problem, samples: Samples, held_out: Samples | None = None) -> tuple[Mixture, History]:
    """The mixture of networks that predicts Y from X. `held_out`, if given, judges them all in the place of folds.

    The history is the mean of the networks'. Ctrl-C is `Interrupted` as soon as the network of one fold is done.
    """
    problem.kept.begin(_settings(problem, samples, held_out), problem.seconds)
    give_back()
    rng = np.random.default_rng(problem.seed)
    folds = [Fold(Chosen(samples), Chosen(held_out))] * PARTS if held_out else stratified_folds(samples, PARTS, rng)
    sets = folds + [Fold(Chosen(samples))] * (0 if held_out else REFITS)
    trained: dict[int, Trained] = {}
    try:
        ends = problem.deadlines("scouts", len(folds), SCOUTING)
        scouts = [partial(explore, problem, fold, i, ends[i]) for i, fold in enumerate(folds)]
        found = problem.run_tasks("scouts", scouts, {})
        scouted = pick_scouts([found[i] for i in range(len(folds))])
        epochs = max(FEWEST, round(LONGER * float(np.mean([each.epoch for each in scouted]))))
        scales = [each.input_scale for each in scouted]
        scales += [np.mean(scales, axis=0)] * (len(sets) - len(folds))
        ends = problem.deadlines("networks", len(sets))
        tasks = [partial(train, problem, fold, i, ends[i], scales[i], epochs) for i, fold in enumerate(sets)]
        problem.run_tasks("networks", tasks, trained)
        problem.judge.forget()
        give_back()
        straight = [] if problem.is_over() else linear(problem, folds)
        problem.kept.write()
    except KeyboardInterrupt:
        problem.kept.write()
        if min(trained, default=len(folds)) >= len(folds):
            raise
        stopped = f"interrupted when {len(trained)} of {len(sets)} networks were done"
        mixture = blend(problem, samples, folds, trained, [])
        raise Interrupted(mixture, mean_history(problem, trained, stopped)) from None
    stopped = "the time limit is reached" if problem.is_over() else f"all {len(sets)} networks done"
    mixture = blend(problem, samples, folds, trained, straight)
    stopped = f"{stopped}, interrupted before it was known where they err" if problem.stop.is_set() else stopped
    return mixture, mean_history(problem, trained, stopped)


def _settings(problem: Problem, samples: Samples, held_out: Samples | None) -> dict[str, Any]:
    """What must be the same for what a checkpoint has done to be of use."""
    return {
        "loss": problem.loss,
        "seed": problem.seed,
        "engine": problem.engine,
        "sample weights": fingerprint(samples.weight),
        "targets": fingerprint(samples.Y),
        "inputs": fingerprint(samples.X),
        "features": fingerprint(problem.group, problem.steps),
        "rows held out": None if held_out is None else fingerprint(*held_out.arrays),
    }


def blend(
    problem: Problem, samples: Samples, folds: list[Fold], trained: dict[int, Trained], straight: list[Network]
) -> Mixture:
    """The networks with the linear ones (`straight`) and an exponent, as far as these help to predict; and margins."""
    places, share = sorted(trained), 0.0
    networks = [trained[place].network for place in places]
    own = [place for place in places if place < len(folds)]
    folds = [folds[place] for place in own]
    truth, A = held_out_rows(folds), out_of_fold(folds, networks[: len(own)], problem.judge)
    if straight:
        A_straight = out_of_fold(folds, straight, problem.judge)
        share = linear_share(problem, A, A_straight, truth)
        A = (1 - share) * A + share * A_straight
    shares = [(1 - share) / len(networks)] * len(networks) + [share / max(1, len(straight))] * len(straight)
    networks += straight
    if problem.loss != "squared_error":
        exponent = calibrate(problem, A, truth)
        sharp = tempered(A, exponent) if exponent != 1 else A
        return Mixture(networks, shares, exponent, margins=[class_margin(sharp, truth)])
    least, most = float(samples.Y.min()), float(samples.Y.max())
    limits = [least - FAR * (most - least), most + FAR * (most - least)]
    margin = number_margin(problem, folds, np.clip(A, limits[0], limits[1]), truth)
    return Mixture(networks, shares, limits=limits, margins=[margin])


def mean_history(problem: Problem, trained: dict[int, Trained], stopped: str) -> History:
    """The mean of the networks with rows held out, an entry an epoch: straight lines between looks, and in time."""
    seen = [trained[place] for place in sorted(trained) if trained[place].looks]
    seen = [each for each in seen if np.isfinite([*each.costs, *each.looks.values()]).all()]
    epochs = np.arange(1, 1 + min((len(each.costs) for each in seen), default=0))
    costs = [each.costs[: len(epochs)] for each in seen]
    held_out = [np.interp(epochs, [*each.looks], [*each.looks.values()]) for each in seen]
    seconds = problem.seconds() * epochs / max(1, len(epochs))
    cost, validation_cost = (np.mean(lists, axis=0).tolist() if seen else [] for lists in (costs, held_out))
    return History(cost, validation_cost, seconds=seconds.tolist(), stopped=stopped)
