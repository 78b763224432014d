//! DeepSeek: a section of calls, in two forms.
//!
//! ```text
//! V3, R1:  <｜tool▁calls▁begin｜><｜tool▁call▁begin｜>function<｜tool▁sep｜>f
//!          ```json
//!          {…}
//!          ```<｜tool▁call▁end｜><｜tool▁calls▁end｜>
//! V3.1:    <｜tool▁calls▁begin｜><｜tool▁call▁begin｜>f<｜tool▁sep｜>{…}<｜tool▁call▁end｜><｜tool▁calls▁end｜>
//! ```

use super::native::{Native, Thoughts};
use super::productions::{Found, arguments, consumed, exact, literal, name, space};
use crate::fault::{Parse, fail};
use crate::json::{Entries, PyStr};
use crate::{Call, SyntaxErrorKind};

/// The dialect of DeepSeek-V3 and R1.
pub static DEEPSEEK_V3: Native = Native {
    name: "deepseek_v3",
    block: |input, calls| section(fenced, input, calls),
    calls: |calls| {
        section_text(calls, "\n", |call| {
            let (name, arguments) = (call.name.lossy(), Entries(&call.arguments));
            format!("function{SEPARATOR}{name}\n```json\n{arguments}\n```")
        })
    },
    ..FORM
};

/// The dialect of DeepSeek-V3.1.
pub static DEEPSEEK_V31: Native = Native {
    name: "deepseek_v31",
    thoughts: Thoughts::TIGHT,
    block: |input, calls| section(plain, input, calls),
    calls: |calls| {
        section_text(calls, "", |call| {
            format!("{}{SEPARATOR}{}", call.name.lossy(), Entries(&call.arguments))
        })
    },
    ..FORM
};

/// What both have.
const FORM: Native = Native { marks: &[BEGIN], ends: &["<｜end▁of▁sentence｜>"], ..Native::COMMON };

const BEGIN: &str = "<｜tool▁calls▁begin｜>";
const END: &str = "<｜tool▁calls▁end｜>";
const CALL: &str = "<｜tool▁call▁begin｜>";
const CALL_END: &str = "<｜tool▁call▁end｜>";
const SEPARATOR: &str = "<｜tool▁sep｜>";

/// What stands between the marks of a call.
type Inner = for<'a> fn(&'a [u8]) -> Parse<'a, Call<'a>>;

/// `section = "<｜tool▁calls▁begin｜>" call {call} "<｜tool▁calls▁end｜>"`,
/// `call = "<｜tool▁call▁begin｜>" inner "<｜tool▁call▁end｜>"`
fn section<'a>(inner: Inner, input: &'a [u8], calls: &mut Vec<Found<'a>>) -> Parse<'a, ()> {
    let (mut rest, ()) = literal(BEGIN, input)?;
    loop {
        let (start, ()) = literal(CALL, rest)?;
        let start = space(start);
        let (after, call) = inner(start)?;
        let text = consumed(start, after);
        let (after, ()) = literal(CALL_END, after)?;
        calls.push(Found { text, call, odd: None });
        rest = space(after);
        if CALL.as_bytes().starts_with(rest) && END.as_bytes().starts_with(rest) {
            return fail(rest, rest.len(), SyntaxErrorKind::MissingTag { tag: END });
        }
        if !rest.starts_with(CALL.as_bytes()) && !(CALL.as_bytes().starts_with(rest)) {
            return literal(END, rest);
        }
    }
}

/// `fenced = "function" "<｜tool▁sep｜>" name "```json\n" arguments "\n```"`
fn fenced(input: &[u8]) -> Parse<'_, Call<'_>> {
    let (rest, ()) = literal("function", input)?;
    let (rest, ()) = literal(SEPARATOR, rest)?;
    let (rest, called) = name(b"`<", rest)?;
    let (rest, ()) = literal("```json\n", rest)?;
    let (rest, arguments) = arguments(rest)?;
    let (rest, ()) = exact("\n```", rest)?;
    Ok((rest, Call::new(PyStr(called.into()), arguments)))
}

/// `plain = name "<｜tool▁sep｜>" arguments`
fn plain(input: &[u8]) -> Parse<'_, Call<'_>> {
    let (rest, called) = name(b"<", input)?;
    let (rest, ()) = literal(SEPARATOR, rest)?;
    let (rest, arguments) = arguments(rest)?;
    Ok((rest, Call::new(PyStr(called.into()), arguments)))
}

fn section_text(calls: &[Call<'_>], between: &str, inner: impl Fn(&Call<'_>) -> String) -> String {
    let calls: Vec<_> = calls.iter().map(|call| format!("{CALL}{}{CALL_END}", inner(call))).collect();
    format!("{BEGIN}{}{END}", calls.join(between))
}
