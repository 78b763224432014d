#!/usr/bin/env python3
"""Forward and backward passes of PyTorch on the shapes of a step of `toolrl bench step --compare plain --json`.

  python tests/python/pytorch_step.py --policy DIR --rows 256 --length 350 --replies 100 --micro-rows 23

Rows of random tokens, of which the last `replies` carry the loss (minus the mean of their log-probabilities); f32, the
head on those tokens alone, as TRL has it. Prints one JSON line a repetition: seconds and tokens.
"""
import argparse
import json
import time

import torch
from transformers import AutoModelForCausalLM

parser = argparse.ArgumentParser()
parser.add_argument("--policy", required=True)
parser.add_argument("--rows", type=int, required=True)
parser.add_argument("--length", type=int, required=True)
parser.add_argument("--replies", type=int, required=True)
parser.add_argument("--micro-rows", type=int, required=True)
parser.add_argument("--repetitions", type=int, default=5)
parser.add_argument("--threads", type=int, default=2)
args = parser.parse_args()

torch.set_num_threads(args.threads)
torch.manual_seed(0)
model = AutoModelForCausalLM.from_pretrained(args.policy, dtype=torch.float32, attn_implementation="sdpa")
model.train()
ids = torch.randint(0, model.config.vocab_size, (args.rows, args.length))


def passes():
    model.zero_grad(set_to_none=True)
    for start in range(0, args.rows, args.micro_rows):
        rows = ids[start : start + args.micro_rows]
        logits = model(rows, logits_to_keep=args.replies + 1, use_cache=False).logits[:, :-1]
        targets = rows[:, -args.replies :]
        logp = logits.log_softmax(-1).gather(-1, targets.unsqueeze(-1))
        (-logp.sum() / (args.rows * args.replies)).backward()


passes()
for _ in range(args.repetitions):
    begin = time.perf_counter()
    passes()
    print(json.dumps({"seconds": time.perf_counter() - begin, "tokens": ids.numel()}))
