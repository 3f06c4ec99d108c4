"""One sample's feedforward, backpropagation and step with all their numbers, as a teacher writes them on a board.

The network's own `gradient` computes; here is only how it is written down, in the article's words and order.
"""

import copy
import re
from collections.abc import Sequence
from typing import Any

import numpy as np

from netwright.core.activations import ACTIVATIONS, Activation, Softmax, by_blocks
from netwright.core.arguments import Array, columns, named_inputs, number, numeric, whole
from netwright.core.layer import Layer
from netwright.core.links import LINKS
from netwright.core.network import FeedForward, check_network

WIDTH = 100  # characters in a line
ALL, FIRST = 6, 3  # so many neurons or inputs are all written out; of more, the first few


def worked_step(
    network: FeedForward,
    x: Any,
    y: Any,
    *,
    learning_rate: float = 0.1,
    names: Sequence[str] | None = None,
    digits: int = 4,
) -> str:
    """One step of gradient descent on one sample, written out: every Z, A, dZ, dW, db and dA1, and the new W and b.

    x (inputs,), y (outputs,) or a number; `names` are the inputs'. Numbers have `digits` decimals, small and large ones
    as many significant digits. Of a layer with more than 6 neurons or inputs the first few are shown. Dropout hands
    everything on, as in prediction, and the network stays as it is. ValueError names what does not fit.

    >>> worked_step(Network([2, 3, 1], rng=0), [0, 1], 1).splitlines()[0]
    'One step of gradient descent on one sample: network 2-3-1, loss logloss'
    """
    check_network(network)
    X, Y = _sample("x", x, network.inputs, network.dtype), _sample("y", y, network.outputs, network.dtype)
    network.loss.check_targets(Y)
    rate, digits = number("learning_rate", learning_rate, 0, above=True), whole("digits", digits, 2, at_most=17)
    if names is not None:
        named_inputs("names", names, network.inputs)
    return write_step(network, X, Y, rate, names, digits)


def _sample(name: str, values: Any, rows: int, dtype: Any) -> Array:
    """One sample as a column; ValueError unless it has so many finite numbers."""
    array = numeric(name, values, dtype)
    if array.size != rows:
        raise ValueError(f"{name} must be one sample of {rows} numbers, got shape {array.shape}")
    return columns(name, array.reshape(-1, 1), rows, dtype)


def write_step(network: FeedForward, X: Array, Y: Array, rate: float, names: Sequence[str] | None, digits: int) -> str:
    """The text for one sample, X (inputs, 1) and Y (outputs, 1)."""
    twin = copy.deepcopy(network)
    twin.layers = tuple(layer for layer in twin.layers if isinstance(layer, Layer))  # without dropout
    cost = twin.gradient(X, Y)
    board = Board(digits, network.dtype)
    sizes = "-".join(str(size) for size in [network.inputs, *(layer.neurons for layer in twin.layers)])
    board.say(f"One step of gradient descent on one sample: network {sizes}, loss {network.loss.name}")
    board.title("feedforward")
    words = [] if names is None else [[f" {name}" for name in names]]
    board.rows("", "X", X, equal(board.column(X)), *words)
    place = 0
    for layer in network.layers:
        if isinstance(layer, Layer):
            _feedforward(board, twin.layers[place], place)
            place += 1
        else:
            board.layer(f"{layer!r} hands everything on, as in prediction")
    board.title("cost")
    smooth = _cost(board, twin, Y, cost)
    board.title("backpropagation")
    for place in reversed(range(len(twin.layers))):
        _backprop(board, twin, place, smooth)
    board.title(f"step, learning rate {rate:g}")
    for place, layer in enumerate(twin.layers):
        _step(board, layer, place, rate)
    twin.theta -= rate * twin.grad
    before, after = board.numbers([cost, twin.gradient(X, Y)])
    board.say("", f"With the new W and b the cost of this sample is {after}; it was {before}.")
    return "\n".join(board.lines) + "\n"


# ── the article's equations, each with its numbers below ─────────────────────────────────────────────────────────────


