"""Model files: one safetensors file, its metadata readable JSON. No pickle: nothing in a file can run code.

`__metadata__` holds `format` ("netwright"), `version`, `kind` (what was saved), `header` (JSON: the network's settings
and whatever else belongs to the kind) and `digest`, a hash of all that and of every tensor, so that a damaged file is
told from a whole one.
"""

import contextlib
import errno
import glob
import hashlib
import json
import os
import secrets
import shutil
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np

from netwright.activations import ACTIVATIONS, Activation
from netwright.arguments import Array, whole
from netwright.losses import LOSSES, Loss
from netwright.network import Network

VERSION = 1


def save(network: Network, path: Any) -> None:
    """Write the network to `path`, atomically: a crash in the middle leaves the file that was there.

    An `Activation` or `Loss` of your own is kept by name; give it to `load` again. OSError when it can't be written.
    """
    write(path, "network", {"theta": network.theta}, {"network": network.settings()})


def load(path: Any, own: Iterable[Activation | Loss] = ()) -> Any:
    """What `save` wrote: a Network, an estimator, or `netwright train`'s TableModel; of a checkpoint, its best network.

    `own`: the activations and losses of your own that it was made with. ValueError for a file that is damaged, not
    netwright's, from a newer version, or made with something of somebody's own that is not given; FileNotFoundError.
    """
    rows = list(own)
    for row in rows:
        if not isinstance(row, Activation | Loss):
            raise ValueError(f"own must be a list of Activations and Losses, got {row!r}")
    kind, tensors, header = read(path)
    activations = {row.name: row for row in rows if isinstance(row, Activation)}
    losses = {row.name: row for row in rows if isinstance(row, Loss)}

    def network(theta: Array) -> Network:
        return rebuild(header["network"], theta, activations, losses)

    try:
        if kind == "network":
            return network(tensors["theta"])
        if kind == "checkpoint":
            return network(tensors["best_theta"])
        if kind == "table":
            from netwright.model import TableModel

            return TableModel.from_header(header, tensors, activations, losses)
        if kind == "estimator":
            from netwright.estimators.files import from_header

            return from_header(header, tensors, activations, losses)
        if kind == "tabular":
            from netwright.estimators.tabular_files import from_header as tabular

            return tabular(header, tensors)
    except (LookupError, TypeError, AttributeError, OverflowError, RecursionError) as error:
        raise ValueError(f"{path}: its header does not describe a {kind} ({type(error).__name__}: {error})") from None
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None
    raise ValueError(f"{path} holds a {kind!r}, which this netwright does not know; upgrade netwright to read it")


def rebuild(
    settings: dict[str, Any], theta: Array, activations: dict[str, Activation], losses: dict[str, Loss]
) -> Network:
    """The network of `settings` and theta, once it is sure that they fit and that every name is known."""
    for layer in settings["layers"]:
        name = layer.get("activation", "identity")
        if name not in activations and name not in ACTIVATIONS:
            raise ValueError(f"it uses an activation of its maker's own, {name!r}; pass it: load(path, [{name}])")
    loss = settings["loss"]
    if loss not in losses and loss.partition(":")[0] not in LOSSES:
        raise ValueError(f"it uses a loss of its maker's own, {loss!r}; pass it: load(path, [{loss}])")
    dense = [layer for layer in settings["layers"] if "neurons" in layer]
    size = sum(whole("neurons", layer["neurons"]) * (whole("inputs", layer["inputs"]) + 1) for layer in dense)
    if theta.shape != (size,) or theta.dtype.name != settings["dtype"]:  # before memory is asked for
        raise ValueError(f"theta is {theta.dtype} {theta.shape}, which its layers do not fill in {settings['dtype']}")
    return Network.from_settings(settings, theta, activations, losses.get(loss, loss))


