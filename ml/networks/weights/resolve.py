"""Resolve the name of a network, or a file, to verified weights on this machine."""

from __future__ import annotations

import difflib
from collections.abc import Generator, Iterator
from pathlib import Path

import timm

from ml.core.backbone_catalog import DEFAULT_BACKBONE, licence_sentence, use_of, weights_folder
from ml.core.disk import write_text
from ml.core.errors import HandlensError
from ml.core.events import BackboneChecked, Event, Note, StageStarted
from ml.core.folders import data_folder
from ml.core.jobs import BackboneJob, Stop
from ml.core.messages import Message, msg, nmsg, verbatim
from ml.core.regular_files import refuse_irregular
from ml.graphs.pretrained import Weights, bundled, sha256_of
from ml.networks.weights.download import download_weights
from ml.networks.weights.load import SUFFIXES, pretrained_cfg, unknown_network

SUGGESTIONS = 3


def check_backbone(job: BackboneJob) -> Iterator[Event]:
    """Report whether a network exists, the licence of its weights, and whether they are on this machine."""
    name = job.name.strip()
    if not _exists_in_timm(name):
        nothing = verbatim("")
        yield BackboneChecked(
            name=name, known=False, suggestions=_similar(name), licence="", sentence=nothing, here=False
        )
        return
    here = name == DEFAULT_BACKBONE or _cached_sha256(name) is not None
    licence = _licence(name)
    sentence = licence_sentence(name, licence, _page(name))
    yield BackboneChecked(name=name, known=True, suggestions=(), licence=licence, sentence=sentence, here=here)


def resolve_weights(
    name: str, file: Path | None, stop: Stop, *, accept_changed: bool = False
) -> Generator[Event, None, Weights | None]:
    """Return the weights of timm's model `name`: from `file`, from an earlier download, or downloaded now.

    None if the user stopped the download. Raises HandlensError if there is no such model or file, and
    ChangedWeightsError if the download is not that of the first time, unless `accept_changed`.
    """
    name = name or DEFAULT_BACKBONE
    refuse_unknown_weights(name, file)
    if file is not None:
        return _from_file(name, file)
    if name == DEFAULT_BACKBONE:
        return bundled()
    licence = _licence(name)
    sha256 = _cached_sha256(name)
    if sha256 is None:
        repo = _repo(name)
        if use_of(licence) != "any":
            yield Note(sentence=licence_sentence(name, licence, _page(name)))
        yield StageStarted(stage="download")
        known = "" if accept_changed else known_sha256(_full_name(name))
        sha256 = yield from download_weights(repo, name, _cached_path(name), stop, known=known)
        if not sha256:
            return None
        _write_sha256(name, sha256)
    remember_sha256(_full_name(name), sha256)
    return Weights(name=name, path=_cached_path(name), sha256=sha256, source="download", licence=licence)


def refuse_unknown_weights(name: str, file: Path | None) -> None:
    """Raise HandlensError if timm has no model `name`, or if `file` cannot hold its weights."""
    if not _exists_in_timm(name):
        similar = _similar(name)
        raise HandlensError(_unknown_message(name, similar) if similar else unknown_network(name))
    if file is not None:
        refuse_irregular(file)
    if file is not None and not file.is_file():
        raise HandlensError(
            msg("There is no file {path}. Give the file with the weights of {name}.", path=str(file), name=name)
        )
    if file is not None and file.suffix.lower() not in SUFFIXES:
        raise HandlensError(
            msg("{file} is not a weights file. Use the .safetensors file of {name}.", file=file.name, name=name)
        )


def _unknown_message(name: str, similar: tuple[str, ...]) -> Message:
    return nmsg(
        "There is no network called {name}. A similar name is {names}.",
        "There is no network called {name}. Similar names are {names}.",
        len(similar),
        name=name,
        names=similar,
    )


def _from_file(name: str, file: Path) -> Weights:
    return Weights(name=name, path=file.absolute(), sha256=sha256_of(file), source="file", licence=_licence(name))


def _exists_in_timm(name: str) -> bool:
    # Names with "hf-hub:" or a path are not models of timm.
    if not name or ":" in name or "/" in name or not timm.is_model(name):
        return False
    try:
        return timm.get_pretrained_cfg(name) is not None
    except RuntimeError:  # the network exists, but has no such weights
        return False


def _similar(name: str) -> tuple[str, ...]:
    plain = name.split(".", 1)[0]
    tags = [full for full in timm.list_pretrained() if full.startswith(f"{plain}.")]
    among = tags if tags and "." in name else timm.list_models()
    return tuple(difflib.get_close_matches(name.lower(), among, n=SUGGESTIONS, cutoff=0.6))


def _licence(name: str) -> str:
    return pretrained_cfg(name).license or ""


def _repo(name: str) -> str:
    repo = pretrained_cfg(name).hf_hub_id
    if not repo:
        raise HandlensError(
            msg(
                "The weights of {name} are not on the Hugging Face hub. "
                "Download them from their authors and train with --backbone {name} --weights FILE.",
                name=name,
            )
        )
    return str(repo)


def _page(name: str) -> str:
    return f"https://huggingface.co/{pretrained_cfg(name).hf_hub_id or 'timm'}"


# -- earlier downloads -------------------------------------------------------------------------------------------


def _full_name(name: str) -> str:
    cfg = pretrained_cfg(name)
    return f"{cfg.architecture or name}.{cfg.tag}" if cfg.tag else name


def _cached_path(name: str) -> Path:
    return weights_folder() / f"{_full_name(name)}.safetensors"


def _cached_sha256(name: str) -> str | None:
    """Return the SHA-256 of the downloaded weights; None if they are missing or damaged."""
    path, note = _cached_path(name), _cached_path(name).with_suffix(".sha256")
    if not (path.is_file() and note.is_file()):
        return None
    expected = note.read_text(encoding="ascii").strip()
    return expected if sha256_of(path) == expected else None


def _write_sha256(name: str, sha256: str) -> None:
    note = _cached_path(name).with_suffix(".sha256")
    write_text(note, sha256 + "\n")


def known_sha256(name: str) -> str:
    """Return the SHA-256 that the weights `name` had when they were first downloaded; "" if they never were."""
    try:
        return _note(name).read_text(encoding="ascii").strip()
    except (FileNotFoundError, UnicodeDecodeError):
        return ""


def remember_sha256(name: str, sha256: str) -> None:
    """Trust weights `name` with this checksum from now on."""
    if known_sha256(name) != sha256:
        _note(name).parent.mkdir(parents=True, exist_ok=True)
        write_text(_note(name), sha256 + "\n")


def _note(name: str) -> Path:
    return data_folder() / "known-weights" / f"{name}.sha256"
