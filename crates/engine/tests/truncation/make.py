"""What transformers' logits processors keep, for truncation.json: `python make.py > truncation.json` (transformers 5.24)."""

import json

import numpy as np
import torch
from transformers import LogitsProcessorList, MinPLogitsWarper, TemperatureLogitsWarper, TopKLogitsWarper, TopPLogitsWarper

SETTINGS = [
    (1.0, 5, 1.0, 0.0), (1.0, 1, 1.0, 0.0), (0.7, 50, 1.0, 0.0), (1.0, 0, 0.9, 0.0), (1.0, 0, 1.0, 0.1),
    (2.0, 0, 1.0, 0.05), (0.5, 0, 1.0, 1.0), (1.3, 8, 0.8, 0.0), (1.0, 8, 0.9, 0.2), (1.5, 0, 0.95, 0.02),
    (0.8, 12, 0.99, 0.001), (1.0, 3, 0.5, 0.5),
]
rng = np.random.default_rng(24)
cases = []
for temperature, top_k, top_p, min_p in SETTINGS:
    # Whole numbers where nothing is decided among equals, so that some are equal.
    logits = (rng.normal(size=24) * 2.0).astype(np.float32).round(0 if top_p == 1.0 else 3) + 0.0
    warpers = LogitsProcessorList([TemperatureLogitsWarper(temperature)])
    if top_k > 0:
        warpers.append(TopKLogitsWarper(top_k))
    if top_p < 1.0:
        warpers.append(TopPLogitsWarper(top_p))
    if min_p > 0.0:
        warpers.append(MinPLogitsWarper(min_p))
    kept = torch.softmax(warpers(None, torch.tensor(logits)[None]), -1)[0]
    cases.append({
        "temperature": temperature, "top_k": top_k, "top_p": top_p, "min_p": min_p,
        "logits": [round(float(z), 3) for z in logits], "probabilities": [round(float(p), 7) for p in kept],
    })
print("[\n" + ",\n".join(json.dumps(case) for case in cases) + "\n]")
