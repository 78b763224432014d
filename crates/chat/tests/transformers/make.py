"""Writes cases.json: model directories, and what transformers' AutoTokenizer makes of them.

usage: make.py

Needs transformers; the file that is committed was made with 5.24. Every directory has the tokenizer of `base`, bytes without
merges, and the files of its case. The texts are encoded without special tokens added, and decoded with and without special
tokens; the conversations are rendered for a generation.
"""

import json
import tempfile
from pathlib import Path

from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers
from transformers import AutoTokenizer

CHATML = (
    "{%- for m in messages %}{{- '<|im_start|>' + m.role + '\\n' + m.content + '<|im_end|>\\n' }}{%- endfor %}"
    "{%- if add_generation_prompt %}{{- '<|im_start|>assistant\\n' }}{%- endif %}"
)
CONFIG = {
    "tokenizer_class": "PreTrainedTokenizerFast", "bos_token": "<|endoftext|>", "eos_token": "<|im_end|>",
    "pad_token": "<|endoftext|>", "chat_template": CHATML,
}
TEXTS = ["<|im_start|>hi<|im_end|>", "a <tool_call> b  <x>  c</x>d", "say<x>y and <X>", "<pad><|image|></s><s>"]
USER = [{"role": "user", "content": "hi"}]
TOOL = {"type": "function", "function": {"name": "f", "parameters": {"type": "object", "properties": {}}}}


