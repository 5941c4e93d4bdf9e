//! Who acted: the kinds of principal and how far the log may be believed about one.

macro_rules! closed_set {
    ($(#[$meta:meta])* $name:ident { $($(#[$doc:meta])* $variant:ident => $text:literal),+ $(,)? }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
        pub enum $name { $($(#[$doc])* $variant),+ }

        impl $name {
            /// Every value, in order.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The name under which this value is written.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text),+ }
            }

            /// The value of that name, if there is one.
            pub fn from_name(name: &str) -> Option<Self> {
                match name { $($text => Some(Self::$variant),)+ _ => None }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(self.as_str())
            }
        }
    };
}
pub(crate) use closed_set;

closed_set! {
    /// What kind of thing a principal is.
    PrincipalType {
        /// A person, as a token's subject or a user name says.
        User => "user",
        /// A service account or workload.
        Service => "service",
        /// A gateway's consumer.
        Consumer => "consumer",
        /// A registered application or subscription.
        Application => "application",
        /// An API key or other credential.
        ApiKey => "api_key",
        /// An OAuth client.
        Client => "client",
        /// The subject of a verified client certificate.
        Mtls => "mtls",
        /// A session.
        Session => "session",
        /// A client address, where nothing better is known.
        Ip => "ip",
        /// Nobody: not even an address is known.
        Anonymous => "anonymous",
    }
}

impl PrincipalType {
    /// Whether it names somebody, be it for a session: an address only says where a call came from.
    pub const fn is_named(self) -> bool {
        !matches!(self, Self::Ip | Self::Anonymous)
    }

    /// Whether it is a name that was given to somebody: addresses and sessions come and go.
    pub const fn is_given(self) -> bool {
        self.is_named() && !matches!(self, Self::Session)
    }
}

closed_set! {
    /// How far the log may be believed about the principal.
    PrincipalTrust {
        /// The gateway checked a credential.
        Verified => "verified",
        /// The caller said so and was not refused.
        Asserted => "asserted",
        /// The caller said so and was refused: the principal is the source, not the claimed name.
        Claimed => "claimed",
        /// Concluded from the network address.
        Inferred => "inferred",
    }
}
