//! Where retrieval computes: so many jobs at once, so many waiting, one more is turned away at once. A job that hangs keeps
//! its thread, which nothing can take from it, but not its place.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Semaphore, oneshot};

/// The pool has no place for another job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Full;

/// What a part of a job came to.
#[derive(Debug)]
pub enum Slice<J, T> {
    /// There is more to do.
    Paused(J),
    /// This.
    Ended(T),
}

/// Jobs that may hang at once, for each worker. With one more the pool waits for them.
const HANGING: usize = 4;

/// A bounded pool over the runtime's blocking threads.
#[derive(Debug, Clone)]
pub struct Pool {
    running: Arc<Semaphore>,
    admitted: Arc<Semaphore>,
    hanging: Arc<Semaphore>,
    capacity: usize,
    patience: Duration,
}

impl Pool {
    /// A pool that runs `workers` jobs at once and lets `queue` more wait. A job that takes longer than `patience` gives
    /// its place to another, and goes on beside it.
    pub fn new(workers: usize, queue: usize, patience: Duration) -> Pool {
        let capacity = workers.saturating_add(queue).min(Semaphore::MAX_PERMITS);
        Pool {
            running: Arc::new(Semaphore::new(workers)),
            admitted: Arc::new(Semaphore::new(capacity)),
            hanging: Arc::new(Semaphore::new(workers.saturating_mul(HANGING).min(Semaphore::MAX_PERMITS))),
            capacity,
            patience,
        }
    }

    /// Jobs that run or wait.
    pub fn jobs(&self) -> usize {
        self.capacity - self.admitted.available_permits()
    }

    /// Hands in a job. Its result comes through the receiver; a receiver that reports an error means that
    /// the job panicked. The job runs to its end even if the receiver is dropped.
    pub fn try_submit<T: Send + 'static>(
        &self,
        job: impl FnOnce() -> T + Send + 'static,
    ) -> Result<oneshot::Receiver<T>, Full> {
        self.try_submit_in_slices(job, |job| Slice::Ended(job()))
    }

    /// As [`Pool::try_submit`], for a job that `run` does a part of. Between two parts others have their turn; its place is
    /// its own until it has ended.
    pub fn try_submit_in_slices<J: Send + 'static, T: Send + 'static>(
        &self,
        mut job: J,
        run: fn(J) -> Slice<J, T>,
    ) -> Result<oneshot::Receiver<T>, Full> {
        let place = Arc::clone(&self.admitted).try_acquire_owned().map_err(|_| Full)?;
        let (running, hanging) = (Arc::clone(&self.running), Arc::clone(&self.hanging));
        let patience = self.patience;
        let (sender, receiver) = oneshot::channel();
        tokio::spawn(async move {
            let mut place = Some(place);
            loop {
                // The semaphores are never closed. They let waiters in in their order.
                let Ok(turn) = Arc::clone(&running).acquire_owned().await else { return };
                let mut working = tokio::task::spawn_blocking(move || run(job));
                let (result, _held) = match tokio::time::timeout(patience, &mut working).await {
                    Ok(result) => (result, (Some(turn), None)),
                    Err(_) => {
                        tracing::warn!(?patience, "a retrieval hangs; another takes its place");
                        let Ok(hangs) = Arc::clone(&hanging).acquire_owned().await else { return };
                        drop((place.take(), turn));
                        (working.await, (None, Some(hangs)))
                    }
                };
                match result {
                    Ok(Slice::Paused(rest)) => job = rest,
                    Ok(Slice::Ended(result)) => {
                        let _nobody_waits = sender.send(result);
                        return;
                    }
                    Err(_) => return,
                }
            }
        });
        Ok(receiver)
    }
}