def _feedforward(board: "Board", layer: Layer, place: int) -> None:
    """Z = W·A1 + b, A = f(Z)."""
    f, Z, A = layer.activation, board.column(layer.Z), board.column(layer.A)
    board.layer(f"layer {place + 1}: inputs {layer.inputs}, neurons {layer.neurons}, {f.name}")
    source = f"A of layer {place}" if place else "X"
    board.products(f"Z = W·A1 + b, A1 = {source}", "Z", layer.W, layer.A1, layer.b, layer.Z)
    if isinstance(f, Softmax):
        with np.errstate(over="ignore"):
            totals = board.column(_sums(f, np.exp(layer.Z.astype(float))))
        head, steps = "A = e^Z / Σ e^Z", [f"e^{z} / {total}" for z, total in zip(Z, totals, strict=True)]
    else:
        head, steps = f"A = {f.name}(Z)", [f"{f.name}({z})" for z in Z]
    board.rows(head, "A", layer.A, equal(steps), equal(A))


def _cost(board: "Board", network: FeedForward, Y: Array, cost: float) -> Array:
    """The loss of each output, and the penalties; returns Y as label smoothing leaves it."""
    loss, A, smoothing = network.loss, network.layers[-1].A, network.label_smoothing
    board.rows("", "Y", Y, equal(board.column(Y)))
    if smoothing:
        hard, even = board.column(Y), board.column(loss.smooth(np.zeros_like(Y), smoothing))
        Y = loss.smooth(Y, smoothing)
        steps = [f"{1 - smoothing:g}·{y} + {part}" for y, part in zip(hard, even, strict=True)]
        board.rows("label smoothing", "Y", Y, equal(steps), equal(board.column(Y)))
    values = loss.value(network.layers[-1].Z if network.linked else LINKS[loss.link].back(A)[0], Y)
    board.formula("L", _formula(network, 0), f"{loss.name} of A and Y", A, Y, values)
    terms = {"ΣL": values.sum()}
    l2, l1 = network.penalties(1)
    if l2:
        terms["½·l2·ΣW²"] = 0.5 * l2 * sum(np.sum(layer.W**2) for layer in network.layers)
    if l1:
        terms["l1·Σ|W|"] = l1 * sum(np.sum(np.abs(layer.W)) for layer in network.layers)
    *numbers, total = board.numbers([*terms.values(), cost])
    sums = [" + ".join(terms), " + ".join(numbers), total]
    board.say("  cost = " + " = ".join(sums if len(terms) > 1 else sums[::2]))
    return Y


def _backprop(board: "Board", network: FeedForward, place: int, Y: Array) -> None:
    """dZ, dW, db, and dA1 for the layer before."""
    layer, last = network.layers[place], place == len(network.layers) - 1
    W, A1, A = layer.W, layer.A1, layer.A
    dZ = layer.db  # as there is one sample, and no penalty on b
    board.layer(f"layer {place + 1}")
    if not last:
        _chain(board, layer, network.layers[place + 1].dA1, f", dA = dA1 of layer {place + 2}")
    elif network.linked:
        formula = "{A} - {Y}" if np.array_equal(dZ, A - Y) else _formula(network, 1)
        note = f", {layer.activation.name} and {network.loss.name} in one step"
        board.formula("dZ", formula, "dL/dZ", A, Y, dZ, note)
    else:
        Z, dZ_dA = LINKS[network.loss.link].back(A)
        dA = network.loss.dZ(Z, ACTIVATIONS[network.loss.link].f(Z), Y) * dZ_dA
        board.formula("dA", _formula(network, 1), "dL/dA", A, Y, dA)
        _chain(board, layer, dA)
    own = np.dot(dZ, A1.T)
    inputs = board.brackets(A1.T)[0]
    steps = [f"{operand(z)}·{inputs}" for z in board.column(dZ)]
    board.rows("dW = 1/m · dZ·A1ᵀ, m = 1", "dW", W, equal(steps), equal(board.brackets(own)))
    terms = zip(network.penalties(1), ("l2·W", "l1·sign(W)"), (W, np.sign(W)), strict=True)
    penalties = [term for term in terms if term[0]]
    if penalties:
        head = " + ".join(["dW = dW", *(name for _, name, _ in penalties)])
        parts = [[f"+ {penalty:g}·{row}" for row in board.brackets(M)] for penalty, _, M in penalties]
        board.rows(head, "dW", W, equal(board.brackets(own)), *parts, equal(board.brackets(layer.dW)))
    board.rows("db = 1/m · Σ dZ", "db", dZ, equal(board.column(dZ)))
    if place:
        board.products("dA1 = Wᵀ·dZ", "dA1", W.T, dZ, None, layer.dA1)


