//! ONNX Runtime: a shared library that is found and loaded once a process.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use ort::environment::Environment;

/// Why ONNX Runtime is not there.
#[derive(Debug, Clone, thiserror::Error)]
pub enum LibraryError {
    /// Found nowhere.
    #[error(
        "ONNX Runtime (libonnxruntime.so) was not found: run scripts/setup, or name the library with \
         retrieval.onnx_runtime or ORT_DYLIB_PATH"
    )]
    Absent,
    /// Found, and not usable: too old, or no such library.
    #[error(
        "ONNX Runtime at {path} cannot be used ({reason}): version 1.{least} or later is needed; run \
         scripts/setup to get one",
        least = ort::MINOR_VERSION
    )]
    Unusable {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
}

/// Kept for the life of the process, since sessions need it.
static LOADED: OnceLock<Result<Environment, LibraryError>> = OnceLock::new();

/// Loads the library: `configured`, else `ORT_DYLIB_PATH`, else where `scripts/setup` puts it (`lib`
/// beside the folder of models), else the system's. Later calls return what the first one gave.
pub(super) fn load(configured: Option<&Path>, models: Option<&Path>) -> Result<Environment, LibraryError> {
    LOADED.get_or_init(|| find_and_load(configured, models)).clone()
}

fn find_and_load(configured: Option<&Path>, models: Option<&Path>) -> Result<Environment, LibraryError> {
    let named = configured
        .map(Path::to_owned)
        .or_else(|| std::env::var_os("ORT_DYLIB_PATH").filter(|path| !path.is_empty()).map(PathBuf::from));
    if let Some(path) = named {
        return open(&path);
    }
    let beside = models.and_then(|models| models.parent()?.parent().map(|home| home.join("lib")));
    let folders = [beside, Some(PathBuf::from(".foreword/lib"))];
    if let Some(path) = folders.iter().flatten().find_map(|folder| newest_in(folder)) {
        return open(&path);
    }
    let system = ["/usr/local/lib", "/usr/lib", "/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu"];
    match system.iter().find_map(|folder| newest_in(Path::new(folder))) {
        Some(path) => open(&path),
        None => Err(LibraryError::Absent),
    }
}

fn newest_in(folder: &Path) -> Option<PathBuf> {
    let mut found: Vec<PathBuf> = std::fs::read_dir(folder)
        .ok()?
        .filter_map(|entry| entry.ok().map(|entry| entry.path()))
        .filter(|path| {
            path.file_name().is_some_and(|name| {
                let name = name.to_string_lossy();
                name.starts_with("libonnxruntime.so") || name == "libonnxruntime.dylib"
            })
        })
        .collect();
    found.sort();
    found.pop()
}

fn open(path: &Path) -> Result<Environment, LibraryError> {
    let unusable = |reason: String| LibraryError::Unusable { path: path.to_owned(), reason };
    let loaded = std::panic::catch_unwind(|| {
        ort::init_from(path)
            .map_err(|error| error.to_string())?
            .with_telemetry(false)
            .build()
            .map_err(|error| error.to_string())
    });
    match loaded {
        Ok(Ok(environment)) => Ok(environment),
        Ok(Err(reason)) => Err(unusable(reason)),
        Err(_) => Err(unusable("it panicked while it was loaded".to_owned())),
    }
}
