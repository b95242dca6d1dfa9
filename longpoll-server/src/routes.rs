//! The routes of the service.

use std::sync::Arc;

use serving::app::App;
use serving::routes::{Asset, MethodRoute, Routes, Upgrade};

use crate::poll::Poll;

const ASSETS: &[Asset] = &[
    Asset { path: "/", content: include_str!("../assets/index.html") },
    Asset { path: "/assets/index.js", content: include_str!("../assets/index.js") },
];

pub(crate) fn routes(app: &Arc<App>, poll: &Arc<Poll>) -> Routes {
    let polls = {
        let poll = Arc::clone(poll);
        MethodRoute::new("/poll", Upgrade::Refused, move |request| {
            let poll = Arc::clone(&poll);
            async move { poll.answer(request).await }
        })
    };
    Routes::new(app, vec![polls], ASSETS)
}
