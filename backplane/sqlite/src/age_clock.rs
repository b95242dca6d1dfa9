//! The clock by which messages and keys grow old.
//!
//! The wall clock can be set: one that is two days ahead for a moment must not empty the history. So the file has a clock of its
//! own, which goes with the time since the machine was started. When the machine is started again, it continues from the newest
//! value in the file: the time for which a machine was off does not count.

use std::fs;
use std::sync::LazyLock;

/// The identity of this start of the machine. Empty where the system has none.
static BOOT: LazyLock<String> =
    LazyLock::new(|| fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default().trim().to_owned());

/// The age of the reference from which a commit writes a new one, in milliseconds.
const STALE: i64 = 1000;

/// A point in time by the clock of the machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct BootTime {
    boot: String,
    millis: i64,
}

impl BootTime {
    /// This moment. The time for which a machine is suspended counts.
    pub(crate) fn now() -> Self {
        #[cfg(target_os = "linux")]
        let clock = rustix::time::ClockId::Boottime;
        #[cfg(not(target_os = "linux"))]
        let clock = rustix::time::ClockId::Monotonic;
        let now = rustix::time::clock_gettime(clock);
        Self { boot: BOOT.clone(), millis: now.tv_sec as i64 * 1000 + now.tv_nsec as i64 / 1_000_000 }
    }
}

/// The clock of the file: a reference from which its present value follows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct AgeReference {
    /// The start of the machine at which the reference was written.
    pub(crate) boot: String,
    /// The time since that start.
    pub(crate) boot_millis: i64,
    /// The value of the clock then.
    pub(crate) age_millis: i64,
}

impl AgeReference {
    /// The clock of a new file.
    pub(crate) fn new(now: BootTime) -> Self {
        Self { boot: now.boot, boot_millis: now.millis, age_millis: 0 }
    }

    /// The value of the clock, in milliseconds. Never less than in the reference.
    pub(crate) fn age_at(&self, now: &BootTime) -> i64 {
        let passed = if self.boot == now.boot { (now.millis - self.boot_millis).max(0) } else { 0 };
        self.age_millis.saturating_add(passed)
    }

    /// Makes this moment the reference if the present one is old, or of another start of the machine.
    pub(crate) fn refresh(&mut self, now: BootTime) {
        let same = self.boot == now.boot && (0..STALE).contains(&(now.millis - self.boot_millis));
        if !same {
            let age_millis = self.age_at(&now);
            *self = Self { boot: now.boot, boot_millis: now.millis, age_millis };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(boot: &str, millis: i64) -> BootTime {
        BootTime { boot: boot.to_owned(), millis }
    }

    #[test]
    fn it_goes_with_the_clock_of_the_machine() {
        let mut clock = AgeReference::new(at("a", 5000));
        assert_eq!(clock.age_at(&at("a", 5999)), 999);
        clock.refresh(at("a", 5999));
        assert_eq!(clock.boot_millis, 5000, "it is recent");
        clock.refresh(at("a", 6000));
        assert_eq!((clock.boot_millis, clock.age_millis), (6000, 1000));
        assert_eq!(clock.age_at(&at("a", 6001)), 1001);
    }

    #[test]
    fn it_stands_while_the_machine_is_off() {
        let mut clock = AgeReference { boot: "a".to_owned(), boot_millis: 5000, age_millis: 70 };
        for now in [at("b", 1), at("b", 1_000_000), at("a", 4999)] {
            assert_eq!(clock.age_at(&now), 70);
        }
        clock.refresh(at("b", 1_000_000));
        assert_eq!(clock.age_at(&at("b", 1_000_001)), 71);
        clock.refresh(at("b", 999_000));
        assert_eq!((clock.age_at(&at("b", 999_001)), clock.boot_millis), (71, 999_000), "a start without an identity");
    }
}
