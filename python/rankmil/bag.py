# SPDX-License-Identifier: Apache-2.0
"""Feature files: of rankmil, CLAM, TRIDENT, STAMP and the paper's code."""

from dataclasses import dataclass
from typing import Any, List, Optional, Tuple

import numpy as np

from rankmil._error import Catch, DataError, texts
from rankmil._native import ffi, lib
from rankmil._text import Path, path, text


@dataclass
class Bag:
    """One slide: K patches of D features. Arrays are NumPy's own: change them as you like."""

    features: np.ndarray
    """K × D, float32."""
    coords: Optional[np.ndarray] = None
    """K × 2, int64: top-left corners (x, y) in level-0 pixels; None: the patches have no places."""
    patch_labels: Optional[np.ndarray] = None
    """K, uint8: 1 where a patch is annotated; None: nobody says."""
    tissue: Optional[np.ndarray] = None
    """K, float32: share of tissue."""
    id: str = ""
    patch_size: float = 0
    """Pixels a side of a patch as its encoder saw it; 0: unknown."""
    patch_size_level0: float = 0
    """The same in level-0 pixels."""
    mpp: float = 0
    """µm per level-0 pixel; 0: unknown."""
    slide_size: Tuple[int, int] = (0, 0)
    """Width and height of level 0; 0: unknown."""
    source: Optional[str] = None
    """What made the features, as their file says."""

    def __len__(self) -> int:
        return len(self.features)


def _copy(pointer: Any, shape: Tuple[int, ...], kind: Any) -> Optional[np.ndarray]:
    if pointer == ffi.NULL:
        return None
    count = int(np.prod(shape)) * np.dtype(kind).itemsize
    return np.frombuffer(ffi.buffer(pointer, count), dtype=kind).reshape(shape).copy()


def read_bag(file: Path, *, mpp: float = 0, patch_labels: Optional[Path] = None) -> Bag:
    """Reads a feature file of any layout that rankmil knows.

    mpp: µm per level-0 pixel, for files that give micrometres (STAMP). patch_labels: a label file (HDF5 or .npy) that replaces the
    bag's own labels.
    """
    catch = Catch()
    bag = ffi.gc(catch(lib.rmil_bag_read(path(file), ffi.NULL, lib.RMIL_FLOAT32, lib.RMIL_BAG_ALL, catch.place)), lib.rmil_bag_free)
    lib.rmil_bag_set_mpp(bag, mpp)
    count, dim = bag.count, bag.dim
    labels = _copy(bag.patch_labels, (count,), np.uint8)
    if patch_labels is not None:
        labels = np.zeros(count, np.uint8)
        catch(lib.rmil_labels_read(path(patch_labels), count, ffi.cast("uint8_t *", labels.ctypes.data), catch.place))
    features = _copy(bag.features, (count, dim), np.float32) if dim else np.zeros((count, 0), np.float32)
    assert features is not None
    return Bag(
        features=features,
        coords=_copy(bag.coords, (count, 2), np.int64),
        patch_labels=labels,
        tissue=_copy(bag.tissue, (count,), np.float32),
        id=text(bag.id) or "",
        patch_size=bag.patch_size,
        patch_size_level0=bag.patch_size_level0,
        mpp=lib.rmil_bag_level0_mpp(bag),
        slide_size=(bag.slide_width, bag.slide_height),
        source=text(bag.source),
    )


def _array(keep: List[Any], values: Any, kind: Any, shape: Tuple[int, ...], name: str) -> Any:
    """The address of an array of this kind; what must outlive it goes into `keep`."""
    array = np.ascontiguousarray(values, dtype=kind)
    if array.shape != shape:
        raise ValueError(f"{name} has the shape {array.shape}, not {shape}")
    keep.append(array)
    return ffi.from_buffer("char[]", array.reshape(-1).view(np.uint8))


def as_struct(bag: Bag) -> Tuple[Any, List[Any]]:
    """An RmilBag over the arrays of a Bag, and what must be kept as long as it is used."""
    features = np.asarray(bag.features)
    if features.ndim != 2 or 0 in features.shape:
        raise ValueError(f"features are an array of patches × numbers, not of the shape {features.shape}")
    if not np.isfinite(features).all():
        patch, column = np.argwhere(~np.isfinite(features))[0]
        raise DataError(f"features: patch {patch}, column {column} is not a finite number")
    count, dim = features.shape
    keep: List[Any] = []
    struct = ffi.new("RmilBag *")
    struct.count, struct.dim, struct.precision = count, dim, lib.RMIL_FLOAT32
    struct.features = ffi.cast("void *", _array(keep, features, np.float32, (count, dim), "features"))
    if bag.coords is not None:
        struct.coords = ffi.cast("int64_t *", _array(keep, bag.coords, np.int64, (count, 2), "coords"))
    if bag.patch_labels is not None:
        struct.patch_labels = ffi.cast("uint8_t *", _array(keep, bag.patch_labels, np.uint8, (count,), "patch_labels"))
    if bag.tissue is not None:
        struct.tissue = ffi.cast("float *", _array(keep, bag.tissue, np.float32, (count,), "tissue"))
    struct.patch_size, struct.patch_size_level0, struct.mpp = bag.patch_size, bag.patch_size_level0, bag.mpp
    struct.slide_width, struct.slide_height = bag.slide_size
    for member, value in (("id", bag.id), ("source", bag.source)):
        if value:
            held = ffi.new("char[]", value.encode())
            keep.append(held)
            setattr(struct, member, held)
    return struct, keep


def layouts() -> List[str]:
    """The layouts that write_bag can write."""
    return texts(lib.rmil_bag_layouts())


def write_bag(bag: Bag, file: Path, *, layout: str = "rankmil", half: bool = False) -> None:
    """Writes a feature file, whole or not at all. half: features as float16."""
    struct, keep = as_struct(bag)
    catch = Catch()
    catch(lib.rmil_bag_write_as(struct, path(file), layout.encode(), half, catch.place))
    del keep
