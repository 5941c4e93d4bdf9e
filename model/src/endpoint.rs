//! Endpoints: method and path template, or an RPC operation, under small stable numbers.

use crate::identity::closed_set;

closed_set! {
    /// Where an endpoint's template comes from.
    EndpointSource {
        /// The gateway logged its route template.
        Route => "route",
        /// The gateway logged an operation name.
        Operation => "operation",
        /// Typed path segments.
        Lexical => "lexical",
        /// A segment that was found to vary.
        Learned => "learned",
        /// A JSON-RPC, MCP, gRPC or GraphQL operation.
        Rpc => "rpc",
        /// A path that was never answered with success: not learned.
        Unrouted => "unrouted",
        /// More endpoints than are told apart.
        Overflow => "overflow",
    }
}

/// The number of an endpoint in an [`Endpoints`] table.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct EndpointId(pub u32);

/// The endpoints of one run, in the order in which they were first seen; append-only.
///
/// When the learned tier folds endpoints into one template, the folded ones point to the new one
/// ([`Endpoints::fold`]); [`Endpoints::resolve`] follows that pointer.
#[derive(Clone, Debug, Default)]
pub struct Endpoints {
    names: Vec<Box<str>>,
    sources: Vec<EndpointSource>,
    folded_into: Vec<EndpointId>,
    folds: u32,
}

impl Endpoints {
    /// Adds an endpoint; `name` is written `METHOD template`, or the RPC operation.
    pub fn push(&mut self, name: &str, source: EndpointSource) -> EndpointId {
        let id = EndpointId(self.names.len() as u32);
        self.names.push(name.into());
        self.sources.push(source);
        self.folded_into.push(id);
        id
    }

    /// The endpoint's name as a person reads it: `GET /orders/{int}`.
    pub fn name(&self, id: EndpointId) -> &str {
        self.names.get(id.0 as usize).map_or("?", |name| name)
    }

    /// Where the endpoint's template came from.
    pub fn source(&self, id: EndpointId) -> EndpointSource {
        self.sources.get(id.0 as usize).copied().unwrap_or(EndpointSource::Overflow)
    }

    /// Makes `old` part of `new` from now on.
    pub fn fold(&mut self, old: EndpointId, new: EndpointId) {
        if let Some(slot) = self.folded_into.get_mut(old.0 as usize)
            && *slot != new
        {
            *slot = new;
            self.folds += 1;
        }
    }

    /// The endpoint that `id` is part of now; itself if it was never folded.
    #[must_use]
    pub fn resolve(&self, mut id: EndpointId) -> EndpointId {
        // A chain is as long as the number of times that one branch was folded: path depth at most.
        for _ in 0..crate::limit::PATH_SEGMENTS_MAX {
            match self.folded_into.get(id.0 as usize) {
                Some(next) if *next != id => id = *next,
                _ => break,
            }
        }
        id
    }

    /// What `id` was folded into, itself if it never was: one step of [`Endpoints::resolve`].
    pub fn folded_into(&self, id: EndpointId) -> EndpointId {
        self.folded_into.get(id.0 as usize).copied().unwrap_or(id)
    }

    /// A table that was taken apart: each endpoint's name, its source and what it was folded into,
    /// in order, and how many folds there were. `None` if one was folded into none of them.
    pub fn rebuild<'a>(
        rows: impl Iterator<Item = (&'a str, EndpointSource, EndpointId)>,
        folds: u32,
    ) -> Option<Self> {
        let mut endpoints = Self { folds, ..Self::default() };
        for (name, source, folded_into) in rows {
            endpoints.names.push(name.into());
            endpoints.sources.push(source);
            endpoints.folded_into.push(folded_into);
        }
        let len = endpoints.len();
        let all_there = endpoints.folded_into.iter().all(|id| (id.0 as usize) < len);
        all_there.then_some(endpoints)
    }

    /// How many folds there have been: state keyed by endpoint is stale when this moves.
    pub const fn folds(&self) -> u32 {
        self.folds
    }

    /// How many endpoints there are, folded ones included.
    pub fn len(&self) -> usize {
        self.names.len()
    }

    /// Whether no endpoint was seen yet.
    pub fn is_empty(&self) -> bool {
        self.names.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folded_endpoint_resolves_through_every_fold() {
        let mut endpoints = Endpoints::default();
        let [a, b, c] = ["GET /a/x", "GET /a/{var}", "GET /{var}/{var}"]
            .map(|name| endpoints.push(name, EndpointSource::Learned));
        endpoints.fold(a, b);
        endpoints.fold(b, c);
        assert_eq!(endpoints.resolve(a), c);
        assert_eq!(endpoints.resolve(c), c);
        assert_eq!(endpoints.folds(), 2);
    }

    #[test]
    fn a_table_that_was_taken_apart_is_the_same_again() {
        let mut endpoints = Endpoints::default();
        let [a, b] =
            ["GET /a/x", "GET /a/{var}"].map(|name| endpoints.push(name, EndpointSource::Learned));
        endpoints.fold(a, b);
        let rows = || {
            [a, b].map(|id| (endpoints.name(id), endpoints.source(id), endpoints.folded_into(id)))
        };
        let again = Endpoints::rebuild(rows().into_iter(), endpoints.folds()).unwrap();
        assert_eq!((again.resolve(a), again.folds(), again.name(b)), (b, 1, "GET /a/{var}"));
        assert!(Endpoints::rebuild(rows().into_iter().take(1), 1).is_none(), "it leads nowhere");
    }
}
