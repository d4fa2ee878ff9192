# SPDX-License-Identifier: Apache-2.0
"""The seeds of fuzz/corpus, which are kept in the tree; what was found lies beside them. Needs h5py, NumPy, Pillow and PyTorch.

    fuzz/seeds.py build/cli/rankmil

partial/rows, what a writer left that was killed, was kept by hand."""
import io
import os
import sqlite3
import struct
import subprocess
import sys
import tempfile
import zipfile

import h5py
import numpy as np
import torch
from PIL import Image

HOME = os.path.dirname(os.path.abspath(__file__))
CORPUS = os.path.join(HOME, "corpus")
rankmil = os.path.abspath(sys.argv[1])


def put(reader, name, content):
    os.makedirs(f"{CORPUS}/{reader}", exist_ok=True)
    with open(f"{CORPUS}/{reader}/{name}", "wb") as file:
        file.write(content.encode() if isinstance(content, str) else content)


def copy(reader, name, path):
    with open(path, "rb") as file:
        put(reader, name, file.read())


def tables():
    put("cohort", "plain.csv", "slide,label,annotation,patient,split\n" + "".join(
        f"s/t{i}.tif,{i % 2},{'a/t%d.xml' % i if i % 2 else ''},p{i // 2},{'test' if i > 11 else ''}\n" for i in range(14)))
    put("cohort", "words.csv", "\ufeffid;features;Label;site;mpp\r\n" + "".join(
        f'"a ""{i}""";f/{i}.h5;{["normal", "LUAD", "LUSC"][i % 3]};s{i % 4};0.25\r\n' for i in range(12)))
    put("cohort", "survival.csv", "id\tslide\ttime\tevent\n" + "".join(f"x{i}\tx{i}.svs\t{1.5 * i + 1}\t{i % 2}\n" for i in range(12)))
    put("cohort", "number.csv", "slide,value,tissue,patch_labels\n" + "".join(f"{i}.ndpi,{i * 0.1},t{i}.png,l{i}.npy\n" for i in range(6)))
    put("splits", "table.csv", "id,first,fold-2\n" + "".join(
        f"s{i},{['train', 'train', 'val', 'test'][i // 2 % 4]},{['test', 'train', 'val', ''][i // 2 % 4]}\n" for i in range(12)))
    put("splits", "clam.csv", ",train,val,test\n0,s0,s4,s8\n1,s1,s5,s9\n2,s2,,\n3,s3,,\n")
    put("splits", "bool.csv", ",train,val,test\n" + "".join(f"s{i},{i < 8},{8 <= i < 10},{i >= 10}\n" for i in range(12)))
    put("predictions", "two.csv", "id,split,label,probability,logit\na,test,1,0.75,1.098612\nb,val,0,0.25,-1.098612\nc,train,,0.5,0\n")
    put("predictions", "classes.csv", "id,patient,split,label,predicted,p_normal,p_LUAD,p_LUSC\na,p,test,LUAD,LUAD,0.1,0.8,0.1\n")
    put("predictions", "survival.csv", "id,split,time,event,risk,S(1),S(2.5)\na,test,3,1,0.25,0.9,0.4\nb,test,1,0,-1,0.99,0.8\n")
    put("predictions", "number.csv", "id,split,value,predicted\na,test,3,2.5\nb,,,1e3\n")


