//! Internet addresses: what kind, and of which network.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// What an internet address is for. Payments over the internet come from [`Public`](Self::Public) addresses; any other
/// class says that a proxy, a test or a forged header stands between.
///
/// Source: the registries of RFC 6890 (2013, updated by RFC 8190) and the documents named at each class.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum IpClass {
    /// Anybody on the internet: everything that no other class has. Of IPv6 only `2000::/3`, the part given out so far
    /// (RFC 4291, section 2.4, and the registry of IANA), and `64:ff9b::/96`, IPv4 behind a translator (RFC 6052).
    Public,
    /// Inside a site: 10/8, 172.16/12, 192.168/16 (RFC 1918), `fc00::/7` (RFC 4193), and the older `fec0::/10` (RFC
    /// 3879).
    Private,
    /// The machine itself: 127/8 (RFC 1122, section 3.2.1.3), `::1` (RFC 4291, section 2.5.3).
    Loopback,
    /// One link, configured by itself: 169.254/16 (RFC 3927), `fe80::/10` (RFC 4291, section 2.5.6).
    LinkLocal,
    /// Between a provider and its customers: 100.64/10 (RFC 6598).
    CarrierNat,
    /// Groups of receivers: 224/4 (RFC 5771), `ff00::/8` (RFC 4291, section 2.7).
    Multicast,
    /// Written in books only: 192.0.2/24, 198.51.100/24, 203.0.113/24 (RFC 5737), `2001:db8::/32` (RFC 3849),
    /// `3fff::/20` (RFC 9637).
    Documentation,
    /// Measuring of equipment: 198.18/15 (RFC 2544, appendix C.2.2), `2001:2::/48` (RFC 5180).
    Benchmarking,
    /// Everybody on the link: 255.255.255.255 (RFC 919, section 7).
    Broadcast,
    /// No address: 0.0.0.0 (RFC 1122, section 3.2.1.3), `::` (RFC 4291, section 2.5.2).
    Unspecified,
    /// Kept back: the rest of 0/8 (RFC 791), 192.0.0/24 (RFC 6890), 192.88.99/24 (RFC 7526), 240/4 (RFC 1112, section
    /// 4), and of IPv6 the parts not given out, among them `100::/64` (RFC 6666) and `2001:10::/28` (RFC 4843).
    Reserved,
}

impl IpClass {
    /// All classes; the position is the [`code`](Self::code).
    pub const ALL: [Self; 11] = [
        Self::Public,
        Self::Private,
        Self::Loopback,
        Self::LinkLocal,
        Self::CarrierNat,
        Self::Multicast,
        Self::Documentation,
        Self::Benchmarking,
        Self::Broadcast,
        Self::Unspecified,
        Self::Reserved,
    ];

    /// The position in [`ALL`](Self::ALL), from 0.
    pub const fn code(self) -> u8 {
        self as u8
    }

    /// The name: `public`, `private`, ...
    pub const fn name(self) -> &'static str {
        match self {
            Self::Public => "public",
            Self::Private => "private",
            Self::Loopback => "loopback",
            Self::LinkLocal => "link_local",
            Self::CarrierNat => "carrier_nat",
            Self::Multicast => "multicast",
            Self::Documentation => "documentation",
            Self::Benchmarking => "benchmarking",
            Self::Broadcast => "broadcast",
            Self::Unspecified => "unspecified",
            Self::Reserved => "reserved",
        }
    }
}

impl fmt::Display for IpClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// The class of an address. An IPv6 address that holds an IPv4 one (`::ffff:a.b.c.d`, RFC 4291, section 2.5.5.2) has
/// the class of that one. O(1).
///
/// ```
/// use dafu_features::measure::{ip_class, IpClass};
///
/// # fn main() -> Result<(), std::net::AddrParseError> {
/// assert_eq!(ip_class("8.8.8.8".parse()?), IpClass::Public);
/// assert_eq!(ip_class("::ffff:192.168.0.1".parse()?), IpClass::Private);
/// # Ok(())
/// # }
/// ```
pub fn ip_class(address: IpAddr) -> IpClass {
    match address.to_canonical() {
        IpAddr::V4(v4) => class_of_v4(v4),
        IpAddr::V6(v6) => class_of_v6(v6),
    }
}

