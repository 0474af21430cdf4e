//! Receipts as JSON lines: appended, never changed. A file that has grown large enough is put aside under the time at
//! which it was, and another is begun.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use super::receipt::Receipt;

/// Bytes at which a file is put aside.
const FULL: u64 = 64 << 20;

/// An append-only log of receipts.
pub struct AuditLog {
    path: PathBuf,
    file: File,
    length: u64,
    full: u64,
}

impl AuditLog {
    /// Opens the log, or begins one. A last line that was not written whole is ended, so that the next is one of its
    /// own.
    ///
    /// # Errors
    ///
    /// Those of the file system.
    pub fn open(path: &Path) -> io::Result<AuditLog> {
        AuditLog::open_with(path, FULL)
    }

    /// As [`AuditLog::open`], with another size at which a file is put aside.
    ///
    /// # Errors
    ///
    /// Those of the file system.
    pub fn open_with(path: &Path, full: u64) -> io::Result<AuditLog> {
        if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            std::fs::create_dir_all(folder)?;
        }
        let mut file = OpenOptions::new().create(true).append(true).read(true).mode(0o600).open(path)?;
        let mut length = file.seek(SeekFrom::End(0))?;
        if length > 0 {
            file.seek(SeekFrom::End(-1))?;
            let mut last = [0];
            file.read_exact(&mut last)?;
            if last != *b"\n" {
                file.write_all(b"\n")?;
                length += 1;
            }
        }
        Ok(AuditLog { path: path.to_owned(), file, length, full })
    }

    /// Appends receipts in one write.
    ///
    /// # Errors
    ///
    /// Those of the file system.
    pub fn append(&mut self, receipts: &[Receipt]) -> io::Result<()> {
        if self.length >= self.full {
            self.put_aside()?;
        }
        let mut lines = Vec::new();
        for receipt in receipts {
            serde_json::to_writer(&mut lines, receipt)?;
            lines.push(b'\n');
        }
        if let Err(error) = self.file.write_all(&lines) {
            // What was written in part is taken back, since all of it will come again.
            let _as_it_is = self.file.set_len(self.length);
            return Err(error);
        }
        self.length += lines.len() as u64;
        Ok(())
    }

    fn put_aside(&mut self) -> io::Result<()> {
        let now = jiff::Timestamp::now().strftime("%Y%m%dT%H%M%S").to_string();
        let stem = self.path.file_stem().unwrap_or_default().to_string_lossy();
        // Never over another: two may be put aside within a second, and the clock may go back.
        let mut names = (0..).map(|number| self.path.with_file_name(format!("{stem}.{now}Z-{number}.jsonl")));
        let aside = names.find(|name| !name.exists()).unwrap_or_else(|| self.path.clone());
        self.file.sync_all()?;
        std::fs::rename(&self.path, aside)?;
        *self = AuditLog::open_with(&self.path.clone(), self.full)?;
        Ok(())
    }
}
