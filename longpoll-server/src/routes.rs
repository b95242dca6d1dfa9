//! The routes of the service.

use std::sync::{Arc, LazyLock};

use serving::app::App;
use serving::routes::{Asset, IndexPage, MethodRoute, Routes, Upgrade};

use crate::poll::Poll;

const INDEX: IndexPage =
    IndexPage { method: "poll", port: "3000", card: "", commands: include_str!("../assets/commands.html") };

static HTML: LazyLock<String> = LazyLock::new(|| INDEX.html());

pub(crate) fn routes(app: &Arc<App>, poll: &Arc<Poll>) -> Routes {
    let polls = {
        let poll = Arc::clone(poll);
        MethodRoute::new("/poll", Upgrade::Refused, move |request| {
            let poll = Arc::clone(&poll);
            async move { poll.answer(request).await }
        })
    };
    let assets = [
        Asset { path: "/", content: &HTML },
        Asset { path: "/assets/index.js", content: include_str!("../assets/index.js") },
    ];
    Routes::new(app, vec![polls], &assets, Some(include_str!("../assets/openapi.json")))
}