def plans():
    folder = f"{HOME}/../studies"
    for name in os.listdir(folder):
        copy("plan", name, f"{folder}/{name}")
    put("plan", "grid.yaml", "study: comparison\nmethods: [abmil, rank]\nreference: rank\nseeds: [0, 3]\nvary: [dropout, sigma]\n"
        "values: {dropout: [0, 0.25], sigma: [1]}\nsettings: {epochs: 5}\noverrides:\n  rank: {lambda: 0.5}\ntitle: \"x\\ty\"\n")
    put("preprocessing", "texture.json", '{"encoder":"texture","mpp":0.5,"tile_px":224,"tile_mpp":0.5,"overlap":0,"min_tissue":0.05,'
        '"mask_mpp":4,"tissue":"otsu","leave_out":"pen,blur","min_area":0.1,"max_hole":0,"features_precision":"float16"}')
    put("preprocessing", "onnx.json", '{"encoder":"onnx","weights":"a.onnx","mean":"0.5,0.5,0.5","sd":"1","onnx_output":"cls+mean","input_px":224}')
    put("texts", "task", '{"kind":"classes","classes":["normal","LUAD","LUSC"],"negative":true}')
    put("texts", "survival", '{"kind":"survival"}')
    put("texts", "decision", '{"kind":"classes","cut":0.37,"rule":"youden","target":null,"temperature":1.5,"offset":-0.2,"weights":[1,2]}')
    put("texts", "mpps", "0.5,2")


def trained(folder):
    """What rankmil itself writes: models, a record, run.json, a decision."""
    run = lambda *arguments: subprocess.run([rankmil, *arguments, "-q"], cwd=folder, check=True)
    run("synth", "f", "--features", "--slides", "12", "--scale", "0.001", "--dim", "4")
    for method in ("rank", "dsmil", "clam-sb", "transmil", "gated-abmil", "patch-linear"):
        hidden = ["--hidden", "4"] if method != "patch-linear" else []
        width = ["--attention-dim", "3"] if method in ("rank", "clam-sb", "gated-abmil") else []
        subprocess.run([rankmil, "train", "f/cohort.csv", "-o", method, "--model" if method != "rank" else "--guide", method, "--epochs", "1",
                        *hidden, *width, "-q"], cwd=folder, stderr=subprocess.DEVNULL)
        if os.path.exists(f"{folder}/{method}/model.safetensors"):
            copy("model", f"{method}.safetensors", f"{folder}/{method}/model.safetensors")
    copy("run", "train.json", f"{folder}/rank/run.json")
    run("run", "f/cohort.csv", "-o", "run", "--methods", "rank", "--repeats", "2", "--epochs", "1", "--warmup", "0", "--hidden", "4",
        "--attention-dim", "3")
    copy("run", "run.json", f"{folder}/run/run.json")
    with sqlite3.connect(f"{folder}/run/study.sqlite", isolation_level=None) as record:
        record.executescript("PRAGMA journal_mode=DELETE; PRAGMA page_size=512; VACUUM")
    copy("record", "run.sqlite", f"{folder}/run/study.sqlite")
    copy("hdf5", "rankmil.h5", f"{folder}/f/features/train_001.h5")
    for layout in ("stamp", "trident", "clam", "paper"):
        run("convert", "f/features/train_001.h5", f"{layout}.h5", "--to", layout, "--mpp", "0.25")
        copy("hdf5", f"{layout}.h5", f"{folder}/{layout}.h5")


