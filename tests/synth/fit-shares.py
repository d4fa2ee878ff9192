# SPDX-License-Identifier: Apache-2.0
"""Fits the log-normal of lesion shares in src/synth/synth-private.h to Camelyon16's training slides.

    python3 fit-shares.py slide_statistics.csv

The table (one row per slide: lesion area `apos` in level-0 px², number `bboxtiles224` of 224-px tiles in the tissue's
bounding box) comes from the data set's annotations; it is not part of this project. Prints mean and standard deviation
of ln(share), and the Kolmogorov-Smirnov distance between the data and that log-normal (0.072 for n = 110)."""
import csv
import math
import sys

rows = csv.DictReader(open(sys.argv[1]))
logs = sorted(math.log(float(r["apos"]) / (float(r["bboxtiles224"]) * 224 * 224)) for r in rows if float(r["apos"]) > 0)
n = len(logs)
mean = sum(logs) / n
sd = math.sqrt(sum((x - mean) ** 2 for x in logs) / (n - 1))
cdf = [0.5 * (1 + math.erf((x - mean) / sd / math.sqrt(2))) for x in logs]
ks = max(max((i + 1) / n - c, c - i / n) for i, c in enumerate(cdf))
print(f"n {n}  mu {mean:.3f}  sigma {sd:.3f}  KS {ks:.3f}  median share {100 * math.exp(logs[n // 2]):.3f} %")
