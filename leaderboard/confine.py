"""Confine a process that looks at a stranger's file: memory, time, file sizes, network, writing.

The standard library alone is used, so that the process can be confined before anything else is
imported. What the kernel or its owner does not permit is left out; `confine` says what holds.
"""

import ctypes
import json
import os
import resource
import struct
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

GRACE = 5  # seconds of processor time between being told to end and being ended
NEW_NET, NEW_USER = 0x40000000, 0x10000000
NO_NEW_PRIVILEGES, SECCOMP, FILTER = 38, 22, 2
# Number of the call, by machine: socket, socketpair, io_uring_setup (which can open sockets, too).
SOCKET_CALLS = {"x86_64": (41, 53, 425), "aarch64": (198, 199, 425)}
AUDIT_ARCH = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
FOREIGN_CALLS = 0x40000000  # numbers from here on are those of another interface of x86_64
LOAD, IF_EQUAL, IF_ABOVE, RETURN = 0x20, 0x15, 0x35, 0x06  # of the kernel's packet filter
ALLOW, REFUSE = 0x7FFF0000, 0x00050001  # the latter with EPERM
CREATE_RULESET, ADD_RULE, RESTRICT_SELF = 444, 445, 446  # Landlock, on every machine
WRITE_FILE, TRUNCATE = 1 << 1, 1 << 14
# Write, remove and make files of any kind; then move them elsewhere; then cut them short.
WRITING = ((1, WRITE_FILE | sum(1 << bit for bit in range(4, 13))), (2, 1 << 13), (3, TRUNCATE))


def confine(
    memory: int, cpu: int, file_size: int, writable: Sequence[str], refuse: str = ""
) -> list[str]:
    """Confine this process and all that it starts, for good. Call it before there are threads.

    Args:
        memory: bytes of address space.
        cpu: seconds of processor time.
        file_size: bytes of any file that is written.
        writable: folders in which files may be written.
        refuse: names of means to do without, for tests of what takes their place.

    Returns:
        What holds: "limits" (or "limits but of memory"), one of "network namespace", "network
        filter" and "network hook", and "landlock" where writing is confined to the folders.
    """
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (file_size, file_size))
    # The softer limit has a signal of its own, by which its reason can be told.
    resource.setrlimit(resource.RLIMIT_CPU, (cpu, cpu + GRACE))
    libc = ctypes.CDLL(None, use_errno=True)
    held = ["limits"]
    try:
        resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    except (OSError, ValueError):  # macOS has no such limit
        held = ["limits but of memory"]
    means = {"network namespace": own_network, "network filter": without_sockets}
    for name, apply in means.items():
        if name not in refuse and apply(libc):
            held.append(name)
            break
    else:
        sys.addaudithook(refuse_sockets)
        held.append("network hook")
    if "landlock" not in refuse and confine_writing(libc, writable):
        held.append("landlock")
    return held


def own_network(libc: ctypes.CDLL) -> bool:
    """Move into a network of one's own, which is connected to nothing; return whether it worked."""
    if not hasattr(libc, "unshare"):
        return False
    if libc.unshare(NEW_NET) == 0:
        return True
    user, group = os.getuid(), os.getgid()
    if libc.unshare(NEW_USER | NEW_NET) != 0:
        return False
    with suppress(OSError):  # names for the ids; nothing depends on them
        Path("/proc/self/setgroups").write_text("deny")
        Path("/proc/self/uid_map").write_text(f"{user} {user} 1")
        Path("/proc/self/gid_map").write_text(f"{group} {group} 1")
    return True


def without_sockets(libc: ctypes.CDLL) -> bool:
    """Have the kernel refuse to open sockets; return whether it will."""
    machine = os.uname().machine
    if sys.platform != "linux" or machine not in SOCKET_CALLS:
        return False
    calls = SOCKET_CALLS[machine]
    last = len(calls) + 5  # the step that refuses; jumps are counted from the step after them
    program = [
        (LOAD, 0, 0, 4),  # the machine
        (IF_EQUAL, 0, last - 2, AUDIT_ARCH[machine]),
        (LOAD, 0, 0, 0),  # the number of the call
        (IF_ABOVE, last - 4, 0, FOREIGN_CALLS),
        *((IF_EQUAL, last - 5 - n, 0, call) for n, call in enumerate(calls)),
        (RETURN, 0, 0, ALLOW),
        (RETURN, 0, 0, REFUSE),
    ]
    code = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *step) for step in program))
    header = struct.pack("HxxxxxxP", len(program), ctypes.addressof(code))
    return (
        libc.prctl(NO_NEW_PRIVILEGES, 1, 0, 0, 0) == 0
        and libc.prctl(SECCOMP, FILTER, ctypes.create_string_buffer(header), 0, 0) == 0
    )


def refuse_sockets(event: str, arguments: tuple[object, ...]) -> None:
    """Refuse sockets to Python code, where the kernel cannot be asked to."""
    if event.startswith("socket."):
        raise PermissionError("there is no network here")


def confine_writing(libc: ctypes.CDLL, writable: Sequence[str]) -> bool:
    """Have the kernel refuse to change files outside some folders; return whether it will."""
    if sys.platform != "linux":
        return False
    version = libc.syscall(CREATE_RULESET, None, 0, 1)
    rights = sum(bits for since, bits in WRITING if version >= since)
    if not rights:
        return False
    rules = libc.syscall(CREATE_RULESET, struct.pack("Q", rights), 8, 0)
    if rules < 0:
        return False
    for path in (*writable, os.devnull):
        allowed = rights if os.path.isdir(path) else rights & (WRITE_FILE | TRUNCATE)
        handle = os.open(path, os.O_PATH)
        added = libc.syscall(ADD_RULE, rules, 1, struct.pack("=Qi", allowed, handle), 0)
        os.close(handle)
        if added != 0:
            return False
    return (
        libc.prctl(NO_NEW_PRIVILEGES, 1, 0, 0, 0) == 0
        and libc.syscall(RESTRICT_SELF, rules, 0) == 0
    )


def main(folder: str) -> None:
    """Confine this process as ``request.json`` in a folder says, and evaluate the agent there."""
    request = json.loads(Path(folder, "request.json").read_text(encoding="utf-8"))
    held = confine(**request.pop("limits"), writable=[folder])
    from mesabench.leaderboard.judge import serve

    serve(Path(folder), request, held)


if __name__ == "__main__":
    main(*sys.argv[1:])
