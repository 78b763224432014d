//! Model directories as an enemy writes them: errors, within seconds and within memory.

#![allow(clippy::unwrap_used, reason = "a failed step fails the test")]

use std::fs::{self, File};
use std::path::Path;
use std::time::{Duration, Instant};

use proptest::prelude::*;
use toolrl_chat::{Chat, ChatError, Message, train_bpe};

/// What one template may take on a slow machine that does much else.
const PATIENCE: Duration = Duration::from_secs(30);

fn save(dir: &Path) {
    train_bpe(["a b".to_owned()].into_iter(), 259, &[]).unwrap().save(dir).unwrap();
}

fn render(dir: &Path, template: &str) -> Result<String, ChatError> {
    fs::write(dir.join("chat_template.jinja"), template).unwrap();
    Chat::load(dir)?.render(&[Message::new("user", "hi")], true)
}

/// Grows `ns.x` by an expression, over and over.
fn growing(start: &str, grow: &str, times: u32, then: &str) -> String {
    format!(
        "{{% set ns = namespace(x={start}) %}}{{% for i in range({times}) %}}{{% set ns.x = {grow} %}}{{% endfor %}}{then}"
    )
}

#[test]
fn templates_that_never_end_or_fill_the_memory_are_stopped() {
    let dir = tempfile::tempdir().unwrap();
    save(dir.path());
    let loops = "{% for i in range(99999) %}".repeat(3);
    let long = "{% set s = 'y' * 1000000 %}";
    let templates = [
        format!("{loops}x{}", "{% endfor %}".repeat(3)),
        "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}".to_owned(),
        growing("'ab'", "ns.x + ns.x", 99, "{{ ns.x }}"),
        growing("'ab'", "ns.x ~ ns.x", 99, "{{ ns.x }}"),
        growing("'ab'", "ns.x.replace('a', ns.x)", 99, "{{ ns.x }}"),
        growing("'ab'", "ns.x.join([ns.x, ns.x, ns.x])", 99, "{{ ns.x }}"),
        growing("[1]", "[ns.x, ns.x]", 60, "{{ ns.x | tojson }}"),
        growing("[1]", "[ns.x, ns.x]", 60, "{{ ns.x }}"),
        growing("[1]", "[ns.x, ns.x]", 60, "{{ ns.x | string }}"),
        growing("[1]", "{'a': ns.x, 'b': ns.x}", 60, "{{ ns.x }}"),
        growing("[1]", "[ns.x, ns.x]", 60, "{{ ','.join(ns.x) }}"),
        growing("[1]", "[ns.x, ns.x]", 60, "{{ '{}'.format(ns.x) }}"),
        "{{ [1] * 100000000000 }}".to_owned(),
        growing("[1]", "[ns.x]", 5000, "{{ ns.x | tojson }}"),
        "{{ 'x' * 100000000000 }}".to_owned(),
        "{{ ([1] * 100000000000) | tojson }}".to_owned(),
        "{{ ([1] * 100000000000) | list }}".to_owned(),
        "{{ [[1]] | tojson(indent=100000000000) }}".to_owned(),
        "{{ [[1], [2]] | tojson(indent=18446744073709551615) }}".to_owned(),
        format!("{long}{{{{ [1, 2, 3, 4, 5] * 999 | tojson(separators=[s, s]) }}}}"),
        format!("{long}{{{{ s.replace('y', s) }}}}"),
        format!("{long}{{{{ s.replace('', s) }}}}"),
        format!("{long}{{{{ s.join(range(99999)) }}}}"),
        format!("{long}{{{{ range(99999) | join(s) }}}}"),
        format!("{long}{{{{ s | replace('y', s) }}}}"),
        "{{ 'x' | indent(100000000000, true) }}".to_owned(),
        "{{ '{:100000000000}'.format(1) }}".to_owned(),
        "{{ '{:.100000000000f}'.format(1.0) }}".to_owned(),
        "{{ '{:99999999999999999999999}'.format('x') }}".to_owned(),
        "{{ '%100000000000d' | format(1) }}".to_owned(),
        format!("{long}{{{{ '{}'.format(s) }}}}", "{0}".repeat(9999)),
        format!("{long}{{{{ '{}'.format(a=s) }}}}", "{a}".repeat(9999)),
    ];
    for template in templates {
        let start = Instant::now();
        let outcome = render(dir.path(), &template);
        assert!(outcome.is_err(), "{template}: {} bytes", outcome.unwrap().len());
        assert!(start.elapsed() < PATIENCE, "{template}: {:?}", start.elapsed());
    }
}

/// The engine prints, compares and drops nested lists by recursion.
#[test]
fn templates_that_nest_deeply_end() {
    let dir = tempfile::tempdir().unwrap();
    save(dir.path());
    for (grow, then) in [
        ("[ns.x]", ""),
        ("[ns.x]", "{{ ns.x }}"),
        ("{'a': ns.x}", "{{ ns.x }}"),
        ("[ns.x]", "{{ ns.x == [ns.x] }}"),
    ] {
        let template = growing("[1]", grow, 90_000, then);
        let start = Instant::now();
        let _ = render(dir.path(), &template);
        assert!(start.elapsed() < PATIENCE, "{template}: {:?}", start.elapsed());
    }
}

