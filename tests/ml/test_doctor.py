"""What the doctor finds, and the one command it names."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from ml import doctor

EGL = next(library for library in doctor.SYSTEM_LIBRARIES if library.file == "libEGL.so.1")
PULSE = next(library for library in doctor.SYSTEM_LIBRARIES if library.file == "libpulse.so.0")


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux takes Qt's libraries from the system")
def test_only_libraries_that_cannot_be_loaded_are_missing() -> None:
    there = doctor.SystemLibrary(file="libc.so.6", purpose="tests", packages=EGL.packages)
    absent = doctor.SystemLibrary(file="libhandlens-absent.so.9", purpose="tests", packages=EGL.packages)
    assert doctor.missing_libraries([there, absent]) == (absent,)


@pytest.mark.parametrize(
    ("text", "manager"),
    [
        ('ID=debian\nNAME="Debian"', "apt-get"),
        ("ID=linuxmint\nID_LIKE='ubuntu debian'", "apt-get"),
        ("ID=fedora", "dnf"),
        ('ID="rocky"\nID_LIKE="rhel centos fedora"', "dnf"),
        ("ID=manjaro\nID_LIKE=arch", "pacman"),
        ('ID="opensuse-leap"\nID_LIKE="suse opensuse"', "zypper"),
        ("ID=something", None),
    ],
)
def test_the_package_manager_is_known_by_the_distribution(tmp_path: Path, text: str, manager: str | None) -> None:
    release = tmp_path / "os-release"
    release.write_text(text, encoding="utf-8")
    assert doctor.package_manager(release) == manager
    assert doctor.package_manager(tmp_path / "absent") is None


def test_one_command_installs_everything_that_is_missing() -> None:
    command = doctor.install_command((PULSE, EGL, PULSE), "apt-get")
    assert command.endswith("apt-get install -y libegl1 libpulse0")
    assert doctor.install_command((), "apt-get") == ""
    assert doctor.install_command((EGL,), None) == ""


def test_every_library_has_a_package_everywhere() -> None:
    for library in doctor.SYSTEM_LIBRARIES:
        assert set(library.packages) == {"apt-get", "dnf", "pacman", "zypper"}
        assert all(library.packages.values())


def test_the_pretrained_network_is_checked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    good, words = doctor.weights()
    assert good, words
    package = tmp_path / "harmed_weights"
    (package / "models").mkdir(parents=True)
    (package / "__init__.py").touch()
    (package / "models" / "network.pth").write_bytes(b"harmed")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(doctor, "WEIGHTS_PACKAGE", "harmed_weights")
    good, words = doctor.weights()
    assert not good
    assert "damaged" in str(words)
    monkeypatch.setattr(doctor, "WEIGHTS_PACKAGE", "not_there_at_all")
    assert doctor.weights()[0] is False


def test_the_names_of_packages_need_nothing_installed() -> None:
    """The continuous integration asks before anything is installed."""
    command = [sys.executable, "-S", "-m", "ml.doctor"]
    done = subprocess.run(command, cwd=Path(doctor.__file__).parents[1], capture_output=True, text=True, check=True)
    missing = doctor.package_names(doctor.missing_libraries(), doctor.package_manager() or "apt-get")
    assert done.stdout.split() == list(missing)
