//! The routes of the service.

use std::sync::Arc;

use serving::app::App;
use serving::routes::{Asset, MethodRoute, Routes, Upgrade};

use crate::{echo, feed};

const ASSETS: &[Asset] = &[
    Asset { path: "/", content: include_str!("../assets/index.html") },
    Asset { path: "/assets/index.js", content: include_str!("../assets/index.js") },
];

pub(crate) fn routes(app: &Arc<App>, reply_prefix: Arc<str>) -> Routes {
    let feed = {
        let app = Arc::clone(app);
        MethodRoute::new("/feed", Upgrade::Required, move |request| feed::open(Arc::clone(&app), request))
    };
    // Without an upgrade, the same path is the page.
    let echo = {
        let app = Arc::clone(app);
        MethodRoute::new("/", Upgrade::Chosen, move |request| {
            echo::open(Arc::clone(&app), request, Arc::clone(&reply_prefix))
        })
    };
    Routes::new(app, vec![feed, echo], ASSETS)
}
