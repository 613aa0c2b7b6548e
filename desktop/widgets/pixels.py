"""Convert arrays to QImage."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QRectF, QSizeF, Qt
from PySide6.QtGui import QImage


def rgb_image(pixels: NDArray[np.uint8]) -> QImage:
    """Convert an RGB array (height, width, 3) to an image that owns its pixels."""
    pixels = np.ascontiguousarray(pixels)
    height, width = pixels.shape[:2]
    return QImage(pixels.data, width, height, 3 * width, QImage.Format.Format_RGB888).convertToFormat(
        QImage.Format.Format_RGB32
    )


def rgba_image(pixels: NDArray[np.uint8]) -> QImage:
    """Convert an RGBA array (height, width, 4) to an image that owns its pixels, premultiplied for fast painting."""
    pixels = np.ascontiguousarray(pixels)
    height, width = pixels.shape[:2]
    return QImage(pixels.data, width, height, 4 * width, QImage.Format.Format_RGBA8888).convertToFormat(
        QImage.Format.Format_ARGB32_Premultiplied
    )


def grey_image(values: NDArray[np.floating]) -> QImage:
    """Convert values in 0…1 (height, width) to a grey image; 0 is black."""
    grey = np.ascontiguousarray((np.clip(values, 0.0, 1.0) * 255.0).astype(np.uint8))
    height, width = grey.shape
    return QImage(grey.data, width, height, width, QImage.Format.Format_Grayscale8).convertToFormat(
        QImage.Format.Format_RGB32
    )


def fitted(size: QSizeF, frame: QRectF) -> QRectF:
    """Return the largest rectangle with the aspect ratio of `size`, centred in `frame`."""
    if size.isEmpty():
        return QRectF(frame)
    scaled = size.scaled(frame.size(), Qt.AspectRatioMode.KeepAspectRatio)
    return QRectF(
        frame.x() + (frame.width() - scaled.width()) / 2,
        frame.y() + (frame.height() - scaled.height()) / 2,
        scaled.width(),
        scaled.height(),
    )
