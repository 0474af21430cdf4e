//! Vectors and token counts on disk, so that a restart computes nothing and an edit only what changed.
//!
//! One file: a magic, the format's version, the model, its dimension, the records, and a BLAKE3 checksum
//! of all before it. What does not fit in every respect is not trusted but built anew. A file is written
//! beside its place and renamed, so that a reader sees the old one or the new one.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

const MAGIC: &[u8; 8] = b"fwvector";
const VERSION: u32 = 1;
const HASH_BYTES: usize = 16;
const CHECKSUM_BYTES: usize = 32;

/// New vectors from which they are written although more are to come, and the share of all that they are: so
/// what is written over and over stays a few times what is written once.
const CHECKPOINT: usize = 128;
const CHECKPOINT_SHARE: usize = 8;

type Hash = [u8; HASH_BYTES];

/// Files that this process has begun to write.
static SAVES: AtomicU64 = AtomicU64::new(0);

/// The model that vectors belong to.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Identity {
    /// Its name and the hash of its files; empty without a model.
    pub model: String,
    /// Numbers a vector.
    pub dimension: usize,
}

/// What is known of texts. Only what was asked for since it was opened is saved again.
#[derive(Debug, Default)]
pub struct VectorStore {
    identity: Identity,
    vectors: HashMap<Hash, Used<Arc<[f32]>>>,
    tokens: HashMap<Hash, Used<u32>>,
    added: bool,
    /// The file that it was opened from.
    path: Option<PathBuf>,
    /// Vectors that were put since they were last written.
    unwritten: usize,
}

#[derive(Debug)]
struct Used<T> {
    value: T,
    used: bool,
}

impl VectorStore {
    /// A store that knows nothing yet.
    pub fn empty(identity: Option<&Identity>) -> VectorStore {
        VectorStore { identity: identity.cloned().unwrap_or_default(), ..VectorStore::default() }
    }

    /// Reads a file. Where there is none, or it does not fit, the store is empty; in the second case the
    /// reason comes with it.
    pub fn open(path: &Path, identity: Option<&Identity>) -> (VectorStore, Option<String>) {
        let empty = || VectorStore { path: Some(path.to_owned()), ..VectorStore::empty(identity) };
        let mut store = empty();
        let bytes = match fs::read(path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return (store, None),
            Err(error) => return (store, Some(format!("it cannot be read ({error})"))),
        };
        match store.fill(&bytes) {
            Ok(()) => (store, None),
            Err(reason) => (empty(), Some(reason.to_owned())),
        }
    }

