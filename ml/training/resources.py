"""Whether disk and memory suffice for a run."""

from __future__ import annotations

import contextlib
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil

from ml.core.errors import HandlensError
from ml.core.messages import Message, english, msg

if sys.platform != "win32":
    import resource

DISK_RESERVE = 20 * 2**20
"""Disk space for the database, tables and other small files."""
PROBE_COPIES = 3
"""Copies of the training embeddings while the probe is fitted."""


def check_disk(needs: dict[str, int], folder: Path) -> None:
    """Raise HandlensError if the disk of `folder` is too small for `needs`."""
    needed, free = sum(needs.values()) + DISK_RESERVE, shutil.disk_usage(folder).free
    if needed > free:
        raise HandlensError(
            msg(
                "This training needs about {needed} of disk space, but only {free} are free at {folder}. "
                "Free some space, or move the project to a larger disk.",
                needed=in_bytes_unit(needed),
                free=in_bytes_unit(free),
                folder=str(folder),
            ),
            details="\n".join(f"{what}: {english(in_bytes_unit(number))}" for what, number in needs.items()),
        )


CGROUPS = Path("/sys/fs/cgroup")


def available_memory() -> int:
    """Return the bytes that this process can still allocate, by the machine and by its container."""
    system = int(psutil.virtual_memory().available) + int(psutil.swap_memory().free)
    return min([system, *_container_memory(), *_address_space()])


def _address_space() -> Iterator[int]:
    """Yield what a limit of the address space (`ulimit -v`) leaves, if there is one."""
    if sys.platform == "win32":
        return
    limit, _hard = resource.getrlimit(resource.RLIMIT_AS)
    if limit != resource.RLIM_INFINITY:
        yield max(0, limit - int(psutil.Process().memory_info().vms))


def _container_memory() -> Iterator[int]:
    """Yield the free memory within a container's limit (cgroup version 2 or 1), if there is one.

    The file cache counts as used there, but is released when memory is needed.
    """
    files = (
        (CGROUPS / "memory.max", CGROUPS / "memory.current", "inactive_file"),
        (
            CGROUPS / "memory" / "memory.limit_in_bytes",
            CGROUPS / "memory" / "memory.usage_in_bytes",
            "total_inactive_file",
        ),
    )
    for limit, usage, pages in files:
        with contextlib.suppress(OSError, ValueError):  # no such limit: "max", or no such file
            most, used = (int(path.read_text(encoding="ascii")) for path in (limit, usage))
            facts = dict(line.split() for line in (usage.parent / "memory.stat").read_text("ascii").splitlines())
            yield max(0, most - used + min(used, int(facts.get(pages, 0))))


def in_bytes_unit(number: float) -> Message:
    """Return bytes in GB or MB."""
    return msg("{n:.1f} GB", n=number / 1e9) if number >= 1e9 else msg("{n:.0f} MB", n=number / 1e6)
