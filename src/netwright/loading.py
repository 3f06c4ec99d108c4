"""Any model file: the one place that knows every kind of file, and brings back what it holds."""

from collections.abc import Iterable
from typing import Any

from netwright.core import arguments
from netwright.core.activations import Activation
from netwright.core.arguments import brief, cut, several
from netwright.core.losses import Loss
from netwright.files.container import read
from netwright.files.networks import rebuild
from netwright.network import Network, margins_from

# ── of each kind of file, how what it holds comes back from (header, tensors, activations, losses) ──


def _network(header: Any, tensors: Any, activations: Any, losses: Any) -> Any:
    from netwright.files.networks import KIND

    KIND.check(header)
    network = rebuild(Network, header["network"], tensors["theta"], activations, losses)
    if said := header.get("margins"):
        network.margins = margins_from(said, network)
    return network


def _checkpoint(header: Any, tensors: Any, activations: Any, losses: Any) -> Any:
    from netwright.training.checkpoint import KIND

    KIND.check(header)
    return rebuild(Network, header["network"], tensors["best_theta"], activations, losses)


def _mixture_checkpoint(header: Any, tensors: Any, activations: Any, losses: Any) -> Any:
    raise ValueError("a checkpoint of a mixture is no model, but what its training goes on from (resume=True)")


def _table(header: Any, tensors: Any, activations: Any, losses: Any) -> Any:
    from netwright.tabular.model import KIND, TableModel

    KIND.check(header)
    return TableModel.from_header(header, tensors, activations, losses)


def _estimator(header: Any, tensors: Any, activations: Any, losses: Any) -> Any:
    from netwright.estimators.files import KIND, from_header
    from netwright.estimators.mlp import MLPClassifier, MLPRegressor

    KIND.check(header)
    return from_header(_class(header, MLPClassifier, MLPRegressor), header, tensors, activations, losses)


def _tabular(header: Any, tensors: Any, activations: Any, losses: Any) -> Any:
    from netwright.estimators.tabular import TabularClassifier, TabularRegressor
    from netwright.estimators.tabular_files import KIND, from_header

    KIND.check(header)
    return from_header(_class(header, TabularClassifier, TabularRegressor), header, tensors)


def _class(header: Any, *known: type[Any]) -> type[Any]:
    """The one of them that the header names."""
    for kind in known:
        if kind.__name__ == header["class"]:
            return kind
    raise ValueError(f"it holds a {brief(header['class'])}, which this netwright does not know; upgrade netwright")


READERS = {
    "network": _network,
    "checkpoint": _checkpoint,
    "checkpoint of a mixture": _mixture_checkpoint,
    "table": _table,
    "estimator": _estimator,
    "tabular": _tabular,
}


def load(path: Any, own: Iterable[Activation | Loss] = ()) -> Any:
    """What `save` wrote: a Network, an estimator, or a TableModel; of a network's checkpoint, the best network so far.

    `own`: the activations and losses of your own that it was made with. An estimator's `checkpoint`, `resume`, `engine`
    and `n_threads` are not taken from a file: they are the defaults until you set them.

    ValueError, of one sentence, for a file that is damaged, not netwright's, from a newer version, says what no model
    can have, or was made with something of somebody's own that is not given; FileNotFoundError.
    """
    what = "a list of Activations and Losses"
    rows = [own] if isinstance(own, Activation | Loss) else several("own", own, what, ordered=False)
    for row in rows:
        if not isinstance(row, Activation | Loss):
            raise ValueError(f"own must be {what}, got {row!r}")
    kind, tensors, header = read(arguments.path("path", path))
    activations = {row.name: row for row in rows if isinstance(row, Activation)}
    losses = {row.name: row for row in rows if isinstance(row, Loss)}

    try:
        if kind in READERS:
            return READERS[kind](header, tensors, activations, losses)
    except ValueError as error:
        raise ValueError(f"{path}: {cut(' '.join(str(error).split()), 400)}") from None
    except (LookupError, TypeError, AttributeError, OverflowError, RecursionError) as error:
        why = cut(f"{type(error).__name__}: {error}", 300)
        raise ValueError(f"{path}: its header does not describe a {kind} ({why})") from None
    raise ValueError(f"{path} holds a {brief(kind)}, which this netwright does not know; upgrade netwright to read it")
