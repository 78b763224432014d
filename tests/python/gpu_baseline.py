#!/usr/bin/env python3
"""The shapes of `toolrl gpu check` in PyTorch and transformers: what its figures are to be seen beside.

  python tests/python/gpu_baseline.py --out gpu-baseline.json [--device cuda] [--scale full] [--stage train]

Weights mean nothing. Training: forward and backward of 8 sequences of 1,024 tokens, the loss on all tokens, the head in
chunks so that it fits. Decoding: `generate` as it comes, prompts of 512 tokens.
Writes one JSON object and prints its rows. `--scale tiny` is for a CPU.
"""
import argparse
import json
import os
import time

import torch
from transformers import Qwen2Config, Qwen2ForCausalLM

SHAPES = {
    "full": {
        "qwen2.5-0.5b": (896, 4864, 24, 14, 2, 151936),
        "qwen2.5-1.5b": (1536, 8960, 28, 12, 2, 151936),
    },
    "tiny": {"tiny": (64, 192, 2, 4, 2, 512)},
}

parser = argparse.ArgumentParser()
parser.add_argument("--out", default="gpu-baseline.json")
parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
parser.add_argument("--scale", choices=SHAPES, default="full")
parser.add_argument("--stage", action="append", choices=["ceilings", "train", "decode"])
args = parser.parse_args()
stages = args.stage or ["ceilings", "train", "decode"]
tiny = args.scale == "tiny"
on_gpu = args.device.startswith("cuda")
dtype = torch.bfloat16 if on_gpu else torch.float32
rows = []


def add(name, value, unit):
    rows.append({"name": name, "value": value, "unit": unit})
    print(f"{name:<52} {value:12.4g} {unit}", flush=True)


def seconds(run, warm=2, times=5):
    for _ in range(warm):
        run()
    if on_gpu:
        torch.cuda.synchronize()
    begin = time.perf_counter()
    for _ in range(times):
        run()
    if on_gpu:
        torch.cuda.synchronize()
    return (time.perf_counter() - begin) / times


def ceilings():
    sizes = [(64, 64, 64)] if tiny else [
        (8192, 8192, 8192), (8192, 1536, 1536), (8192, 1536, 8960), (8192, 8960, 1536), (4096, 1536, 151936), (64, 1536, 8960),
    ]
    for tokens, inputs, outputs in sizes:
        x = torch.randn(tokens, inputs, device=args.device, dtype=dtype)
        weight = torch.randn(outputs, inputs, device=args.device, dtype=dtype)
        flops = 2 * tokens * inputs * outputs
        took = seconds(lambda: torch.nn.functional.linear(x, weight), 3, min(100, max(5, int(2e13 / flops))) if not tiny else 3)
        add(f"product {tokens} x {inputs} x {outputs}", flops / took / 1e12, "TFLOP/s")
    x = torch.zeros(1 << (20 if tiny else 28), device=args.device)
    add("copy, bytes read and written", 8 * x.numel() / seconds(lambda: x + 1, 3, 20) / 1e12, "TB/s")


def model_of(shape):
    hidden, inner, layers, query, kv, vocabulary = shape
    config = Qwen2Config(
        hidden_size=hidden, intermediate_size=inner, num_hidden_layers=layers, num_attention_heads=query,
        num_key_value_heads=kv, vocab_size=vocabulary, tie_word_embeddings=True, rope_theta=1e6, rms_norm_eps=1e-6,
        bos_token_id=None, eos_token_id=None, pad_token_id=None,
    )
    with torch.device(args.device):
        torch.set_default_dtype(dtype)
        model = Qwen2ForCausalLM._from_config(config, attn_implementation="sdpa")
        torch.set_default_dtype(torch.float32)
    return model


def head_loss(hidden, weight, targets, chunk=2048):
    """Minus the mean log-probability, the logits of a chunk of rows at a time in memory."""
    def part(h, t):
        return torch.nn.functional.cross_entropy((h @ weight.T).float(), t, reduction="sum")
    total = 0.0
    for at in range(0, hidden.shape[0], chunk):
        total = total + torch.utils.checkpoint.checkpoint(part, hidden[at : at + chunk], targets[at : at + chunk], use_reentrant=False)
    return total / hidden.shape[0]


def train(name, model):
    sequences, length = (2, 16) if tiny else (8, 1024)
    ids = torch.randint(0, model.config.vocab_size, (sequences, length), device=args.device)
    targets = torch.randint(0, model.config.vocab_size, (sequences * length,), device=args.device)
    model.train()
    for recompute in (False, True):
        (model.gradient_checkpointing_enable if recompute else model.gradient_checkpointing_disable)()

        def step():
            model.zero_grad(set_to_none=True)
            hidden = model.model(ids, use_cache=False).last_hidden_state.flatten(0, 1)
            head_loss(hidden, model.lm_head.weight, targets).backward()

        kind = "Recompute" if recompute else "Keep"
        add(f"{name} forward and backward, {kind}", ids.numel() / seconds(step, 2, 1 if tiny else 3), "tokens/s")
    model.gradient_checkpointing_disable()
    model.zero_grad(set_to_none=True)
    model.eval()


@torch.no_grad()
def decode(name, model):
    prompt, tokens = (12, 8) if tiny else (512, 128)
    for batch in (1, 4) if tiny else (1, 16, 64, 256):
        ids = torch.randint(0, model.config.vocab_size, (batch, prompt), device=args.device)
        mask = torch.ones_like(ids)

        def generate(n):
            model.generate(ids, attention_mask=mask, do_sample=True, temperature=1.0, top_k=0, min_new_tokens=n, max_new_tokens=n, pad_token_id=0)

        generate(2)
        step = (seconds(lambda: generate(tokens), 0, 1) - seconds(lambda: generate(1), 0, 1)) / (tokens - 1)
        add(f"{name} decoding, batch {batch}", batch / step, "tokens/s")


if "ceilings" in stages:
    ceilings()
for name, shape in SHAPES[args.scale].items():
    if not {"train", "decode"} & set(stages):
        break
    model = model_of(shape)
    if "train" in stages:
        train(name, model)
    if "decode" in stages:
        decode(name, model)
    del model
device = torch.cuda.get_device_name() if on_gpu else "cpu"
with open(args.out, "w") as out:
    json.dump({"device": device, "torch": torch.__version__, "scale": args.scale, "rows": rows}, out, indent=2)
    out.write("\n")
print(os.path.abspath(args.out))
