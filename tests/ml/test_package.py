"""`.handlensmodel`: what a package keeps, and hostile ones that end in one sentence and write nothing."""

from __future__ import annotations

import json
import struct
import subprocess
import sys
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from tiny_model import COLOURS, tiny_info, write_colour_model

from ml.core.errors import HandlensError
from ml.inference import package
from ml.inference.package import open_model, open_package, signer_with, write_package
from tests.ml.terminal import Handlens


def packed(folder: Path, *, classes: tuple[str, ...] = COLOURS, **more: object) -> Path:
    model = write_colour_model(folder / "model.onnx", classes=classes)
    info = replace(tiny_info(classes=classes), reject_below=0.75, card="# Tiny, as exported")
    write_package(folder / "tiny.handlensmodel", model.read_bytes(), info, **more)  # type: ignore[arg-type]
    model.unlink()
    return folder / "tiny.handlensmodel"


def test_a_package_predicts_with_its_settings(handlens: Handlens, trained: Path, folder: Path, tmp_path: Path) -> None:
    target = tmp_path / "colours.handlensmodel"
    for _ in range(2):
        assert handlens("export", trained, "--to", target, "--wrong-at-most", "10%").code == 0
    model, found = open_package(target)
    assert (model.info.wanted_error, found.info, found.card) == (0.1, model.info, model.info.card)
    from_project = handlens("predict", trained, folder / "red" / "0.png", "--json").lines
    (tmp_path / "renamed").write_bytes(target.read_bytes())
    for path in (target, tmp_path / "renamed"):
        done = handlens("predict", path, folder / "red" / "0.png", "--json")
        assert (done.code, done.err) == (0, "")
        assert done.lines[0]["probability"] == from_project[0]["probability"]
    target.write_bytes(b"PK\x03\x04 of the user's")
    done = handlens("export", trained, "--to", target)
    assert done.code == 1 and "is not a Handlens model" in done.err
    assert handlens("export", trained, "--to", tmp_path / "a.onnx", "--sign", target).code == 2


def _key(folder: Path) -> Path:
    pytest.importorskip("cryptography")
    from cryptography.hazmat.primitives import serialization as form
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    key = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
    pem = key.private_bytes(form.Encoding.PEM, form.PrivateFormat.PKCS8, form.NoEncryption())
    (folder / "key.pem").write_bytes(pem)
    return folder / "key.pem"


def test_a_signature_is_checked(handlens: Handlens, trained: Path, folder: Path, tmp_path: Path) -> None:
    key, target = _key(tmp_path), tmp_path / "signed.handlensmodel"
    assert handlens("export", trained, "--to", target, "--sign", key).code == 0
    done = handlens("predict", target, folder / "red" / "0.png")
    assert (done.code, done.err.split()[:4]) == (0, ["Signed", "with", "the", "key"])
    members = _members(target)
    members["card.md"] = b"# Better"
    facts = json.loads(members["manifest.json"])
    facts["files"]["card.md"] = {"sha256": package.hashlib.sha256(b"# Better").hexdigest(), "size": 8}
    members["manifest.json"] = json.dumps(facts).encode()
    _write(target, members)
    done = handlens("predict", target, folder / "red" / "0.png")
    assert (done.code, done.out, done.err.count("\n")) == (1, "", 1) and "somebody has changed the file" in done.err
    done = handlens("export", trained, "--to", tmp_path / "b.handlensmodel", "--sign", folder / "red" / "0.png")
    assert done.code == 1 and "is not a private Ed25519 key" in done.err


