"""An activation and a loss of one's own: checked when they are made, and usable wherever a name is."""

import tempfile
from pathlib import Path

import numpy as np

from netwright import Activation, Loss, Network, check_gradient, load

sine = Activation("sine", lambda Z: np.sin(Z), lambda Z, A: np.cos(Z))
cauchy = Loss(  # forgives outliers: grows like the logarithm of the residual
    "cauchy",
    value=lambda Z, Y: 0.5 * np.log1p((Z - Y) ** 2),
    dZ=lambda Z, A, Y: (Z - Y) / (1 + (Z - Y) ** 2),
)

try:
    Activation("wrong", lambda Z: np.sin(Z), lambda Z, A: -np.cos(Z))
except ValueError as error:
    print(f"a wrong derivative is refused: {error}")

rng = np.random.default_rng(0)
X = rng.uniform(-2, 2, (1, 300))
Y = np.sin(3 * X) + 0.05 * rng.normal(size=X.shape)
Y[0, ::20] += 8  # one target in twenty is far off

network = Network([1, 24, 1], activation=sine, loss=cauchy, rng=0)
print(f"worst relative error of the gradient: {check_gradient(network, X[:, :20], Y[:, :20]):.0e}")
history = network.train(X, Y, epochs=300, batch_size=20, learning_rate=0.01)
print(f"cost {history.cost[0]:.3f} in the first epoch, {history.cost[-1]:.3f} in the last")

good = np.arange(X.shape[1]) % 20 != 0
error = np.abs(network.predict(X) - np.sin(3 * X))[0, good].mean()
print(f"mean distance from the sine that the outliers hide: {error:.3f}")

with tempfile.TemporaryDirectory() as directory:
    path = Path(directory) / "sine.safetensors"
    network.save(path)  # a file keeps the names of what is your own, never code
    again = load(path, [sine, cauchy])
print("the loaded network gives the same predictions:", np.array_equal(again.predict(X), network.predict(X)))
