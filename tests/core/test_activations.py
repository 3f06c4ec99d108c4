import numpy as np
import pytest
from scipy import integrate, special, stats

from netwright import ACTIVATIONS, Activation, Layer, Network, check_gradient
from netwright.core.activations import Softmax, find_activation, softmax

ROWS = [pytest.param(row, id=name) for name, row in ACTIVATIONS.items()]
ELEMENTWISE = [pytest.param(row, id=name) for name, row in ACTIVATIONS.items() if not isinstance(row, Softmax)]
DTYPES = [np.float64, np.float32]


def slopes(f, Z, h=1e-4):
    """The numeric derivative by central differences, extrapolated, and where f is smooth enough for it."""
    left, right = (f(Z) - f(Z - h)) / h, (f(Z + h) - f(Z)) / h
    fine, coarse = ((f(Z + s) - f(Z - s)) / (2 * s) for s in (h / 2, h))
    return (4 * fine - coarse) / 3, np.abs(left - right) < 1e-2 * (1 + np.abs(left))


@pytest.mark.parametrize("row", ELEMENTWISE)
def test_df_is_the_derivative_of_f(row):
    Z = np.random.default_rng(0).uniform(-8, 8, 500)
    numeric, smooth = slopes(row.f, Z)
    assert smooth.mean() > 0.95
    np.testing.assert_allclose(row.df(Z, row.f(Z))[smooth], numeric[smooth], rtol=1e-8, atol=1e-8)


@pytest.mark.parametrize("row", ROWS)
@pytest.mark.parametrize("dtype", DTYPES)
def test_dtype_and_shape_in_are_dtype_and_shape_out_and_Z_is_left_alone(row, dtype):
    for shape in [(1, 1), (3, 4), (4, 0), (2, 3, 5)]:
        Z = np.random.default_rng(0).normal(size=shape).astype(dtype)
        before = Z.copy()
        A = row.f(Z)
        for made in (A, row.df(Z, A), row.dZ(A, Z, A)):
            assert (made.dtype, made.shape) == (dtype, shape)
        assert np.array_equal(Z, before)
        assert not np.shares_memory(A, Z)


@pytest.mark.parametrize("row", ROWS)
@pytest.mark.parametrize("dtype", DTYPES)
def test_extremes_stay_finite_without_a_warning(row, dtype):
    Z = np.array([[-1e4, -800.0, -88, 0, 88, 800, 1e4], [1e4, 800, 88, 0, -88, -800, -1e4]], dtype)
    with np.errstate(all="raise", under="ignore"):
        A = row.f(Z)
        for made in (A, row.df(Z, A), row.dZ(np.ones_like(A), Z, A)):
            assert np.isfinite(made).all()


@pytest.mark.parametrize("row", ELEMENTWISE)
def test_a_number_gives_the_number_that_an_array_gives(row):
    for Z in (-1.5, 0.0, 0.25, 3.0):
        A = row.f(np.array([Z]))
        assert float(row.f(Z)) == A[0]
        assert float(row.df(Z, row.f(Z))) == row.df(np.array([Z]), A)[0]
        assert np.asarray(row.f(np.float32(Z))).dtype == np.float32


def gelu(Z):
    return Z / 2 * (1 + np.tanh(np.sqrt(2 / np.pi) * (Z + 0.044715 * Z**3)))


KNOWN = {  # written another way, or by SciPy
    "identity": lambda Z: Z,
    "tanh": lambda Z: 2 * special.expit(2 * Z) - 1,
    "sigmoid": special.expit,
    "relu": lambda Z: np.where(Z > 0, Z, 0),
    "leaky_relu": lambda Z: np.where(Z > 0, Z, Z / 100),
    "elu": lambda Z: np.where(Z > 0, Z, np.exp(Z) - 1),
    "gelu": gelu,
    "silu": lambda Z: Z * special.expit(Z),
    "mish": lambda Z: Z * np.tanh(np.logaddexp(0, Z)),
    "softplus": lambda Z: np.logaddexp(0, Z),
    "softsign": lambda Z: Z / (1 + np.sqrt(Z * Z)),
    "hard_sigmoid": lambda Z: np.interp(Z, [-3, 3], [0, 1]),
    "hard_tanh": lambda Z: np.interp(Z, [-1, 1], [-1, 1]),
    "squared_relu": lambda Z: np.where(Z > 0, Z * Z, 0),
    "exp": np.exp,
    "softmax": lambda Z: special.softmax(Z, axis=0),
}


