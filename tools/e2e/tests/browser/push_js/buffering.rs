//! nginx in between, with `proxy_buffering on`: it holds streams of events back, unless it heeds what the service says about that.

use anyhow::Result;
use e2e::browser::Browser;
use e2e::nginx::Nginx;
use e2e::proxy::Proxy;
use e2e::service::Service;
use serde_json::{Value, json};

use super::{HASTY_MINUTES, follow, length, open_at, until_method, until_text};

/// nginx's defaults, which leave a stream alone since the service asks for that (`X-Accel-Buffering: no`).
const HEEDS: &str = "proxy_buffering on;";

/// nginx's defaults before 1.29.7, where the header of the service counts for nothing.
const HOLDS_BACK: &str = "proxy_http_version 1.0; proxy_buffering on; proxy_ignore_headers X-Accel-Buffering;";

/// Three services on one history behind nginx, with lines for its streams, and a page with push.js.
struct Stage {
    services: [Service; 3],
    nginx: Nginx,
    browser: Browser,
    _folder: tempfile::TempDir,
}

impl Stage {
    async fn set(lines: &str) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let services = Service::all_three(&[&format!("--data={}", folder.path().display())]).await?;
        let nginx = Nginx::start_with(&services, "proxy_http_version 1.1;", lines).await?;
        let browser = Browser::start("en").await?;
        open_at(&browser, &services[0]).await?;
        Ok(Self { services, nginx, browser, _folder: folder })
    }
}

/// The stream gives way to polling within 5 seconds, and is found again once it gets through.
#[tokio::test]
pub(super) async fn a_stream_that_nginx_holds_back_gives_way_to_polling() -> Result<()> {
    let mut stage = Stage::set(HOLDS_BACK).await?;
    let proxy = Proxy::start(stage.nginx.address()).await?;
    stage.browser.run(&format!("{HASTY_MINUTES}; window.began = Date.now()")).await?;
    follow(&stage.browser, &format!("{{ sse: '{0}', poll: '{0}' }}", proxy.url(""))).await?;
    stage.services[0].publish("by polling").await?;
    assert_eq!(until_text(&stage.browser, "by polling").await?, ["by polling"]);
    let took = stage.browser.value("Date.now() - began").await?;
    // It is 3 seconds, and a little more on a machine that has other things to do.
    assert!(took.as_u64().is_some_and(|took| took < 5000), "{took} ms");
    assert_eq!(stage.browser.value("seen.one.methods").await?, json!(["poll"]));
    assert_eq!(stage.browser.value("seen.one.states").await?, json!(["connecting", "connecting", "open"]));

    // The stream is tried again beside the polls, which go on.
    proxy.until_requests("GET /events", 2).await?;
    stage.services[1].publish("still by polling").await?;
    until_text(&stage.browser, "still by polling").await?;
    stage.nginx.restart_with("proxy_http_version 1.1;", HEEDS).await?;
    until_method(&stage.browser, "sse").await?;
    stage.services[2].publish("by the stream").await?;
    let received = until_text(&stage.browser, "by the stream").await?;
    assert_eq!(received, ["by polling", "still by polling", "by the stream"]);
    Ok(())
}

/// The messages that a subscription waits for in a burst.
const ENOUGH: usize = 100;

/// Subscriptions begin again and again within a burst, through an nginx that holds nothing back. None of them may take the stream for one that
/// is held back. `PUSH_JS_TRIES` has more of them.
#[tokio::test]
async fn a_burst_is_not_taken_for_a_stream_that_is_held_back() -> Result<()> {
    let tries = length("PUSH_JS_TRIES", 20)?;
    let stage = Stage::set(HEEDS).await?;
    let url = stage.nginx.url("");
    stage
        .browser
        .run(&format!(
            "window.done = 0; window.alarms = []; window.longest = 0;
            const attempt = () => new Promise((resolve) => {{
                const states = [], began = performance.now();
                let messages = 0;
                const subscription = push.subscribe({{ share: false, sse: '{url}', poll: '{url}',
                    onState(state, {{ method }}) {{
                        states.push(method ? `${{state}} ${{method}}` : state);
                        if (state === 'open') longest = Math.max(longest, performance.now() - began);
                    }},
                    onMessage() {{
                        if (++messages < {ENOUGH}) return;
                        resolve([...states]);
                        subscription.close();
                    }} }});
            }});
            (async () => {{
                while (done < {tries}) {{
                    const states = await attempt();
                    if (states.join() !== 'connecting sse,open sse') alarms.push(states);
                    done += 1;
                }}
            }})();"
        ))
        .await?;
    let http = testkit::client();
    let burst: Value = (0..ENOUGH).map(|number| json!({ "text": format!("{number} {}", "x".repeat(200)) })).collect();
    let mut published = 0;
    loop {
        for _ in 0..10 {
            http.post(stage.services[2].url("/messages")).json(&burst).send().await?.error_for_status()?;
            published += ENOUGH;
        }
        assert_eq!(stage.browser.value("alarms").await?, json!([]));
        if stage.browser.value("done").await? == tries {
            break;
        }
    }
    println!("{tries} tries, {published} messages, open after {} ms at most", stage.browser.value("longest").await?);
    Ok(())
}

/// A page that computes for seconds hears nothing meanwhile, and then everything at once.
#[tokio::test]
async fn a_page_that_was_busy_does_not_leave_its_stream() -> Result<()> {
    let stage = Stage::set(HEEDS).await?;
    let url = stage.nginx.url("");
    // The service has answered long before the page has time for that.
    let busy = "const until = Date.now() + 4000; while (Date.now() < until);";
    let subscribed = format!("follow('one', {{ sse: '{url}', poll: '{url}' }})");
    stage.browser.run(&format!("{subscribed}; setTimeout(() => {{ {busy} }}, 0)")).await?;
    stage.browser.until("seen.one.state === 'open'").await?;
    assert_eq!(stage.browser.value("seen.one.methods").await?, json!(["sse"]));
    assert_eq!(stage.browser.value("seen.one.states").await?, json!(["connecting", "open"]));
    Ok(())
}
