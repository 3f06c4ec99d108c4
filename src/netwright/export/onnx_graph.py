"""An ONNX graph under way: named values, constants and nodes, and what a few operations that ONNX lacks are made of."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from netwright.core.arguments import Array
from netwright.export.expression import CONDITIONS, Expression, nodes, told

# One after the other where two are named. ONNX Runtime has each of them for float64 as for float32.
ONNX = {
    "negative": "Neg", "absolute": "Abs", "exp": "Exp", "log": "Log", "sqrt": "Sqrt", "tanh": "Tanh", "sin": "Sin",
    "floor": "Floor", "add": "Add", "subtract": "Sub", "multiply": "Mul", "divide": "Div", "power": "Pow",
    "maximum": "Max", "minimum": "Min", "greater": "Greater", "greater_equal": "GreaterOrEqual", "less": "Less",
    "less_equal": "LessOrEqual", "equal": "Equal", "not_equal": "Equal Not", "where": "Where",
}  # fmt: skip


def _expm1(x: Any) -> Any:
    t = np.tanh(x / 2)  # beyond 1 this would lose what 1 - t loses, and there exp(x) - 1 loses nothing
    return np.where(x < 1, 2 * t / (1 - t), np.exp(x) - 1)


def _log1p(x: Any) -> Any:
    near = 1 + x
    return np.where(Expression("equal", (near, 1.0)), x, np.log(near) * x / (near - 1))


LONGER = {  # of an x
    "cos": told(lambda x: 1 - 2 * np.sin(x / 2) ** 2, "x"),  # of float64 no ONNX Runtime had Cos before 2026
    "expm1": told(_expm1, "x"),
    "log1p": told(_log1p, "x"),
}
LONG = 1000  # numbers, from which a constant is kept in float32 if nothing is lost by that


@dataclass
class Graph:
    """What was made so far. Names are identifiers, as ONNX wants them, and each is used once; so is each constant and
    each node of the same inputs. size: about how many bytes the file will have."""

    dtype: str  # of the networks
    size: int = 0
    _nodes: list[tuple[str, tuple[str, ...], str, dict[str, Any]]] = field(default_factory=list)
    _constants: dict[str, Array] = field(default_factory=dict)
    _outputs: list[str] = field(default_factory=list)
    _known: dict[Any, str] = field(default_factory=dict)
    _used: dict[str, int] = field(default_factory=dict)

    def name(self, wished: str) -> str:
        """An identifier like that, which no other value has."""
        plain = wished
        if not re.fullmatch("[A-Za-z_][0-9A-Za-z_]*", wished):
            plain = re.sub("[^0-9A-Za-z]+", "_", wished)[:60].strip("_") or "unnamed"
            plain = f"_{plain}" if plain[0].isdigit() else plain
        found = plain
        while found in self._used:
            self._used[plain] += 1
            found = f"{plain}_{self._used[plain]}"
        self._used[found] = 1
        return found

    def constant(self, value: Any, name: str = "c") -> str:
        """The name of these numbers or, of the dtype object, texts."""
        array = np.asarray(value)
        texts = tuple(encoded(each) for each in array) if array.dtype == object else ()
        key = (array.dtype, array.shape, texts or array.tobytes())
        if key not in self._known:
            self._known[key] = self.name(name)
            self._constants[self._known[key]] = array
            self.size += sum(map(len, texts)) if texts else array.nbytes
        return self._known[key]

    def weights(self, array: Array, name: str) -> str:
        """The name of these numbers, which take half the bytes where float32 holds them."""
        small = array.astype(np.float32)
        if array.dtype == small.dtype or array.size < LONG or not np.array_equal(small, array):
            return self.constant(array, name)
        return self.node("Cast", self.constant(small, name), name=f"{name}_{array.dtype}", to=array.dtype.name)

    def node(self, operation: str, *inputs: str, name: str = "", **attributes: Any) -> str:
        """The name of its output."""
        key = (operation, inputs, repr(sorted(attributes.items())))
        if key not in self._known:
            self._known[key] = self.name(name or operation.lower())
            self._nodes.append((operation, inputs, self._known[key], attributes))
        return self._known[key]

    def output(self, value: str, name: str) -> None:
        """The value is an output of that name."""
        self._outputs.append(name)
        self._nodes.append(("Identity", (value,), name, {}))

    def columns(self, value: str, first: int, last: int, width: int) -> str:
        """These columns, to the one before the last, of a value that has so many."""
        if (first, last) == (0, width):
            return value
        ends = (self.constant(np.array([each])) for each in (first, last, 1))
        return self.node("Slice", value, *ends)

    def clip(self, value: str, low: float, high: float) -> str:
        """Cut to low … high."""
        return self.node("Clip", value, *(self.constant(np.array(each, self.dtype)) for each in (low, high)))

    # ── in ONNX's own types ──

    def _needed(self) -> set[str]:
        """The values that the outputs are made of."""
        needed = {*self._outputs}
        for _, inputs, name, _ in reversed(self._nodes):
            needed.update(inputs if name in needed else ())
        return needed

    def nodes(self) -> list[Any]:
        """As ONNX has them, but those that nothing comes of."""
        from onnx import helper

        made, needed = [], self._needed()
        for operation, inputs, name, attributes in self._nodes:
            if name not in needed:
                continue
            if operation == "Cast":
                attributes = {"to": helper.np_dtype_to_tensor_dtype(np.dtype(attributes["to"]))}
            domain = "ai.onnx.ml" if operation == "LabelEncoder" else None
            made.append(helper.make_node(operation, inputs, [name], name=f"make_{name}", domain=domain, **attributes))
        return made

    def tensors(self) -> list[Any]:
        """The constants."""
        from onnx import TensorProto, helper, numpy_helper

        made, needed = [], self._needed()
        for name, array in self._constants.items():
            if name not in needed:
                continue
            if array.dtype == object:
                texts: Any = [encoded(each) for each in array]
                made.append(helper.make_tensor(name, TensorProto.STRING, array.shape, texts))
            else:
                made.append(numpy_helper.from_array(np.ascontiguousarray(array), name))
        return made


def encoded(text: str) -> bytes:
    """In UTF-8. ValueError for half of a pair of surrogates."""
    try:
        return text.encode()
    except UnicodeEncodeError:
        raise ValueError(f"the text {text!r} is no valid Unicode, and no ONNX model can hold it") from None


def written(graph: Graph, trees: Sequence[Expression | float], names: Mapping[str, str], dtype: str) -> str:
    """The value of trees of one shape, side by side: where their numbers differ, the constant is a row of them."""
    made: dict[tuple[int, ...], str] = {}

    def at(*same: Expression | float) -> str:
        first = same[0]
        if not isinstance(first, Expression):
            row = np.array([same], dtype)
            return graph.constant(row[0, 0] if len({each.tobytes() for each in row[0]}) == 1 else row)
        key = tuple(map(id, same))
        if key not in made:
            arguments = list(zip(*(tree.arguments for tree in same if isinstance(tree, Expression)), strict=True))
            values = [at(*each) for each in arguments]
            if first.operation == "where" and not _condition(arguments[0][0]):
                zero = graph.constant(np.array(0, dtype))
                values[0] = graph.node("Not", graph.node("Equal", values[0], zero))
            made[key] = _operation(graph, first.operation, values, dtype) if values else names[first.operation]
        return made[key]

    return at(*trees)


def _condition(tree: Expression | float) -> bool:
    return isinstance(tree, Expression) and tree.operation in CONDITIONS


def _operation(graph: Graph, operation: str, values: list[str], dtype: str) -> str:
    if operation in LONGER:
        return written(graph, [LONGER[operation]], {"x": values[0]}, dtype)
    first, *others = ONNX[operation].split()
    value = graph.node(first, *values)
    for each in others:
        value = graph.node(each, value)
    return value


def shape(tree: Expression | float) -> Any:
    """What trees have in common that `written` can put side by side: all but their numbers."""
    places = {id(node): place for place, node in enumerate(nodes([tree]))}
    return tuple(
        (node.operation, tuple(places[id(each)] if isinstance(each, Expression) else None for each in node.arguments))
        for node in nodes([tree])
    )