fn class_of_v4(address: Ipv4Addr) -> IpClass {
    match address.octets() {
        [0, 0, 0, 0] => IpClass::Unspecified,
        [255, 255, 255, 255] => IpClass::Broadcast,
        [10, ..] | [172, 16..=31, ..] | [192, 168, ..] => IpClass::Private,
        [127, ..] => IpClass::Loopback,
        [169, 254, ..] => IpClass::LinkLocal,
        [100, 64..=127, ..] => IpClass::CarrierNat,
        [192, 0, 2, _] | [198, 51, 100, _] | [203, 0, 113, _] => IpClass::Documentation,
        [198, 18..=19, ..] => IpClass::Benchmarking,
        [224..=239, ..] => IpClass::Multicast,
        [0 | 240..=255, ..] | [192, 0, 0, _] | [192, 88, 99, _] => IpClass::Reserved,
        _ => IpClass::Public,
    }
}

fn class_of_v6(address: Ipv6Addr) -> IpClass {
    match address.segments() {
        [0, 0, 0, 0, 0, 0, 0, 0] => IpClass::Unspecified,
        [0, 0, 0, 0, 0, 0, 0, 1] => IpClass::Loopback,
        [0xfc00..=0xfdff | 0xfec0..=0xfeff, ..] => IpClass::Private,
        [0xfe80..=0xfebf, ..] => IpClass::LinkLocal,
        [0xff00..=0xffff, ..] => IpClass::Multicast,
        [0x2001, 0xdb8, ..] | [0x3fff, 0..=0xfff, ..] => IpClass::Documentation,
        [0x2001, 2, 0, ..] => IpClass::Benchmarking,
        [0x2001, 0x10..=0x1f, ..] => IpClass::Reserved,
        [0x2000..=0x3fff, ..] | [0x64, 0xff9b, 0, 0, 0, 0, ..] => IpClass::Public,
        _ => IpClass::Reserved,
    }
}

