//! A page of another origin, and a service that is closed: what a browser can send with an `EventSource` or a `WebSocket`.

use anyhow::Result;
use e2e::browser::Browser;
use e2e::service::{Method, Service};
use serde_json::json;
use testkit::tokens::{SECRET, token_with};

/// A closed service, and a page of another origin that it names.
struct Stage {
    closed: Service,
    page: Service,
    browser: Browser,
}

impl Stage {
    async fn set(method: Method) -> Result<Self> {
        let page = Service::started(Method::Poll, &[]).await?;
        let origin = format!("--allow-origin={}", page.url(""));
        let secret = format!("--jwt-secret={SECRET}");
        let closed = Service::started(method, &[&secret, &origin]).await?;
        let browser = Browser::start("en").await?;
        // A document that no policy keeps from connecting elsewhere.
        browser.open(&page.url("/livez")).await?;
        browser.run("window.seen = []; window.states = [];").await?;
        Ok(Self { closed, page, browser })
    }

    async fn publish(&self, text: &str) -> Result<()> {
        let request = testkit::client().post(self.closed.url("/messages?topic=a.b"));
        request.bearer_auth(token_with(json!({}))).body(text.to_owned()).send().await?.error_for_status()?;
        Ok(())
    }

    /// Opens an `EventSource` and has the page note what comes.
    async fn follow(&self, url: &str, options: &str) -> Result<()> {
        let noted = "stream.onmessage = event => seen.push(event.data); stream.onopen = () => states.push('open'); \
                     stream.addEventListener('expired', event => seen.push(event.type)); \
                     stream.onerror = () => states.push(stream.readyState === EventSource.CLOSED ? 'closed' : 'retrying');";
        self.browser.run(&format!("window.stream = new EventSource({url}, {options}); {noted}")).await
    }
}

#[tokio::test]
async fn an_event_source_is_let_in_by_a_ticket() -> Result<()> {
    let stage = Stage::set(Method::Sse).await?;
    let token = token_with(json!({}));
    let ask = format!(
        "fetch('{}', {{ method: 'POST', headers: {{ Authorization: 'Bearer {token}' }} }}).then(answer => answer.json())",
        stage.closed.url("/ticket")
    );
    stage.browser.run(&format!("{ask}.then(answer => window.ticket = answer.ticket)")).await?;
    let ticket = stage.browser.until("window.ticket").await?;
    let url = format!("'{}?topic=a.b&ticket=' + {ticket}", stage.closed.url("/events"));
    stage.follow(&url, "{}").await?;
    stage.browser.until("states.includes('open')").await?;
    stage.publish("by ticket").await?;
    stage.browser.until("seen.includes('by ticket')").await?;

    // The ticket is of no use to a page of another origin, were it even an allowed one.
    let own = stage.closed.url("/livez");
    stage.browser.open(&own).await?;
    stage.browser.run("window.seen = []; window.states = [];").await?;
    stage.follow(&url, "{}").await?;
    stage.browser.until("states.includes('closed')").await?;
    assert_eq!(stage.browser.value("states").await?, json!(["closed"]));
    Ok(())
}

#[tokio::test]
async fn an_event_source_is_let_in_by_a_cookie_and_goes_on_when_that_is_renewed() -> Result<()> {
    let stage = Stage::set(Method::Sse).await?;
    let url = format!("'{}?topic=a.b'", stage.closed.url("/events"));
    let short = token_with(json!({ "exp": token::now() + 2.0 }));
    stage.browser.run(&format!("document.cookie = 'push_token={short}; path=/'")).await?;
    stage.follow(&url, "{}").await?;
    stage.browser.until("states.includes('closed')").await?;
    stage.browser.run("window.states = []").await?;
    stage.follow(&url, "{ withCredentials: true }").await?;
    stage.browser.until("states.includes('open')").await?;
    stage.publish("by cookie").await?;
    stage.browser.until("seen.includes('by cookie')").await?;
    stage.browser.run(&format!("document.cookie = 'push_token={}; path=/'", token_with(json!({})))).await?;
    stage.browser.until("seen.includes('expired')").await?;
    stage.publish("between").await?;
    stage.browser.until("seen.includes('between')").await?;
    assert_eq!(stage.browser.value("seen").await?, json!(["by cookie", "expired", "between"]));

    // A page that is not named has the cookie too, as it is on the same host.
    let other = Service::started(Method::Poll, &[]).await?;
    stage.browser.open(&other.url("/livez")).await?;
    assert!(
        stage.browser.value("document.cookie").await?.as_str().is_some_and(|cookie| cookie.contains("push_token="))
    );
    stage.browser.run("window.seen = []; window.states = [];").await?;
    stage.follow(&url, "{ withCredentials: true }").await?;
    stage.browser.until("states.includes('closed')").await?;
    assert_eq!(stage.browser.value("states").await?, json!(["closed"]));
    Ok(())
}