    fn fill(&mut self, bytes: &[u8]) -> Result<(), &'static str> {
        let cut = "it is cut short";
        let body = bytes.len().checked_sub(CHECKSUM_BYTES).ok_or(cut)?;
        let (body, checksum) = bytes.split_at(body);
        let mut reader = Reader { bytes: body };
        if reader.take(MAGIC.len()).ok_or(cut)? != MAGIC {
            return Err("it is no file of foreword");
        }
        if reader.number().ok_or(cut)? != VERSION {
            return Err("it is of another version");
        }
        if blake3::hash(body).as_bytes() != checksum {
            return Err("its checksum is wrong: it was cut short or damaged");
        }
        let model_length = reader.number().ok_or(cut)? as usize;
        let model = reader.take(model_length).ok_or(cut)?;
        let dimension = reader.number().ok_or(cut)? as usize;
        let same_model = model == self.identity.model.as_bytes() && dimension == self.identity.dimension;
        for _ in 0..reader.number().ok_or(cut)? {
            let hash = reader.hash().ok_or(cut)?;
            let numbers = reader.take(dimension * 4).ok_or(cut)?;
            if same_model {
                let (numbers, _) = numbers.as_chunks::<4>();
                let vector: Arc<[f32]> = numbers.iter().map(|number| f32::from_le_bytes(*number)).collect();
                self.vectors.insert(hash, Used { value: vector, used: false });
            }
        }
        for _ in 0..reader.number().ok_or(cut)? {
            let hash = reader.hash().ok_or(cut)?;
            let value = reader.number().ok_or(cut)?;
            self.tokens.insert(hash, Used { value, used: false });
        }
        // Token counts do not depend on the model and stay. Vectors of another one are written over.
        self.added |= !same_model;
        Ok(())
    }

    /// The vector of a text, if it is known.
    pub fn vector(&mut self, text: &str) -> Option<Arc<[f32]>> {
        let known = self.vectors.get_mut(&hash("", text))?;
        known.used = true;
        Some(Arc::clone(&known.value))
    }

    /// Keeps the vector of a text; whether it is known.
    pub(super) fn keep(&mut self, text: &str) -> bool {
        let known = self.vectors.get_mut(&hash("", text));
        known.map(|known| known.used = true).is_some()
    }

    /// Remembers the vector of a text.
    pub fn put_vector(&mut self, text: &str, vector: Arc<[f32]>) {
        self.added = true;
        self.unwritten += 1;
        self.vectors.insert(hash("", text), Used { value: vector, used: true });
    }

    /// Writes what is known to the file that it was opened from, where enough is new: a process that is
    /// ended while it embeds many texts finds most of them again.
    pub(super) fn checkpoint(&mut self) {
        let enough = CHECKPOINT.max(self.vectors.len() / CHECKPOINT_SHARE);
        let Some(path) = self.path.as_ref().filter(|_| self.unwritten >= enough) else { return };
        if let Err(error) = Self::replace(path, &self.encode(true)) {
            // The last save tells whoever reads the problems.
            tracing::debug!(%error, "vectors computed so far are not kept");
        }
        self.unwritten = 0;
    }

    /// The number of tokens of a text, counted if it is not known.
    pub fn tokens(&mut self, tokenizer: &str, text: &str, count: impl FnOnce() -> u32) -> u32 {
        let added = &mut self.added;
        let known = self.tokens.entry(hash(tokenizer, text)).or_insert_with(|| {
            *added = true;
            Used { value: count(), used: true }
        });
        known.used = true;
        known.value
    }

    /// Writes what was used, unless the file already holds just that.
    pub fn save(&self, path: &Path) -> io::Result<()> {
        let stale =
            self.vectors.values().any(|known| !known.used) || self.tokens.values().any(|known| !known.used);
        if !self.added && !stale {
            return Ok(());
        }
        Self::replace(path, &self.encode(false))
    }

    fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
        let folder = path.parent().unwrap_or(Path::new("."));
        fs::create_dir_all(folder)?;
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        // Two writers must not share the file beside, whether they are two processes or two threads.
        let number = SAVES.fetch_add(1, Ordering::Relaxed);
        let beside = folder.join(format!(".{name}.{}.{number}.tmp", std::process::id()));
        let written = write(&beside, bytes).and_then(|()| fs::rename(&beside, path));
        if written.is_err() {
            // What cannot be finished must not be left lying about; the first error is the one to tell.
            let _best_effort = fs::remove_file(&beside);
        }
        written
    }

    /// The file: what was used, or all.
    fn encode(&self, all: bool) -> Vec<u8> {
        let mut vectors: Vec<_> = self.vectors.iter().filter(|(_, known)| all || known.used).collect();
        vectors.sort_by_key(|(hash, _)| *hash);
        let mut tokens: Vec<_> = self.tokens.iter().filter(|(_, known)| all || known.used).collect();
        tokens.sort_by_key(|(hash, _)| *hash);
        let size =
            vectors.len() * (HASH_BYTES + 4 * self.identity.dimension) + tokens.len() * (HASH_BYTES + 4);
        let mut bytes = Vec::with_capacity(size + 256);
        bytes.extend_from_slice(MAGIC);
        bytes.extend_from_slice(&VERSION.to_le_bytes());
        bytes.extend_from_slice(&length(self.identity.model.len()));
        bytes.extend_from_slice(self.identity.model.as_bytes());
        bytes.extend_from_slice(&length(self.identity.dimension));
        bytes.extend_from_slice(&length(vectors.len()));
        for (hash, known) in vectors {
            bytes.extend_from_slice(hash);
            bytes.extend(known.value.iter().flat_map(|number| number.to_le_bytes()));
        }
        bytes.extend_from_slice(&length(tokens.len()));
        for (hash, known) in tokens {
            bytes.extend_from_slice(hash);
            bytes.extend_from_slice(&known.value.to_le_bytes());
        }
        let checksum = blake3::hash(&bytes);
        bytes.extend_from_slice(checksum.as_bytes());
        bytes
    }
}

fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = File::create(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

fn length(count: usize) -> [u8; 4] {
    u32::try_from(count).unwrap_or(u32::MAX).to_le_bytes()
}

fn hash(kind: &str, text: &str) -> Hash {
    let mut hasher = blake3::Hasher::new();
    hasher.update(kind.as_bytes()).update(&[0]).update(text.as_bytes());
    let mut hash = [0; HASH_BYTES];
    hash.copy_from_slice(&hasher.finalize().as_bytes()[..HASH_BYTES]);
    hash
}

struct Reader<'a> {
    bytes: &'a [u8],
}

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.bytes.split_at_checked(count)?;
        self.bytes = rest;
        Some(taken)
    }

    fn number(&mut self) -> Option<u32> {
        Some(u32::from_le_bytes(self.take(4)?.try_into().ok()?))
    }

    fn hash(&mut self) -> Option<Hash> {
        self.take(HASH_BYTES)?.try_into().ok()
    }
}
