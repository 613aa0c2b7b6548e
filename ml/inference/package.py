"""A model to hand on, `.handlensmodel`: network, settings and card in one file that can do nothing but predict.

A zip file without compression and with fixed members: `model.onnx`, `settings.json` (as the metadata of a model, with
the thresholds in use), `card.md`, `manifest.json` with the SHA-256 of each, and perhaps `signature.json`, an Ed25519
signature of the manifest. Nothing is ever unpacked to a disk.
"""

from __future__ import annotations

import hashlib
import io
import json
import struct
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, BinaryIO

from ml.core.disk import replacing
from ml.core.errors import HandlensError
from ml.core.messages import msg
from ml.core.regular_files import refuse_irregular
from ml.core.untrusted import LONGEST_JSON, LONGEST_TEXT, parse_json, table_in, text_in, whole_in
from ml.runtime.contract import ModelInfo
from ml.runtime.model import ReleasedModel

SUFFIX = ".handlensmodel"
MODEL, SETTINGS, CARD, MANIFEST, SIGNATURE = "model.onnx", "settings.json", "card.md", "manifest.json", "signature.json"
_LARGEST: Mapping[str, int] = {
    MODEL: 1 << 30,
    SETTINGS: LONGEST_JSON,
    CARD: 4 * LONGEST_TEXT,
    MANIFEST: 1 << 16,
    SIGNATURE: 1 << 16,
}
"""Bytes of each member. No other member may be there."""
_FORMAT = 1
_LOCATOR64, _END = 20, 22
"""Lengths of the records at the end of a zip file."""
_LARGEST_DIRECTORY = 4096

