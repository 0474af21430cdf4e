//! The files of an embedding model become a fastembed session.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::str::FromStr;

use fastembed::{
    EmbeddingModel, InitOptionsUserDefined, Pooling, QuantizationMode, TextEmbedding, TextInitOptions,
    TokenizerFiles, UserDefinedEmbeddingModel,
};
use ort::environment::Environment;
use ort::ep::CPU;

use super::library::{LibraryError, load};

/// Which embedding model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ModelSource {
    /// None: retrieval by words alone.
    Off,
    /// A folder with `model.onnx` and `tokenizer.json`: a sentence model with mean pooling.
    Folder(PathBuf),
    /// A model of fastembed's list, which fastembed fetches itself.
    Named(String),
}

/// Which model, and how it runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EmbedderSettings {
    /// The model.
    pub model: ModelSource,
    /// The path of ONNX Runtime, where it is not looked for.
    pub library: Option<PathBuf>,
    /// Threads that one text is computed on.
    pub threads: usize,
    /// Vectors of queries that are remembered.
    pub cache_entries: usize,
    /// Tokens of a text that are read; what is longer is cut.
    pub max_length: usize,
}

impl Default for EmbedderSettings {
    fn default() -> Self {
        EmbedderSettings {
            model: ModelSource::Off,
            library: None,
            threads: 1,
            cache_entries: 4_096,
            max_length: 256,
        }
    }
}

/// Why a model cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// It is switched off.
    #[error("the embedding model is switched off")]
    Off,
    /// No ONNX Runtime.
    #[error(transparent)]
    Library(#[from] LibraryError),
    /// No such folder.
    #[error("there is no embedding model in {0}: run scripts/setup, or name one with retrieval.model")]
    Absent(PathBuf),
    /// A file of the model is missing or unreadable.
    #[error("{file} cannot be read: run scripts/setup again, or name another model with retrieval.model")]
    File {
        /// The file.
        file: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The files do not make a model.
    #[error("{model} is no usable embedding model ({reason}): it may be cut short; run scripts/setup again")]
    Broken {
        /// The folder or name.
        model: String,
        /// Why.
        reason: String,
    },
    /// fastembed knows no such model.
    #[error("{0} is neither a folder nor a model that fastembed knows")]
    Unknown(String),
}

impl OpenError {
    /// Whether something is simply not there, rather than broken.
    pub fn is_absent(&self) -> bool {
        matches!(self, OpenError::Off | OpenError::Absent(_) | OpenError::Library(LibraryError::Absent))
    }
}

/// A session and the model's identity.
pub(super) struct Opened {
    pub(super) session: TextEmbedding,
    pub(super) id: String,
}

pub(super) fn open(settings: &EmbedderSettings) -> Result<Opened, OpenError> {
    match &settings.model {
        ModelSource::Off => Err(OpenError::Off),
        ModelSource::Folder(folder) => {
            if !folder.is_dir() {
                return Err(OpenError::Absent(folder.clone()));
            }
            let environment = load(settings.library.as_deref(), Some(folder))?;
            open_folder(folder, settings, environment)
        }
        ModelSource::Named(name) => {
            let model = EmbeddingModel::from_str(name).map_err(|_| OpenError::Unknown(name.clone()))?;
            let environment = load(settings.library.as_deref(), None)?;
            let options = TextInitOptions::new(model)
                .with_environment(environment)
                .with_intra_threads(settings.threads)
                .with_show_download_progress(true);
            let session = guarded(name, || TextEmbedding::try_new(options))?;
            Ok(Opened { session, id: name.clone() })
        }
    }
}

fn open_folder(
    folder: &Path,
    settings: &EmbedderSettings,
    environment: Environment,
) -> Result<Opened, OpenError> {
    let read = |name: &str| {
        let file = folder.join(name);
        std::fs::read(&file).map_err(|source| OpenError::File { file, source })
    };
    let onnx = read("model.onnx")?;
    let tokenizer = read("tokenizer.json")?;
    let name = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let mut hash = blake3::Hasher::new();
    hash.update(&onnx).update(&tokenizer);
    let id = format!("{name}-{}", &hash.finalize().to_hex()[..12]);
    // Files that hold what a tokenizer needs besides its vocabulary; where they are missing, what BERT's
    // family of models has.
    let or = |file: &str, default: &str| read(file).unwrap_or_else(|_| default.as_bytes().to_vec());
    let files = TokenizerFiles {
        tokenizer_file: tokenizer,
        config_file: or("config.json", r#"{"pad_token_id":0}"#),
        special_tokens_map_file: or("special_tokens_map.json", "{}"),
        tokenizer_config_file: or("tokenizer_config.json", r#"{"model_max_length":512,"pad_token":"[PAD]"}"#),
    };
    let model = UserDefinedEmbeddingModel::new(onnx, files)
        .with_pooling(Pooling::Mean)
        // One text a call: the rounding of an int8 model depends on its neighbours in a batch.
        .with_quantization(QuantizationMode::Dynamic);
    let options = InitOptionsUserDefined::new()
        .with_environment(environment)
        .with_max_length(settings.max_length)
        .with_intra_threads(settings.threads)
        // The arena keeps the largest request's memory for good.
        .with_execution_providers(vec![CPU::default().with_arena_allocator(false).build()])
        // A waiting thread that spins takes the core from the one that serves.
        .with_session_config("session.intra_op.allow_spinning", "0")
        .with_session_config("session.inter_op.allow_spinning", "0");
    let session =
        guarded(&folder.to_string_lossy(), || TextEmbedding::try_new_from_user_defined(model, options))?;
    Ok(Opened { session, id })
}

/// Opens a session; a panic in the libraries below is one more way for it to be broken.
fn guarded(
    model: &str,
    open: impl FnOnce() -> fastembed::Result<TextEmbedding>,
) -> Result<TextEmbedding, OpenError> {
    let broken = |reason: String| OpenError::Broken { model: model.to_owned(), reason };
    match catch_unwind(AssertUnwindSafe(open)) {
        Ok(Ok(session)) => Ok(session),
        Ok(Err(error)) => Err(broken(error.to_string())),
        Err(_) => Err(broken("it panicked while it was opened".to_owned())),
    }
}
