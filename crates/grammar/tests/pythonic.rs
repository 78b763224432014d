//! Calls in pythonic form: what they become in JSON, and where those that are none break.

use proptest::prelude::*;
use toolrl_grammar::json::{self, PyInt, PyStr, Unicode, Value};
use toolrl_grammar::pythonic::parse;

/// The calls as `name{arguments}`, or the error.
fn read(text: &str) -> Result<Vec<String>, String> {
    let calls = parse(text).map_err(|error| error.to_string())?;
    let show = |call: toolrl_grammar::pythonic::PythonicCall<'_>| {
        format!("{}{}", call.name.lossy(), Unicode(&Value::Object(call.arguments)))
    };
    Ok(calls.into_iter().map(show).collect())
}

#[test]
fn calls() {
    // Values as Python's `json.dumps(ast.literal_eval(…))` gives them, where Python reads them.
    let cases: [(&str, &[&str]); 25] = [
        ("[]", &[]),
        ("[f()]", &["f{}"]),
        (" [ f ( ) , ] ", &["f{}"]),
        ("[Get Weather(city=\"Rome\", days=3)]", &["Get Weather{\"city\": \"Rome\", \"days\": 3}"]),
        ("[a/b.c-d: e(x=1), g(y = 2,)]", &["a/b.c-d: e{\"x\": 1}", "g{\"y\": 2}"]),
        ("[Top (All Time)(from='a'), Low (b)()]", &["Top (All Time){\"from\": \"a\"}", "Low (b){}"]),
        ("[users()(id=1)]", &["users(){\"id\": 1}"]),
        ("[f(trend type=\"x\", is-id.a[0]=1)]", &["f{\"trend type\": \"x\", \"is-id.a[0]\": 1}"]),
        ("[f(a=True, b=False, c=None)]", &["f{\"a\": true, \"b\": false, \"c\": null}"]),
        ("[f(a=true, b=false, c=null)]", &["f{\"a\": true, \"b\": false, \"c\": null}"]),
        (
            "[f(a=-1, b=+2.5, c=1e3, d=.5, e=1., g=1_000)]",
            &["f{\"a\": -1, \"b\": 2.5, \"c\": 1000.0, \"d\": 0.5, \"e\": 1.0, \"g\": 1000}"],
        ),
        ("[f(a=123456789012345678901234567890)]", &["f{\"a\": 123456789012345678901234567890}"]),
        ("[f(a=0, b=0.0, c=-0)]", &["f{\"a\": 0, \"b\": 0.0, \"c\": 0}"]),
        ("[f(a=[1, [2, []], {}])]", &["f{\"a\": [1, [2, []], {}]}"]),
        (
            "[f(a=(1, 2), b=(1,), c=(1), d=((\"x\")), e=())]",
            &["f{\"a\": [1, 2], \"b\": [1], \"c\": 1, \"d\": \"x\", \"e\": []}"],
        ),
        ("[f(a={'x': [1,], \"y\": {'z': None},})]", &["f{\"a\": {\"x\": [1], \"y\": {\"z\": null}}}"]),
        (
            "[f(a={1: 2, True: 3, None: 4, 1.5: 5})]",
            &["f{\"a\": {\"1\": 2, \"true\": 3, \"null\": 4, \"1.5\": 5}}"],
        ),
        (
            r#"[f(a='it\'s', b="say \"hi\"", c='"', d="'")]"#,
            &[r#"f{"a": "it's", "b": "say \"hi\"", "c": "\"", "d": "'"}"#],
        ),
        (r#"[f(a="\n\t\\\x41\u00e9\U0001F600\101\d")]"#, &[r#"f{"a": "\n\t\\Aé😀A\\d"}"#]),
        ("[f(a=\"one\\\ntwo\nthree\")]", &[r#"f{"a": "onetwo\nthree"}"#]),
        (r#"[f(a="""x "y" z""", b='''''', c="")]"#, &[r#"f{"a": "x \"y\" z", "b": "", "c": ""}"#]),
        ("[f(a=\"Zürich, (CH) = [x](y)\")]", &["f{\"a\": \"Zürich, (CH) = [x](y)\"}"]),
        ("[f(query=\"g(x=1), h(y=2)]\")]", &["f{\"query\": \"g(x=1), h(y=2)]\"}"]),
        (r#"[f(a="\ud83d")]"#, &[r#"f{"a": "\ud83d"}"#]),
        ("[f(\n  a=1,\n  b=2\n)\n, g()]\n", &["f{\"a\": 1, \"b\": 2}", "g{}"]),
    ];
    for (text, expected) in cases {
        let expected: Vec<_> = expected.iter().map(ToString::to_string).collect();
        assert_eq!(read(text), Ok(expected), "{text}");
    }
}

#[test]
fn what_is_no_list_of_calls_breaks_at_its_place() {
    let cases = [
        ("", "list of calls (bytes 0..0)"),
        ("f(a=1)", "list of calls (bytes 0..1)"),
        ("[", "expected a call"),
        ("[f]", "expected a call"),
        ("[f(x)]", "expected a call"),
        ("[f(2020 edition)]", "expected a call"),
        ("[f(1 2)]", "expected a call"),
        ("[f(1, b)]", "Python literal (bytes 6..7)"),
        ("[(a=1)]", "expected a call"),
        ("[see the docs\n(a=1)]", "expected a call"),
        ("[f(a=1)", "expected ',' or ']' (bytes 7..7)"),
        ("[f(a=1)] and more", "text after the end"),
        ("[f(a=1) g(b=2)]", "expected ',' or ']' (bytes 8..9)"),
        ("[f(a=1", "expected ',' or ')' (bytes 6..6)"),
        ("[f(a=1 b=2)]", "expected ',' or ')' (bytes 7..8)"),
        ("[f(a=1, 2)]", "parameter's name and '=' (bytes 8..9)"),
        ("[f(a=1, a=2)]", "given twice (bytes 8..9)"),
        ("[f(a=)]", "Python literal (bytes 5..6)"),
        ("[f(a=celsius)]", "Python literal (bytes 5..12)"),
        ("[f(a=Trueish)]", "Python literal (bytes 5..12)"),
        ("[f(a=007)]", "Python literal (bytes 5..8)"),
        ("[f(a=-)]", "Python literal"),
        ("[f(a=1j)]", "expected ',' or ')'"),
        ("[f(a='x)]", "without its closing quote"),
        (r"[f(a='\x4')]", "invalid escape"),
        (r"[f(a='\U00110000')]", "invalid escape"),
        ("[f(a={1, 2})]", "as a key"),
        ("[f(a={[1]: 2})]", "as a key"),
        ("[f(a=[1, 2)]", "expected ',' or ']'"),
        ("[f(a=[,])]", "Python literal"),
    ];
    for (text, part) in cases {
        let error = read(text).unwrap_err();
        assert!(error.contains(part), "{text}: {error}: lacks {part}");
    }
}

#[test]
fn positional_arguments_stand_first() {
    let cases: [(&str, &str, &[&str], &str); 7] = [
        ("[cd('docs')]", "cd", &["\"docs\""], "{}"),
        ("[post('a=b, c)', tags=['x'])]", "post", &["\"a=b, c)\""], "{\"tags\": [\"x\"]}"),
        ("[mean([1, 2], 3)]", "mean", &["[1, 2]", "3"], "{}"),
        ("[f({'a': 1}, )]", "f", &["{\"a\": 1}"], "{}"),
        ("[fill( 15.0 )]", "fill", &["15.0"], "{}"),
        ("[Albums (2020)(a=1)]", "Albums (2020)", &[], "{\"a\": 1}"),
        ("[set (None)(True, -1)]", "set (None)", &["true", "-1"], "{}"),
    ];
    for (text, name, positional, named) in cases {
        let calls = parse(text).unwrap();
        assert_eq!(calls[0].name.lossy(), name, "{text}");
        let found: Vec<_> = calls[0].positional.iter().map(ToString::to_string).collect();
        assert_eq!(found, positional, "{text}");
        assert_eq!(Value::Object(calls[0].arguments.clone()).to_string(), named, "{text}");
    }
}

#[test]
fn spans_cover_the_calls() {
    let text = "[ Get A (x='é'), b()]";
    let spans: Vec<_> = parse(text).unwrap().iter().map(|call| &text[call.span.range()]).collect();
    assert_eq!(spans, ["Get A (x='é')", "b()"]);
}

/// A value as Python writes it.
fn repr(value: &Value<'_>) -> String {
    match value {
        Value::Null => "None".to_owned(),
        Value::Bool(true) => "True".to_owned(),
        Value::Bool(false) => "False".to_owned(),
        Value::Str(text) => format!("'{}'", text.lossy().replace('\\', "\\\\").replace('\'', "\\'")),
        Value::List(items) => format!("[{}]", items.iter().map(repr).collect::<Vec<_>>().join(", ")),
        Value::Object(entries) => {
            let entry = |(key, value): (&PyStr<'_>, _)| {
                format!("{}: {}", repr(&Value::Str(key.clone())), repr(value))
            };
            format!("{{{}}}", entries.iter().map(entry).collect::<Vec<_>>().join(", "))
        }
        number => number.to_string(),
    }
}

/// Any value, of lists and objects up to three levels.
fn any_value() -> impl Strategy<Value = Value<'static>> {
    let text = || any::<String>().prop_map(PyStr::from);
    let scalar = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::Bool),
        any::<i64>().prop_map(|n| Value::Int(PyInt::Small(n))),
        (-1e300..1e300).prop_map(Value::Float),
        text().prop_map(Value::Str),
    ];
    scalar.prop_recursive(3, 24, 4, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::List),
            prop::collection::vec((text(), inner), 0..4)
                .prop_map(|entries| Value::Object(entries.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn what_python_writes_is_read_back(
        name in "[a-zA-Z][a-zA-Z0-9 ./()-]{0,12}[a-zA-Z)]",
        arguments in prop::collection::btree_map("[a-z][a-z0-9_. ]{0,6}[a-z]", any_value(), 0..5),
    ) {
        let written = arguments.iter().map(|(key, value)| format!("{key}={}", repr(value)));
        let text = format!("[{name}({})]", written.collect::<Vec<_>>().join(", "));
        let calls = parse(&text).map_err(|error| TestCaseError::fail(format!("{text}: {error}")))?;
        prop_assert_eq!(calls.len(), 1);
        prop_assert_eq!(&calls[0].name.lossy(), &name);
        let expected = arguments.into_iter().map(|(key, value)| (PyStr::from(key), value)).collect();
        let found = Value::Object(calls[0].arguments.clone());
        prop_assert!(json::equal(&found, &Value::Object(expected)), "{}", text);
    }
}
