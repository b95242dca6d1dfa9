//! The trait of all backplanes.

use std::fmt;
use std::sync::Arc;

use futures_util::future::BoxFuture;

use super::error::{Fatal, NotReady, PublishError};
use super::figure::Figure;
use super::publication::{Publication, Receipt};
use crate::cursor::Cursor;

/// The order of messages, as the services use it.
pub trait Backplane: fmt::Debug + Send + Sync + 'static {
    /// Appends messages to the history, for good.
    fn publish(&self, publication: Publication) -> BoxFuture<'_, Result<Receipt, PublishError>>;

    /// Returns the reason as an error when this process does less than it could: it may not have the newest messages, or
    /// cannot publish.
    fn ready(&self) -> Result<(), NotReady>;

    /// Returns the reason as an error when nothing can be published now.
    fn publishable(&self) -> Result<(), NotReady> {
        Ok(())
    }

    /// Returns the reason as an error as long as the history is not known, so that no client can get a position in it.
    fn known(&self) -> Result<(), NotReady> {
        Ok(())
    }

    /// Finds out whether a cursor that the hub does not know is of this history all the same, because another process has
    /// come further with it, and extends the horizon of the hub. The error is the reason why that cannot be found out now.
    /// `None` where the hub knows every cursor of its history.
    fn locate(&self, _cursor: Cursor) -> Option<BoxFuture<'_, Result<(), NotReady>>> {
        None
    }

    /// Returns whether other processes share the history.
    fn is_shared(&self) -> bool {
        false
    }

    /// The figures of the backplane at this moment, for those who run the service. Asking for them waits for nothing.
    fn figures(&self) -> Vec<Figure> {
        Vec::new()
    }

    /// Does the backplane's own work for as long as it is polled. Ends only when the process has to end, with the reason.
    fn run(self: Arc<Self>) -> BoxFuture<'static, Fatal>;
}
