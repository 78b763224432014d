"""What bitsandbytes makes of some numbers, for bitsandbytes.json: `python make.py > bitsandbytes.json`
(bitsandbytes 0.50.2 on a CPU, torch 2.15).

Quantisation is that of its default backend, which takes the nearest value as its GPU kernels do. Its library for the CPU
takes others for quotients below some 1e-5: the last line of standard error says how many."""

import json
import sys

import bitsandbytes as bnb
import bitsandbytes.functional as F
import torch
from bitsandbytes.backends.cpu import ops as cpu


def numbers(n, seed):
    """The same in `crates/grpo/tests/blockwise.rs`: f32 arithmetic on whole numbers below 2^24, of many magnitudes."""
    out = []
    for i in range(n):
        k = (i * 7919 + seed * 104729) % 100003
        out.append((k - 50001) / 1024.0 * (2.0 ** -(k % 23)))
    return torch.tensor(out, dtype=torch.float32)


def quantize(x, values, blocksize=256):
    """`quantize_blockwise` of bitsandbytes/backends/default/ops.py."""
    codes, scales = [], []
    for block in x.split(blocksize):
        scale = block.abs().max()
        scaled = torch.clamp(block * (1.0 / scale.clamp(min=1e-38)), -1, 1)
        codes.append(torch.bucketize(scaled, (values[:-1] + values[1:]) / 2, out_int32=True).to(torch.uint8))
        scales.append(scale)
    return torch.cat(codes), torch.stack(scales)


def requantize(x, values, scales, codes, blocksize):
    new = quantize(x, values, blocksize)
    codes.copy_(new[0])
    scales.copy_(new[1])


def bits(tensor):
    return tensor.view(torch.int32).tolist()


maps = {"signed": F.create_dynamic_map(signed=True), "unsigned": F.create_dynamic_map(signed=False)}
found = {"maps": {name: bits(values) for name, values in maps.items()}, "blocks": {}, "steps": {}}
for name, values in maps.items():
    x = numbers(600, 1) if name == "signed" else numbers(600, 2).abs()
    codes, scales = quantize(x, values)
    native, _ = F.quantize_blockwise(x, code=values, blocksize=256)
    print(f"{name}: {int((codes != native).sum())} of {len(x)} codes of the library differ", file=sys.stderr)
    found["blocks"][name] = {"codes": codes.tolist(), "scales": bits(scales)}
cpu._quant_blockwise_fp32_direct = requantize
p = torch.nn.Parameter(numbers(5000, 3))
optimizer = bnb.optim.AdamW8bit([p], lr=1e-2, betas=(0.9, 0.99), eps=1e-6, weight_decay=0.1)
for t in range(5):
    p.grad = numbers(5000, 10 + t) * 0.01
    optimizer.step()
state = optimizer.state[p]
found["steps"] = {
    "parameters": [round(float(v), 7) for v in p.detach()[::41]],
    "mean": state["state1"].tolist()[::41],
    "mean_square": state["state2"].tolist()[::41],
    "mean_scales": [float(v) for v in state["absmax1"]],
    "mean_square_scales": [float(v) for v in state["absmax2"]],
}
print(json.dumps(found))