@pytest.mark.parametrize("name", KNOWN)
def test_known_values(name):
    Z = np.random.default_rng(1).uniform(-20, 20, (4, 300))
    np.testing.assert_allclose(ACTIVATIONS[name].f(Z), KNOWN[name](Z), rtol=1e-11, atol=1e-12)


def test_gelu_is_near_the_exact_one():
    Z = np.linspace(-5, 5, 101)
    np.testing.assert_allclose(ACTIVATIONS["gelu"].f(Z), Z * stats.norm.cdf(Z), atol=5e-4)


def test_selu_keeps_mean_0_and_variance_1():
    f = ACTIVATIONS["selu"].f

    def moment(power):
        parts = [integrate.quad(lambda z: f(z) ** power * stats.norm.pdf(z), *ends)[0] for ends in ((-30, 0), (0, 30))]
        return sum(parts)

    assert moment(1) == pytest.approx(0, abs=1e-9)
    assert moment(2) == pytest.approx(1, abs=1e-9)


@pytest.mark.parametrize(("name", "block"), [("softmax", [0, 0, 0, 0]), ("softmax:1,3", [0, 1, 1, 1])])
def test_softmax_dZ_is_the_product_with_its_jacobian(name, block):
    rng = np.random.default_rng(2)
    row, Z, dA = find_activation(name), rng.normal(size=(4, 3)), rng.normal(size=(4, 3))
    A = row.f(Z)
    dZ = row.dZ(dA, Z, A)
    together = np.equal.outer(block, block)
    for k in range(3):
        a = A[:, k]
        jacobian = np.diag(a) - np.outer(a, a) * together
        np.testing.assert_allclose(dZ[:, k], jacobian @ dA[:, k], rtol=1e-12, atol=1e-15)
    for i in range(4):
        step = np.zeros_like(Z)
        step[i] = 1e-6
        numeric = ((row.f(Z + step) - row.f(Z - step)) * dA).sum(axis=0) / 2e-6
        np.testing.assert_allclose(dZ[i], numeric, atol=1e-9)
    np.testing.assert_allclose(row.df(Z, A), A * (1 - A), rtol=1e-12)


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_softmax_by_blocks_is_one_of_each(dtype):
    Z = np.random.default_rng(3).normal(size=(9, 5), scale=3).astype(dtype)
    A = find_activation("softmax:3,2,4").f(Z)
    assert A.dtype == dtype
    parts = [special.softmax(part, axis=0) for part in np.split(Z, [3, 5])]
    np.testing.assert_allclose(A, np.concatenate(parts), rtol=1e-12 if dtype == np.float64 else 1e-5)
    assert find_activation("softmax:9").f(Z).tobytes() == ACTIVATIONS["softmax"].f(Z).tobytes()


def test_softmax_by_blocks_is_found_by_its_name():
    assert find_activation("softmax:3,2") is softmax(3, 2) is ACTIVATIONS["softmax:3,2"] is softmax(np.int64(3), 2)
    assert "softmax:3,2" in ACTIVATIONS
    assert "softmax:3,2" not in list(ACTIVATIONS)
    assert softmax() is ACTIVATIONS["softmax"]
    for absent in ("softmax:0", "softmax:", "tanh:1", "nothing:1"):
        assert absent not in ACTIVATIONS
        with pytest.raises(KeyError):
            ACTIVATIONS[absent]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Layer(2, 8, "softmax:3,2,4"), r"softmax:3,2,4 is for 3 \+ 2 \+ 4 = 9 neurons, got 8"),
        (lambda: softmax(3, 2).f(np.zeros((4, 1))), "blocks of 3, 2 rows need 5, got 4"),
        (lambda: softmax(3, 2.5), "a block of softmax must be a whole number of at least 1, got 2.5"),
        (lambda: find_activation("softmax:3,x"), "unknown activation 'softmax:3,x': write softmax:NUMBER"),
        (lambda: find_activation("tanh:3"), "activation 'tanh' takes no parameter, got 'tanh:3'"),
        (lambda: find_activation(Softmax("softmax:3", np.exp, np.exp)), "is the name of another"),
    ],
)
def test_blocks_that_do_not_fit_are_named(make, message):
    with pytest.raises(ValueError, match=message):
        make()


