"""Model files that lie: their digest fits whatever they say, and junk is somewhere in what they say."""

import copy
import json

from hypothesis import strategies as st
from safetensors.numpy import save_file

from netwright.files.container import digest


def forge(path, said, tensors, **meta):
    """A file with this header, as text or as what becomes JSON; a word of `meta` that is None is left out."""
    text = said if isinstance(said, str) else json.dumps(said)
    meta = {"format": "netwright", "version": "1", "kind": "network", "header": text} | meta
    meta = {name: value for name, value in meta.items() if value is not None}
    save_file(tensors, path, meta | {"digest": digest(meta, tensors)})


WORDS = ["dense", "tanh", "$tuple"]
junk = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.sampled_from(WORDS),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=5,
)


def places(node, path=()):
    """The way to every value in nested JSON."""
    yield path
    pairs = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for key, value in pairs:
        yield from places(value, (*path, key))


def first_places(node, path=()):
    """The way to every value in nested JSON, of a list only to the first."""
    if path:
        yield path
    pairs = node.items() if isinstance(node, dict) else list(enumerate(node))[:1] if isinstance(node, list) else ()
    for key, value in pairs:
        yield from first_places(value, (*path, key))


def changed(said, way, value, *, gone=False):
    """The same JSON with another value at that place, or none."""
    *before, key = way
    top = node = copy.deepcopy(said)
    for step in before:
        node = node[step]
    if gone:
        del node[key]
    else:
        node[key] = value
    return top


def with_junk(said, draw):
    """The same JSON with a value somewhere replaced or taken away."""
    said = {"": copy.deepcopy(said)}
    *way, key = ("", *draw(st.sampled_from([place for place in places(said[""]) if place])))
    node = said
    for step in way:
        node = node[step]
    if draw(st.booleans()):
        node[key] = draw(junk)
    else:
        del node[key]
    return said[""]
