"""How an estimator's parameters become trainings of the core's: the rows held out, one training for each network."""

import copy
import threading
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from sklearn.base import ClassifierMixin
from sklearn.model_selection import check_cv, train_test_split

from netwright.core.activations import ACTIVATIONS
from netwright.core.arguments import Array, as_number, brief, finite, is_whole, several
from netwright.core.losses import is_known
from netwright.core.optimizers import Optimizer, WholeBatch
from netwright.core.samples import Samples
from netwright.core.scores import Score
from netwright.engines.threads import bounded, cores
from netwright.estimators import parameters
from netwright.estimators.streams import Stream, draw_weights
from netwright.network import Network
from netwright.recipes.auto import solve
from netwright.training.history import Callback, History
from netwright.training.loop import run
from netwright.training.options import TrainingOptions
from netwright.training.prepare import prepare
from netwright.training.run import Training


@dataclass
class Member:
    """One network, and all that lets its training go on exactly where it stopped."""

    network: Network
    stream: Stream
    optimizer: Any = None
    made_from: Any = None  # the parameters that the optimizer was made from
    rate: float = 0.0  # where "adaptive" has brought the learning rate
    history: History = field(default_factory=History)
    waited: int = 0  # epochs since the last that was better
    engine: str = ""
    chosen: str = ""  # what "auto" has chosen and why
    predictor: Any = None

    def find_optimizer(self, estimator: Any) -> Any:
        """The optimizer so far, or a new one if there is none or its parameters have changed."""
        now = optimizer_parameters(estimator)
        if self.optimizer is None or self.made_from != now:
            self.optimizer, self.made_from = parameters.make_optimizer(estimator), now
            self.rate = getattr(self.optimizer, "learning_rate", 0.0)
        return self.optimizer

    def predict(self, X: Array, compiled: bool) -> Array:
        """The network's outputs A for X, (inputs, samples) and checked, by compiled code or the layers' own NumPy."""
        if not compiled:
            A = X
            for layer in self.network.layers:
                A = layer(A)
        else:
            if self.predictor is None:
                self.predictor = self.network.predictor()
            A = self.predictor(X)
        if A[0, 0] != A[0, 0]:  # as almost any NaN among the weights makes it
            finite("theta (coefs_ and intercepts_)", self.network.theta)
        return A

    def snapshot(self, draws: bool) -> dict[str, Any]:
        """Where it stands, to be restored: the random numbers only if training `draws` some, since that takes long."""
        optimizer, learned = self.optimizer, None
        if isinstance(optimizer, Optimizer):
            slots = {name: slot.copy() for name, slot in optimizer.slots.items()}
            learned = optimizer.t, optimizer.learning_rate, slots
        random = self.stream.bit_generator.state if draws else None
        penalty = {"l2": self.network.l2, "penalty_per_batch": self.network.penalty_per_batch}
        theta = self.network.theta.copy()
        return {"self": dict(vars(self)), "theta": theta, "penalty": penalty, "learned": learned, "random": random}

    def restore(self, state: dict[str, Any]) -> None:
        """Stand there again."""
        vars(self).update(state["self"])
        self.network.theta = state["theta"]
        vars(self.network).update(state["penalty"])
        if state["learned"] is not None:
            self.optimizer.t, self.optimizer.learning_rate, self.optimizer.slots = state["learned"]
        if state["random"] is not None:
            self.stream.bit_generator.state = state["random"]

    def __getstate__(self) -> dict[str, Any]:
        """All but the gradients."""
        network = self.network
        used = [layer.activation for layer in network.dense]
        own = {activation.name: activation for activation in used if not ACTIVATIONS.knows(activation)}
        loss = network.loss.name if is_known(network.loss) else network.loss
        return vars(self) | {"network": (network.settings(), network.theta, own, loss), "predictor": None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        with warnings.catch_warnings():  # what it had to say about its last activation was said when it was made
            warnings.simplefilter("ignore")
            vars(self).update(state, network=Network.from_settings(*state["network"]))
        if isinstance(self.optimizer, Optimizer):  # what joblib has mapped into memory may only be read
            slots = self.optimizer.slots
            self.optimizer.slots = {n: slot if slot.flags.writeable else np.array(slot) for n, slot in slots.items()}


def optimizer_parameters(estimator: Any) -> list[Any]:
    """The parameters that its optimizers are made from."""
    names = ["solver", "learning_rate_init", "momentum", "nesterovs_momentum", "beta_1", "beta_2", "epsilon"]
    names += ["tol", "max_fun"] * (estimator.solver == "lbfgs")
    return [getattr(estimator, name) for name in names]


@dataclass(frozen=True)
class Task:
    """What all networks of one fit have in common."""

    samples: Samples
    held_out: Samples | None
    early_stopping: bool
    incremental: bool  # partial_fit: one epoch
    scores: Callable[[Member], Mapping[str, Score]]
    monitor: str | None
    before: tuple[float, int]  # the lowest number watched in earlier fits, and the epochs since
    callbacks: Sequence[Callback]  # of the first network


@contextmanager
def training_of(estimator: Any, member: Member, task: Task, place: int = 0) -> Iterator[Training]:
    """The training of one network as the parameters say, whose end, whatever it is, the member keeps.

    `place` among several tells their checkpoints apart.
    """
    X, Y, weight = task.samples.arrays
    samples, network = len(task.samples), member.network
    network.l2, network.penalty_per_batch = parameters.penalty(estimator, weight, samples)
    optimizer = member.find_optimizer(estimator)
    whole_batch = isinstance(optimizer, WholeBatch)
    watching = task.early_stopping or not whole_batch
    checkpoint = estimator.checkpoint
    options = TrainingOptions(
        epochs=1 if task.incremental else int(estimator.max_iter),
        batch_size=None if whole_batch or estimator.batch_size == "auto" else min(int(estimator.batch_size), samples),
        optimizer=optimizer,
        learning_rate=None if whole_batch else member.rate,
        schedule="constant" if whole_batch else parameters.make_schedule(estimator, samples),
        weight=weight,
        validation=None if task.held_out is None else task.held_out.arrays,
        patience=int(min(estimator.n_iter_no_change, 10**9)) + 1 if watching else None,
        tolerance=float(estimator.tol) if watching else None,
        monitor=task.monitor,
        max_seconds=estimator.max_time,
        clip_norm=estimator.clip_norm,
        shuffle=bool(estimator.shuffle),
        scores=task.scores(member),
        rng=member.stream,
        engine=estimator.engine,
        n_threads=estimator.n_threads if estimator.n_networks == 1 else 1,
        callbacks=task.callbacks,
        checkpoint=checkpoint if checkpoint is None or place == 0 else f"{checkpoint}.{place}",
        resume=bool(estimator.resume) and checkpoint is not None,
        keep_best=task.early_stopping or task.held_out is None,
    )
    training = prepare(network, X, Y, options)
    if task.before[0] < np.inf:
        training.continue_from(*task.before)
    member.history = training.history
    try:
        yield training
    finally:
        member.history, member.waited, member.engine = training.history, training.stale_epochs, training.engine.name
        if isinstance(optimizer, Optimizer):
            member.rate = training.learning_rate * training.rate_factor
            factor = training.schedule(len(training.history), training.epochs)
            as_number("schedule", factor)
            optimizer.learning_rate = float(member.rate * factor)  # the next epoch's: scikit-learn shows it there


def train_members(estimator: Any, members: Sequence[Member], task: Task) -> None:
    """Train all of them side by side, each on a thread; Ctrl-C, which only the main thread hears, ends all."""
    if len(members) == 1:
        train_member(estimator, members[0], task, 0)
        return
    over = threading.Event()
    for member in members:
        member.history = History()  # that it has learnt nothing is seen there, if it never comes to that

    def stop(network: Network, history: History) -> bool:
        if over.is_set():
            history.stopped = f"interrupted after {len(history)} epochs"
        return over.is_set()

    with ThreadPoolExecutor(bounded(estimator.n_threads or min(len(members), cores()))) as pool:
        jobs = []
        try:
            for place, member in enumerate(members):
                watched = replace(task, callbacks=[*(task.callbacks if place == 0 else ()), stop])
                jobs.append(pool.submit(train_member, estimator, member, watched, place))
            wait(jobs)
        except KeyboardInterrupt:
            over.set()
    for job in jobs:
        job.result()


def train_member(estimator: Any, member: Member, task: Task, place: int) -> None:
    """One of several, or the one of solver="auto"."""
    if estimator.solver == "auto":
        train_by_rule(estimator, member, task)
        return
    with training_of(estimator, member, task, place) as training:
        run(training)


def train_by_rule(estimator: Any, member: Member, task: Task) -> None:
    """solver="auto": the rule of `auto.py` makes the network and trains it."""
    X, Y, weight = task.samples.arrays
    drawn, total = member.network, X.shape[1] if weight is None else float(weight.sum())

    def make(seed: int) -> Network:
        network = copy.deepcopy(drawn)
        network.l2 = float(estimator.alpha) / total
        network.penalty_per_batch = False
        draw_weights(network, Stream(np.random.RandomState(seed)), estimator.activation)
        return network

    limit = estimator.max_iter if estimator.max_iter != parameters.defaults(type(estimator))["max_iter"] else None
    solution = solve(
        make,
        X,
        Y,
        weight,
        validation=None if task.held_out is None else task.held_out.arrays,
        seed=int(member.stream.legacy.randint(2**31)),
        max_epochs=limit,
        max_seconds=estimator.max_time,
        engine=estimator.engine,
        n_threads=estimator.n_threads if estimator.n_networks == 1 else 1,
        callbacks=task.callbacks,
    )
    member.network, member.history, member.chosen = solution
    member.engine, member.predictor = str(estimator.engine), None


# ── rows ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def split(estimator: Any, samples: Samples, y: Any, groups: Any) -> tuple[Array, Array]:
    """(places to learn from, places held out) for early stopping: the splitter's first, or scikit-learn's draw."""
    X, Y = samples.X, samples.Y
    if estimator.validation_splitter is not None:
        learned, held = _places(next(iter(_pairs(estimator, X, y, groups)), ()), len(samples))
    else:
        fraction, rows = estimator.validation_fraction, np.arange(len(samples))
        one_of_two = isinstance(estimator, ClassifierMixin) and len(Y) == 1
        strata = np.where(Y[0] > 0, "True", "False") if one_of_two else None
        try:
            learned, held = train_test_split(
                rows, random_state=split_state(estimator), test_size=fraction, stratify=strata
            )
        except ValueError as error:
            raise ValueError(f"validation_fraction={fraction!r} of {len(samples)} rows: {error}") from None
    if len(held) < 2:
        raise ValueError("The validation set is too small. Increase 'validation_fraction' or the size of your dataset.")
    return learned, held


def _pairs(estimator: Any, X: Array, y: Any, groups: Any) -> Any:
    """What `validation_splitter` has to give: a splitter's pairs, those of so many folds, or pairs as they are."""
    splitter = estimator.validation_splitter
    if not is_whole(splitter):
        if hasattr(splitter, "split") and not isinstance(splitter, str | bytes):
            return splitter.split(X.T, y, groups)
        return several("validation_splitter", splitter, "a splitter, a number of folds, or pairs of places")
    if not 2 <= splitter <= X.shape[1]:
        raise ValueError(f"validation_splitter must be from 2 to {X.shape[1]} folds of so many rows, got {splitter}")
    return check_cv(splitter, y, classifier=isinstance(estimator, ClassifierMixin)).split(X.T, y, groups)


def _places(pair: Any, rows: int) -> tuple[Array, Array]:
    """What a splitter gave, as places among so many rows; ValueError when that is none."""
    what = "validation_splitter must give pairs of places, (to learn from, held out)"
    if not isinstance(pair, Sequence | np.ndarray) or len(pair) != 2:
        raise ValueError(f"{what}, got {brief(pair)}")
    for places in (found := [np.asarray(each) for each in pair]):
        right = places.ndim == 1 and places.size and (places.dtype.kind in "iu" or places.dtype == bool)
        if not right or (places.dtype == bool and places.size != rows):
            raise ValueError(f"{what}, got {brief(places)}")
        if places.dtype != bool and not (-rows <= places.min() and places.max() < rows):
            wrong = places[(places < -rows) | (places >= rows)][0]
            raise ValueError(f"validation_splitter names row {wrong}, and there are {rows}")
    return found[0], found[1]


def split_state(estimator: Any) -> np.random.RandomState:
    """The split's random numbers: in a warm start the same as before, so that no row held out then is learned from."""
    stream = estimator._members[0].stream
    if not hasattr(estimator, "_split_bits"):
        estimator._split_bits = stream.bit_generator.state
        return stream.legacy
    again = Stream(np.random.RandomState(0))
    again.bit_generator.state = estimator._split_bits
    return again.legacy
