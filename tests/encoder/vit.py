# SPDX-License-Identifier: Apache-2.0
"""Golden cases of vision transformers, as build/tests/conformance reads them: random weights in small under the names of a family, tiles,
and what timm and transformers make of them in float64: all tokens after the last norm, the class token, the mean of the patches, both.

    vit.py tests/golden/vit

Made with timm 1.0.31, transformers 5.24 and torch 2.13."""
import argparse
import json
import os
import sys
import tempfile

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from timm.layers import SwiGLUPacked
from timm.models.vision_transformer import VisionTransformer
from transformers import Dinov2Config, Dinov2Model, ViTConfig, ViTModel

MEAN, STD = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]


def randomise(model, seed):
    """Weights that float32 holds, in float64; norms and layer scales away from 1 and 0."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, p in model.named_parameters():
            noise = torch.randn(p.shape, generator=generator)
            about_one = name.endswith(("norm.weight", "norm1.weight", "norm2.weight", "before.weight", "after.weight", "gamma", "lambda1"))
            p.copy_(1 + 0.2 * noise if about_one else noise * (1.5 / np.sqrt(p.shape[-1]) if p.ndim > 1 else 0.3))
    return model.double().eval()


def tiles(count, side, seed):
    return torch.from_numpy(np.random.default_rng(seed).integers(0, 256, (count, side, side, 3), dtype=np.uint8))


def published(model):
    """The names that files have: transformers 5 has others in memory."""
    if not hasattr(model, "save_pretrained"):
        return model.state_dict()
    with tempfile.TemporaryDirectory() as place:
        model.save_pretrained(place)
        return load_file(os.path.join(place, "model.safetensors"))


def save(folder, name, model, run, rgb, registers, facts, weights_file=None, wrap=None):
    x = rgb.double() / 255
    x = ((x - torch.tensor(MEAN).double()) / torch.tensor(STD).double()).permute(0, 3, 1, 2).contiguous()
    with torch.no_grad():
        tokens = run(model, x)
    patches = tokens[:, 1 + registers:]
    expect = {"tokens": tokens, "cls": tokens[:, 0], "mean": patches.mean(1), "clsmean": torch.cat([tokens[:, 0], patches.mean(1)], 1)}
    held = {"expect." + key: value.float().contiguous() for key, value in expect.items()} | {"input_u8": rgb}
    weights = {key: value.float().contiguous() for key, value in published(model).items()}
    facts = {"registers": registers, "image": rgb.shape[1], "mean": json.dumps(MEAN), "std": json.dumps(STD), "interp": "none"} | facts
    if wrap:
        facts["weights_file"] = weights_file
        torch.save(wrap(weights), os.path.join(folder, weights_file))
    else:
        held |= weights
    save_file(held, os.path.join(folder, name + ".safetensors"), {key: str(value) for key, value in facts.items()})


def main(folder):
    os.makedirs(folder, exist_ok=True)
    forward = lambda model, x: model.forward_features(x)
    hidden = lambda model, x: model(pixel_values=x, interpolate_pos_encoding=True).last_hidden_state

    # UNI2-h's form: registers without positions, gated MLP, layer scale; positions of a 4 x 4 grid for one of 3 x 3
    model = VisionTransformer(img_size=32, patch_size=8, embed_dim=18, depth=2, num_heads=3, num_classes=0, mlp_ratio=16 / 3, init_values=1,
                              reg_tokens=2, no_embed_class=True, mlp_layer=SwiGLUPacked, act_layer=torch.nn.SiLU, dynamic_img_size=True)
    save(folder, "timm_gated", randomise(model, 1), forward, tiles(2, 24, 1), 2,
         {"family": "timm", "heads": 3, "eps": 1e-6, "interp": "timm: bicubic, antialias, by size"})

    # Phikon's: Hugging Face's names, epsilon 1e-12
    config = ViTConfig(hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=64, image_size=24, patch_size=8)
    model = ViTModel(config, add_pooling_layer=False)
    save(folder, "hf_vit", randomise(model, 2), hidden, tiles(3, 24, 2), 0, {"family": "hf_vit", "heads": 2, "eps": config.layer_norm_eps})

    # Phikon-v2's, at another size
    config = Dinov2Config(hidden_size=16, num_hidden_layers=1, num_attention_heads=2, mlp_ratio=4, image_size=24, patch_size=8)
    model = Dinov2Model(config)
    save(folder, "hf_dinov2", randomise(model, 3), hidden, tiles(1, 40, 3), 0,
         {"family": "hf_dinov2", "heads": 2, "eps": config.layer_norm_eps, "interp": "hf: bicubic, no antialias, by size"})

    # a checkpoint of DINO's training: a student before the teacher, arguments, prefixes, a head; one matrix transposed in memory
    model = VisionTransformer(img_size=24, patch_size=8, embed_dim=16, depth=1, num_heads=2, num_classes=0)

    def wrap(weights):
        named = {"module.backbone." + key: value for key, value in weights.items()}
        named["module.backbone.blocks.0.mlp.fc1.weight"] = weights["blocks.0.mlp.fc1.weight"].t().contiguous().t()
        named["module.head.mlp.0.weight"] = torch.zeros(4, 16)
        return {"student": {key: value + 1 for key, value in named.items()}, "teacher": named, "epoch": 3, "loss": 0.5,
                "args": argparse.Namespace(arch="vit_small", patch_size=8), "optimizer": {"state": {}, "param_groups": [{"lr": 1e-3}]}}

    save(folder, "dino_teacher", randomise(model, 4), forward, tiles(2, 24, 4), 0, {"family": "dino", "heads": 2, "eps": 1e-6},
         "dino_teacher.pth", wrap)


main(sys.argv[1])
