//! Messages that may be gone.

use smallvec::SmallVec;

use super::progress::Progress;

/// The largest number of losses that are kept apart.
const MAX_STEPS: usize = 1024;

/// Messages that may be gone.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Loss {
    /// Every message up to this offset.
    pub(crate) through: u64,
    /// The number of the eviction by which they were lost, the last one if there were several.
    pub(crate) eviction: u64,
}

impl Loss {
    /// The loss that covers both.
    pub(crate) fn or(self, other: Self) -> Self {
        Self { through: self.through.max(other.through), eviction: self.eviction.max(other.eviction) }
    }
}

/// The losses of a topic, or of all topics that match a pattern.
///
/// A reader asks for the farthest loss by an eviction that it does not ignore. Losses are kept by rising eviction and
/// falling offset; an older loss that reaches no further than a newer one is dropped.
#[derive(Debug, Default)]
pub(crate) struct Losses {
    steps: SmallVec<[Loss; 1]>,
}

impl Losses {
    /// Adds a loss by the latest eviction.
    pub(crate) fn add(&mut self, loss: Loss) {
        while self.steps.last().is_some_and(|step| step.through <= loss.through) {
            self.steps.pop();
        }
        self.steps.push(loss);
        if self.steps.len() > MAX_STEPS {
            // Two neighbours become the loss that covers both: a gap may be reported where nothing was missed, but no loss
            // goes unreported.
            self.steps = self.steps.chunks(2).map(|pair| pair[0].or(pair[pair.len() - 1])).collect();
        }
    }

    /// The offset through which messages may be gone that concern a reader, or `None`.
    pub(crate) fn concerning(&self, progress: Progress) -> Option<u64> {
        let first = self.steps.partition_point(|step| step.eviction <= progress.ignored_evictions);
        self.steps.get(first).map(|step| step.through).filter(|through| *through > progress.position)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = Loss> {
        self.steps.iter().copied()
    }
}

impl FromIterator<Loss> for Losses {
    fn from_iter<I: IntoIterator<Item = Loss>>(losses: I) -> Self {
        let mut sorted: Vec<Loss> = losses.into_iter().filter(|loss| loss.through > 0).collect();
        sorted.sort_unstable_by_key(|loss| loss.eviction);
        let mut losses = Self::default();
        sorted.into_iter().for_each(|loss| losses.add(loss));
        losses
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn farthest(losses: &[Loss], progress: Progress) -> Option<u64> {
        let concerning = losses.iter().filter(|loss| loss.eviction > progress.ignored_evictions);
        concerning.map(|loss| loss.through).max().filter(|through| *through > progress.position)
    }

    #[test]
    fn a_reader_is_concerned_by_the_farthest_loss_that_it_does_not_ignore() {
        let mut all = Vec::new();
        let mut losses = Losses::default();
        for eviction in 1..300 {
            let loss = Loss { through: fastrand::u64(1..100), eviction };
            all.push(loss);
            losses.add(loss);
            let collected: Losses = all.iter().rev().copied().collect();
            for _ in 0..20 {
                let progress =
                    Progress { position: fastrand::u64(..110), ignored_evictions: fastrand::u64(..eviction + 2) };
                assert_eq!(losses.concerning(progress), farthest(&all, progress));
                assert_eq!(collected.concerning(progress), farthest(&all, progress));
            }
        }
    }

    #[test]
    fn of_very_many_losses_all_are_reported() {
        let mut losses = Losses::default();
        let all: Vec<Loss> = (1..5000).map(|eviction| Loss { through: 10_000 - eviction, eviction }).collect();
        all.iter().for_each(|loss| losses.add(*loss));
        assert!(losses.steps.len() <= MAX_STEPS);
        for ignored_evictions in 0..5000 {
            let progress = Progress { position: 0, ignored_evictions };
            assert!(losses.concerning(progress) >= farthest(&all, progress));
        }
    }
}
