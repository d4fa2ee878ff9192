# SPDX-License-Identifier: Apache-2.0
"""Golden cases of every model and guide, as build/tests/conformance reads them: weights, a bag, and what the released models say of
it: logits, scores, attention, loss, every gradient, the parameters after five Adam steps. All in float64 from float32 inputs, by
PyTorch's autograd and its Adam, from the modules of exchange.py (docs/models.md written out in PyTorch, layer by layer).

    golden.py tests/golden/models    writes the cases that are in the tree
    golden.py --check DIR            makes the expectations of every case in DIR anew and prints how far they lie from what is there

--check says where the formulas come from: on 27 cases of the same form whose numbers the paper's released code gave (its models and
losses in PyTorch 1.13, float32), they deviate by at most 0.44 (outputs, loss), 0.12 (gradients) and 0.12 (Adam) of what conformance
allows. One thing is rankmil's own: in an even bag (one patch) the threshold does not apply, where the released code's attention is
0. patch_linear, gated_abmil and transmil, which that code does not have (in this form), are docs/models.md's. The bags are chosen so that no relu, cut or choice of patches lies so near its edge that float32 could fall on the other side.
Needs torch and numpy."""
import json
import math
import os
import sys

import numpy as np
import torch

from exchange import own_module, read_safetensors

torch.set_default_dtype(torch.float64)
HYPER = {"threshold": None, "sigma": 1.0, "margin": 1.0, "lambda": 1.0}