def _chain(board: "Board", layer: Layer, dA: Array, source: str = "") -> None:
    """dZ = dA · f′(Z)."""
    f, Z, A, dZ = layer.activation, layer.Z, layer.A, layer.db
    a, steps, head = board.column(dA), [], "dA·f′(Z)"
    if isinstance(f, Softmax):
        head, triples = "A·(dA - Σ dA·A)", zip(board.column(A), a, board.column(_sums(f, dA * A)), strict=True)
        steps = [[f"{y}·({x} - {operand(mean)})" for y, x, mean in triples]]
    elif type(f).dZ is Activation.dZ:
        head += f", f′ = {f.slope}" if f.slope else ""
        slopes = board.column(np.broadcast_to(f.df(Z, A), Z.shape))
        steps = [
            [f"{operand(x)}·{f.name}′({z})" for x, z in zip(a, board.column(Z), strict=True)],
            [f"{operand(x)}·{operand(slope)}" for x, slope in zip(a, slopes, strict=True)],
        ]
    board.rows(f"dZ = {head}{source}", "dZ", Z, *map(equal, steps), equal(board.column(dZ)))


def _step(board: "Board", layer: Layer, place: int, rate: float) -> None:
    """W and b go down their derivatives."""
    W, b, dW, db = layer.W, layer.b, layer.dW, layer.db
    board.layer(f"layer {place + 1}")
    steps = [f"- {rate:g}·{row}" for row in board.brackets(dW)]
    board.rows(f"W = W - {rate:g}·dW", "W", W, equal(board.brackets(W)), steps, equal(board.brackets(W - rate * dW)))
    steps = [f"- {rate:g}·{operand(number)}" for number in board.column(db)]
    board.rows(f"b = b - {rate:g}·db", "b", b, equal(board.column(b)), steps, equal(board.column(b - rate * db)))


def _formula(network: FeedForward, which: int) -> str:
    """Of the loss's formula, the loss (0) or its derivative (1); "" when there is none that holds for these outputs."""
    loss, A = network.loss, network.layers[-1].A
    eps = np.finfo(A.dtype).eps
    if not network.linked and isinstance(ACTIVATIONS[loss.link], Softmax):
        return ""  # without the link the loss is of A / ΣA
    if any(LINKS[loss.link].outside(A + step).any() for step in (-eps, eps)):
        return ""  # at the edge of what the link gives, or beyond it: log 0
    return loss.formula[which]


def _sums(softmax: Softmax, terms: Array) -> Array:
    """For each row the sum over its block."""
    return by_blocks(lambda block: np.full_like(block, block.sum()), softmax.blocks, terms)


# ── the board ────────────────────────────────────────────────────────────────────────────────────────────────────────


