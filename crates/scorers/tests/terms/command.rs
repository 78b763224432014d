//! `id = "command"`.

use std::time::{Duration, Instant};

use toolrl_reward::Context;

use crate::{outcomes, python, refusal, rubric, runs, scores, values, write};

/// A script that answers each batch with what a function `score(reply)` says of its replies.
fn script(body: &str) -> String {
    format!(
        "import json, os, sys, time\nout = sys.stdout\n{body}\nfor line in sys.stdin:\n    \
         batch = json.loads(line)\n    \
         print(json.dumps([score(r) for r in batch['replies']]), file=out, flush=True)\n"
    )
}

const TERM: &str = "id = \"command\"\nrun = [\"python3\", \"score.py\"]\nname = \"mine\"\nbatch = 4\ntimeout_seconds = 2.0\n";

#[test]
fn any_program_that_reads_and_writes_lines_is_a_reward() {
    let Some(dir) = python() else { return };
    // The number of calls, without a parser of JSON.
    let shell = "while read -r line; do n=$(grep -o '\"faults\"' <<< \"$line\" | wc -l)\n\
                 echo \"[$(yes 0.5 | head -n $n | paste -sd,)]\"; done";
    write(dir.path(), "score.sh", shell);
    let rubric = rubric(dir.path(), "id = \"command\"\nrun = [\"bash\", \"score.sh\"]").unwrap();
    assert_eq!(values(&rubric, &["a"; 40]), [0.5; 40]);
    assert_eq!(rubric.ids().collect::<Vec<_>>(), ["command"]);
}

#[test]
fn a_batch_goes_to_one_process_that_stays() {
    let Some(dir) = python() else { return };
    write(
        dir.path(),
        "score.py",
        script(
            "open('started', 'a').write(f'{os.getpid()}\\n')\ncount = 0\ndef score(r):\n    global count\n    count += 1\n    \
         return {'value': count / 100, 'note': r['id'], 'parts': {'length': len(r['reply'])}}",
        ),
    );
    let rubric = rubric(dir.path(), TERM).unwrap();
    let scores = scores(&rubric, &["a", "bb", "ccc", "d", "e", "f"], Context::training(2, 9));
    let values: Vec<f64> = scores.iter().map(|score| score.total).collect();
    assert_eq!(values, [0.01, 0.02, 0.03, 0.04, 0.05, 0.06]);
    let metrics: Vec<_> = scores[2].metrics().collect();
    assert_eq!(metrics, [("mine".to_owned(), 0.03), ("mine/length".to_owned(), 3.0)]);
    assert!(format!("{:?}", scores[5].terms[0].score.breakdown).contains("t:5"));
    let started = std::fs::read_to_string(dir.path().join("started")).unwrap();
    let pids: Vec<&str> = started.lines().collect();
    assert_eq!(pids.len(), 2, "once to see that it answers, once to be asked");
    assert!(runs(pids[1]) && !runs(pids[0]));
    drop(rubric);
    assert!(!runs(pids[1]), "it is ended");
}

#[test]
fn what_cannot_run_is_refused_before_any_reply() {
    let Some(dir) = python() else { return };
    write(dir.path(), "broken.py", "def score(:\n");
    write(
        dir.path(),
        "dumb.py",
        "import sys\nout = open(1, 'w', buffering=9999)\nfor line in sys.stdin: print('[]', file=out)\n",
    );
    write(dir.path(), "silly.py", "import sys\nfor line in sys.stdin: print('ready', flush=True)\n");
    for (run, more, part) in [
        ("[]", "", "run: should name a program"),
        ("[\"\"]", "", "run: should name a program"),
        ("[\"no-such-program-here\"]", "", "cannot start no-such-program-here"),
        ("[\"./gone.sh\"]", "", "cannot start ./gone.sh"),
        ("[\"python3\", \"gone.py\"]", "", "can't open file"),
        ("[\"python3\", \"broken.py\"]", "", "SyntaxError"),
        ("[\"python3\", \"dumb.py\"]", "start_seconds = 0.5", "does it flush"),
        ("[\"python3\", \"silly.py\"]", "", "ready"),
        ("[\"true\"]", "", "the program ended (exit status: 0)"),
        ("[\"cat\"]", "range = [1, 0]", "range"),
        ("[\"cat\"]", "range = [nan, 0]", "range"),
        ("[\"cat\"]", "batch = 0", "batch"),
        ("[\"cat\"]", "name = \"a/b\"", "name"),
        ("[\"cat\"]", "start_seconds = -1.0", "start_seconds"),
        ("[\"cat\"]", "files = [\"gone.csv\"]", "gone.csv"),
        ("[\"cat\"]", "colour = 1", "colour"),
    ] {
        let message = refusal(dir.path(), &format!("id = \"command\"\nrun = {run}\n{more}"));
        assert!(message.contains(part), "{run} {more}: {message}");
        assert!(message.starts_with("reward term \"command\": "), "{message}");
    }
}