# ── the file ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def write(path: Any, kind: str, tensors: dict[str, Array], header: dict[str, Any]) -> None:
    """Write a file of that kind, atomically. `header` must be what JSON can say."""
    from safetensors.numpy import save as to_bytes

    tensors = {name: np.ascontiguousarray(tensor) for name, tensor in tensors.items()}
    meta = {"format": "netwright", "version": str(VERSION), "kind": kind, "header": json.dumps(header)}
    meta["digest"] = digest(meta, tensors)
    write_atomically(path, to_bytes(tensors, meta))


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
            if not version.isdecimal() or int(version) > VERSION:
                raise ValueError(
                    f"{path} has format version {version!r}, this netwright reads up to {VERSION}; upgrade netwright"
                )
            tensors = {name: file.get_tensor(name) for name in file.keys()}
    except (SafetensorError, TypeError, AttributeError, UnicodeError) as error:  # the middle two: a dtype NumPy lacks
        raise ValueError(f"{path} is not a model file, or is damaged: {error}") from None
    if meta.get("digest") != digest(meta, tensors):
        raise ValueError(f"{path} is damaged: its contents do not match its digest; take another copy")
    try:
        return meta["kind"], tensors, json.loads(meta["header"])
    except (KeyError, ValueError, RecursionError) as error:
        raise ValueError(f"{path}: its header is not readable JSON ({type(error).__name__}: {error})") from None


def digest(meta: dict[str, str], tensors: dict[str, Array]) -> str:
    """A hash of everything that a file says."""
    hashed = hashlib.blake2b(digest_size=16)
    for name in ("format", "version", "kind", "header"):
        hashed.update(f"{meta.get(name)}\0".encode())
    for name in sorted(tensors):
        hashed.update(f"{name} {tensors[name].dtype} {tensors[name].shape}\0".encode())
        hashed.update(np.ascontiguousarray(tensors[name]).data)
    return hashed.hexdigest()


def write_atomically(path: Any, data: bytes | Callable[[Path], None]) -> None:
    """`data` into the file `path`, or what `data(temporary_path)` writes: all of it or nothing.

    A temporary file beside it takes its place, and its permissions, once it is on the disk. OSError, with the path,
    when that fails.
    """
    place = _place(path)
    temporary = _beside(place)
    try:
        if callable(data):
            data(temporary)
        else:
            temporary.write_bytes(data)
        with temporary.open("rb+") as file:
            os.fsync(file.fileno())
        if place.exists():
            shutil.copymode(place, temporary)
        temporary.replace(place)
        if os.name == "posix":  # the new name must outlive a power cut too
            directory = os.open(place.parent, os.O_RDONLY)
            try:
                os.fsync(directory)
            finally:
                os.close(directory)
    except OSError as error:
        raise _named(error, path) from error
    finally:
        temporary.unlink(missing_ok=True)


def check_writable(path: Any, size: int = 0) -> None:
    """OSError now, before any work, when a file of `size` bytes could not be written to `path` later."""
    place = _place(path)
    for left in place.parent.glob(glob.escape(f".{place.name[:60]}.") + "*.tmp"):  # by processes killed while writing
        with contextlib.suppress(OSError):
            if left.stat().st_mtime < time.time() - 86_400:
                left.unlink()
    trial = _beside(place)
    try:
        if size > shutil.disk_usage(place.parent).free:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        trial.write_bytes(bytes(min(size, 2**24)))  # quotas and limits are seen only by writing
    except OSError as error:
        raise _named(error, path) from error
    finally:
        trial.unlink(missing_ok=True)


def _place(path: Any) -> Path:
    """Where a file for `path` belongs: a link stays a link. OSError when no file can be there."""
    if Path(path).is_dir():
        raise IsADirectoryError(f"cannot write {path}: it is a directory")
    if Path(path).exists() and not Path(path).is_file():
        raise OSError(f"cannot write {path}: it is not a regular file")
    place = Path(os.path.realpath(path))
    if not place.parent.is_dir():
        raise FileNotFoundError(f"cannot write {path}: there is no directory {place.parent}")
    return place


def _beside(place: Path) -> Path:
    """A name for a temporary file in the same directory that nobody else uses."""
    return place.with_name(f".{place.name[:60]}.{secrets.token_hex(4)}.tmp")


def _named(error: OSError, path: Any) -> OSError:
    """The same error, saying which file."""
    return type(error)(error.errno, f"cannot write {path}: {error.strerror or error}")
