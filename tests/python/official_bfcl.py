"""Scores result files with the official scorer of BFCL V3.

    official_bfcl.py ROOT MODEL

reads the result files under ROOT/result and prints a JSON object: `data`, the folder of the
benchmark's cases, and, if ROOT is given, `accuracy` by category. Exits with 77 where bfcl-eval
2025.8.6.2 is not installed.
"""

import contextlib
import importlib.metadata
import json
import os
import pathlib
import sys


def main():
    try:
        installed = importlib.metadata.version("bfcl-eval")
    except importlib.metadata.PackageNotFoundError:
        sys.exit(77)
    if installed != "2025.8.6.2":
        sys.exit(77)
    root, model = sys.argv[1:]
    os.environ["BFCL_PROJECT_ROOT"] = root
    with contextlib.redirect_stdout(sys.stderr):
        from bfcl_eval.constants.eval_config import PROMPT_PATH
        from bfcl_eval.eval_checker.eval_runner import main as evaluate

        if (pathlib.Path(root) / "result").exists():
            evaluate([model], ["all"], None, None)
    accuracy = {}
    for path in pathlib.Path(root).glob("score/*/*_score.json"):
        category = path.name.removeprefix("BFCL_v3_").removesuffix("_score.json")
        accuracy[category] = json.loads(path.read_text().splitlines()[0])["accuracy"]
    print(json.dumps({"data": str(PROMPT_PATH), "accuracy": accuracy}))


main()