def test_without_the_library_a_signature_is_said_to_be_unchecked(
    handlens: Handlens, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = packed(tmp_path, sign=signer_with(_key(tmp_path)))
    for name in [name for name in sys.modules if name.split(".")[0] == "cryptography"]:
        monkeypatch.setitem(sys.modules, name, None)  # type: ignore[arg-type]
    done = handlens("predict", target, folder / "red" / "0.png")
    assert (done.code, done.err.count("\n")) == (0, 1) and "The signature was not checked" in done.err


def _members(path: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def _write(path: Path, members: dict[str, bytes], *, method: int = zipfile.ZIP_STORED) -> None:
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, data in members.items():
            archive.writestr(name, data)


def _with(name: str, data: bytes) -> Callable[[Path], None]:
    return lambda path: _write(path, _members(path) | {name: data})


def _bomb(path: Path) -> None:
    _write(path, _members(path) | {"card.md": bytes(64 << 20)}, method=zipfile.ZIP_DEFLATED)


def _twice(path: Path) -> None:
    with pytest.warns(UserWarning, match="Duplicate name"), zipfile.ZipFile(path, "a") as archive:
        archive.writestr("card.md", b"# Another")


def _without_card(path: Path) -> None:
    members = _members(path)
    del members["card.md"]
    _write(path, members)


def _huge_directory(path: Path) -> None:
    _write(path, _members(path) | {f"{number}": b"" for number in range(2000)})


def _lying_end(path: Path) -> None:
    data = path.read_bytes()
    path.write_bytes(data[:-22] + struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 4, 4, 0xFFFFFFF0, 0, 0))


def _outside_data(path: Path) -> None:
    """The network refers to a file of the machine, and the manifest is right about it."""
    import onnx

    members = _members(path)
    model = onnx.load_from_string(members["model.onnx"])
    tensor = model.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = onnx.TensorProto.EXTERNAL
    entry = tensor.external_data.add()
    entry.key, entry.value = "location", "/etc/passwd"
    members["model.onnx"] = model.SerializeToString()
    facts = json.loads(members["manifest.json"])
    facts["files"]["model.onnx"] = {
        "sha256": package.hashlib.sha256(members["model.onnx"]).hexdigest(),
        "size": len(members["model.onnx"]),
    }
    members["manifest.json"] = json.dumps(facts).encode()
    _write(path, members)


HOSTILE: dict[str, Callable[[Path], None]] = {
    "path outside": _with("../outside.txt", b"x"),
    "absolute path": _with("/tmp/handlens-outside.txt", b"x"),
    "code": _with("model.py", b"raise SystemExit"),
    "bomb": _bomb,
    "twice": _twice,
    "missing": _without_card,
    "many members": _huge_directory,
    "lying end": _lying_end,
    "other card": _with("card.md", b"# Better"),
    "other network": _with("model.onnx", b"\x08\x08"),
    "outside data": _outside_data,
    "deep manifest": _with("manifest.json", b"[" * 50_000),
    "manifest of others": _with("manifest.json", b'{"format": 1, "files": {"../../x": {}}}'),
    "manifest of numbers": _with("manifest.json", b'{"format": 1, "files": {"card.md": 1, "model.onnx": 2, "x": 3}}'),
    "signature": _with("signature.json", b'{"algorithm": "none", "public_key": "", "signature": ""}'),
    "short key": _with("signature.json", b'{"algorithm": "Ed25519", "public_key": "00", "signature": "00"}'),
    "cut": lambda path: path.write_bytes(path.read_bytes()[:-30]),
    "text": lambda path: path.write_bytes(b"no package"),
    "empty": lambda path: path.write_bytes(b""),
}


@pytest.mark.parametrize("fault", HOSTILE)
def test_a_hostile_package_is_one_sentence(handlens: Handlens, folder: Path, tmp_path: Path, fault: str) -> None:
    inside = tmp_path / "inside"
    inside.mkdir()
    target = packed(inside)
    HOSTILE[fault](target)
    before = sorted(tmp_path.rglob("*"))
    done = handlens("predict", target, folder / "red" / "0.png")
    assert (done.code, done.out, done.err.count("\n")) == (1, "", 1)
    assert "tiny.handlensmodel" in done.err
    assert sorted(tmp_path.rglob("*")) == before
    assert not Path("/tmp/handlens-outside.txt").exists()


def test_settings_of_another_model_are_refused(tmp_path: Path) -> None:
    model = write_colour_model(tmp_path / "model.onnx")
    target = tmp_path / "mixed.handlensmodel"
    write_package(target, model.read_bytes(), tiny_info(classes=("blue", "green", "red")))
    with pytest.raises(HandlensError, match="somebody has changed it"):
        open_model(target)


def test_names_of_classes_are_text(handlens: Handlens, folder: Path, tmp_path: Path) -> None:
    classes = ("[red]\x1b[31m", "<script>", "../\u202egnp")
    target = packed(tmp_path, classes=classes)
    done = handlens("predict", target, folder / "red" / "0.png", "--sort-into", tmp_path / "sorted")
    assert done.code == 0
    assert "[red]\\x1b[31m" in done.out and "\x1b" not in done.out and "\u202e" not in done.out
    (copy,) = (tmp_path / "sorted").rglob("*.png")
    assert copy.parent.parent == tmp_path / "sorted" and copy.parent.name.isprintable()


def test_a_pipe_is_no_package(tmp_path: Path) -> None:
    if sys.platform == "win32":
        pytest.skip("there are no pipes with names")
    subprocess.run(["mkfifo", str(tmp_path / "pipe.handlensmodel")], check=True)
    with pytest.raises(HandlensError, match="is a pipe"):
        open_model(tmp_path / "pipe.handlensmodel")
