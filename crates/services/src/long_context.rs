//! What the `long_context` category adds to scenarios and results, from the user's copy of BFCL's file.
//!
//! A result that lacks one character of these texts is another result, and they are others': so they are read
//! from the released package and are no part of this crate.

use std::collections::HashMap;
use std::fmt;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;

use crate::ServicesError;
use crate::python::{Assignment, line_of, parse_assignments};
use crate::value::{Dict, Value};

/// The largest file that is read, in bytes; the released one has 190 kB.
const LARGEST: u64 = 4 << 20;

/// Where the installed package has the file, seen from its data folder.
const IN_PACKAGE: &str = "../eval_checker/multi_turn_eval/func_source_code";

/// The texts and lists that the `long_context` category adds. A clone is cheap.
#[derive(Clone)]
pub struct LongContext(Arc<Texts>);

/// The additions by what they are added to.
pub(crate) struct Texts {
    /// What the files of a scenario end in.
    pub(crate) file_content: Value,
    /// Empty files that fill directories.
    pub(crate) file_names: Vec<Value>,
    /// Files that keep their content.
    pub(crate) unchanged_files: Vec<Value>,
    pub(crate) watch_list: Vec<Value>,
    pub(crate) transactions: Vec<Value>,
    /// A stock's moving averages over 5 and over 20 days.
    pub(crate) averages_of_5: Value,
    pub(crate) averages_of_20: Value,
    /// Stocks of the two sectors.
    pub(crate) technology: Vec<Value>,
    pub(crate) automobile: Vec<Value>,
    /// Texts by their name, with `{symbol}` where the order's stock goes.
    pub(crate) order_details: Dict,
    pub(crate) credit_cards: Dict,
    pub(crate) bookings: Dict,
    pub(crate) car_status: Value,
    pub(crate) weather: Dict,
    pub(crate) parking_brake: Value,
    pub(crate) cities: Value,
}

impl LongContext {
    /// The file's name.
    pub const FILE: &str = "long_context.py";

    /// Reads the file that belongs to a data folder of the leaderboard: [`Self::FILE`] in the folder itself, or
    /// where the installed package has it.
    ///
    /// # Errors
    /// [`ServicesError::NoLongContext`] where it is at neither place; else as [`Self::read`].
    pub fn of_data(directory: &Path) -> Result<Self, ServicesError> {
        for folder in [directory.to_owned(), directory.join(IN_PACKAGE)] {
            match Self::read(&folder.join(Self::FILE)) {
                Err(ServicesError::Read { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => {}
                read => return read,
            }
        }
        Err(ServicesError::NoLongContext { path: directory.join(Self::FILE) })
    }

    /// Reads the file at this path.
    ///
    /// # Errors
    /// [`ServicesError::Read`], and as [`Self::parse`].
    pub fn read(path: &Path) -> Result<Self, ServicesError> {
        let failed = |source| ServicesError::Read { path: path.to_owned(), source };
        let file = std::fs::File::open(path).map_err(failed)?;
        let mut bytes = Vec::new();
        file.take(LARGEST + 1).read_to_end(&mut bytes).map_err(failed)?;
        Self::parse(path, &bytes)
    }

    /// Reads the file's bytes: assignments of Python literals to the names that BFCL gives them. Other names are
    /// passed over; of two assignments to a name the later one counts.
    ///
    /// # Errors
    /// [`ServicesError::TooLarge`]; [`ServicesError::Line`] with the line at which something else stands, a
    /// value is of another type or, behind the last line, a name is missing.
    pub fn parse(path: &Path, bytes: &[u8]) -> Result<Self, ServicesError> {
        if bytes.len() as u64 > LARGEST {
            return Err(ServicesError::TooLarge { path: path.to_owned(), limit: LARGEST });
        }
        let at = |text: &str, offset: usize, source: ServicesError| {
            let (path, line) = (path.to_owned(), line_of(text, offset));
            ServicesError::Line { path, line, source: Box::new(source) }
        };
        let text = std::str::from_utf8(bytes).map_err(|fault| {
            let problem = "not UTF-8".to_owned();
            let before = String::from_utf8_lossy(&bytes[..fault.valid_up_to()]);
            at(&before, before.len(), ServicesError::Assignment { problem })
        })?;
        // As Python reads a file.
        let text = text.replace("\r\n", "\n");
        let found = parse_assignments(&text)
            .map_err(|fault| at(&text, fault.offset, ServicesError::Assignment { problem: fault.problem }))?;
        let mut named = Named { by_name: HashMap::new(), end: text.len() };
        named.by_name.extend(found.into_iter().map(|read| (read.name.clone(), read)));
        let texts = named.texts().map_err(|(offset, source)| at(&text, offset, source))?;
        Ok(Self(Arc::new(texts)))
    }

    pub(crate) fn texts(&self) -> &Texts {
        &self.0
    }
}

/// Without the texts, which are long.
impl fmt::Debug for LongContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LongContext").finish_non_exhaustive()
    }
}

/// A file's assignments, to be taken by name.
struct Named {
    by_name: HashMap<String, Assignment>,
    /// The text's length, where what is missing is missing.
    end: usize,
}

/// What is wrong with a name, and where.
type Taken<T> = Result<T, (usize, ServicesError)>;

impl Named {
    fn texts(&mut self) -> Taken<Texts> {
        Ok(Texts {
            file_content: self.text("FILE_CONTENT_EXTENSION")?,
            file_names: self.list("POPULATE_FILE_EXTENSION")?,
            unchanged_files: self.list("FILES_TAIL_USED")?,
            watch_list: self.list("WATCH_LIST_EXTENSION")?,
            transactions: self.list("TRANSACTION_HISTORY_EXTENSION")?,
            averages_of_5: self.list("MA_5_EXTENSION")?.into(),
            averages_of_20: self.list("MA_20_EXTENSION")?.into(),
            technology: self.list("TECHNOLOGY_EXTENSION")?,
            automobile: self.list("AUTOMOBILE_EXTENSION")?,
            order_details: self.dict("ORDER_DETAIL_EXTENSION")?,
            credit_cards: self.dict("CREDIT_CARD_EXTENSION")?,
            bookings: self.dict("BOOKING_RECORD_EXTENSION")?,
            car_status: self.text("CAR_STATUS_METADATA_EXTENSION")?,
            weather: self.dict("LONG_WEATHER_EXTENSION")?,
            parking_brake: self.text("PARKING_BRAKE_INSTRUCTION")?,
            cities: self.list("INTERMEDIARY_CITIES")?.into(),
        })
    }

    fn text(&mut self, name: &'static str) -> Taken<Value> {
        self.take(name, "a string", |value| match value {
            Value::Str(_) => Ok(value),
            other => Err(other),
        })
    }

    fn list(&mut self, name: &'static str) -> Taken<Vec<Value>> {
        self.take(name, "a list", |value| match value {
            Value::List(items) => Ok(items),
            other => Err(other),
        })
    }

    fn dict(&mut self, name: &'static str) -> Taken<Dict> {
        self.take(name, "a dict", |value| match value {
            Value::Dict(entries) => Ok(entries),
            other => Err(other),
        })
    }

    fn take<T>(
        &mut self,
        field: &'static str,
        expected: &'static str,
        of: impl FnOnce(Value) -> Result<T, Value>,
    ) -> Taken<T> {
        let wrong =
            |offset, found: &str| (offset, ServicesError::Field { field, expected, found: found.to_owned() });
        let Assignment { value, offset, .. } =
            self.by_name.remove(field).ok_or_else(|| wrong(self.end, "nothing"))?;
        of(value).map_err(|other| wrong(offset, other.type_name()))
    }
}
