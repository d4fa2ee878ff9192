# SPDX-License-Identifier: Apache-2.0
"""Errors of the library as exceptions."""

from typing import Any, List

from rankmil._native import ffi, lib


class RankmilError(Exception):
    """What the library refuses or cannot do. The message names the file, the place and the reason."""


class FileError(RankmilError, OSError):
    """A file cannot be opened, read or written."""


class FormatError(RankmilError, ValueError):
    """A file's content is broken, or not of the kind expected."""


class ArgumentError(RankmilError, ValueError):
    """An option or argument outside what is accepted."""


class DataError(RankmilError, ValueError):
    """Well-formed input that cannot be worked with: no tissue, one class only, NaN among features."""


class ResolutionError(DataError):
    """A slide's µm per pixel is not known."""


class OutOfMemoryError(RankmilError, MemoryError):
    """A budget or the machine's memory does not suffice."""


_KINDS = {
    lib.RMIL_ERROR_IO: FileError,
    lib.RMIL_ERROR_FORMAT: FormatError,
    lib.RMIL_ERROR_ARGUMENT: ArgumentError,
    lib.RMIL_ERROR_DATA: DataError,
    lib.RMIL_ERROR_RESOLUTION: ResolutionError,
    lib.RMIL_ERROR_MEMORY: OutOfMemoryError,
}


class Catch:
    """A GError ** for one call: catch(lib.rmil_…(…, catch.place)) gives the call's result, or raises."""

    def __init__(self) -> None:
        self.place: Any = ffi.new("GError **")

    def __call__(self, result: Any) -> Any:
        error = self.place[0]
        if error == ffi.NULL:
            return result
        kind, message = _KINDS.get(error.code, RankmilError), ffi.string(error.message).decode("utf-8", "replace")
        lib.g_error_free(error)
        self.place[0] = ffi.NULL
        raise kind(message)


def texts(array: Any) -> List[str]:
    """A NULL-terminated array of C strings."""
    out: List[str] = []
    while array != ffi.NULL and array[len(out)] != ffi.NULL:
        out.append(ffi.string(array[len(out)]).decode("utf-8", "replace"))
    return out
