"""What a step of GRPO is made of, counted from a model's shape and public figures of GPUs: the tables of scale.md.

    python3 docs/scale.py [--prompt 815 --reply 396] [--gpus 8 --gpu H200] ...
"""

import argparse

# Dense bf16 TFLOP/s, memory in GB and its GB/s, NVLink in GB/s one way: NVIDIA's data sheets of the SXM modules.
GPUS = {"H100": (989, 80, 3350, 450), "H200": (989, 141, 4800, 450)}
NETWORK = 50  # GB/s of a GPU's 400 Gb/s port
DISK = 2  # GB/s, of an NVMe drive or a fast shared file system
A_NODE = 8

# Qwen2.5-7B's config.json: layers, hidden, heads, kv_heads, head_dim, intermediate, vocabulary; the head is untied.
LAYERS, HIDDEN, HEADS, KV_HEADS, HEAD, MLP, VOCABULARY = 28, 3584, 28, 4, 128, 18944, 152064


def parameters() -> int:
    q, kv = HEADS * HEAD, KV_HEADS * HEAD
    attention = HIDDEN * q + q + 2 * (HIDDEN * kv + kv) + q * HIDDEN
    return LAYERS * (attention + 3 * HIDDEN * MLP + 2 * HIDDEN) + HIDDEN + 2 * VOCABULARY * HIDDEN


def adapters(rank: int) -> int:
    q, kv = HEADS * HEAD, KV_HEADS * HEAD
    sides = [(HIDDEN, q), (HIDDEN, kv), (HIDDEN, kv), (q, HIDDEN), (HIDDEN, MLP), (HIDDEN, MLP), (MLP, HIDDEN)]
    return LAYERS * rank * sum(a + b for a, b in sides)


def forward(tokens: float, seen: float) -> float:
    """FLOPs: two for each weight but the embedding's, and four for each head's element and each token that is looked at."""
    return tokens * (2 * (parameters() - VOCABULARY * HIDDEN) + 4 * LAYERS * HEADS * HEAD * seen)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, default in dict(prompts=512, group=4, prompt=2048, reply=1024, updates=4, gpus=8, rank=16).items():
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--gpu", choices=GPUS, default="H100")
    parser.add_argument("--share", type=float, default=0.4, help="of the GPU's peak that training and prompts reach")
    a = parser.parse_args()
    tflops, memory, bandwidth, nvlink = GPUS[a.gpu]
    peak = a.gpus * tflops * 1e12 * a.share
    n, replies = parameters(), a.prompts * a.group
    kv = 2 * LAYERS * KV_HEADS * HEAD * 2
    link = nvlink if a.gpus <= A_NODE else NETWORK

    print(f"{n:,} parameters; {a.gpus} {a.gpu}s of {memory} GB; {a.prompts} x {a.group} replies of {a.reply} tokens to prompts of {a.prompt}")
    print("\nbytes of the whole model")
    gb = lambda what, size: print(f"  {what:44} {size / 1e9:8.2f} GB")  # noqa: E731
    gb("weights in bf16", 2 * n)
    gb("gradients in f32", 4 * n)
    gb("f32 masters", 4 * n)
    gb("AdamW's moments in f32", 8 * n)
    gb("all of these", 18 * n)
    gb(f"all of these, sharded over {a.gpus}", 18 * n / a.gpus)
    gb(f"adapters of rank {a.rank}, f32", 4 * adapters(a.rank))
    gb("inputs of layers, 8,192 tokens, bf16", 8192 * LAYERS * HIDDEN * 2)
    gb("a token's keys and values, x 1,000", 1000 * kv)
    each = replies / a.gpus
    gb(f"keys and values of {each:.0f} replies, a GPU's share", kv * (each * a.reply + each / a.group * a.prompt))

    print("\nseconds of a step, each part by itself")
    second = lambda what, s: print(f"  {what:44} {s:8.2f} s")  # noqa: E731
    second("prompts read, each once", forward(a.prompts * a.prompt, a.prompt / 2) / peak)
    weights, held = 2 * (n - VOCABULARY * HIDDEN), kv * (a.prompt + a.reply / 2) * each
    second("replies drawn, at the memory's bandwidth", a.reply * (weights + held) / (bandwidth * 1e9))
    second("of that reading weights", a.reply * weights / (bandwidth * 1e9))
    seen = a.prompt + a.reply / 2
    alone = forward(replies * (a.prompt + a.reply), (a.prompt + a.reply) / 2)
    shared = forward(a.prompts * a.prompt, a.prompt / 2) + forward(replies * a.reply, seen)
    second("old log-probabilities, prompt with each reply", alone / peak)
    second("training, prompt with each reply", 4 * alone / peak)
    second("training, prompt once a group", 4 * shared / peak)
    around = 2 * (a.gpus - 1) / a.gpus
    second(f"gradients summed, f32, {a.updates} updates", a.updates * around * 4 * n / (link * 1e9))
    second("the same of adapters", a.updates * around * 4 * adapters(a.rank) / (link * 1e9))
    second(f"AdamW, {a.updates} updates, sharded", a.updates * 30 * n / a.gpus / (bandwidth * 1e9))

    print("\nweights to the samplers, once a step")
    second("bf16, NVLink", 2 * n / (nvlink * 1e9))
    second("bf16, 400 Gb/s", 2 * n / (NETWORK * 1e9))
    second("bf16, disk: written, then read", 2 * 2 * n / (DISK * 1e9))
    second("adapters in f32, disk", 2 * 4 * adapters(a.rank) / (DISK * 1e9))


if __name__ == "__main__":
    main()
