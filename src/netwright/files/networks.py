"""A network as a model file keeps it: its settings and theta."""

from collections.abc import Sequence
from typing import Any, TypeVar

from netwright.core.activations import ACTIVATIONS, Activation
from netwright.core.arguments import Array, whole
from netwright.core.initializers import INITIALIZERS
from netwright.core.losses import LOSSES, Loss
from netwright.core.network import FeedForward
from netwright.files.schema import (
    FileKind,
    Shape,
    all_finite,
    fraction,
    named,
    not_negative,
    one_of,
    plain,
    tagged,
    text,
)

Made = TypeVar("Made", bound=FeedForward)

LAYERS: dict[str, Shape] = {
    "dense": {"inputs": whole, "neurons": whole, "activation": str, "initializer?": named(INITIALIZERS)},
    "dropout": {"rate": fraction},
}
NETWORK: Shape = {
    "layers": [tagged("kind", LAYERS, "layer kind")],
    "loss": str,
    "dtype": one_of("float64", "float32"),
    "l2": not_negative,
    "l1": not_negative,
    "label_smoothing": fraction,
    "penalty_per_batch?": bool,  # a file may be older than it
}
# Margins, how sure it is, are spelt by whoever knows of them.
KIND = FileKind("network", {"network": NETWORK, "margins?": [plain]})


def save(network: FeedForward, path: Any, margins: Sequence[Any] = ()) -> None:
    """Write the network to `path`, atomically: a crash in the middle leaves the file that was there.

    An `Activation` or `Loss` of your own is kept by name; give it to `load` again. OSError when it can't be written.
    """
    more = {"margins": list(margins)} if margins else {}
    KIND.write(path, {"theta": network.theta}, {"network": network.settings(), **more})


def rebuild(
    kind: type[Made],
    settings: dict[str, Any],
    theta: Array,
    activations: dict[str, Activation],
    losses: dict[str, Loss],
) -> Made:
    """A network of that kind from `settings`, of the shape `NETWORK`, and theta, once it is sure that they fit and that
    every name is known."""
    dense = [layer for layer in settings["layers"] if "neurons" in layer]
    size = sum(layer["neurons"] * (layer["inputs"] + 1) for layer in dense)
    if theta.shape != (size,) or theta.dtype.name != settings["dtype"]:  # before memory is asked for
        raise ValueError(f"theta is {theta.dtype} {theta.shape}, which its layers do not fill in {settings['dtype']}")
    all_finite(theta=theta)
    loss, widest = settings["loss"], max((layer["neurons"] for layer in dense), default=1)
    for name in (loss, *(layer["activation"] for layer in dense)):
        check_name(name, widest)
    for layer in dense:
        name = layer["activation"]
        if name not in activations and name not in ACTIVATIONS:
            raise ValueError(f"it uses an activation of its maker's own, {name!r}; pass it: load(path, [{name}])")
    if loss not in losses and loss.partition(":")[0] not in LOSSES:
        raise ValueError(f"it uses a loss of its maker's own, {loss!r}; pass it: load(path, [{loss}])")
    return kind.from_settings(settings, theta, activations, losses.get(loss, loss))


def check_name(name: str, neurons: int) -> None:
    """ValueError for the name of a loss or an activation that is longer than one of so many neurons can be.

    It may spell a number for each of them ("cross_entropy:3,2,4"), and to make sense of it takes time.
    """
    text("the name of its loss or activation", name, 1000 + 40 * neurons)