# ── the user's own ───────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    "own",
    [
        Activation("cube", lambda Z: Z**3, lambda Z, A: 3 * Z**2),
        Activation("step by where", lambda Z: np.maximum(Z, 0), lambda Z, A: np.where(Z > 0, 1.0, 0.0)),
        Activation("step by truth", lambda Z: np.maximum(Z, 0), lambda Z, A: Z > 0),
        Activation("constant slope", lambda Z: 2 * Z, lambda Z, A: 2),
        Activation("sine", np.sin, lambda Z, A: np.cos(Z)),
    ],
    ids=lambda own: own.name,
)
def test_ones_own_works_wherever_a_name_does(own, dtype):
    layer = Layer(2, 3, own, rng=0, dtype=dtype)
    A1 = np.random.default_rng(0).normal(size=(2, 5)).astype(dtype)
    A = layer.feedforward(A1)
    dA1 = layer.gradient(np.ones_like(A))
    assert A.dtype == dA1.dtype == layer.dW.dtype == dtype
    dZ = own.df(layer.Z, A) * np.ones_like(A)
    np.testing.assert_allclose(layer.dW, dZ @ A1.T / 5, rtol=1e-5)


def in_place(Z):
    return np.maximum(Z, 0, out=Z)


@pytest.mark.parametrize(
    ("f", "df", "message"),
    [
        (np.sin, lambda Z, A: -np.cos(Z), "df is not the derivative of f: at Z = -4.03 df says 0.63"),
        (lambda Z: Z**3, lambda Z, A: 3 * Z**2 + 0.001, "df is not the derivative"),
        (lambda Z: np.maximum(Z, 0), lambda Z, A: np.sign(Z), "df is not the derivative"),
        (3, lambda Z, A: A, "f must be a function f(Z), got 3"),
        (np.sin, None, "df must be a function df(Z, A), got None"),
        (np.sin, lambda Z: np.cos(Z), "df is called as df(Z, A), but df takes (Z)"),
        (lambda Z, A: Z, lambda Z, A: A, "f is called as f(Z), but f takes (Z, A)"),
        (lambda Z: Z @ np.ones((2, 2)), lambda Z, A: A, "failed on an array of shape (67,)"),
        (lambda Z: Z.sum(), lambda Z, A: 1, "must be elementwise: for Z of shape (67,), f gave ()"),
        (lambda Z: Z, lambda Z, A: np.ones(3), "must be elementwise"),
        (np.log, lambda Z, A: 1 / Z, "must be finite: at Z = -4.03 f is nan"),
        (lambda Z: np.float64(2) * Z, lambda Z, A: 2, "must keep the dtype: f made float64 of float32"),
        (in_place, lambda Z, A: np.sign(A), "read-only"),
    ],
)
def test_a_wrong_activation_is_told_what_is_wrong(f, df, message):
    with pytest.raises(ValueError, match="activation 'mine'") as caught:
        Activation("mine", f, df)
    assert message in str(caught.value)


@pytest.mark.parametrize("name", ["", 3, None])
def test_an_activation_needs_a_name(name):
    with pytest.raises(ValueError, match=f"an activation's name must be a word, got {name!r}"):
        Activation(name, np.sin, lambda Z, A: np.cos(Z))


def test_ones_own_may_not_pass_for_a_row_of_the_table():
    other = Activation("tanh", np.sin, lambda Z, A: np.cos(Z))
    with pytest.raises(ValueError, match="'tanh' is the name of another; give your own one of its own"):
        find_activation(other)  # a model file keeps the name alone, and would come back with the wrong function


def test_an_unknown_name_is_answered_with_the_nearest_and_all():
    with pytest.raises(ValueError, match=r"unknown activation 'gelo'; did you mean 'gelu'.*choose one of .*tanh"):
        find_activation("gelo")
    for wrong in (None, 3, ["tanh"], {}):
        with pytest.raises(ValueError, match="unknown activation"):
            find_activation(wrong)


@pytest.mark.parametrize("engine", ["plain", "fused"])
def test_a_sigmoid_between_two_ends(engine):
    row = find_activation("sigmoid:-1,10")
    Z = np.linspace(-800, 800, 401)
    np.testing.assert_allclose(row.f(Z), -1 + 11 * ACTIVATIONS["sigmoid"].f(Z), rtol=1e-15)
    assert row is find_activation(row.name)
    network = Network([3, 8, 1], ["tanh", row.name], loss="squared_error", rng=0)
    X = np.random.default_rng(1).normal(size=(3, 200))
    Y = 3 + X[:1]
    assert check_gradient(network, X, Y) < 1e-7
    history = network.train(X, Y, epochs=200, learning_rate=0.01, engine=engine)
    assert history.cost[-1] < 0.02 * history.cost[0]
    A = network.predict(1e6 * X)
    assert -1 <= A.min() < A.max() <= 10
    for wrong in ("sigmoid:2,2", "sigmoid:3,1", "sigmoid:1", "sigmoid:0,inf"):
        with pytest.raises(ValueError, match="unknown activation 'sigmoid:"):
            find_activation(wrong)
