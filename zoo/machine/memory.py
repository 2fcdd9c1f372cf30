"""How much memory is left."""

import os
from pathlib import Path

NO_LIMIT = 2**62
# Files of a control group, of its second and first version: limit, use, and the field of the
# statistics that counts files which the kernel remembers.
GROUPS = (
    ("/sys/fs/cgroup/memory.", "max", "current", "inactive_file"),
    ("/sys/fs/cgroup/memory/memory.", "limit_in_bytes", "usage_in_bytes", "total_inactive_file"),
)


def available_memory() -> int | None:
    """Return the bytes of memory that this process can still take; None where nothing is known.

    On Linux that is what the kernel calls available, or what the control group leaves if that is
    less; elsewhere half of the memory of the machine.
    """
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
        known = {line.split(":")[0]: int(line.split()[1]) * 1024 for line in lines}
        return min(known["MemAvailable"], _left_by_control_group())
    except (OSError, KeyError):
        pass
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2
    except (AttributeError, ValueError, OSError):  # Windows has no sysconf
        return None


def too_much(needed: int) -> str:
    """Return why so many bytes cannot be taken, or nothing where they can.

    Args:
        needed: Bytes of memory.
    """
    left = available_memory()
    if left is None or needed <= left:
        return ""
    return f"takes {needed / 1e9:.2f} GB of memory, and {left / 1e9:.2f} GB are left"


def _left_by_control_group() -> int:
    """Return what a container may still take; a very large number where there is no limit."""
    for memory, limit, used, cache in GROUPS:
        try:
            left = int(Path(memory + limit).read_text()) - int(Path(memory + used).read_text())
            lines = Path(f"{memory}stat").read_text().splitlines()
            # files that the kernel remembers count as used, and are dropped when memory is short
            return left + int(dict(line.split() for line in lines)[cache])
        except (OSError, ValueError, KeyError):  # no such file, or the word "max": no limit
            continue
    return NO_LIMIT