#[test]
fn each_bad_answer_is_the_failure_of_its_reply() {
    let Some(dir) = python() else { return };
    write(
        dir.path(),
        "score.py",
        script(
            "answers = {'nan': float('nan'), 'far': 1.5, 'huge': 10 ** 400, 'said': 'no luck', 'none': None,\n    \
         'error': {'error': 'no idea'}, 'good': 0.25}\ndef score(r):\n    return answers[r['reply']]",
        ),
    );
    let rubric = rubric(dir.path(), &TERM.replace("batch = 4", "batch = 9")).unwrap();
    let asked = ["good", "nan", "far", "huge", "said", "none", "error", "good"];
    let outcomes = outcomes(&rubric, &asked);
    assert_eq!((&outcomes[0], &outcomes[7]), (&Ok(0.25), &Ok(0.25)));
    let parts = [
        "its value is NaN",
        "1.5 is outside of range = [0, 1]",
        "its value is inf",
        "no luck",
        "null",
        "no idea",
    ];
    for (outcome, part) in outcomes[1..7].iter().zip(parts) {
        assert!(outcome.as_ref().unwrap_err().contains(part), "{part}: {outcome:?}");
    }
}

/// A batch fails and the next one is scored by a new process.
#[test]
fn a_process_that_dies_hangs_or_babbles_is_replaced() {
    let Some(dir) = python() else { return };
    write(
        dir.path(),
        "score.py",
        script(
            "def score(r):\n    what = r['reply']\n    \
         if what == 'die': print('I die now', file=sys.stderr); os._exit(3)\n    \
         if what == 'hang': time.sleep(60)\n    \
         if what == 'babble': print('hello', flush=True)\n    \
         if what == 'extra': print('[0, 0, 0, 0, 0]', flush=True)\n    \
         if what == 'loud': sys.stdout.write('x' * (17 << 20) + '\\n')\n    \
         if what == 'noise': sys.stderr.write('y' * (4 << 20) + '\\n')\n    \
         if what == 'bytes': sys.stdout.buffer.write(b'[\\xff]\\n')\n    \
         return 0.5",
        ),
    );
    let rubric = rubric(dir.path(), TERM).unwrap();
    for (what, part) in [
        ("die", "the program ended (exit status: 3); its last words: I die now"),
        ("hang", "no answer within 2 s"),
        ("babble", "hello"),
        ("extra", "5 entries for 4 replies"),
        ("loud", "a line of more than"),
        ("bytes", "not an answer"),
    ] {
        let begun = Instant::now();
        let outcomes = outcomes(&rubric, &["a", what, "b", "c", "d", "e"]);
        for outcome in &outcomes[..4] {
            assert!(outcome.as_ref().unwrap_err().contains(part), "{what}: {outcome:?}");
        }
        assert_eq!(outcomes[4..], [Ok(0.5), Ok(0.5)], "{what}: the next batch");
        assert!(begun.elapsed() < Duration::from_secs(50), "{what}");
    }
    assert_eq!(values(&rubric, &["a", "noise", "b"]), [0.5; 3]);
}

#[test]
fn answers_may_come_in_parts_and_those_that_came_count() {
    let Some(dir) = python() else { return };
    write(
        dir.path(),
        "score.py",
        "import json, os, sys, time\nfor line in sys.stdin:\n    replies = json.loads(line)['replies']\n    \
         if not replies: print('[]', flush=True)\n    \
         for r in replies:\n        if r['reply'] == 'die': os._exit(1)\n        \
         if r['reply'] == 'less': break\n        \
         time.sleep(0.6)\n        print('[1]', flush=True)\n",
    );
    let rubric = rubric(dir.path(), TERM).unwrap();
    // Longer in all than the time-out, which is of the wait for the next answer.
    assert_eq!(values(&rubric, &["a"; 4]), [1.0; 4]);
    let outcomes = outcomes(&rubric, &["a", "die", "b", "c", "a", "less"]);
    assert!(outcomes[0] == Ok(1.0) && outcomes[1..4].iter().all(Result::is_err), "{outcomes:?}");
    assert_eq!(outcomes[4], Ok(1.0));
    assert!(outcomes[5].as_ref().unwrap_err().contains("no answer within"), "too few answers");
}

#[test]
fn several_batches_are_several_processes_at_a_time() {
    let Some(dir) = python() else { return };
    write(
        dir.path(),
        "score.py",
        script("def score(r):\n    time.sleep(0.3)\n    return os.getpid() % 1000 / 1000"),
    );
    let term = TERM.replace("batch = 4", "batch = 1\nconcurrency = 4");
    let rubric = rubric(dir.path(), &term).unwrap();
    let mut pids = values(&rubric, &["a"; 4]);
    pids.dedup();
    assert_eq!(pids.len(), 4, "{pids:?}");
}

#[test]
fn what_was_started_ends_with_the_term() {
    let Some(dir) = python() else { return };
    write(dir.path(), "score.sh", "sleep 300 & echo $! >> pids\nwhile read -r line; do echo '[]'; done");
    drop(rubric(dir.path(), "id = \"command\"\nrun = [\"bash\", \"score.sh\"]").unwrap());
    let pids = std::fs::read_to_string(dir.path().join("pids")).unwrap();
    std::thread::sleep(Duration::from_millis(50));
    assert!(pids.lines().count() == 1 && !runs(pids.trim()), "{pids}");
}

#[test]
fn a_changed_script_has_another_fingerprint() {
    let Some(dir) = python() else { return };
    let print =
        || rubric(dir.path(), TERM).unwrap().fingerprints().next().map(|(id, print)| (id.to_owned(), print));
    write(dir.path(), "score.py", script("def score(r): return 0"));
    let first = print().unwrap();
    assert!(first.0 == "mine" && print().unwrap() == first);
    write(dir.path(), "score.py", script("def score(r): return 1"));
    assert_ne!(print().unwrap(), first);
}
