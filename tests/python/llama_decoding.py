#!/usr/bin/env python3
"""llama.cpp's decoding of the batch that `toolrl bench step` samples: replies to prompts that several of them share.

  python -m venv venv && venv/bin/pip install llama-cpp-python gguf
  venv/bin/python tests/python/llama_decoding.py --policy DIR --prompts FILE --groups 4 --group-size 4 [--bf16]

The weights of a Llama in Hugging Face form are written as GGUF beside --out. Each prompt is computed once, its cache
shared by its replies, which are then decoded together; a token is drawn at temperature 1 by numpy, which the rate leaves
out. One JSON line for each way of keeping the cache: one for all sequences (`unified`), or one a sequence.
"""
import argparse, ctypes, json, pathlib, time

import gguf, llama_cpp as lib, numpy as np

p = argparse.ArgumentParser()
p.add_argument("--policy", type=pathlib.Path, required=True)
p.add_argument("--prompts", type=pathlib.Path, required=True, help="rows with prompt_ids")
p.add_argument("--groups", type=int, default=4)
p.add_argument("--group-size", type=int, default=4)
p.add_argument("--max-new-tokens", type=int, default=96)
p.add_argument("--threads", type=int, default=2)
p.add_argument("--bf16", action="store_true")
p.add_argument("--out", type=pathlib.Path, default=pathlib.Path("."))
args = p.parse_args()


def tensors(path):
    """Every tensor of a safetensors file in bf16 or f32, as f32."""
    data = path.read_bytes()
    size = int.from_bytes(data[:8], "little")
    for name, of in json.loads(data[8 : 8 + size]).items():
        if name == "__metadata__":
            continue
        raw = data[8 + size + of["data_offsets"][0] : 8 + size + of["data_offsets"][1]]
        if of["dtype"] == "BF16":
            flat = (np.frombuffer(raw, np.uint16).astype(np.uint32) << 16).view(np.float32)
        else:
            flat = np.frombuffer(raw, {"F32": np.float32}[of["dtype"]])
        yield name, flat.reshape(of["shape"])


def in_pairs(weight, heads):
    """Rows of a head in the order of llama.cpp's rotation, whose pairs are neighbours."""
    return weight.reshape(heads, 2, -1, weight.shape[1]).swapaxes(1, 2).reshape(weight.shape)


NAMES = {
    "input_layernorm": "attn_norm", "post_attention_layernorm": "ffn_norm",
    "self_attn.q_proj": "attn_q", "self_attn.k_proj": "attn_k", "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output", "mlp.gate_proj": "ffn_gate", "mlp.up_proj": "ffn_up", "mlp.down_proj": "ffn_down",
}