Sign = Callable[[bytes], tuple[bytes, bytes]]
"""Signs a message and returns the signature and the public key."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Package:
    """What is in a package."""

    model: bytes
    info: ModelInfo
    card: str
    signed_by: str | None = None
    """The SHA-256 of the public key whose signature was checked."""
    unchecked: bool = False
    """There is a signature, and the library that checks signatures is missing."""


def write_package(target: Path, model: bytes, info: ModelInfo, *, sign: Sign | None = None) -> None:
    """Write a package atomically. Raises OSError."""
    parts = {MODEL: model, SETTINGS: info.to_json().encode(), CARD: info.card.encode()}
    manifest = {
        "format": _FORMAT,
        "files": {
            name: {"sha256": hashlib.sha256(data).hexdigest(), "size": len(data)} for name, data in parts.items()
        },
    }
    parts[MANIFEST] = json.dumps(manifest, indent=1).encode()
    if sign is not None:
        signature, key = sign(parts[MANIFEST])
        fields = {"algorithm": "Ed25519", "public_key": key.hex(), "signature": signature.hex()}
        parts[SIGNATURE] = json.dumps(fields, indent=1).encode()
    with replacing(target) as draft, zipfile.ZipFile(draft, "w", zipfile.ZIP_STORED) as archive:
        for name, data in parts.items():
            entry = zipfile.ZipInfo(name)
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, data)


def read_package(path: Path) -> Package:
    """Return what is in a package, once all of it was checked. Raises HandlensError."""
    refuse_irregular(path)
    if not path.is_file():
        raise HandlensError(msg("There is no model at {path}. Check the name.", path=str(path)))
    try:
        with path.open("rb") as file:
            parts = _members(file)
        info = _checked(parts)
        card = parts[CARD].decode()
        by, unchecked = _signer(parts, path) if SIGNATURE in parts else (None, False)
    except HandlensError:
        raise
    except (ValueError, KeyError, OSError, zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError) as error:
        raise _damaged(path, error) from error
    return Package(model=parts[MODEL], info=info, card=card, signed_by=by, unchecked=unchecked)


def open_package(path: Path, *, many: bool = False) -> tuple[ReleasedModel, Package]:
    """Open a package to predict with it. Raises HandlensError."""
    package = read_package(path)
    model = ReleasedModel.from_content(package.model, path.name, many=many)
    if _without_settings(model.info, package.info) != package.info:
        raise _damaged(path, ValueError("the settings are of another model"))
    model.info = package.info
    return model, package


def is_package(path: Path) -> bool:
    """Whether a file may be a package, by its name or its first bytes."""
    if path.suffix.lower() == SUFFIX:
        return True
    try:
        refuse_irregular(path)
        with path.open("rb") as file:
            return file.read(4) == b"PK\x03\x04"
    except (OSError, HandlensError):
        return False


def open_model(path: Path, *, many: bool = False) -> ReleasedModel:
    """Open a `.onnx` or a `.handlensmodel` file. Raises HandlensError for anything but a model of Handlens."""
    return open_package(path, many=many)[0] if is_package(path) else ReleasedModel.open(path, many=many)


def _members(file: BinaryIO) -> dict[str, bytes]:
    """The members by name, none of them larger than allowed. Raises ValueError for any other zip file."""
    _check_end(file)
    parts: dict[str, bytes] = {}
    with zipfile.ZipFile(file) as archive:
        for entry in archive.infolist():
            name, most = entry.filename, _LARGEST.get(entry.filename)
            if most is None or name in parts:
                raise ValueError(f"there is a member {name[:100]!r}")
            if entry.compress_type != zipfile.ZIP_STORED or entry.flag_bits & 1:
                raise ValueError(f"{name} is compressed or encrypted")
            if entry.file_size > most or entry.compress_size != entry.file_size:
                raise ValueError(f"{name} has {entry.file_size} bytes")
            with archive.open(entry) as stream:
                parts[name] = stream.read(most + 1)
    if parts.keys() - {SIGNATURE} != _LARGEST.keys() - {SIGNATURE}:
        raise ValueError("a member is missing")
    return parts


def _check_end(file: BinaryIO) -> None:
    """Raise ValueError unless the directory of the zip file is small, before `zipfile` reads all of it."""
    size = file.seek(0, io.SEEK_END)
    if not _END < size <= sum(_LARGEST.values()) + _LARGEST_DIRECTORY:
        raise ValueError(f"a file of {size} bytes")
    file.seek(max(0, size - _END - _LOCATOR64))
    last = file.read()
    end = last[-_END:]
    _sign, *_disks, entries, length, _start, comment = struct.unpack("<4s4H2LH", end)
    if not end.startswith(b"PK\x05\x06") or comment or last[:-_END].startswith(b"PK\x06\x07"):
        raise ValueError("not a zip file as Handlens writes it")
    if entries > len(_LARGEST) or length > _LARGEST_DIRECTORY:
        raise ValueError(f"a directory of {entries} entries, {length} bytes")
    file.seek(0)


def _checked(parts: Mapping[str, bytes]) -> ModelInfo:
    """The settings, once every member is what the manifest says."""
    manifest = table_in(parse_json(parts[MANIFEST]), "the manifest")
    if manifest.get("format") != _FORMAT:
        raise HandlensError(
            msg("The model was made by another version of Handlens. Export it again with this version.")
        )
    files = table_in(manifest.get("files"), "files")
    if files.keys() != {MODEL, SETTINGS, CARD}:
        raise ValueError("the manifest names other files")
    for name in files:
        facts, data = table_in(files[name], name), parts[name]
        whole_in(facts.get("size"), "size", len(data), len(data))
        if facts.get("sha256") != hashlib.sha256(data).hexdigest():
            raise ValueError(f"{name} differs from the manifest")
    return ModelInfo.from_json(parts[SETTINGS].decode())


def _signer(parts: Mapping[str, bytes], path: Path) -> tuple[str | None, bool]:
    """The key of a valid signature, or that it was not checked."""
    fields = table_in(parse_json(parts[SIGNATURE]), "the signature")
    if fields.get("algorithm") != "Ed25519":
        raise ValueError("another kind of signature")
    key = bytes.fromhex(text_in(fields.get("public_key"), "public_key"))
    signature = bytes.fromhex(text_in(fields.get("signature"), "signature"))
    try:
        from cryptography.exceptions import InvalidSignature  # of an extra that few need
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    except ImportError:
        return None, True
    try:
        Ed25519PublicKey.from_public_bytes(key).verify(signature, parts[MANIFEST])
    except InvalidSignature as error:
        raise HandlensError(
            msg(
                "The signature of {name} does not fit its content: somebody has changed the file. Ask for it again.",
                name=path.name,
            )
        ) from error
    return hashlib.sha256(key).hexdigest(), False


def signer_with(key_file: Path) -> Sign:
    """Return what signs with an Ed25519 key, a PEM or OpenSSH file without a password. Raises HandlensError."""
    try:
        from cryptography.exceptions import UnsupportedAlgorithm
        from cryptography.hazmat.primitives import serialization
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    except ImportError as error:
        raise HandlensError(
            msg(
                "Signing needs the library cryptography, which is not installed. Install it: {command}",
                command='pip install "handlens[sign]"',
            ),
            details=repr(error),
        ) from error
    refuse_irregular(key_file)
    try:
        data = key_file.read_bytes()
        load: Any = serialization.load_pem_private_key
        if b"OPENSSH PRIVATE KEY" in data:
            load = serialization.load_ssh_private_key
        key = load(data, password=None)
        if not isinstance(key, Ed25519PrivateKey):
            raise ValueError("another kind of key")
    except (OSError, ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise HandlensError(
            msg(
                "{path} is not a private Ed25519 key without a password. Make one: {command}",
                path=str(key_file),
                command="openssl genpkey -algorithm ed25519 -out key.pem",
            ),
            details=repr(error),
        ) from error
    public = key.public_key().public_bytes_raw()
    return lambda message: (key.sign(message), public)


def _without_settings(info: ModelInfo, settings: ModelInfo) -> ModelInfo:
    """`info` with the values that may differ from those in the network's own metadata."""
    return replace(
        info,
        reject_below=settings.reject_below,
        class_reject_below=settings.class_reject_below,
        wanted_error=settings.wanted_error,
        unlike_above=settings.unlike_above,
        present_above=settings.present_above,
        promised=settings.promised,
        card=settings.card,
    )


def _damaged(path: Path, error: Exception) -> HandlensError:
    return HandlensError(
        msg(
            "{name} cannot be used as a model: it is damaged, or somebody has changed it. Ask for the file again.",
            name=path.name,
        ),
        details=repr(error),
    )
