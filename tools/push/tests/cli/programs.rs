//! The help, `push token` and `push completions`

use e2e::service::Method;
use serde_json::json;

use crate::helpers::{push, service, shell, text};
use crate::stub::{Answer, Stub};

const SECRET: &str = "0123456789abcdef0123456789abcdef";

#[tokio::test]
async fn the_help_has_every_exit_code() {
    for command in ["pub", "sub", "history", "top", "doctor"] {
        let ended = push(&[command, "--help"]).await;
        assert_eq!(ended.code, Some(0));
        for code in ["0  ", "1  ", "2  ", "3  ", "4  ", "5  ", "130"] {
            assert!(ended.stdout.contains(&format!("\n  {code}")), "{command}: {}", ended.stdout);
        }
    }
    assert_eq!(push(&["pub"]).await.code, Some(2));
    assert_eq!(push(&["sub", "--url", "localhost:8080"]).await.code, Some(2));
}

#[tokio::test]
async fn a_token_is_one_that_the_service_takes() {
    let service = service(Method::Sse, &["--jwt-secret", SECRET]).await;
    let url = service.url("");
    let ended =
        push(&["token", "--secret", SECRET, "--publish", "main", "--subscribe", "main,news", "--for", "1m"]).await;
    assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""), "{ended:?}");
    let token = ended.stdout.trim_end().to_owned();
    assert_eq!(push(&["pub", "main", "x", "--url", &url, "--token", &token]).await.code, Some(0));
    assert_eq!(push(&["pub", "news", "x", "--url", &url, "--token", &token]).await.code, Some(3));
    let with_variable = format!("PUSH_TOKEN={token} PUSH_URL={url} $PUSH history main news");
    let ended = shell(&with_variable).await;
    assert_eq!((ended.code, text(&ended.json()[0])), (Some(0), "x"), "{ended:?}");
    let ended = push(&["token", "--secret", "short"]).await;
    assert!(ended.code == Some(1) && ended.stderr.contains("32 bytes"), "{ended:?}");
}

#[tokio::test]
async fn a_token_file_without_a_token_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("token");
    let arguments = ["history", "--url", "http://127.0.0.1:9", "--token-file", file.to_str().unwrap()];
    let ended = push(&arguments).await;
    assert!(ended.code == Some(1) && ended.stderr.contains("cannot be read"), "{ended:?}");
    std::fs::write(&file, "\n").unwrap();
    let ended = push(&arguments).await;
    assert!(ended.code == Some(1) && ended.stderr.contains("it is empty"), "{ended:?}");
}

#[tokio::test]
async fn a_shell_completes_commands_and_flags() {
    let line = "source <($PUSH completions bash) && COMP_WORDS=(push su) && COMP_CWORD=1 && _push push su push && \
                echo \"${COMPREPLY[@]}\" && COMP_WORDS=(push sub --vi) && COMP_CWORD=2 && _push push --vi sub && \
                echo \"${COMPREPLY[@]}\"";
    let ended = shell(line).await;
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(0), "sub\n--via\n"), "{ended:?}");
    for other in ["zsh", "fish", "elvish", "powershell"] {
        let ended = push(&["completions", other]).await;
        assert!(ended.code == Some(0) && ended.stdout.contains("fail-on-gap"), "{ended:?}");
    }
    let ended = shell("$PUSH completions bash | true").await;
    assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""), "{ended:?}");
}

#[tokio::test]
async fn a_certificate_is_trusted_that_is_named() {
    let identity = testkit::tls::Identity::new();
    let flags = identity.flags();
    let certificate = identity.path("cert.pem");
    let certificate = certificate.to_str().unwrap();
    for method in Method::ALL {
        let service = service(method, &flags.each_ref().map(String::as_str)).await;
        let url = service.url("").replace("http:", "https:");
        let ended = push(&["pub", "main", "x", "--url", &url, "--ca", certificate]).await;
        assert_eq!(ended.code, Some(0), "{ended:?}");
        let ended = push(&["sub", "--since", "earliest", "--count", "1", "--url", &url, "--ca", certificate]).await;
        assert_eq!((ended.code, &ended.json()[0]["text"]), (Some(0), &json!("x")), "{ended:?}");
        let ended = push(&["history", "--url", &url, "--retry-for", "0"]).await;
        assert!(ended.code == Some(1) && ended.stderr.contains("certificate"), "{ended:?}");
    }
}

#[tokio::test]
async fn the_help_says_which_statuses_are_a_refusal() {
    let busy = [408, 425, 429, 500, 502, 503, 504];
    let list = busy.map(|status| status.to_string()).join(", ");
    let help = push(&["history", "--help"]).await.stdout;
    assert!(help.contains(&format!("(a status of 300 or above but {list})")), "{help}");
    for status in [300, 301, 307, 400, 401, 403, 404, 405, 410, 413, 422, 501, 505].into_iter().chain(busy) {
        let stub = Stub::start(move |_, _| Answer::error(status, "some_code", None)).await;
        let ended = push(&["history", "--url", &stub.url, "--retry-for", "0"]).await;
        let expected = if busy.contains(&status) { 1 } else { 3 };
        assert_eq!(ended.code, Some(expected), "{status}: {ended:?}");
    }
}
