//! Types without a serde form, and the plain ones that stand for them in a snapshot.
//!
//! This module is what `#[serde(with = "plain")]` names.

use model::limit::ENDPOINTS_MAX;
use model::{Detector, EndpointId, FindingId, Origin, Position, PrincipalType, Severity, Time};
use ndarray::{Array1, Array2};
use serde::de::{DeserializeOwned, Error as _};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Endpoint numbers beyond this are none: lists that go by them must not grow to what damage says.
///
/// The shared endpoints of the methods come on top of [`ENDPOINTS_MAX`].
const ENDPOINT_IDS_MAX: u32 = 2 * ENDPOINTS_MAX as u32;

/// A type, and the plain one that is written for it.
pub(crate) trait Plain: Sized {
    /// What is written.
    type As: Serialize + DeserializeOwned;

    fn to_plain(&self) -> Self::As;

    /// The value; `None` if no state has such a one.
    fn from_plain(plain: Self::As) -> Option<Self>;
}

pub(crate) fn serialize<T: Plain, S: Serializer>(value: &T, to: S) -> Result<S::Ok, S::Error> {
    value.to_plain().serialize(to)
}

pub(crate) fn deserialize<'de, T: Plain, D: Deserializer<'de>>(from: D) -> Result<T, D::Error> {
    T::from_plain(T::As::deserialize(from)?)
        .ok_or_else(|| D::Error::custom("no state has such a value"))
}

/// Lists of such a type go by endpoint and are mostly empty: one that is as at first is one byte.
macro_rules! plain_unless_default {
    ($name:ident) => {
        impl $crate::snapshot::plain::Plain for $name {
            type As = Option<Self>;

            fn to_plain(&self) -> Self::As {
                (*self != Self::default()).then_some(*self)
            }

            fn from_plain(plain: Self::As) -> Option<Self> {
                Some(plain.unwrap_or_default())
            }
        }
    };
}
pub(crate) use plain_unless_default;

impl<T: Plain> Plain for Option<T> {
    type As = Option<T::As>;

    fn to_plain(&self) -> Self::As {
        self.as_ref().map(T::to_plain)
    }

    fn from_plain(plain: Self::As) -> Option<Self> {
        match plain {
            None => Some(None),
            Some(plain) => T::from_plain(plain).map(Some),
        }
    }
}

impl<T: Plain> Plain for Vec<T> {
    type As = Vec<T::As>;

    fn to_plain(&self) -> Self::As {
        self.iter().map(T::to_plain).collect()
    }

    fn from_plain(plain: Self::As) -> Option<Self> {
        plain.into_iter().map(T::from_plain).collect()
    }
}

/// Nanoseconds, within what an event may carry on either side of the epoch.
impl Plain for Time {
    type As = i64;

    fn to_plain(&self) -> i64 {
        self.ns()
    }

    fn from_plain(plain: i64) -> Option<Self> {
        let end = Self::END_EVENT.ns();
        (-end..=end).contains(&plain).then_some(Self::from_ns(plain))
    }
}

impl Plain for EndpointId {
    type As = u32;

    fn to_plain(&self) -> u32 {
        self.0
    }

    fn from_plain(plain: u32) -> Option<Self> {
        (plain < ENDPOINT_IDS_MAX).then_some(Self(plain))
    }
}

/// The input's number and the line.
impl Plain for Position {
    type As = (u32, u64);

    fn to_plain(&self) -> Self::As {
        (self.source, self.line)
    }

    fn from_plain((source, line): Self::As) -> Option<Self> {
        Some(Self { source, line })
    }
}

impl Plain for FindingId {
    type As = [u8; 16];

    fn to_plain(&self) -> Self::As {
        self.0
    }

    fn from_plain(plain: Self::As) -> Option<Self> {
        Some(Self(plain))
    }
}

/// By their places; a test holds the places.
macro_rules! closed_sets {
    ($($set:ty),+) => {
        $(impl Plain for $set {
            type As = u8;

            fn to_plain(&self) -> u8 {
                *self as u8
            }

            fn from_plain(plain: u8) -> Option<Self> {
                Self::ALL.get(usize::from(plain)).copied()
            }
        })+
    };
}
closed_sets!(Detector, PrincipalType, Severity);

