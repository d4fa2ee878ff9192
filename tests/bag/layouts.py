"""Writes the feature files that tests/bag/test_layouts.c makes in C once more with h5py, as the tools themselves do, and
large ones for timing. Development only: python3 layouts.py FOLDER; needs h5py and numpy."""
import os
import sys

import h5py
import numpy as np


def append_by_rows(path, assets, attributes):
    """CLAM's and TRIDENT's way: chunks of one row, rows without limit."""
    with h5py.File(path, "w") as file:
        for name, values in assets.items():
            data = file.create_dataset(name, shape=values.shape, maxshape=(None,) + values.shape[1:],
                                       chunks=(1,) + values.shape[1:], dtype=values.dtype)
            data[:] = values
            for key, value in attributes.get(name, {}).items():
                data.attrs[key] = value


def main(folder):
    os.makedirs(folder, exist_ok=True)
    rng = np.random.default_rng(0)
    count, dim = 20000, 1024
    features = rng.standard_normal((count, dim), dtype=np.float32)
    coords = np.stack([np.arange(count) % 150, np.arange(count) // 150], 1).astype(np.int64) * 448
    append_by_rows(f"{folder}/trident.h5", {"features": features, "coords": coords},
                   {"coords": {"patch_size": 224, "patch_size_level0": 448, "level0_magnification": 40,
                               "target_magnification": 20, "overlap": 0, "name": "trident", "savetodir": folder,
                               "level0_width": 70000, "level0_height": 61000}})
    append_by_rows(f"{folder}/clam.h5", {"features": features, "coords": coords.astype(np.int32)}, {})
    with h5py.File(f"{folder}/one_bag_axis.h5", "w") as file:
        file["features"] = features[None]
        file["coords"] = coords[None]
    with h5py.File(f"{folder}/stamp.h5", "w") as file:
        file["coords"] = (coords / 448 * 256).astype(np.float32)
        file["feats"] = features.astype(np.float16)
        file.attrs.update(stamp_version="2.3.0", extractor="ctranspath", unit="um", tile_size_um=256.0, tile_size_px=224,
                          feat_type="tile")
    with h5py.File(f"{folder}/patches.h5", "w") as file:
        for i in range(10000):
            column, row = (int(x) for x in coords[i] // 448)
            data = file.create_dataset(f"{column}_{row}", data=features[i], compression="gzip")
            data.attrs.update(col=column, row=row, x_min=column * 448, y_min=row * 448, x_max=column * 448 + 448,
                              y_max=row * 448 + 448)
    np.save(f"{folder}/labels.npy", (np.arange(count) % 7 == 0).astype(np.float32))


if __name__ == "__main__":
    main(sys.argv[1])
