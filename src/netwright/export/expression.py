"""What a function computes, as a tree of a few operations that every language has.

A function of NumPy operations, such as an activation's f, is called with a symbol in the place of an array and so tells
what it does: a new row of a table is then in every language at once. `write` puts a tree into words.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from netwright.core.arguments import Array

# Every operation, by its NumPy name, as NumPy computes it: the reference that languages are held to.
OPERATIONS: dict[str, Callable[..., Any]] = {
    name: getattr(np, name)
    for name in (
        *("negative", "absolute", "exp", "expm1", "log", "log1p", "sqrt", "tanh", "sin", "cos", "floor"),
        *("add", "subtract", "multiply", "divide", "power", "maximum", "minimum"),
        *("greater", "greater_equal", "less", "less_equal", "equal", "not_equal", "where"),
    )
}
CONDITIONS = ("greater", "greater_equal", "less", "less_equal", "equal", "not_equal")


class Untold(ValueError):
    """A function does what no tree of these operations can say."""


@dataclass(frozen=True, eq=False)
class Expression:
    """An operation of expressions and numbers; or, without any, the variable of that name."""

    operation: str
    arguments: "tuple[Expression | float, ...]" = ()

    def __array_ufunc__(self, ufunc: Any, method: str, *given: Any, **options: Any) -> Any:
        name = {"true_divide": "divide", "abs": "absolute"}.get(ufunc.__name__, ufunc.__name__)
        if method != "__call__" or options:
            raise Untold(f"it calls NumPy's {name}.{method} with options")
        if name in SHORT:
            return SHORT[name](*given)
        if name not in OPERATIONS:
            raise Untold(f"it calls NumPy's {name}")
        return made(name, *given)

    def __array_function__(self, function: Any, types: Any, given: Any, options: Any) -> Any:
        if function is np.where and len(given) == 3 and not options:
            return made("where", *given)
        if function is np.clip and not options and len(given) == 3:
            return np.minimum(np.maximum(given[0], given[1]), given[2])
        raise Untold(f"it calls NumPy's {function.__name__}")

    def __bool__(self) -> bool:
        raise Untold("it looks at its argument to decide what to do; numpy.where says that for each number")

    def __getattr__(self, name: str) -> Any:
        raise Untold(f"it uses its argument's {name}")

    def __add__(self, other: Any) -> "Expression":
        return made("add", self, other)

    def __radd__(self, other: Any) -> "Expression":
        return made("add", other, self)

    def __sub__(self, other: Any) -> "Expression":
        return made("subtract", self, other)

    def __rsub__(self, other: Any) -> "Expression":
        return made("subtract", other, self)

    def __mul__(self, other: Any) -> "Expression":
        return made("multiply", self, other)

    def __rmul__(self, other: Any) -> "Expression":
        return made("multiply", other, self)

    def __truediv__(self, other: Any) -> "Expression":
        return made("divide", self, other)

    def __rtruediv__(self, other: Any) -> "Expression":
        return made("divide", other, self)

    def __pow__(self, other: Any) -> Any:
        return SHORT["power"](self, other)

    def __rpow__(self, other: Any) -> "Expression":
        return made("power", other, self)

    def __neg__(self) -> "Expression":
        return made("negative", self)

    def __abs__(self) -> "Expression":
        return made("absolute", self)

    def __gt__(self, other: Any) -> "Expression":
        return made("greater", self, other)

    def __ge__(self, other: Any) -> "Expression":
        return made("greater_equal", self, other)

    def __lt__(self, other: Any) -> "Expression":
        return made("less", self, other)

    def __le__(self, other: Any) -> "Expression":
        return made("less_equal", self, other)


def made(operation: str, *given: Any) -> Expression:
    """The operation of what was given; a condition among numbers counts as 0 or 1."""
    taken = list[Expression | float]()
    for place, each in enumerate(given):
        if isinstance(each, Expression):
            condition = each.operation in CONDITIONS and not (operation == "where" and place == 0)
            taken.append(made("where", each, 1.0, 0.0) if condition else each)
        elif np.ndim(each) == 0 and np.isreal(each):
            taken.append(float(each))
        else:
            raise Untold(f"it computes with {type(each).__name__} where one number is meant")
    if operation == "multiply" and 1.0 in taken:
        other = taken[1 - taken.index(1.0)]
        if isinstance(other, Expression):
            return other
    return Expression(operation, tuple(taken))


def _power(base: Any, exponent: Any) -> Any:
    if isinstance(base, Expression) and exponent in (2, 3, 4):
        square = base * base
        return {2: square, 3: square * base, 4: square * square}[exponent]
    return made("power", base, exponent)


SHORT: dict[str, Callable[..., Any]] = {  # what NumPy has a name for, and others have not
    "square": lambda x: x * x,
    "power": _power,
    "sign": lambda x: made("where", made("greater", x, 0), 1.0, made("where", made("less", x, 0), -1.0, 0.0)),
    "reciprocal": lambda x: 1 / x,
    "positive": lambda x: x,
    "exp2": lambda x: made("power", 2.0, x),
}


def variable(name: str) -> Expression:
    """The variable of that name."""
    return Expression(name)


def told(function: Callable[[Any], Any], name: str) -> Expression:
    """What the function does to a variable of that name; `Untold` says why nobody can tell."""
    try:
        found = function(variable(name))
    except Untold:
        raise
    except Exception as error:  # whatever an own function does with what is no array
        raise Untold(f"it does not take a symbol: {error}") from error
    if not isinstance(found, Expression):
        raise Untold(f"it gives {type(found).__name__}")
    return made("where", found, 1.0, 0.0) if found.operation in CONDITIONS else found


def value(expression: "Expression | float", **variables: Any) -> Array:
    """What it comes to, by NumPy: `variables` are numbers or arrays."""
    seen: dict[int, Any] = {}

    def at(node: Expression | float) -> Any:
        if not isinstance(node, Expression):
            return node
        if id(node) not in seen:
            if not node.arguments:
                seen[id(node)] = variables[node.operation]
            else:
                seen[id(node)] = OPERATIONS[node.operation](*map(at, node.arguments))
        return seen[id(node)]

    return np.asarray(at(expression))


def variables_of(expressions: "Iterable[Expression | float]") -> set[str]:
    """The variables' names."""
    return {node.operation for node in nodes(expressions) if not node.arguments}