class Board:
    """Lines of text, and numbers with `digits` decimals."""

    def __init__(self, digits: int, dtype: Any):
        self.digits, self.rounding = digits, 4 * float(np.finfo(dtype).eps)
        self.lines: list[str] = []

    def say(self, *lines: str) -> None:
        self.lines += lines

    def title(self, text: str) -> None:
        self.say("", f"── {text} ".ljust(WIDTH, "─"), "")

    def layer(self, text: str) -> None:
        """A line for a layer, set off from what stands above it."""
        self.say(*[""] * bool(self.lines[-1]), text)

    def rows(self, head: str, name: str, M: Array, *columns: Sequence[str]) -> None:
        """`head`, and below it `name[i]` for each row of M that is shown, with its part of each column.

        The parts stand below one another; those that find no room go on in the next line.
        """
        if head:
            self.say(f"  {head}")
        shown = _shown(M)[0]
        widths = [max(map(len, column[:shown])) for column in columns]
        for i in range(shown):
            label = line = f"    {name}[{i}]"
            for column, width in zip(columns, widths, strict=True):
                if line != label and len(line) + 1 + width > WIDTH:
                    self.say(line.rstrip())
                    line = " " * len(label)
                line += f" {column[i]:{width}}"
            self.say(line.rstrip())
        if len(M) > ALL:
            self.say(f"    … and {len(M) - FIRST} more")

    def products(self, head: str, name: str, M: Array, v: Array, b: Array | None, result: Array) -> None:
        """M·v + b = result, term by term."""
        rows, columns = _shown(M)
        sizes, factors = self.numbers(np.abs(M[:rows, :columns])), self.column(v)
        parts = [
            [f"{'-' if M[i, j] < 0 else '+'} {sizes[i][j]}·{operand(factors[j])}" for i in range(rows)]
            for j in range(columns)
        ]
        gap = " " * any(part[0] == "-" for part in parts[0])
        parts[0] = [f"= {'-' if part[0] == '-' else gap}{part[2:]}" for part in parts[0]]
        if M.shape[1] > columns:
            parts.append(["+ …"] * rows)
        if b is not None:
            numbers = self.numbers(np.abs(b[:rows, 0]))
            parts.append([f"{'-' if b[i, 0] < 0 else '+'} {numbers[i]}" for i in range(rows)])
        self.rows(head, name, M, *parts, equal(self.column(result)))

    def formula(self, name: str, template: str, words: str, A: Array, Y: Array, values: Array, note: str = "") -> None:
        """`template` in letters, and with each output's numbers in their places; only `words` where it is empty."""
        pairs = zip(self.column(A), self.column(Y), strict=True)
        steps = [template.format(A=operand(a), Y=operand(y)) for a, y in pairs]
        steps = [re.sub(r"(^|[(|]|, )\((-[^()]*)\)", r"\1\2", step) for step in steps]  # ((-1) - 2) as (-1 - 2)
        letters = template.format(A="A", Y="Y") or words
        self.rows(f"{name} = {letters}{note}", name, A, *[equal(steps)] * bool(template), equal(self.column(values)))

    def column(self, v: Array) -> list[str]:
        """The numbers of a column vector that are shown."""
        return self.numbers(v[: _shown(v)[0], 0])

    def brackets(self, M: Array) -> list[str]:
        """[1  2  …] for each row of M that is shown, its numbers below one another."""
        rows, columns = _shown(M)
        texts = self.numbers(M[:rows, :columns])
        width = max(len(text) for row in texts for text in row)
        more = "  …" * (M.shape[1] > columns)
        return [f"[{'  '.join(text.rjust(width) for text in row)}{more}]" for row in texts]

    def numbers(self, values: Any) -> Any:
        """The values as text: `digits` decimals, or as few as are exact for all; small and large ones as 1.234e-05."""
        v = np.asarray(values, np.float64) + 0.0  # no -0
        size = np.abs(v)
        plain = v[(v == 0) | ((size >= 10.0 ** (1 - self.digits)) & (size < 1e4))]
        exact = (d for d in range(self.digits) if (abs(plain - plain.round(d)) <= self.rounding * abs(plain)).all())
        decimals = next(exact, self.digits)
        texts = [f"{x:.{decimals}f}" if x in plain else f"{x:.{self.digits - 1}e}" for x in v.flat]
        return np.array(texts, object).reshape(v.shape).tolist()


def equal(texts: Sequence[str]) -> list[str]:
    return [f"= {text}" for text in texts]


def operand(text: str) -> str:
    """A negative number in parentheses, as it stands behind an operator."""
    return f"({text})" if text.startswith("-") else text


def _shown(M: Array) -> tuple[int, int]:
    """How many rows and columns of M are written out."""
    rows, columns = (size if size <= ALL else FIRST for size in M.shape)
    return rows, columns
