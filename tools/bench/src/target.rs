//! The description of a server: its paths, how a client resumes, how messages are published. It is read from a TOML file,
//! those of this repository included, so that the same clients measure all servers.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, bail};
use clap::ValueEnum;
use serde::{Deserialize, Serialize};

use crate::history::History;

/// The description of this repository's services.
const PUSH: &str = include_str!("../targets/push.toml");

/// The description of the yardstick, which is a command of this program.
const LIMIT: &str = include_str!("../targets/limit.toml");

/// The method by which messages reach a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Method {
    /// WebSocket
    Ws,
    /// Long polling
    Poll,
    /// Server-Sent Events
    Sse,
}

impl Method {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Ws, Self::Poll, Self::Sse];

    /// Its name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ws => "ws",
            Self::Poll => "poll",
            Self::Sse => "sse",
        }
    }

    /// The service of this repository that has this method.
    pub fn service(self) -> &'static str {
        match self {
            Self::Ws => "ws-echo",
            Self::Poll => "longpoll-server",
            Self::Sse => "sse-server",
        }
    }
}

/// A description of a server. Placeholders are filled in: `{topic}` and `{wait}` in paths; `{port}`, `{here}` (the
/// description's folder), `{work}` (an empty folder for the measurement), `{bench}` (this program), `{heartbeat}` and
/// `{hold}` (in seconds) in commands and files.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Target {
    /// Its name in the results.
    pub name: String,
    /// A command that prints its version.
    #[serde(default)]
    pub version: Vec<String>,
    /// The command that starts it, for every method that has none of its own. It has to stay in the foreground.
    #[serde(default)]
    pub start: Vec<String>,
    /// Files beside the description that are copied to `{work}` before the start, with the placeholders filled in.
    #[serde(default)]
    pub files: Vec<String>,
    /// Files that have to be beside the description, such as packages.
    #[serde(default)]
    pub needs: Vec<String>,
    /// The instructions if they are not.
    #[serde(default)]
    pub hint: String,
    /// The value of `{topic}` for all topics of a run; `{run}` is their common beginning. None: a client follows one
    /// topic.
    pub wildcard: Option<String>,
    /// The way to publish.
    pub publish: Publish,
    /// The way to read a topic's history, if there is one.
    pub history: Option<History>,
    /// WebSocket.
    pub ws: Option<Route>,
    /// Long polling.
    pub poll: Option<Route>,
    /// Server-Sent Events.
    pub sse: Option<Route>,
    /// A WebSocket that sends back what it receives.
    pub echo: Option<Route>,
    /// The folder of the description.
    #[serde(skip)]
    here: PathBuf,
}

/// Publishing: by a `POST` whose body is the text.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Publish {
    /// The path, with its query.
    pub path: String,
    /// The answer is JSON with the message's cursor in `id`.
    #[serde(default)]
    pub places: bool,
    /// The method of a request to the path that has to come once before the first publication, if there is one.
    pub create: Option<String>,
}

/// Following by one method.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Route {
    /// The path, with its query.
    pub path: String,
    /// The way in which a client that reconnects gives its position.
    #[serde(default)]
    pub resume: Resume,
    /// The position that it gives the first time.
    pub first: Option<String>,
    /// The form of messages.
    #[serde(default)]
    pub form: Form,
    /// For a poll: the path, with its query, of one that is answered at once.
    pub at_once: Option<String>,
    /// The command that starts the server for this method.
    #[serde(default)]
    pub start: Vec<String>,
    /// Flags for the service, if it is one of this repository's.
    #[serde(default)]
    pub flags: Vec<String>,
}

/// The way in which a client that reconnects gives its position.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub enum Resume {
    /// `none`: it cannot.
    #[default]
    Nothing,
    /// `last-event-id`: by this header.
    LastEventId,
    /// `query:NAME`: by this parameter.
    Query(String),
    /// `validators`: by `If-Modified-Since` and `If-None-Match`, from `Last-Modified` and `Etag` of the last answer.
    Validators,
}

impl TryFrom<String> for Resume {
    type Error = anyhow::Error;

