//! Vectors and token counts on disk, so that a restart computes nothing and an edit only what changed.
//!
//! One file: a magic, the format's version, the model, its dimension, the records, and a BLAKE3 checksum
//! of all before it. What does not fit in every respect is not trusted but built anew. A file is written
//! beside its place and renamed, so that a reader sees the old one or the new one. It is read and written
//! piece by piece: of many vectors there is one copy in memory, which indexes share.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{self, BufReader, BufWriter, Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::vector::Vector;

const MAGIC: &[u8; 8] = b"fwvector";
const VERSION: u32 = 2;
const HASH_BYTES: usize = 16;
const CHECKSUM_BYTES: u64 = 32;

/// New vectors from which they are written although more are to come, and the share of all that they are: so
/// what is written over and over stays a few times what is written once.
const CHECKPOINT: usize = 128;
const CHECKPOINT_SHARE: usize = 8;

/// Bytes that are read or written at a time.
const BUFFER: usize = 1 << 18;

/// Silence after which nobody writes a file beside its place any more: whoever began it was killed.
const ABANDONED: Duration = Duration::from_secs(60);

/// Why a file is not taken that ends too soon.
const CUT: &str = "it is cut short";

type Hash = [u8; HASH_BYTES];

/// What the store calls a text whose tokens it knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TextKey(Hash);

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

/// What is known of texts. Only what was asked for since it was opened or saved is saved again.
#[derive(Debug, Default)]
pub struct VectorStore {
    identity: Identity,
    vectors: HashMap<Hash, Used<Vector>>,
    tokens: HashMap<Hash, Used<u32>>,
    added: bool,
    /// The file that it was opened from.
    path: Option<PathBuf>,
    /// Vectors that were put since they were last written.
    unwritten: usize,
    /// The file holds vectors of a model and this process has none: it leaves the file as it is.
    is_others: bool,
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
        remove_abandoned(path);
        let empty = || VectorStore { path: Some(path.to_owned()), ..VectorStore::empty(identity) };
        let mut store = empty();
        match File::open(path).and_then(|file| store.fill(file)) {
            Ok(Ok(())) => (store, None),
            Ok(Err(reason)) => (empty(), Some(reason.to_owned())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => (empty(), None),
            Err(error) => (empty(), Some(format!("it cannot be read ({error})"))),
        }
    }

