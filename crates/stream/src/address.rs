//! Whose connection or request it is, by address: the peer's own, or the one that a trusted proxy tells.
//!
//! Owns which proxies are believed, what of their headers is believed, and what counts as one address. Knows nothing of
//! what is asked for, and nothing of how many may ask.
//!
//! Headers are anybody's to send. Only those of a trusted peer are read, and of those only what the outermost trusted
//! proxy wrote itself: the rightmost address that is no trusted proxy's. What stands left of it came with the request.

use crate::server::App;
use axum::{
    extract::FromRequestParts,
    http::{Extensions, HeaderMap, HeaderName, header, request::Parts},
};
use ipnet::IpNet;
use std::{
    convert::Infallible,
    net::{IpAddr, Ipv6Addr},
    str::FromStr,
    sync::Arc,
};

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
/// Bits of an IPv6 address that tell one subscriber line from another (RFC 6177): the rest is its own to choose.
const V6_LINE_BITS: u32 = 64;

/// What counts as one address: an IPv4 address, or the /64 of an IPv6 address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Client(IpAddr);

impl Client {
    pub(crate) fn new(address: IpAddr) -> Self {
        Self(match address.to_canonical() {
            IpAddr::V4(address) => IpAddr::V4(address),
            IpAddr::V6(address) => {
                IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & (u128::MAX << (128 - V6_LINE_BITS))))
            }
        })
    }

    /// Whose request it is.
    pub(crate) fn of(app: &App, extensions: &Extensions, headers: &HeaderMap) -> Self {
        let Peer(peer) = extensions.get().copied().expect("every connection names its peer to every request");
        Self::new(app.options.trusted_proxies.client(peer, headers))
    }
}

impl From<IpAddr> for Client {
    fn from(address: IpAddr) -> Self {
        Self::new(address)
    }
}

impl FromRequestParts<Arc<App>> for Client {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Infallible> {
        Ok(Self::of(app, &parts.extensions, &parts.headers))
    }
}

/// The other end of the connection that a request came by.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Peer(pub(crate) IpAddr);

/// A network of proxies that tell the truth about whom they speak for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrustedProxy(IpNet);

/// Text that names no network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TrustedProxyError {
    /// It is no address and no network.
    #[error("a proxy's network is 10.0.0.0/8 or fd00::/8, or the one address of a proxy")]
    NoNetwork,
    /// It is everybody.
    #[error("a network of all addresses would have anybody believed; name the proxies' own")]
    Everybody,
}

impl FromStr for TrustedProxy {
    type Err = TrustedProxyError;

    fn from_str(text: &str) -> Result<Self, TrustedProxyError> {
        let network = match text.parse::<IpNet>() {
            Ok(network) => network,
            Err(_) => IpNet::from(text.parse::<IpAddr>().map_err(|_| TrustedProxyError::NoNetwork)?),
        };
        let network = plain(network);
        if network.prefix_len() == 0 { Err(TrustedProxyError::Everybody) } else { Ok(Self(network)) }
    }
}

/// A network of IPv4 addresses written as IPv6 is that of the IPv4 addresses.
fn plain(network: IpNet) -> IpNet {
    let IpNet::V6(v6) = network else { return network };
    let (Some(address), Some(bits)) = (v6.addr().to_ipv4_mapped(), v6.prefix_len().checked_sub(96)) else {
        return network;
    };
    IpNet::new(address.into(), bits).unwrap_or(network)
}

/// The proxies whose word is taken. None: nobody's.
#[derive(Debug, Clone, Default)]
pub struct TrustedProxies(Vec<TrustedProxy>);

impl FromIterator<TrustedProxy> for TrustedProxies {
    fn from_iter<I: IntoIterator<Item = TrustedProxy>>(proxies: I) -> Self {
        Self(proxies.into_iter().collect())
    }
}

impl TrustedProxies {
    /// Whether `address` is a proxy's.
    pub(crate) fn hold(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.0.iter().any(|proxy| proxy.0.contains(&address))
    }

    /// For whom `peer` speaks; for itself, where it is not trusted or what it says is not clear.
    fn client(&self, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
        if !self.hold(peer) {
            return peer;
        }
        let listed = self.outermost(headers, &X_FORWARDED_FOR, listed);
        let forwarded = self.outermost(headers, &header::FORWARDED, forwarded);
        match (listed, forwarded) {
            (Said::Client(client), Said::Nothing) | (Said::Nothing, Said::Client(client)) => client,
            // A proxy writes one of the two and lets the other through as it came: who contradicts it stands with all who do.
            (Said::Client(one), Said::Client(other)) if Client::new(one) == Client::new(other) => one,
            _ => peer,
        }
    }

