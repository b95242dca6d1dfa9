//! Who answers which path.

use std::sync::Arc;

use shared::app::App;
use shared::http::{Asset, Upgrade, answer, common_routes, route};
use warp::Filter;
use warp::filters::BoxedFilter;
use warp::reply::Response;

use crate::{echo, feed};

const ASSETS: &[Asset] = &[
    Asset { path: "/", content: include_str!("../assets/index.html") },
    Asset { path: "/assets/index.js", content: include_str!("../assets/index.js") },
];

pub(crate) fn routes(app: &Arc<App>, reply_prefix: Arc<str>) -> BoxedFilter<(Response,)> {
    let common = common_routes(app, ASSETS);
    let app = Arc::clone(app);
    let feed_app = Arc::clone(&app);
    let feed = route("/feed", "GET", Upgrade::Required).then(move |request| {
        let app = Arc::clone(&feed_app);
        async move { answer(feed::open(app, request).await) }
    });
    // Without an upgrade, the same path is the page.
    let echo = route("/", "GET", Upgrade::Chosen).then(move |request| {
        let (app, reply_prefix) = (Arc::clone(&app), Arc::clone(&reply_prefix));
        async move { answer(echo::open(app, request, reply_prefix).await) }
    });
    feed.or(echo).unify().or(common).unify().boxed()
}
