//! How deep the schema in a Parquet footer is nested, read before a reader follows it by recursion.
//!
//! A footer is a struct of Thrift's compact protocol. Its field 2 lists the schema's elements, parents before
//! their children; field 5 of an element is the number of its children.

/// The deepest that values of a footer are nested; Parquet itself needs a handful of levels.
const MOST_STRUCTS: usize = 32;

/// Types of the compact protocol.
const LIST: u8 = 9;
const STRUCT: u8 = 12;

/// The nesting of the schema in a table's footer; `None` where there is none that can be read.
pub(super) fn nesting(table: &[u8]) -> Option<usize> {
    let (rest, end) = table.split_last_chunk::<8>()?;
    let [a, b, c, d, b'P', b'A', b'R', b'1'] = *end else { return None };
    let footer = usize::try_from(u32::from_le_bytes([a, b, c, d])).ok()?;
    Scan(rest.get(rest.len().checked_sub(footer)?..)?).schemas()
}

/// What is left of a footer.
struct Scan<'a>(&'a [u8]);

impl Scan<'_> {
    /// The deepest of the schemas that a footer's fields 2 list.
    fn schemas(&mut self) -> Option<usize> {
        let (mut id, mut deepest) = (0, 0);
        while let Some(kind) = self.field(&mut id)? {
            match (id, kind) {
                (2, LIST) => deepest = deepest.max(self.elements()?),
                _ => self.skip(kind, 0)?,
            }
        }
        Some(deepest)
    }

    /// The nesting of a list of schema elements.
    fn elements(&mut self) -> Option<usize> {
        let (kind, count) = self.list()?;
        // The children that are still to come, of each open element.
        let mut open: Vec<i64> = Vec::new();
        let mut deepest = 0;
        for _ in 0..count {
            let children = if kind == STRUCT { self.children()? } else { return None };
            if let Some(rest) = open.last_mut() {
                *rest -= 1;
            }
            if children > 0 {
                open.push(children);
            }
            deepest = deepest.max(open.len());
            while open.last().is_some_and(|rest| *rest <= 0) {
                open.pop();
            }
        }
        Some(deepest)
    }

    /// The number of children of an element.
    fn children(&mut self) -> Option<i64> {
        let (mut id, mut children) = (0, 0);
        while let Some(kind) = self.field(&mut id)? {
            match (id, kind) {
                (5, 4..=6) => children = zigzag(self.number()?),
                _ => self.skip(kind, 0)?,
            }
        }
        Some(children)
    }

    /// The type of a struct's next field, whose number follows from that of the last; `None` at its end.
    fn field(&mut self, id: &mut i64) -> Option<Option<u8>> {
        let head = self.byte()?;
        if head == 0 {
            return Some(None);
        }
        *id = match head >> 4 {
            0 => zigzag(self.number()?),
            step => id.wrapping_add(i64::from(step)),
        };
        Some(Some(head & 0xf))
    }

    /// The type of a list's items and their number.
    fn list(&mut self) -> Option<(u8, u64)> {
        let head = self.byte()?;
        let count = if head >> 4 == 15 { self.number()? } else { u64::from(head >> 4) };
        Some((head & 0xf, count))
    }

    /// Passes over a value of a struct's field.
    fn skip(&mut self, kind: u8, depth: usize) -> Option<()> {
        match kind {
            // A flag stands in its field's type.
            1 | 2 => Some(()),
            3 => self.bytes(1),
            4..=6 => self.number().map(|_| ()),
            7 => self.bytes(8),
            8 => {
                let len = self.number()?;
                self.bytes(len)
            }
            LIST | 10 => {
                let (kind, count) = self.list()?;
                (0..count).try_for_each(|_| self.skip_item(kind, depth))
            }
            11 => {
                let count = self.number()?;
                let kinds = if count == 0 { 0 } else { self.byte()? };
                (0..count).try_for_each(|_| {
                    self.skip_item(kinds >> 4, depth)?;
                    self.skip_item(kinds & 0xf, depth)
                })
            }
            STRUCT if depth < MOST_STRUCTS => {
                let mut id = 0;
                while let Some(kind) = self.field(&mut id)? {
                    self.skip(kind, depth + 1)?;
                }
                Some(())
            }
            _ => None,
        }
    }

    /// Passes over an item of a list, where a flag takes a byte.
    fn skip_item(&mut self, kind: u8, depth: usize) -> Option<()> {
        match kind {
            1 | 2 => self.bytes(1),
            kind if depth < MOST_STRUCTS => self.skip(kind, depth + 1),
            _ => None,
        }
    }

    fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*first)
    }

    fn bytes(&mut self, count: u64) -> Option<()> {
        self.0 = self.0.get(usize::try_from(count).ok()?..)?;
        Some(())
    }

    /// A number of up to ten bytes, seven bits each, the lowest first.
    fn number(&mut self) -> Option<u64> {
        let mut number = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            number |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Some(number);
            }
        }
        None
    }
}

/// A number with its sign: 0, -1, 1, -2, … are written 0, 1, 2, 3, ….
fn zigzag(number: u64) -> i64 {
    (number >> 1).cast_signed() ^ -(number & 1).cast_signed()
}
