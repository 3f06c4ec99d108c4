"""Several networks as one: what the recipe for tables makes, and how it is kept in a file."""

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np

from netwright.core.arguments import Array, brief, number
from netwright.core.losses import Loss
from netwright.files.networks import NETWORK, rebuild
from netwright.files.schema import Shape, finite, fraction, row
from netwright.network import Network
from netwright.uncertainty.margins import MARGIN, Margin

MIXTURE: Shape = {
    "shares": [fraction],
    "exponent": partial(number, low=0, high=100, above=True),
    "limits": (None, row(finite, finite)),
    "networks": [NETWORK],
    "margins?": [MARGIN],  # a file may be older than they are
}


@dataclass(eq=False)
class Mixture:
    """Σ share · network, within `limits` (low, high) if there are any.

    `exponent` sharpens probabilities (above 1) or softens them. `margins` say how sure predictions are, one for the
    number or for all classes, or none. It has what a `Network` has to predict by.
    """

    networks: list[Network]
    shares: list[float]
    exponent: float = 1.0
    limits: list[float] | None = None
    margins: list[Margin] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Only networks with a share, in float64 from now on: a row's outputs then hardly depend on those beside it."""
        used = [(_in_float64(net), share) for net, share in zip(self.networks, self.shares, strict=True) if share]
        self.networks, self.shares = [net for net, _ in used], [share for _, share in used]

    @property
    def inputs(self) -> int:
        return self.networks[0].inputs

    @property
    def outputs(self) -> int:
        return self.networks[0].outputs

    @property
    def loss(self) -> Loss:
        return self.networks[0].loss

    def predict(self, X: Array) -> Array:
        """The outputs, (outputs, samples), for X, (inputs, samples)."""
        A = np.asarray(sum(share * net.predict(X) for net, share in zip(self.networks, self.shares, strict=True)))
        A = tempered(A, self.exponent) if self.exponent != 1 else A
        if self.limits is None:
            return A
        low, high = self.limits
        return np.clip(A, low, high)

    def shape(self) -> str:
        """`8 × 15-128-128-3 + 4 × 15-3`."""
        return " + ".join(f"{count} × {sizes}" for sizes, count in Counter(map(spell, self.networks)).items())

    def summary(self) -> str:
        """Networks that are alike together, with the share of each; then the layers of the first of each kind."""
        kinds: dict[tuple[str, float], list[Network]] = {}
        for network, share in zip(self.networks, self.shares, strict=True):
            kinds.setdefault((spell(network), share), []).append(network)
        lines = ["a mixture of"]
        lines += [f"  {len(nets)} × {sizes}, a share of {share:.3g} each" for (sizes, share), nets in kinds.items()]
        lines += [f"probabilities to the power of {self.exponent:.3g}, and normalised"] * (self.exponent != 1)
        if self.limits is not None:
            lines.append("standardised outputs cut to {:.3g} … {:.3g}".format(*self.limits))
        return "\n\n".join(["\n".join(lines), *(nets[0].summary() for nets in kinds.values())])

    # ── files ──

    def to_json(self) -> tuple[dict[str, Any], dict[str, Array]]:
        """(what JSON can say of it, its tensors): the numbers in float32, as they were learnt."""
        said = {name: getattr(self, name) for name in ("shares", "exponent", "limits")}
        said["networks"] = [network.settings() for network in self.networks]
        said |= {"margins": [margin.to_json() for margin in self.margins]} if self.margins else {}
        return said, {f"theta.{i}": network.theta.astype(np.float32) for i, network in enumerate(self.networks)}

    @classmethod
    def from_json(cls, said: Mapping[str, Any], tensors: Mapping[str, Array]) -> "Mixture":
        """What `to_json` described, of the shape `MIXTURE`; ValueError when its parts do not fit together."""
        networks = [
            rebuild(Network, settings, tensors[f"theta.{i}"].astype(np.float64), {}, {})
            for i, settings in enumerate(said["networks"])
        ]
        shares, limits = said["shares"], said["limits"]
        if len({(net.inputs, net.outputs) for net in networks}) != 1 or not math.isclose(sum(shares), 1):
            raise ValueError(f"a mixture of {len(networks)} networks with the shares {brief(shares)} cannot be")
        if len(shares) != len(networks) or (limits is not None and limits[0] > limits[1]):
            raise ValueError(f"a mixture with {len(shares)} shares and the limits {limits} cannot be")
        margins = [Margin.from_json(each, networks[0].inputs) for each in said.get("margins", [])]
        if len(margins) > 1:
            raise ValueError(f"a mixture with {len(margins)} margins cannot be")
        return cls(networks, list(shares), said["exponent"], limits, margins)

    def __getstate__(self) -> Any:
        return self.to_json()

    def __setstate__(self, state: Any) -> None:
        vars(self).update(vars(Mixture.from_json(*state)))


def spell(network: Network) -> str:
    """`15-128-128-3`."""
    return "-".join(map(str, [network.inputs, *(layer.neurons for layer in network.dense)]))


def tempered(P: Array, exponent: float) -> Array:
    """Probabilities, (outputs, samples), to that power and normalised; of two classes the second's alone."""
    P = np.clip(P, 1e-12, 1)
    powers = P**exponent
    other = np.clip(1 - P, 1e-12, 1) ** exponent if len(P) == 1 else 0
    return np.asarray(powers / (powers.sum(axis=0) + other))


def _in_float64(network: Network) -> Network:
    settings = network.settings() | {"dtype": "float64"}
    return Network.from_settings(settings, network.theta, {}, settings["loss"])
