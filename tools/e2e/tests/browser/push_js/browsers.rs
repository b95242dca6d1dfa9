//! Some of the tests in Firefox and WebKit. `cargo xtask push-js` runs all of them there.

use e2e::engine::Engine;

use super::{buffering, cuts, delivery, page, publish, refusal, tabs};

/// Declares a module with these tests in a browser.
macro_rules! tests_in {
    ($module:ident, $engine:ident: $($place:ident::$test:ident,)*) => {
        mod $module {
            $(
                #[test]
                fn $test() -> anyhow::Result<()> {
                    super::Engine::$engine.run(super::$place::$test)
                }
            )*
        }
    };
}

/// Declares these tests in each browser.
macro_rules! tests {
    ($($list:tt)*) => {
        tests_in!(in_firefox, Firefox: $($list)*);
        tests_in!(in_webkit, WebKit: $($list)*);
    };
}

tests! {
    delivery::a_message_is_the_same_object_by_each_method,
    page::a_page_that_is_online_again_comes_back_at_once,
    cuts::a_bad_network_loses_nothing_by_all_three,
    buffering::a_stream_that_nginx_holds_back_gives_way_to_polling,
    refusal::a_client_without_a_token_is_refused_once,
    publish::a_publication_whose_answer_is_lost_is_there_once,
    tabs::tabs_share_one_websocket,
    tabs::nothing_is_lost_when_the_leader_of_a_stream_goes,
}
