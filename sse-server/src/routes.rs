//! The routes of the service.

use std::sync::{Arc, LazyLock};

use serving::app::App;
use serving::routes::{Asset, IndexPage, MethodRoute, Routes, Upgrade};

use crate::stream;

const INDEX: IndexPage =
    IndexPage { method: "sse", port: "3001", card: "", commands: include_str!("../assets/commands.html") };

static HTML: LazyLock<String> = LazyLock::new(|| INDEX.html());

pub(crate) fn routes(app: &Arc<App>) -> Routes {
    let events = {
        let app = Arc::clone(app);
        let answer = move |request| stream::answer(Arc::clone(&app), request);
        MethodRoute::new("/events", Upgrade::Refused, answer).answers_when_full(stream::accepts_events)
    };
    let assets = [
        Asset { path: "/", content: &HTML },
        Asset { path: "/assets/index.js", content: include_str!("../assets/index.js") },
    ];
    Routes::new(app, vec![events], &assets, Some(include_str!("../assets/openapi.json")))
}
