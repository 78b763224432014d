//! A module of assignments, `NAME = literal`, which is how a file of Python holds data.

use super::Raised;
use super::reader::{Reader, invalid};
use crate::value::Value;

/// An assignment of a literal.
#[derive(Debug)]
pub(crate) struct Assignment {
    pub(crate) name: String,
    pub(crate) value: Value,
    /// Where it begins, in bytes.
    pub(crate) offset: usize,
}

/// What is no assignment of a literal.
#[derive(Debug)]
pub(crate) struct Fault {
    /// Where it was noticed, in bytes.
    pub(crate) offset: usize,
    pub(crate) problem: String,
}

/// The line of an offset, from 1.
pub(crate) fn line_of(text: &str, offset: usize) -> usize {
    1 + text.bytes().take(offset).filter(|byte| *byte == b'\n').count()
}

/// Reads every assignment, in the order of the text.
///
/// # Errors
/// The first fault.
pub(crate) fn parse_assignments(text: &str) -> Result<Vec<Assignment>, Fault> {
    let mut reader = Reader::new(text);
    let mut found = Vec::new();
    loop {
        reader.space();
        let offset = text.len() - reader.rest.len();
        if reader.rest.is_empty() {
            return Ok(found);
        }
        let read = assignment(&mut reader).and_then(|read| ended(text, &mut reader).map(|()| read));
        let (name, value) = read.map_err(|raised| fault(text, &reader, &raised))?;
        found.push(Assignment { name, value, offset });
    }
}

/// `assignment = name "=" value`
fn assignment(reader: &mut Reader<'_>) -> Result<(String, Value), Raised> {
    let name = reader.name().ok_or_else(invalid)?.to_owned();
    reader.expect('=')?;
    let value = reader.value()?;
    if reader.unknown.is_some() { Err(invalid()) } else { Ok((name, value)) }
}

/// Demands that a line, or the text, ends behind a value. Reading it may have taken the white space after it.
fn ended(text: &str, reader: &mut Reader<'_>) -> Result<(), Raised> {
    reader.space();
    let behind = &text[..text.len() - reader.rest.len()];
    let ends = reader.rest.is_empty() || behind.trim_end_matches([' ', '\t', '\r']).ends_with('\n');
    if ends { Ok(()) } else { Err(invalid()) }
}

fn fault(text: &str, reader: &Reader<'_>, raised: &Raised) -> Fault {
    let problem = match &reader.unknown {
        Some(name) => format!("{name} is no literal"),
        // Without the place in a text of one line: a fault has its own.
        None => {
            let problem = raised.text.trim_end_matches(" (<string>, line 1)");
            problem.trim_end_matches(" (detected at line 1)").to_owned()
        }
    };
    Fault { offset: text.len() - reader.rest.len(), problem }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn assignments_are_read_as_python_reads_them() {
        let text = "# Words.\n\nA = ['x', ...,]  # two\nB={\n  'k': \"\"\"it's\n  {so}\"\"\", # why\n}\nA = -1.50\r\nC = 'a' \\\n";
        let text = text.trim_end_matches("\\\n");
        let read = parse_assignments(text).unwrap();
        let shown: Vec<String> = read
            .iter()
            .map(|read| format!("{}={}@{}", read.name, read.value.repr(), line_of(text, read.offset)))
            .collect();
        assert_eq!(shown, ["A=['x', Ellipsis]@3", "B={'k': \"it's\\n  {so}\"}@4", "A=-1.5@8", "C='a'@9"]);
        assert!(parse_assignments(" \n# nothing").unwrap().is_empty());
    }

    #[test]
    fn anything_else_is_a_fault_at_its_line() {
        let deep = format!("A = {}", "[".repeat(100_000));
        let cases = [
            ("A = 1\nimport os\n", 2, "invalid syntax"),
            ("A = 1 B = 2", 1, "invalid syntax"),
            ("A = 'x' B = 2", 1, "invalid syntax"),
            ("A = [\n1\n", 3, "invalid syntax"),
            ("A =", 1, "invalid syntax"),
            ("A == 1", 1, "invalid syntax"),
            ("A = f(1)", 1, "f is no literal"),
            ("A = [1,\n  name]", 2, "name is no literal"),
            ("A = 'x\n", 1, "unterminated string literal"),
            ("\nA = '''x\n'\n''", 4, "unterminated triple-quoted string literal"),
            ("A = 1.2.3", 1, "invalid decimal literal"),
            ("A = {[]: 1}", 1, "unhashable type: 'list'"),
            (&deep, 1, "too many nested parentheses"),
            ("\0", 1, "invalid syntax"),
        ];
        for (text, line, problem) in cases {
            let fault = parse_assignments(text).unwrap_err();
            let start: String = text.chars().take(30).collect();
            assert_eq!((line_of(text, fault.offset), fault.problem.as_str()), (line, problem), "{start}");
        }
    }
}