    /// Reads a file. The inner `Err`: it is not one to be trusted.
    fn fill(&mut self, file: File) -> io::Result<Result<(), &'static str>> {
        let Some(body) = file.metadata()?.len().checked_sub(CHECKSUM_BYTES) else {
            // A folder can be opened; reading it tells what it is.
            return (&file).read(&mut [0]).map(|_| Err(CUT));
        };
        let mut file = BufReader::with_capacity(BUFFER, file);
        let mut reader = Reader { source: file.by_ref().take(body) };
        let start = (reader.array::<8>()?, reader.number()?);
        match start {
            (Some(magic), _) if magic != *MAGIC => return Ok(Err("it is no file of foreword")),
            (Some(_), Some(version)) if version != VERSION => return Ok(Err("it is of another version")),
            (Some(_), Some(_)) => {}
            _ => return Ok(Err(CUT)),
        }
        // Nothing more is believed before the checksum is.
        file.rewind()?;
        let mut hasher = blake3::Hasher::new();
        hasher.update_reader(file.by_ref().take(body))?;
        let written = Reader { source: file.by_ref() }.array()?;
        if written != Some(*hasher.finalize().as_bytes()) {
            return Ok(Err("its checksum is wrong: it was cut short or damaged"));
        }
        file.seek(io::SeekFrom::Start(MAGIC.len() as u64 + 4))?;
        Ok(self.take_records(Reader { source: file.take(body) })?.ok_or(CUT))
    }

    /// `None`: the records end too soon.
    fn take_records(&mut self, mut reader: Reader<impl Read>) -> io::Result<Option<()>> {
        let Some(length) = reader.number()? else { return Ok(None) };
        let Some(model) = reader.bytes(length as usize)? else { return Ok(None) };
        let (Some(dimension), Some(vectors)) = (reader.number()?, reader.number()?) else { return Ok(None) };
        let dimension = dimension as usize;
        let same_model = model == self.identity.model.as_bytes() && dimension == self.identity.dimension;
        for _ in 0..vectors {
            let (Some(hash), Some(numbers)) = (reader.array()?, reader.bytes(2 * dimension)?) else {
                return Ok(None);
            };
            if same_model {
                self.vectors.insert(hash, Used { value: Vector::of_bytes(&numbers), used: false });
            }
        }
        let Some(tokens) = reader.number()? else { return Ok(None) };
        for _ in 0..tokens {
            let (Some(hash), Some(value)) = (reader.array()?, reader.number()?) else { return Ok(None) };
            self.tokens.insert(hash, Used { value, used: false });
        }
        // Token counts do not depend on the model and stay. Vectors of another one are written over, but not by a process
        // that has no model and needs none.
        self.added |= !same_model;
        self.is_others = self.identity.model.is_empty() && !model.is_empty();
        Ok(Some(()))
    }

    /// The vector of a text, if it is known.
    pub fn vector(&mut self, text: &str) -> Option<Vector> {
        let known = self.vectors.get_mut(&hash("", text))?;
        known.used = true;
        Some(known.value.clone())
    }

    /// Keeps the vector of a text; whether it is known.
    pub fn keep(&mut self, text: &str) -> bool {
        let known = self.vectors.get_mut(&hash("", text));
        known.map(|known| known.used = true).is_some()
    }

    /// Remembers the vector of a text.
    pub fn put_vector(&mut self, text: &str, vector: Vector) {
        self.added = true;
        self.unwritten += 1;
        self.vectors.insert(hash("", text), Used { value: vector, used: true });
    }

    /// Writes what is known to the file that it was opened from, where enough is new: a process that is
    /// ended while it embeds many texts finds most of them again.
    pub fn checkpoint(&mut self) {
        let enough = CHECKPOINT.max(self.vectors.len() / CHECKPOINT_SHARE);
        let Some(path) = self.path.as_ref().filter(|_| self.unwritten >= enough) else { return };
        if let Err(error) = self.write(path) {
            // The last save tells whoever reads the problems.
            tracing::debug!(%error, "vectors computed so far are not kept");
        }
        self.unwritten = 0;
    }

    /// The number of tokens of a text, counted if it is not known, and what it is called.
    pub fn tokens(&mut self, tokenizer: &str, text: &str, count: impl FnOnce() -> u32) -> (u32, TextKey) {
        let added = &mut self.added;
        let hash = hash(tokenizer, text);
        let known = self.tokens.entry(hash).or_insert_with(|| {
            *added = true;
            Used { value: count(), used: true }
        });
        known.used = true;
        (known.value, TextKey(hash))
    }

    /// Keeps the number of tokens of a text.
    pub fn keep_tokens(&mut self, text: &TextKey) {
        if let Some(known) = self.tokens.get_mut(&text.0) {
            known.used = true;
        }
    }

    /// Writes what was asked for since it was opened or written, unless the file already holds just that, and
    /// forgets all else.
    pub fn save(&mut self, path: &Path) -> io::Result<()> {
        let known = (self.vectors.len(), self.tokens.len());
        self.vectors.retain(|_, known| std::mem::take(&mut known.used));
        self.tokens.retain(|_, known| std::mem::take(&mut known.used));
        self.added |= known != (self.vectors.len(), self.tokens.len());
        if !self.added || self.is_others {
            return Ok(());
        }
        self.write(path)?;
        self.added = false;
        self.unwritten = 0;
        Ok(())
    }

    fn write(&self, path: &Path) -> io::Result<()> {
        let folder = path.parent().unwrap_or(Path::new("."));
        fs::create_dir_all(folder)?;
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        // Two writers must not share the file beside, whether they are two processes or two threads.
        let number = SAVES.fetch_add(1, Ordering::Relaxed);
        let beside = folder.join(format!(".{name}.{}.{number}.tmp", std::process::id()));
        let written = self.encode(&beside).and_then(|()| fs::rename(&beside, path));
        if written.is_err() {
            // What cannot be finished must not be left lying about; the first error is the one to tell.
            let _best_effort = fs::remove_file(&beside);
        }
        written
    }

    fn encode(&self, path: &Path) -> io::Result<()> {
        let mut writer = Hashing {
            to: BufWriter::with_capacity(BUFFER, File::create(path)?),
            hasher: blake3::Hasher::new(),
        };
        writer.write_all(MAGIC)?;
        writer.write_all(&VERSION.to_le_bytes())?;
        writer.write_all(&length(self.identity.model.len()))?;
        writer.write_all(self.identity.model.as_bytes())?;
        writer.write_all(&length(self.identity.dimension))?;
        let mut vectors: Vec<_> = self.vectors.iter().collect();
        vectors.sort_unstable_by_key(|(hash, _)| *hash);
        writer.write_all(&length(vectors.len()))?;
        let mut record = Vec::with_capacity(HASH_BYTES + 2 * self.identity.dimension);
        for (hash, known) in vectors {
            record.clear();
            record.extend_from_slice(hash);
            record.extend(known.value.bytes().flatten());
            writer.write_all(&record)?;
        }
        let mut tokens: Vec<_> = self.tokens.iter().collect();
        tokens.sort_unstable_by_key(|(hash, _)| *hash);
        writer.write_all(&length(tokens.len()))?;
        for (hash, known) in tokens {
            writer.write_all(hash)?;
            writer.write_all(&known.value.to_le_bytes())?;
        }
        let Hashing { mut to, hasher } = writer;
        to.write_all(hasher.finalize().as_bytes())?;
        to.into_inner()?.sync_all()
    }
}

