//! The flags that say where a service is, and who asks.

use std::path::PathBuf;
use std::sync::Once;
use std::time::Duration;

use clap::{Args, ValueEnum};
use reqwest::{Certificate, Client, Url, redirect};
use rustls::crypto::ring;

use super::credential::Credential;
use super::service::Service;
use super::trouble::Trouble;
use crate::exit::{Exit, Outcome};

/// The longest time to connect.
const CONNECT: Duration = Duration::from_secs(10);

/// The longest time in which one of several services has to say that it is there.
const CHOICE: Duration = Duration::from_secs(3);

/// A method by which messages come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Method {
    /// WebSocket
    Ws,
    /// Server-Sent Events
    Sse,
    /// Long polling
    Poll,
}

impl Method {
    /// All of them, the best one first.
    pub(crate) const ALL: [Self; 3] = [Self::Ws, Self::Sse, Self::Poll];

    /// Returns the base URL of the service with this method, as it is started without flags.
    pub(crate) fn usual_url(self) -> &'static str {
        match self {
            Self::Ws => "http://localhost:8080",
            Self::Sse => "http://localhost:3001",
            Self::Poll => "http://localhost:3000",
        }
    }

    /// Returns the method's name for people.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Ws => "WebSocket",
            Self::Sse => "Server-Sent Events",
            Self::Poll => "long polling",
        }
    }
}

/// Where the service is, and who asks
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Connection")]
pub(crate) struct Options {
    /// The base URL of a service, or of a proxy in front of several; without it, the three services on this machine:
    /// http://localhost:8080 (WebSocket), :3001 (Server-Sent Events), :3000 (long polling)
    #[arg(long, env = "PUSH_URL", value_name = "URL", value_parser = base_url)]
    url: Option<Url>,
    #[command(flatten)]
    identity: Identity,
}

/// Who asks, and whom to trust
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Connection")]
pub(crate) struct Identity {
    /// The token for a service that is closed; see `push token`
    #[arg(long, env = "PUSH_TOKEN", value_name = "TOKEN", hide_env_values = true)]
    token: Option<String>,
    /// A file with the token, read again for each connection; it counts before --token
    #[arg(long, env = "PUSH_TOKEN_FILE", value_name = "FILE")]
    token_file: Option<PathBuf>,
    /// A file (PEM) with the certificates to trust, in place of those of the system
    #[arg(long, env = "PUSH_CA", value_name = "FILE")]
    ca: Option<PathBuf>,
}

impl Options {
    /// Returns whether every method is asked of the one URL that was named.
    pub(crate) fn is_one_service(&self) -> bool {
        self.url.is_some()
    }

    /// Returns the service that serves a method.
    pub(crate) fn service(&self, method: Method) -> Outcome<Service> {
        match &self.url {
            Some(url) => self.identity.service(url.clone()),
            None => self.identity.service(base_url(method.usual_url()).map_err(Exit::Failed)?),
        }
    }

    /// Returns the service that is named, or else the first of the usual ones that is there.
    pub(crate) async fn any_service(&self) -> Outcome<Result<Service, Trouble>> {
        if self.url.is_some() {
            return Ok(Ok(self.service(Method::Ws)?));
        }
        let mut last = Trouble::Unreachable(String::new());
        for method in Method::ALL {
            let service = self.service(method)?;
            match service.answers(CHOICE).await {
                Ok(()) => return Ok(Ok(service)),
                Err(trouble) => last = trouble,
            }
        }
        let urls = Method::ALL.map(Method::usual_url).join(", ");
        Ok(Err(Trouble::Unreachable(format!("no service is at {urls}; name one with --url ({last})"))))
    }
}

impl Identity {
    /// Returns the service at a URL.
    pub(crate) fn service(&self, base: Url) -> Outcome<Service> {
        let credential = match (&self.token_file, &self.token) {
            (Some(file), _) => Credential::File(file.clone()),
            (None, Some(token)) => Credential::Token(token.clone()),
            (None, None) => Credential::None,
        };
        credential.token().map_err(Exit::Failed)?;
        Ok(Service::new(self.client(&base)?, base, credential))
    }

    fn client(&self, base: &Url) -> Outcome<Client> {
        // reqwest takes the cryptography that the process has chosen.
        static CHOSEN: Once = Once::new();
        CHOSEN.call_once(|| drop(ring::default_provider().install_default()));
        let builder = Client::builder()
            .user_agent(concat!("push/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(CONNECT)
            // An upgrade to a WebSocket is one of HTTP/1.1.
            .http1_only()
            // A publication that is redirected would become a GET.
            .redirect(redirect::Policy::none());
        let builder = match &self.ca {
            Some(file) => builder.tls_certs_only(certificates(file)?),
            // To read those of the system takes a while.
            None if base.scheme() == "http" => builder.tls_certs_only([]),
            None => builder,
        };
        builder
            .build()
            .map_err(|error| Exit::Failed(format!("the HTTP client cannot be set up: {}", super::chain(&error))))
    }
}

fn certificates(file: &PathBuf) -> Outcome<Vec<Certificate>> {
    let failed = |reason: &dyn std::fmt::Display| Exit::Failed(format!("--ca {}: {reason}", file.display()));
    let pem = std::fs::read(file).map_err(|error| failed(&error))?;
    let certificates = Certificate::from_pem_bundle(&pem).map_err(|error| failed(&error))?;
    if certificates.is_empty() {
        return Err(failed(&"there is no CERTIFICATE in it"));
    }
    Ok(certificates)
}

/// Parses a base URL, such as `https://push.example.org` or `http://localhost:3001/prefix`.
pub(crate) fn base_url(text: &str) -> Result<Url, String> {
    let example = "write a URL such as http://localhost:3001 or https://push.example.org";
    let url = Url::parse(text).map_err(|error| format!("{error}; {example}"))?;
    match url.scheme() {
        "http" | "https" if url.query().is_none() && url.fragment().is_none() => Ok(url),
        "http" | "https" => Err(format!("a base URL has no query and no fragment; {example}")),
        "ws" | "wss" => Err("write http or https in place of ws or wss".to_owned()),
        _ => Err(example.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_base_url_is_one_of_http() {
        for good in ["http://localhost:3001", "https://example.org/push/"] {
            assert!(base_url(good).is_ok(), "{good}");
        }
        for bad in ["", "localhost:3001", "ws://localhost:8080", "ftp://a", "http://a/?b=c", "http://a/#b"] {
            assert!(base_url(bad).is_err(), "{bad}");
        }
    }
}
