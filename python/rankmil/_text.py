# SPDX-License-Identifier: Apache-2.0
"""Paths and texts to C and back."""

import os
from typing import Any, Optional, Union

from rankmil._native import ffi

Path = Union[str, "os.PathLike[str]"]


def path(value: Path) -> bytes:
    return os.fsencode(value)


def text(value: Any) -> Optional[str]:
    """None for NULL."""
    return None if value == ffi.NULL else ffi.string(value).decode("utf-8", "replace")