def write(path):
    c = json.loads((args.policy / "config.json").read_text())
    w = gguf.GGUFWriter(path, "llama")
    w.add_block_count(c["num_hidden_layers"])
    w.add_context_length(c["max_position_embeddings"])
    w.add_embedding_length(c["hidden_size"])
    w.add_feed_forward_length(c["intermediate_size"])
    w.add_head_count(c["num_attention_heads"])
    w.add_head_count_kv(c["num_key_value_heads"])
    w.add_layer_norm_rms_eps(c["rms_norm_eps"])
    w.add_rope_freq_base(c["rope_theta"])
    w.add_rope_dimension_count(c["hidden_size"] // c["num_attention_heads"])
    w.add_vocab_size(c["vocab_size"])
    w.add_tokenizer_model("no_vocab")
    for name, x in tensors(args.policy / "model.safetensors"):
        name = name.removeprefix("model.").removesuffix(".weight")
        if name in ("embed_tokens", "norm", "lm_head"):
            to = {"embed_tokens": "token_embd", "norm": "output_norm", "lm_head": "output"}[name]
        else:
            _, layer, rest = name.split(".", 2)
            to = f"blk.{layer}.{NAMES[rest]}"
            heads = {"attn_q": c["num_attention_heads"], "attn_k": c["num_key_value_heads"]}.get(NAMES[rest])
            x = in_pairs(x, heads) if heads else x
        if args.bf16 and x.ndim == 2:
            x = gguf.quants.quantize(x, gguf.GGMLQuantizationType.BF16)
            w.add_tensor(to + ".weight", x, raw_dtype=gguf.GGMLQuantizationType.BF16)
        else:
            w.add_tensor(to + ".weight", np.ascontiguousarray(x, dtype=np.float32))
    w.write_header_to_file()
    w.write_kv_data_to_file()
    w.write_tensors_to_file()
    w.close()


def run(model, prompts, unified):
    replies = args.groups * args.group_size
    longest = max(map(len, prompts)) + args.max_new_tokens
    shared = sum(map(len, prompts)) + replies * args.max_new_tokens
    settings = lib.llama_context_default_params()
    settings.n_ctx = (shared if unified else replies * longest) + 256 * replies
    settings.n_batch = settings.n_ubatch = 1024
    settings.n_seq_max = replies
    settings.n_threads = settings.n_threads_batch = args.threads
    settings.kv_unified = unified
    kind = 30 if args.bf16 else 0  # GGML_TYPE_BF16, GGML_TYPE_F32
    settings.type_k = settings.type_v = kind
    ctx = lib.llama_init_from_model(model, settings)
    memory, vocabulary = lib.llama_get_memory(ctx), lib.llama_vocab_n_tokens(lib.llama_model_get_vocab(model))
    batch = lib.llama_batch_init(1024, 0, replies)
    rng, next_of = np.random.default_rng(0), [0] * replies

    def put(i, token, at, sequence, wanted):
        batch.token[i], batch.pos[i], batch.n_seq_id[i], batch.logits[i] = token, at, 1, wanted
        batch.seq_id[i][0] = sequence

    def decode(n):
        batch.n_tokens = n
        code = lib.llama_decode(ctx, batch)
        assert code == 0, code

    def draw(i):
        logits = np.ctypeslib.as_array(lib.llama_get_logits_ith(ctx, i), (vocabulary,))
        return int(np.argmax(logits + rng.gumbel(size=vocabulary)))

    began, first = time.perf_counter(), []
    for g, prompt in enumerate(prompts):
        for i, token in enumerate(prompt):
            put(i, token, i, g * args.group_size, i + 1 == len(prompt))
        decode(len(prompt))
        logits = np.ctypeslib.as_array(lib.llama_get_logits_ith(ctx, len(prompt) - 1), (vocabulary,))
        first.append(int(np.argmax(logits)))
        for m in range(args.group_size):
            next_of[g * args.group_size + m] = draw(len(prompt) - 1)
            if m > 0:
                lib.llama_memory_seq_cp(memory, g * args.group_size, g * args.group_size + m, -1, -1)
    prompts_s, decoding_s = time.perf_counter() - began, 0.0
    for step in range(args.max_new_tokens - 1):
        for r in range(replies):
            put(r, next_of[r], len(prompts[r // args.group_size]) + step, r, True)
        began = time.perf_counter()
        decode(replies)
        decoding_s += time.perf_counter() - began
        next_of = [draw(r) for r in range(replies)]
    tokens = replies * args.max_new_tokens
    lib.llama_free(ctx)
    print(json.dumps({
        "unified": unified, "bf16": args.bf16, "prompts_s": round(prompts_s, 2), "decoding_s": round(decoding_s, 2),
        "tokens_a_second": round(tokens / (prompts_s + decoding_s), 1),
        "decoded_a_second": round((tokens - replies) / decoding_s, 1), "likeliest_first_tokens": first,
    }), flush=True)


if __name__ == "__main__":
    path = args.out / ("policy-bf16.gguf" if args.bf16 else "policy-f32.gguf")
    if not path.exists():
        write(path)
    rows = [json.loads(line)["prompt_ids"] for line in args.prompts.read_text().splitlines()][: args.groups]
    quiet = ctypes.CFUNCTYPE(None, ctypes.c_int, ctypes.c_char_p, ctypes.c_void_p)(lambda *_: None)
    lib.llama_log_set(quiet, ctypes.c_void_p(0))
    lib.llama_backend_init()
    settings = lib.llama_model_default_params()
    loaded = lib.llama_model_load_from_file(str(path).encode(), settings)
    for unified in (True, False):
        run(loaded, rows, unified)