# -- what a case says --------------------------------------------------------------------------------------------------------------
class Case:
    def __init__(self, model, loss, hyper, state, x, label, labels, tissue=None):
        self.model, self.loss, self.hyper, self.label = model, loss, {**HYPER, **hyper}, label
        self.state = {name: torch.from_numpy(np.float64(value)) for name, value in state.items()}
        self.x = torch.from_numpy(np.float64(x)).reshape(len(x), -1, x.shape[-1]) if x.ndim == 4 else torch.from_numpy(np.float64(x))
        self.labels, self.tissue = labels, tissue
        threshold = -1 if self.hyper["threshold"] is None else self.hyper["threshold"]
        rows, columns = self.hyper.get("grid", (0, 0))
        sizes = rows, columns, self.hyper.get("heads", 3), self.hyper.get("top", 1), self.hyper.get("negative", True), self.hyper.get("landmarks", 0)
        self.module = own_module(model.replace("_", "-"), state, threshold, sizes)
        self.module.load_state_dict(self.state)

    def total(self):
        """Outputs and the loss, guide included."""
        z, s, a = self.module(self.x)
        if self.model == "patch_linear":
            return z, s, a, self.patch_loss()
        marked = torch.from_numpy(np.float64(self.labels)) > 0 if self.labels is not None else torch.zeros(len(self.x)) > 0
        if self.model.startswith("clam"):
            slide = torch.nn.functional.cross_entropy(z[None], torch.tensor([self.label]))
            weight = self.hyper["bag_weight"]
            return z, s, a, weight * slide + (1 - weight) * self.instance_loss(s)
        if self.model == "transmil":
            return z, s, a, torch.nn.functional.cross_entropy(z[None], torch.tensor([self.label]))
        loss = torch.nn.functional.binary_cross_entropy_with_logits(z.flatten(), torch.tensor([float(self.label)]))
        if self.label == 1 and marked.any() and self.loss == "induction":
            g = marked * (1 if self.tissue is None else torch.from_numpy(np.float64(self.tissue)))
            loss = loss + self.hyper["lambda"] * ((a - g / g.sum()) ** 2).sum()
        if self.label == 1 and marked.any() and not marked.all() and self.loss.startswith("rank"):
            difference = s[marked][:, None] - s[~marked][None, :] - self.hyper["margin"]
            loss = loss + self.hyper["lambda"] * torch.nn.functional.softplus(-self.hyper["sigma"] * difference).mean()
        return z, s, a, loss

    def cross_entropy(self, z, classes):
        if z.shape[-1] == 1:
            return torch.nn.functional.binary_cross_entropy_with_logits(z[:, 0], classes.double(), reduction="none")
        return torch.nn.functional.cross_entropy(z, classes, reduction="none")

    def patch_loss(self, told=False):
        """Of the patches whose class is known, each class of them alike; told: where none is, the slide's."""
        marked = torch.zeros(len(self.x)) > 0 if self.labels is None else torch.from_numpy(np.float64(self.labels)) > 0
        negative = self.hyper["negative"]
        classes = torch.full((len(self.x),), -1)
        if negative and self.label == 0:
            classes[:] = 0
        elif marked.any():
            classes = torch.where(marked, self.label, 0 if negative else -1)
        parts = [self.cross_entropy(self.module.logits(self.x)[classes == c], classes[classes == c]).mean() for c in classes.unique() if c >= 0]
        if parts:
            return torch.stack(parts).mean()
        return self.cross_entropy(self.module(self.x)[0][None], torch.tensor([self.label]))[0] if told else 0 * self.module(self.x)[0].sum()

    def instance_loss(self, s):
        k = min(self.hyper["k_sample"], len(self.x) // 2)
        if k == 0:
            return torch.tensor(0.0)
        order = s[self.label if len(s) == 2 else 0].argsort(descending=True, stable=True)
        chosen = torch.cat([order[:k], order.flip(0)[:k]])
        z = self.module.instance_classifiers[self.label](self.module.adaptor(self.x)[chosen])
        return torch.nn.functional.cross_entropy(z, torch.tensor([1] * k + [0] * k))

    def expectations(self):
        """Tensors by name; edge: how near a choice (relu, threshold, largest score) came to falling the other way."""
        names = dict(self.module.named_parameters())
        adam = torch.optim.Adam(names.values(), lr=2e-4, weight_decay=1e-5)
        out, edge = {}, math.inf
        for step in range(5):
            z, s, a, loss = self.total()
            edge = min(edge, self.edge(s))
            adam.zero_grad()
            loss.backward()
            if step == 0:
                out = {"expect.logits": z, "expect.scores": s, "expect.attention": a, "expect.loss": loss.reshape(1)}
                out |= {"expect.told_loss": self.patch_loss(True).reshape(1)} if self.model == "patch_linear" else {}
                out |= {"grad." + n: torch.zeros_like(p) if p.grad is None else p.grad.clone() for n, p in names.items()}
            adam.step()
        out |= {"adam5." + n: p for n, p in names.items() if p.grad is not None}
        return {n: np.float32(t.detach().numpy()) for n, t in out.items()}, edge

    @torch.no_grad()
    def edge(self, s):
        if self.model == "hipt":
            return math.inf
        if self.model == "patch_linear":
            hidden = [self.module.patch_hidden(self.x).abs().min()] if self.module.hidden else [math.inf]
            return float(min(hidden + [math.inf if len(self.x) == 1 else self.highest_edge(s.reshape(-1, len(self.x)))]))
        if self.model == "transmil":
            return float(self.module._fc1[0](self.x).abs().min())
        near, count, threshold = [self.module.adaptor[0](self.x).abs().min()], len(self.x), self.hyper["threshold"]
        if count > 1 and threshold is not None:
            scale = math.sqrt(self.hyper["attn_dim"]) if self.model == "dsmil" else 1
            near.append((count * torch.softmax(s / scale, 0) - threshold).abs().min())
        if count > 1 and self.model == "dsmil":
            c = self.module.instance_classifier(self.module.adaptor(self.x)).flatten().sort(descending=True).values
            near.append(c[0] - c[1])
        if count > 1 and self.model.startswith("clam"):
            near.append(s.sort(1).values.diff().min())
        return float(min(near))


    def highest_edge(self, s):
        """How near the last of the highest patches comes to the next one; rows that say nothing have no edge."""
        top, order = min(self.hyper["top"], s.shape[1]), s.sort(1, descending=True).values
        gaps = order[:, top - 1] - order[:, top] if top < s.shape[1] else torch.tensor([math.inf])
        return gaps[s.abs().amax(1) > 0].min() if top < s.shape[1] else math.inf


# -- cases of the tree ---------------------------------------------------------------------------------------------------------------
D, WIDTH, INNER, CELLS = 6, 5, 4, (2, 3)


def shapes(model, width, more=None):
    if model == "hipt":
        w = WIDTH - 1
        out = {"patch_agg.pos": (1, math.prod(CELLS), w), "patch_agg.cls": (1, 1, w), "patch_agg.proj.weight": (w, D)}
        for part, depth in (("patch_agg", 2), ("region_agg", 1)):
            for i in range(depth):
                block = f"{part}.blocks.{i}."
                out |= {block + "norm1.weight": (w,), block + "norm1.bias": (w,), block + "attn.in_proj_weight": (3 * w, w),
                        block + "attn.in_proj_bias": (3 * w,), block + "attn.out_proj.weight": (w, w),
                        block + "attn.out_proj.bias": (w,), block + "norm2.weight": (w,), block + "norm2.bias": (w,),
                        block + "mlp.fc1.weight": (4 * w, w), block + "mlp.fc1.bias": (4 * w,),
                        block + "mlp.fc2.weight": (w, 4 * w), block + "mlp.fc2.bias": (w,)}
            out |= {part + ".norm.weight": (w,), part + ".norm.bias": (w,)}
        return out | {"region_agg.gap.q": (w,), "classifier.weight": (1, w), "classifier.bias": (1,)}

    def linear(name, rows, columns):
        return {name + ".weight": (rows, columns), name + ".bias": (rows,)}

    if model == "transmil":
        heads, w = 3, 6
        out = linear("_fc1.0", w, D) | {"cls_token": (1, 1, w), "norm.weight": (w,), "norm.bias": (w,)} | linear("_fc2", 2, w)
        for name in ("layer1.", "layer2."):
            out |= {name + "norm.weight": (w,), name + "norm.bias": (w,), name + "attn.to_qkv.weight": (3 * w, w),
                    name + "attn.res_conv.weight": (heads, 1, 33, 1)} | linear(name + "attn.to_out.0", w, w)
        for name, size in (("proj", 7), ("proj1", 5), ("proj2", 3)):
            out |= {f"pos_layer.{name}.weight": (w, 1, size, size), f"pos_layer.{name}.bias": (w,)}
        return out
    if model.startswith("patch_linear"):
        outputs, hidden = more
        out = linear("patch_hidden", hidden, D) if hidden else {}
        return out | linear("patch_classifier", outputs, hidden or D)
    out = linear("adaptor.0", width, D)
    if model.startswith("clam"):
        branches = 2 if model == "clam_mb" else 1
        net = "attention_net."
        out |= linear(net + "attention_a.0", INNER, width) | linear(net + "attention_b.0", INNER, width) | linear(net + "fc", branches, INNER)
        out |= linear("classifier", 2, width) | linear("instance_classifiers.0", 2, width) | linear("instance_classifiers.1", 2, width)
        return out | (linear("bag_classifiers.0", 1, width) | linear("bag_classifiers.1", 1, width) if branches == 2 else {})
    if model == "gated_abmil":
        net = "attention_net."
        out |= linear(net + "attention_a.0", INNER, width) | linear(net + "attention_b.0", INNER, width) | linear(net + "fc", 1, INNER)
        return out | linear("classifier", 1, width)
    out |= linear("adaptor.2", D, width)
    if model == "abmil":
        return out | linear("attention_layer.linear", 1, D) | linear("classifier", 1, D)
    out |= linear("instance_classifier", 1, D) | linear("attention_q", INNER, D) | linear("attention_v", D, D)
    return out | {"feature_norm.weight": (D,), "feature_norm.bias": (D,), "bag_classifier.weight": (1, 1, D), "bag_classifier.bias": (1,)}


def make(seed, model, loss, count, label, width=WIDTH, tissue=False, outputs=1, hidden=0, annotated=3, **hyper):
    rng = np.random.default_rng(seed)
    draw = lambda shape, scale=1.0: np.float32(scale * rng.standard_normal(shape))
    state = {name: draw(shape, 1 / math.sqrt(shape[-1])) + np.float32("norm" in name and "weight" in name)
             for name, shape in shapes(model, width, (outputs, hidden)).items()}
    x = draw((count, *CELLS, D) if model == "hipt" else (count, D))
    hyper |= {"hipt": {"grid": CELLS, "heads": 2}, "dsmil": {"attn_dim": INNER}}.get(model, {})
    hyper |= {"k_sample": 4, "bag_weight": 0.7} if model.startswith("clam") else {}
    hyper |= {"top": hyper.get("top", 1), "negative": hyper.get("negative", True)} if model == "patch_linear" else {}
    labels = np.float32(np.arange(count) % 3 == 1) * np.float32(label)
    if model == "patch_linear":  # every third patch, all, or none
        labels = np.float32(np.arange(count) % annotated == min(annotated, count) - 1 if annotated else np.zeros(count))
    return Case(model, loss, hyper, state, x, label, labels, np.float32(rng.uniform(0.1, 1, count)) if tissue else None), x


CASES = {
    "abmil_one_patch": ("abmil", "bce", 1, 1, {"threshold": 1.0}),
    "abmil_negative": ("abmil", "bce", 3, 0, {}),
    "abmil_threshold": ("abmil", "bce", 20, 1, {"threshold": 1.0}),
    "abmil_induction": ("abmil", "induction", 3, 1, {"lambda": 2.0}),
    "abmil_induction_tissue": ("abmil", "induction", 20, 1, {"threshold": 1.0, "tissue": True}),
    "abmil_rank": ("abmil", "rank_paper", 3, 1, {"sigma": 2.0, "margin": 0.5, "lambda": 0.3}),
    "abmil_rank_wide": ("abmil", "rank_paper", 22, 1, {"threshold": 1.0, "width": 33}),       # the product by signs of R
    "abmil_rank_many": ("abmil", "rank_paper", 150, 1, {"threshold": 1.0, "sigma": 1.5}),      # pairs by bins
    "dsmil_one_patch": ("dsmil", "bce", 1, 1, {"threshold": 1.0}),
    "dsmil_negative": ("dsmil", "bce", 20, 0, {"threshold": 1.0}),
    "dsmil_rank": ("dsmil", "rank_paper", 3, 1, {}),
    "dsmil_rank_wide": ("dsmil", "rank_paper", 22, 1, {"threshold": 0.8, "width": 33}),
    "clam_sb_one_patch": ("clam_sb", "clam", 1, 1, {}),
    "clam_sb_negative": ("clam_sb", "clam", 3, 0, {}),
    "clam_sb": ("clam_sb", "clam", 20, 1, {}),
    "clam_mb_one_patch": ("clam_mb", "clam", 1, 0, {}),
    "clam_mb": ("clam_mb", "clam", 3, 1, {}),
    "clam_mb_negative": ("clam_mb", "clam", 20, 0, {}),
    "hipt_one_region": ("hipt", "bce", 1, 1, {}),
    "hipt_negative": ("hipt", "bce", 20, 0, {}),
    "hipt_rank": ("hipt", "rank_paper", 3, 1, {"sigma": 2.0}),
    "patch_linear_one_patch": ("patch_linear", "patch", 1, 1, {}),
    "patch_linear_negative": ("patch_linear", "patch", 20, 0, {"annotated": 0, "top": 3}),
    "patch_linear": ("patch_linear", "patch", 20, 1, {"top": 3}),
    "patch_linear_all": ("patch_linear", "patch", 3, 1, {"annotated": 1}),
    "patch_linear_unknown": ("patch_linear", "patch", 20, 1, {"annotated": 0, "top": 3}),
    "patch_linear_hidden": ("patch_linear", "patch", 20, 1, {"hidden": 5}),
    "patch_linear_hidden_negative": ("patch_linear", "patch", 3, 0, {"annotated": 0, "hidden": 5}),
    "patch_linear_hidden_few": ("patch_linear", "patch", 3, 1, {"hidden": 5, "top": 30}),
    "patch_linear_wide": ("patch_linear", "patch", 22, 1, {"hidden": 33, "top": 2}),
    "patch_linear_c3": ("patch_linear", "patch", 20, 2, {"outputs": 3, "top": 3}),
    "patch_linear_c3_one_patch": ("patch_linear", "patch", 1, 1, {"outputs": 3, "hidden": 5}),
    "patch_linear_c3_negative": ("patch_linear", "patch", 3, 0, {"outputs": 3, "annotated": 0, "hidden": 5}),
    "patch_linear_c3_unknown": ("patch_linear", "patch", 20, 1, {"outputs": 3, "annotated": 0}),
    "patch_linear_c3_no_negative": ("patch_linear", "patch", 20, 0, {"outputs": 3, "negative": False, "hidden": 5, "top": 3}),
    "patch_linear_c3_no_negative_unknown": ("patch_linear", "patch", 3, 2, {"outputs": 3, "negative": False, "annotated": 0}),
    "gated_abmil_one_patch": ("gated_abmil", "bce", 1, 1, {}),
    "gated_abmil_negative": ("gated_abmil", "bce", 20, 0, {}),
    "gated_abmil_rank": ("gated_abmil", "rank_paper", 20, 1, {"sigma": 2.0, "margin": 0.5}),
    "transmil_one_patch": ("transmil", "bce", 1, 1, {}),
    "transmil_negative": ("transmil", "bce", 3, 0, {"landmarks": 2}),
    "transmil": ("transmil", "bce", 20, 1, {"landmarks": 4}),
    "transmil_many": ("transmil", "bce", 150, 1, {}),
}


def write_safetensors(path, tensors, metadata):
    """Tensors and their names in the order of the names, as rankmil writes them."""
    header, data = {"__metadata__": metadata}, b""
    for name in sorted(tensors):
        t = np.ascontiguousarray(tensors[name])
        header[name] = {"dtype": "F32", "shape": list(t.shape), "data_offsets": [len(data), len(data) + t.nbytes]}
        data += t.tobytes()
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(len(text).to_bytes(8, "little") + text + data)


def write(folder):
    os.makedirs(folder, exist_ok=True)
    for number, (name, (model, loss, count, label, more)) in enumerate(CASES.items()):
        for seed in range(1000 * number, 1000 * number + 1000):
            case, x = make(seed, model, loss, count, label, **more)
            parameters = {"param." + n: np.float32(t.numpy()) for n, t in case.state.items()}
            expected, edge = case.expectations()
            if edge > 2e-4:  # float32 falls on the same side
                break
        else:
            sys.exit(f"{name}: every seed comes too near to an edge")
        given = {"input.x": x, "input.bag_label": np.float32([label]), "input.instance_labels": case.labels}
        if case.tissue is not None:
            given["input.tissue"] = case.tissue
        path = os.path.join(folder, name + ".safetensors")
        write_safetensors(path, given | parameters | expected, {"model": model, "loss": loss, "hyper": json.dumps(case.hyper)})
        print(f"{name}: {os.path.getsize(path)} bytes, seed {seed}, edge {edge:.1e}, loss {expected['expect.loss'][0]:.6f}")


# -- against the numbers that are in a folder --------------------------------------------------------------------------------------
def shares(kind, tensor, made, t, top):
    """How far each number lies from what is there, as a share of what conformance allows."""
    there = t[f"{kind}.{tensor}"].reshape(-1)
    off, most = np.abs(made.reshape(-1) - there), np.abs(there).max()
    if kind == "expect":
        return off / max(1e-5 * most, 1e-7)
    grad = np.abs(t["grad." + tensor].reshape(-1))
    if grad.max() <= 1e-6 * top:  # 0 in exact arithmetic
        return off[:0]
    return off / max(1e-4 * most, 1e-7 * top) if kind == "grad" else off[grad > 1e-3 * grad.max()] / 2e-6


def check(folder):
    worst = dict.fromkeys(("expect", "grad", "adam5"), 0.0)
    names = sorted(n for n in os.listdir(folder) if n.endswith(".safetensors"))
    for name in names:
        t, about = read_safetensors(os.path.join(folder, name))
        part = lambda prefix: {n[len(prefix):]: v for n, v in t.items() if n.startswith(prefix)}
        given = part("input.")
        case = Case(about["model"], about["loss"], json.loads(about["hyper"]), part("param."), given["x"],
                    int(given["bag_label"][0]), given.get("instance_labels"), given.get("tissue"))
        top = max(np.abs(v).max() for v in part("grad.").values())
        for full, made in case.expectations()[0].items():
            kind, _, tensor = full.partition(".")
            if full in t:
                worst[kind] = max(worst[kind], shares(kind, tensor, made, t, top).max(initial=0))
    print(len(names), "cases; at most, as a share of what is allowed:", ", ".join(f"{k} {v:.2g}" for k, v in worst.items()))


if __name__ == "__main__":
    check(sys.argv[2]) if sys.argv[1] == "--check" else write(sys.argv[1])
