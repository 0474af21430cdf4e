//! The pool that retrieval computes in: it refuses, survives panics, and ends what it has begun.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use foreword::retrieval::{Full, Pool};

use crate::support::{run, until};

/// Longer than any of these tests.
const PATIENCE: Duration = Duration::from_secs(600);

/// A job that says that it runs and ends when told, or when the one who would tell is gone.
fn held() -> (impl FnOnce() -> u8 + Send + 'static, Receiver<()>, Sender<()>) {
    let (began, begins) = channel();
    let (release, released) = channel::<()>();
    let job = move || {
        let _nobody_looks = began.send(());
        let _told_or_alone = released.recv();
        7
    };
    (job, begins, release)
}

#[test]
fn a_full_pool_refuses_at_once_and_takes_jobs_again_when_there_is_room() {
    run(async {
        let pool = Pool::new(1, 1, PATIENCE);
        let (job, begins, release) = held();
        let first = pool.try_submit(job).unwrap();
        until("the first job runs", || begins.try_recv().is_ok()).await;
        let second = pool.try_submit(|| 8).unwrap();
        // The one worker is held, so that an answer to these can only be immediate.
        for _ in 0..100 {
            assert_eq!(pool.try_submit(|| 9).map(|_| ()), Err(Full));
        }
        drop(release);
        assert_eq!((first.await, second.await), (Ok(7), Ok(8)));
        let mut last = None;
        until("the place is free again", || {
            last = pool.try_submit(|| 10).ok();
            last.is_some()
        })
        .await;
        assert_eq!(last.unwrap().await, Ok(10));
    });
}

#[test]
fn no_more_jobs_run_at_once_than_there_are_workers() {
    run(async {
        let pool = Pool::new(2, 100, PATIENCE);
        let (running, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let answers: Vec<_> = (0..50)
            .map(|number| {
                let (running, most) = (Arc::clone(&running), Arc::clone(&most));
                let job = move || {
                    most.fetch_max(running.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                    std::thread::yield_now();
                    running.fetch_sub(1, Ordering::SeqCst);
                    number
                };
                pool.try_submit(job).unwrap()
            })
            .collect();
        for (number, answer) in answers.into_iter().enumerate() {
            assert_eq!(answer.await, Ok(number));
        }
        assert!((1..=2).contains(&most.load(Ordering::SeqCst)));
    });
}

#[test]
fn a_job_that_panics_is_an_error_to_its_waiter_alone() {
    run(async {
        let pool = Pool::new(1, 0, PATIENCE);
        for round in 0..3 {
            let mut answer = None;
            until("there is a place", || {
                answer = pool.try_submit(|| -> u8 { panic!("a job that fails on purpose") }).ok();
                answer.is_some()
            })
            .await;
            assert!(answer.unwrap().await.is_err(), "round {round}");
            let mut answer = None;
            until("there is a place", || {
                answer = pool.try_submit(move || round).ok();
                answer.is_some()
            })
            .await;
            assert_eq!(answer.unwrap().await, Ok(round));
        }
    });
}

#[test]
fn a_job_whose_waiter_is_gone_runs_to_its_end() {
    run(async {
        let pool = Pool::new(1, 4, PATIENCE);
        let ended = Arc::new(AtomicUsize::new(0));
        let (job, begins, release) = held();
        let counting = |job: Box<dyn FnOnce() -> u8 + Send>| {
            let ended = Arc::clone(&ended);
            move || {
                let result = job();
                ended.fetch_add(1, Ordering::SeqCst);
                result
            }
        };
        // One that runs when its waiter goes, and one that has not begun yet.
        let running = pool.try_submit(counting(Box::new(job))).unwrap();
        until("the job runs", || begins.try_recv().is_ok()).await;
        let waiting = pool.try_submit(counting(Box::new(|| 1))).unwrap();
        drop((running, waiting));
        assert_eq!(ended.load(Ordering::SeqCst), 0);
        drop(release);
        until("both have ended", || ended.load(Ordering::SeqCst) == 2).await;
    });
}

#[test]
fn a_job_that_hangs_keeps_its_thread_and_not_its_place() {
    run(async {
        let pool = Pool::new(1, 3, Duration::from_millis(20));
        let mut hanging = Vec::new();
        // Four may hang for one worker.
        for number in 0..4_u8 {
            let (job, begins, release) = held();
            let answer = pool.try_submit(job).unwrap();
            until("the job runs", || begins.try_recv().is_ok()).await;
            assert_eq!(pool.try_submit(move || number).unwrap().await, Ok(number), "another takes its place");
            hanging.push((answer, release));
        }
        assert_eq!(pool.jobs(), 0);
        for (answer, release) in hanging {
            drop(release);
            assert_eq!(answer.await, Ok(7), "what hung may still come to an end");
        }
    });
}
