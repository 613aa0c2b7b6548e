"""What the network will see or hear of the files, in sentences: what is blank or silent, and what it could learn
instead of what was meant."""

from __future__ import annotations

import dataclasses
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from pathlib import PurePosixPath

import numpy as np

from ml.core.messages import Message, msg, nmsg
from ml.core.phrases import files
from ml.core.scan_report import FoundFile, PictureLook, ScanReport, SoundLook
from ml.project.scan.finding import Finding
from ml.scoring.tasks import task_named

_BLANK, _SPECKS = 8, 24
"""Grey levels between which 99 of 100 pixels, and all pixels, of a blank picture lie."""
_FEW_LEVELS, _NARROW = 16, 64
"""A picture with so few grey levels within so narrow a range was scaled badly; a drawing uses the whole range."""
_SILENT = -80.0
"""dB below full scale."""
_CLIPPED = 0.01
_LOST, _MOST = 0.3, 0.6
"""Share of the middle that is plain white or black, and share of a class that is so."""
_FEWEST = 5
"""Files of a class, and of the others, from which a difference is no chance."""
_NEARLY_ALL, _HARDLY_ANY = 0.9, 0.1
_LOUDER = 10.0
"""dB between the medians of a class and of the others."""
_ALIKE = 1
"""Grey levels by which the small copies of pictures that look the same differ."""
_SEPARATE = 0.98


def look_findings(report: ScanReport) -> list[Finding]:
    """Return what decoding the files showed of their contents."""
    found = [*_blank(report), *_few_levels(report), *_silent(report), *_clipped(report)]
    found += [*_lost_middles(report), *_all_alike(report)]
    if task_named(report.task).exclusive:
        found += _shortcuts(report)
    return found


def is_blank(file: FoundFile) -> bool:
    """Return whether the network sees or hears nothing in this file."""
    match file.look:
        case PictureLook(low=low, high=high, least=least, most=most):
            return high - low <= _BLANK and most - least <= _SPECKS
        case SoundLook(loudness=loudness):
            return loudness < _SILENT
    return False


def _blank(report: ScanReport) -> list[Finding]:
    paths = tuple(file.path for file in report.files if isinstance(file.look, PictureLook) and is_blank(file))
    if not paths:
        return []
    sentence = nmsg(
        "{count} of the {files} is blank as the network sees it: nearly all of it has one brightness. Remove it, or "
        "save it with what it should show.",
        "{count} of the {files} are blank as the network sees them: nearly all of each has one brightness. Remove "
        "them, or save them with what they should show.",
        len(paths),
        files=files(report.kind),
    )
    return [Finding(severity="warn", sentence=sentence, paths=paths)]


def _few_levels(report: ScanReport) -> list[Finding]:
    few = {
        file.path: file.look.levels
        for file in report.files
        if isinstance(file.look, PictureLook)
        and file.look.levels <= _FEW_LEVELS
        and file.look.most - file.look.least <= _NARROW
        and not is_blank(file)
    }
    if not few:
        return []
    sentence = nmsg(
        "{count} of the {files} uses only {levels} of 256 grey levels, so fine differences are lost. Save it with its "
        "darkest point black and its brightest white.",
        "{count} of the {files} use only {levels} of 256 grey levels or fewer, so fine differences are lost. Save them "
        "with their darkest point black and their brightest white, all in the same way.",
        len(few),
        files=files(report.kind),
        levels=max(few.values()),
    )
    return [Finding(severity="warn", sentence=sentence, paths=tuple(few))]


def _silent(report: ScanReport) -> list[Finding]:
    paths = tuple(file.path for file in report.files if isinstance(file.look, SoundLook) and is_blank(file))
    if not paths:
        return []
    sentence = nmsg(
        "{count} of the {files} is silent. Remove it, or check the microphone and the channel.",
        "{count} of the {files} are silent. Remove them, or check the microphone and the channel.",
        len(paths),
        files=files(report.kind),
    )
    return [Finding(severity="warn", sentence=sentence, paths=paths)]


