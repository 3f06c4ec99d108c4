"""The article's training script: two layers learn the exclusive or by plain gradient descent."""

import numpy as np

from netwright import Layer, d_logloss, logloss

np.random.seed(2)

x = np.array([[0, 0, 1, 1], [0, 1, 0, 1]])  # dim x m
y = np.array([[0, 1, 1, 0]])  # 1 x m
m = 4
epochs = 1500

lyr = [Layer(2, 3, "tanh"), Layer(3, 1, "sigmoid")]
costs = []  # to plot graph

for epoch in range(epochs):
    # Feedforward
    A = x
    for layer in lyr:
        A = layer.feedforward(A)

    # Calculate cost to plot graph
    cost = 1 / m * np.sum(logloss(y, A))
    costs.append(cost)
    if epoch % 300 == 0:
        print(f"epoch {epoch:4}  cost {cost:.4f}")

    # Backpropagation, which also updates W and b
    dA = d_logloss(y, A)
    for layer in reversed(lyr):
        dA = layer.backprop(dA)

# Making predictions
A = x
for layer in lyr:
    A = layer.feedforward(A)
print(f"in the last epoch  cost {costs[-1]:.4f}")
print(A.round(3))
