"""What can go wrong, as exceptions that fit Python's own."""
import concurrent.futures


class Error(Exception):
    """Of the recogniser; `code` is the name of its status, such as "DATA_LOSS"."""

    code = "UNKNOWN"


class InvalidArgument(Error, ValueError):
    code = "INVALID_ARGUMENT"


class NotFound(Error, FileNotFoundError):
    code = "NOT_FOUND"


class DeadlineExceeded(Error, TimeoutError):
    code = "DEADLINE_EXCEEDED"


class Cancelled(Error, concurrent.futures.CancelledError):
    code = "CANCELLED"


class ResourceExhausted(Error):
    code = "RESOURCE_EXHAUSTED"


_CLASSES = {1: Cancelled, 3: InvalidArgument, 4: DeadlineExceeded, 5: NotFound, 8: ResourceExhausted}
_NAMES = {2: "UNKNOWN", 6: "ALREADY_EXISTS", 7: "PERMISSION_DENIED", 9: "FAILED_PRECONDITION", 10: "ABORTED",
          11: "OUT_OF_RANGE", 12: "UNIMPLEMENTED", 13: "INTERNAL", 14: "UNAVAILABLE", 15: "DATA_LOSS"}


def from_status(code, message):
    if code in _CLASSES:
        return _CLASSES[code](message)
    error = Error(message)
    error.code = _NAMES.get(code, "UNKNOWN")
    return error


def raise_status(code, message):
    raise from_status(code, message)
