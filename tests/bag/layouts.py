# SPDX-License-Identifier: Apache-2.0
"""Feature files as the tools themselves write and read them, with h5py and PyTorch.

    layouts.py write FOLDER [PATCHES]   trident.h5, clam.h5, clam/{h5_files,pt_files}/slide, stamp.h5, patches.h5 …
    layouts.py check FOLDER             what rankmil has made of trident.h5 is, read as each tool reads it, the same

tests/cli/test-cli-convert.c calls it where RMIL_PEER_PYTHON names a Python with h5py and PyTorch; with 20000 patches it
makes the large files for timing."""
import os
import sys

import h5py
import numpy as np
import torch

DIM = 1024
PATCH = 448


def content(count):
    rng = np.random.default_rng(0)
    features = rng.standard_normal((count, DIM), dtype=np.float32)
    coords = np.stack([np.arange(count) % 150, np.arange(count) // 150], 1).astype(np.int64) * PATCH
    return features, coords


def append_by_rows(path, assets, attributes):
    """CLAM's and TRIDENT's way: chunks of one row, rows without limit."""
    with h5py.File(path, "w") as file:
        for name, values in assets.items():
            data = file.create_dataset(name, shape=values.shape, maxshape=(None,) + values.shape[1:],
                                       chunks=(1,) + values.shape[1:], dtype=values.dtype)
            data[:] = values
            for key, value in attributes.get(name, {}).items():
                data.attrs[key] = value


def write(folder, count):
    os.makedirs(f"{folder}/clam/h5_files", exist_ok=True)
    os.makedirs(f"{folder}/clam/pt_files", exist_ok=True)
    features, coords = content(count)
    append_by_rows(f"{folder}/trident.h5", {"features": features, "coords": coords},
                   {"coords": {"patch_size": 224, "patch_size_level0": PATCH, "level0_magnification": 40,
                               "target_magnification": 20, "overlap": 0, "name": "trident", "savetodir": folder,
                               "level0_width": 70000, "level0_height": 61000}})
    append_by_rows(f"{folder}/clam.h5", {"features": features, "coords": coords.astype(np.int32)}, {})
    append_by_rows(f"{folder}/clam/h5_files/slide.h5", {"features": features, "coords": coords}, {})
    torch.save(torch.from_numpy(features), f"{folder}/clam/pt_files/slide.pt")
    torch.save(torch.from_numpy(features), f"{folder}/legacy.pt", _use_new_zipfile_serialization=False)
    torch.save({"features": torch.from_numpy(features).half(), "coords": torch.from_numpy(coords)}, f"{folder}/dictionary.pt")
    with h5py.File(f"{folder}/one_bag_axis.h5", "w") as file:
        file["features"] = features[None]
        file["coords"] = coords[None]
    with h5py.File(f"{folder}/stamp.h5", "w") as file:
        file["coords"] = (coords / PATCH * 256).astype(np.float32)
        file["feats"] = features
        file.attrs.update(stamp_version="2.3.0", extractor="ctranspath", unit="um", tile_size_um=256.0, tile_size_px=224,
                          feat_type="tile")
    with h5py.File(f"{folder}/patches.h5", "w") as file:
        for i in range(min(count, 10000)):
            column, row = (int(x) for x in coords[i] // PATCH)
            data = file.create_dataset(f"{column}_{row}", data=features[i], compression="gzip")
            data.attrs.update(col=column, row=row, x_min=column * PATCH, y_min=row * PATCH, x_max=column * PATCH + PATCH,
                              y_max=row * PATCH + PATCH)
    np.save(f"{folder}/labels.npy", (np.arange(count) % 7 == 0).astype(np.float32))


def check(folder):
    with h5py.File(f"{folder}/trident.h5", "r") as file:
        features, coords = file["features"][:], file["coords"][:]
    same = lambda a, b: a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()
    tensor = torch.load(f"{folder}/to_clam/pt_files/trident.pt", weights_only=True)
    assert same(tensor.numpy(), features), "CLAM's tensor"
    with h5py.File(f"{folder}/to_clam/h5_files/trident.h5", "r") as file:
        assert same(file["features"][:], features) and same(file["coords"][:], coords), "CLAM's h5"
    with h5py.File(f"{folder}/to_trident/trident.h5", "r") as file:
        attrs = file["coords"].attrs
        assert same(file["features"][:], features) and same(file["coords"][:], coords), "TRIDENT's arrays"
        assert attrs["patch_size_level0"] == PATCH and attrs["target_magnification"] == 20 and attrs["level0_magnification"] == 40
        assert attrs["level0_width"] == 70000 and attrs["level0_height"] == 61000 and attrs["name"] == "trident"
    with h5py.File(f"{folder}/to_stamp/trident.h5", "r") as file:
        assert same(file["feats"][:], features), "STAMP's features"
        assert file.attrs["unit"] == "um" and file.attrs["stamp_version"] == "2.0.0" and file.attrs["feat_type"] == "tile"
        assert abs(file.attrs["tile_size_um"] - PATCH * 0.25) < 1e-9 and file.attrs["tile_size_px"] == 224
        assert np.abs(file["coords"][:] - coords * 0.25).max() < 0.01, "STAMP's coordinates"
    print("the same")


if __name__ == "__main__":
    if sys.argv[1] == "write":
        write(sys.argv[2], int(sys.argv[3]) if len(sys.argv) > 3 else 20000)
    else:
        check(sys.argv[2])
