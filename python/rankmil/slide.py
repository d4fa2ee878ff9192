# SPDX-License-Identifier: Apache-2.0
"""Slides and plain images."""

from typing import List, Tuple

import numpy as np

from rankmil._error import Catch, texts
from rankmil._native import ffi, lib
from rankmil._text import Path, path, text


class Slide:
    """A whole-slide image that OpenSlide reads, or a plain image. Any number of threads may read it at once."""

    def __init__(self, file: Path, *, mpp: float = 0) -> None:
        """mpp: µm per level-0 pixel, where the file does not say it or is wrong."""
        catch = Catch()
        self._slide = ffi.gc(catch(lib.rmil_slide_open(path(file), mpp, catch.place)), lib.rmil_slide_free)
        self._info = lib.rmil_slide_info(self._slide)

    @property
    def size(self) -> Tuple[int, int]:
        """Width and height of level 0."""
        return self._info.width, self._info.height

    @property
    def bounds(self) -> Tuple[int, int, int, int]:
        """The scanned area: x, y, width, height in level-0 pixels."""
        return self._info.bounds_x, self._info.bounds_y, self._info.bounds_width, self._info.bounds_height

    @property
    def mpp(self) -> float:
        """µm per level-0 pixel; 0 for a plain image that does not say it."""
        return float(self._info.mpp)

    @property
    def format(self) -> str:
        return text(self._info.format) or ""

    @property
    def warnings(self) -> List[str]:
        """What is doubtful about it."""
        return texts(self._info.warnings)

    def read(self, x: float, y: float, width: int, height: int, *, downsample: float = 1) -> np.ndarray:
        """height × width × 3 bytes of RGB, from level-0 pixel (x, y) on, `downsample` level-0 pixels for each."""
        if width < 1 or height < 1:
            raise ValueError(f"a picture of {width} × {height} pixels is none")
        rgb = np.zeros((height, width, 3), np.uint8)
        catch = Catch()
        catch(lib.rmil_slide_read(self._slide, x, y, downsample, width, height, ffi.cast("uint8_t *", rgb.ctypes.data), catch.place))
        return rgb

    def thumbnail(self, side: int = 1024) -> np.ndarray:
        """The whole of it, at most `side` pixels a side."""
        width, height = self.size
        downsample = max(width, height, side) / side
        return self.read(0, 0, max(1, int(width / downsample)), max(1, int(height / downsample)), downsample=downsample)
