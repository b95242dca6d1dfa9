//! The runtime on which a service runs.

use std::io;
use std::num::NonZero;
use std::thread::available_parallelism;

use tokio::runtime::{Builder, Runtime};

/// The variable that gives tokio itself the number of threads.
const VARIABLE: &str = "TOKIO_WORKER_THREADS";

/// Makes the runtime: a thread for each core, or for each that other busy threads of the process leave, and one at least.
///
/// # Errors
/// When the system allows no more threads.
pub fn runtime(other_threads: usize) -> io::Result<Runtime> {
    let mut builder = Builder::new_multi_thread();
    if other_threads > 0 && std::env::var_os(VARIABLE).is_none() {
        let cores = available_parallelism().map_or(1, NonZero::get);
        builder.worker_threads(cores.saturating_sub(other_threads).max(1));
    }
    builder.enable_all().build()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn busy_threads_are_left_a_core_each_if_there_are_more() {
        // With the variable, it has its own number.
        assert_eq!(std::env::var_os(VARIABLE), None);
        let workers = |others| runtime(others).unwrap().metrics().num_workers();
        let cores = available_parallelism().unwrap().get();
        assert_eq!((workers(0), workers(1), workers(cores + 1)), (cores, (cores - 1).max(1), 1));
    }
}
