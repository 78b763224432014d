#!/usr/bin/env python3
"""Writes what a real server should answer, as transformers computes it in float32: two adapters, a greedy reply to each
prompt by either, and the log-probabilities of a probe.

    python case.py MODEL_DIR CASE_DIR
    VLLM_ALLOW_RUNTIME_LORA_UPDATING=1 vllm serve MODEL_DIR --served-model-name live --dtype float32 --enable-lora \\
        --max-loras 3
    TOOLRL_SERVER_CASE=CASE_DIR cargo test -p toolrl-servers --test live

For a server elsewhere than at http://127.0.0.1:8000, change "urls" in CASE_DIR/case.json; for SGLang, "kind" as well.
"""
import json
import sys
from pathlib import Path

import torch
from peft import LoraConfig, get_peft_model
from transformers import AutoModelForCausalLM, AutoTokenizer

TEXT = """Each version of the weights has a name of its own. A server that says it took one may go on with another, so it is
asked for the log-probabilities of this text: 17 * 23 = 391, {"name": "search", "parameters": {"query": "Oslo"}}."""
TASKS = ["Name three animals of the sea.", "Name two trees.", "What is the capital of Norway?"]
NEW_TOKENS = 24


def logprobs(model, tokens, start=1):
    with torch.no_grad():
        rows = model(torch.tensor([tokens])).logits[0, start - 1 : -1].log_softmax(-1)
    return rows.gather(1, torch.tensor(tokens[start:])[:, None])[:, 0].tolist()


def greedy(model, prompt, end):
    tokens = list(prompt)
    while len(tokens) < len(prompt) + NEW_TOKENS and tokens[-1] != end:
        with torch.no_grad():
            tokens.append(int(model(torch.tensor([tokens])).logits[0, -1].argmax()))
    return {"prompt": prompt, "tokens": tokens[len(prompt) :], "logprobs": logprobs(model, tokens, len(prompt))}


def main(model_dir, case_dir):
    torch.manual_seed(0)
    case = Path(case_dir).resolve()
    case.mkdir(parents=True, exist_ok=True)
    tokenizer = AutoTokenizer.from_pretrained(model_dir)
    base = AutoModelForCausalLM.from_pretrained(model_dir, dtype=torch.float32)
    ask = lambda task: f"<|im_start|>user\n{task}<|im_end|>\n<|im_start|>assistant\n"
    prompts = [tokenizer(ask(task))["input_ids"] for task in TASKS]
    probe = tokenizer(TEXT)["input_ids"]
    model = get_peft_model(base, LoraConfig(r=8, lora_alpha=16, target_modules="all-linear")).eval()
    versions = []
    # Adapters of some steps, and one step more.
    for version, change in enumerate([0.02, 0.0005], 1):
        with torch.no_grad():
            for name, parameter in model.named_parameters():
                if "lora_B" in name:
                    parameter.add_(torch.randn_like(parameter) * change)
        model.save_pretrained(case / f"v{version}")
        replies = [greedy(model, prompt, tokenizer.eos_token_id) for prompt in prompts]
        versions.append({"dir": str(case / f"v{version}"), "probe": logprobs(model, probe), "replies": replies})
    settings = {"kind": "vllm", "urls": ["http://127.0.0.1:8000"], "model": "live", "sync": "lora", "probe_limit": 1e-3}
    whole = {"servers": settings, "model_dir": str(Path(model_dir).resolve()), "probe": probe, "versions": versions}
    (case / "case.json").write_text(json.dumps(whole))


if __name__ == "__main__":
    main(*sys.argv[1:])
