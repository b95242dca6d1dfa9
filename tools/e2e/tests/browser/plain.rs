//! Clients as simple as possible, without cursors, topics or JSON frames.

use e2e::browser::Browser;
use e2e::service::{Method, Service};

/// Waits until the console has a text, and returns all its messages.
async fn until_logged(browser: &Browser, text: &str) -> anyhow::Result<Vec<String>> {
    let mut lines = Vec::new();
    let logged = async {
        loop {
            lines.extend(browser.log().await?.into_iter().map(|line| line.message));
            if lines.iter().any(|line| line.contains(text)) {
                return anyhow::Ok(());
            }
        }
    };
    match tokio::time::timeout(e2e::PATIENCE, logged).await {
        Ok(result) => result.map(|()| lines),
        Err(_) => anyhow::bail!("waited {:?} for {text} on the console: {lines:#?}", e2e::PATIENCE),
    }
}

/// A file with a page of a user's own, opened as a file.
struct OwnPage(std::path::PathBuf);

impl OwnPage {
    fn new(name: &str, content: &str) -> anyhow::Result<Self> {
        let file =
            std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}-{}.html", std::process::id()));
        std::fs::write(&file, content)?;
        Ok(Self(file))
    }

    fn url(&self) -> String {
        format!("file://{}", self.0.display())
    }
}

impl Drop for OwnPage {
    fn drop(&mut self) {
        // A file that remains in the build folder does no harm.
        let _ = std::fs::remove_file(&self.0);
    }
}

#[tokio::test]
async fn a_plain_websocket_is_answered() -> anyhow::Result<()> {
    let service = Service::started(Method::Ws, &["--tick=100ms"]).await?;
    let browser = Browser::start("en").await?;
    let page = r#"<!DOCTYPE html>
<html lang="en">

<head>
  <meta charset="UTF-8">
</head>

<body>
  <script>
    const ws = new WebSocket('ws://localhost:8080');

    ws.onopen = () => {
      console.log('连接已建立');
      ws.send('你好，服务器！');
    };

    ws.onmessage = (event) => {
      console.log(`收到服务器消息：${event.data}`);
    };

    ws.onclose = () => {
      console.log('连接已关闭');
    };
  </script>
</body>

</html>
"#;
    let page = OwnPage::new("websocket", &page.replace("8080", &service.address().port().to_string()))?;
    browser.open(&page.url()).await?;
    let lines = until_logged(&browser, "收到服务器消息：服务器回应：你好，服务器！").await?;
    assert!(lines[0].contains("连接已建立"), "{lines:#?}");
    // The echo sends nothing by itself: the simulated source is for the feed.
    browser.run("ws.send('')").await?;
    let lines = until_logged(&browser, "收到服务器消息：").await?;
    assert!(lines.len() == 1 && lines[0].ends_with("收到服务器消息：服务器回应：\""), "{lines:#?}");
    browser.run("ws.close()").await?;
    until_logged(&browser, "连接已关闭").await?;
    Ok(())
}

#[tokio::test]
async fn a_plain_event_source_is_sent_every_message() -> anyhow::Result<()> {
    let service = Service::started(Method::Sse, &[]).await?;
    let browser = Browser::start("en").await?;
    browser.open(&service.url("/livez")).await?;
    browser
        .run(
            r#"
            const eventSource = new EventSource("/events")

            eventSource.onmessage = (event) => {
              console.log("Received event:", event.data)
            }

            eventSource.onerror = (error) => {
              console.error("Error with SSE connection:", error)
            }

            window.opened = false
            eventSource.onopen = () => { window.opened = true }
            "#,
        )
        .await?;
    browser.until("window.opened").await?;
    service.publish("你好").await?;
    service.publish("two\nlines").await?;
    let lines = until_logged(&browser, "two").await?.join("\n");
    assert!(lines.contains(r#""Received event:" "你好""#) && !lines.contains("Error"), "{lines}");
    Ok(())
}

#[tokio::test]
async fn the_simulated_source_is_seen_on_every_service() -> anyhow::Result<()> {
    let browser = Browser::start("en").await?;
    for (method, client, text) in [
        (
            Method::Sse,
            "new EventSource('/events').onmessage = (event) => { window.got = event.data }",
            "^New message at \\\\d{2}:\\\\d{2}:\\\\d{2}$",
        ),
        (
            Method::Ws,
            "new WebSocket(`ws://${location.host}/feed`).onmessage = ({ data }) => { window.got = JSON.parse(data).text }",
            "^New message at \\\\d{2}:\\\\d{2}:\\\\d{2}$",
        ),
        (Method::Poll, "(async () => { window.got = (await (await fetch('/poll')).json()).text })()", "^New message$"),
    ] {
        let service = Service::started(method, &["--tick=200ms"]).await?;
        browser.open(&service.url("/livez")).await?;
        browser.run(client).await?;
        browser.until(&format!("new RegExp('{text}').test(window.got ?? '')")).await?;
    }
    Ok(())
}

/// Two clients that keep no cursor wait. Both receive the next message, and a message for which nobody waits is kept.
#[tokio::test]
async fn a_plain_poll_is_answered_with_the_next_message() -> anyhow::Result<()> {
    let service = Service::started(Method::Poll, &[]).await?;
    let browser = Browser::start("en").await?;
    browser.open(&service.url("/livez")).await?;
    service.publish("kept").await?;
    browser
        .run(
            "window.got = [];
            const poll = async (name) => {
              // Chromium sends the same request once at a time.
              const response = await fetch('/poll?_=' + name);
              got.push((await response.json()).text);
              poll(name);
            };
            poll('one');
            poll('another');",
        )
        .await?;
    browser.until("got.length === 1").await?;
    service.publish("next").await?;
    browser.until("got.length === 3").await?;
    assert_eq!(browser.value("got").await?, serde_json::json!(["kept", "next", "next"]));
    Ok(())
}
