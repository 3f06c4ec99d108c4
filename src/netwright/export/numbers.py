"""Weights as text, in files that people read: lists where they are few, else their bytes in base64."""

import base64
import re
from typing import Any

import numpy as np

from netwright.core.arguments import Array
from netwright.export.program import Program

FEW = 3000  # weights, up to which they are written out


def weights_of(program: Program, *smaller: Any) -> Array:
    """All W and b, one after the other, each W row by row: in the first of these types, or float32, that loses nothing
    of them, else in float64."""
    parts = [each.ravel() for layers in program.networks for layer in layers for each in (layer.W, layer.b)]
    weights = np.concatenate(parts)
    with np.errstate(all="ignore"):
        tried = (weights.astype(dtype) for dtype in (*smaller, np.float32))
        return next((small for small in tried if np.array_equal(small, weights)), weights)


def in_base64(weights: Array) -> str:
    """Their bytes, the lowest first."""
    return base64.b64encode(weights.astype(weights.dtype.newbyteorder("<")).tobytes()).decode()


def wrapped(text: str) -> str:
    """In lines of 100 characters."""
    return "\n".join(re.findall(".{1,100}", text))


def spell(number: float) -> str:
    """The shortest decimals that come back to the bit; -0.0 and whole numbers keep their point."""
    return repr(float(number))
