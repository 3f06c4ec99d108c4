"""Which engine does a job: the table of them, what each costs, and plain where there is no compiler."""

import functools
import logging
import math
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from netwright.core.activations import ACTIVATIONS, Softmax
from netwright.core.arguments import Array
from netwright.core.losses import is_known
from netwright.core.network import FeedForward
from netwright.core.optimizers import OPTIMIZERS
from netwright.core.registry import Registry
from netwright.engines.cache import mark_warm, warmed_up
from netwright.engines.engine import Engine
from netwright.engines.plain import Plain
from netwright.engines.threads import Lock

log = logging.getLogger("netwright")


# Seconds of the plain engine's from which "auto" takes the fused one: about what that takes to compile. Whether it has
# been compiled before makes no difference, so that the same call gives the same bits on the first day and the second.
# After `warm_up` it is only to be loaded, once a process, which takes as long as some twenty jobs of WARM seconds.
START, WARM = 8.0, 0.05


@dataclass(frozen=True)
class Job:
    """What decides which engine pays: samples are those of all epochs together."""

    network: FeedForward
    optimizer: Any
    samples: int
    batch_size: int
    max_seconds: float | None = None
    n_threads: int | None = None

    def plain_seconds(self) -> float:
        """About what the plain engine takes: NumPy's calls for each layer and step, and the matrix products."""
        calls = self.samples / self.batch_size * 60e-6 * len(self.network.dense)
        return calls + 6 * self.samples * self.network.theta.size / 15e9

    def listed(self) -> bool:
        """Whether `warm_up` compiles all its rows: those of the tables, and of families whose numbers are data."""
        rows = [layer.activation for layer in self.network.dense]
        known = is_known(self.network.loss) and type(self.optimizer) in OPTIMIZERS.values()
        return known and all(isinstance(row, Softmax) or row in ACTIVATIONS.values() for row in rows)


def _plain(job: Job) -> Engine:
    return Plain()


def _fused(job: Job) -> Engine:
    """The fused engine, compiled for the job; or plain, with a line that says why, where it cannot run it."""

    def compiled() -> Engine:
        from netwright.engines.fused import Fused

        engine = Fused(job.n_threads)
        engine.compile(job.network, job.optimizer, job.batch_size)
        return engine

    engine: Engine = _or_plain(compiled, Plain())
    return engine


def predictor(network: FeedForward, n_threads: int | None = None) -> Callable[[Array], Array]:
    """The fused engine's, or `network.predict`, with a line that says why."""

    def compiled() -> Callable[[Array], Array]:
        from netwright.engines.fused import Predictor

        return Predictor(network, n_threads)

    predict: Callable[[Array], Array] = _or_plain(compiled, network.predict)
    return predict


def warm_up() -> float:
    """Compile every row of every table ahead; returns the seconds that took. ImportError without Numba.

    From then on "auto" takes the fused engine for all but the smallest jobs.
    """
    from netwright.engines.fused import warm_up

    seconds = warm_up()
    mark_warm()
    return seconds


_importing = Lock()


def _has_compiler() -> bool:
    """Whether Numba can be imported; if not, that is said once a process, by whichever thread asks first."""
    with _importing:
        return _compiler_found()


@functools.cache  # `cache` is a module here
def _compiler_found() -> bool:
    try:
        import_module("netwright.engines.fused")
    except (ImportError, OSError) as error:  # OSError: llvmlite does not find its library
        log.warning("the fused engine needs Numba (%s); plain NumPy does it instead", error)
        return False
    return True


def _or_plain(compiled: Callable[[], Any], plain: Any) -> Any:
    """What `compiled` makes, unless there is no compiler, or it cannot."""
    if not _has_compiler():
        return plain
    from netwright.engines.fused import NotCompilable

    try:
        return compiled()
    except NotCompilable as reason:
        log.warning("the fused engine cannot run this: %s; plain NumPy does it instead", reason)
        return plain


def _auto(job: Job) -> Engine:
    """The one that will be done sooner."""
    seconds = min(job.plain_seconds(), job.max_seconds or math.inf)
    loads = seconds > WARM and job.listed() and warmed_up()
    return _fused(job) if seconds > START or loads else Plain()


ENGINES: Registry[Callable[[Job], Engine]] = Registry("engine", {"auto": _auto, "plain": _plain, "fused": _fused})
