//! One probe of a component: within its time, whatever the peer does, and with an answer in words.
//!
//! Each kind is a file: `http`, `postgres`, `redis`; of TCP the connection is all. `reach` brings a probe there, `broken`
//! says why it did not succeed. Knows nothing of schedules and of events.

mod broken;
pub(crate) mod fuzzing;
mod http;
mod postgres;
mod reach;
mod redis;

pub use broken::Broken;
pub use reach::TlsError;

pub(super) use reach::trusting_the_system;

use super::target::{Question, Target};
use reach::{Bounded, Place};
use std::time::Duration;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    time::{Instant, timeout_at},
};
use tokio_rustls::TlsConnector;

/// What a probe goes through: one of [`Bounded`] or TLS over it.
trait Connection: AsyncRead + AsyncWrite + Unpin + Send + 'static {}

impl<S: AsyncRead + AsyncWrite + Unpin + Send + 'static> Connection for S {}

/// Asks one component, again and again; one probe at a time.
#[derive(Debug)]
pub(super) struct Prober {
    place: Place,
    question: Question,
    /// Where TLS is spoken.
    tls: Option<Tls>,
    timeout: Duration,
}

/// As the library has no `Debug` for it.
struct Tls(TlsConnector);

impl std::fmt::Debug for Tls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Tls")
    }
}

impl Prober {
    /// `tls` is there when the target is secure.
    pub(super) fn new(target: Target, tls: Option<TlsConnector>, timeout: Duration) -> Self {
        let place = Place::new(&target.host, target.port);
        Self { place, question: target.question, tls: tls.filter(|_| target.secure).map(Tls), timeout }
    }

    /// Asks once; how long the answer took when it is well.
    pub(super) async fn ask(&self) -> Result<Duration, Broken> {
        let begun = Instant::now();
        let deadline = begun + self.timeout;
        let connected = timeout_at(deadline, self.place.connect(self.timeout)).await;
        let stream = connected.unwrap_or(Err(Broken::NoConnection(self.timeout)))?;
        let answered = timeout_at(deadline, self.ask_over(Bounded::new(stream))).await;
        answered.unwrap_or(Err(Broken::NoAnswer(self.timeout)))?;
        Ok(begun.elapsed())
    }

    async fn ask_over(&self, stream: impl Connection) -> Result<(), Broken> {
        match &self.tls {
            // Boxed, as the handshake and either kind of stream are large.
            Some(Tls(tls)) => Box::pin(async { self.exchange(self.place.secure(tls, stream).await?).await }).await,
            None => Box::pin(self.exchange(stream)).await,
        }
    }

    async fn exchange(&self, stream: impl Connection) -> Result<(), Broken> {
        match &self.question {
            Question::Tcp => Ok(()),
            Question::Http { path, host, authorization, expect } => {
                let status = http::get(stream, host, path, authorization.as_ref()).await?;
                if status == *expect { Ok(()) } else { Err(Broken::Status { status, expected: *expect }) }
            }
            Question::Postgres { user, password, database } => {
                postgres::select_1(stream, user, password.as_ref(), database.as_deref()).await
            }
            Question::Redis { user, password, database } => {
                redis::ping(stream, user.as_deref(), password.as_ref(), *database).await
            }
        }
    }

    /// What it does when all is well, as a verb and an object.
    pub(super) fn answers(&self) -> String {
        match &self.question {
            Question::Tcp => "takes connections".to_owned(),
            Question::Http { expect, .. } => format!("answers {expect}"),
            Question::Postgres { .. } => "answers SELECT 1".to_owned(),
            Question::Redis { .. } => "answers PING".to_owned(),
        }
    }
}
