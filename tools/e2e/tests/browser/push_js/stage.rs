//! The set-up of most tests: a service behind a proxy, and a page that has push.js and nothing else.

use anyhow::Result;
use e2e::browser::Browser;
use e2e::proxy::Proxy;
use e2e::service::{Method, Service};
use serde_json::Value;

use super::{follow, open_at, until_text};

/// A service behind a proxy, and a page of the service with push.js.
pub(super) struct Stage {
    pub(super) service: Service,
    pub(super) proxy: Proxy,
    pub(super) browser: Browser,
}

impl Stage {
    /// Starts the service with these flags.
    pub(super) async fn set(method: Method, flags: &[&str]) -> Result<Self> {
        Self::set_in(Browser::start("en").await?, method, flags).await
    }

    /// As [`Stage::set`], in a browser that runs already.
    pub(super) async fn set_in(browser: Browser, method: Method, flags: &[&str]) -> Result<Self> {
        let service = Service::started(method, flags).await?;
        let proxy = Proxy::start(service.address()).await?;
        open_at(&browser, &service).await?;
        Ok(Self { service, proxy, browser })
    }

    /// The options to follow through the proxy, and others: all of them as JavaScript.
    pub(super) fn options(&self, others: &str) -> String {
        format!("{{ {}: '{}', {others} }}", self.service.method().name(), self.proxy.url(""))
    }

    /// Follows as `one` through the proxy, with other options, and waits until the subscription is open.
    pub(super) async fn follow(&self, others: &str) -> Result<()> {
        follow(&self.browser, &self.options(others)).await
    }

    /// Waits until `one` has received a text, and returns all its texts.
    pub(super) async fn until_text(&self, text: &str) -> Result<Vec<String>> {
        until_text(&self.browser, text).await
    }

    /// Waits until `one` is without a connection, for the first time.
    pub(super) async fn until_waiting(&self) -> Result<()> {
        self.browser.until("seen.one.states.includes('waiting')").await?;
        Ok(())
    }

    /// Runs JavaScript statements on the page.
    pub(super) async fn run(&self, statements: &str) -> Result<()> {
        self.browser.run(statements).await
    }

    /// The value of a JavaScript expression.
    pub(super) async fn value(&self, expression: &str) -> Result<Value> {
        self.browser.value(expression).await
    }
}

/// Starts a service, opens a page of it and follows there as `one`, with nothing in between and with other options.
pub(super) async fn follow_directly(browser: &Browser, method: Method, others: &str) -> Result<Service> {
    let service = Service::started(method, &[]).await?;
    open_at(browser, &service).await?;
    follow(browser, &format!("{{ {}: '/', {others} }}", method.name())).await?;
    Ok(service)
}
