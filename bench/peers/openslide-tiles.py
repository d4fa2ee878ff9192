# SPDX-License-Identifier: Apache-2.0
"""Tiles of 224 px a side, one by one, with openslide-python as pipelines in Python read them: read_region of the best level, RGB, resized.

    openslide-tiles.py SLIDE DOWNSAMPLE
"""
import sys
import time

import numpy
import openslide

SIDE = 224
path, downsample = sys.argv[1], float(sys.argv[2])
slide = openslide.OpenSlide(path)
level = slide.get_best_level_for_downsample(downsample * 1.01)
side = round(SIDE * downsample / slide.level_downsamples[level])
step = round(SIDE * downsample)
columns, rows = slide.dimensions[0] // step, slide.dimensions[1] // step
places = [(x * step, y * step) for y in range(rows) for x in range(columns)][:600]
wall, cpu = time.perf_counter(), time.process_time()
for place in places:
    tile = slide.read_region(place, level, (side, side)).convert("RGB")
    if side != SIDE:
        tile = tile.resize((SIDE, SIDE))
    numpy.asarray(tile)
wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
print(f"openslide-python {openslide.__version__}, one thread, downsample {downsample:g}: {len(places) / wall:.0f} tiles/s, "
      f"{1e3 * cpu / len(places):.2f} ms of processor a tile")
