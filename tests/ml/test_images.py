"""Pictures of every odd make come out as the picture that a person would see, or as a sentence saying why not."""

from __future__ import annotations

import struct
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from ml.core.errors import UnreadableError
from ml.core.messages import english
from ml.media.images import (
    IMAGE_SUFFIXES,
    image_facts,
    load_image,
    load_squashed,
    thumbnail,
)

WHITE, BLACK, RED, GREEN, BLUE = (255, 255, 255), (0, 0, 0), (255, 0, 0), (0, 255, 0), (0, 0, 255)


def quarters(width: int = 40, height: int = 20) -> NDArray[np.uint8]:
    """Red top left, green top right, blue bottom left, white bottom right."""
    pixels = np.zeros((height, width, 3), dtype=np.uint8)
    pixels[: height // 2, : width // 2] = RED
    pixels[: height // 2, width // 2 :] = GREEN
    pixels[height // 2 :, : width // 2] = BLUE
    pixels[height // 2 :, width // 2 :] = WHITE
    return pixels


def photograph(width: int, height: int) -> NDArray[np.uint8]:
    """Something smooth, as photographs are."""
    y, x = np.mgrid[0:height, 0:width]
    channels = [np.sin(x / 37) * 60 + 128, np.cos(y / 23) * 60 + 128, np.sin((x + y) / 51) * 60 + 128]
    return np.stack(channels, axis=2).astype(np.uint8)


def colour(pixels: NDArray[np.uint8], x: float, y: float) -> tuple[int, ...]:
    """The colour at a place given in fractions of width and height."""
    height, width = pixels.shape[:2]
    return tuple(int(value) for value in pixels[int(y * height), int(x * width)])


def is_close(found: tuple[int, ...], wanted: tuple[int, ...], tolerance: int = 12) -> bool:
    return all(abs(a - b) <= tolerance for a, b in zip(found, wanted, strict=True))


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp", ".tif"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_the_camera_s_orientation_is_followed(tmp_path: Path, orientation: int, suffix: str) -> None:
    upright = Image.fromarray(quarters())
    undo = {2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4}  # Transpose that a camera held so would have applied
    stored = upright if orientation == 1 else upright.transpose(Image.Transpose(undo[orientation]))
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = tmp_path / f"turned{suffix}"
    options: dict[str, Any] = {"quality": 95, "subsampling": 0} if suffix == ".jpg" else {}
    stored.save(path, exif=exif, **options)

    whole = load_image(path)
    assert whole.shape == (20, 40, 3)
    facts = image_facts(path)
    assert (facts.width, facts.height) == (40, 20)
    assert thumbnail(path, size=20).shape == (10, 20, 3)
    for pixels in (whole, load_squashed(path, 32), thumbnail(path, size=20)):
        corners = [colour(pixels, x, y) for y in (0.2, 0.8) for x in (0.2, 0.8)]
        assert all(map(is_close, corners, (RED, GREEN, BLUE, WHITE), (60,) * 4)), corners


@pytest.mark.parametrize(
    ("values", "wanted"),
    [
        ([0, 32896, 65535], [0, 128, 255]),  # 16 bits are really used
        ([0, 2056, 4095], [0, 128, 255]),  # a 12-bit camera
        ([0, 128, 255], [0, 128, 255]),  # 8 bits in a deep file
        ([0, 0, 0], [0, 0, 0]),  # the lid was on
    ],
)
@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_sixteen_bits_are_scaled_to_eight(tmp_path: Path, values: list[int], wanted: list[int], suffix: str) -> None:
    path = tmp_path / f"deep{suffix}"
    Image.fromarray(np.array([values], dtype=np.uint16)).save(path)
    assert load_image(path)[0].tolist() == [[value] * 3 for value in wanted]


@pytest.mark.parametrize(
    ("values", "wanted"),
    [
        ([0.0, 0.5, 1.0], [0, 128, 255]),
        ([0.0, 128.0, 255.0], [0, 128, 255]),
        ([-10.0, 0.0, 10.0], [0, 128, 255]),
        ([np.nan, 0.5, np.inf], [0, 128, 255]),
    ],
)
def test_fractions_are_scaled_to_eight_bits(tmp_path: Path, values: list[float], wanted: list[int]) -> None:
    path = tmp_path / "heights.tif"
    Image.fromarray(np.array([values], dtype=np.float32)).save(path)
    found = load_image(path)[0, :, 0].astype(int)
    assert np.abs(found - wanted).max() <= 1 or not np.isfinite(values).all()
    assert found[1] in range(127, 129) or not np.isfinite(values).all()


def test_a_cmyk_jpeg_keeps_its_colours(tmp_path: Path) -> None:
    path = tmp_path / "print.jpg"
    Image.fromarray(quarters()).convert("CMYK").save(path, quality=95)
    pixels = load_image(path)
    assert is_close(colour(pixels, 0.2, 0.2), RED, 20)
    assert is_close(colour(pixels, 0.8, 0.8), WHITE, 20)


def test_lab_colours_become_rgb(tmp_path: Path) -> None:
    path = tmp_path / "lab.tif"
    Image.new("LAB", (6, 4), (255, 128, 128)).save(path)
    assert is_close(colour(load_image(path), 0.5, 0.5), WHITE, 6)


@pytest.mark.parametrize("mode", ["RGBA", "LA", "PA"])
def test_transparent_parts_lie_on_white(tmp_path: Path, mode: str) -> None:
    half = np.zeros((10, 20, 4), dtype=np.uint8)
    half[:, 10:, 3] = 255
    path = tmp_path / "logo.png"
    image = Image.fromarray(half)
    if mode == "PA":
        image = image.quantize(4)
    elif mode == "LA":
        image = image.convert("LA")
    image.save(path)
    for pixels in (load_image(path), load_squashed(path, 20), thumbnail(path, size=20)):
        assert colour(pixels, 0.1, 0.5) == WHITE
        assert colour(pixels, 0.9, 0.5) == BLACK


def test_a_palette_with_a_see_through_colour_lies_on_white(tmp_path: Path) -> None:
    path = tmp_path / "sign.gif"
    image = Image.new("P", (8, 8), 1)
    image.putpalette([255, 0, 0, 0, 0, 255])
    image.putpixel((0, 0), 0)
    image.save(path, transparency=0)
    pixels = load_image(path)
    assert colour(pixels, 0, 0) == WHITE
    assert colour(pixels, 0.9, 0.9) == BLUE


@pytest.mark.parametrize("mode", ["1", "L", "P"])
def test_few_colours_become_rgb(tmp_path: Path, mode: str) -> None:
    path = tmp_path / "plain.png"
    Image.fromarray(np.repeat(np.array([[0, 255]], dtype=np.uint8), 2, axis=0)).convert(mode).save(path)
    assert load_image(path)[0].tolist() == [[0, 0, 0], [255, 255, 255]]


@pytest.mark.parametrize("suffix", [".gif", ".webp", ".png", ".tif"])
def test_of_an_animation_the_first_picture_counts(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"moving{suffix}"
    frames = [Image.new("RGB", (12, 8), colour) for colour in (RED, GREEN, BLUE)]
    frames[0].save(path, save_all=True, append_images=frames[1:])
    assert is_close(colour(load_image(path), 0.5, 0.5), RED)


def test_a_wrong_extension_does_no_harm(tmp_path: Path) -> None:
    for name in ("really_png.jpg", "really_png.heic"):
        path = tmp_path / name
        Image.fromarray(quarters()).save(path, format="PNG")
        assert load_image(path).shape == (20, 40, 3)


def png_of(width: int, height: int) -> bytes:
    """A PNG that claims a size and holds next to nothing."""

    def chunk(name: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(100))) + chunk(b"IEND", b"")
    )


def jpeg_bytes(tmp_path: Path) -> bytes:
    path = tmp_path / "whole.jpg"
    Image.fromarray(photograph(200, 150)).save(path)
    return path.read_bytes()


@pytest.mark.parametrize(
    ("name", "content", "word"),
    [
        ("empty.jpg", b"", "empty"),
        ("letter.jpg", b"Dear Anna, here are the pictures.", "not a picture"),
        ("bomb.png", png_of(100_000, 100_000), "million pixels"),
        ("large.png", png_of(12_000, 12_000), "million pixels"),
        ("short.png", png_of(100, 100), "cut off"),
        ("phone.heic", b"\0\0\0\x18ftypheic", "damaged"),
        ("scan.dcm", bytes(128) + b"DICM", "DICOM"),
        ("phone.jpg", b"\0\0\0\x18ftypheic", "damaged"),
        ("scan.png", bytes(128) + b"DICM", "DICOM"),
    ],
)
def test_what_cannot_be_read_says_why(tmp_path: Path, name: str, content: bytes, word: str) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    assert_unreadable(path, word)


def float_tiff() -> bytes:
    """One pixel of three 32-bit numbers, as scientists save them: nothing is wrong with it."""
    places = {256: 1, 257: 1, 258: 20, 259: 1, 262: 2, 273: 8, 277: 3, 278: 1, 279: 12, 339: 26}
    entries = [struct.pack("<HHII", tag, 3, 3 if tag in (258, 339) else 1, value) for tag, value in places.items()]
    head = b"II*\0" + struct.pack("<I3f6H", 32, 0.1, 0.5, 0.9, 32, 32, 32, 3, 3, 3)
    return head + struct.pack("<H", len(entries)) + b"".join(entries) + bytes(4)


def test_a_whole_picture_in_colours_that_cannot_be_read_is_not_called_damaged(tmp_path: Path) -> None:
    path = tmp_path / "measured.tif"
    path.write_bytes(float_tiff())
    assert load_image(path)[0, 0] == pytest.approx([26, 128, 230], abs=1)
    deep = tmp_path / "deep.jpg"
    whole = jpeg_bytes(tmp_path)
    deep.write_bytes(whole.replace(b"\xff\xc0\x00\x11\x08", b"\xff\xc0\x00\x11\x0c"))  # 12 bits a colour
    assert_unreadable(deep, "The colours of this JPEG picture")
    deep.write_bytes(whole[:2] + b"\xff\xdb\x00\x09" + whole[2:])
    assert_unreadable(deep, "damaged")


@pytest.mark.parametrize("kept", [0.3, 0.9, 0.99])
def test_a_jpeg_that_was_cut_off_is_not_half_used(tmp_path: Path, kept: float) -> None:
    whole = jpeg_bytes(tmp_path)
    path = tmp_path / "cut.jpg"
    path.write_bytes(whole[: int(len(whole) * kept)])
    assert_unreadable(path, "cut off")


def test_a_picture_that_is_gone_says_so(tmp_path: Path) -> None:
    assert_unreadable(tmp_path / "gone.png", "no longer there")


def assert_unreadable(path: Path, word: str) -> None:
    for read in (load_image, image_facts, lambda p: load_squashed(p, 32), lambda p: thumbnail(p, size=32)):
        with pytest.raises(UnreadableError) as caught:
            read(path)
        message = english(caught.value.message)
        assert word in message
        assert message.endswith(".")
        assert path.name not in message
        assert str(path.parent) not in message


@pytest.mark.parametrize("size", [(1600, 1200), (500, 300), (64, 64), (1, 1), (3, 900)])
@pytest.mark.parametrize("suffix", [".jpg", ".png"])
def test_the_squashed_picture_shows_the_whole(tmp_path: Path, size: tuple[int, int], suffix: str) -> None:
    path = tmp_path / f"photo{suffix}"
    Image.fromarray(photograph(*size)).save(path)
    quick = load_squashed(path, 224)
    assert quick.shape == (224, 224, 3)
    assert np.array_equal(quick, load_squashed(path, 224))
    thorough = np.array(Image.fromarray(load_image(path)).resize((224, 224), Image.Resampling.BILINEAR))
    assert np.abs(quick.astype(int) - thorough).mean() < 2


def test_a_large_picture_in_odd_colours_is_squashed_like_any_other(tmp_path: Path) -> None:
    pixels = photograph(1000, 1300)
    Image.fromarray(pixels).save(tmp_path / "plain.png")
    Image.fromarray(pixels).convert("RGBA").save(tmp_path / "alpha.png")
    plain, alpha = (load_squashed(tmp_path / name, 96) for name in ("plain.png", "alpha.png"))
    assert np.abs(plain.astype(int) - alpha).max() <= 2
    assert thumbnail(tmp_path / "alpha.png", size=90).shape == thumbnail(tmp_path / "plain.png", size=90).shape


def test_a_thumbnail_keeps_the_aspect_and_is_never_enlarged(tmp_path: Path) -> None:
    path = tmp_path / "photo.jpg"
    Image.fromarray(photograph(1600, 1200)).save(path)
    assert thumbnail(path, size=160).shape == (120, 160, 3)
    Image.fromarray(photograph(20, 30)).save(path)
    assert thumbnail(path, size=160).shape == (30, 20, 3)


def test_many_threads_may_read_at_once_without_a_warning(tmp_path: Path) -> None:
    """Pillow warns of a palette with many see-through colours; here every warning is an error."""
    path = tmp_path / "palette.png"
    image = Image.fromarray(quarters()).quantize(4)
    image.save(path, transparency=bytes([0, 128, 255, 255]))
    with ThreadPoolExecutor(4) as pool:
        pictures = list(pool.map(lambda _: load_squashed(path, 16), range(40)))
    assert all(np.array_equal(picture, pictures[0]) for picture in pictures)


def test_suffixes_are_lower_case_with_a_dot() -> None:
    assert {".jpg", ".jpeg", ".png", ".tif", ".webp", ".heic"} <= IMAGE_SUFFIXES
    assert all(suffix == suffix.lower() and suffix.startswith(".") for suffix in IMAGE_SUFFIXES)
