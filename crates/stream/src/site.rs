//! The page: static files with the right types, pre-compressed where there is a `.br` or `.gz`.
//!
//! An unknown path without a file's ending is the page itself; a missing file is missing, and so is a folder. Knows
//! nothing of events, nor of headers (`headers`).

use crate::problem::Refusal;
use axum::{Router, extract::Request, http::StatusCode, response::IntoResponse, routing::get_service};
use std::path::Path;
use tower::ServiceExt;
use tower_http::services::{ServeDir, ServeFile};

/// The site in `folder`, as the router's fallback.
pub(crate) fn router(folder: &Path) -> Router {
    let page = ServeFile::new(folder.join("index.html")).precompressed_br().precompressed_gzip();
    // A folder is no page: it would be answered with a way to its slash, which of `//name` leads to another host.
    let files = ServeDir::new(folder).append_index_html_on_directories(false);
    let files = files.precompressed_br().precompressed_gzip().fallback(tower::service_fn(move |request: Request| {
        let page = page.clone();
        async move {
            let path = request.uri().path();
            let last = path.rsplit('/').next().unwrap_or_default();
            // What lies under /assets/ is cached for a year: the page must never be its answer.
            if last.contains('.') || path.trim_start_matches('/').starts_with("assets") {
                let missing = Refusal::new(StatusCode::NOT_FOUND, "the site has no such file");
                return Ok(missing.into_response());
            }
            page.oneshot(request).await.map(IntoResponse::into_response)
        }
    }));
    Router::new().fallback_service(get_service(files))
}
