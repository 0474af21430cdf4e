//! Work on many items spread over the processors, with the results in the items' order.

use std::num::NonZero;
use std::panic::resume_unwind;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

/// Items that a thread takes at a time where each costs little.
const PORTION: usize = 256;
/// Threads that one build takes at most: requests are served meanwhile.
const MAX_THREADS: usize = 4;

/// `each` of all items, each of which costs little. `start` makes what a thread needs for it.
pub fn map<T: Sync, S, R: Send>(
    items: &[T],
    start: impl Fn() -> S + Sync,
    run: impl Fn(&mut S, &T) -> R + Sync,
) -> Vec<R> {
    let portions: Vec<&[T]> = items.chunks(PORTION).collect();
    let of_portion =
        |state: &mut S, portion: &&[T]| -> Vec<R> { portion.iter().map(|item| run(state, item)).collect() };
    spread(&portions, &start, &of_portion).into_iter().flatten().collect()
}

/// `run` of all items, each of which costs much.
pub fn each<T: Sync, R: Send>(items: &[T], run: impl Fn(&T) -> R + Sync) -> Vec<R> {
    spread(items, &|| (), &|(), item| run(item))
}

/// Two things at once.
pub fn both<A: Send, B>(one: impl FnOnce() -> A + Send, other: impl FnOnce() -> B) -> (A, B) {
    thread::scope(|scope| {
        let one = scope.spawn(one);
        let other = other();
        (one.join().unwrap_or_else(|panic| resume_unwind(panic)), other)
    })
}

/// A panic on a thread is a panic of this.
fn spread<T: Sync, S, R: Send>(
    items: &[T],
    start: &(impl Fn() -> S + Sync),
    run: &(impl Fn(&mut S, &T) -> R + Sync),
) -> Vec<R> {
    let processors = thread::available_parallelism().map_or(1, NonZero::get);
    let threads = processors.min(MAX_THREADS).min(items.len());
    let next = AtomicUsize::new(0);
    let work = || {
        let mut state = start();
        let mut done: Vec<(usize, R)> = Vec::new();
        while let Some((place, item)) =
            Some(next.fetch_add(1, Ordering::Relaxed)).and_then(|place| Some((place, items.get(place)?)))
        {
            done.push((place, run(&mut state, item)));
        }
        done
    };
    if threads < 2 {
        return work().into_iter().map(|(_, result)| result).collect();
    }
    let mut done = thread::scope(|scope| {
        let others: Vec<_> = (1..threads).map(|_| scope.spawn(work)).collect();
        let mut done = work();
        for other in others {
            done.extend(other.join().unwrap_or_else(|panic| resume_unwind(panic)));
        }
        done
    });
    done.sort_unstable_by_key(|(place, _)| *place);
    done.into_iter().map(|(_, result)| result).collect()
}

#[cfg(test)]
mod tests {
    use super::{PORTION, both, each, map};

    #[test]
    fn results_are_in_the_order_of_the_items() {
        for count in [0, 1, PORTION, 7 * PORTION + 3] {
            let items: Vec<usize> = (0..count).collect();
            let doubled: Vec<usize> = items.iter().map(|item| item * 2).collect();
            assert_eq!(map(&items, || (), |(), item| item * 2), doubled);
            assert_eq!(each(&items, |item| item * 2), doubled);
        }
    }

    #[test]
    fn two_things_are_done_at_once() {
        let (sender, receiver) = std::sync::mpsc::channel();
        assert_eq!(both(move || receiver.recv(), || sender.send(7)), (Ok(7), Ok(())));
    }

    #[test]
    #[should_panic(expected = "seven")]
    fn a_panic_is_not_lost() {
        each(&[1, 2, 7, 4], |item| assert!(*item != 7, "seven"));
    }
}
