"""What the tests of tables have in common."""

import gzip

import pytest


@pytest.fixture
def file(tmp_path):
    """A file of this content, compressed if its name says so."""

    def make(content, name="t.csv", encoding="utf-8"):
        path = tmp_path / name
        content = content if isinstance(content, bytes) else content.encode(encoding)
        path.write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
        return path

    return make
