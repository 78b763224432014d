//! JSON against what Python's `json` module does with the same text.

use toolrl_grammar::json::{self, MAX_DEPTH, MAX_INTEGER_DIGITS};
use toolrl_grammar::{SyntaxErrorKind as Kind, json::Value};

fn read(text: &str) -> Value<'_> {
    json::parse(text).unwrap_or_else(|error| panic!("{text:?}: {error}"))
}

#[test]
fn reads_and_writes_as_python() {
    // The text, and `json.dumps(json.loads(text))`.
    let cases = [
        (" [ ] ", "[]"),
        ("\t{\r}\n", "{}"),
        ("[1,2 ,\n3]", "[1, 2, 3]"),
        ("-0", "0"),
        ("-0.0", "-0.0"),
        ("1E5", "100000.0"),
        ("1e16", "1e+16"),
        ("123456789012345.6", "123456789012345.6"),
        // Two decimals of 16 digits are equally near; the even one is written.
        ("900719925474099.25", "900719925474099.2"),
        ("-562949953421312.75", "-562949953421312.8"),
        ("1e15", "1000000000000000.0"),
        ("-120.5", "-120.5"),
        ("0.0001", "0.0001"),
        ("0.00001", "1e-05"),
        ("5e-324", "5e-324"),
        ("-0.00012", "-0.00012"),
        ("-1234567890123456.7", "-1234567890123456.8"),
        ("2e15", "2000000000000000.0"),
        ("9007199254740993.0", "9007199254740992.0"),
        ("2.2250738585072014e-308", "2.2250738585072014e-308"),
        // Two texts of as few digits are equally near: the even one.
        ("9188000860902.8125", "9188000860902.812"),
        ("116201388302805.125", "116201388302805.12"),
        ("-819516831235715.25", "-819516831235715.2"),
        ("1e999", "Infinity"),
        ("[NaN, -Infinity]", "[NaN, -Infinity]"),
        ("123456789012345678901234567890", "123456789012345678901234567890"),
        (r#"{"a": 1, "b": 2, "a": 3}"#, r#"{"a": 3, "b": 2}"#),
        (r#""\ud83d\ude00\u00e9\/\b""#, r#""\ud83d\ude00\u00e9/\b""#),
        (r#""\ud83d\u0041""#, r#""\ud83dA""#),
        (r#""\ude00\ud83d""#, r#""\ude00\ud83d""#),
        ("\"\u{7f}\u{2028}\"", r#""\u007f\u2028""#),
    ];
    for (text, written) in cases {
        assert_eq!(read(text).to_string(), written, "{text:?}");
        assert_eq!(read(written).to_string(), written, "{written:?}");
    }
}

#[test]
fn refuses_with_a_place() {
    let cases = [
        ("", 0, Kind::ExpectedValue),
        ("\u{feff}1", 0, Kind::ByteOrderMark),
        ("\u{a0}1", 0, Kind::ExpectedValue),
        ("01", 1, Kind::TrailingText),
        ("-01", 2, Kind::TrailingText),
        ("1.", 1, Kind::TrailingText),
        (".5", 0, Kind::ExpectedValue),
        ("+1", 0, Kind::ExpectedValue),
        ("1e", 1, Kind::TrailingText),
        ("-", 0, Kind::ExpectedValue),
        ("-NaN", 0, Kind::ExpectedValue),
        ("nul", 0, Kind::ExpectedValue),
        ("True", 0, Kind::ExpectedValue),
        ("[1,]", 3, Kind::ExpectedValue),
        ("[1 2]", 3, Kind::ExpectedComma { close: ']' }),
        ("[1", 2, Kind::ExpectedComma { close: ']' }),
        (r#"{"a" 1}"#, 4, Kind::ExpectedColon),
        (r#"{"a": 1,}"#, 8, Kind::ExpectedKey),
        ("{'a': 1}", 1, Kind::ExpectedKey),
        ("{1: 1}", 1, Kind::ExpectedKey),
        ("{} {}", 3, Kind::TrailingText),
        ("\"a\tb\"", 2, Kind::ControlCharacter { byte: 9 }),
        (r#""\x""#, 1, Kind::InvalidEscape),
        (r#""\u12g4""#, 1, Kind::InvalidEscape),
        (r#""\u+123""#, 1, Kind::InvalidEscape),
        (r#""\ud83d\u12""#, 7, Kind::InvalidEscape),
        ("[\"abc", 1, Kind::UnterminatedString),
    ];
    for (text, start, kind) in cases {
        let error = json::parse(text).expect_err(text);
        assert_eq!((error.span.start, &error.kind), (start, &kind), "{text:?}");
        assert!(error.span.end <= text.len(), "{text:?}");
    }
}

#[test]
fn limits_are_pythons() {
    let digits = "7".repeat(MAX_INTEGER_DIGITS);
    assert_eq!(read(&format!("-{digits}")).to_string(), format!("-{digits}"));
    let error = json::parse(&format!("[{digits}7]")).map(|_| ()).expect_err("too long");
    assert_eq!(error.kind, Kind::IntegerTooLong { digits: 4301, limit: 4300 });
    read(&format!("{digits}7.5"));

    for (open, close) in [("[", "]"), ("{\"a\":", "}")] {
        let nested = |depth: usize| open.repeat(depth) + "1" + &close.repeat(depth);
        let deepest = nested(MAX_DEPTH);
        let value = read(&deepest);
        assert!(json::equal(&value, &value.clone().into_owned()));
        assert_eq!(read(&value.to_string()).to_string(), value.to_string());
        let text = nested(30_000);
        let error = json::parse(&text).map(|_| ()).expect_err("too deep");
        assert_eq!(error.kind, Kind::TooDeep { limit: MAX_DEPTH });
        assert_eq!(error.span.start, MAX_DEPTH * open.len());
    }
}

#[test]
fn equality_is_pythons() {
    let cases = [
        ("true", "1", true),
        ("true", "1.0", true),
        ("false", "-0.0", true),
        ("0", "-0.0", true),
        ("null", "0", false),
        ("\"1\"", "1", false),
        ("10000000000000000000000", "1e22", true),
        ("100000000000000000000000", "1e23", false),
        ("-10000000000000000000000", "-1e22", true),
        ("9007199254740993", "9007199254740992.0", false),
        ("9223372036854775807", "9223372036854775807.0", false),
        ("9223372036854775808", "9223372036854775808.0", true),
        ("-9223372036854775808", "-9223372036854775808.0", true),
        ("1e999", "Infinity", true),
        ("1e999", "-Infinity", false),
        ("1", "Infinity", false),
        ("0.5", "0", false),
        ("NaN", "NaN", false),
        ("[NaN]", "[NaN]", true),
        (r#"{"x": NaN}"#, r#"{"x": NaN}"#, true),
        ("[[NaN]]", "[[NaN]]", true),
        ("[NaN]", "[1]", false),
        ("[1, 2]", "[2, 1]", false),
        ("[1]", "[1, 1]", false),
        (r#"{"a": 1, "b": 2}"#, r#"{"b": 2.0, "a": true}"#, true),
        (r#"{"a": 1}"#, r#"{"a": 1, "b": 2}"#, false),
        (r#"{"a": 1}"#, r#"{"b": 1}"#, false),
        ("{}", "[]", false),
        (r#""\u00e9""#, r#""e\u0301""#, false),
        (r#""\ud83d\ude00""#, "\"😀\"", true),
        (r#""\ud83d""#, r#""\ud83d""#, true),
        (r#""\ud83d""#, "\"\u{fffd}\"", false),
    ];
    for (a, b, expected) in cases {
        assert_eq!(json::equal(&read(a), &read(b)), expected, "{a} == {b}");
        assert_eq!(json::equal(&read(b), &read(a)), expected, "{b} == {a}");
    }
    assert!(json::identical_or_equal(&read("NaN"), &read("NaN")));
}

#[test]
fn a_pair_of_surrogates_is_joined_only_inside_one_text() {
    // A lone surrogate in the text itself, then the escape of its partner: two code points.
    let text = b"\"\xed\xa0\xbd\\ude00\"";
    let value = json::parse(&text[..]).unwrap();
    assert_eq!(value.len(), Some(2));
    assert!(!json::equal(&value, &read("\"😀\"")));
}

#[test]
fn length_is_pythons() {
    let cases =
        [("\"é😀\"", Some(2)), ("[1, 2]", Some(2)), ("{\"a\": 1}", Some(1)), ("1", None), ("null", None)];
    for (text, length) in cases {
        assert_eq!(read(text).len(), length, "{text}");
    }
}
