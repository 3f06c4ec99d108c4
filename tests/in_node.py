"""An exported ES module, run by Node."""

import json
import os
import subprocess

import pytest

from netwright.export import javascript
from netwright.export.export import runtime

needs_node = pytest.mark.skipif(not (runtime("node") or os.environ.get("CI")), reason="needs Node")


def node(folder, code, *options):
    """What the code prints as JSON, beside the module m.mjs as `m`."""
    (folder / "t.mjs").write_text(
        f'import * as m from "./m.mjs";\nconst say = (x) => console.log(JSON.stringify(x));\n{code}\n', "utf-8"
    )
    command = [runtime("node"), "--no-warnings", "--disallow-code-generation-from-strings", *options, "t.mjs"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, encoding="utf-8")
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout)


def written(program, folder, name="m"):
    for each, data in javascript.files(program, name).items():
        (folder / each).write_bytes(data)
    return folder
