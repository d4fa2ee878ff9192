# SPDX-License-Identifier: Apache-2.0
"""What other programs make of a model: called by test-exchange.c and test-onnx-network.c with a folder that holds model.onnx, model.safetensors and
expected.safetensors (a bag, and what rankmil says of it).

onnxruntime: every output within 1e-5 of what rankmil says. PyTorch, of two classes: the modules below, which are docs/models.md in
PyTorch, with the same tolerance; RMIL_RELEASED_CODE=DIR takes the classes of a checkout of the paper's code instead. Then the
state_dict is saved in the forms that PyTorch users have, for rankmil to load. Prints what was done; a package that is not there
is passed over.
"""
import math
import os
import sys

import numpy as np


def read_safetensors(path):
    import json
    kinds = {"F32": np.float32, "F64": np.float64, "I64": np.int64}
    with open(path, "rb") as file:
        header = json.loads(file.read(int.from_bytes(file.read(8), "little")))
        data = file.read()
    metadata = header.pop("__metadata__", {})
    tensors = {name: np.frombuffer(data, kinds[t["dtype"]], math.prod(t["shape"]), t["data_offsets"][0]).reshape(t["shape"])
               for name, t in header.items()}
    return tensors, metadata


def compare(what, got, expected):
    got, expected = np.asarray(got, np.float64).reshape(-1), np.asarray(expected, np.float64).reshape(-1)
    assert got.shape == expected.shape, f"{what}: {got.shape}, not {expected.shape}"
    scale = max(np.abs(expected).max(), 1e-30 if what == "attention" else 1)
    worst = np.abs(got - expected).max() / scale
    assert worst <= 1e-5, f"{what} is off by {worst:.2e}"
    return worst


def check(outputs, expected):
    wanted = {name[4:]: value for name, value in expected.items() if name.startswith("out.")}
    if "logits" in outputs:  # of classes: their probabilities again
        z = np.asarray(outputs["logits"], np.float64)
        wanted["logits"] = np.log(wanted["probabilities"]) + np.log(np.exp(z).sum())
    return max(compare(name, value, wanted[name]) for name, value in outputs.items())


def given_of(expected):
    """What a graph may ask for, as far as it is there."""
    given = {name: expected[name] for name in ("features", "coords", "tiles") if name in expected}
    return {**given, "tile_size": expected["numbers"][:1]} if "numbers" in expected else given


# -- onnxruntime ---------------------------------------------------------------------------------------------------------------
def run_onnx(path, expected):
    import onnx
    import onnxruntime
    onnx.checker.check_model(onnx.load(path), full_check=True)
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    given = given_of(expected)
    names = [output.name for output in session.get_outputs()]
    values = session.run(names, {i.name: given[i.name] for i in session.get_inputs()})
    return check(dict(zip(names, values)), expected)


