//! Why a component is broken, in words that witnesses read.
//!
//! Nothing that a peer says is repeated: it may be anything, a password among it. Of what it says the kind is told.

use super::reach::Flood;
use rustix::io::Errno;
use rustls::CertificateError;
use std::{error::Error, io, time::Duration};

/// What is wrong with a component, as its last probe found it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Broken {
    /// Its name is known to nobody.
    #[error("its name is not found")]
    NotFound,
    /// No connection in time.
    #[error("no connection within {}", seconds(*.0))]
    NoConnection(Duration),
    /// No whole answer in time.
    #[error("no answer within {}", seconds(*.0))]
    NoAnswer(Duration),
    /// Nobody listens.
    #[error("refused the connection")]
    Refused,
    /// No way there.
    #[error("cannot be reached")]
    Unreachable,
    /// The connection was ended before the answer was.
    #[error("closed the connection before it answered")]
    Closed,
    /// Another status than the one that is well.
    #[error("answered {status}, not {expected}")]
    Status {
        /// What it answered.
        status: u16,
        /// What is well.
        expected: u16,
    },
    /// Bytes of another protocol.
    #[error("answered what is no {0}")]
    NotSpoken(&'static str),
    /// More than any answer has.
    #[error("answered without end")]
    Flood,
    /// An answer that says no.
    #[error("{0}")]
    Said(&'static str),
    /// An error of PostgreSQL that has no words here.
    #[error("answered with the error {0}")]
    SqlState(String),
    /// Its certificate is not one to trust.
    #[error("its certificate {0}")]
    Certificate(&'static str),
    /// Nothing could be asked, and nobody can tell whose fault it is.
    #[error("could not be asked: {0}")]
    NotAsked(io::ErrorKind),
    /// Nothing could be asked, for want of something on this side: the component has no part in it.
    #[error("could not be asked, since this stream {0}")]
    Lacking(&'static str),
}

impl Broken {
    /// Why a connection did not come about.
    pub(super) fn of_connecting(error: &io::Error) -> Self {
        if let Some(lacking) = Self::of_ours(error) {
            return lacking;
        }
        match error.kind() {
            io::ErrorKind::ConnectionRefused => Self::Refused,
            io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable | io::ErrorKind::TimedOut => {
                Self::Unreachable
            }
            io::ErrorKind::ConnectionReset | io::ErrorKind::ConnectionAborted => Self::Closed,
            kind => Self::NotAsked(kind),
        }
    }

    /// What this process lacks, where that is what the system says.
    pub(super) fn of_ours(error: &io::Error) -> Option<Self> {
        Some(Self::Lacking(match Errno::from_io_error(error)? {
            Errno::MFILE => "has as many files open as it may (ulimit -n)",
            Errno::NFILE => "is on a system that has as many files open as it can",
            Errno::NOMEM | Errno::NOBUFS => "is on a system that has no memory left for a connection",
            _ => return None,
        }))
    }

    /// Whether the component has no part in it.
    #[must_use]
    pub fn is_ours(&self) -> bool {
        matches!(self, Self::Lacking(_))
    }

    /// Why a connection did not last.
    pub(super) fn of_talking(error: &io::Error) -> Self {
        let inner = error.get_ref();
        if inner.is_some_and(|inner| inner.is::<Flood>()) {
            return Self::Flood;
        }
        match inner.and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
            Some(rustls::Error::InvalidCertificate(why)) => return Self::Certificate(distrust(why)),
            Some(rustls::Error::AlertReceived(_)) => return Self::Said("ended the TLS handshake"),
            Some(_) => return Self::NotSpoken("TLS"),
            None => {}
        }
        match error.kind() {
            io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionAborted
            | io::ErrorKind::BrokenPipe
            | io::ErrorKind::UnexpectedEof
            | io::ErrorKind::NotConnected => Self::Closed,
            io::ErrorKind::TimedOut | io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable => {
                Self::Unreachable
            }
            kind => Self::NotAsked(kind),
        }
    }

    /// The system's error that lies beneath a library's, where one does.
    pub(super) fn beneath(error: &(dyn Error + 'static)) -> Option<Self> {
        let mut cause = error.source();
        while let Some(inner) = cause {
            if let Some(error) = inner.downcast_ref::<io::Error>() {
                return Some(Self::of_talking(error));
            }
            cause = inner.source();
        }
        None
    }
}

fn distrust(why: &CertificateError) -> &'static str {
    match why {
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => "has expired",
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => "is not valid yet",
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => "is for another name",
        CertificateError::UnknownIssuer => "is of an issuer that is not trusted",
        CertificateError::Revoked => "is revoked",
        _ => "is not valid",
    }
}

fn seconds(duration: Duration) -> String {
    format!("{} s", duration.as_secs())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_this_process_lacks_is_nobody_elses_fault() {
        for errno in [Errno::MFILE, Errno::NFILE, Errno::NOMEM, Errno::NOBUFS] {
            let broken = Broken::of_connecting(&io::Error::from(errno));
            assert!(broken.is_ours() && broken.to_string().contains("this stream"), "{broken}");
        }
        for errno in [Errno::CONNREFUSED, Errno::HOSTUNREACH, Errno::TIMEDOUT, Errno::ADDRNOTAVAIL] {
            assert!(!Broken::of_connecting(&io::Error::from(errno)).is_ours(), "{errno}");
        }
    }
}
