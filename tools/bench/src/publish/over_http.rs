//! One measurement of a server that is published to over HTTP.

use std::net::SocketAddr;

use anyhow::{Context, ensure};
use http_body_util::Full;
use hyper::header::CONTENT_TYPE;
use hyper::{Method, Request};
use tokio::task::block_in_place;

use super::confirmed::{Began, WARM_UP};
use super::stored;
use super::work::{Topics, Work};
use crate::http::Connection;
use crate::load::{Crowd, Door, PATIENCE, Pace, Setup, Subscription};
use crate::measure::Sample;
use crate::process::Process;
use crate::target::{Publish, Target};

/// Publishes over connections that are kept open, with one publication at a time on each. `servers` are the processes whose CPU
/// counts. If the server `keeps` everything, its history is compared with what was confirmed.
///
/// # Errors
/// Fails when it cannot be measured. Messages that are not in the history are no error.
///
/// # Panics
/// When the runtime has one thread.
pub async fn measure(
    work: &Work,
    target: &Target,
    address: SocketAddr,
    servers: &[Process],
    keeps: bool,
) -> anyhow::Result<Sample> {
    let topics = Topics::new();
    create(work, &target.publish, address, &topics).await?;
    let mut crowd = Crowd::new(Setup {
        follow: vec![address],
        publish: vec![address],
        door: Door::default(),
        subscription: Subscription::of_nobody(),
        clients: 0,
        lanes: work.in_flight,
        path: target.publish.path.replace("{topic}", &topics.any()),
        topics: work.topics,
        bytes: work.bytes,
        patience: PATIENCE,
    })?;
    let mut sample = block_in_place(|| {
        let pace = Pace::Unanswered(work.in_flight);
        crowd.connect_lanes()?;
        crowd.publish(pace, u64::MAX, Some(WARM_UP))?;
        let began = Began::now(servers)?;
        let tally = crowd.publish(pace, u64::MAX, Some(work.length))?;
        began.until_now(servers, tally.published, &tally.confirmations)
    })?;
    if let Some(history) = &target.history
        && keeps
    {
        stored::check(work, history, address, &topics, &crowd.last(), &mut sample).await?;
    }
    Ok(sample)
}

/// Creates the topics, where a server wants that.
async fn create(work: &Work, publish: &Publish, address: SocketAddr, topics: &Topics) -> anyhow::Result<()> {
    let Some(method) = &publish.create else { return Ok(()) };
    let method: Method = method.parse().context("the method that creates a topic")?;
    for topic in 0..work.topics {
        let path = publish.path.replace("{topic}", &topics.name(topic));
        let request = Request::builder().method(&method).uri(&path).header(CONTENT_TYPE, "text/plain");
        let mut connection = Connection::open(address, PATIENCE).await?;
        let response = connection.send(request.body(Full::default())?, PATIENCE).await?;
        ensure!(response.status().is_success(), "{method} {path} was answered {}", response.status());
    }
    Ok(())
}