def run_openvino(path, expected):
    """The same, after a call with one patch: a compiled model must take bags of any size one after the other."""
    import openvino
    model = openvino.compile_model(path, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    given = given_of(expected)
    inputs = {i.any_name: given[i.any_name] for i in model.inputs}
    model({name: value[:1] for name, value in inputs.items()})
    values = model(inputs)
    return check({output.any_name: values[output] for output in model.outputs}, expected)


# -- PyTorch -------------------------------------------------------------------------------------------------------------------
def make_modules():
    import torch
    from torch import nn

    def attend(scores, threshold):
        a = torch.softmax(scores, 0)
        left = torch.clamp(a - threshold / len(a), min=0).sum()
        if threshold < 0 or (len(a) * a.max() < 1 + 1e-5 and left < 1e-4):
            return a
        a = torch.clamp(a - threshold / len(a), min=0)
        return a / (a.sum() + 1e-8)

    def adaptor(dim, hidden):
        return nn.Sequential(nn.Linear(dim, hidden), nn.ReLU(), nn.Linear(hidden, dim))

    class ABMIL(nn.Module):
        def __init__(self, dim, hidden, threshold):
            super().__init__()
            self.adaptor, self.classifier, self.threshold = adaptor(dim, hidden), nn.Linear(dim, 1), threshold
            self.attention_layer = nn.Module()
            self.attention_layer.linear = nn.Linear(dim, 1)

        def forward(self, x):
            h = self.adaptor(x)
            s = self.attention_layer.linear(h)[:, 0]
            a = attend(s, self.threshold)
            return self.classifier(a @ h), s, a

    class DSMIL(nn.Module):
        def __init__(self, dim, hidden, attention, threshold):
            super().__init__()
            self.adaptor, self.threshold = adaptor(dim, hidden), threshold
            self.instance_classifier = nn.Linear(dim, 1)
            self.attention_q, self.attention_v = nn.Linear(dim, attention), nn.Linear(dim, dim)
            self.feature_norm, self.bag_classifier = nn.LayerNorm(dim), nn.Conv1d(1, 1, dim)

        def forward(self, x):
            f = self.adaptor(x)
            c, q = self.instance_classifier(f)[:, 0], self.attention_q(f)
            s = q @ q[c.argmax()]
            a = attend(s / math.sqrt(q.shape[1]), self.threshold)
            bag = self.bag_classifier(self.feature_norm(a @ self.attention_v(f))[None, None])
            return 0.5 * (bag.flatten() + c.max()), s, a

    class CLAM(nn.Module):
        def __init__(self, dim, hidden, attention, branches):
            super().__init__()
            self.adaptor = nn.Sequential(nn.Linear(dim, hidden), nn.ReLU())
            self.attention_net = nn.Module()
            self.attention_net.attention_a = nn.Sequential(nn.Linear(hidden, attention), nn.Tanh())
            self.attention_net.attention_b = nn.Sequential(nn.Linear(hidden, attention), nn.Sigmoid())
            self.attention_net.fc = nn.Linear(attention, branches)
            self.classifier = nn.Linear(hidden, 2)
            self.instance_classifiers = nn.ModuleList(nn.Linear(hidden, 2) for _ in range(2))
            if branches == 2:
                self.bag_classifiers = nn.ModuleList(nn.Linear(hidden, 1) for _ in range(2))

        def forward(self, x):
            h, net = self.adaptor(x), self.attention_net
            s = net.fc(net.attention_a(h) * net.attention_b(h)).T
            a = torch.softmax(s, 1)
            m = a @ h
            z = torch.cat([head(m[i]) for i, head in enumerate(self.bag_classifiers)]) if len(s) == 2 else self.classifier(m[0])
            return z, s, a  # both classes' logits, every branch's scores and attention

    class Block(nn.Module):
        def __init__(self, width, heads):
            super().__init__()
            self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
            self.attn = nn.MultiheadAttention(width, heads, batch_first=True)
            self.mlp = nn.Module()
            self.mlp.fc1, self.mlp.fc2 = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

        def forward(self, x):
            h = self.norm1(x)
            x = x + self.attn(h, h, h, need_weights=False)[0]
            return x + self.mlp.fc2(nn.functional.gelu(self.mlp.fc1(self.norm2(x))))

    class HIPT(nn.Module):
        def __init__(self, dim, width, cells, depths, heads):
            super().__init__()
            self.patch_agg, self.region_agg, self.classifier = nn.Module(), nn.Module(), nn.Linear(width, 1)
            self.patch_agg.proj = nn.Linear(dim, width, bias=False)
            self.patch_agg.pos = nn.Parameter(torch.zeros(1, cells, width))
            self.patch_agg.cls = nn.Parameter(torch.zeros(1, 1, width))
            self.region_agg.gap = nn.Module()
            self.region_agg.gap.q = nn.Parameter(torch.zeros(width))
            for part, depth in zip((self.patch_agg, self.region_agg), depths):
                part.blocks, part.norm = nn.ModuleList(Block(width, heads) for _ in range(depth)), nn.LayerNorm(width)

        def forward(self, x):  # regions x cells x dim
            patch, region = self.patch_agg, self.region_agg
            tokens = torch.cat([patch.cls.expand(len(x), -1, -1), patch.proj(x) + patch.pos], 1)
            for block in patch.blocks:
                tokens = block(tokens)
            t = patch.norm(tokens)[:, 0][None]
            for block in region.blocks:
                t = block(t)
            t = region.norm(t)[0]
            s = t @ region.gap.q / math.sqrt(t.shape[1])
            a = torch.softmax(s, 0)
            return self.classifier(a @ t), s, a

    class PatchLinear(nn.Module):
        def __init__(self, dim, hidden, outputs, top, negative):
            super().__init__()
            if hidden:
                self.patch_hidden = nn.Linear(dim, hidden)
            self.patch_classifier, self.hidden, self.top, self.negative = nn.Linear(hidden or dim, outputs), hidden, top, negative

        def logits(self, x):  # patches x outputs
            return self.patch_classifier(torch.relu(self.patch_hidden(x)) if self.hidden else x)

        def forward(self, x):
            o, k = self.logits(x), min(self.top, len(x))
            if o.shape[1] == 1:
                s = o[:, 0]
                return s.topk(k).values.mean()[None], s, torch.softmax(nn.functional.logsigmoid(s), 0)
            l = (o - (o[:, :1] if self.negative else o.mean(1, keepdim=True))).T
            return l.topk(k).values.mean(1), l, torch.softmax(torch.log_softmax(o, 1).T, 1)

    class GatedABMIL(nn.Module):
        def __init__(self, dim, hidden, attention):
            super().__init__()
            self.adaptor = nn.Sequential(nn.Linear(dim, hidden), nn.ReLU())
            self.attention_net = nn.Module()
            self.attention_net.attention_a = nn.Sequential(nn.Linear(hidden, attention), nn.Tanh())
            self.attention_net.attention_b = nn.Sequential(nn.Linear(hidden, attention), nn.Sigmoid())
            self.attention_net.fc = nn.Linear(attention, 1)
            self.classifier = nn.Linear(hidden, 1)

        def forward(self, x):
            h, net = self.adaptor(x), self.attention_net
            s = net.fc(net.attention_a(h) * net.attention_b(h))[:, 0]
            a = torch.softmax(s, 0)
            return self.classifier(a @ h), s, a

    def pseudo_inverse(a, steps=6):
        z = a.mT / (a.abs().sum(-1).max() * a.abs().sum(-2).max())
        one = torch.eye(a.shape[-1], dtype=a.dtype)
        for _ in range(steps):
            y = a @ z
            z = 0.25 * z @ (13 * one - y @ (15 * one - y @ (7 * one - y)))
        return z

    class Nystrom(nn.Module):
        def __init__(self, width, heads, landmarks):
            super().__init__()
            self.heads, self.landmarks = heads, landmarks
            self.to_qkv, self.to_out = nn.Linear(width, 3 * width, bias=False), nn.Sequential(nn.Linear(width, width))
            self.res_conv = nn.Conv2d(heads, heads, (33, 1), padding=(16, 0), groups=heads, bias=False)

        def forward(self, x):  # tokens x width
            n, m = len(x), self.landmarks
            group = -(-n // m)
            x = torch.cat([x.new_zeros(group * m - n, x.shape[1]), x])
            q, k, v = (t.reshape(len(x), self.heads, -1).transpose(0, 1) for t in self.to_qkv(x).chunk(3, 1))
            q = q / math.sqrt(q.shape[-1])
            ql, kl = (t.reshape(self.heads, m, group, -1).mean(2) for t in (q, k))
            one, two, three = (torch.softmax(a @ b.mT, -1) for a, b in ((q, kl), (ql, kl), (ql, k)))
            z = pseudo_inverse(two)
            out = one @ z @ (three @ v) + self.res_conv(v[None])[0]
            return self.to_out(out.transpose(0, 1).reshape(len(x), -1))[-n:], (one[:, -n] [:, None] @ z @ three).mean(0)[0, -n:]

    class Layer(nn.Module):
        def __init__(self, width, heads, landmarks):
            super().__init__()
            self.norm, self.attn = nn.LayerNorm(width), Nystrom(width, heads, landmarks)

        def forward(self, x):
            y, row = self.attn(self.norm(x))
            return x + y, row

    class Positions(nn.Module):
        def __init__(self, width):
            super().__init__()
            self.proj, self.proj1, self.proj2 = (nn.Conv2d(width, width, k, padding=k // 2, groups=width) for k in (7, 5, 3))

        def forward(self, x, side):
            grid = x[1:].T.reshape(1, -1, side, side)
            grid = self.proj(grid) + grid + self.proj1(grid) + self.proj2(grid)
            return torch.cat([x[:1], grid.reshape(x.shape[1], -1).T])

    class TransMIL(nn.Module):
        def __init__(self, dim, width, heads, landmarks):
            super().__init__()
            self._fc1, self.cls_token = nn.Sequential(nn.Linear(dim, width), nn.ReLU()), nn.Parameter(torch.zeros(1, 1, width))
            self.layer1, self.layer2 = Layer(width, heads, landmarks), Layer(width, heads, landmarks)
            self.pos_layer, self.norm, self._fc2 = Positions(width), nn.LayerNorm(width), nn.Linear(width, 2)

        def forward(self, x):
            k, side = len(x), math.ceil(math.sqrt(len(x)))
            h = self._fc1(x)
            h = torch.cat([self.cls_token[0], h, h[:side * side - k]])
            h = self.pos_layer(self.layer1(h)[0], side)
            h, row = self.layer2(h)
            s = row[1:k + 1].clone()
            s[:side * side - k] = s[:side * side - k] + row[k + 1:]
            a = s.clamp(min=0)
            return self._fc2(self.norm(h)[0]), s, a / a.sum() if a.sum() > 0 else torch.full_like(a, 1 / k)

    return ABMIL, DSMIL, CLAM, HIPT, PatchLinear, GatedABMIL, TransMIL


def depth_of(state, part):
    return len({name.split(".")[2] for name in state if name.startswith(part + ".blocks.")})


def own_module(name, state, threshold, sizes):
    """docs/models.md's module of these sizes; of CLAM both classes' logits and all branches (golden.py uses it, too)."""
    ABMIL, DSMIL, CLAM, HIPT, PatchLinear, GatedABMIL, TransMIL = make_modules()
    if name == "transmil":  # sizes: …, landmarks
        width, dim = state["_fc1.0.weight"].shape
        return TransMIL(dim, width, len(state["layer1.attn.res_conv.weight"]), int(sizes[5]) if len(sizes) > 5 and sizes[5] else width // 2)
    if name == "patch-linear":  # sizes: …, highest patches, is there a negative class
        head, hidden = state["patch_classifier.weight"], state.get("patch_hidden.weight")
        width, dim = (0, head.shape[1]) if hidden is None else hidden.shape
        return PatchLinear(dim, width, len(head), int(sizes[3]), bool(sizes[4]) if len(sizes) > 4 else True)
    first = state["patch_agg.proj.weight" if name == "hipt" else "adaptor.0.weight"]
    hidden, dim = first.shape
    if name == "abmil":
        return ABMIL(dim, hidden, threshold)
    if name == "dsmil":
        return DSMIL(dim, hidden, state["attention_q.weight"].shape[0], threshold)
    if name == "hipt":
        depths = depth_of(state, "patch_agg"), depth_of(state, "region_agg")
        return HIPT(dim, hidden, sizes[0] * sizes[1], depths, int(sizes[2]))
    if name == "gated-abmil":
        return GatedABMIL(dim, hidden, state["attention_net.attention_a.0.weight"].shape[0])
    return CLAM(dim, hidden, state["attention_net.attention_a.0.weight"].shape[0], 2 if name == "clam-mb" else 1)


def released_module(name, state, threshold, sizes):
    """The paper's classes, with an output like ours; None where it has none, or the sizes are not those that they are fixed to."""
    if name in ("patch-linear", "gated-abmil", "transmil"):
        return None, None
    sys.path.insert(0, os.environ["RMIL_RELEASED_CODE"])
    from rank_induction.networks import HIPT, mil
    import torch
    threshold = None if threshold < 0 else threshold  # a bag of one patch has no attention there when it is at least 1
    if name in ("abmil", "dsmil"):
        hidden, dim = state["adaptor.0.weight"].shape
        kind = mil.AttentionBasedFeatureMIL if name == "abmil" else mil.DSMIL
        more = {} if name == "abmil" else {"attn_dim": state["attention_q.weight"].shape[0]}
        module = kind(dim, hidden, 1, threshold=threshold, return_with="attention_score", **more)
        call = lambda x: (*module(x), None)
    elif name == "hipt":
        width, dim = state["patch_agg.proj.weight"].shape
        grid = int(sizes[0]), int(sizes[1])
        module = HIPT.HIPT(dim, grid, width, depth_of(state, "patch_agg"), int(sizes[2]), depth_of(state, "region_agg"), int(sizes[2]), 1)
        call = lambda x: (*module(x.reshape(len(x), *grid, dim)), None)
    else:
        hidden, dim = state["adaptor.0.weight"].shape
        if hidden != 512:
            return None, None
        kind = mil.CLAM_MB if name == "clam-mb" else mil.CLAM_SB
        module = kind(dim, state["attention_net.attention_a.0.weight"].shape[0])
        def call(x):
            z, _, _, s, _ = module(x)
            return z[0, 1:] - z[0, :1], s[-1], torch.softmax(s[-1], 0)
    return module, call


def as_regions(features, coords, side, rows, columns):
    """Regions x cells x D with zeros where no patch is, and every patch's region."""
    at = np.round((coords - coords.min(0)) / side).astype(np.int64)
    size = np.array([columns, rows])
    keys, region = np.unique((at // size)[:, ::-1], axis=0, return_inverse=True)
    cells = np.zeros((len(keys), rows * columns, features.shape[1]), np.float32)
    cells[region.reshape(-1), (at % size) @ np.array([1, columns])] = features
    return cells, region.reshape(-1)


def run_torch(folder, expected, name):
    import torch
    tensors, _ = read_safetensors(os.path.join(folder, "model.safetensors"))
    state = {key: torch.from_numpy(value.copy()) for key, value in tensors.items()}
    threshold, sizes = float(expected["numbers"][1]), expected["sizes"]
    if "RMIL_RELEASED_CODE" in os.environ:
        module, call = released_module(name, state, threshold, sizes)
    else:
        module = own_module(name, state, threshold, sizes)
        def call(x):
            z, s, a = module(x)
            return (z[1:] - z[:1], *((s[-1], a[-1]) if name.startswith("clam") else (s, a))) if len(z) == 2 else (z, s, a)
    if module is None:
        return None
    module.load_state_dict(state)
    module.eval()
    x, region = expected["features"], slice(None)
    if name == "hipt":
        x, region = as_regions(x, expected["coords"], expected["numbers"][0], int(sizes[0]), int(sizes[1]))
    with torch.no_grad():
        z, s, a = call(torch.from_numpy(x.copy()))
    outputs = {"logit": z.numpy(), "scores": s.numpy()[region]}
    if a is not None:
        outputs["attention"] = a.numpy()[region]
    worst = check(outputs, expected)
    state = module.state_dict()
    torch.save(state, os.path.join(folder, "state_dict.pth"))
    torch.save(state, os.path.join(folder, "legacy.pth"), _use_new_zipfile_serialization=False)
    optimiser = torch.optim.Adam(module.parameters())
    wrapped = {"module." + key: value for key, value in state.items()}
    torch.save({"epoch": 3, "model": wrapped, "optimizer": optimiser.state_dict()}, os.path.join(folder, "checkpoint.pth"))
    from safetensors.torch import save_file
    save_file(state, os.path.join(folder, "torch.safetensors"), {"format": "pt"})
    return worst


def main():
    folder = sys.argv[1]
    expected, metadata = read_safetensors(os.path.join(folder, "expected.safetensors"))
    done = []
    try:
        done.append(f"onnxruntime {run_onnx(os.path.join(folder, 'model.onnx'), expected):.1e}")
    except ImportError as missing:
        done.append(f"no {missing.name}")
    try:
        done.append(f"openvino {run_openvino(os.path.join(folder, 'model.onnx'), expected):.1e}")
    except ImportError as missing:
        done.append(f"no {missing.name}")
    try:
        worst = run_torch(folder, expected, metadata["model"]) if metadata["two"] == "yes" else None
        if worst is not None:
            done.append(f"torch {worst:.1e}")
    except ImportError as missing:
        done.append(f"no {missing.name}")
    print(", ".join(done))


if __name__ == "__main__":
    main()
