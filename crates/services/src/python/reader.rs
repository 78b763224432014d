//! Reading Python's literals, and calls of them.

use num_bigint::BigInt;

use super::calls::{Call, negated};
use super::numbers::float_of_text;
use super::{Outcome, Raised, int_of_text};
use crate::value::{Dict, Key, Value};

/// The deepest nesting of brackets that Python's tokenizer takes.
const MAX_NESTING: usize = 200;

/// What opens and closes a string, the longer ones first.
const QUOTES: [&str; 4] = ["'''", "\"\"\"", "'", "\""];

/// Words that cannot be the name of a keyword argument.
const RESERVED: [&str; 35] = [
    "False", "None", "True", "and", "as", "assert", "async", "await", "break", "class", "continue", "def",
    "del", "elif", "else", "except", "finally", "for", "from", "global", "if", "import", "in", "is",
    "lambda", "nonlocal", "not", "or", "pass", "raise", "return", "try", "while", "with", "yield",
];

pub(super) struct Reader<'a> {
    /// What has not been read.
    pub(super) rest: &'a str,
    nesting: usize,
    /// The first name that stands where a literal should.
    pub(super) unknown: Option<String>,
}

pub(super) fn invalid() -> Raised {
    Raised::syntax("invalid syntax")
}

impl<'a> Reader<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self { rest: text, nesting: 0, unknown: None }
    }

    /// `call = name {"." name} "(" [argument {"," argument} [","]] ")"`
    pub(super) fn call(mut self) -> Outcome<Call> {
        self.space();
        let mut name = self.name().ok_or_else(invalid)?.to_owned();
        while self.taken('.') {
            name.push('.');
            name.push_str(self.name().ok_or_else(invalid)?);
        }
        let mut call = Call { name, positional: Vec::new(), keywords: Vec::new(), unknown: None };
        self.open('(')?;
        while !self.closed(')') {
            self.argument(&mut call)?;
            if !self.taken(',') {
                self.close(')')?;
                break;
            }
        }
        self.space();
        if !self.rest.is_empty() {
            return Err(invalid());
        }
        call.unknown = self.unknown;
        Ok(call)
    }

    /// `argument = [name "="] value`
    fn argument(&mut self, call: &mut Call) -> Outcome<()> {
        let before = self.rest;
        if let Some(keyword) = self.name()
            && self.taken('=')
        {
            if RESERVED.contains(&keyword) {
                return Err(invalid());
            }
            if call.keywords.iter().any(|(name, _)| name == keyword) {
                return Err(Raised::syntax(&format!("keyword argument repeated: {keyword}")));
            }
            let value = self.value()?;
            call.keywords.push((keyword.to_owned(), value));
            return Ok(());
        }
        self.rest = before;
        let value = self.value()?;
        if !call.keywords.is_empty() {
            return Err(Raised::syntax("positional argument follows keyword argument"));
        }
        call.positional.push(value);
        Ok(())
    }

    /// `value = {"-" | "+"} (string {string} | number | name | "..." | list | dict | "(" value ")")`
    pub(super) fn value(&mut self) -> Outcome<Value> {
        self.space();
        let mut negative = false;
        while let Some(sign) = self.rest.chars().next().filter(|c| matches!(c, '-' | '+')) {
            self.rest = &self.rest[1..];
            negative ^= sign == '-';
            self.space();
        }
        let value = match self.rest.chars().next() {
            Some('\'' | '"') => self.strings()?,
            Some('.') if self.rest.starts_with("...") => {
                self.rest = &self.rest[3..];
                Value::Opaque("Ellipsis".into())
            }
            Some('0'..='9' | '.') => self.number()?,
            Some('[') => self.list()?,
            Some('{') => self.dict()?,
            Some('(') => {
                self.open('(')?;
                let value = self.value()?;
                self.close(')')?;
                value
            }
            _ => self.constant()?,
        };
        Ok(if negative { negated(value) } else { value })
    }

    fn constant(&mut self) -> Outcome<Value> {
        let name = self.name().ok_or_else(invalid)?;
        match name {
            "True" => Ok(true.into()),
            "False" => Ok(false.into()),
            "None" => Ok(Value::None),
            _ if RESERVED.contains(&name) => Err(invalid()),
            _ => {
                self.unknown.get_or_insert_with(|| name.to_owned());
                Ok(Value::None)
            }
        }
    }

    fn list(&mut self) -> Outcome<Value> {
        self.open('[')?;
        let mut items = Vec::new();
        while !self.closed(']') {
            items.push(self.value()?);
            if !self.taken(',') {
                self.close(']')?;
                break;
            }
        }
        Ok(items.into())
    }

    fn dict(&mut self) -> Outcome<Value> {
        self.open('{')?;
        let mut entries = Dict::default();
        while !self.closed('}') {
            let key = self.value()?;
            self.expect(':')?;
            let value = self.value()?;
            entries.insert(Key::of(&key)?, value);
            if !self.taken(',') {
                self.close('}')?;
                break;
            }
        }
        Ok(entries.into())
    }

    fn number(&mut self) -> Outcome<Value> {
        let bytes = self.rest.as_bytes();
        let mut end = 0;
        while let Some(byte) = bytes.get(end) {
            let exponent_sign = matches!(byte, b'+' | b'-') && matches!(bytes[end - 1], b'e' | b'E');
            if !(byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_') || exponent_sign) {
                break;
            }
            end += 1;
        }
        let (text, rest) = self.rest.split_at(end);
        self.rest = rest;
        if text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'_') {
            let value = int_of_text(text).map_err(|_| Raised::syntax("invalid decimal literal"))?;
            if text.starts_with('0') && value != BigInt::ZERO {
                return Err(Raised::syntax(
                    "leading zeros in decimal integer literals are not permitted; \
                     use an 0o prefix for octal integers",
                ));
            }
            return Ok(Value::Int(value));
        }
        float_of_text(text).map(Value::Float).map_err(|_| Raised::syntax("invalid decimal literal"))
    }

    /// Adjacent string literals make one string.
    fn strings(&mut self) -> Outcome<Value> {
        let mut text = String::new();
        while let Some(quotes) = QUOTES.into_iter().find(|quotes| self.rest.starts_with(quotes)) {
            self.rest = &self.rest[quotes.len()..];
            self.string(quotes, &mut text)?;
            self.space();
        }
        Ok(text.into())
    }

    /// A string behind its opening quotes. Three of them let it hold line breaks, and single ones of its kind.
    fn string(&mut self, quotes: &str, out: &mut String) -> Outcome<()> {
        let kind = if quotes.len() == 3 { "triple-quoted string" } else { "string" };
        let unterminated = || Raised::syntax(&format!("unterminated {kind} literal (detected at line 1)"));
        loop {
            let special = |c: char| c == '\\' || c == '\n' || quotes.starts_with(c);
            let end = self.rest.find(special).ok_or_else(unterminated)?;
            out.push_str(&self.rest[..end]);
            self.rest = &self.rest[end..];
            if let Some(rest) = self.rest.strip_prefix(quotes) {
                self.rest = rest;
                return Ok(());
            }
            let (stop, rest) = self.rest.split_at(1);
            match stop {
                "\n" if quotes.len() == 1 => return Err(unterminated()),
                "\\" => {
                    self.rest = rest;
                    self.escape(out)?;
                }
                _ => {
                    self.rest = rest;
                    out.push_str(stop);
                }
            }
        }
    }

    /// What comes after a backslash. An unknown escape stands for itself.
    fn escape(&mut self, out: &mut String) -> Outcome<()> {
        let Some(escape) = self.rest.chars().next() else {
            return Err(invalid());
        };
        self.rest = &self.rest[escape.len_utf8()..];
        match escape {
            '\n' => {}
            '\\' | '\'' | '"' => out.push(escape),
            'n' => out.push('\n'),
            'r' => out.push('\r'),
            't' => out.push('\t'),
            'a' => out.push('\x07'),
            'b' => out.push('\x08'),
            'f' => out.push('\x0c'),
            'v' => out.push('\x0b'),
            'x' => out.push(self.hexadecimal(2)?),
            'u' => out.push(self.hexadecimal(4)?),
            'U' => out.push(self.hexadecimal(8)?),
            '0'..='7' => {
                let more = self.rest.bytes().take(2).take_while(|byte| (b'0'..=b'7').contains(byte)).count();
                let digits = format!("{escape}{}", &self.rest[..more]);
                self.rest = &self.rest[more..];
                let code = u32::from_str_radix(&digits, 8).unwrap_or_default();
                out.push(char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER));
            }
            other => out.extend(['\\', other]),
        }
        Ok(())
    }

    /// A code point of so many hexadecimal digits; a lone surrogate is replaced.
    fn hexadecimal(&mut self, count: usize) -> Outcome<char> {
        let digits =
            self.rest.get(..count).filter(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()));
        let code = digits.and_then(|digits| u32::from_str_radix(digits, 16).ok()).ok_or_else(invalid)?;
        self.rest = &self.rest[count..];
        Ok(char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER))
    }

    /// An identifier, and the white space after it.
    pub(super) fn name(&mut self) -> Option<&'a str> {
        self.space();
        let end = self.rest.find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(self.rest.len());
        let (name, rest) = self.rest.split_at(end);
        if name.is_empty() || name.starts_with(|c: char| c.is_numeric()) {
            return None;
        }
        self.rest = rest;
        self.space();
        Some(name)
    }

    /// White space and comments.
    pub(super) fn space(&mut self) {
        loop {
            self.rest = self.rest.trim_start_matches([' ', '\t', '\n', '\r']);
            let Some(comment) = self.rest.strip_prefix('#') else {
                return;
            };
            self.rest = comment.find('\n').map_or("", |end| &comment[end..]);
        }
    }

    /// Whether the symbol comes next; it is then behind.
    fn taken(&mut self, symbol: char) -> bool {
        self.space();
        match self.rest.strip_prefix(symbol) {
            Some(rest) => {
                self.rest = rest;
                self.space();
                true
            }
            None => false,
        }
    }

    pub(super) fn expect(&mut self, symbol: char) -> Outcome<()> {
        if self.taken(symbol) { Ok(()) } else { Err(invalid()) }
    }

    fn open(&mut self, bracket: char) -> Outcome<()> {
        if self.nesting >= MAX_NESTING {
            return Err(Raised::syntax("too many nested parentheses"));
        }
        self.nesting += 1;
        self.expect(bracket)
    }

    fn close(&mut self, bracket: char) -> Outcome<()> {
        self.nesting -= 1;
        self.expect(bracket)
    }

    /// Whether the bracket closes here; it is then behind.
    fn closed(&mut self, bracket: char) -> bool {
        let closed = self.taken(bracket);
        self.nesting -= usize::from(closed);
        closed
    }
}
