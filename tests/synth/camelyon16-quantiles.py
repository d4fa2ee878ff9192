# SPDX-License-Identifier: Apache-2.0
"""Makes the tables of src/synth/camelyon16.c from Camelyon16's training slides.

    python3 camelyon16-quantiles.py slide_statistics.csv

The input (CC0; derived from the data set's annotations and its lists of tissue tiles, not part of this project) has one row
per slide: `apos` lesion area and, for normal slides, `aneg` area of the tissue, both in level-0 px²; `bboxtiles224`, number
of 224-px level-0 tiles in the bounding box of the tissue. Areas are divided by 448² px²: that is one tile of 224 px at 20x.
Prints n and 21 quantiles (0, 5, … 100 %) as initialisers in C. Two normal slides are left out, whose outlines of tissue
cover more than 60 % of the bounding box: they lie on top of each other (Normal_121: 238 %). Prints Spearman's correlation
of lesion area with the bounding box too: it is weak, so that lesions are drawn regardless of the slide's size."""
import csv
import sys


def ranks(values):
    order = sorted(range(len(values)), key=values.__getitem__)
    place = [0] * len(values)
    for i, k in enumerate(order):
        place[k] = i
    return place


def show(name, values):
    values = sorted(values)
    n = len(values)
    row = []
    for k in range(21):
        at = k / 20 * (n - 1)
        i = min(int(at), n - 2)
        row.append(values[i] + (at - i) * (values[i + 1] - values[i]))
    print(f"{name}: n {n}, mean {sum(values) / n:.1f}")
    print("   ", ", ".join(f"{v:.4g}" for v in row))


rows = [{k: v if k == "slide" else float(v) for k, v in r.items()} for r in csv.DictReader(open(sys.argv[1]))]
normal = [r for r in rows if r["slide"].startswith("Normal")]
tumour = [r for r in rows if r["slide"].startswith("Tumor") and r["apos"] > 0]
show("tissue tiles", [r["aneg"] / 448**2 for r in normal if 0 < r["aneg"] <= 0.6 * r["bboxtiles224"] * 224**2])
show("lesion tiles", [r["apos"] / 448**2 for r in tumour])
a, b = ranks([r["apos"] for r in tumour]), ranks([r["bboxtiles224"] for r in tumour])
n = len(a)
print(f"Spearman, lesion area and bounding box: {1 - 6 * sum((x - y) ** 2 for x, y in zip(a, b)) / (n * (n * n - 1)):.2f}")
