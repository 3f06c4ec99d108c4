"""The article's own code, its typographic faults mended, is the reference: our Layer must give its numbers."""

import numpy as np
import pytest

import netwright

ARTICLE = """
import numpy as np

# Activation Functions
def tanh(x):
    return np.tanh(x)

def d_tanh(x):
    return 1 - np.square(np.tanh(x))

def sigmoid(x):
    return 1/(1 + np.exp(-x))

def d_sigmoid(x):
    return (1 - sigmoid(x)) * sigmoid(x)

# Loss Functions
def logloss(y, a):
    return -(y*np.log(a) + (1-y)*np.log(1-a))

def d_logloss(y, a):
    return (a - y)/(a*(1 - a))

# The layer class
class Layer:

    activationFns = {
        'tanh': (tanh, d_tanh),
        'sigmoid': (sigmoid, d_sigmoid)
    }
    learning_rate = 0.1

    def __init__(self, inputs, neurons, activation):
        self.W = np.random.randn(neurons, inputs)
        self.b = np.zeros((neurons, 1))
        self.act, self.d_act = self.activationFns.get(activation)

    def feedforward(self, A1):
        self.A1 = A1
        self.Z = np.dot(self.W, self.A1) + self.b
        self.A = self.act(self.Z)
        return self.A

    def backprop(self, dA):
        dZ = np.multiply(self.d_act(self.Z), dA)
        dW = 1/dZ.shape[1] * np.dot(dZ, self.A1.T)
        db = 1/dZ.shape[1] * np.sum(dZ, axis=1, keepdims=True)
        dA1 = np.dot(self.W.T, dZ)
        self.W = self.W - self.learning_rate * dW
        self.b = self.b - self.learning_rate * db
        return dA1
"""

SCRIPT = """
x = np.array([[0, 0, 1, 1], [0, 1, 0, 1]]) # dim x m
y = np.array([[0, 1, 1, 0]]) # 1 x m
m = 4
epochs = 1500

lyr = [Layer(2, 3, 'tanh'), Layer(3, 1, 'sigmoid')]
costs = [] # to plot graph

for epoch in range(epochs):
    # Feedforward
    A = x
    for layer in lyr:
        A = layer.feedforward(A)

    # Calulate cost to plot graph
    cost = 1/m * np.sum(logloss(y, A))
    costs.append(cost)

    dA = d_logloss(y, A)
    for layer in reversed(lyr):
        dA = layer.backprop(dA)

# Making predictions
A = x
for layer in lyr:
    A = layer.feedforward(A)
print(A)
"""


@pytest.fixture(scope="module")
def article():
    names = {}
    exec(ARTICLE, names)
    return names


def run_script(names):
    np.random.seed(0)
    names = dict(names)
    exec(SCRIPT, names)
    return names


@pytest.fixture(scope="module")
def theirs(article):
    return run_script(article)


@pytest.fixture(scope="module")
def ours():
    return run_script({name: getattr(netwright, name) for name in ("Layer", "logloss", "d_logloss")} | {"np": np})


def test_the_script_ends_at_the_articles_cost(theirs, ours):
    assert ours["costs"][-1] == pytest.approx(theirs["costs"][-1], rel=1e-10)
    assert ours["costs"][-1] == pytest.approx(0.35995741, abs=5e-9)


def test_the_script_goes_through_the_articles_costs_to_its_weights_and_predictions(theirs, ours):
    np.testing.assert_allclose(ours["costs"], theirs["costs"], rtol=1e-10)
    for our, their in zip(ours["lyr"], theirs["lyr"], strict=True):
        for name in ("W", "b", "A1", "Z", "A"):
            np.testing.assert_allclose(getattr(our, name), getattr(their, name), rtol=0, atol=1e-12)
    np.testing.assert_allclose(ours["A"], theirs["A"], rtol=0, atol=1e-12)


def test_a_layer_starts_with_the_articles_bits(article):
    np.random.seed(7)
    theirs = article["Layer"](4, 5, "tanh")
    np.random.seed(7)
    ours = netwright.Layer(4, 5, "tanh")
    assert np.array_equal(ours.W, theirs.W)
    assert np.array_equal(ours.b, theirs.b)
    assert np.array_equal(np.random.randn(3), np.random.RandomState(7).randn(23)[20:])  # the stream goes on as theirs


@pytest.mark.parametrize("name", ["tanh", "d_tanh", "sigmoid", "d_sigmoid"])
def test_public_activation_functions_are_the_articles(article, name):
    Z = np.linspace(-20, 20, 101)
    np.testing.assert_allclose(getattr(netwright, name)(Z), article[name](Z), rtol=1e-12, atol=1e-16)


@pytest.mark.parametrize("name", ["logloss", "d_logloss"])
def test_public_losses_are_the_articles(article, name):
    y, a = np.array([[0, 1, 0.3]]).T, np.linspace(0.001, 0.999, 50)
    np.testing.assert_allclose(getattr(netwright, name)(y, a), article[name](y, a), rtol=1e-12)


def test_a_network_of_the_articles_layers_descends_as_the_script_does(theirs):
    np.random.seed(0)
    network = netwright.Network([netwright.Layer(2, 3, "tanh"), netwright.Layer(3, 1, "sigmoid")])
    for cost in theirs["costs"]:
        assert network.gradient(theirs["x"], theirs["y"]) == pytest.approx(cost, rel=1e-10)
        network.theta -= 0.1 * network.grad
