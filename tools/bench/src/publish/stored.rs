//! The history after a measurement: it has to hold everything that was confirmed, once and in order.

use std::net::SocketAddr;

use super::work::{Topics, Work};
use crate::history::History;
use crate::load::{Ledger, Scanner};
use crate::measure::Sample;
use crate::measure::figure::STORED;

/// Reads the history, and adds the number of messages and the faults. `last` has the number of each publisher's last message.
pub(super) async fn check(
    work: &Work,
    history: &History,
    address: SocketAddr,
    topics: &Topics,
    last: &[u32],
    sample: &mut Sample,
) -> anyhow::Result<()> {
    let mut ledger = Ledger::new(1, last.len());
    let mut stored = 0;
    for number in 0..work.topics {
        let mut scanner = Scanner::default();
        let page = |body: &[u8]| {
            let before = stored;
            scanner.scan(body, |stamp| {
                ledger.received(0, stamp);
                stored += 1;
            });
            Ok(stored > before)
        };
        history.read(address, &topics.name(number), page).await?;
    }
    sample.add(&STORED, f64::from(stored));
    let mut faults = ledger.faults(last);
    if work.topics > 1 {
        // There is no order between topics.
        faults.out_of_order = 0;
    }
    if !faults.none() {
        sample.faults.push(format!("the history is not what was confirmed: {faults:?}"));
    }
    Ok(())
}
