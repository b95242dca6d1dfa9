//! A hub against a naive model of it: a list of all messages that there ever were.

mod follower;
mod format;
mod step;
mod world;

use proptest::prelude::*;

use step::step;
use world::World;

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_happens_a_subscriber_gets_what_is_held_and_a_gap_for_what_is_not(
        limit in prop_oneof![Just(3_usize), 1..100_usize],
        steps in prop::collection::vec(step(), 1..60),
    ) {
        let mut world = World::new(limit);
        for step in &steps {
            world.take(step);
            assert_eq!(world.fed.hub.topics(), world.kept().len());
            world.note_forgotten();
        }
    }
}
