//! Memory is neither lost nor counted twice when encoding and evicting race: the accounts of entries under loom, a model
//! checker.

#![allow(missing_docs)]

// The very files that the hub uses, with loom's types in place of its own.
#[allow(dead_code, unreachable_pub)]
#[path = "../src/hub/account.rs"]
mod account;
#[allow(dead_code, unreachable_pub)]
#[path = "../src/hub/usage.rs"]
mod usage;

/// The primitives of both, here.
mod sync {
    pub(super) use loom::sync::atomic::{AtomicU64, AtomicUsize};
}

use std::sync::Arc;

use account::Account;
use loom::thread;
use usage::Usage;

#[test]
fn an_encoding_that_is_made_during_an_eviction_leaves_nothing_behind() {
    loom::model(|| {
        let usage = Arc::new(Usage::new(1000));
        let account = Arc::new(Account::open(Arc::clone(&usage), 100));
        let readers = [7, 11].map(|bytes| {
            let account = Arc::clone(&account);
            thread::spawn(move || account.add(bytes))
        });
        account.close();
        readers.into_iter().for_each(|reader| reader.join().expect("a reader does not panic"));
        assert_eq!(usage.bytes(), 0);
    });
}

#[test]
fn an_encoding_that_another_reader_made_first_is_given_back_once() {
    loom::model(|| {
        let usage = Arc::new(Usage::new(107));
        let account = Arc::new(Account::open(Arc::clone(&usage), 100));
        let reader = thread::spawn({
            let account = Arc::clone(&account);
            move || {
                if account.try_add(7) {
                    account.subtract(7);
                }
            }
        });
        account.close();
        reader.join().expect("a reader does not panic");
        assert_eq!(usage.bytes(), 0);
    });
}
