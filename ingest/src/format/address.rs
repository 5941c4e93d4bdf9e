//! Client addresses: ports and brackets stripped, forwarded lists resolved, networks named.

use std::fmt::Write as _;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Entries of a forwarded list that are looked at, from the right.
const FORWARDED_MAX: usize = 32;

/// An address as a log gave it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Address<'a> {
    /// The host, without brackets and port.
    pub(crate) host: &'a str,
    /// The host as an address; IPv4 inside IPv6 is IPv4. `None` for a host name.
    pub(crate) ip: Option<IpAddr>,
    pub(crate) port: Option<u16>,
}

/// Whether a text is an address, with or without a port, and no host's name.
pub(crate) fn is_ip(text: &str) -> bool {
    parse(text).is_some_and(|it| it.ip.is_some())
}

/// Splits `host`, `host:port`, `[v6]`, `[v6]:port`; `None` for what cannot be a host.
pub(crate) fn parse(text: &str) -> Option<Address<'_>> {
    if let Some(ip) = ipv4(text.as_bytes()) {
        return Some(Address { host: text, ip: Some(IpAddr::V4(ip)), port: None });
    }
    let text = text.trim();
    let text = if text.contains('"') { text.trim_matches('"') } else { text };
    let (host, port) = match text.strip_prefix('[') {
        Some(rest) => {
            let (host, tail) = rest.split_once(']')?;
            (host, tail.strip_prefix(':'))
        }
        None => match text.split_once(':') {
            Some((host, port)) if !port.contains(':') => (host, Some(port)),
            _ => (text, None),
        },
    };
    let bare = host.split_once('%').map_or(host, |(bare, _zone)| bare);
    let ip = match memchr::memchr(b':', bare.as_bytes()) {
        Some(_) => bare.parse::<Ipv6Addr>().ok().map(|ip| IpAddr::V6(ip).to_canonical()),
        None => ipv4(bare.as_bytes()).map(IpAddr::V4),
    };
    let named = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
    if ip.is_none() && (host.is_empty() || host.len() > 253 || !host.bytes().all(named)) {
        return None;
    }
    // A host whose last label is a number is an address or nothing (WHATWG URL, host parsing).
    let last = host.rsplit('.').next().unwrap_or_default();
    if ip.is_none() && last.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    Some(Address { host, ip, port: port.and_then(|it| it.parse().ok()) })
}

/// `203.0.113.9`, without the cost of the general parser.
fn ipv4(bytes: &[u8]) -> Option<Ipv4Addr> {
    if bytes.len() > 15 {
        return None;
    }
    let (mut octets, mut filled, mut number, mut digits) = ([0_u8; 4], 0_usize, 0_u32, 0);
    for byte in bytes {
        match byte {
            b'0'..=b'9' => {
                // A leading zero may mean octal; only more zeros mean the same in any base.
                if digits > 0 && number == 0 && *byte != b'0' || digits == 3 {
                    return None;
                }
                number = number * 10 + u32::from(byte - b'0');
                digits += 1;
            }
            b'.' if digits > 0 && filled < 3 => {
                *octets.get_mut(filled)? = u8::try_from(number).ok()?;
                (filled, number, digits) = (filled + 1, 0, 0);
            }
            _ => return None,
        }
    }
    if filled != 3 || digits == 0 || digits > 3 {
        return None;
    }
    octets[3] = u8::try_from(number).ok()?;
    Some(Ipv4Addr::from(octets))
}

/// Appends the network of an address: its /24, or its /64.
pub(crate) fn write_net(address: &Address<'_>, out: &mut String) {
    let Some(ip) = address.ip else { return };
    // An IPv4 address is almost always written as its octets, and those are copied.
    let is_plain = |host: &str| ip.is_ipv4() && !host.contains(':') && !host.contains("00");
    let octets = address.host.rsplit_once('.').filter(|_| is_plain(address.host));
    if let Some((octets, _)) = octets {
        out.push_str(octets.trim_ascii());
        out.push_str(".0/24");
        return;
    }
    match ip {
        IpAddr::V4(ip) => {
            let [a, b, c, _] = ip.octets();
            // Writing to a string cannot fail.
            let _infallible = write!(out, "{a}.{b}.{c}.0/24");
        }
        IpAddr::V6(ip) => {
            let network = Ipv6Addr::from_bits(ip.to_bits() & !u128::from(u64::MAX));
            // Writing to a string cannot fail.
            let _infallible = write!(out, "{network}/64");
        }
    }
}

/// A network of trusted proxies.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Network {
    base: u128,
    mask: u128,
}

impl Network {
    /// Reads `10.0.0.0/8`, `2001:db8::/32` or a single address.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (ip, length) = match text.split_once('/') {
            Some((ip, length)) => (ip, Some(length.parse::<u32>().ok()?)),
            None => (text, None),
        };
        let ip = ip.trim().parse::<IpAddr>().ok()?.to_canonical();
        let width = if ip.is_ipv4() { 32 } else { 128 };
        let length = length.unwrap_or(width);
        if length > width {
            return None;
        }
        let mask = u128::MAX.checked_shl(width - length).unwrap_or(0);
        Some(Self { base: bits(ip) & mask, mask })
    }

    fn holds(self, ip: IpAddr) -> bool {
        bits(ip) & self.mask == self.base
    }
}

/// An address as 128 bits, IPv4 inside IPv6.
fn bits(ip: IpAddr) -> u128 {
    match ip {
        IpAddr::V4(ip) => ip.to_ipv6_mapped().to_bits(),
        IpAddr::V6(ip) => ip.to_bits(),
    }
}

