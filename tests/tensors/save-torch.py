# SPDX-License-Identifier: Apache-2.0
"""What PyTorch itself saves: called by test-weights.c with a folder. Writes FORM-TYPE.pth for both forms and three types, and the
numbers in them as float32, one after the other in the order of their names, as FORM-TYPE.raw. Tensors are views, transposed,
offset, shared, empty and of no dimension, as they come in real files."""
import os
import sys
from collections import OrderedDict

import torch

torch.manual_seed(1)
for kind in (torch.float32, torch.float16, torch.bfloat16):
    base = (100 * torch.randn(6, 8)).to(kind)
    tensors = OrderedDict(a=base, b=base[2:5], c=base.t(), d=base[:, 3], e=torch.zeros(0, 4).to(kind), f=base[1, 1].clone(),
                          g=torch.nn.Parameter(base.clone()), h=torch.randn(2, 3, 3, 3).to(kind).to(memory_format=torch.channels_last))
    tensors.update((f"layer.{name}", value) for name, value in torch.nn.BatchNorm2d(5).to(kind).state_dict().items()
                   if name != "num_batches_tracked")
    for zipped in (True, False):
        stem = os.path.join(sys.argv[1], f"{'zip' if zipped else 'legacy'}-{str(kind)[6:]}")
        torch.save(tensors, stem + ".pth", _use_new_zipfile_serialization=zipped)
        with open(stem + ".raw", "wb") as out:
            for name in sorted(tensors):
                out.write(tensors[name].detach().to(torch.float32).contiguous().numpy().tobytes())
