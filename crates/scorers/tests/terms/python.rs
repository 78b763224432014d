//! `id = "python"`.

use std::path::Path;

use toolrl_grammar::dialect::named;
use toolrl_reward::{Context, Reference, Rubric};

use crate::{outcomes, python, refusal, rubric, scores, values, write};

fn of(dir: &Path, file: &str, more: &str) -> Rubric {
    write(dir, "reward.py", file);
    rubric(dir, &format!("id = \"python\"\npython = \"reward.py:score\"\n{more}")).unwrap()
}

#[test]
fn a_function_is_told_what_it_names() {
    let Some(dir) = python() else { return };
    let rubric = of(
        dir.path(),
        "def score(calls, gold, thoughts, response, *, step, steps, messages, tools, id, **rest):\n    \
         assert [c['arguments'] for c in calls] == [{'x': [1, 2.5, 'ü']}], calls\n    \
         assert calls[0]['name'] == gold['calls'][0]['name'] == 'f'\n    \
         assert thoughts == 'why' and response is None and gold['thoughts'] is None\n    \
         assert tools == [{'name': 'f'}] and messages is None and id is None\n    \
         assert rest['reply'] == rest['solution_str'] and rest['ground_truth'] == gold['reply']\n    \
         assert rest['faults'] == [] and rest['prompt'] is None\n    \
         return {'value': step / steps, 'note': 'so far', 'parts': {'steps': steps}}\n",
        "name = \"progress\"",
    );
    for (dialect, key) in [("toolrl", "parameters"), ("hermes", "arguments")] {
        let gold = format!("<tool_call>\n{{\"name\": \"f\", \"{key}\": {{}}}}\n</tool_call>");
        let reply = format!("<think>why</think>\n{}", gold.replace("{}", "{\"x\": [1, 2.5, \"ü\"]}"));
        let tools = [serde_json::json!({"name": "f"})];
        let reference = Reference::of_task(&gold, named(dialect).unwrap(), &tools).unwrap();
        let score =
            rubric.score(&reference.read(reply.as_bytes()), &reference, &Context::training(3, 12)).unwrap();
        assert_eq!(
            score.failures().map(|(_, failure)| failure.cause.to_string()).collect::<Vec<_>>(),
            [""; 0]
        );
        assert_eq!((score.value("progress"), score.terms[0].score.components[0].value), (Some(0.25), 12.0));
    }
}

#[test]
fn a_reward_function_of_trl_is_asked_by_the_batch() {
    let Some(dir) = python() else { return };
    let rubric = of(
        dir.path(),
        "def score(prompts, completions, ground_truth, trainer_state, **columns):\n    \
         assert [c[0]['role'] for c in completions] == ['assistant'] * len(prompts)\n    \
         assert [p[0]['content'] for p in prompts] == ['question ' + i[2:] for i in columns['id']]\n    \
         assert set(ground_truth) == {'gold'} and trainer_state.global_step == columns['step'] == 2\n    \
         assert columns['calls'] == [[] for _ in prompts]\n    \
         return [None if c[0]['content'] == 'none' else len(prompts) / 10 for c in completions]\n",
        "batch = 3",
    );
    let scores = scores(&rubric, &["a", "none", "c", "d"], Context::training(2, 9));
    let causes: Vec<_> = scores.iter().flat_map(|s| s.failures()).map(|(_, f)| f.cause.to_string()).collect();
    assert!(causes.is_empty(), "{causes:?}");
    assert_eq!(scores.iter().map(|score| score.total).collect::<Vec<_>>(), [0.3, 0.0, 0.3, 0.1]);
}

#[test]
fn asynchronous_functions_wait_together() {
    let Some(dir) = python() else { return };
    let rubric = of(
        dir.path(),
        "import asyncio\nnow = most = 0\nasync def score(reply):\n    global now, most\n    now += 1\n    \
         most = max(now, most)\n    await asyncio.sleep(0.05)\n    now -= 1\n    return most / 16\n",
        "",
    );
    assert_eq!(values(&rubric, &["aaa"; 16]), [1.0; 16]);
    let batched = "async def score(completions): return [1.0] * len(completions)";
    assert_eq!(values(&of(dir.path(), batched, ""), &["a", "b"]), [1.0; 2]);
}

#[test]
fn what_the_function_prints_or_reads_touches_no_answer() {
    let Some(dir) = python() else { return };
    let rubric = of(
        dir.path(),
        "import os, subprocess, sys\nprint('[1]')\n\
         def score(reply):\n    print('[1]', flush=True); os.write(1, b'[1]\\n'); subprocess.run(['echo', '[1]'])\n    \
         return 0.5 if sys.stdin.read() == '' else 0\n",
        "",
    );
    assert_eq!(values(&rubric, &["a"; 20]), [0.5; 20]);
}

#[test]
fn neighbours_and_tables_are_found_beside_the_file() {
    let Some(dir) = python() else { return };
    let sub = dir.path().join("rewards");
    std::fs::create_dir(&sub).unwrap();
    write(&sub, "words.py", "KNOWN = {'a': 0.5}");
    write(dir.path(), "table.txt", "0.25");
    let file = "from words import KNOWN\nmore = float(open('table.txt').read())\ndef score(reply): return KNOWN[reply] + more";
    write(&sub, "json.py", "raise RuntimeError('a file of the name of a module of Python')");
    write(&sub, "reward.py", file);
    std::fs::remove_file(sub.join("json.py")).unwrap();
    let term = "id = \"python\"\npython = \"rewards/reward.py:score\"\nfiles = [\"rewards/words.py\", \"table.txt\"]";
    let rubric = |table: &str| {
        write(dir.path(), "table.txt", table);
        rubric(dir.path(), term).unwrap()
    };
    assert_eq!(values(&rubric("0.25"), &["a"]), [0.75]);
    let print = |rubric: &Rubric| rubric.fingerprints().next().unwrap().1;
    assert_ne!(print(&rubric("0.25")), print(&rubric("0.5")), "files are a part of it");
}

