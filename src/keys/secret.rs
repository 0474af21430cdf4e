//! Keys themselves: `fw-<id>-<secret>`. The id finds the entry, the secret of 256 random bits is compared
//! by its hash. A secret that long needs no slow hash: it cannot be guessed, only stolen.

use std::fmt::Write as _;

/// What every key begins with.
pub(super) const PREFIX: &str = "fw-";
const ID_BYTES: usize = 6;
const SECRET_BYTES: usize = 32;
const SALT_BYTES: usize = 16;

/// A key that was just made.
pub struct NewKey {
    /// What the client sends; shown once and kept nowhere.
    pub key: String,
    /// The public part.
    pub id: String,
    /// What is kept of the secret.
    pub hash: Hashed,
}

/// A salted hash: BLAKE3 of salt and secret.
#[derive(Clone)]
pub struct Hashed {
    salt: [u8; SALT_BYTES],
    hash: blake3::Hash,
}

impl NewKey {
    /// Makes a key from the system's random numbers.
    pub fn generate() -> Result<NewKey, getrandom::Error> {
        let mut random = [0; ID_BYTES + SECRET_BYTES + SALT_BYTES];
        getrandom::fill(&mut random)?;
        let (id, rest) = random.split_at(ID_BYTES);
        let (secret, salt_bytes) = rest.split_at(SECRET_BYTES);
        let (id, secret) = (hex(id), hex(secret));
        let mut salt = [0; SALT_BYTES];
        salt.copy_from_slice(salt_bytes);
        let hash = Hashed { salt, hash: digest(&salt, &secret) };
        Ok(NewKey { key: format!("{PREFIX}{id}-{secret}"), id, hash })
    }
}

impl Hashed {
    /// Reads what [`Hashed::to_text`] wrote.
    pub(super) fn parse(text: &str) -> Option<Hashed> {
        let (salt_text, hash) = text.strip_prefix("blake3:")?.split_once(':')?;
        if salt_text.len() != 2 * SALT_BYTES || !salt_text.is_ascii() {
            return None;
        }
        let mut salt = [0; SALT_BYTES];
        for (at, byte) in salt.iter_mut().enumerate() {
            *byte = u8::from_str_radix(&salt_text[2 * at..2 * at + 2], 16).ok()?;
        }
        Some(Hashed { salt, hash: blake3::Hash::from_hex(hash).ok()? })
    }

    /// `blake3:<salt>:<hash>`, both in hexadecimal digits.
    pub fn to_text(&self) -> String {
        format!("blake3:{}:{}", hex(&self.salt), self.hash.to_hex())
    }

    /// Whether it is this secret's, in a time that does not depend on where they differ.
    pub(super) fn is_of(&self, secret: &str) -> bool {
        digest(&self.salt, secret) == self.hash
    }
}

/// The id and the secret of a key, if it has the form of one.
pub(super) fn split(key: &str) -> Option<(&str, &str)> {
    let (id, secret) = key.strip_prefix(PREFIX)?.split_once('-')?;
    (id.len() == 2 * ID_BYTES && secret.len() == 2 * SECRET_BYTES).then_some((id, secret))
}

fn digest(salt: &[u8], secret: &str) -> blake3::Hash {
    let mut hasher = blake3::Hasher::new();
    hasher.update(salt).update(secret.as_bytes());
    hasher.finalize()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _infallible = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::{Hashed, NewKey, split};

    #[test]
    fn a_hash_is_of_its_own_secret_alone() {
        let (one, other) = (NewKey::generate().unwrap(), NewKey::generate().unwrap());
        let (id, secret) = split(&one.key).unwrap();
        assert_eq!(id, one.id);
        let read = Hashed::parse(&one.hash.to_text()).unwrap();
        assert!(read.is_of(secret) && !read.is_of(split(&other.key).unwrap().1) && !read.is_of(""));
        assert!(!one.hash.to_text().contains(secret));
        assert_ne!(one.hash.to_text(), other.hash.to_text());
        for broken in ["", "blake3:", "blake3:00:00", "sha256:aa:bb", &one.hash.to_text()[..40]] {
            assert!(Hashed::parse(broken).is_none(), "{broken}");
        }
        for broken in ["", "fw-", "fw-a-b", "sk-123", &one.key[1..], &one.key[..one.key.len() - 1]] {
            assert!(split(broken).is_none(), "{broken}");
        }
    }
}
