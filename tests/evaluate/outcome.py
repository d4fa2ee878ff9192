# SPDX-License-Identifier: Apache-2.0
"""Makes outcome.json: numbers of SciPy and scikit-learn, and formulas written out pair by pair, for what tests/golden/tasks does not hold:
predicted numbers, DeLong's variance over patients, decision curves, Breslow's baseline. Run: python3 tests/evaluate/outcome.py"""
import json
import os

import numpy as np
from scipy import stats
from sklearn import metrics

rng = np.random.default_rng(52110)
out = {"numbers": [], "delong_patients": [], "decision": [], "baseline": []}

for n, decimals in [(3, 3), (20, 6), (60, 1), (45, 0)]:
    value = np.round(rng.normal(50, 12, n), decimals)
    predicted = np.round(0.6 * value + rng.normal(20, 8, n), decimals)
    out["numbers"].append({
        "value": value.tolist(), "predicted": predicted.tolist(), "mae": metrics.mean_absolute_error(value, predicted),
        "rmse": metrics.root_mean_squared_error(value, predicted), "r2": metrics.r2_score(value, predicted),
        "pearson": stats.pearsonr(value, predicted).statistic, "spearman": stats.spearmanr(value, predicted).statistic})


def components(label, score):
    """Placement values of every case, over all pairs; NaN-free as both labels occur."""
    wins = lambda p, q: (p > q) + 0.5 * (p == q)
    pos, neg = score[label == 1], score[label == 0]
    return np.array([np.mean([wins(s, q) for q in neg]) if l else np.mean([wins(p, s) for p in pos]) for l, s in zip(label, score)])


def clustered(label, value, patient):
    """Obuchowski 1997, equations for one AUROC, of the placement values or of their differences."""
    m, n, ids = (label == 1).sum(), (label == 0).sum(), np.unique(patient)
    theta = value[label == 1].mean()
    x = np.array([(value[(patient == i) & (label == 1)] - theta).sum() for i in ids])
    y = np.array([(value[(patient == i) & (label == 0)] - theta).sum() for i in ids])
    i10 = sum(((patient == i) & (label == 1)).any() for i in ids)
    i01 = sum(((patient == i) & (label == 0)).any() for i in ids)
    s10, s01 = i10 / (i10 - 1) / m * (x**2).sum(), i01 / (i01 - 1) / n * (y**2).sum()
    s11 = len(ids) / (len(ids) - 1) * (x * y).sum()
    return theta, s10 / m + s01 / n + 2 * s11 / (m * n)


for patients, most, decimals in [(12, 4, 1), (30, 3, 6), (25, 6, 0)]:
    patient = np.repeat(rng.permutation(patients) * 7, rng.integers(1, most + 1, patients))
    bad = rng.normal(size=patients * 7)
    label = (bad[patient] + rng.normal(size=len(patient)) > 0.3).astype(int)
    a = np.round(label + bad[patient] + rng.normal(size=len(patient)), decimals)
    b = np.round(0.5 * label + bad[patient] + rng.normal(size=len(patient)), decimals)
    va, vb = components(label, a), components(label, b)
    theta, variance = clustered(label, va, patient)
    difference, spread = clustered(label, va - vb, patient)
    assert abs(theta - metrics.roc_auc_score(label, a)) < 1e-12
    reach = stats.norm.ppf(0.975) * variance**0.5
    z = difference / spread**0.5
    out["delong_patients"].append({
        "label": label.tolist(), "a": a.tolist(), "b": b.tolist(), "patient": patient.tolist(), "variance": variance,
        "low": max(theta - reach, 0), "high": min(theta + reach, 1), "z": z, "p": 2 * stats.norm.sf(abs(z))})

for n, decimals in [(40, 2), (25, 1)]:
    label = (rng.random(n) < 0.3).astype(int)
    p = np.round(np.clip(0.3 + 0.3 * label + rng.normal(0, 0.2, n), 0, 1), decimals)
    cuts = [0, 0.1, 0.25, 0.5, 0.75, 0.9]
    benefit = [(np.sum((p >= t) & (label == 1)) - np.sum((p >= t) & (label == 0)) * t / (1 - t)) / n for t in cuts]
    everybody = [label.mean() - (1 - label.mean()) * t / (1 - t) for t in cuts]
    out["decision"].append({"label": label.tolist(), "probability": p.tolist(), "threshold": cuts, "benefit": benefit, "all": everybody})

for n, decimals in [(30, 3), (30, 0)]:
    time = np.round(rng.exponential(9, n) + 1, decimals)
    event = (rng.random(n) < 0.6).astype(int)
    risk = rng.normal(size=n)
    at = [0.5, 2, 5, 5.5, 12, 80]
    hazard = [sum(1 / np.exp(risk[time >= t]).sum() for t, e in zip(time, event) if e and t <= limit) for limit in at]
    out["baseline"].append({"time": time.tolist(), "event": event.tolist(), "risk": risk.tolist(), "at": at, "hazard": hazard})

with open(os.path.join(os.path.dirname(__file__), "outcome.json"), "w") as file:
    file.write("{\n" + ",\n".join(json.dumps(k) + ": [\n" + ",\n".join(json.dumps(e) for e in v) + "]" for k, v in out.items()) + "\n}\n")
