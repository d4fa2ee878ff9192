# SPDX-License-Identifier: Apache-2.0
"""rankmil: slide classifiers whose attention follows pathologists' annotations.

    import rankmil
    outcome = rankmil.run_plan("comparison.yaml", "cohort.csv", "study", threads=4)
    frame = outcome.record.predictions()
    said = outcome.record.model(0).predict(rankmil.read_bag("slide.h5"))
"""

from rankmil._error import ArgumentError, DataError, FileError, FormatError, OutOfMemoryError, RankmilError, ResolutionError
from rankmil._native import ffi as _ffi
from rankmil._native import lib as _lib
from rankmil.bag import Bag, layouts, read_bag, write_bag
from rankmil.model import Model, Prediction, predict
from rankmil.plan import Outcome, run_plan
from rankmil.record import Record
from rankmil.slide import Slide

__version__ = _ffi.string(_lib.rmil_version()).decode()


def methods() -> "list[str]":
    """Names of all methods: "abmil", "rank" …"""
    count = _ffi.new("size_t *")
    first = _lib.rmil_methods(count)
    return [_ffi.string(first[i].name).decode() for i in range(count[0])]


__all__ = [
    "ArgumentError", "Bag", "DataError", "FileError", "FormatError", "Model", "Outcome", "OutOfMemoryError", "Prediction", "RankmilError",
    "Record", "ResolutionError", "Slide", "__version__", "layouts", "methods", "predict", "read_bag", "run_plan", "write_bag",
]
