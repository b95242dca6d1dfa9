//! `/openapi.json`: the routes of the service, described for programs (OpenAPI 3.1).

use bytes::Bytes;
use http::StatusCode;
use http::header::CACHE_CONTROL;
use serde_json::{Map, Value, json};
use warp::Filter;

use super::json::answer;
use super::pages::Asset;
use super::route::{Declared, Route, Upgrade};
use crate::reply::{Body, Reply};

/// The path of the description.
pub(super) const PATH: &str = "/openapi.json";

/// The methods of the description.
pub(super) const METHODS: &str = "GET, HEAD";

/// The parts that all services have.
const COMMON: [&str; 2] =
    [include_str!("../../assets/openapi/document.json"), include_str!("../../assets/openapi/components.json")];

/// The route with the description of the routes that are there.
pub(super) fn route(description: &Value) -> Route {
    let text = Bytes::from(description.to_string());
    Route::new(PATH, METHODS, Upgrade::Refused, |requests| {
        requests
            .map(move |_| {
                let body = Body::from_iter([text.clone()]);
                // A new version of the service has another one.
                answer(Ok(Reply::json(StatusCode::OK, body).with(CACHE_CONTROL, "no-cache")))
            })
            .boxed()
    })
}

/// Puts the description together: the parts of all services, the part of this one, and the files of the pages, as far as these
/// routes are there. Every GET has its HEAD.
///
/// # Panics
/// When a part is no object of JSON, or a route is not described.
pub(super) fn describe(routes: &[Declared], of_service: &str, assets: &[Asset]) -> Value {
    let mut description = Map::new();
    for part in COMMON.into_iter().chain([of_service]) {
        merge(&mut description, serde_json::from_str(part).expect("a part of the description is an object of JSON"));
    }
    let mut described = match description.remove("paths") {
        Some(Value::Object(paths)) => paths,
        _ => Map::new(),
    };
    for asset in assets {
        described.entry(asset.path).or_insert_with(|| file(asset));
    }
    let mut paths = Map::new();
    for Declared { path, methods } in routes.iter().copied().chain([Declared { path: PATH, methods: METHODS }]) {
        let mut item = described.get(path).and_then(Value::as_object).cloned().unwrap_or_default();
        for method in methods.split(", ").filter(|method| *method != "HEAD") {
            let method = method.to_ascii_lowercase();
            assert!(item.contains_key(&method), "{method} {path} is not described: add it to assets/openapi");
        }
        if let Some(head) = item.get("get").map(|get| head_of(get, &description)) {
            item.insert("head".to_owned(), head);
        }
        paths.insert(path.to_owned(), item.into());
    }
    description.insert("paths".to_owned(), paths.into());
    description["info"]["version"] = env!("CARGO_PKG_VERSION").into();
    description.into()
}

/// Adds the members of an object to another one. Objects that both have are merged, and other values replaced.
fn merge(into: &mut Map<String, Value>, from: Map<String, Value>) {
    for (name, value) in from {
        match (into.get_mut(&name), value) {
            (Some(Value::Object(into)), Value::Object(from)) => merge(into, from),
            (_, value) => {
                into.insert(name, value);
            }
        }
    }
}

/// Describes a file of the pages.
fn file(asset: &Asset) -> Value {
    let response = |name| json!({ "$ref": format!("#/components/responses/{name}") });
    let kind = asset.content_type().split(';').next().unwrap_or_default();
    json!({
        "get": {
            "operationId": format!("file{}", asset.path.replace(|c: char| !c.is_ascii_alphanumeric(), "_")),
            "tags": ["pages"],
            "summary": "Read a file of the pages",
            "security": [],
            "responses": {
                "200": {
                    "description": "The file.",
                    "headers": { "Cache-Control": { "$ref": "#/components/headers/NoCache" } },
                    "content": { kind: { "schema": { "type": "string" } } },
                },
                "400": response("BadRequest"),
                "403": response("OriginNotAllowed"),
                "431": response("HeadTooLarge"),
                "503": response("Full"),
            },
        },
    })
}

/// Describes the HEAD of a GET: the same without bodies, and without upgrades.
fn head_of(get: &Value, description: &Map<String, Value>) -> Value {
    let mut head = get.clone();
    head["operationId"] = format!("{}Head", get["operationId"].as_str().unwrap_or_default()).into();
    head["summary"] = "Ask for the head of the answer to GET".into();
    let Some(head) = head.as_object_mut() else { return head };
    head.remove("description");
    if let Some(Value::Object(responses)) = head.get_mut("responses") {
        responses.remove("101");
        for response in responses.values_mut() {
            let shared = response["$ref"].as_str().and_then(|path| path.rsplit('/').next());
            if let Some(name) = shared {
                *response = description["components"]["responses"][name].clone();
            }
            if let Some(response) = response.as_object_mut() {
                response.remove("content");
            }
        }
    }
    Value::Object(std::mem::take(head))
}

#[cfg(test)]
mod tests {
    use super::*;

    const OWN: &str = r##"{ "info": { "title": "one" }, "paths": { "/own": { "get": {
        "operationId": "own", "description": "…", "responses": { "101": {}, "200": { "content": {} },
        "503": { "$ref": "#/components/responses/Full" } } } } } }"##;

    fn declared(path: &'static str, methods: &'static str) -> Declared {
        Declared { path, methods }
    }

    #[test]
    fn the_routes_that_are_there_are_described_and_no_others() {
        let asset = Asset { path: "/page.js", content: "" };
        let routes = [
            declared("/own", "GET, HEAD"),
            declared("/messages", "GET, HEAD, POST"),
            declared("/page.js", "GET, HEAD"),
        ];
        let description = describe(&routes, OWN, &[asset]);
        let paths = description["paths"].as_object().unwrap();
        assert_eq!(paths.keys().collect::<Vec<_>>(), ["/messages", "/openapi.json", "/own", "/page.js"]);
        assert_eq!(paths["/messages"].as_object().unwrap().keys().collect::<Vec<_>>(), ["get", "head", "post"]);
        assert_eq!(
            paths["/page.js"]["get"]["responses"]["200"]["content"]["text/javascript"]["schema"]["type"],
            "string"
        );
        assert_eq!((&description["info"]["title"], &description["openapi"]), (&json!("one"), &json!("3.1.0")));
    }

    #[test]
    fn a_head_has_neither_bodies_nor_an_upgrade() {
        let description = describe(&[declared("/own", "GET, HEAD")], OWN, &[]);
        let head = &description["paths"]["/own"]["head"];
        assert_eq!(head["operationId"], "ownHead");
        assert_eq!(head["responses"]["200"], json!({}));
        assert!(
            head["responses"]["503"]["headers"]["Retry-After"].is_object() && head["responses"].get("101").is_none()
        );
        assert!(head["responses"]["503"].get("content").is_none());
    }

    #[test]
    #[should_panic(expected = "post /own is not described")]
    fn a_route_that_is_described_nowhere_is_refused() {
        describe(&[declared("/own", "GET, HEAD, POST")], OWN, &[]);
    }
}
