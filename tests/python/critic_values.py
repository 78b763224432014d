"""Prints what transformers computes of a critic's directory: the value after each token, as a JSON list.

usage: critic_values.py DIR TOKEN...

Exits with 77 where transformers is not installed.
"""

import json
import sys

try:
    import torch
    from transformers import AutoModelForTokenClassification
except ImportError as missing:
    print(f"skipped: {missing}", file=sys.stderr)
    sys.exit(77)


def main():
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    critic = AutoModelForTokenClassification.from_pretrained(sys.argv[1], dtype=torch.float32).eval()
    with torch.no_grad():
        logits = critic(torch.tensor([[int(token) for token in sys.argv[2:]]])).logits
    assert logits.shape[-1] == 1, logits.shape
    print(json.dumps(logits[0, :, 0].tolist()))


if __name__ == "__main__":
    main()