    /// What a header says, read from the right, where the nearest proxy has written.
    fn outermost(&self, headers: &HeaderMap, name: &HeaderName, read: fn(&str) -> Option<IpAddr>) -> Said {
        let mut said = Said::Nothing;
        for value in headers.get_all(name).iter().rev() {
            let Ok(value) = value.to_str() else { return said.unclear() };
            for element in value.rsplit(',').map(str::trim).filter(|element| !element.is_empty()) {
                let Some(address) = read(element) else { return said.unclear() };
                said = Said::Client(address);
                if !self.hold(address) {
                    return said;
                }
            }
        }
        said
    }
}

/// What a header says of whose request it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Said {
    /// It is not there.
    Nothing,
    /// This address, and perhaps that of a trusted proxy that asks for itself.
    Client(IpAddr),
    /// What the nearest proxy wrote is no address.
    Unclear,
}

impl Said {
    /// Behind this an element cannot be read: the proxy that wrote it is the last one known.
    fn unclear(self) -> Self {
        if self == Self::Nothing { Self::Unclear } else { self }
    }
}

/// An element of `X-Forwarded-For`: an address, and with some proxies a port.
fn listed(element: &str) -> Option<IpAddr> {
    let bare = match element.strip_prefix('[') {
        Some(rest) => rest.split_once(']')?.0,
        None => match element.split_once(':') {
            // One colon parts a port from an IPv4 address; an IPv6 address has more.
            Some((address, port)) if !port.contains(':') => address,
            _ => element,
        },
    };
    bare.parse::<IpAddr>().ok().map(|address| address.to_canonical())
}