    fn try_from(text: String) -> anyhow::Result<Self> {
        match text.as_str() {
            "none" => Ok(Self::Nothing),
            "last-event-id" => Ok(Self::LastEventId),
            "validators" => Ok(Self::Validators),
            other => match other.strip_prefix("query:") {
                Some(name) if !name.is_empty() => Ok(Self::Query(name.to_owned())),
                _ => anyhow::bail!("resume is one of none, last-event-id, validators, query:NAME"),
            },
        }
    }
}

/// The form of messages.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Form {
    /// The form of docs/protocol.md, with positions and gaps.
    Push,
    /// The text alone.
    #[default]
    Text,
    /// Nchan's `ws+meta.nchan`: header lines, `id` among them, an empty line, the text.
    Meta,
}

impl Target {
    /// This repository's services.
    ///
    /// # Errors
    /// Fails when the description that is built in is not one.
    pub fn push() -> anyhow::Result<Self> {
        Self::parse(PUSH)
    }

    /// The yardstick.
    ///
    /// # Errors
    /// Fails when the description that is built in is not one.
    pub fn limit() -> anyhow::Result<Self> {
        Self::parse(LIMIT)
    }

    /// Reads a description.
    ///
    /// # Errors
    /// Fails when it cannot be read or is not one.
    pub fn read(path: &Path) -> anyhow::Result<Self> {
        let text = fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))?;
        let mut target = Self::parse(&text).with_context(|| format!("in {}", path.display()))?;
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        target.here = folder.canonicalize().context("the folder of the description")?;
        Ok(target)
    }

    fn parse(text: &str) -> anyhow::Result<Self> {
        Ok(toml_edit::de::from_str(text)?)
    }

    /// The folder of the description.
    pub(crate) fn here(&self) -> &Path {
        &self.here
    }

    /// Returns the route of a method.
    ///
    /// # Errors
    /// Fails when the server does not have the method.
    pub fn route(&self, method: Method) -> anyhow::Result<&Route> {
        let route = match method {
            Method::Ws => &self.ws,
            Method::Poll => &self.poll,
            Method::Sse => &self.sse,
        };
        match route {
            Some(route) => Ok(route),
            None => bail!("{} does not have the method {}", self.name, method.name()),
        }
    }

    /// The methods that it has.
    pub fn methods(&self) -> Vec<Method> {
        Method::ALL.into_iter().filter(|&method| self.route(method).is_ok()).collect()
    }

    /// The version that the server prints; this repository's services have the version of this program.
    pub(crate) fn version(&self) -> String {
        let Some((program, arguments)) = self.version.split_first() else {
            return env!("CARGO_PKG_VERSION").to_owned();
        };
        let here = self.here.to_string_lossy();
        let arguments = arguments.iter().map(|argument| argument.replace("{here}", &here));
        match Command::new(program).args(arguments).output() {
            Ok(output) => String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).trim().to_owned(),
            Err(_) => "unknown".to_owned(),
        }
    }

    /// Returns whether it has topics.
    pub(crate) fn has_topics(&self) -> bool {
        self.publish.path.contains("{topic}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_description_here_can_be_read() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("targets");
        assert_eq!(Target::push().unwrap().methods(), Method::ALL);
        for name in ["push.toml", "limit.toml", "nchan/nchan.toml", "node/node.toml", "seed/seed.toml"] {
            let target = Target::read(&folder.join(name)).unwrap();
            assert_eq!(target.methods(), Method::ALL, "{name}");
        }
        let target = Target::read(&folder.join("durable-streams/durable-streams.toml")).unwrap();
        assert!(target.methods().is_empty() && target.history.is_some());
        let target = Target::read(&folder.join("uwebsockets/uwebsockets.toml")).unwrap();
        assert_eq!(target.methods(), [Method::Ws]);
        assert!(target.echo.is_some());
    }

    #[test]
    fn ways_to_resume_are_named() {
        assert_eq!(Resume::try_from("query:since".to_owned()).unwrap(), Resume::Query("since".to_owned()));
        for bad in ["", "query:", "query", "cookie"] {
            assert!(Resume::try_from(bad.to_owned()).is_err(), "{bad}");
        }
    }
}
