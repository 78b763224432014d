//! Call expressions of literals, as the ground truth of some categories is written:
//! `mv(source='a.txt', destination='b')`.

use nom::branch::alt;
use nom::bytes::complete::{tag, take_while, take_while1};
use nom::character::complete::{char, multispace0, one_of};
use nom::combinator::{opt, recognize, value as literal};
use nom::multi::separated_list1;
use nom::sequence::{delimited, preceded, terminated};
use nom::{IResult, Parser};
use toolrl_grammar::json::{Object, PyInt, Value};

use super::{float, integer};

/// The deepest nesting of an argument.
const MAX_DEPTH: usize = 64;

/// A call as Python writes it.
#[derive(Clone, Debug)]
pub struct PythonCall {
    /// The function's name, with its dots.
    pub name: String,
    /// Its arguments in order.
    pub arguments: Vec<Argument>,
}

/// An argument of a call.
#[derive(Clone, Debug)]
pub struct Argument {
    /// Its name; `None` where it is given by its place.
    pub name: Option<String>,
    /// Its value; a tuple is a list.
    pub value: Value<'static>,
}

/// Reads a call whose arguments are literals, or products and quotients of numbers. `None` for
/// anything else.
///
/// ```
/// let call = toolrl_bfcl::python::parse_call("math.power(2, exponent=-3.0)").unwrap();
/// assert_eq!(call.name, "math.power");
/// assert_eq!(call.arguments[0].name, None);
/// assert_eq!(call.arguments[1].value.to_string(), "-3.0");
/// ```
pub fn parse_call(text: &str) -> Option<PythonCall> {
    let (rest, call) = call(text.trim()).ok()?;
    rest.is_empty().then_some(call)
}

/// Reads what Python's `eval` makes of a text that is a literal, or literals with commas between them: a list of them.
/// `None` for anything else.
///
/// ```
/// let calls = toolrl_bfcl::python::parse_literals("{'a': True}, {'a': (1, 2)}").unwrap();
/// assert_eq!(calls.to_string(), r#"[{"a": true}, {"a": [1, 2]}]"#);
/// assert!(toolrl_bfcl::python::parse_literals("{'a': true}").is_none());
/// ```
pub fn parse_literals(text: &str) -> Option<Value<'static>> {
    // Outside of brackets a line ends the expression.
    let blanks = |text: &'_ str| text.len() - text.trim_start_matches([' ', '\t']).len();
    let (mut rest, mut values) = (text.trim_end(), Vec::new());
    loop {
        let (after, found) = value(&rest[blanks(rest)..], 0).ok()?;
        values.push(found);
        rest = &after[blanks(after)..];
        let Some(further) = rest.strip_prefix(',') else {
            break;
        };
        rest = &further[blanks(further)..];
        if rest.is_empty() {
            return Some(Value::List(values));
        }
    }
    match values.len() {
        _ if !rest.is_empty() => None,
        1 => values.pop(),
        _ => Some(Value::List(values)),
    }
}

type Parse<'a, T> = IResult<&'a str, T>;

/// `call = name "(" [argument {"," argument} [","]] ")"`
fn call(input: &str) -> Parse<'_, PythonCall> {
    let (rest, name) = recognize(separated_list1(char('.'), name)).parse(input)?;
    let (rest, arguments) = delimited(symbol('('), |input| items(argument, input), char(')')).parse(rest)?;
    Ok((rest, PythonCall { name: name.into(), arguments }))
}

/// `argument = [name "="] expression`
fn argument(input: &str) -> Parse<'_, Argument> {
    let (rest, name) = opt(terminated(spaced(name), symbol('='))).parse(input)?;
    let (rest, value) = expression(rest, 0)?;
    Ok((rest, Argument { name: name.map(str::to_string), value }))
}

/// `name`, a run of letters, digits and underscores.
fn name(input: &str) -> Parse<'_, &str> {
    take_while1(|c: char| c.is_alphanumeric() || c == '_').parse(input)
}