/// The `for` of an element of `Forwarded` (RFC 7239, section 4).
fn forwarded(element: &str) -> Option<IpAddr> {
    let named = element.split(';').filter_map(|pair| pair.trim().split_once('='));
    let mut nodes = named.filter(|(name, _)| name.trim().eq_ignore_ascii_case("for"));
    let (Some((_, node)), None) = (nodes.next(), nodes.next()) else { return None };
    listed(node.trim().trim_matches('"'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn trusting(networks: &[&str]) -> TrustedProxies {
        networks.iter().map(|network| network.parse::<TrustedProxy>().expect("a network")).collect()
    }

    /// Whose request from `peer` with these headers is.
    fn whose(proxies: &TrustedProxies, peer: &str, headers: &[(&str, &str)]) -> String {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            let name: HeaderName = name.parse().expect("a name");
            map.append(name, value.parse().expect("a value"));
        }
        proxies.client(peer.parse().expect("an address"), &map).to_string()
    }

    #[test]
    fn nobody_is_believed_who_is_not_trusted() {
        let headers = [("x-forwarded-for", "192.0.2.1"), ("forwarded", "for=192.0.2.1")];
        assert_eq!(whose(&TrustedProxies::default(), "10.0.0.1", &headers), "10.0.0.1");
        assert_eq!(whose(&trusting(&["10.0.0.0/8"]), "11.0.0.1", &headers), "11.0.0.1");
    }

    #[test]
    fn the_rightmost_address_that_is_no_proxys_counts() {
        let proxies = trusting(&["10.0.0.0/8", "fd00::/8", "192.0.2.77"]);
        for (said, client) in [
            ("203.0.113.9", "203.0.113.9"),
            // What the client itself sent stands to the left.
            ("198.51.100.1, 203.0.113.9", "203.0.113.9"),
            ("10.0.0.7, 203.0.113.9", "203.0.113.9"),
            ("198.51.100.1, 203.0.113.9, 10.1.2.3 , fd00::5", "203.0.113.9"),
            ("203.0.113.9, 192.0.2.77", "203.0.113.9"),
            ("198.51.100.1,, 203.0.113.9,", "203.0.113.9"),
            ("nonsense, 203.0.113.9", "203.0.113.9"),
            ("::ffff:203.0.113.9", "203.0.113.9"),
            ("203.0.113.9, ::ffff:10.0.0.3", "203.0.113.9"),
            ("203.0.113.9:4711", "203.0.113.9"),
            ("[2001:db8::7]:443", "2001:db8::7"),
            ("2001:db8::7", "2001:db8::7"),
            // A proxy that asks for itself.
            ("10.0.0.3", "10.0.0.3"),
        ] {
            assert_eq!(whose(&proxies, "10.0.0.1", &[("x-forwarded-for", said)]), client, "{said}");
        }
        let lines = [("x-forwarded-for", "198.51.100.1"), ("x-forwarded-for", "203.0.113.9")];
        assert_eq!(whose(&proxies, "10.0.0.1", &lines), "203.0.113.9", "several lines are one list");
        assert_eq!(whose(&proxies, "::ffff:10.0.0.1", &lines), "203.0.113.9", "the peer may be written as IPv6");
    }

    #[test]
    fn what_a_proxy_says_in_the_standards_words_counts_too() {
        let proxies = trusting(&["10.0.0.0/8"]);
        for (said, client) in [
            ("for=203.0.113.9", "203.0.113.9"),
            ("For=\"203.0.113.9:4711\";proto=https;by=10.0.0.1", "203.0.113.9"),
            ("for=198.51.100.1, proto=http; for=\"[2001:db8:cafe::17]:4711\"", "2001:db8:cafe::17"),
            ("for=203.0.113.9, for=10.0.0.3", "203.0.113.9"),
        ] {
            assert_eq!(whose(&proxies, "10.0.0.1", &[("forwarded", said)]), client, "{said}");
        }
    }

    #[test]
    fn what_is_not_clear_counts_as_the_proxy() {
        let proxies = trusting(&["10.0.0.0/8"]);
        for headers in [
            vec![],
            vec![("x-forwarded-for", "")],
            vec![("x-forwarded-for", "203.0.113.9, unknown")],
            vec![("x-forwarded-for", "203.0.113.9, 1.2.3.4.5")],
            vec![("forwarded", "for=_hidden")],
            vec![("forwarded", "for=203.0.113.9, for=unknown")],
            vec![("forwarded", "for=203.0.113.9;for=203.0.113.10")],
            vec![("forwarded", "by=203.0.113.9")],
            // The proxy wrote one of them, and which one is not known.
            vec![("x-forwarded-for", "203.0.113.9"), ("forwarded", "for=198.51.100.1")],
            vec![("x-forwarded-for", "203.0.113.9"), ("forwarded", "for=unknown")],
        ] {
            assert_eq!(whose(&proxies, "10.0.0.1", &headers), "10.0.0.1", "{headers:?}");
        }
        let agreed = [("x-forwarded-for", "203.0.113.9"), ("forwarded", "for=203.0.113.9")];
        assert_eq!(whose(&proxies, "10.0.0.1", &agreed), "203.0.113.9");
    }

    #[test]
    fn an_ipv6_line_is_one_address_and_ipv4_is_one_however_written() {
        let client = |text: &str| Client::new(text.parse().expect("an address"));
        assert_eq!(client("2001:db8:0:1::1"), client("2001:db8:0:1:ffff:ffff:ffff:ffff"));
        assert_ne!(client("2001:db8:0:1::1"), client("2001:db8:0:2::1"));
        assert_eq!(client("::ffff:192.0.2.1"), client("192.0.2.1"));
        assert_ne!(client("192.0.2.1"), client("192.0.2.2"));
        assert_ne!(client("::ffff:192.0.2.1"), client("::ffff:192.0.2.2"), "not one /64 of all IPv4");
    }

    #[test]
    fn a_network_is_read_as_people_write_it_and_everybody_is_refused() {
        for text in ["10.0.0.0/8", "10.1.2.3/8", "127.0.0.1", "fd00::/8", "::1", "::ffff:10.0.0.0/104"] {
            assert!(text.parse::<TrustedProxy>().is_ok(), "{text}");
        }
        assert!(trusting(&["::ffff:10.0.0.0/104"]).hold([10, 9, 8, 7].into()));
        assert!(!trusting(&["::ffff:10.0.0.0/104"]).hold([11, 0, 0, 1].into()));
        for text in ["0.0.0.0/0", "::/0", "::ffff:0.0.0.0/96"] {
            assert_eq!(text.parse::<TrustedProxy>(), Err(TrustedProxyError::Everybody), "{text}");
        }
        for text in ["", "10.0.0.0/33", "10.0.0/8", "localhost", "10.0.0.0-10.0.0.9", "*"] {
            assert_eq!(text.parse::<TrustedProxy>(), Err(TrustedProxyError::NoNetwork), "{text}");
        }
    }

    proptest! {
        #[test]
        fn whatever_a_client_sends_the_address_that_the_proxy_wrote_counts(sent in "[ -~]{0,60}") {
            let proxies = trusting(&["10.0.0.0/8"]);
            let line = format!("{sent}, 203.0.113.9");
            prop_assert_eq!(whose(&proxies, "10.0.0.1", &[("x-forwarded-for", &line)]), "203.0.113.9");
            let before = [("x-forwarded-for", sent.as_str()), ("x-forwarded-for", "203.0.113.9")];
            prop_assert_eq!(whose(&proxies, "10.0.0.1", &before), "203.0.113.9");
        }
    }
}
