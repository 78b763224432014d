"""What bitsandbytes makes of some numbers, for bitsandbytes.json: `python make.py > bitsandbytes.json`
(bitsandbytes 0.50.2 on a CPU, torch 2.15)."""

import json

import bitsandbytes as bnb
import bitsandbytes.functional as F
import torch


def numbers(n, seed):
    """The same in `crates/grpo/tests/blockwise.rs`: f32 arithmetic on whole numbers below 2^24, of many magnitudes."""
    out = []
    for i in range(n):
        k = (i * 7919 + seed * 104729) % 100003
        out.append((k - 50001) / 1024.0 * (2.0 ** -(k % 23)))
    return torch.tensor(out, dtype=torch.float32)


def bits(tensor):
    return tensor.view(torch.int32).tolist()


maps = {"signed": F.create_dynamic_map(signed=True), "unsigned": F.create_dynamic_map(signed=False)}
found = {"maps": {name: bits(values) for name, values in maps.items()}, "blocks": {}, "steps": {}}
for name, values in maps.items():
    x = numbers(600, 1) if name == "signed" else numbers(600, 2).abs()
    codes, state = F.quantize_blockwise(x, code=values, blocksize=256)
    found["blocks"][name] = {"codes": codes.tolist(), "scales": bits(state.absmax)}
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
