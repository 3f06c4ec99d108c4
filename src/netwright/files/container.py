"""Model files: one safetensors file, its metadata readable JSON. No pickle: nothing in a file can run code.

`__metadata__` holds `format` ("netwright"), `version`, `kind` (what was saved), `header` (JSON: the network's settings
and whatever else belongs to the kind) and `digest`, a hash of all that and of every tensor, so that a damaged file is
told from a whole one.
"""

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np

from netwright.core.arguments import Array, brief
from netwright.files.atomic import write_atomically

VERSION = 1
LONG = 40  # digits of a whole number: those of random numbers' states have 39


def write(path: Any, kind: str, tensors: dict[str, Array], header: dict[str, Any]) -> None:
    """Write a file of that kind, atomically. `header` must be what JSON can say."""
    from safetensors.numpy import save as to_bytes

    tensors = {name: np.ascontiguousarray(tensor) for name, tensor in tensors.items()}
    meta = {"format": "netwright", "version": str(VERSION), "kind": kind, "header": json.dumps(header)}
    meta["digest"] = digest(meta, tensors)
    write_atomically(path, _in_order(bytearray(to_bytes(tensors, meta))))


def _in_order(data: bytearray) -> bytearray:
    """A safetensors file whose metadata stand in the order of their names, so that the same model makes the same file.

    safetensors has them in an order of chance.
    """
    end = 8 + int.from_bytes(data[:8], "little")
    header = json.loads(data[8:end])
    header["__metadata__"] = dict(sorted(header["__metadata__"].items()))
    text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
    text += b" " * (-len(text) % 8)
    data[:end] = len(text).to_bytes(8, "little") + text
    return data


def read(path: Any) -> tuple[str, dict[str, Array], dict[str, Any]]:
    """(kind, tensors, header) of a netwright file; ValueError says what is wrong with any other."""
    from safetensors import SafetensorError, safe_open

    path = Path(path)
    if not path.exists():
        raise FileNotFoundError(f"there is no file {path}")
    if path.is_dir():
        raise IsADirectoryError(f"{path} is a directory, not a model file")
    if not path.is_file():  # opening a pipe would wait for ever
        raise ValueError(f"{path} is not a regular file")
    try:
        with safe_open(path, "numpy") as file:
            meta: dict[str, str] = file.metadata() or {}
            if meta.get("format") != "netwright":
                raise ValueError(f"{path} is a safetensors file, but not one that netwright wrote")
            version = meta.get("version", "")
            if not version.isdecimal() or len(version) > LONG or int(version) > VERSION:
                seen = brief(version)
                raise ValueError(
                    f"{path} has format version {seen}, this netwright reads up to {VERSION}; upgrade netwright"
                )
            tensors = {name: file.get_tensor(name) for name in file.keys()}
            if any(tensor.dtype.kind == "V" for tensor in tensors.values()):
                raise TypeError("a dtype that NumPy has only from another library")
    except (SafetensorError, TypeError, AttributeError, UnicodeError) as error:  # the middle two: a dtype NumPy lacks
        raise ValueError(f"{path} is not a model file, or is damaged: {error}") from None
    if meta.get("digest") != digest(meta, tensors):
        raise ValueError(f"{path} is damaged: its contents do not match its digest; take another copy")
    try:
        return meta["kind"], tensors, json.loads(meta["header"], parse_int=_whole)
    except (KeyError, ValueError, RecursionError) as error:
        raise ValueError(f"{path}: its header is not readable JSON ({type(error).__name__}: {error})") from None


def _whole(digits: str) -> int:
    if len(digits) > LONG:
        raise ValueError(f"it has a whole number of {len(digits):,} digits")
    return int(digits)


def digest(meta: dict[str, str], tensors: dict[str, Array]) -> str:
    """A hash of everything that a file says."""
    hashed = hashlib.blake2b(digest_size=16)
    for name in ("format", "version", "kind", "header"):
        hashed.update(f"{meta.get(name)}\0".encode())
    for name in sorted(tensors):
        hashed.update(f"{name} {tensors[name].dtype} {tensors[name].shape}\0".encode())
        hashed.update(np.ascontiguousarray(tensors[name]).data)
    return hashed.hexdigest()
