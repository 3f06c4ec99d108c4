"""What the header of a file may say: a shape, by which its writer checks it as well as its reader.

A shape is data:

    {"name": str, "rate?": fraction, "...": plain}   of these keys; "?": it may be missing; "...": any other
    [shape]                                          a list of any length
    (None, shape)                                    one of several; of what fits none, the last says why
    None, str, bool                                  null, or a value of just that type
    check(where, value)                              raises ValueError, as `arguments.whole` and those below do

A kind of file is a `FileKind` beside the code that writes it; a function in `loading.READERS` makes a model of it, or
whoever else wants one reads it:

    KIND = FileKind("checkpoint of a mixture", {"settings": {"...": plain}, "networks": [NETWORK], "seed": natural})
    KIND.write(path, tensors, header)
    tensors, header = KIND.read(path)

A new key of a kind that is there is "key?" in its shape, so that files from before it are read. A file from a newer
netwright that has a key which this one does not know is refused: it might mean something.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import MISSING, dataclass, fields
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias, get_args, get_origin

import numpy as np

from netwright.core.arguments import Array, brief, cut, is_whole, number, whole
from netwright.files.container import read, write

Shape: TypeAlias = Any
Check: TypeAlias = Callable[[str, Any], Any]

EXACT = 2**53
DEEP = 40  # objects and lists in each other
WORDS: dict[Any, str] = {str: "a text", bool: "true or false", list: "a list", dict: "an object", None: "null"}


def check(shape: Shape, said: Any, where: str = "") -> None:
    """ValueError, of one sentence that says where, unless what is said has the shape."""
    if isinstance(shape, dict):
        _check_object(shape, said, where)
    elif isinstance(shape, list):
        _must_be(list, said, where)
        for place, each in enumerate(said):
            check(shape[0], each, f"{where}[{place}]")
    elif isinstance(shape, tuple):
        for each in shape[:-1]:
            try:
                return check(each, said, where)
            except ValueError:
                pass
        check(shape[-1], said, where)
    elif shape is None or isinstance(shape, type):
        _must_be(shape, said, where)
    else:
        shape(where, said)
    return None


def _check_object(shape: dict[str, Shape], said: Any, where: str) -> None:
    _must_be(dict, said, where)
    inside = f"{where}." if where else ""
    for key, each in shape.items():
        name = key.removesuffix("?")
        if name in said:
            check(each, said[name], inside + name)
        elif key == name and key != "...":
            raise ValueError(f"{where or 'it'} has no {name!r}")
    for name in said:
        if name not in shape and f"{name}?" not in shape:
            if "..." not in shape:
                raise ValueError(
                    f"{where or 'it'} has {brief(name)}, which this netwright does not know; upgrade netwright"
                )
            _must_be(str, name, f"a key of {where or 'it'}")
            check(shape["..."], said[name], inside + name)


def _must_be(kind: Any, said: Any, where: str) -> None:
    if not (said is None if kind is None else type(said) is kind):
        word = WORDS.get(kind) or f"of the kind {kind.__name__}"
        raise ValueError(f"{where or 'it'} must be {word}, got {brief(said)}")


# ── checks ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def finite(where: str, said: Any, low: float = -math.inf, high: float = math.inf, *, above: bool = False) -> None:
    """A number as `arguments.number`'s, that a float holds: of larger integers NumPy makes objects."""
    _must_fit(where, said)
    number(where, said, low, high, above=above)


def count(where: str, said: Any, at_least: int = 0) -> None:
    """A whole number that was counted up to."""
    _must_fit(where, said)
    whole(where, said, at_least)


def _must_fit(where: str, said: Any) -> None:
    if type(said) is int and abs(said) > EXACT:
        raise ValueError(f"{where} must be at most 2^53, got {said}")


positive: Check = partial(finite, low=0, above=True)
not_negative: Check = partial(finite, low=0)
fraction: Check = partial(finite, low=0, high=1)
natural: Check = partial(whole, at_least=0)  # a seed may be as long as its owner likes


def anything(where: str, said: Any) -> None:
    """Whatever it is."""


def plain(where: str, said: Any, deep: int = DEEP) -> None:
    """Anything that JSON can say, no deeper than `DEEP`."""
    if not deep:
        raise ValueError(f"{where} is nested more than {DEEP} times")
    if isinstance(said, list):
        for each in said:
            plain(where, each, deep - 1)
    elif isinstance(said, dict):
        for name, each in said.items():
            _must_be(str, name, f"a key of {where}")
            plain(where, each, deep - 1)
    elif not isinstance(said, str | int | float | None):
        raise ValueError(f"{where} must be what JSON can say, got {brief(said)}")


