//! The routes of the service.

use std::sync::{Arc, LazyLock};

use serving::app::App;
use serving::routes::{Asset, IndexPage, MethodRoute, Routes, Upgrade};

use crate::{echo, feed};

const INDEX: IndexPage = IndexPage {
    method: "ws",
    port: "8080",
    card: include_str!("../assets/card.html"),
    commands: include_str!("../assets/commands.html"),
};

static HTML: LazyLock<String> = LazyLock::new(|| INDEX.html());

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
    let assets = [
        Asset { path: "/", content: &HTML },
        Asset { path: "/assets/index.js", content: include_str!("../assets/index.js") },
    ];
    Routes::new(app, vec![feed, echo], &assets, Some(include_str!("../assets/openapi.json")))
}