#[tokio::test]
async fn a_websocket_is_let_in_by_a_subprotocol_and_renews_its_token() -> Result<()> {
    let stage = Stage::set(Method::Ws).await?;
    let url = stage.closed.url("/feed?topic=a.b").replace("http://", "ws://");
    let open = |token: &str| {
        format!(
            "window.socket = new WebSocket('{url}', ['push', 'push.token.{token}']); \
             socket.onmessage = event => seen.push(JSON.parse(event.data)); \
             socket.onclose = event => states.push(event.code);"
        )
    };
    stage.browser.run(&open(&token_with(json!({ "exp": token::now() + 3.0 })))).await?;
    stage.browser.until("seen.some(frame => frame.type === 'token_expiring')").await?;
    assert_eq!(stage.browser.value("socket.protocol").await?, "push");
    let renewed = token_with(json!({ "exp": token::now() + 5.0 }));
    stage.browser.run(&format!("socket.send(JSON.stringify({{ type: 'token', token: '{renewed}' }}))")).await?;
    stage.browser.until("seen.some(frame => frame.type === 'token')").await?;
    stage.publish("by subprotocol").await?;
    stage.browser.until("seen.some(frame => frame.text === 'by subprotocol')").await?;
    stage.browser.until("states.length").await?;
    assert_eq!(stage.browser.value("states").await?, json!([3000]));
    let times = "Math.max(...seen.map(frame => frame.type === 'token' ? frame.exp : 0)) <= Date.now() / 1000";
    assert_eq!(stage.browser.value(times).await?, true, "it was the end of the second token");

    stage.browser.run("window.states = []").await?;
    stage.browser.run(&open("garbage")).await?;
    stage.browser.until("states.length").await?;
    assert_eq!(stage.browser.value("states").await?, json!([1006]));
    // Another page may not even try, whatever token it has.
    stage.browser.open(&stage.page.url("/livez").replace("127.0.0.1", "localhost")).await?;
    stage.browser.run("window.seen = []; window.states = [];").await?;
    stage.browser.run(&open(&token_with(json!({})))).await?;
    stage.browser.until("states.length").await?;
    assert_eq!(stage.browser.value("states").await?, json!([1006]));
    Ok(())
}

/// The page of a closed service asks for a token, and works with one.
async fn asks_for_a_token(method: Method) -> Result<()> {
    let service = Service::started(method, &[&format!("--jwt-secret={SECRET}")]).await?;
    let browser = Browser::start("en").await?;
    browser.open(&service.url("/?topic=a.b")).await?;
    browser.until("!document.getElementById('token-part').hidden").await?;
    assert!(browser.text("#connection-error").await?.contains("a good token is needed"));
    browser.fill("#token", "no; token").await?;
    browser.click("#connect").await?;
    browser.until("document.getElementById('connection-error').textContent.startsWith('A token has letters')").await?;
    browser.fill("#token", &token_with(json!({}))).await?;
    browser.click("#connect").await?;
    browser.until_state(crate::STATE, "open").await?;
    browser.fill("#publish-topic", "a.b").await?;
    browser.fill("#publish-text", "with a token").await?;
    browser.click("#publish-send").await?;
    browser.until_row(crate::LIST, "with a token").await?;
    browser.fill("#publish-topic", "c").await?;
    browser.click("#publish-send").await?;
    browser
        .until("document.getElementById('publish-result').textContent.includes('claim `publish` does not cover')")
        .await?;
    Ok(())
}

#[tokio::test]
async fn the_page_of_ws_echo_asks_for_a_token() -> Result<()> {
    asks_for_a_token(Method::Ws).await
}

#[tokio::test]
async fn the_page_of_longpoll_server_asks_for_a_token() -> Result<()> {
    asks_for_a_token(Method::Poll).await
}

#[tokio::test]
async fn the_page_of_sse_server_asks_for_a_token() -> Result<()> {
    asks_for_a_token(Method::Sse).await
}
