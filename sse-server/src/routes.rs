//! Who answers which path.

use std::sync::Arc;

use shared::app::App;
use shared::http::{Asset, Upgrade, answer, common_routes, route};
use warp::Filter;
use warp::filters::BoxedFilter;
use warp::reply::Response;

use crate::stream;

const ASSETS: &[Asset] = &[
    Asset { path: "/", content: include_str!("../assets/index.html") },
    Asset { path: "/assets/index.js", content: include_str!("../assets/index.js") },
];

pub(crate) fn routes(app: &Arc<App>) -> BoxedFilter<(Response,)> {
    let common = common_routes(app, ASSETS);
    let app = Arc::clone(app);
    let events = route("/events", "GET", Upgrade::Refused).then(move |request| {
        let app = Arc::clone(&app);
        async move { answer(stream::events(app, request).await) }
    });
    events.or(common).unify().boxed()
}