/// An assignment that the engine's parser lets through, and its compiler does not know; brackets without end.
#[test]
fn templates_that_cannot_be_compiled_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    save(dir.path());
    let deep = format!("{{{{ {}1{} }}}}", "(".repeat(100_000), ")".repeat(100_000));
    for template in ["{% import 'x' as 1+p %}", "{% import 'x' as f() %}", &deep] {
        let refused = render(dir.path(), template);
        assert!(matches!(refused, Err(ChatError::Template { .. })), "{refused:?}");
    }
}

/// What the limits must not stop: five thousand messages, four megabytes of text.
#[test]
fn a_long_conversation_is_rendered() {
    let dir = tempfile::tempdir().unwrap();
    save(dir.path());
    let chat = Chat::load(dir.path()).unwrap();
    let messages = vec![Message::new("user", "word ".repeat(160)); 5_000];
    let text = chat.render(&messages, true).unwrap();
    assert!(text.len() > 4_000_000);
}

#[test]
fn templates_read_no_files() {
    let dir = tempfile::tempdir().unwrap();
    save(dir.path());
    fs::write(dir.path().join("secret"), "a secret").unwrap();
    let path = dir.path().join("secret").display().to_string();
    for name in [path.as_str(), "secret", "./secret", "/etc/hostname", "file:///etc/hostname"] {
        for tag in ["include", "import", "extends"] {
            let end = if tag == "import" { " as x %}{{ x }}" } else { " %}" };
            let outcome = render(dir.path(), &format!("{{% {tag} '{name}'{end}"));
            assert!(outcome.is_err(), "{tag} {name}: {outcome:?}");
        }
    }
    for call in ["open('secret')", "''.__class__.__mro__", "cycler.__init__.__globals__", "self.__init__"] {
        let outcome = render(dir.path(), &format!("{{{{ {call} }}}}"));
        assert!(!outcome.unwrap_or_default().contains("secret"), "{call}");
    }
}

#[test]
fn files_too_large_for_a_model_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    save(dir.path());
    let cases =
        [("chat_template.jinja", 2 << 20), ("tokenizer_config.json", 64 << 20), ("tokenizer.json", 1 << 30)];
    for (name, bytes) in cases {
        let path = dir.path().join(name);
        let before = fs::read(&path).ok();
        // A file with nothing in it takes no room on the disk.
        File::create(&path).unwrap().set_len(bytes).unwrap();
        let error = Chat::load(dir.path()).unwrap_err();
        assert!(matches!(&error, ChatError::TooLarge { path: found, .. } if *found == path), "{error}");
        before.map_or_else(|| fs::remove_file(&path).unwrap(), |bytes| fs::write(&path, bytes).unwrap());
    }
    let template = "x".repeat(2 << 20);
    let config = serde_json::json!({"chat_template": template}).to_string();
    fs::write(dir.path().join("tokenizer_config.json"), config).unwrap();
    assert!(matches!(Chat::load(dir.path()), Err(ChatError::TooLarge { .. })));
}

#[test]
fn a_tokenizer_that_is_cut_off_is_an_error() {
    let dir = tempfile::tempdir().unwrap();
    save(dir.path());
    let path = dir.path().join("tokenizer.json");
    let whole = fs::read(&path).unwrap();
    for len in (0..whole.len() - 1).step_by(61) {
        fs::write(&path, &whole[..len]).unwrap();
        let error = Chat::load(dir.path()).unwrap_err().to_string();
        assert!(error.contains("tokenizer.json"), "{len}: {error}");
    }
    fs::write(&path, "[".repeat(1 << 20)).unwrap();
    assert!(Chat::load(dir.path()).is_err());
}

/// Pieces of which texts near a template are made.
const PIECES: [&str; 28] = [
    "{{",
    "}}",
    "{%",
    "%}",
    "{#",
    "#}",
    "{%-",
    " messages ",
    " m.content ",
    " for m in messages ",
    " endfor ",
    " if ",
    " endif ",
    " set x = ",
    " x ",
    "| tojson",
    "| join(",
    "'a'",
    "1",
    "(",
    ")",
    "[",
    "]",
    " ~ ",
    ".",
    " macro f() ",
    " endmacro ",
    "generation",
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_template_renders_or_fails(picks in prop::collection::vec(0..PIECES.len(), 0..24), text: String) {
        let dir = tempfile::tempdir().unwrap();
        save(dir.path());
        let template: String = picks.iter().map(|&pick| PIECES[pick]).collect();
        for template in [template, text] {
            if let Err(error) = render(dir.path(), &template) {
                prop_assert!(!error.to_string().is_empty());
            }
        }
    }

    #[test]
    fn any_text_comes_back(text: String, ids in prop::collection::vec(0..300_u32, 0..40)) {
        let dir = tempfile::tempdir().unwrap();
        save(dir.path());
        let chat = Chat::load(dir.path()).unwrap();
        let encoded = chat.encode(&text).unwrap();
        prop_assert_eq!(chat.decode(&encoded, false).unwrap(), text.clone());
        for (ids, text) in [(&encoded, text), (&ids, chat.decode(&ids, false).unwrap())] {
            let spans = chat.spans(ids);
            prop_assert_eq!(spans.len(), ids.len());
            prop_assert!(spans.windows(2).all(|pair| pair[1].start <= pair[0].end && pair[0].end <= pair[1].end));
            prop_assert!(spans.iter().all(|span| text.get(span.clone()).is_some()));
            prop_assert_eq!(spans.last().map_or(0, |span| span.end), text.len());
        }
    }
}
