//! Times as trackers' files hold them.

use chrono::{DateTime, Utc};

/// A time in seconds since 1970.
pub(crate) fn date(seconds: f64) -> DateTime<Utc> {
    DateTime::from_timestamp_micros((seconds * 1e6) as i64).unwrap_or_default()
}
