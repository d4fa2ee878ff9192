# SPDX-License-Identifier: Apache-2.0
"""Prints the table `golden` of test-mask.c: what scikit-image's threshold_multiotsu finds in the same histograms."""
import numpy as np
from skimage.filters import threshold_multiotsu


def histogram(kind):
    i = np.arange(256)
    if kind == 0:
        return (i * i * 7 + i * 13) % 101
    if kind == 1:
        return np.where((i >= 40) & (i <= 230), (i * 31) % 17 + 1000 // (1 + abs(i - 90)) + 9000 // (1 + abs(i - 225)), 0)
    if kind == 2:
        return np.where(i % 37 == 5, i + 1, 0)
    if kind == 3:
        return np.where(i == 255, 100000, np.where(i < 20, 3, 0))
    if kind == 4:
        return np.where((i >= 100) & (i < 160), i * i % 23, 0)
    return np.where((i == 7) | (i == 90) | (i == 200), 10 + i, 0)


for kind in range(6):
    values = np.repeat(np.arange(256), histogram(kind)).astype(np.uint8)
    for classes in range(2, 6 if kind > 3 else 5):  # five classes take their time
        try:
            found = [int(t) for t in threshold_multiotsu(values, classes)]
        except ValueError:
            found = [-1]
        print("    {%d, %d, {%s}}," % (kind, classes, ", ".join(map(str, found))))