def _clipped(report: ScanReport) -> list[Finding]:
    paths = tuple(
        file.path for file in report.files if isinstance(file.look, SoundLook) and file.look.clipped > _CLIPPED
    )
    if not paths:
        return []
    sentence = nmsg(
        "{count} of the {files} is clipped: it was recorded too loud. Record such sounds with a lower level.",
        "{count} of the {files} are clipped: they were recorded too loud. Record such sounds with a lower level.",
        len(paths),
        files=files(report.kind),
    )
    return [Finding(severity="warn", sentence=sentence, paths=paths)]


_TOO_BRIGHT = msg(
    "Most {files} of “{name}” are plain white in the middle, so nothing can be recognised there. They were exposed too "
    "brightly. If you can, take them again with less light."
)
_TOO_DARK = msg(
    "Most {files} of “{name}” are plain black in the middle, so nothing can be recognised there. They were exposed too "
    "darkly. If you can, take them again with more light."
)


def _lost_middles(report: ScanReport) -> list[Finding]:
    """Classes whose pictures are mostly white or black where their object should be."""
    by_class: dict[str, list[tuple[str, PictureLook]]] = defaultdict(list)
    for file in report.files:
        if isinstance(file.look, PictureLook) and not is_blank(file):
            for name in file.class_names:
                by_class[name].append((file.path, file.look))
    found = []
    for name, own in sorted(by_class.items()):
        white = tuple(path for path, look in own if look.white >= _LOST)
        black = tuple(path for path, look in own if look.black >= _LOST)
        for sentence, paths in ((_TOO_BRIGHT, white), (_TOO_DARK, black)):
            if len(own) >= _FEWEST and len(paths) > _MOST * len(own):
                values = {"name": name, "files": files(report.kind)}
                said = dataclasses.replace(sentence, values=values)
                found.append(Finding(severity="warn", sentence=said, paths=paths))
    return found


def _all_alike(report: ScanReport) -> list[Finding]:
    """Pictures of several classes that look the same when they are small."""
    looks = ((file, file.look) for file in report.files if isinstance(file.look, PictureLook))
    seen = [file for file, look in looks if look.signature and not is_blank(file)]
    if len(seen) < 2 * _FEWEST:
        return []
    signatures = [file.look.signature for file in seen if isinstance(file.look, PictureLook)]
    small = np.array([np.frombuffer(signature, np.uint8) for signature in signatures], dtype=np.int16)
    usual = np.median(small, axis=0)
    alike = [file for file, far in zip(seen, np.abs(small - usual).max(axis=1), strict=True) if far <= _ALIKE]
    if len(alike) < _NEARLY_ALL * len(seen) or len({name for file in alike for name in file.class_names}) < 2:
        return []
    sentence = msg(
        "Nearly all {files} look the same, whatever their class. If the difference is small, cut out the part that "
        "shows it.",
        files=files(report.kind),
    )
    return [Finding(severity="warn", sentence=sentence, paths=tuple(file.path for file in alike))]


# -- what could be learned instead -------------------------------------------------------------------------------------

Attribute = Callable[[FoundFile], str]

_SIZE = msg(
    "“{name}” differs from the other classes in size: nearly all of its {files} have {value} pixels, hardly any others "
    "do. The model could learn that instead of what was meant. Use {files} of the same size in every class."
)
_FORMAT = msg(
    "“{name}” differs from the other classes in format: nearly all of its {files} are {value} files, hardly any others "
    "are. The model could learn that instead of what was meant. Save all {files} in one format."
)
_CAMERA = msg(
    "“{name}” differs from the other classes in the camera: nearly all of its {files} are from {value}, hardly any "
    "others are. The model could learn that instead of what was meant. Use {files} of each camera in every class."
)
_DAY = msg(
    "“{name}” differs from the other classes in the date: nearly all of its {files} are from {value}, hardly any "
    "others are. The model could learn that instead of what was meant. Use {files} of several days in every class."
)
_RATE = msg(
    "“{name}” differs from the other classes in the sample rate: nearly all of its {files} have {value} Hz, hardly any "
    "others do. The model could learn that instead of what was meant. Use {files} of one rate in every class."
)
_LOUDNESS = msg(
    "“{name}” differs from the other classes in loudness: its {files} are {value} dB louder or quieter. If that is not "
    "what you mean, the model could learn it instead of what was meant. Record all classes at the same level."
)