def nodes(expressions: "Iterable[Expression | float]") -> list[Expression]:
    """Every expression in them once, each after those that it is made of."""
    found: dict[int, Expression] = {}

    def visit(node: Expression | float) -> None:
        if isinstance(node, Expression) and id(node) not in found:
            for each in node.arguments:
                visit(each)
            found[id(node)] = node

    for expression in expressions:
        visit(expression)
    return list(found.values())


@dataclass(frozen=True)
class Words:
    """How a language says it: `operations` are templates such as "({0} + {1})", `number` spells a constant, `define`
    gives a name to what is used more than once, "double {0} = {1};"."""

    operations: Mapping[str, str]
    number: Callable[[float], str]
    define: str

    def write(
        self, expressions: "Iterable[Expression | float]", prefix: str = "t", names: Mapping[str, str] | None = None
    ) -> tuple[list[str], list[str]]:
        """(definitions, a text for each expression). `prefix`: of the names defined; `names`: of variables."""
        wanted, names = list(expressions), names or {}
        used: dict[int, int] = {}
        for node in nodes(wanted):
            for each in node.arguments:
                used[id(each)] = used.get(id(each), 0) + isinstance(each, Expression)
        texts: dict[int, str] = {}
        defined: dict[str, str] = {}  # what was said already, though by another tree

        def text(node: Expression | float) -> str:
            return texts[id(node)] if isinstance(node, Expression) else self.number(node)

        for node in nodes(wanted):
            if not node.arguments:
                texts[id(node)] = names.get(node.operation, node.operation)
                continue
            said = self.operations[node.operation].format(*map(text, node.arguments))
            if used.get(id(node), 0) > 1 and node.operation not in CONDITIONS:
                said = defined.setdefault(said, f"{prefix}{len(defined)}")
            texts[id(node)] = said
        definitions = [self.define.format(name, said) for said, name in defined.items()]
        return definitions, [text(node) for node in wanted]
