//! All keys, ready to be asked.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use governor::clock::Clock;
use governor::{DefaultDirectRateLimiter, Quota};

use super::secret::{Hashed, split};

/// Somebody who may call.
pub struct Client {
    /// The public part of the key.
    pub id: String,
    /// What the operator calls it; logged.
    pub name: String,
    /// The brands whose items it may be told, by id; empty means those of every request.
    pub brands: Arc<[String]>,
    /// Tags of which an item needs one to be told to it; empty: any item.
    pub tags: Vec<String>,
    /// Whom it speaks for: items that are for some are told to it where it is among these.
    pub audience: Vec<String>,
    /// Share of its conversations that are held out; `None`: as the brands and the configuration say.
    pub holdout: Option<f64>,
    limiter: Option<DefaultDirectRateLimiter>,
}

/// Why a call is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// No key, or none that is known.
    Unknown,
    /// More calls than the key's rate; one more may come after this time.
    TooMany(Duration),
}

/// The keys.
#[derive(Default)]
pub struct KeyRing {
    entries: HashMap<String, (Hashed, Arc<Client>)>,
}

impl Client {
    /// A client with a rate in requests a minute, which may come all at once.
    pub(super) fn new(
        id: String,
        name: String,
        brands: Vec<String>,
        (tags, audience): (Vec<String>, Vec<String>),
        holdout: Option<f64>,
        per_minute: Option<u32>,
    ) -> Client {
        let quota = per_minute.and_then(std::num::NonZeroU32::new).map(Quota::per_minute);
        Client {
            id,
            name,
            brands: brands.into(),
            tags,
            audience,
            holdout,
            limiter: quota.map(DefaultDirectRateLimiter::direct),
        }
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Client")
            .field("id", &self.id)
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for KeyRing {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "KeyRing({} keys)", self.entries.len())
    }
}

impl KeyRing {
    /// Adds a key; `false` where its id is there already.
    pub(super) fn add(&mut self, hash: Hashed, client: Client) -> bool {
        self.entries.insert(client.id.clone(), (hash, Arc::new(client))).is_none()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Everybody who may call, by name.
    pub fn clients(&self) -> Vec<&Client> {
        let mut clients: Vec<&Client> = self.entries.values().map(|(_, client)| &**client).collect();
        clients.sort_by(|one, other| (&one.name, &one.id).cmp(&(&other.name, &other.id)));
        clients
    }

    /// Number of keys.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whose key it is, if it is one and has a call left.
    pub fn admit(&self, key: &str) -> Result<Arc<Client>, Refusal> {
        let (id, secret) = split(key).ok_or(Refusal::Unknown)?;
        let (hash, client) = self.entries.get(id).ok_or(Refusal::Unknown)?;
        if !hash.is_of(secret) {
            return Err(Refusal::Unknown);
        }
        if let Some(Err(wait)) = client.limiter.as_ref().map(DefaultDirectRateLimiter::check) {
            return Err(Refusal::TooMany(
                wait.wait_time_from(governor::clock::DefaultClock::default().now()),
            ));
        }
        Ok(Arc::clone(client))
    }
}