#[test]
fn an_exception_is_the_failure_of_its_reply() {
    let Some(dir) = python() else { return };
    let rubric = of(
        dir.path(),
        "import sys\ndef score(reply):\n    if reply == 'raise':\n        raise ValueError('so bad')\n    \
         if reply == 'exit': sys.exit(4)\n    if reply == 'key': {}['a']\n    \
         return {'none': None, 'text': '1', 'nan': float('nan'), 'far': -2, 'huge': 10 ** 400,\n            \
         'dict': {'score': 1}, 'lone': '\\ud800'}.get(reply, 0.5)\n",
        "",
    );
    let replies =
        ["good", "raise", "exit", "key", "none", "text", "nan", "far", "huge", "dict", "lone", "good"];
    let outcomes = outcomes(&rubric, &replies);
    assert_eq!((&outcomes[0], &outcomes[11]), (&Ok(0.5), &Ok(0.5)));
    let parts = [
        "ValueError: so bad (reward.py, line 4)",
        "SystemExit: 4 (reward.py, line 5)",
        "KeyError: 'a' (reward.py, line 6)",
        "found None",
        "found '1'",
        "its value is NaN",
        "-2 is outside of range = [0, 1]",
        "OverflowError",
        "a dict has value",
        "expected a number",
    ];
    for (outcome, part) in outcomes[1..11].iter().zip(parts) {
        let cause = outcome.as_ref().unwrap_err();
        assert!(cause.contains(part), "{part}: {cause}");
    }
}

#[test]
fn a_batch_of_the_wrong_length_fails_as_a_whole() {
    let Some(dir) = python() else { return };
    let rubric = of(dir.path(), "def score(completions, **_):\n    return [1.0]\n", "batch = 2");
    let outcomes = outcomes(&rubric, &["a", "b", "c"]);
    assert!(outcomes[1].as_ref().unwrap_err().contains("1 values for 2 completions"), "{outcomes:?}");
    assert_eq!(outcomes[2], Ok(1.0));
}

#[test]
fn a_function_that_hangs_or_dies_takes_only_its_batch_along() {
    let Some(dir) = python() else { return };
    let rubric = of(
        dir.path(),
        "import os, time\ndef score(reply):\n    if reply == 'hang': time.sleep(60)\n    \
         if reply == 'die': os.abort()\n    return 1\n",
        "batch = 3\ntimeout_seconds = 0.7",
    );
    let outcomes = outcomes(&rubric, &["a", "hang", "b", "a", "die", "b", "a", "b"]);
    let shown: Vec<_> = outcomes.iter().map(|outcome| outcome.as_ref().map_err(String::as_str)).collect();
    assert_eq!([shown[0], shown[3], shown[6], shown[7]], [Ok(&1.0); 4]);
    assert!(shown[1..3].iter().all(|o| o.unwrap_err().contains("no answer within 0.7 s")), "{shown:?}");
    assert!(shown[4..6].iter().all(|o| o.unwrap_err().contains("signal: 6")), "{shown:?}");
}

#[test]
fn what_cannot_be_loaded_is_refused_with_its_line() {
    let Some(dir) = python() else { return };
    let term = |python: &str, more: &str| format!("id = \"python\"\npython = \"{python}\"\n{more}");
    let files = [
        ("def score(x:\n    pass\n", "SyntaxError"),
        (
            "import no_such_module_here\n",
            "ModuleNotFoundError: No module named 'no_such_module_here' (reward.py, line 1)",
        ),
        ("\n\nraise SystemExit(2)\n", "SystemExit: 2 (reward.py, line 3)"),
        ("def scores(reply): return 1\n", "no function 'score' in"),
        ("score = 3\n", "no function 'score'"),
        ("def score(completion_ids, completions): return 1\n", "takes 'completion_ids', which is not told"),
        ("def score(text): return 1\n", "takes 'text', which is not told; told by name are reply, thoughts"),
        ("def score(prompts, reply): return 1\n", "takes 'prompts'"),
    ];
    for (text, part) in files {
        write(dir.path(), "reward.py", text);
        let message = refusal(dir.path(), &term("reward.py:score", ""));
        assert!(message.contains(part), "{text}: {message}");
    }
    write(dir.path(), "reward.py", "def score(reply): return 1");
    for (python, more, part) in [
        ("gone.py:score", "", "gone.py"),
        ("reward.py", "", "should be FILE.py:FUNCTION"),
        ("reward.py:", "", "should be FILE.py:FUNCTION"),
        ("reward.py:score", "interpreter = \"no-such-python\"", "cannot start no-such-python"),
        ("reward.py:score", "interpreter = \"venv/bin/python\"", "cannot start venv/bin/python"),
        ("reward.py:score", "interpreter = []", "-c"),
    ] {
        let message = refusal(dir.path(), &term(python, more));
        assert!(message.contains(part), "{python} {more}: {message}");
    }
    let rubric =
        rubric(dir.path(), &term("reward.py:score", "interpreter = [\"env\", \"python3\"]")).unwrap();
    assert_eq!(values(&rubric, &["a"]), [1.0]);
}
