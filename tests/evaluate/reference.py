# SPDX-License-Identifier: Apache-2.0
"""Makes reference.json: what scikit-learn, SciPy (1.13 or later) and statsmodels say about small samples with and
without ties, and DeLong's formulas written out pair by pair. Run: python3 tests/evaluate/reference.py"""
import json
import os

import numpy as np
from scipy import stats
from sklearn import metrics
from statsmodels.stats.multitest import multipletests

rng = np.random.default_rng(84417)
out = {"ranking": [], "mann_whitney": [], "wilcoxon": [], "delong": [], "holm": []}


def sample(n, decimals):
    return np.round(rng.normal(size=n), decimals)


for n, share, decimals in [(2, 0.5, 3), (7, 0.4, 1), (30, 0.5, 6), (60, 0.2, 1), (90, 0.7, 0), (12, 0.5, -1), (150, 0.05, 2)]:
    label = np.zeros(n, int)
    label[: max(1, round(n * share))] = 1
    rng.shuffle(label)
    score = sample(n, decimals) + (np.round(label * 0.8, decimals) if decimals >= 0 else 0) + 0.0
    fpr, tpr, cut = metrics.roc_curve(label, score, drop_intermediate=False)
    precision, recall, pr_cut = metrics.precision_recall_curve(label, score)
    out["ranking"].append({
        "label": label.tolist(), "score": score.tolist(), "auroc": metrics.roc_auc_score(label, score),
        "auprc": metrics.auc(recall, precision), "average_precision": metrics.average_precision_score(label, score),
        "accuracy": metrics.accuracy_score(label, score > 0.5), "sensitivity": metrics.recall_score(label, score > 0.5),
        "specificity": metrics.recall_score(label, score > 0.5, pos_label=0),
        "fpr": fpr.tolist(), "tpr": tpr.tolist(), "roc_cut": cut[1:].tolist(),
        "precision": precision.tolist(), "recall": recall.tolist(), "pr_cut": pr_cut.tolist()})

for nx, ny, decimals, shift in [(1, 1, 3, 0), (1, 9, 3, 0), (3, 3, 3, 9), (8, 8, 6, 0.5), (8, 200, 6, 0.7), (5, 1000, 9, 0),
                                (9, 9, 6, 0.5), (10, 10, 1, 1), (6, 6, 0, 0), (4, 40, 1, 0), (100, 120, 1, 0.3), (10, 10, 9, 8)]:
    x, y = sample(nx, decimals) + shift, sample(ny, decimals)
    if nx == 6:
        x, y = np.ones(6), np.ones(6)
    r = stats.mannwhitneyu(x, y, alternative="two-sided", method="auto")
    out["mann_whitney"].append({"x": x.tolist(), "y": y.tolist(), "u": r.statistic, "p": r.pvalue})

for n, decimals, shift in [(1, 3, 0), (2, 3, 1), (6, 6, 2), (10, 6, 0.4), (10, 1, 0.4), (13, 0, 0.3), (14, 0, 0.5), (25, 1, 0.2),
                           (50, 9, 0.2), (51, 9, 0.2), (300, 1, 0.1), (5, -1, 0)]:
    x, y = sample(n, decimals) + shift, sample(n, decimals)
    r = stats.wilcoxon(x, y)
    out["wilcoxon"].append({"x": x.tolist(), "y": y.tolist(), "w": r.statistic, "p": r.pvalue})


def structural(label, score):
    p, q = score[label == 1], score[label == 0]
    wins = (p[:, None] > q[None]) + 0.5 * (p[:, None] == q[None])
    return wins.mean(1), wins.mean(0)


for n, decimals in [(4, 3), (20, 1), (80, 4), (100, 0)]:
    label = np.arange(n) % 2 if n == 4 else (rng.random(n) < 0.4).astype(int)
    common = sample(n, decimals)
    a, b = common + np.round(label + 0.3 * sample(n, decimals), decimals), common + sample(n, decimals)
    va, vb = structural(label, a), structural(label, b)
    s = [np.cov(np.stack([va[i], vb[i]])) / len(va[i]) for i in (0, 1)]
    cov = s[0] + s[1]
    auc = [va[0].mean(), vb[0].mean()]
    sd = np.sqrt(cov[0, 0])
    z = (auc[0] - auc[1]) / np.sqrt(cov[0, 0] + cov[1, 1] - 2 * cov[0, 1])
    reach = stats.norm.ppf(0.975) * sd
    out["delong"].append({"label": label.tolist(), "a": a.tolist(), "b": b.tolist(), "variance": cov[0, 0],
                          "low": max(0, auc[0] - reach), "high": min(1, auc[0] + reach), "z": z, "p": 2 * stats.norm.sf(abs(z))})

for p in [[0.5], [0.01, 0.04, 0.03, 0.005], [0.2, 0.2, 0.9, 0.0], rng.random(9).tolist()]:
    out["holm"].append({"p": p, "adjusted": multipletests(p, method="holm")[1].tolist()})

with open(os.path.join(os.path.dirname(__file__), "reference.json"), "w") as file:
    file.write("{\n" + ",\n".join(json.dumps(k) + ": [\n" + ",\n".join(json.dumps(e) for e in v) + "]" for k, v in out.items()) + "\n}\n")
