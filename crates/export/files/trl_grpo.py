"""The recipe in TRL, as `toolrl export trl` wrote it. SETTINGS.md says what became of each of its settings.

    pip install trl==1.16.0 toolrl-*.whl                    peft too, where adapters are trained
    python train.py                                         or accelerate launch train.py
    python train.py max_steps=10 use_vllm=true bf16=true    any argument of GRPOConfig, as JSON or a word
"""

import json
import os
import sys
from pathlib import Path

import settings
import toolrl
import torch
from datasets import Dataset
from reward import reward
from transformers import AutoModelForCausalLM, AutoTokenizer
from trl import GRPOConfig, GRPOTrainer
from trl.rewards import get_soft_overlong_punishment

HERE = Path(__file__).resolve().parent


def batch(world: int) -> dict:
    """An update has the recipe's number of replies on however many processes: micro-batches of at most `MICRO_REPLIES`."""
    replies = settings.REPLIES_PER_UPDATE
    for micro in range(min(settings.MICRO_REPLIES, replies), 0, -1):
        if replies % (micro * world) == 0:
            return {"per_device_train_batch_size": micro, "gradient_accumulation_steps": replies // (micro * world)}
    raise SystemExit(f"an update has {replies} replies, which {world} processes cannot share evenly: take fewer, or change REPLIES_PER_UPDATE")


def config(changes: dict) -> GRPOConfig:
    arguments = {"output_dir": str(HERE / "run"), **settings.ARGUMENTS, **batch(int(os.environ.get("WORLD_SIZE", "1")))}
    return GRPOConfig(**(arguments | changes))


def rows(name: str, tokenizer) -> Dataset:
    """A table, whose prompts have to be read as the tokens that the recipe samples from."""
    table = Dataset.from_parquet(str(HERE / name))
    for row in table:
        tokens = len(tokenizer(text=row["prompt"])["input_ids"])
        if tokens != row["prompt_tokens"]:
            raise SystemExit(f"{name}: the prompt of {row['id']} is read as {tokens} tokens, not as {row['prompt_tokens']}")
    return table


def model(name: str):
    place = str(HERE / name) if (HERE / name).is_dir() else name
    loaded = AutoModelForCausalLM.from_pretrained(place, revision=settings.REVISION or "main", dtype=torch.float32)
    loaded.generation_config.eos_token_id = settings.ENDS
    return loaded


def main(changes: dict) -> GRPOTrainer:
    kept = AutoTokenizer.from_pretrained(HERE / "tokenizer", padding_side="left", truncation_side="left")
    tokenizer = toolrl.trl.as_rendered(kept)
    rewards, more = [reward], {}
    args = config(changes)
    if args.use_vllm:
        args.generation_kwargs = {"stop_token_ids": settings.ENDS, **(args.generation_kwargs or {})}
    if settings.OVERLONG is not None:
        rewards.append(get_soft_overlong_punishment(args.max_completion_length, settings.OVERLONG["soft_punish_cache"]))
        args.reward_weights = [1.0, settings.OVERLONG["weight"]]
    if settings.PEFT is not None:
        from peft import LoraConfig

        more["peft_config"] = LoraConfig(task_type="CAUSAL_LM", **settings.PEFT)
    held_out = rows("held_out.parquet", tokenizer)
    if args.eval_strategy != "no":
        more["eval_dataset"] = held_out.select(range(min(settings.EVAL_LIMIT or len(held_out), len(held_out))))
    trainer = GRPOTrainer(
        model(settings.MODEL), rewards, args, rows("train.parquet", tokenizer), processing_class=tokenizer, **more
    )
    trainer.train(resume_from_checkpoint=args.resume_from_checkpoint)
    trainer.save_model(str(Path(args.output_dir) / "final"))
    return trainer


def value(text: str):
    try:
        return json.loads(text)
    except ValueError:
        return text


if __name__ == "__main__":
    main({key: value(text) for key, _, text in (pair.partition("=") for pair in sys.argv[1:])})