/// Hashes what is written through it.
struct Hashing<W> {
    to: W,
    hasher: blake3::Hasher,
}

impl<W: Write> Write for Hashing<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.to.write(bytes)?;
        self.hasher.update(&bytes[..written]);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }
}

/// Removes the files beside `path` that were begun and never finished. What cannot be removed stays.
fn remove_abandoned(path: &Path) {
    let Some(name) = path.file_name().map(|name| format!(".{}.", name.to_string_lossy())) else { return };
    let Ok(entries) = fs::read_dir(path.parent().unwrap_or(Path::new("."))) else { return };
    for entry in entries.flatten() {
        let file = entry.file_name();
        let is_beside = file.to_string_lossy().strip_prefix(&name).is_some_and(|end| end.ends_with(".tmp"));
        let written = entry.metadata().and_then(|data| data.modified()).ok();
        let silent = written.and_then(|written| written.elapsed().ok());
        if is_beside && silent.is_some_and(|silent| silent > ABANDONED) {
            let _stays = fs::remove_file(entry.path());
        }
    }
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

/// Takes a file apart; `None` where it ends too soon.
struct Reader<R> {
    source: R,
}

impl<R: Read> Reader<R> {
    fn array<const LENGTH: usize>(&mut self) -> io::Result<Option<[u8; LENGTH]>> {
        let mut bytes = [0; LENGTH];
        Ok(whole(self.source.read_exact(&mut bytes))?.map(|()| bytes))
    }

    fn bytes(&mut self, count: usize) -> io::Result<Option<Vec<u8>>> {
        let mut bytes = Vec::new();
        let read = self.source.by_ref().take(count as u64).read_to_end(&mut bytes)?;
        Ok((read == count).then_some(bytes))
    }

    fn number(&mut self) -> io::Result<Option<u32>> {
        Ok(self.array()?.map(u32::from_le_bytes))
    }
}

fn whole(read: io::Result<()>) -> io::Result<Option<()>> {
    match read {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(None),
        read => read.map(Some),
    }
}
