#!/usr/bin/env bash
# Runs what `cargo xtask gpu bundle` packed, on a machine without cargo and without a network.
#   bash run.sh check --stage kernels     toolrl gpu check with these arguments; results beside $OUT, else here
#   bash run.sh toolrl ARGUMENTS          any command of toolrl
#   bash run.sh baseline ARGUMENTS        the same shapes in PyTorch: gpu_baseline.py
#   bash run.sh keep FOLDER               keeps the pieces of larger files until all of them are here
#   bash run.sh join NAME                 joins the pieces of one file, and prints its checksum and its path
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
place=${TMPDIR:-/tmp}/toolrl-gpu

unpack() {
  [ -f "$here/$1.tar.xz" ] || return 0
  [ -d "$place/$1" ] && [ "$place/$1" -nt "$here/$1.tar.xz" ] && return 0
  rm -rf "${place:?}/$1"; mkdir -p "$place/$1"
  tar -xf "$here/$1.tar.xz" -C "$place/$1" 2>/dev/null || python3 -m tarfile -e "$here/$1.tar.xz" "$place/$1"
  touch "$place/$1"
}

toolrl() {
  unpack program
  export CUDA_PATH=${CUDA_PATH:-/usr/local/cuda}
  # NVRTC: the toolkit's own, or the one that comes with PyTorch.
  local libraries=$CUDA_PATH/lib64:/usr/local/nvidia/lib64 wheel
  wheel=$(python3 -c 'import nvidia, pathlib
for root in nvidia.__path__:
    for found in pathlib.Path(root).rglob("libnvrtc.so*"):
        print(found.parent); raise SystemExit' 2>/dev/null || true)
  export LD_LIBRARY_PATH=$libraries${wheel:+:$wheel}${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
  # A program that was built without the LLVM library is run with a stand-in for its symbols.
  local stub=$place/program/libllvmstub.so
  if [ -f "$stub" ]; then LD_PRELOAD=$stub "$place/program/toolrl" "$@"; else "$place/program/toolrl" "$@"; fi
}

command=${1:?check, toolrl, baseline, keep or join}; shift
case $command in
  check)
    unpack golden
    golden=(); [ -d "$place/golden" ] && golden=(--golden "$place/golden")
    toolrl gpu check --out "${OUT:-.}/gpu-check.json" "${golden[@]}" "$@" ;;
  toolrl) toolrl "$@" ;;
  baseline) python3 "$here/gpu_baseline.py" --out "${OUT:-.}/gpu-baseline.json" "$@" ;;
  keep) mkdir -p "$place/pieces"; cp "$1"/* "$place/pieces/"; ls -l "$place/pieces" ;;
  join) cat "$place/pieces/$1".[0-9]* > "$place/$1"; sha256sum "$place/$1" ;;
  *) echo "no command $command: check, toolrl, baseline, keep or join" >&2; exit 2 ;;
esac
