"""Other CPUs than this machine's, emulated."""

import shutil

# Neither AVX nor fused multiply-add; both.
NEHALEM, HASWELL = "Nehalem", "Haswell"


def emulated(cpu: str) -> list[str]:
    """What stands before a program's name so that it runs on that CPU."""
    emulator = shutil.which("qemu-x86_64")
    if emulator is None:
        raise RuntimeError("qemu-x86_64 is missing: make test-python installs it (Debian's package qemu-user)")
    return [emulator, "-cpu", cpu]