def text(where: str, said: Any, most: int = 1000) -> None:
    """A text of at most so many characters."""
    _must_be(str, said, where)
    if len(said) > most:
        raise ValueError(f"{where} is a text of {len(said):,} characters, {brief(said)}")


def real(where: str, said: Any) -> None:
    """A number, which may be infinite or none."""
    _must_fit(where, said)
    if type(said) is not float and not is_whole(said):
        raise ValueError(f"{where} must be a number, got {brief(said)}")


def curve(where: str, said: Any) -> None:
    """A list of numbers, None where one was not finite: looked at all at once, since it may be long."""
    _must_be(list, said, where)
    for place, each in enumerate(said):
        if type(each) is not float and each is not None:
            real(f"{where}[{place}]", each)


def one_of(*words: Any) -> Check:
    """One of these values."""

    def checked(where: str, said: Any) -> None:
        if not any(type(said) is type(word) and said == word for word in words):
            raise ValueError(f"{where} must be {' or '.join(map(repr, words))}, got {brief(said)}")

    return checked


def named(table: Any) -> Check:
    """A name in a table."""

    def checked(where: str, said: Any) -> None:
        text(where, said)
        try:
            table.find(said)
        except ValueError as error:
            raise ValueError(f"{where}: {error}") from None

    return checked


def row(*shapes: Shape) -> Check:
    """A list of just these."""

    def checked(where: str, said: Any) -> None:
        _must_be(list, said, where)
        if len(said) != len(shapes):
            raise ValueError(f"{where} must be a list of {len(shapes)}, got {brief(said)}")
        for place, (shape, each) in enumerate(zip(shapes, said, strict=True)):
            check(shape, each, f"{where}[{place}]")

    return checked


def both(shape: Shape, fits: Check) -> Check:
    """Of that shape, whose parts also go together."""

    def checked(where: str, said: Any) -> None:
        check(shape, said, where)
        fits(where, said)

    return checked


def tagged(key: str, shapes: Mapping[str, Shape], what: str) -> Check:
    """An object whose `key` says of which shape the rest of it is."""

    def checked(where: str, said: Any) -> None:
        check({key: str, "...": anything}, said, where)
        if said[key] not in shapes:
            known = ", ".join(shapes)
            raise ValueError(f"{where} is of an unknown {what} {brief(said[key])}; choose one of {known}")
        check(shapes[said[key]], {name: value for name, value in said.items() if name != key}, where)

    return checked


TYPES: dict[Any, Shape] = {int: count, float: finite}


def object_of(cls: type[Any], **shapes: Shape) -> dict[str, Shape]:
    """The shape of a dataclass's `asdict`, by its fields' types; `shapes` are those of which more is known."""

    def of(kind: Any) -> Shape:
        return [of(get_args(kind)[0])] if get_origin(kind) is list else TYPES.get(kind, kind)

    keys = {field.name: field.default is MISSING and field.default_factory is MISSING for field in fields(cls)}
    kinds = {field.name: field.type for field in fields(cls)}
    return {name + "?" * (not needed): shapes.get(name, of(kinds[name])) for name, needed in keys.items()}


# ── files ────────────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class FileKind:
    """A kind of file: the name that stands in it, the shape of its header, and what sentences call it, if not so."""

    name: str
    header: Shape
    words: str = ""

    def check(self, header: Any) -> None:
        """ValueError, of one sentence that says where, unless the header has the shape."""
        try:
            check(self.header, header)
        except (ValueError, RecursionError) as error:
            article = "an" if self.name[0] in "aeiou" else "a"
            raise ValueError(f"its header does not describe {article} {self.name}: {cut(str(error), 300)}") from None

    def write(self, path: Any, tensors: dict[str, Array], header: dict[str, Any]) -> None:
        """Write a file of this kind, atomically; ValueError where nobody could read it again."""
        self.check(header)
        write(path, self.name, tensors, header)

    def read(self, path: Path) -> tuple[dict[str, Array], dict[str, Any]]:
        """(tensors, header) of a file of this kind; ValueError says what is wrong with any other."""
        kind, tensors, header = read(path)
        if kind != self.name:
            other = brief(kind).strip("'")
            raise ValueError(f"{path} holds a {other}, not a {self.words or self.name}")
        try:
            self.check(header)
        except ValueError as error:
            raise ValueError(f"{path}: {error}") from None
        return tensors, header


def all_finite(**vectors: Array) -> None:
    """ValueError for a vector with numbers that are not finite."""
    for name, vector in vectors.items():
        if bad := np.count_nonzero(~np.isfinite(vector)):
            raise ValueError(f"{name} has {bad:,} numbers that are not finite")
