"""This process gives up what it can do to the machine: no new file, connection or process, no way back.

On Linux (x86-64, ARM64) the kernel then answers only the calls that computing and the open pipes need. Elsewhere only
limits are set: no new file or connection can be opened, and no file can grow.
"""

from __future__ import annotations

import ctypes
import errno
import platform
import resource
import struct
import sys

# fmt: off
_X86 = (
    0, 1, 3, 5, 8, 9, 10, 11, 12, 13, 14, 15, 24, 25, 28, 39, 60, 96, 186, 202, 204, 228, 231, 262, 318,
)
_ARM = (
    63, 64, 57, 80, 62, 222, 226, 215, 214, 134, 135, 139, 124, 216, 233, 172, 93, 169, 178, 98, 123, 113, 94, 79, 278,
)
# fmt: on
_CALLS = {"x86_64": (0xC000003E, _X86), "aarch64": (0xC00000B7, _ARM)}
"""By machine: its mark, and read, write, close, fstat, lseek, mmap, mprotect, munmap, brk, the three of signals,
sched_yield, mremap, madvise, getpid, exit, gettimeofday, gettid, futex, sched_getaffinity, clock_gettime, exit_group,
newfstatat, getrandom."""

_LOAD, _EQUAL, _RETURN = 0x20, 0x15, 0x06
_ALLOW, _REFUSE = 0x7FFF0000, 0x00050000 | errno.EPERM
_NO_NEW_RIGHTS, _SECCOMP, _FILTER = 38, 22, 2


def lock() -> str:
    """Do it, and say in words how far it goes. Raises OSError where the kernel refuses."""
    sys.stdout.flush()
    for limit in (resource.RLIMIT_NOFILE, resource.RLIMIT_FSIZE, resource.RLIMIT_CORE):
        resource.setrlimit(limit, (0, 0))
    machine = platform.machine()
    if not sys.platform.startswith("linux") or machine not in _CALLS:
        return "limits only: no new file or connection"
    mark, calls = _CALLS[machine]
    steps = [(_LOAD, 0, 0, 4), (_EQUAL, 1, 0, mark), (_RETURN, 0, 0, _REFUSE), (_LOAD, 0, 0, 0)]
    steps += [(_EQUAL, len(calls) - place, 0, call) for place, call in enumerate(calls)]
    steps += [(_RETURN, 0, 0, _REFUSE), (_RETURN, 0, 0, _ALLOW)]
    code = ctypes.create_string_buffer(b"".join(struct.pack("<HBBI", *step) for step in steps))
    program = ctypes.create_string_buffer(struct.pack("@HxxxxxxP", len(steps), ctypes.addressof(code)))
    libc = ctypes.CDLL(None, use_errno=True)
    for order in ((_NO_NEW_RIGHTS, 1, 0, 0, 0), (_SECCOMP, _FILTER, ctypes.addressof(program), 0, 0)):
        if libc.prctl(*(ctypes.c_ulong(part) for part in order)):
            raise OSError(ctypes.get_errno(), "the kernel did not lock this process; convert on another machine")
    return "the kernel refuses files, connections and processes"
