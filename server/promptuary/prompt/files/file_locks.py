"""Locks of files between processes, where the system has them."""

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

CAN_LOCK = fcntl is not None
"""Whether the system has locks; without them, writers are not serialized."""


def lock(handle: int, *, wait: bool) -> None:
    """Lock an open file or folder for this process, until it is closed; where the system has no locks, do nothing.

    Args:
        handle: the file's descriptor.
        wait: whether to wait while another process has the lock.

    Raises:
        BlockingIOError: when another process has it, and this one is not to wait.
        OSError: when the file system has no locks.
    """
    if fcntl is not None:
        fcntl.flock(handle, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
