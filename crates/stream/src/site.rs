//! The page: static files with the right types, pre-compressed where there is a `.br` or `.gz`.
//!
//! Owns what of it a first visit loads. An unknown path without a file's ending is the page itself; a missing file is missing, and so is a folder. Knows
//! nothing of events, nor of headers (`headers`).

use crate::problem::Refusal;
use axum::{Router, extract::Request, http::StatusCode, response::IntoResponse, routing::get_service};
use std::path::Path;
use tower::ServiceExt;
use tower_http::services::{ServeDir, ServeFile};

/// Files that no first visit loads; the snapshot is asked for when no stream answers.
const NOT_LOADED: [&str; 3] = ["404.html", "robots.txt", "snapshot.json"];
/// Most files and folders that are measured: a site has some dozens.
const MEASURED_MAX: usize = 10_000;

/// How many bytes a first visit loads: all files but those that nobody's page asks for, each as it goes to a browser that
/// takes gzip. `cargo xtask budget` counts the same files.
pub(crate) fn first_visit_bytes(folder: &Path) -> i64 {
    let mut folders = vec![folder.to_owned()];
    let (mut bytes, mut seen) = (0_u64, 0);
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).into_iter().flatten().flatten() {
            seen += 1;
            if seen > MEASURED_MAX {
                tracing::warn!(files = MEASURED_MAX, "the site has more files than are measured");
                return 0;
            }
            // A folder behind a link might be one that this one is in.
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                folders.push(entry.path());
            } else {
                bytes = bytes.saturating_add(travelling_bytes(&entry.path()));
            }
        }
    }
    i64::try_from(bytes).unwrap_or(i64::MAX)
}

/// How many bytes of `file` travel; none of one that is a copy, or that no first visit loads.
fn travelling_bytes(file: &Path) -> u64 {
    let is_copy = ["gz", "br"].iter().any(|end| file.extension().is_some_and(|own| own == *end))
        && file.with_extension("").is_file();
    if is_copy || NOT_LOADED.iter().any(|name| file.ends_with(name)) {
        return 0;
    }
    let mut copy = file.as_os_str().to_owned();
    copy.push(".gz");
    let size = |path: &Path| std::fs::metadata(path).ok().filter(std::fs::Metadata::is_file).map(|file| file.len());
    size(Path::new(&copy)).or_else(|| size(file)).unwrap_or_default()
}

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
