#!/usr/bin/env bash
# The recipe in verl, as `toolrl export verl` wrote it: recipe.yaml has its settings, and SETTINGS.md says what became of each.
#
#   pip install verl==0.9.1 vllm toolrl-*.whl       on every node
#   GPUS=8 NODES=1 bash run.sh                      more settings behind it, as trainer.total_training_steps=10
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
model=@MODEL@
model=${MODEL:-$model}
if [ -d "$here/$model" ]; then model=$here/$model; fi
exec python3 -m verl.trainer.main_ppo --config-dir "$here" --config-name recipe \
  data.train_files="$here/train.parquet" \
  data.val_files="$here/held_out.parquet" \
  reward.custom_reward_function.path="$here/reward.py" \
  actor_rollout_ref.model.path="$model" \
  actor_rollout_ref.model.tokenizer_path="$here/tokenizer" \
  critic.model.path="$model" \
  critic.model.tokenizer_path="$here/tokenizer" \
  trainer.n_gpus_per_node="${GPUS:-8}" \
  trainer.nnodes="${NODES:-1}" \
  trainer.default_local_dir="${OUT:-$here/run}" \
  "$@"
