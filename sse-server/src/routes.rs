//! The routes of the service.

use std::sync::Arc;

use serving::app::App;
use serving::routes::{Asset, MethodRoute, Routes, Upgrade};

use crate::stream;

const ASSETS: &[Asset] = &[
    Asset { path: "/", content: include_str!("../assets/index.html") },
    Asset { path: "/assets/index.js", content: include_str!("../assets/index.js") },
];

pub(crate) fn routes(app: &Arc<App>) -> Routes {
    let events = {
        let app = Arc::clone(app);
        MethodRoute::new("/events", Upgrade::Refused, move |request| stream::events(Arc::clone(&app), request))
    };
    Routes::new(app, vec![events], ASSETS)
}
