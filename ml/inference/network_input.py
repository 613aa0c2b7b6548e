"""What the network of a released model gets of a sample, as a picture for people."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ml.core.errors import HandlensError
from ml.core.messages import msg
from ml.media.kinds import kind_named
from ml.media.mel import network_picture, settings_for
from ml.media.speech_mel import SPEECH_BAND, speech_picture
from ml.runtime.contract import ModelInfo

SPEECH = "speech_embedding"
"""The network that gets a spectrogram of its own, see `ml.graphs.speech_embedding`."""


def network_input(info: ModelInfo, path: Path, start: float = 0.0) -> NDArray[np.uint8]:
    """Return RGB (height, width, 3) with a pixel for each value that the network gets, before it is normalised.

    Of a recording this is the log-mel spectrogram, low notes below; where two networks listen, that of the picture
    network. Raises HandlensError where the file cannot be read, and for logs.
    """
    kind = kind_named(info.kind)
    if info.input_name == "readings":
        raise HandlensError(msg("Of a log the network gets numbers and several pictures. They are not shown."))
    (sample,) = kind.load_input(path, [start], windowing=info.reading, size=info.size)
    if info.input_name == "pixels":
        return np.asarray(sample, dtype=np.uint8)
    assert info.windowing is not None
    make = speech_picture if info.backbone == SPEECH else network_picture
    heard = make(np.asarray(sample, dtype=np.float32), info.windowing)
    grey = (np.clip(heard[::-1], 0.0, 1.0) * 255.0).round().astype(np.uint8)
    return np.repeat(grey[..., None], 3, axis=2)


def network_band(info: ModelInfo) -> tuple[float, float, bool]:
    """Return the frequencies in Hz between which that spectrogram lies, and whether its scale is Slaney's mel."""
    assert info.windowing is not None
    if info.backbone == SPEECH:
        return *SPEECH_BAND, True
    settings = settings_for(info.windowing)
    return settings.f_min, settings.f_max, False
