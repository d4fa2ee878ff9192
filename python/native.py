# SPDX-License-Identifier: Apache-2.0
"""Writes the C source of rankmil._native: native.py DECLARATIONS OUT.c"""
import sys

import cffi

declarations, out = sys.argv[1:]
ffi = cffi.FFI()
with open(declarations, encoding="utf-8") as file:
    ffi.cdef(file.read())
ffi.set_source("rankmil._native", "#include <rankmil/rankmil.h>\n")
ffi.emit_c_code(out)
