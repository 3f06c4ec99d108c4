"""A network as a model file keeps it: its settings and theta."""

from typing import Any, TypeVar

import numpy as np

from netwright.core.activations import ACTIVATIONS, Activation
from netwright.core.arguments import Array, whole
from netwright.core.losses import LOSSES, Loss
from netwright.core.network import FeedForward
from netwright.files.container import write

Made = TypeVar("Made", bound=FeedForward)


def save(network: FeedForward, path: Any) -> None:
    """Write the network to `path`, atomically: a crash in the middle leaves the file that was there.

    An `Activation` or `Loss` of your own is kept by name; give it to `load` again. OSError when it can't be written.
    """
    write(path, "network", {"theta": network.theta}, {"network": network.settings()})


def rebuild(
    kind: type[Made],
    settings: dict[str, Any],
    theta: Array,
    activations: dict[str, Activation],
    losses: dict[str, Loss],
) -> Made:
    """A network of that kind from `settings` and theta, once it is sure that they fit and that every name is known."""
    for layer in settings["layers"]:
        name = layer.get("activation", "identity")
        if name not in activations and name not in ACTIVATIONS:
            raise ValueError(f"it uses an activation of its maker's own, {name!r}; pass it: load(path, [{name}])")
    loss = settings["loss"]
    if loss not in losses and loss.partition(":")[0] not in LOSSES:
        raise ValueError(f"it uses a loss of its maker's own, {loss!r}; pass it: load(path, [{loss}])")
    dense = [layer for layer in settings["layers"] if "neurons" in layer]
    size = sum(whole("neurons", layer["neurons"]) * (whole("inputs", layer["inputs"]) + 1) for layer in dense)
    if theta.shape != (size,) or theta.dtype.name != settings["dtype"]:  # before memory is asked for
        raise ValueError(f"theta is {theta.dtype} {theta.shape}, which its layers do not fill in {settings['dtype']}")
    if not np.isfinite(theta).all():
        raise ValueError(f"theta has {np.count_nonzero(~np.isfinite(theta)):,} numbers that are not finite")
    return kind.from_settings(settings, theta, activations, losses.get(loss, loss))
