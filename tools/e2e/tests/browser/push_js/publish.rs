//! Publishing: in order, and once, whatever happens on the way.

use std::time::Duration;

use anyhow::Result;
use e2e::PATIENCE;
use e2e::browser::Browser;
use e2e::proxy::{Conduct, Proxy};
use e2e::service::{Method, Service};
use serde_json::json;
use testkit::tokens::{SECRET, token_with};

use super::{HASTY_POLLS, Stage, history, nothing, open, open_at};

#[tokio::test]
async fn a_publication_is_answered_with_its_place() -> Result<()> {
    let service = Service::started(Method::Sse, &[]).await?;
    let browser = Browser::start("en").await?;
    open_at(&browser, &service).await?;
    let one = browser.value("push.publish('/', 'orders.new', '42', { event: 'created', key: 'k' })").await?;
    assert_eq!(one["topic"], "orders.new");
    let again = browser.value("push.publish('/', 'orders.new', '42', { event: 'created', key: 'k' })").await?;
    assert_eq!((&again["id"], &again["repeated"]), (&one["id"], &json!(true)));
    let both = browser.value("push.publish('/', 'orders.new', ['43', '44'])").await?;
    assert_eq!(both.as_array().map(Vec::len), Some(2));
    assert_eq!(history(&service).await?, ["42", "43", "44"]);
    let page = testkit::client().get(service.url("/messages?topic=orders.new&limit=1")).send().await?;
    assert_eq!(page.json::<serde_json::Value>().await?["messages"][0]["event"], "created");
    Ok(())
}

/// Returns the error of a publication.
async fn error(browser: &Browser, publication: &str) -> Result<serde_json::Value> {
    let fields = "({ name, code, status, message }) => ({ name, code, status, message })";
    browser.value(&format!("{publication}.then(() => 'published', {fields})")).await
}

#[tokio::test]
async fn the_error_of_a_publication_says_why_it_is_refused() -> Result<()> {
    let service = Service::started(Method::Ws, &[&format!("--jwt-secret={SECRET}")]).await?;
    let browser = Browser::start("en").await?;
    open_at(&browser, &service).await?;
    let unauthorized = error(&browser, "push.publish('/', 'a.b', 'x')").await?;
    assert_eq!((&unauthorized["name"], &unauthorized["status"]), (&json!("PushError"), &json!(401)));
    let token = token_with(nothing());
    let forbidden = error(&browser, &format!("push.publish('/', 'c', 'x', {{ token: '{token}' }})")).await?;
    assert_eq!((&forbidden["code"], &forbidden["status"]), (&json!("forbidden"), &json!(403)));
    assert_eq!(error(&browser, "push.publish('/', 'a.b', { an: 'object' })").await?["name"], "TypeError");
    let published =
        format!("push.publish('/', 'a.b', 'x', {{ token: async () => '{token}' }}).then(({{ topic }}) => topic)");
    assert_eq!(browser.value(&published).await?, "a.b");
    Ok(())
}

/// Answers get lost, so that publications are repeated: each is in the history once, and they are in order.
#[tokio::test]
pub(super) async fn a_publication_whose_answer_is_lost_is_there_once() -> Result<()> {
    let service = Service::started(Method::Poll, &[]).await?;
    let proxy = Proxy::start(service.address()).await?;
    let browser = Browser::start("en").await?;
    // From the same origin, so that there is no question about it beforehand, whose answer would be lost too.
    open(&browser, &proxy.url("/livez"), "/push.js").await?;
    let mut expected = Vec::new();
    for round in 0..5 {
        proxy.set(Conduct::LosingAnswers);
        let publish = format!("push.publish('{}', 'main', `{round}.${{number}}`)", proxy.url(""));
        browser
            .run(&format!("window.all = Promise.all(Array.from({{ length: 3 }}, (_, number) => {publish})); 0"))
            .await?;
        let until_there = async {
            let mut next = tokio::time::interval(Duration::from_millis(10));
            while !history(&service).await?.contains(&format!("{round}.0")) {
                next.tick().await;
            }
            anyhow::Ok(())
        };
        tokio::time::timeout(PATIENCE, until_there).await??;
        proxy.mend();
        let answers = browser.value("all").await?;
        assert_eq!(answers[0]["repeated"], true, "{answers}");
        expected.extend((0..3).map(|number| format!("{round}.{number}")));
    }
    assert_eq!(history(&service).await?, expected);
    Ok(())
}

/// A service that cannot be reached, and a page that knows that it is offline.
async fn offline() -> Result<Stage> {
    let stage = Stage::set(Method::Sse, &[]).await?;
    // The next attempt by itself would be later than any test waits.
    stage.run("window.random = Math.random; Math.random = () => 10000").await?;
    stage.proxy.cut();
    stage.browser.be_offline(true).await?;
    stage.browser.until("!navigator.onLine").await?;
    Ok(stage)
}

/// Publishes the numbers below a count, and goes on.
async fn publish_numbers(stage: &Stage, count: usize) -> Result<()> {
    let url = stage.proxy.url("");
    let publish = "then(() => answers++, ({ code }) => errors.push(code))";
    stage
        .run(&format!(
            "window.answers = 0; window.errors = [];
            for (let number = 0; number < {count}; number++) push.publish('{url}', 'main', `${{number}}`).{publish};"
        ))
        .await
}