/// `items = [item {"," item} [","]]`
fn items<'a, T>(item: impl Fn(&'a str) -> Parse<'a, T>, input: &'a str) -> Parse<'a, Vec<T>> {
    let mut found = Vec::new();
    let mut rest = input;
    while let Ok((after, one)) = item(rest) {
        found.push(one);
        let Ok((after_comma, _)) = symbol(',').parse(after) else {
            return spaced(|input| Ok((input, ()))).parse(after).map(|(rest, ())| (rest, found));
        };
        rest = after_comma;
    }
    let (rest, _) = multispace0(rest)?;
    Ok((rest, found))
}

/// `expression = value {("*" | "/") value}`
fn expression(input: &str, depth: usize) -> Parse<'_, Value<'static>> {
    if depth > MAX_DEPTH {
        return fail(input);
    }
    let (mut rest, mut total) = spaced(|input| value(input, depth)).parse(input)?;
    while let Ok((after, operator)) = one_of::<_, _, nom::error::Error<&str>>("*/").parse(rest) {
        let (after, factor) = spaced(|input| value(input, depth)).parse(after)?;
        let Some(result) = arithmetic(operator, &total, &factor) else {
            return fail(rest);
        };
        (rest, total) = (after, result);
    }
    Ok((rest, total))
}

/// Python's `a * b` or `a / b` of two numbers.
fn arithmetic(operator: char, a: &Value<'_>, b: &Value<'_>) -> Option<Value<'static>> {
    let real = |value: &Value<'_>| match value {
        Value::Int(PyInt::Small(n)) => Some(*n as f64),
        Value::Float(x) => Some(*x),
        _ => None,
    };
    match (operator, a, b) {
        ('*', Value::Int(PyInt::Small(a)), Value::Int(PyInt::Small(b))) => {
            a.checked_mul(*b).map(|product| Value::Int(PyInt::Small(product)))
        }
        ('*', a, b) => Some(Value::Float(real(a)? * real(b)?)),
        (_, a, b) => {
            let divisor = real(b).filter(|divisor| *divisor != 0.0)?;
            Some(Value::Float(real(a)? / divisor))
        }
    }
}

/// `value = constant | number | string | list | tuple | dict`
fn value(input: &str, depth: usize) -> Parse<'_, Value<'static>> {
    let inner = |input| expression(input, depth + 1);
    match input.chars().next() {
        Some('[') => delimited(char('['), |rest| items(inner, rest), char(']')).map(Value::List).parse(input),
        Some('(') => tuple(input, depth),
        Some('{') => delimited(char('{'), |rest| items(|input| entry(input, depth), rest), char('}'))
            .map(|entries| Value::Object(entries.into_iter().collect::<Object<'static>>()))
            .parse(input),
        Some('\'' | '"') => string(input).map(|(rest, text)| (rest, Value::str(text))),
        Some('-' | '+' | '.' | '0'..='9') => number(input),
        _ => alt((
            literal(Value::Bool(true), tag("True")),
            literal(Value::Bool(false), tag("False")),
            literal(Value::Null, tag("None")),
        ))
        .parse(input),
    }
}

/// `tuple = "(" expression ")" | "(" items ")"`: without a comma the parentheses only group.
fn tuple(input: &str, depth: usize) -> Parse<'_, Value<'static>> {
    let inner = |input| expression(input, depth + 1);
    let (rest, mut found) = delimited(char('('), |rest| items(inner, rest), char(')')).parse(input)?;
    let inside = &input[..input.len() - rest.len()];
    let grouped = found.len() == 1 && !inside.trim_end_matches(')').trim_end().ends_with(',');
    match found.pop() {
        Some(only) if grouped => Ok((rest, only)),
        last => {
            found.extend(last);
            Ok((rest, Value::List(found)))
        }
    }
}

/// `entry = string ":" expression`
fn entry(input: &str, depth: usize) -> Parse<'_, (toolrl_grammar::json::PyStr<'static>, Value<'static>)> {
    let (rest, key) = terminated(spaced(string), symbol(':')).parse(input)?;
    let (rest, value) = expression(rest, depth + 1)?;
    Ok((rest, (key.into(), value)))
}

fn number(input: &str) -> Parse<'_, Value<'static>> {
    let digits = take_while(|c: char| c.is_ascii_digit() || c == '.' || c == '_');
    let exponent = (one_of("eE"), opt(one_of("+-")), take_while1(|c: char| c.is_ascii_digit()));
    let (rest, text) = recognize((opt(one_of("+-")), multispace0, digits, opt(exponent))).parse(input)?;
    let text: String = text.split_whitespace().collect();
    match (integer(&text), float(&text)) {
        (Some(number), _) => Ok((rest, Value::Int(number))),
        (None, Some(number)) => Ok((rest, Value::Float(number))),
        (None, None) => fail(input),
    }
}

/// A string in quotes of either kind, with the common escapes.
fn string(input: &str) -> Parse<'_, String> {
    let (body, quote) = one_of("'\"").parse(input)?;
    let mut text = String::new();
    let mut characters = body.char_indices();
    while let Some((at, c)) = characters.next() {
        match c {
            _ if c == quote => return Ok((&body[at + 1..], text)),
            '\\' => match characters.next() {
                Some((_, 'n')) => text.push('\n'),
                Some((_, 't')) => text.push('\t'),
                Some((_, 'r')) => text.push('\r'),
                Some((_, c @ ('\\' | '\'' | '"'))) => text.push(c),
                Some((_, 'x')) => text.push(code_point(&mut characters, 2).ok_or_else(|| refused(input))?),
                Some((_, 'u')) => text.push(code_point(&mut characters, 4).ok_or_else(|| refused(input))?),
                Some((_, 'U')) => text.push(code_point(&mut characters, 8).ok_or_else(|| refused(input))?),
                Some((_, '\n')) => {}
                Some((_, other)) => text.extend(['\\', other]),
                None => return fail(input),
            },
            c => text.push(c),
        }
    }
    fail(input)
}

