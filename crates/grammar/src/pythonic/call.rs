//! The productions of calls and their arguments.

use std::borrow::Cow;

use super::literal::{Literal, literal};
use crate::fault::{Parse, fail, finish};
use crate::json::{Notation, Object, PyStr, Value, space};
use crate::{Span, SyntaxError, SyntaxErrorKind, text};

/// One call.
#[derive(Clone, Debug)]
pub struct PythonicCall<'a> {
    /// The name, without white space around it.
    pub name: PyStr<'a>,
    /// The arguments without a parameter's name, which stand before the others.
    pub positional: Vec<Value<'a>>,
    /// The arguments by parameter, in their order.
    pub arguments: Object<'a>,
    /// The whole call, from its name to its closing parenthesis.
    pub span: Span,
}

/// Reads a list of calls that fills the whole text, white space around it aside. The list may be empty.
///
/// A name ends at the first `(` that opens arguments: one before `)` and the call's end, before `parameter=`, or
/// before a literal. So a name may hold parentheses, and a parameter's name may not.
///
/// # Errors
/// [`SyntaxError`] at the first piece that is no call, argument or literal.
pub fn parse<T: AsRef<[u8]> + ?Sized>(text: &T) -> Result<Vec<PythonicCall<'_>>, SyntaxError> {
    let text = text.as_ref();
    finish(text, document(text))
}

/// `document = space "[" space [call {"," call} [","]] "]" space`
fn document(input: &[u8]) -> Parse<'_, Vec<PythonicCall<'_>>> {
    let start = space(input);
    let Some((b'[', rest)) = start.split_first() else {
        return fail(start, 1, SyntaxErrorKind::ExpectedCalls);
    };
    let mut rest = space(rest);
    let mut calls = Vec::new();
    loop {
        if let Some((b']', after)) = rest.split_first() {
            return Ok((space(after), calls));
        }
        let (after, call) = call(input, rest)?;
        calls.push(call);
        rest = space(after);
        match rest.split_first() {
            Some((b',', after)) => rest = space(after),
            Some((b']', _)) => {}
            _ => return fail(rest, 1, SyntaxErrorKind::ExpectedComma { close: ']' }),
        }
    }
}

/// `call = name "(" arguments`
pub(crate) fn call<'a>(whole: &[u8], input: &'a [u8]) -> Parse<'a, PythonicCall<'a>> {
    let opening = memchr::memchr2_iter(b'(', b'\n', input)
        .take_while(|&at| input[at] == b'(')
        .find(|&at| opens_arguments(&input[at + 1..]));
    let name = opening.map(|at| text::strip(&input[..at])).filter(|name| !name.is_empty());
    let (Some(at), Some(name)) = (opening, name) else {
        return fail(input, 1, SyntaxErrorKind::ExpectedCall);
    };
    let (rest, (positional, arguments)) = arguments(&input[at + 1..])?;
    let span = Span::within(whole, &input[..input.len() - rest.len()]);
    Ok((rest, PythonicCall { name: PyStr(Cow::Borrowed(name)), positional, arguments, span }))
}

/// Whether a call begins at `input` whose name ends within its beginning `name`.
pub(crate) fn begins_call(name: &[u8], input: &[u8]) -> bool {
    memchr::memchr_iter(b'(', name).any(|at| opens_arguments(&input[at + 1..]))
}

/// Whether what follows a `(` is a call's arguments and not a part of its name. It looks at one scalar at
/// most, so that a name of many parentheses takes no more than linear time.
fn opens_arguments(input: &[u8]) -> bool {
    let ends = |rest: &[u8]| matches!(space(rest).first(), None | Some(b',' | b']'));
    let input = space(input);
    match input.split_first() {
        Some((b')', rest)) => ends(rest),
        Some((b'"' | b'\'' | b'[' | b'{', _)) => true,
        _ if parameter(input).is_ok() => true,
        _ => Literal::scalar(input).is_ok_and(|(rest, _)| match space(rest).split_first() {
            Some((b')', rest)) => ends(rest),
            next => next.is_some_and(|(byte, _)| *byte == b','),
        }),
    }
}

/// Positional and named arguments.
type Arguments<'a> = (Vec<Value<'a>>, Object<'a>);

/// `arguments = space [argument {"," argument} [","]] ")"`, `argument = [parameter] literal`
fn arguments(input: &[u8]) -> Parse<'_, Arguments<'_>> {
    let (mut positional, mut named) = (Vec::new(), Object::default());
    let mut rest = space(input);
    loop {
        if let Some((b')', after)) = rest.split_first() {
            return Ok((after, (positional, named)));
        }
        let after = match parameter(rest) {
            Ok((after, name)) => {
                let (after, value) = literal(space(after))?;
                if named.insert(PyStr(Cow::Borrowed(name)), value).is_some() {
                    return fail(rest, name.len(), SyntaxErrorKind::RepeatedParameter);
                }
                after
            }
            Err(error) if !named.is_empty() => return Err(error),
            Err(_) => {
                let (after, value) = literal(rest)?;
                positional.push(value);
                after
            }
        };
        rest = space(after);
        match rest.split_first() {
            Some((b',', after)) => rest = space(after),
            Some((b')', _)) => {}
            _ => return fail(rest, 1, SyntaxErrorKind::ExpectedComma { close: ')' }),
        }
    }
}

/// `parameter = {any but quotes, parentheses, commas and line breaks} "="`; its name without white space
/// around it.
fn parameter(input: &[u8]) -> Parse<'_, &[u8]> {
    let ends = |byte: &u8| matches!(byte, b'=' | b'(' | b')' | b',' | b'"' | b'\'' | b'\n');
    let end = input.iter().position(ends).unwrap_or(input.len());
    let name = text::strip(&input[..end]);
    match input.get(end) {
        Some(b'=') if !name.is_empty() => Ok((&input[end + 1..], name)),
        _ => fail(input, 1, SyntaxErrorKind::ExpectedParameter),
    }
}
