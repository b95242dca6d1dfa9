//! The threads of the backplane.

use std::io;
use std::sync::Arc;
use std::thread::{Builder, JoinHandle};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::mpsc;

use crate::bells;
use crate::commits::Commits;
use crate::database::Database;
use crate::follower::Follower;
use crate::local_history::LocalHistory;
use crate::queue::Queue;
use crate::replica::Replica;
use crate::retention::Retention;
use crate::stop::Stop;
use crate::writer::{Writer, WriterLimits};
use shared::backplane::Fatal;
use shared::hub::{Appender, HistoryLimits, Hub};
use shared::wall_clock::WallClock;

/// The parts of the threads, before the file is open.
pub(crate) struct Parts {
    pub(crate) replica: Arc<Replica>,
    pub(crate) queue: Arc<Queue>,
    pub(crate) hub: Hub,
    pub(crate) initial: Appender,
    /// The limits of the file.
    pub(crate) limits: HistoryLimits,
    pub(crate) writer_limits: WriterLimits,
    /// The memory for messages, in bytes.
    pub(crate) memory: u64,
    pub(crate) gather: Duration,
    pub(crate) wall_clock: Arc<dyn WallClock>,
}

/// The threads that write and follow. When this is dropped, publications that were taken are finished, and the threads end.
pub(crate) struct Threads {
    stop: Stop,
    queue: Arc<Queue>,
    threads: Vec<JoinHandle<()>>,
    /// Ends when a thread does.
    ended: mpsc::Receiver<()>,
}

impl Threads {
    pub(crate) fn start(parts: Parts, database: Arc<Database>, stop: Stop) -> io::Result<Self> {
        let Parts { replica, queue, hub, initial, limits, writer_limits, memory, gather, wall_clock } = parts;
        let (bell, bells) = bells::hang(&database)?;
        let commits = Arc::new(Commits::default());
        let local = Arc::new(LocalHistory::new(hub, Arc::clone(&replica), gather));
        let writer = Writer {
            database: Arc::clone(&database),
            replica: Arc::clone(&replica),
            queue: Arc::clone(&queue),
            local: Arc::clone(&local),
            commits: Arc::clone(&commits),
            bells,
            retention: Retention::new(limits, writer_limits.keys),
            limits: writer_limits,
            wall_clock,
        };
        let follower = Follower { database, replica, commits, local, memory, bell, stop: stop.clone(), initial };
        let (alive, ended) = mpsc::channel(1);
        let mut threads = Self { stop, queue, threads: Vec::new(), ended };
        threads.spawn("sqlite writer", alive.clone(), || writer.run())?;
        threads.spawn("sqlite follower", alive, || follower.run())?;
        Ok(threads)
    }

    fn spawn(&mut self, name: &str, alive: mpsc::Sender<()>, run: impl FnOnce() + Send + 'static) -> io::Result<()> {
        let runtime = Handle::current();
        let thread = Builder::new().name(name.to_owned()).spawn(move || {
            // Waking many subscribers is a task of its own.
            let _runtime = runtime.enter();
            let _alive = Alive(alive);
            run();
        })?;
        self.threads.push(thread);
        Ok(())
    }

    /// Waits until a thread ends that is not to end.
    pub(crate) async fn ended(&mut self) -> Fatal {
        self.ended.recv().await;
        Fatal::new("a thread of the SQLite backplane has ended")
    }
}

/// Reports the end of a thread, also one that panics.
struct Alive(mpsc::Sender<()>);

impl Drop for Alive {
    fn drop(&mut self) {
        // Nobody reads it once the threads are to end.
        let _ = self.0.try_send(());
    }
}

impl Drop for Threads {
    fn drop(&mut self) {
        self.stop.set();
        self.queue.close();
        for thread in self.threads.drain(..) {
            // It was reported when it panicked.
            let _ = thread.join();
        }
    }
}
