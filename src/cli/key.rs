//! `foreword key new`: a key for a client.

use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use super::Exit;
use super::arguments::NewKeyArguments;
use super::print::{err, out, problems};
use crate::document::Severity;
use crate::keys::{NewKey, entry, read_keys};

pub(super) fn new(arguments: &NewKeyArguments) -> Exit {
    let file = &arguments.file;
    // A file that cannot be read would not be read by `serve` either: nothing is added to it.
    if file.exists()
        && let Err(found) = read_keys(file)
        && std::fs::metadata(file).is_ok_and(|data| data.len() > 0)
    {
        problems(&found, Severity::Warning);
        return Exit::BadInput;
    }
    let key = match NewKey::generate() {
        Ok(key) => key,
        Err(error) => {
            err(&format!("foreword: the system gives no random numbers: {error}\n"));
            return Exit::Runtime;
        }
    };
    let text = entry(&key, &arguments.name, &arguments.brands, arguments.requests_per_minute);
    if let Err(error) = append(file, &text) {
        err(&format!("foreword: {} cannot be written: {error}\n", file.display()));
        return Exit::Runtime;
    }
    out(&format!("{}\n", key.key));
    err(&format!(
        "This key is shown once. Its hash is in {}; serve with server.keys = \"{}\", and give the key to the client as its API key.\n",
        file.display(),
        file.display()
    ));
    Exit::Success
}

/// In one write, so that another process never reads half of it.
fn append(file: &Path, text: &str) -> std::io::Result<()> {
    let mut file = OpenOptions::new().create(true).append(true).mode(0o600).open(file)?;
    let gap = if file.metadata()?.len() > 0 { "\n" } else { "" };
    file.write_all(format!("{gap}{text}").as_bytes())?;
    file.sync_all()
}