async fn be_online_again(stage: &Stage) -> Result<()> {
    stage.proxy.mend();
    // The browser may have opened a connection that was cut, on which the first attempt fails.
    stage.run("Math.random = random").await?;
    stage.browser.be_offline(false).await
}

#[tokio::test]
async fn publications_made_offline_are_sent_once_and_in_order() -> Result<()> {
    let stage = offline().await?;
    publish_numbers(&stage, 20).await?;
    // However long that is.
    stage.run("const now = Date.now; Date.now = () => now() + 3600000").await?;
    be_online_again(&stage).await?;
    stage.browser.until("answers === 20").await?;
    let expected: Vec<String> = (0..20).map(|number| number.to_string()).collect();
    assert_eq!(history(&stage.service).await?, expected);
    Ok(())
}

#[tokio::test]
async fn a_publication_made_offline_waits_for_its_token_too() -> Result<()> {
    let stage = offline().await?;
    let token = "async () => { if (!navigator.onLine) throw new TypeError('Failed to fetch'); return 'unneeded' }";
    let url = stage.proxy.url("");
    stage.run(&format!("window.published = push.publish('{url}', 'main', 'one', {{ token: {token} }}); 0")).await?;
    be_online_again(&stage).await?;
    stage.value("published").await?;
    assert_eq!(history(&stage.service).await?, ["one"]);
    Ok(())
}

/// A token that never comes holds up the next publication for as long as an answer may take, and no longer.
#[tokio::test]
async fn a_publication_whose_token_never_comes_gives_its_place_to_the_next() -> Result<()> {
    let service = Service::started(Method::Ws, &[]).await?;
    let browser = Browser::start("en").await?;
    open_at(&browser, &service).await?;
    let options = "{ token: () => new Promise(() => {}), signal: AbortSignal.timeout(500) }";
    browser
        .run(&format!(
            "{HASTY_POLLS}; window.first = push.publish('/', 'main', 'first', {options}).catch(({{ name }}) => name); 0"
        ))
        .await?;
    browser.value("push.publish('/', 'main', 'next')").await?;
    assert_eq!(browser.value("first").await?, "TimeoutError");
    assert_eq!(history(&service).await?, ["next"]);
    Ok(())
}

#[tokio::test]
async fn a_publication_that_is_aborted_makes_room_in_the_queue() -> Result<()> {
    let stage = offline().await?;
    let publish = format!("push.publish('{}', 'main'", stage.proxy.url(""));
    stage
        .run(&format!(
            "window.errors = []; const given = new AbortController();
            for (let number = 0; number < 1000; number++) {publish}, 'unwanted', {{ signal: given.signal }}).catch(() => {{}});
            given.abort();
            window.last = {publish}, 'wanted'); 0"
        ))
        .await?;
    be_online_again(&stage).await?;
    stage.value("last").await?;
    assert_eq!(history(&stage.service).await?, ["wanted"]);
    Ok(())
}

#[tokio::test]
async fn a_queue_that_is_full_says_so() -> Result<()> {
    let stage = offline().await?;
    publish_numbers(&stage, 1002).await?;
    stage.browser.until("errors.length === 2").await?;
    assert_eq!(stage.browser.value("errors").await?, json!(["queue_full", "queue_full"]));
    be_online_again(&stage).await?;
    // They go one after the other, and the machine may be busy.
    stage.browser.until_within(PATIENCE * 4, "answers === 1000").await?;
    assert_eq!(history(&stage.service).await?.len(), 1000);
    Ok(())
}

/// Online, an attempt without an answer may have arrived, and the service remembers its key for two minutes.
#[tokio::test]
async fn a_publication_in_doubt_is_not_repeated_for_ever() -> Result<()> {
    let Stage { service, proxy, browser } = Stage::set(Method::Sse, &[]).await?;
    proxy.cut();
    let outcome =
        format!("push.publish('{}', 'main', 'x').then(() => 'published', ({{ name }}) => name)", proxy.url(""));
    browser
        .run(&format!("window.outcome = 'none'; {outcome}.then((outcome) => {{ window.outcome = outcome }})"))
        .await?;
    browser.run("const now = Date.now; Date.now = () => now() + 101000").await?;
    browser.until("outcome !== 'none'").await?;
    assert_eq!(browser.value("outcome").await?, "TypeError");
    assert_eq!(history(&service).await?, Vec::<String>::new());
    Ok(())
}

#[tokio::test]
async fn a_publication_that_is_aborted_gives_its_place_to_the_next() -> Result<()> {
    let Stage { service, proxy, browser } = Stage::set(Method::Ws, &[]).await?;
    proxy.set(Conduct::Silent);
    let publish = |text: &str, options: &str| format!("push.publish('{}', 'main', '{text}', {options})", proxy.url(""));
    let name = "({ name }) => name";
    let aborted = format!("{}.catch({name})", publish("aborted", "{ signal: AbortSignal.timeout(50) }"));
    browser.run(&format!("window.first = {aborted}; window.second = {}; 0", publish("next", "{}"))).await?;
    assert_eq!(browser.value("first").await?, "TimeoutError");
    proxy.mend();
    browser.value("second").await?;
    assert_eq!(history(&service).await?.last().map(String::as_str), Some("next"));
    Ok(())
}