/// The character of so many hexadecimal digits.
fn code_point(characters: &mut std::str::CharIndices<'_>, digits: usize) -> Option<char> {
    let code = (0..digits).try_fold(0, |code, _| Some(code * 16 + characters.next()?.1.to_digit(16)?));
    char::from_u32(code?)
}

/// A character with white space around it.
fn symbol<'a>(c: char) -> impl Parser<&'a str, Output = char, Error = nom::error::Error<&'a str>> {
    delimited(multispace0, char(c), multispace0)
}

fn spaced<'a, T>(
    inner: impl Parser<&'a str, Output = T, Error = nom::error::Error<&'a str>>,
) -> impl Parser<&'a str, Output = T, Error = nom::error::Error<&'a str>> {
    preceded(multispace0, terminated(inner, multispace0))
}

fn fail<T>(input: &str) -> Parse<'_, T> {
    Err(refused(input))
}

fn refused(input: &str) -> nom::Err<nom::error::Error<&str>> {
    nom::Err::Error(nom::error::Error::new(input, nom::error::ErrorKind::Verify))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_are_read() {
        let cases = [
            ("f()", "f "),
            (" a.b_c( x = 1 , y=[ ] ) ", "a.b_c x=1 y=[]"),
            ("sort('final \\'x\\'.txt')", "sort =\"final 'x'.txt\""),
            ("f(x=(1, 2.5), y=(3,), z=(4))", "f x=[1, 2.5] y=[3] z=4"),
            ("f(x=1 / 4, y=500 * 500, z=-2*3)", "f x=0.25 y=250000 z=-6"),
            ("f(x={'a': [True, None], \"b\": -1e3},)", "f x={\"a\": [true, null], \"b\": -1000.0}"),
        ];
        for (text, expected) in cases {
            let call = parse_call(text).unwrap();
            let arguments = call.arguments.iter();
            let arguments = arguments.map(|a| format!("{}={}", a.name.as_deref().unwrap_or(""), a.value));
            assert_eq!(format!("{} {}", call.name, arguments.collect::<Vec<_>>().join(" ")), expected);
        }
    }

    #[test]
    fn anything_else_is_refused() {
        let deep = format!("f({}{})", "[".repeat(500), "]".repeat(500));
        for text in ["", "f", "f(", "f(x)", "f(x=)", "f(1/0)", "f('a", "f() g()", "f(,)", "f(1 2)", &deep] {
            assert!(parse_call(text).is_none(), "{text}");
        }
    }
}
