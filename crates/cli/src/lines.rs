//! Files of rows: one line at a time, gzipped or not, each line with its place.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use flate2::read::MultiGzDecoder;
use toolrl_data::Encoding;

/// The lines of a file, ended by `\n` alone, one in memory at a time; blank ones are left out.
pub(crate) struct Lines {
    path: PathBuf,
    reader: Box<dyn BufRead>,
    line: Vec<u8>,
    number: usize,
}

/// The two bytes with which gzip begins.
const GZIP: [u8; 2] = [0x1F, 0x8B];

impl Lines {
    /// Opens a file; gzip is told by its first bytes.
    pub(crate) fn open(path: &Path) -> anyhow::Result<Self> {
        let cannot_read = || format!("cannot read {}", path.display());
        let file = File::open(path).with_context(cannot_read)?;
        let mut start = Vec::new();
        let mut file = BufReader::new(file);
        file.by_ref().take(2).read_to_end(&mut start).with_context(cannot_read)?;
        let packed = start == GZIP;
        let whole = io::Cursor::new(start).chain(file);
        let reader: Box<dyn BufRead> =
            if packed { Box::new(BufReader::new(MultiGzDecoder::new(whole))) } else { Box::new(whole) };
        Ok(Self { path: path.to_path_buf(), reader, line: Vec::new(), number: 0 })
    }

    /// The next line that is not blank, without its end.
    pub(crate) fn next_line(&mut self) -> anyhow::Result<Option<&[u8]>> {
        loop {
            self.line.clear();
            self.number += 1;
            let read = self.reader.read_until(b'\n', &mut self.line);
            let read = read.with_context(|| format!("cannot read {}", self.place()))?;
            if read == 0 {
                return Ok(None);
            }
            if self.number == 1 {
                self.begin()?;
            }
            if !self.line.trim_ascii().is_empty() {
                return Ok(Some(self.line.strip_suffix(b"\n").unwrap_or(&self.line)));
            }
        }
    }

    /// Takes the byte-order mark off the first line. What is not UTF-8 is refused by its encoding's name, as is a pointer
    /// of Git LFS.
    fn begin(&mut self) -> anyhow::Result<()> {
        if self.line.starts_with(b"version https://git-lfs.github.com/spec/") {
            bail!(
                "{}: a pointer of Git LFS, not the file: fetch it with `git lfs pull`",
                self.path.display()
            );
        }
        match Encoding::of(&self.line) {
            Encoding::Utf8 if self.line.starts_with(Encoding::UTF8_MARK) => {
                self.line.drain(..Encoding::UTF8_MARK.len());
            }
            Encoding::Utf8 => {}
            encoding => bail!("{}: {encoding} text: save it as UTF-8", self.path.display()),
        }
        Ok(())
    }

    /// Where the line last read stands.
    pub(crate) fn place(&self) -> String {
        format!("{}, line {}", self.path.display(), self.number)
    }
}
