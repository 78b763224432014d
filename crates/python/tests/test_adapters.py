"""The adapters with the real packages, each where it is installed."""

import asyncio
import json
import math
import pickle

import pytest
import toolrl
from toolrl import nemo_gym, replies, trl, verl

GOLD = '<think>a</think>\n<tool_call>\n{"name": "weather", "parameters": {"city": "Rome"}}\n</tool_call>'
MESSAGE = {"role": "assistant", "content": "", "tool_calls": [{"type": "function", "function": {"name": "weather", "arguments": {"city": "Rome"}}}]}
HERMES = toolrl.write(MESSAGE, "hermes")


def test_a_reply_of_any_kind_has_one_text():
    parts = [{"type": "text", "text": text} for text in (HERMES[:9], HERMES[9:])]
    messages = [MESSAGE, [MESSAGE], MESSAGE | {"content": []}, {"content": HERMES}, {"content": parts}]
    assert {replies.text_of(reply, "hermes") for reply in [HERMES, f" {HERMES}\n", *messages]} == {HERMES}
    with pytest.raises(ValueError, match="image_url"):
        replies.text_of({"content": [{"type": "image_url"}]}, "hermes")
    with pytest.raises(ValueError, match="3"):
        replies.text_of(3, "hermes")


def test_trl_reward_functions():
    reward = pickle.loads(pickle.dumps(trl.Reward(gold="answer", dialect="hermes")))
    completions = [[{"role": "assistant", "content": HERMES}], [{"role": "assistant", "content": "no"}]]
    scores = reward(prompts=["p", "p"], completions=completions, answer=[HERMES, MESSAGE], tools=["[]", []])
    assert scores == toolrl.Rubric().totals([HERMES, "no"], [HERMES] * 2, dialect="hermes")
    with pytest.raises(ValueError, match="'answer'"):
        reward(prompts=["p"], completions=["x"], other=["y"])


def test_a_step_of_trls_trainer(tmp_path):
    pytest.importorskip("trl", exc_type=ImportError)
    import datasets
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast
    from trl import GRPOConfig, GRPOTrainer

    words = Tokenizer(models.WordLevel({word: i for i, word in enumerate(["<pad>", "<eos>", "a", "b", "c"])}, unk_token="c"))
    words.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=words, pad_token="<pad>", eos_token="<eos>")
    shape = dict(vocab_size=5, hidden_size=16, intermediate_size=16, num_hidden_layers=1, num_attention_heads=2)
    model = LlamaForCausalLM(LlamaConfig(**shape, pad_token_id=0, eos_token_id=1))
    rows = datasets.Dataset.from_list([{"prompt": "a b", "answer": HERMES}] * 4)
    limits = dict(per_device_train_batch_size=4, num_generations=4, max_completion_length=4, max_steps=1)
    config = GRPOConfig(str(tmp_path), **limits, report_to=[], use_cpu=True, bf16=False)
    reward = trl.Reward(gold="answer", dialect="hermes", tokenizer=tokenizer)
    trainer = GRPOTrainer(model, reward, config, rows, processing_class=tokenizer)
    trainer.train()
    logged = [row for row in trainer.state.log_history if "reward" in row]
    assert logged[0]["reward"] == -3.0, "every reply of a fresh model calls nothing"


def test_verls_function():
    result = verl.compute_score("rlla", GOLD.replace("Rome", "Oslo"), GOLD, {"tools": "[]"})
    assert result == {"score": 2.0, "format": 1.0, "correctness": 1.0, "format_reward": 1.0, "accuracy_reward": 1.0}
    star = verl.compute_score("x", HERMES, MESSAGE, None, reward="star", dialect="hermes", reward_router_address=None)
    assert star["score"] == toolrl.Rubric("star").total(HERMES, HERMES, dialect="hermes")


def test_verls_reward_manager():
    pytest.importorskip("verl", exc_type=ImportError)
    import numpy
    import torch
    from omegaconf import OmegaConf
    from verl import DataProto
    from verl.experimental.reward_loop.reward_manager.naive import NaiveRewardManager

    class Tokenizer:
        def decode(self, ids, skip_special_tokens):
            return GOLD

    data = DataProto.from_dict(
        {"responses": torch.zeros(1, 3, dtype=torch.long), "attention_mask": torch.ones(1, 5, dtype=torch.long)},
        non_tensors={
            "data_source": numpy.array(["rlla"], dtype=object),
            "reward_model": numpy.array([{"ground_truth": GOLD}], dtype=object),
            "extra_info": numpy.array([{}], dtype=object),
        },
    )

    async def scored():
        manager = NaiveRewardManager(OmegaConf.create({}), Tokenizer(), verl.compute_score)
        return await manager.run_single(data)

    scored = asyncio.run(scored())
    assert scored["reward_score"] == 4.0 and scored["reward_extra_info"]["accuracy_reward"] == 3.0


def test_a_task_of_verifiers():
    pytest.importorskip("verifiers.v1", exc_type=ImportError)
    import verifiers.v1 as vf
    from toolrl import verifiers

    class Data(vf.TaskData):
        answer: str

    class Task(vf.Task[Data]):
        calls = verifiers.reward(weight=2.0)

    class Trace:
        assistant_messages = [
            vf.types.AssistantMessage(tool_calls=[vf.types.ToolCall(id="1", name="weather", arguments='{"city": "Rome"}')])
        ]

    task = Task(Data(idx=0, prompt="?", answer=HERMES))
    assert asyncio.run(task.calls(Trace())) == 4.0
    assert task.calls._vf_weight == 2.0

    class Skips(toolrl.Rubric):
        def total(self, *_, **__):
            return math.nan

    class Other(vf.Task[Data]):
        calls = verifiers.reward(Skips())

    assert asyncio.run(Other(Data(idx=0, prompt="?", answer=HERMES)).calls(Trace())) == 0.0


def test_nemo_gyms_verify():
    call = {"type": "function_call", "name": "weather", "arguments": json.dumps({"city": "Rome"}), "call_id": "1"}
    tools = [{"type": "function", "name": "weather", "parameters": {"type": "object", "properties": {}}}]
    body = {"responses_create_params": {"tools": tools}, "response": {"output": [call]}, "gold": MESSAGE, "id": 7}
    answer = nemo_gym.verify(body)
    assert answer["reward"] == 4.0 and answer["reward_components"] == {"format": 1.0, "correctness": 3.0} and answer["id"] == 7
    assert nemo_gym.verify(body | {"gold": [call]})["reward"] == 4.0
    said = {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "No."}]}
    assert nemo_gym.verify(body | {"response": {"output": [said]}})["reward"] < 0
