"""Holds a saved model directory against the one that it was loaded from, both read by transformers.

usage: same_model.py ORIGINAL SAVED

Every tensor, as f32, and the logits of a few tokens must be equal bit by bit. Exits with 0 when they are,
with 1 and the places when they are not, and with 77 where transformers is not installed.
"""

import sys

try:
    import torch
    from transformers import AutoModelForCausalLM
except ImportError as missing:
    print(f"skipped: {missing}", file=sys.stderr)
    sys.exit(77)


def load(directory):
    """The model in f32, ready to compute."""
    return AutoModelForCausalLM.from_pretrained(directory, dtype=torch.float32).eval()


def differences(original, saved):
    """Names of what differs, with the largest difference."""
    expected, found = original.state_dict(), saved.state_dict()
    for name in sorted(expected.keys() | found.keys()):
        if name not in expected or name not in found:
            yield name, "only in one of the two"
        elif not torch.equal(expected[name], found[name]):
            yield name, (expected[name] - found[name]).abs().max().item()
    ids = torch.arange(1, 25).reshape(2, 12) % original.config.vocab_size
    with torch.no_grad():
        gap = (original(ids).logits - saved(ids).logits).abs().max().item()
    if gap != 0.0:
        yield "logits", gap


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    original, saved = (load(directory) for directory in sys.argv[1:])
    found = list(differences(original, saved))
    for name, gap in found:
        print(f"{name}: {gap}")
    print(f"{len(original.state_dict())} tensors, {len(found)} differences")
    sys.exit(1 if found else 0)


if __name__ == "__main__":
    main()
