//! The page of those who run the service.

use std::net::{Ipv4Addr, SocketAddr};

use anyhow::Result;
use e2e::browser::Browser;
use e2e::service::{Method, Service, hold};
use serde_json::json;
use testkit::{RawClient, client, soon};
use tokio::net::TcpSocket;

/// A service whose history holds two messages, with a port for those who run it.
pub(crate) struct Stage {
    service: Service,
    admin: SocketAddr,
    _port: TcpSocket,
}

impl Stage {
    pub(crate) async fn set() -> Result<Self> {
        let port = hold((Ipv4Addr::LOCALHOST, 0).into())?;
        let admin = port.local_addr()?;
        let flags = ["--history=2".to_owned(), format!("--admin-listen={admin}")];
        let service = Service::started(Method::Sse, &flags.each_ref().map(String::as_str)).await?;
        Ok(Self { service, admin, _port: port })
    }

    pub(crate) fn page(&self) -> String {
        format!("http://{}/debug", self.admin)
    }

    /// Begins to follow, and reads nothing more than the beginning.
    pub(crate) async fn follow(&self) -> RawClient {
        // Its buffers are the usual ones: with the smallest, Linux may take many seconds to go on once the client reads again.
        let mut follower = RawClient::connect(self.service.address()).await;
        follower.send("GET /events?topic=main HTTP/1.1\r\nhost: test\r\n\r\n").await;
        follower.read_until("\r\n\r\n").await;
        follower
    }

    /// Publishes large messages until all clients have lost some: they have not read what the history holds, and more follows.
    pub(crate) async fn publish_until_all_have_lost_some(&self) -> Result<()> {
        let text = "x".repeat(60_000);
        // A client that is about to read lags too, and no longer at a second look: it reads after it has answered the first.
        while !(self.all_lag().await? && self.all_lag().await?) {
            self.service.publish(&text).await?;
        }
        for _ in 0..3 {
            self.service.publish(&text).await?;
        }
        Ok(())
    }

    /// Returns whether all clients have read nothing of the two messages that the history holds.
    async fn all_lag(&self) -> Result<bool> {
        let debug = client().get(format!("http://{}/debug.json", self.admin)).send();
        let debug: serde_json::Value = soon(debug).await?.json().await?;
        let clients = debug["clients"]["slowest"].as_array().map(Vec::as_slice).unwrap_or_default();
        Ok(!clients.is_empty() && clients.iter().all(|client| client["lag_messages"] == 2))
    }
}

/// The cells of the row of a table that has an address.
fn row(table: &str, address: SocketAddr) -> String {
    format!(
        "[...document.querySelectorAll('#{table} tbody tr')]
            .map((row) => [...row.cells].map((cell) => cell.textContent))
            .find((cells) => cells.includes('{address}'))"
    )
}

#[tokio::test]
async fn a_slow_reader_shows_with_what_it_has_lost_and_can_be_ended() -> Result<()> {
    let stage = Stage::set().await?;
    let (mut slow, mut other) = (stage.follow().await, stage.follow().await);
    let (address, of_other) = (slow.local_address(), other.local_address());
    stage.publish_until_all_have_lost_some().await?;
    // Both lag. One of them reads on up to its gap, and lags again.
    slow.read_until("event: gap").await;
    stage.publish_until_all_have_lost_some().await?;

    let browser = Browser::start("en").await?;
    browser.open(&stage.page()).await?;
    let shown = browser.until(&row("slowest", address)).await?;
    assert_eq!((&shown[0], &shown[3], &shown[5]), (&json!(address.to_string()), &json!("Disconnect"), &json!("main")));
    browser.until(&row("slowest", of_other)).await?;
    let gap = browser.until(&row("gaps", address)).await?;
    assert!(gap.as_array().is_some_and(|cells| cells.contains(&json!("read too slowly"))), "{gap}");
    assert_eq!(browser.value(&format!("!{}", row("gaps", of_other))).await?, true, "none was reported to it yet");

    browser.click(&format!("button[aria-label='Disconnect {address}']")).await?;
    slow.read_to_end().await;
    browser.until(&format!("document.getElementById('ended').textContent === '{address} was disconnected.'")).await?;
    browser.until(&format!("!{}", row("slowest", address))).await?;
    browser.until(&row("slowest", of_other)).await?;
    browser.until(&row("gaps", address)).await?;
    // The other one goes on.
    other.read_until("event: gap").await;
    let log = browser.log().await?;
    assert!(log.is_empty(), "{log:#?}");
    Ok(())
}

#[tokio::test]
async fn the_page_fits_a_narrow_phone() -> Result<()> {
    let stage = Stage::set().await?;
    let mut slow = stage.follow().await;
    stage.publish_until_all_have_lost_some().await?;
    slow.read_until("event: gap").await;
    for languages in ["en", "zh-CN,zh"] {
        let browser = Browser::start(languages).await?;
        browser.resize(360, 740).await?;
        browser.open(&stage.page()).await?;
        browser.until("document.querySelectorAll('#gaps tbody tr').length >= 1").await?;
        let widths = "[document.scrollingElement.clientWidth, document.scrollingElement.scrollWidth]";
        assert_eq!(browser.value(widths).await?, json!([360, 360]));
        let empty = "[...document.querySelectorAll('[data-text]')].filter((one) => !one.textContent).length";
        assert_eq!(browser.value(empty).await?, 0, "nothing is left untranslated");
    }
    Ok(())
}