def _attributes() -> tuple[tuple[Message, Attribute], ...]:
    def suffix(file: FoundFile) -> str:
        name = PurePosixPath(file.path).suffix.lower().removeprefix(".")
        return {"jpeg": "jpg", "tif": "tiff"}.get(name, name).upper()

    return (
        (_SIZE, lambda file: f"{file.width} × {file.height}" if file.width else ""),
        (_FORMAT, suffix),
        (_CAMERA, lambda file: file.look.camera if isinstance(file.look, PictureLook) else ""),
        (_DAY, lambda file: file.look.day.replace(":", "-") if isinstance(file.look, PictureLook) else ""),
        (_RATE, lambda file: f"{file.rate:g}" if isinstance(file.look, SoundLook) else ""),
    )


def _shortcuts(report: ScanReport) -> list[Finding]:
    """One class that differs from the others in what it should not be recognised by."""
    by_class: dict[str, list[FoundFile]] = defaultdict(list)
    for file in report.files:
        if file.class_name is not None and file.spans is None:
            by_class[file.class_name].append(file)
    if len(by_class) < 2:
        return []
    found = []
    for sentence, attribute in _attributes():
        odd = _odd_class(by_class, attribute)
        if odd is not None:
            name, value = odd
            found.append(_shortcut(sentence, report, name, value, by_class[name]))
    loud = _louder_class(by_class)
    if loud is not None:
        found.append(_shortcut(_LOUDNESS, report, loud[0], f"{loud[1]:.0f}", by_class[loud[0]]))
    return found


def _shortcut(sentence: Message, report: ScanReport, name: str, value: str, own: Sequence[FoundFile]) -> Finding:
    complete = dataclasses.replace(sentence, values={"name": name, "value": value, "files": files(report.kind)})
    return Finding(severity="warn", sentence=complete, paths=tuple(file.path for file in own))


def _odd_class(by_class: Mapping[str, Sequence[FoundFile]], attribute: Attribute) -> tuple[str, str] | None:
    """The first class that nearly always has a value which the others hardly ever have."""
    counts = {name: Counter(map(attribute, own)) for name, own in by_class.items()}
    whole = sum(counts.values(), Counter[str]())
    total = whole.total()
    for name, own in counts.items():
        value, often = own.most_common(1)[0]
        others = total - own.total()
        enough = min(own.total(), others) >= _FEWEST
        usual = often >= _NEARLY_ALL * own.total()
        if value and enough and usual and whole[value] - often <= _HARDLY_ANY * others:
            return name, value
    return None


def _louder_class(by_class: Mapping[str, Sequence[FoundFile]]) -> tuple[str, float] | None:
    """The first class whose recordings are all louder, or all quieter, than the others, and by how many dB."""
    heard = {
        name: np.array([file.look.loudness for file in own if isinstance(file.look, SoundLook) and not is_blank(file)])
        for name, own in by_class.items()
    }
    for name, own in heard.items():
        others = np.concatenate([rest for other, rest in heard.items() if other != name])
        if min(len(own), len(others)) < _FEWEST:
            continue
        louder = float((own[:, None] > others[None, :]).mean())
        apart = float(abs(np.median(own) - np.median(others)))
        if max(louder, 1.0 - louder) >= _SEPARATE and apart >= _LOUDER:
            return name, apart
    return None
