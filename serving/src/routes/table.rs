//! All routes of a service.

use std::convert::Infallible;
use std::fmt;
use std::sync::Arc;

use http::HeaderMap;
use warp::filters::BoxedFilter;
use warp::reply::Response;
use warp::{Filter, Rejection};

use super::method::MethodRoute;
use super::pages::Asset;
use super::route::Refused;
use super::{health, messages, metrics, pages, push_js, ticket};
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
    /// `/readyz`, `/metrics` unless that is on a port of its own, push.js, the pages and their assets.
    pub fn new(app: &Arc<App>, of_method: Vec<MethodRoute>, assets: &[Asset]) -> Self {
        let common = messages::routes(app).or(ticket::routes(app)).unify().or(health::routes(app)).unify();
        let common = match app.config.watch.admin_listen {
            None => common.or(metrics::routes(app)).unify().boxed(),
            Some(_) => common.boxed(),
        };
        let common = common.or(push_js::routes()).unify().or(pages::routes(app, assets)).unify().boxed();
        // The first route that takes a request has it.
        let all = of_method.iter().rev().fold(common, |all, route| route.filter().or(all).unify().boxed());
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