def outlines():
    ring = "[[100,100],[300,100],[300,300],[100,300],[100,100]]"
    feature = lambda geometry, name: ('{"type":"Feature","geometry":%s,"properties":{"objectType":"annotation","classification":'
                                      '{"name":"%s","color":[1,2,3]}}}' % (geometry, name))
    polygon = '{"type":"Polygon","coordinates":[%s,[[150,150],[200,150],[200,200],[150,150]]]}' % ring
    multi = '{"type":"MultiPolygon","coordinates":[[%s],[[[400,400],[500,400],[450,500],[400,400]]]]}' % ring
    bow = '{"type":"Polygon","coordinates":[[[0,0],[100,100],[100,0],[0,100],[0,0]]]}'
    collection = '{"type":"FeatureCollection","features":[%s]}'
    put("geojson", "qupath.geojson", collection % ",".join([feature(polygon, "Tumor"), feature(multi, "Exclude"), feature(bow, "Tumor: Positive")]))
    put("geojson", "list.geojson", "[" + feature(polygon, "Other") + "]")
    put("geojson", "collection.geojson", collection % feature(
        '{"type":"GeometryCollection","geometries":[%s,{"type":"LineString","coordinates":%s},{"type":"Point","coordinates":[1,2]}]}' % (bow, ring), "Tissue"))
    put("geojson", "class.geojson", '{"type":"FeatureCollection","features":[{"type":"Feature","geometry":%s,"properties":{"class":"Tumor",'
        '"measurements":{"a":NaN}}},{"type":"Feature","geometry":null,"properties":null}]}' % polygon)
    put("geojson", "nested.geojson", '{"type":"FeatureCollection","features":[{"type":"Feature","geometry":%s,"properties":{"objectType":'
        '"annotation"},"childObjects":[%s]}]}' % (polygon, feature(bow, "Tumor")))
    corners = "".join(f'<Coordinate Order="{i}" X="{x}" Y="{y}"/>' for i, (x, y) in enumerate([(10, 10), (210.5, 10), (210.5, 310), (10, 310)]))
    asap = lambda *kinds: '<?xml version="1.0"?>\n<ASAP_Annotations><Annotations>' + "".join(
        f'<Annotation Name="A {i}" Type="{kind}" PartOfGroup="{group}" Color="#F4FA58"><Coordinates>{corners}</Coordinates></Annotation>'
        for i, (kind, group) in enumerate(kinds)) + ('</Annotations><AnnotationGroups><Group Name="_0" PartOfGroup="None" Color="#00f"/>'
        '<Group Name="inner" PartOfGroup="_0" Color="#0f0"><Attributes/></Group></AnnotationGroups></ASAP_Annotations>')
    put("asap", "polygon.xml", asap(("Polygon", "_0"), ("Spline", "inner"), ("Rectangle", "_2")))
    put("asap", "dots.xml", asap(("Dot", "None"), ("PointSet", "None"), ("Measurement", "_0")))
    put("asap", "utf16.xml", asap(("Polygon", "None")).replace('"1.0"', '"1.0" encoding="UTF-16"').encode("utf-16"))
    mask = np.zeros((15, 20), np.uint8)
    mask[3:9, 4:12] = 255
    for name, image, options in (("grey.png", Image.fromarray(mask), {}), ("alpha.png", Image.fromarray(np.stack([mask] * 4, -1)), {}),
                                 ("grey.jpg", Image.fromarray(mask), {}), ("grey.tif", Image.fromarray(mask), {}),
                                 ("lzw.tif", Image.fromarray(mask), {"compression": "tiff_lzw"})):
        bytes_ = io.BytesIO()
        image.save(bytes_, {"png": "PNG", "jpg": "JPEG", "tif": "TIFF"}[name[-3:]], **options)
        put("mask", name, bytes_.getvalue())
    palette = Image.fromarray(mask // 255, "P")
    palette.putpalette([255, 255, 255, 9, 9, 9])
    bytes_ = io.BytesIO()
    palette.save(bytes_, "PNG")
    put("mask", "palette.png", bytes_.getvalue())
    put("brush", "stroke", '{"shape":%s,"stroke":{"points":[[90,90],[130,140],[300.5,200]],"radius":25},"add":true}' % polygon)
    put("brush", "with", '{"shape":%s,"with":%s,"add":false}' % (multi, bow))
    put("brush", "new", '{"shape":null,"stroke":{"points":[[1,2]],"radius":3},"add":true}')


def hdf5_files(folder):
    features = np.arange(12, dtype=np.float32).reshape(6, 2) / 8
    places = np.stack([np.arange(6) * 224, np.zeros(6)], 1).astype(np.int64)

    def make(name, fill, **options):
        path = f"{folder}/made.h5"
        with h5py.File(path, "w", **options) as file:
            fill(file)
        copy("hdf5", name, path)

    def chunked(file):
        for name, values in (("features", features), ("coords", places.astype(np.int32))):
            file.create_dataset(name, data=values, maxshape=(None, 2), chunks=(1, 2), compression="gzip", shuffle=True)

    def patches(file):
        for i in range(6):
            file.create_dataset(f"{i}_0", data=features[i]).attrs.update(x_min=i * 224, y_min=0, x_max=i * 224 + 224, y_max=224)

    def stamp(file):
        file["feats"] = features.astype(np.float16)
        file["coords"] = places.astype(np.float32) / 2
        file.attrs.update(stamp_version="2.3.0", extractor="x", unit="um", tile_size_um=112.0, tile_size_px=224, feat_type="tile")

    def clam(file):
        file["features"] = features[None]
        file["coords"] = places
        file["coords"].attrs.update(patch_level=1, patch_size=224, downsample=np.array([2.0, 2.0]), name="x")

    make("chunked.h5", chunked)
    make("latest.h5", chunked, libver="latest")
    make("patches.h5", patches)
    make("stamp-half.h5", stamp)
    make("clam-axis.h5", clam)
    path = f"{folder}/labels.h5"
    with h5py.File(path, "w") as file:
        file["patch_labels"] = np.array([0, 1, 1, 0, 0, 1], np.uint8)
        file["overlap"] = np.linspace(0, 1, 6, dtype=np.float32)
        file.attrs["source"] = "padding 0"
    copy("labels", "labels.h5", path)
    for name, values in (("float", np.array([0, 1, 1, 0, 0, 1.0])), ("bool", np.array([0, 1, 1, 0, 0, 1], bool)), ("int", np.array([0, 1, 1, 0, 0, 1], ">i4"))):
        bytes_ = io.BytesIO()
        np.save(bytes_, values)
        put("npy", f"{name}.npy", bytes_.getvalue())
    rng = np.random.default_rng(0)
    for i in range(8):  # structures for the bytes that read-layout.c draws from
        put("layout", f"random-{i}", rng.integers(0, 256, 64, dtype=np.uint8).tobytes())
    dataset = lambda name, type_, rows, columns: bytes([2, name, type_, 0, rows, columns, 0, 1, 0])
    put("layout", "plain", dataset(0, 0, 0, 2) + dataset(2, 2, 0, 2))
    put("layout", "stamp", dataset(1, 0, 0, 2) + dataset(2, 0, 0, 2) + bytes([1, 9, 1, 3, 0, 0]))


def weights(folder):
    tensor = torch.arange(6, dtype=torch.float32).reshape(3, 2)
    dictionary = {"features": tensor.half(), "coords": torch.arange(6).reshape(3, 2)}
    state = {"state_dict": {"conv.weight": tensor.clone(), "conv.bias": tensor[:, 0], "n": np.float64(3)}, "epoch": 3, "names": ["a", None, True]}
    for name, what in (("tensor", tensor), ("dictionary", dictionary), ("state", state), ("numpy", {"features": tensor.numpy()})):
        for old in (False, True):
            bytes_ = io.BytesIO()
            torch.save(what, bytes_, _use_new_zipfile_serialization=not old)
            file = f"{name}-old.pt" if old else f"{name}.pt"
            put("torch", file, bytes_.getvalue())
            if name != "state":
                put("torch-bag", file, bytes_.getvalue())
            if not old:
                with zipfile.ZipFile(io.BytesIO(bytes_.getvalue())) as archive:
                    put("pickle", f"{name}.pkl", archive.read(next(n for n in archive.namelist() if n.endswith("data.pkl"))))

    def safetensors(header, size):
        text = header.encode()
        return struct.pack("<Q", len(text)) + text + bytes(range(size))

    put("safetensors", "two.safetensors", safetensors('{"__metadata__":{"a":"b"},"x":{"dtype":"F32","shape":[2,2],"data_offsets":[0,16]},'
                                                      '"y":{"dtype":"BF16","shape":[3],"data_offsets":[16,22]}}', 22))
    put("safetensors", "scalar.safetensors", safetensors('{"s":{"dtype":"I64","shape":[],"data_offsets":[0,8]},"b":{"dtype":"BOOL","shape":[0],'
                                                         '"data_offsets":[8,8]}}', 8))
    arrays = ("best", "first", "history", "parameters", "second", "state")
    shapes = {"history": "[0,7]", "state": "[4]"}
    sizes = {"history": 0, "state": 32}
    at, members = 0, ['"__metadata__":{"format":"rankmil-checkpoint-1","key":"key"}']
    for name in arrays:
        size = sizes.get(name, 20)
        members.append(f'"{name}":{{"dtype":"{"F64" if name in sizes else "F32"}","shape":{shapes.get(name, "[5]")},"data_offsets":[{at},{at + size}]}}')
        at += size
    put("checkpoint", "empty.safetensors", safetensors("{" + ",".join(members) + "}", at))
    for name in ("one", "several", "outside", "bytes"):
        copy("onnx", f"{name}.onnx", f"{HOME}/../tests/encoder/onnx/{name}.onnx")
    vit = {"cls_token": (1, 1, 4), "pos_embed": (1, 5, 4), "patch_embed.proj.weight": (4, 3, 2, 2), "patch_embed.proj.bias": (4,), "norm.weight": (4,),
           "norm.bias": (4,)}
    for part, shape in {"norm1.weight": (4,), "norm1.bias": (4,), "attn.qkv.weight": (12, 4), "attn.qkv.bias": (12,), "attn.proj.weight": (4, 4),
                        "attn.proj.bias": (4,), "norm2.weight": (4,), "norm2.bias": (4,), "mlp.fc1.weight": (8, 4), "mlp.fc1.bias": (8,),
                        "mlp.fc2.weight": (4, 8), "mlp.fc2.bias": (4,)}.items():
        vit[f"blocks.0.{part}"] = shape
    at, members = 0, []
    for name, shape in sorted(vit.items()):
        size = 4 * int(np.prod(shape))
        members.append(f'"{name}":{{"dtype":"F32","shape":{list(shape)},"data_offsets":[{at},{at + size}]}}')
        at += size
    text = ("{" + ",".join(members) + "}").encode()
    put("safetensors", "vit.safetensors", struct.pack("<Q", len(text)) + text + bytes(at))


def slides():
    rng = np.random.default_rng(1)
    pixels = rng.integers(0, 255, (24, 32, 3), dtype=np.uint8)
    ome = ('<?xml version="1.0" encoding="UTF-8"?><OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06"><Image ID="Image:0"><Pixels '
           'PhysicalSizeX="0.25" PhysicalSizeXUnit="\u00b5m" PhysicalSizeY="250" PhysicalSizeYUnit="nm" SizeC="3" SizeX="32" SizeY="24" '
           'Type="uint8"><Channel ID="Channel:0:0" SamplesPerPixel="3" Name="Red"/><TiffData/></Pixels></Image></OME>')
    put("ome", "ome.xml", ome)
    for name, options in (("plain.tif", {}), ("ome.tif", {"description": ome}), ("aperio.tif", {"description": "Aperio Image|MPP = 0.25|AppMag = 40"}),
                          ("lzw.tif", {"compression": "tiff_lzw"}), ("jpeg.tif", {"compression": "jpeg"})):
        bytes_ = io.BytesIO()
        Image.fromarray(pixels).save(bytes_, "TIFF", **options)
        put("slide", name, bytes_.getvalue())
    bytes_ = io.BytesIO()
    Image.fromarray(pixels).save(bytes_, "PNG", dpi=(50800, 50800))
    put("slide", "plain.png", bytes_.getvalue())
    for name, size, options in (("whole", (64, 64), {}), ("progressive", (64, 64), {"progressive": True}), ("other", (32, 24), {"subsampling": 0})):
        bytes_ = io.BytesIO()
        Image.fromarray(rng.integers(0, 255, (size[1], size[0], 3), dtype=np.uint8)).save(bytes_, "JPEG", quality=60, **options)
        put("jpeg", name, bytes_.getvalue())
    put("digits", "two", struct.pack(">IIII", 0x803, 2, 28, 28) + bytes(2 * 784))


tables()
plans()
outlines()
slides()
with tempfile.TemporaryDirectory() as scratch:
    trained(scratch)
    hdf5_files(scratch)
    weights(scratch)
