//! When a request is repeated, and after what wait.

use std::time::{Duration, SystemTime};

use crate::Retries;

/// Whether a server that answers so may answer otherwise later.
pub(crate) fn is_passing(status: u16) -> bool {
    matches!(status, 408 | 425 | 429 | 500 | 502 | 503 | 504 | 529)
}

/// Whether a request that failed so may get through later.
pub(crate) fn may_pass(error: &ureq::Error) -> bool {
    use ureq::Error as E;
    matches!(
        error,
        E::Io(_) | E::Timeout(_) | E::HostNotFound | E::ConnectionFailed | E::Protocol(_) | E::BodyStalled
    )
}

impl Retries {
    /// The wait before repetition `k`, counted from 0, at a random number from 0 to 1.
    pub(crate) fn wait(&self, k: u32, random: f64) -> Duration {
        let doubled = self.first_wait.saturating_mul(2_u32.saturating_pow(k));
        doubled.min(self.longest_wait).mul_f64(0.5 + 0.5 * random)
    }
}

/// The wait that a `Retry-After` header asks for: seconds, or a date.
pub(crate) fn retry_after(header: &str, now: SystemTime) -> Option<Duration> {
    if let Ok(seconds) = header.trim().parse() {
        return Some(Duration::from_secs(seconds));
    }
    let date = chrono::DateTime::parse_from_rfc2822(header.trim()).ok()?;
    Some(SystemTime::from(date).duration_since(now).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_longest() {
        let retries = Retries::default();
        let cases = [
            (0, 1.0, 500),
            (0, 0.0, 250),
            (1, 1.0, 1000),
            (5, 1.0, 16_000),
            (6, 1.0, 30_000),
            (99, 0.5, 22_500),
        ];
        for (k, random, milliseconds) in cases {
            assert_eq!(retries.wait(k, random), Duration::from_millis(milliseconds), "{k} {random}");
        }
    }

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_445_412_450);
        let cases = [
            ("7", Some(7)),
            (" 0 ", Some(0)),
            ("Wed, 21 Oct 2015 07:28:00 GMT", Some(30)),
            ("Wed, 21 Oct 2015 07:27:00 GMT", Some(0)),
            ("soon", None),
            ("-1", None),
        ];
        for (header, seconds) in cases {
            assert_eq!(retry_after(header, now), seconds.map(Duration::from_secs), "{header}");
        }
    }
}
