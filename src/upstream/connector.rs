//! A connector whose whole set-up, TCP and TLS, has a bound: an endpoint that takes the connection and
//! says nothing must not hold a request for as long as a model may think.

use std::error::Error;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use http::Uri;
use tower::Service;

/// Bounds the connections of another connector.
#[derive(Debug, Clone)]
pub(super) struct BoundedConnector<C> {
    inner: C,
    limit: Duration,
}

impl<C> BoundedConnector<C> {
    pub(super) fn new(inner: C, limit: Duration) -> Self {
        BoundedConnector { inner, limit }
    }
}

type BoxError = Box<dyn Error + Send + Sync>;

impl<C> Service<Uri> for BoundedConnector<C>
where
    C: Service<Uri, Error = BoxError>,
    C::Response: Send,
    C::Future: Send + 'static,
{
    type Response = C::Response;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<C::Response, BoxError>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, address: Uri) -> Self::Future {
        let connecting = tokio::time::timeout(self.limit, self.inner.call(address));
        Box::pin(async move { connecting.await? })
    }
}
