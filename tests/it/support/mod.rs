//! What the tests share: a proxy in this process, an upstream that follows a script, a raw client.

pub mod client;
pub mod conversations;
pub mod legality;
pub mod planners;
pub mod process;
pub mod proxy;
pub mod retrieval;
pub mod upstream;
pub mod wires;
pub mod worlds;

use std::future::Future;
use std::time::Duration;

/// Longest time that anything may take before a test fails.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// Runs a test on a runtime of its own, bounded in time.
pub fn run<F: Future<Output = ()>>(test: F) {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap()
        .block_on(async { tokio::time::timeout(3 * PATIENCE, test).await.expect("the test took too long") });
}

/// Asks until `condition` holds, or fails with `what`.
pub async fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let asked = async {
        while !condition() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    assert!(tokio::time::timeout(PATIENCE, asked).await.is_ok(), "never came true: {what}");
}
