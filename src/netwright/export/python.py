"""One Python file that predicts with nothing but the standard library, in the article's equations."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np

from netwright.core.arguments import Array
from netwright.export.expression import Words
from netwright.export.numbers import FEW, in_base64, spell, weights_of
from netwright.export.program import X, Z, NumberColumn, Program, TextColumn

PYTHON = Words(
    {
        "negative": "(-{0})", "absolute": "abs({0})", "exp": "exp({0})", "expm1": "expm1({0})", "log": "log({0})",
        "log1p": "log1p({0})", "sqrt": "sqrt({0})", "tanh": "tanh({0})", "sin": "sin({0})", "cos": "cos({0})",
        "floor": "floor({0})", "add": "({0} + {1})", "subtract": "({0} - {1})", "multiply": "{0} * {1}",
        "divide": "({0} / {1})", "power": "({0}) ** {1}", "maximum": "max({0}, {1})", "minimum": "min({0}, {1})",
        "greater": "{0} > {1}", "greater_equal": "{0} >= {1}", "less": "{0} < {1}", "less_equal": "{0} <= {1}",
        "equal": "{0} == {1}", "not_equal": "{0} != {1}", "where": "({1} if {0} else {2})",
    },
    spell,
    "    {0} = {1}",
)  # fmt: skip
