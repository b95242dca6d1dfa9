//! All routes of a service.

use std::convert::Infallible;
use std::fmt;
use std::future::ready;
use std::sync::Arc;

use http::HeaderMap;
use warp::filters::BoxedFilter;
use warp::reply::Response;
use warp::{Filter, Rejection};

use super::method::MethodRoute;
use super::pages::Asset;
use super::route::Refused;
use super::{health, messages, metrics, openapi, pages, push_js, ticket};
use crate::app::App;
use crate::error::ApiError;

/// The routes of a service. Cloning makes another handle to the same ones.
#[derive(Clone)]
pub struct Routes(Arc<Table>);

struct Table {
    of_method: Vec<MethodRoute>,
    all: BoxedFilter<(Response,)>,
}

impl Routes {
    /// Puts together the routes of the service's own method and those that all services have: `/messages`, `/ticket`, `/livez`,
    /// `/readyz`, `/metrics` unless that is on a port of its own, push.js, the pages and their assets, and with a `description`
    /// `/openapi.json`, which describes all of them. `description` is the service's own part of that: a document of OpenAPI 3.1
    /// with the paths of `of_method`.
    ///
    /// # Panics
    /// When there is a description, and a route is described nowhere.
    pub fn new(app: &Arc<App>, of_method: Vec<MethodRoute>, assets: &[Asset], description: Option<&str>) -> Self {
        let assets = pages::assets(assets);
        let mut routes: Vec<_> = of_method.iter().map(MethodRoute::route).collect();
        routes.extend([messages::route(app), ticket::route(app)]);
        routes.extend(health::routes(app));
        if app.config.watch.admin_listen.is_none() {
            routes.push(metrics::route(app));
        }
        routes.push(push_js::newest());
        routes.extend(pages::routes(app, &assets));
        if let Some(description) = description {
            let declared: Vec<_> = routes.iter().map(|route| route.declared).collect();
            routes.push(openapi::route(&openapi::describe(&declared, description, &assets)));
        }
        // Its path is in the answer for the newest one, and in no description.
        routes.push(push_js::version());

        let nothing = warp::any().and_then(|| ready(Err::<Response, Rejection>(warp::reject::not_found()))).boxed();
        // The first route that takes a request has it.
        let all = routes.into_iter().rev().fold(nothing, |all, route| route.filter.or(all).unify().boxed());
        Self(Arc::new(Table { of_method, all: all.recover(recover).unify().boxed() }))
    }

    /// The routes of the service's own method.
    pub(crate) fn of_method(&self) -> &[MethodRoute] {
        &self.0.of_method
    }

    /// Returns whether a GET or HEAD of `path` is answered by the method's own handler even when the service is full.
    pub(crate) fn takes_when_full(&self, path: &str, headers: &HeaderMap) -> bool {
        self.0.of_method.iter().any(|route| route.path() == path && route.takes_when_full(headers))
    }

    /// Every route, for warp.
    pub(crate) fn all(&self) -> BoxedFilter<(Response,)> {
        self.0.all.clone()
    }
}

/// Answers where no route does.
async fn recover(rejection: Rejection) -> Result<Response, Infallible> {
    Ok(match rejection.find::<Refused>() {
        Some(Refused(error)) => error.reply().into(),
        None => ApiError::NotFound.reply().into(),
    })
}

impl fmt::Debug for Routes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Routes").field("of_method", &self.0.of_method).finish_non_exhaustive()
    }
}