/// The places of [`Origin::all`]: the detectors' come first.
impl Plain for Origin {
    type As = u8;

    fn to_plain(&self) -> u8 {
        Self::all().position(|it| it == *self).unwrap_or_default() as u8
    }

    fn from_plain(plain: u8) -> Option<Self> {
        Self::all().nth(usize::from(plain))
    }
}

/// The rule that resolved a principal, by name.
///
/// An alias, because serde takes a field that is written as a reference for one into its input.
pub(crate) type Source = &'static str;

/// No other text of a state lives as long as the program.
impl Plain for Source {
    type As = String;

    fn to_plain(&self) -> String {
        (*self).to_owned()
    }

    fn from_plain(plain: String) -> Option<Self> {
        model::principal_source(&plain)
    }
}

impl<const N: usize> Plain for [f64; N] {
    type As = Vec<f64>;

    fn to_plain(&self) -> Self::As {
        self.to_vec()
    }

    fn from_plain(plain: Self::As) -> Option<Self> {
        plain.try_into().ok()
    }
}

impl Plain for Array1<f64> {
    type As = Vec<f64>;

    fn to_plain(&self) -> Self::As {
        self.to_vec()
    }

    fn from_plain(plain: Self::As) -> Option<Self> {
        Some(Self::from_vec(plain))
    }
}

/// The rows' number, and the values row by row.
impl Plain for Array2<f64> {
    type As = (u32, Vec<f64>);

    fn to_plain(&self) -> Self::As {
        (self.nrows() as u32, self.iter().copied().collect())
    }

    fn from_plain((rows, values): Self::As) -> Option<Self> {
        let rows = rows as usize;
        let columns = values.len().checked_div(rows)?;
        // Fails where the values are not whole rows.
        Self::from_shape_vec((rows, columns), values).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_no_state_has_is_refused() {
        assert_eq!(EndpointId::from_plain(u32::MAX), None);
        assert_eq!(Time::from_plain(i64::MIN), None);
        assert_eq!(Detector::from_plain(Detector::ALL.len() as u8), None);
        assert_eq!(Source::from_plain("made.up".to_owned()), None);
        assert_eq!(Array2::from_plain((2, vec![0.0; 5])), None);
        assert_eq!(Array2::from_plain((0, vec![0.0; 5])), None);
        assert_eq!(<[f64; 3]>::from_plain(vec![0.0; 4]), None);
    }

    #[test]
    fn floats_keep_every_bit() {
        for bits in [0_u64, 1 << 63, 1, f64::NAN.to_bits() | 7, f64::INFINITY.to_bits()] {
            let bytes = postcard::to_stdvec(&f64::from_bits(bits)).unwrap();
            let back: f64 = postcard::from_bytes(&bytes).unwrap();
            assert_eq!(back.to_bits(), bits);
        }
    }

    /// The places are what is written: one that moves is another [`crate::STATE_VERSION`].
    #[test]
    fn the_closed_sets_keep_their_order() {
        let detectors = Detector::ALL.iter().map(|it| it.as_str());
        let kinds = PrincipalType::ALL.iter().map(|it| it.as_str());
        let severities = Severity::ALL.iter().map(|it| it.as_str());
        let all: Vec<_> = detectors.chain(kinds).chain(severities).collect();
        assert_eq!(
            all.join(" "),
            "object_enumeration egress_spike first_seen_endpoint foreign_object \
             unauthenticated_success new_network auth_failures denied_probing \
             secret_harvesting tool_drift toxic_flow machine_speed slow_drip sequence \
             delegation injection exposure_change write_burst runaway_loop dormant inventory \
             key_fanout cadence agent_graph identity_explosion joint_outlier not_itself \
             coincidence \
             user service consumer application api_key client mtls session ip anonymous \
             info low medium high critical"
        );
    }
}
