//! Who answers which path.

use std::sync::Arc;

use shared::app::App;
use shared::http::{Asset, Upgrade, answer, common_routes, route};
use warp::Filter;
use warp::filters::BoxedFilter;
use warp::reply::Response;

use crate::poll::Poll;

const ASSETS: &[Asset] = &[
    Asset { path: "/", content: include_str!("../assets/index.html") },
    Asset { path: "/assets/index.js", content: include_str!("../assets/index.js") },
];

pub(crate) fn routes(app: &Arc<App>, poll: &Arc<Poll>) -> BoxedFilter<(Response,)> {
    let poll = Arc::clone(poll);
    let polls = route("/poll", "GET", Upgrade::Refused).then(move |request| {
        let poll = Arc::clone(&poll);
        async move { answer(poll.answer(request).await) }
    });
    polls.or(common_routes(app, ASSETS)).unify().boxed()
}
