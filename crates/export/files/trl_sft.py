"""The recipe in TRL, as `toolrl export trl` wrote it. SETTINGS.md says what became of each of its settings.

    pip install trl==1.16.0                                 peft too, where adapters are trained
    python train.py                                         or accelerate launch train.py
    python train.py max_steps=10 bf16=true                  any argument of SFTConfig, as JSON or a word
"""

import json
import os
import sys
from pathlib import Path

import settings
import torch
from datasets import Dataset
from transformers import AutoModelForCausalLM, AutoTokenizer
from trl import SFTConfig, SFTTrainer

HERE = Path(__file__).resolve().parent


def batch(world: int) -> dict:
    """An update has the recipe's number of replies on however many processes: micro-batches of at most `MICRO_REPLIES`."""
    replies = settings.REPLIES_PER_UPDATE
    for micro in range(min(settings.MICRO_REPLIES, replies), 0, -1):
        if replies % (micro * world) == 0:
            return {"per_device_train_batch_size": micro, "gradient_accumulation_steps": replies // (micro * world)}
    raise SystemExit(f"an update has {replies} replies, which {world} processes cannot share evenly: take fewer, or change REPLIES_PER_UPDATE")


def config(changes: dict) -> SFTConfig:
    arguments = {"output_dir": str(HERE / "run"), **settings.ARGUMENTS, **batch(int(os.environ.get("WORLD_SIZE", "1")))}
    return SFTConfig(**(arguments | changes))


def model(name: str):
    place = str(HERE / name) if (HERE / name).is_dir() else name
    return AutoModelForCausalLM.from_pretrained(place, revision=settings.REVISION or "main", dtype=torch.float32)


def main(changes: dict) -> SFTTrainer:
    # The rows are token ids, with the replies' marked: nothing is tokenised here.
    train, held_out = (Dataset.from_parquet(str(HERE / name)) for name in ("train.parquet", "held_out.parquet"))
    args, more = config(changes), {}
    if settings.PEFT is not None:
        from peft import LoraConfig

        more["peft_config"] = LoraConfig(task_type="CAUSAL_LM", **settings.PEFT)
    if args.eval_strategy != "no":
        more["eval_dataset"] = held_out.select(range(min(settings.EVAL_LIMIT or len(held_out), len(held_out))))
    tokenizer = AutoTokenizer.from_pretrained(HERE / "tokenizer")
    trainer = SFTTrainer(model(settings.MODEL), args, train_dataset=train, processing_class=tokenizer, **more)
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