/// The network of an address: the first 24 bits of IPv4, the first 48 of IPv6, the rest 0. An IPv6 address that holds
/// an IPv4 one gives the network of that one. O(1).
///
/// A /24 is the smallest block that is routed on its own and a /48 the usual one of a site (RFC 6177, section 2): what
/// one subscriber can change stays in it.
///
/// ```
/// # fn main() -> Result<(), std::net::AddrParseError> {
/// use dafu_features::measure::ip_prefix;
///
/// assert_eq!(ip_prefix("203.0.113.77".parse()?).to_string(), "203.0.113.0");
/// assert_eq!(ip_prefix("2001:db8:1:2::3".parse()?).to_string(), "2001:db8:1::");
/// # Ok(())
/// # }
/// ```
pub fn ip_prefix(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(v4) => {
            let [a, b, c, _] = v4.octets();
            IpAddr::V4(Ipv4Addr::new(a, b, c, 0))
        }
        IpAddr::V6(v6) => {
            let [a, b, c, ..] = v6.segments();
            IpAddr::V6(Ipv6Addr::new(a, b, c, 0, 0, 0, 0, 0))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    fn class(name: &str) -> IpClass {
        let named = |class: &&IpClass| class.name() == name;
        *IpClass::ALL.iter().find(named).unwrap()
    }

    /// First and last address of every block in the registry, its class, and those of the neighbours on both sides.
    #[test]
    fn blocks_of_v4_have_their_class_from_the_first_to_the_last_address() {
        for row in [
            "0.0.0.0         0.0.0.0         unspecified   -           reserved",
            "0.0.0.1         0.255.255.255   reserved      unspecified public",
            "10.0.0.0        10.255.255.255  private       public      public",
            "100.64.0.0      100.127.255.255 carrier_nat   public      public",
            "127.0.0.0       127.255.255.255 loopback      public      public",
            "169.254.0.0     169.254.255.255 link_local    public      public",
            "172.16.0.0      172.31.255.255  private       public      public",
            "192.0.0.0       192.0.0.255     reserved      public      public",
            "192.0.2.0       192.0.2.255     documentation public      public",
            "192.88.99.0     192.88.99.255   reserved      public      public",
            "192.168.0.0     192.168.255.255 private       public      public",
            "198.18.0.0      198.19.255.255  benchmarking  public      public",
            "198.51.100.0    198.51.100.255  documentation public      public",
            "203.0.113.0     203.0.113.255   documentation public      public",
            "224.0.0.0       239.255.255.255 multicast     public      reserved",
            "240.0.0.0       255.255.255.254 reserved      multicast   broadcast",
            "255.255.255.255 255.255.255.255 broadcast     reserved    -",
        ] {
            let cells: Vec<&str> = row.split_whitespace().collect();
            let number = |text: &str| text.parse::<Ipv4Addr>().unwrap().to_bits();
            let (first, last) = (number(cells[0]), number(cells[1]));
            let of = |bits: u32| ip_class(IpAddr::V4(Ipv4Addr::from_bits(bits)));
            for inside in [first, first + (last - first) / 2, last] {
                assert_eq!(of(inside), class(cells[2]), "{row}");
            }
            let neighbour = |name: &str| (name != "-").then(|| class(name));
            assert_eq!(first.checked_sub(1).map(of), neighbour(cells[3]), "{row}");
            assert_eq!(last.checked_add(1).map(of), neighbour(cells[4]), "{row}");
        }
    }

    /// Blocks in order, without holes between them but where the next line begins in the same /16.
    #[test]
    fn blocks_of_v6_have_their_class_from_the_first_to_the_last_address() {
        for row in [
            "::           ::             unspecified",
            "::1          ::1            loopback",
            "::2          ::ffff         reserved",
            "64:ff9b::    64:ff9b:0:0:0:0 public",
            "64:ff9b:0:0:0:1:: 64:ff9b:0 reserved",
            "64:ff9b:1::  64:ff9b:1      reserved",
            "100::        100:0:0:0      reserved",
            "2000::       2001:1         public",
            "2001:2::     2001:2:0       benchmarking",
            "2001:2:1::   2001:f         public",
            "2001:10::    2001:1f        reserved",
            "2001:20::    2001:db7       public",
            "2001:db8::   2001:db8       documentation",
            "2001:db9::   3ffe           public",
            "3fff::       3fff:fff       documentation",
            "3fff:1000::  3fff           public",
            "4000::       fbff           reserved",
            "fc00::       fdff           private",
            "fe00::       fe7f           reserved",
            "fe80::       febf           link_local",
            "fec0::       feff           private",
            "ff00::       ffff           multicast",
        ] {
            let cells: Vec<&str> = row.split_whitespace().collect();
            // The last address is written without its tail of ones.
            let missing = 7 - cells[1].matches(':').count();
            let last = if cells[1].contains("::") {
                cells[1].to_owned()
            } else {
                cells[1].to_owned() + &":ffff".repeat(missing)
            };
            for address in [ip(cells[0]), ip(&last)] {
                assert_eq!(ip_class(address), class(cells[2]), "{address} of {row}");
            }
        }
    }

    #[test]
    fn the_standard_library_agrees_where_it_has_an_opinion() {
        let mut bits = 12_345_u32;
        for _ in 0..200_000 {
            bits = bits.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let address = Ipv4Addr::from_bits(bits);
            let class = ip_class(IpAddr::V4(address));
            assert_eq!(class == IpClass::Private, address.is_private());
            assert_eq!(class == IpClass::Loopback, address.is_loopback());
            assert_eq!(class == IpClass::LinkLocal, address.is_link_local());
            assert_eq!(class == IpClass::Multicast, address.is_multicast());
            assert_eq!(class == IpClass::Documentation, address.is_documentation());
            let mapped = IpAddr::V6(address.to_ipv6_mapped());
            assert_eq!(ip_class(mapped), class);
            assert_eq!(ip_prefix(mapped), ip_prefix(IpAddr::V4(address)));
        }
    }

    #[test]
    fn prefixes_keep_24_and_48_bits() {
        for (from, to) in [
            ("8.8.4.255", "8.8.4.0"),
            ("0.0.0.0", "0.0.0.0"),
            ("::ffff:1.2.3.4", "1.2.3.0"),
            ("2a00:1450:4001:81b::200e", "2a00:1450:4001::"),
            ("::1", "::"),
            (
                "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
                "ffff:ffff:ffff::",
            ),
        ] {
            assert_eq!(ip_prefix(ip(from)), ip(to));
            assert_eq!(ip_prefix(ip(to)), ip(to));
        }
    }

    #[test]
    fn codes_are_positions_and_names_differ() {
        for (position, class) in IpClass::ALL.iter().enumerate() {
            assert_eq!(usize::from(class.code()), position);
        }
        let names: std::collections::BTreeSet<_> =
            IpClass::ALL.iter().map(|class| class.name()).collect();
        assert_eq!(names.len(), IpClass::ALL.len());
    }
}
