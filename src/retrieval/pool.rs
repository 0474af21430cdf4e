//! Where retrieval computes: so many jobs at once, so many waiting, one more is turned away at once.

use std::sync::Arc;

use tokio::sync::{Semaphore, oneshot};

/// The pool has no place for another job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Full;

/// A bounded pool over the runtime's blocking threads.
#[derive(Debug, Clone)]
pub struct Pool {
    running: Arc<Semaphore>,
    admitted: Arc<Semaphore>,
}

impl Pool {
    /// A pool that runs `workers` jobs at once and lets `queue` more wait.
    pub fn new(workers: usize, queue: usize) -> Pool {
        Pool {
            running: Arc::new(Semaphore::new(workers)),
            admitted: Arc::new(Semaphore::new(workers.saturating_add(queue).min(Semaphore::MAX_PERMITS))),
        }
    }

    /// Hands in a job. Its result comes through the receiver; a receiver that reports an error means that
    /// the job panicked. The job runs to its end even if the receiver is dropped.
    pub fn try_submit<T: Send + 'static>(
        &self,
        job: impl FnOnce() -> T + Send + 'static,
    ) -> Result<oneshot::Receiver<T>, Full> {
        let place = Arc::clone(&self.admitted).try_acquire_owned().map_err(|_| Full)?;
        let running = Arc::clone(&self.running);
        let (sender, receiver) = oneshot::channel();
        tokio::spawn(async move {
            let _place = place;
            // The semaphore is never closed.
            let Ok(_turn) = running.acquire_owned().await else { return };
            if let Ok(result) = tokio::task::spawn_blocking(job).await {
                let _nobody_waits = sender.send(result);
            }
        });
        Ok(receiver)
    }
}
