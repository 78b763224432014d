//! Source text to values, in both languages.

use super::{java, javascript};
use crate::{Declared, Language, Parameter};

/// What the official converters give for a type such as `ArrayList of String`, a text at a time;
/// "text" where they give back the text.
fn convert(language: Language, cases: &[(&str, &str, &str)]) {
    for (declared, text, expected) in cases {
        let (name, items) =
            declared.split_once(" of ").map_or((*declared, None), |(name, of)| (name, Some(of)));
        let of = |name| Declared::of(language, name).unwrap();
        let parameter = Parameter { declared: of(name), items: items.map(of) };
        let found = match language {
            Language::Java => java::convert(text, &parameter),
            _ => javascript::convert(text, &parameter),
        };
        let found = found.map_or("text".into(), |value| value.to_string());
        assert_eq!(found, *expected, "{declared}: {text}");
    }
}

#[test]
fn java_becomes_values() {
    let cases = [
        ("integer", "-12", "-12"),
        ("integer", "12\n", "12"),
        ("integer", "1.0", "text"),
        ("integer", "+1", "text"),
        ("byte", "300", "300"),
        ("long", "12L", "12"),
        ("long", "12", "text"),
        ("float", "1.5e3F", "1500.0"),
        ("float", "1.5", "text"),
        ("double", "1.5", "1.5"),
        ("double", "1.", "text"),
        ("boolean", "true", "true"),
        ("boolean", "True", "text"),
        ("char", "'a'", "text"),
        ("any", "1", "text"),
        ("Array of integer", "x = new int[] {1, -2,, a }", r#"[1, -2, "a"]"#),
        ("Array of String", r#"new String[]{"a", "b"}"#, r#"["\"a\"", "\"b\""]"#),
        ("Array of integer", "new int[]{}", "[]"),
        ("Array of integer", "new int[2]{1}", "text"),
        ("ArrayList of String", r#"new ArrayList<String>(Arrays.asList("a", "b"))"#, r#"["a", "b"]"#),
        ("ArrayList of integer", "new ArrayList<>(Arrays.asList(1, 2))", "[1, 2]"),
        ("ArrayList of any", "new ArrayList<>(Arrays.asList(1, 2))", r#"["1", "2"]"#),
        ("ArrayList of long", "new ArrayList<Long>() {{\nadd(1L);\nadd(2L);\n}}", "[1, 2]"),
        ("ArrayList of String", "new ArrayList<String>()", "[]"),
        ("ArrayList of String", "Arrays.asList(1)", "text"),
        (
            "HashMap",
            r#"new HashMap<String, Object>() {{ put("a", 1); put("b", "x"); put("c", 2L); }}"#,
            r#"{"a": 1, "b": "x", "c": 2}"#,
        ),
        (
            "HashMap",
            r#"new HashMap<>() { { put("a", 1.5f); put("b", tRue); put("a", true); } }"#,
            r#"{"a": true, "b": "tRue"}"#,
        ),
        ("HashMap", "new HashMap<>()", "{}"),
        ("HashMap", "new HashMap<String, Integer>() {}", "{}"),
        ("HashMap", "Map.of()", "text"),
        ("Set", "new HashSet<>()", "text"),
    ];
    convert(Language::Java, &cases);
}

#[test]
fn javascript_becomes_values() {
    let cases = [
        ("String", "'a'", r#""a""#),
        ("String", "\"", r#""""#),
        ("String", "'a\"", "text"),
        ("integer", "12", "12"),
        ("integer", "1.5", "text"),
        ("float", "12", "12.0"),
        ("float", "1e3", "text"),
        ("Bigint", "12n", "12"),
        ("Boolean", "false", "false"),
        ("any", "12", "text"),
        ("array of String", "['a', \"b\", c]", r#"["a", "b", "c"]"#),
        ("array of integer", "[1, 2, x]", r#"[1, 2, "x"]"#),
        ("array of float", "new Array(1, 2)", "[1.0, 2.0]"),
        ("array", "[1, 'two', true, 1e3]", r#"[1, "two", true, 1000.0]"#),
        ("array of String", " [] ", "[]"),
        ("array of String", " items ", r#""items""#),
        ("array of integer", "[ [1, 2], [3, 4]]", "[[1, 2], [3, 4]]"),
        ("array of integer", "new Array([1], [2])", "[[1], [2]]"),
        ("array of dict", "[{\"a\": 1}, {\"b\": 2}]", r#"[{"a": 1}, {"b": 2}]"#),
        ("dict", "{}", "{}"),
        ("dict", "{'a': 1, b: 'x', c: true}", r#"{"a": 1, "b": "x", "c": true}"#),
        ("dict", "{a: [1, 2], b: x}", r#"{"a": [1, 2], "b": "x"}"#),
        ("dict", "{a: x, y, b: 2}", r#"{"a": "x, y", "b": 2}"#),
        ("dict", "{a: 'http://x', b: 2}", r#"{"a": "http://x", "b": 2}"#),
        ("dict", "{a: 1, :b}", r#"{"a": 1, "": "b"}"#),
        ("dict", "{:a: 1}", r#"{"a": 1}"#),
        ("dict", "{a: {b: 1}, c: 2}", r#"{"a": "{b: 1"}"#),
        ("dict", "options", r#""options""#),
    ];
    convert(Language::JavaScript, &cases);
}