/// The client behind trusted proxies: the rightmost entry of `forwarded` that is none of them.
///
/// `None` where the peer is not trusted or the list does not say.
pub(crate) fn behind<'a>(
    peer: Option<IpAddr>,
    forwarded: &'a str,
    trusted: &[Network],
) -> Option<Address<'a>> {
    if trusted.is_empty() || peer.is_some_and(|ip| !is_trusted(ip, trusted)) {
        return None;
    }
    let entries = forwarded.rsplit(',').take(FORWARDED_MAX).map(parse);
    // An entry that cannot be read (obfuscated, `unknown`) ends the chain of trust.
    let mut last = None;
    for entry in entries {
        let Some(address @ Address { ip: Some(ip), .. }) = entry else { break };
        last = Some(address);
        if !is_trusted(ip, trusted) {
            break;
        }
    }
    last
}

/// Whether one of the networks holds the address.
pub(crate) fn is_trusted(ip: IpAddr, trusted: &[Network]) -> bool {
    trusted.iter().any(|it| it.holds(ip))
}

/// Whether an address is of no use outside its own network, so that whoever has it is a proxy of one's
/// own or a neighbour.
pub(crate) fn is_private(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => {
            let [a, b, ..] = ip.octets();
            // With the addresses that providers share among their customers, which clouds use inside.
            let is_shared = a == 100 && (64..128).contains(&b);
            ip.is_private() || ip.is_loopback() || ip.is_link_local() || is_shared
        }
        IpAddr::V6(ip) => {
            let [head, ..] = ip.segments();
            ip.is_loopback() || head & 0xfe00 == 0xfc00 || head & 0xffc0 == 0xfe80
        }
    }
}

/// The client of a list whose proxies nobody has named: the rightmost entry that is not private, because
/// what stands left of it is what the caller wrote; where all are private, the first.
pub(crate) fn outermost(forwarded: &str) -> Option<Address<'_>> {
    let mut last = None;
    for entry in forwarded.rsplit(',').take(FORWARDED_MAX).map(parse) {
        // An entry that cannot be read (obfuscated, `unknown`) hides what it stands for.
        let Some(address @ Address { ip: Some(ip), .. }) = entry else { break };
        last = Some(address);
        if !is_private(ip) {
            break;
        }
    }
    // A single name is all that there is.
    last.or_else(|| first(forwarded).filter(|_| !forwarded.contains(',')))
}

/// The first entry of a forwarded list.
pub(crate) fn first(forwarded: &str) -> Option<Address<'_>> {
    parse(forwarded.split(',').next()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &str) {
        let shown = parse(text).map_or_else(
            || "none".to_owned(),
            |it| {
                let mut net = String::new();
                write_net(&it, &mut net);
                format!("{} {net} {:?}", it.host, it.port)
            },
        );
        assert_eq!(shown, expected, "{text}");
    }

    #[test]
    fn ports_and_brackets_are_no_part_of_an_address() {
        check("203.0.113.9", "203.0.113.9 203.0.113.0/24 None");
        check("203.0.113.9:8080", "203.0.113.9 203.0.113.0/24 Some(8080)");
        check("[2001:db8::1]:443", "2001:db8::1 2001:db8::/64 Some(443)");
        check("2001:db8::1", "2001:db8::1 2001:db8::/64 None");
        check("::ffff:203.0.113.9", "::ffff:203.0.113.9 203.0.113.0/24 None");
        check("host.example.com", "host.example.com  None");
        check("<script>", "none");
        check("", "none");
    }

    #[test]
    fn the_quick_parser_agrees_with_the_general_one() {
        for text in [
            "1.2.3.4",
            "0.0.0.0",
            "255.255.255.255",
            "256.1.1.1",
            "1.2.3",
            "1.2.3.4.5",
            "01.2.3.4",
            "1..2.3",
            ".1.2.3",
            "1.2.3.",
        ] {
            assert_eq!(ipv4(text.as_bytes()), text.parse().ok(), "{text}");
        }
        check("12.000.22.33", "12.000.22.33 12.0.22.0/24 None");
        check("12.010.22.33", "none");
        check("12.0000.22.33", "none");
    }

    #[test]
    fn only_trusted_proxies_are_skipped_from_the_right() {
        let trusted = [Network::parse("10.0.0.0/8").unwrap()];
        let peer = "10.0.0.1".parse().ok();
        let host = |list| behind(peer, list, &trusted).map(|it| it.host.trim());
        assert_eq!(host("1.1.1.1, 203.0.113.9, 10.2.3.4"), Some("203.0.113.9"));
        assert_eq!(host("10.9.9.9"), Some("10.9.9.9"));
        assert_eq!(host("203.0.113.9, unknown"), None);
        assert_eq!(behind("9.9.9.9".parse().ok(), "1.1.1.1", &trusted), None);
        assert_eq!(behind(peer, "1.1.1.1", &[]), None);
    }

    #[test]
    fn without_trusted_proxies_the_last_public_entry_counts() {
        let host = |list| outermost(list).map(|it| it.host.trim());
        assert_eq!(host("9.9.9.9, 203.0.113.9, 10.2.3.4, fd00::1"), Some("203.0.113.9"));
        assert_eq!(host("9.9.9.9, 203.0.113.9"), Some("203.0.113.9"));
        assert_eq!(host("192.168.1.1,10.0.0.5,100.64.0.1"), Some("192.168.1.1"));
        assert_eq!(host("9.9.9.9, unknown"), None);
        assert_eq!(host("host.example.com"), Some("host.example.com"));
    }

    #[test]
    fn a_network_is_read_or_refused() {
        assert!(Network::parse("0.0.0.0/0").is_some_and(|it| it.holds(IpAddr::from([8, 8, 8, 8]))));
        assert!(Network::parse("2001:db8::/32").is_some());
        assert_eq!(Network::parse("10.0.0.0/33"), None);
        assert_eq!(Network::parse("ten"), None);
    }
}