def base():
    tokenizer = Tokenizer(models.BPE(vocab={c: i for i, c in enumerate(sorted(pre_tokenizers.ByteLevel.alphabet()))}, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens(["<|endoftext|>", "<|im_start|>", "<|im_end|>"])
    tokenizer.add_tokens([AddedToken("<tool_call>", special=False, normalized=False)])
    return json.loads(tokenizer.to_str())


def token(content, **flags):
    return {"content": content, "lstrip": False, "normalized": False, "rstrip": False, "single_word": False, "special": True} | flags


def decoder(*tokens):
    return {str(id): of for id, of in tokens}


def config(**more):
    return json.dumps(CONFIG | more)


def cases():
    """Name, files, conversations: (messages, tools, template variables)."""
    own = [(USER, None, {})]
    yield "as it is", {"tokenizer_config.json": config()}, own
    yield "tokens of the decoder alone", {"tokenizer_config.json": config(added_tokens_decoder=decoder((260, token("<x>")), (261, token("</x>", special=False))))}, own
    yield "an id that is not the next", {"tokenizer_config.json": config(added_tokens_decoder=decoder((300, token("<x>")), (299, token("</x>"))))}, own
    yield "flags", {"tokenizer_config.json": config(added_tokens_decoder=decoder((260, token("<x>", lstrip=True, rstrip=True)), (261, token("<X>", single_word=True)), (259, token("<tool_call>", special=True))))}, own
    yield "extra special tokens", {"tokenizer_config.json": config(extra_special_tokens=["<x>", "<tool_call>"])}, own
    yield "additional special tokens", {"tokenizer_config.json": config(additional_special_tokens=["</x>", "<x>"], image_token="<|image|>")}, own
    yield "named special tokens", {"tokenizer_config.json": config(extra_special_tokens={"boi_token": "<|image|>", "x": "<x>"})}, own
    yield "special tokens that are new", {"tokenizer_config.json": config(pad_token="<pad>", bos_token="<s>", eos_token="</s>")}, own
    old = {"eos_token": {"content": "</s>", "lstrip": False, "normalized": False, "rstrip": True, "single_word": False}, "pad_token": "<pad>", "additional_special_tokens": ["<x>"]}
    yield "an older map over the configuration", {"tokenizer_config.json": config(), "special_tokens_map.json": json.dumps(old)}, own
    yield "an older map beside the decoder", {"tokenizer_config.json": config(added_tokens_decoder=decoder((260, token("<x>")))), "special_tokens_map.json": json.dumps(old), "added_tokens.json": json.dumps({"</x>": 261})}, own
    yield "older added tokens", {"tokenizer_config.json": config(additional_special_tokens=["<x>"]), "added_tokens.json": json.dumps({"</x>": 261, "<x>": 260, "<tool_call>": 259})}, own
    yield "a map alone", {"special_tokens_map.json": json.dumps(old | {"bos_token": "<s>"}), "chat_template.jinja": "{{ bos_token }}{{ eos_token }}{{ pad_token }}"}, own
    yield "special tokens as text", {"tokenizer_config.json": config(split_special_tokens=True)}, own
    yield "a template file over the configuration", {"tokenizer_config.json": config(), "chat_template.jinja": "file {{ messages[0].content }}\n"}, own
    two = [(USER, None, {}), (USER, [TOOL], {})]
    listed = [{"name": "default", "template": "plain"}, {"name": "tool_use", "template": "tools {{ tools | tojson }}"}]
    yield "templates by name", {"tokenizer_config.json": config(chat_template=listed)}, two
    yield "a folder of templates", {"tokenizer_config.json": config(), "chat_template.jinja": "plain", "additional_chat_templates/tool_use.jinja": "tools {{ tools | length }}", "additional_chat_templates/rag.jinja": "rag"}, two
    yield "a folder of templates beside the configuration's", {"tokenizer_config.json": config(), "additional_chat_templates/default.jinja": "of the folder"}, two
    yield "one template for both", {"tokenizer_config.json": config(chat_template="{{ tools is none }}{{ tools is defined }}")}, two
    lines = "{%- if true %}\r\n  a\r\n{%- endif %}\r\n{% for m in messages %}\r\n  {% if m.role %}\r\n[{{ m.content }}]\r\n  {% endif %}\r\n{% endfor %}\r\n{{ 'x\r\ny' }}\rz\r\n"
    yield "lines that end otherwise", {"tokenizer_config.json": config(), "chat_template.jinja": lines}, own
    yield "lines of the configuration that end otherwise", {"tokenizer_config.json": config(chat_template=lines + "\r\n")}, own
    keys = "{% for m in messages %}{% for k in m %}{{ k }} {% endfor %}{{ m.content is defined }}{{ m.content is string }} {% endfor %}"
    said = [
        {"role": "assistant", "content": None, "name": None, "tool_calls": [TOOL]},
        {"role": "assistant", "content": "a", "thinking": "t"}, {"role": "assistant", "content": "", "reasoning": "r"},
        {"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]},
    ]
    yield "what messages have", {"tokenizer_config.json": config(chat_template=keys)}, [(said, None, {})]
    parts = "{% for m in messages %}{% if m.content is string %}{{ m.content }}{% else %}{% for p in m.content %}{{ loop.index }}{{ p.type }}:{{ p['text'] | trim }} {% endfor %}{% endif %}{% endfor %}"
    yield "content of parts", {"tokenizer_config.json": config(chat_template=parts)}, [(said[3:] + USER, None, {})]
    yield "variables", {"tokenizer_config.json": config(chat_template="{{ date_string }} {{ enable_thinking }} {{ bos_token }} {{ of.a if of is defined }} {{ documents }}")}, [(USER, None, {"date_string": "26 Jul", "enable_thinking": False, "bos_token": "B", "of": {"a": [1, None]}}), (USER, None, {"documents": [{"title": "t", "text": "x"}]})]
    functions = "{% set c = cycler('a', 'b') %}{{ c.next() }}{{ c.next() }}{{ c.next() }}{% set j = joiner('-') %}{{ j() }}1{{ j() }}2{{ dict(a=1) }}{% set ns = namespace(n=1) %}{% set ns.n = 2 %}{{ ns.n }}"
    yield "functions", {"tokenizer_config.json": config(chat_template=functions)}, own


def results(files, conversations, tokenizer):
    with tempfile.TemporaryDirectory() as folder:
        for name, text in ({"tokenizer.json": json.dumps(tokenizer)} | files).items():
            path = Path(folder, name)
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(text.encode())
        loaded = AutoTokenizer.from_pretrained(folder)
        encoded = [loaded(text, add_special_tokens=False)["input_ids"] for text in TEXTS]
        rendered = []
        for messages, tools, variables in conversations:
            text = loaded.apply_chat_template(messages, tools=tools, tokenize=False, add_generation_prompt=True, **variables)
            rendered.append({"messages": messages, "tools": tools, "variables": variables, "text": text})
        return {
            "texts": [{"text": text, "ids": ids, "plain": loaded.decode(ids, skip_special_tokens=True)} for text, ids in zip(TEXTS, encoded)],
            "bos": loaded.bos_token_id, "eos": loaded.eos_token_id, "pad": loaded.pad_token_id, "conversations": rendered,
        }


def main():
    tokenizer = base()
    made = [{"name": name, "files": files} | results(files, conversations, tokenizer) for name, files, conversations in cases()]
    written = json.dumps({"tokenizer": tokenizer, "cases": made}, ensure_ascii=False)
    Path(__file__).with_name("cases.json").write_text(written + "\n")


if __name__ == "__main__":
    main()
