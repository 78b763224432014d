//! Commands of the `toolrl` binary, forwarded to it.

use std::ffi::OsString;
use std::process::ExitCode;

use anyhow::Context;

use crate::cargo;

/// Builds `toolrl` where it is not built yet, and runs it here with these arguments. Its standard
/// streams and its exit code are this program's; cargo's own progress goes to stderr.
pub(crate) fn toolrl(arguments: &[OsString]) -> anyhow::Result<ExitCode> {
    let status = cargo()
        .args(["run", "--package", "toolrl-cli", "--bin", "toolrl", "--"])
        .args(arguments)
        .status()
        .context("cannot start cargo")?;
    Ok(exit_code(status.code()))
}

/// The code of a child as this program's own; a child that a signal ended counts as failed.
fn exit_code(code: Option<i32>) -> ExitCode {
    let code = code.and_then(|code| u8::try_from(code).ok());
    code.map_or(ExitCode::FAILURE, ExitCode::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exit_codes_pass_through() {
        let cases = [
            (Some(0), ExitCode::SUCCESS),
            (Some(2), ExitCode::from(2)),
            (Some(101), ExitCode::from(101)),
            (None, ExitCode::FAILURE),
            (Some(-1), ExitCode::FAILURE),
            (Some(256), ExitCode::FAILURE),
        ];
        for (code, expected) in cases {
            assert_eq!(exit_code(code), expected, "{code:?}");
        }
    }
}
