//! From a record to a canonical event: the one place where columns are derived and redacted.

use super::address::{self, Address, Network};
use super::field::{How, Raw, Slot};
use super::record::{Record, Value};
use super::{Format, FormatId, claims, measure, request};
use crate::identity::{self, ANONYMOUS, BY_ADDRESS, BY_NETWORK, Candidate};
use crate::injection::Folded;
use crate::redact::{self, Key};
use crate::reject::Reject;
use model::limit::{IDENTITY_BYTES_MAX, TEXT_BYTES_MAX, USER_AGENT_BYTES_MAX};
use model::{Event, EventBatch, InjectionClasses, Int, ParseFlags, Position, Text};
use siphasher::sip::SipHasher13;
use std::hash::{BuildHasher as _, Hasher as _};
use std::net::IpAddr;

/// Texts that were found clean and are remembered.
const CLEAN_MAX: usize = 256;

/// What the settings say about events.
#[derive(Clone, Debug)]
pub(crate) struct Policy {
    pub(crate) key: Key,
    pub(crate) tenant: String,
    pub(crate) trusted: Vec<Network>,
    pub(crate) pseudonymize: bool,
    pub(crate) group_by_network: bool,
    pub(crate) keep_query_values: bool,
}

/// Writes events, one after the other, and remembers what repeats.
#[derive(Debug)]
pub(crate) struct Writer<'p> {
    pub(super) policy: &'p Policy,
    /// Hashes of texts that no detector matched: user agents repeat.
    clean: [u64; CLEAN_MAX],
    state: foldhash::fast::RandomState,
    pub(super) decoded: String,
    pub(super) endpoint: String,
    pub(super) scratch: String,
    /// The request target as a server would read it, while signs of injection are looked for.
    pub(super) target: Folded,
}

/// What identifies an event from outside its record.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Origin {
    pub(crate) format: FormatId,
    pub(crate) position: Position,
    pub(crate) content_hash: u64,
}

/// An event that is being written, and the batch that holds its texts.
#[derive(Debug)]
pub(super) struct Draft<'b> {
    pub(super) event: Event,
    batch: &'b mut EventBatch,
}

impl Draft<'_> {
    pub(super) fn text(&self, column: Text) -> Option<&str> {
        self.batch.text(&self.event, column)
    }

    pub(super) fn set(&mut self, column: Text, text: &str) {
        self.batch.set_text(&mut self.event, column, text);
    }

    pub(super) fn write(&mut self, column: Text, write: impl FnOnce(&mut String)) {
        self.batch.write_text(&mut self.event, column, write);
    }

    /// Sets a text, cut to a limit.
    pub(super) fn put(&mut self, column: Text, text: &str, bytes_max: usize) {
        let (text, was_cut) = redact::cut(text, bytes_max);
        self.flag(ParseFlags::TRUNCATED, was_cut);
        self.set(column, text);
    }

    pub(super) const fn flag(&mut self, flag: ParseFlags, is_set: bool) {
        if is_set {
            self.event.parse_flags.insert(flag);
        }
    }
}

impl<'p> Writer<'p> {
    pub(crate) fn new(policy: &'p Policy) -> Self {
        Self {
            policy,
            clean: [0; CLEAN_MAX],
            state: foldhash::fast::RandomState::default(),
            decoded: String::new(),
            endpoint: String::new(),
            scratch: String::new(),
            target: Folded::default(),
        }
    }

    /// Appends a record's event to a batch, or says why the record is none.
    pub(crate) fn write(
        &mut self,
        record: &mut Record<'_>,
        origin: Origin,
        batch: &mut EventBatch,
    ) -> Result<(), Reject> {
        let format = origin.format.format();
        if let Some(reason) = record.refused() {
            return Err(reason);
        }
        let (stamp, how) = measure::stamp(record)?;
        let differs = claims::settle(record);
        if format.needs_request && !request::is_there(record) {
            return Err(Reject::NoRequest);
        }
        let mut event = Event::at(stamp.time);
        event.source_format = origin.format.as_str();
        event.position = origin.position;
        event.content_hash = origin.content_hash;
        measure::integers(record, &mut event);
        measure::time(record, &mut event, stamp, how, format);
        let record = &*record;
        event.parse_flags.insert(record.flags);
        if differs {
            event.parse_flags.insert(ParseFlags::HEADER_BODY_MISMATCH);
        }
        provenance(record, &mut event);
        let mut draft = Draft { event, batch };
        self.plain(record, &mut draft);
        self.request(record, &mut draft);
        let client = self.client(record, format, &mut draft);
        self.principal(record, client, &mut draft);
        self.actors(record, &mut draft);
        let Draft { event, batch } = draft;
        batch.events.push(event);
        Ok(())
    }

    /// The columns that are taken over as they are.
    fn plain(&mut self, record: &Record<'_>, draft: &mut Draft<'_>) {
        let mut bits = record.present() & PLAIN;
        while bits != 0 {
            let column = Text::ALL.get(bits.trailing_zeros() as usize).copied();
            bits &= bits - 1;
            let Some((column, text)) =
                column.and_then(|it| Some((it, record.text(Slot::Text(it))?)))
            else {
                continue;
            };
            match column {
                Text::UserAgentOriginal => {
                    self.free(column, (text, USER_AGENT_BYTES_MAX), draft);
                }
                Text::PolicyReason | Text::ToolName | Text::HttpRoute => {
                    self.free(column, (text, TEXT_BYTES_MAX), draft);
                }
                Text::HttpRequestReferrer | Text::ResourceUri => self.url(column, text, draft),
                Text::PrincipalName
                | Text::CredentialId
                | Text::SessionId
                | Text::AgentName
                | Text::TlsClientSubject => {
                    self.name(column, text, false, draft);
                }
                _ if text.len() <= IDENTITY_BYTES_MAX && !redact::holds_credential(text) => {
                    draft.set(column, text);
                }
                _ => self.free(column, (text, TEXT_BYTES_MAX), draft),
            }
        }
        if !draft.event.has_text(Text::TenantId) {
            draft.set(Text::TenantId, &self.policy.tenant);
        }
        if let Some(parent) = record.text(Slot::Raw(Raw::Traceparent)) {
            traceparent(parent, draft);
        }
        if draft.event.has_text(Text::McpMethodName) && !draft.event.has_text(Text::RpcSystem) {
            draft.set(Text::RpcSystem, "mcp");
        }
    }

    /// A text that may hold anything: detectors, then the limit.
    fn free(&mut self, column: Text, (text, bytes_max): (&str, usize), draft: &mut Draft<'_>) {
        if self.is_clean(text) {
            draft.put(column, text, bytes_max);
            return;
        }
        self.scratch.clear();
        redact::text(text, &mut self.scratch);
        draft.flag(ParseFlags::REDACTED, true);
        draft.put(column, &self.scratch, bytes_max);
    }

    pub(super) fn is_clean(&mut self, text: &str) -> bool {
        let hash = self.state.hash_one(text) | 1;
        let slot = self.clean.get_mut(hash as usize >> 8 & (CLEAN_MAX - 1));
        match slot {
            Some(known) if *known == hash => true,
            slot => {
                let is_clean = redact::is_clean(text);
                if let (true, Some(slot)) = (is_clean, slot) {
                    *slot = hash;
                }
                is_clean
            }
        }
    }

    /// A URL: what is true of a request's path and query is true of its own.
    fn url(&mut self, column: Text, text: &str, draft: &mut Draft<'_>) {
        self.scratch.clear();
        let Policy { key, keep_query_values, .. } = self.policy;
        if redact::url(text, key, *keep_query_values, &mut self.scratch) {
            draft.flag(ParseFlags::REDACTED, true);
        }
        draft.put(column, &self.scratch, TEXT_BYTES_MAX);
    }

    /// The name of somebody or something: verbatim, unless it is or holds a credential.
    fn name(&mut self, column: Text, name: &str, is_secret: bool, draft: &mut Draft<'_>) {
        let policy = self.policy;
        // A certificate's subject and an agent mostly have somebody's name.
        let is_person = matches!(
            column,
            Text::PrincipalId
                | Text::PrincipalName
                | Text::PrincipalClaimed
                | Text::TlsClientSubject
                | Text::AgentName
        );
        if is_secret || redact::holds_credential(name) {
            draft.write(column, |out| policy.key.fingerprint(name, out));
            draft.flag(ParseFlags::REDACTED, true);
        } else if policy.pseudonymize && is_person && !redact::is_pseudonym(name) {
            draft.write(column, |out| {
                policy.key.pseudonym(&policy.tenant, "principal", name, out);
            });
        } else {
            draft.put(column, name, IDENTITY_BYTES_MAX);
        }
    }

    /// Who made the connection, as far as the log says it.
    ///
    /// Where it names the peer beside the client (OpenTelemetry), it may have the client from the caller's
    /// own headers: that counts only if the peer may be a proxy.
    fn peer<'r>(&self, record: &'r Record<'_>, draft: &mut Draft<'_>) -> Option<&'r str> {
        let Some(seen) = record.text(Slot::Raw(Raw::Client)) else {
            return record.text(Slot::Text(Text::ClientAddress));
        };
        let trusted = &self.policy.trusted;
        let may_be_proxy = |ip: IpAddr| {
            address::is_trusted(ip, trusted) || trusted.is_empty() && address::is_private(ip)
        };
        let peer = record.text(Slot::Text(Text::NetworkPeerAddress));
        let direct = peer.filter(|it| {
            let ip = address::parse(it).and_then(|it| it.ip);
            ip.is_some_and(|ip| !may_be_proxy(ip))
        });
        if direct.is_some() {
            EventBatch::clear_text(&mut draft.event, Text::NetworkPeerAddress);
        }
        Some(direct.unwrap_or(seen))
    }

    /// The client's address and network, after trusted proxies; returns the address.
    fn client(
        &mut self,
        record: &Record<'_>,
        format: &Format,
        draft: &mut Draft<'_>,
    ) -> Option<IpAddr> {
        let seen = self.peer(record, draft);
        let forwarded = record.text(Slot::Raw(Raw::Forwarded));
        let peer = seen.and_then(address::parse);
        let trusted = &self.policy.trusted;
        let peer_ip = peer.and_then(|it| it.ip);
        let behind = forwarded.and_then(|list| match address::behind(peer_ip, list, trusted) {
            // A peer of the same network is a proxy; whoever comes from outside wrote the list.
            None if trusted.is_empty()
                && (peer.is_none()
                    || format.forwarded_only && peer_ip.is_none_or(address::is_private)) =>
            {
                address::outermost(list)
            }
            found => found,
        });
        if let (Some(_), Some(peer)) = (behind, peer.or(behind).filter(|_| peer.is_some())) {
            self.address(Text::NetworkPeerAddress, peer, draft);
        }
        let Some(client) = behind.or(peer) else {
            if let Some(seen) = seen.filter(|it| redact::is_pseudonym(it)) {
                draft.set(Text::ClientAddress, seen);
                if let Some(net) = record.text(Slot::Text(Text::ClientNet)) {
                    draft.put(Text::ClientNet, net, 64);
                }
            }
            return None;
        };
        self.address(Text::ClientAddress, client, draft);
        draft.write(Text::ClientNet, |out| address::write_net(&client, out));
        if let (Some(port), None) =
            (client.port.filter(|it| *it > 0), draft.event.int(Int::ClientPort))
        {
            draft.event.set_int(Int::ClientPort, i64::from(port));
        }
        client.ip
    }

    fn address(&self, column: Text, address: Address<'_>, draft: &mut Draft<'_>) {
        let policy = self.policy;
        let host = address.host.trim_ascii();
        if policy.pseudonymize {
            let key = &policy.key;
            draft.write(column, |out| key.pseudonym(&policy.tenant, "address", host, out));
            return;
        }
        match address.ip {
            Some(ip @ IpAddr::V6(_)) => draft.set(column, &ip.to_string()),
            Some(ip) if host.contains(':') => draft.set(column, &ip.to_string()),
            // Only a name may hold anything.
            None if redact::holds_credential(host) => {
                draft.write(column, |out| policy.key.fingerprint(host, out));
                draft.flag(ParseFlags::REDACTED, true);
            }
            _ => draft.set(column, host),
        }
    }

    /// The principal, its hash, and the identities beside it.
    fn principal(&mut self, record: &Record<'_>, client: Option<IpAddr>, draft: &mut Draft<'_>) {
        for (raw, column) in [
            (Raw::IdCredential, Text::CredentialId),
            (Raw::IdClient, Text::ClientAppId),
            (Raw::IdApplication, Text::ClientAppId),
            (Raw::IdCertificate, Text::TlsClientSubject),
            (Raw::IdSession, Text::SessionId),
        ] {
            if let Some(filled) = record.filled(Slot::Raw(raw))
                && let Some(id) = record.text_of(filled.value)
                && !identity::is_sentinel(id)
            {
                self.name(column, id, filled.field.how == How::Secret, draft);
            }
        }
        let address = draft.text(Text::ClientAddress);
        let resolved = identity::resolve(record, draft.event.status(), address);
        match resolved.named {
            Some(named) if !resolved.is_claimed => {
                (
                    draft.event.principal_type,
                    draft.event.principal_trust,
                    draft.event.principal_source,
                ) = (named.kind, named.trust, named.source);
                self.named(Text::PrincipalId, named, draft);
                draft.flag(ParseFlags::SHARED_IDENTITY, identity::is_shared(&named));
                // A user name beside a better identity is that identity's name.
                let user =
                    record.text(Slot::Raw(Raw::IdUser)).filter(|it| !identity::is_sentinel(it));
                if let (Some(user), false) = (user, draft.event.has_text(Text::PrincipalName))
                    && user != named.id
                {
                    self.name(Text::PrincipalName, user, identity::is_key(user), draft);
                }
                if let Some(claimed) = record.text(Slot::Text(Text::PrincipalClaimed)) {
                    self.name(Text::PrincipalClaimed, claimed, false, draft);
                }
            }
            named => {
                if let Some(named) = named {
                    self.named(Text::PrincipalClaimed, named, draft);
                    EventBatch::clear_text(&mut draft.event, Text::PrincipalName);
                }
                let by_net = self.policy.group_by_network && client.is_some();
                let (column, by) = if by_net {
                    (Text::ClientNet, BY_NETWORK)
                } else {
                    (Text::ClientAddress, BY_ADDRESS)
                };
                let by = draft.event.has_text(column).then_some(by);
                (
                    draft.event.principal_type,
                    draft.event.principal_trust,
                    draft.event.principal_source,
                ) = resolved.by_source(by);
                match by {
                    Some(_) => EventBatch::alias_text(&mut draft.event, Text::PrincipalId, column),
                    None => draft.set(Text::PrincipalId, ANONYMOUS),
                }
            }
        }
        let mut hasher = SipHasher13::new_with_keys(0, 0);
        hasher.write(draft.text(Text::TenantId).unwrap_or("").as_bytes());
        hasher.write(&[0xff]);
        hasher.write(draft.text(Text::PrincipalId).unwrap_or("").as_bytes());
        draft.event.principal_hash = hasher.finish();
    }

    /// Who acts on the principal's behalf, the one that called first; nobody acts for itself.
    fn actors(&mut self, record: &Record<'_>, draft: &mut Draft<'_>) {
        const ACTORS: [Raw; 3] = [Raw::Actor, Raw::EarlierActor, Raw::EarliestActor];
        if draft.event.has_text(Text::ActorChain) {
            return;
        }
        self.scratch.clear();
        let mut before = draft.text(Text::PrincipalId).unwrap_or_default();
        let mut is_redacted = false;
        for actor in ACTORS.into_iter().filter_map(|it| record.text(Slot::Raw(it))) {
            let actor = actor.trim();
            if identity::is_sentinel(actor) || actor == before {
                continue;
            }
            before = actor;
            let (actor, _) = redact::cut(actor, IDENTITY_BYTES_MAX);
            let separator = if self.scratch.is_empty() { "" } else { "," };
            self.scratch.push_str(separator);
            let Policy { key, tenant, pseudonymize, .. } = self.policy;
            if redact::holds_credential(actor) {
                key.fingerprint(actor, &mut self.scratch);
                is_redacted = true;
            } else if *pseudonymize {
                key.pseudonym(tenant, "principal", actor, &mut self.scratch);
            } else {
                // A chain is read again by these.
                self.scratch
                    .extend(actor.chars().map(|it| if matches!(it, ',' | '>') { '_' } else { it }));
            }
        }
        draft.flag(ParseFlags::REDACTED, is_redacted);
        draft.set(Text::ActorChain, &self.scratch);
    }

    fn named(&mut self, column: Text, named: Candidate<'_>, draft: &mut Draft<'_>) {
        if let Some(issuer) = named.issuer {
            let id = format!("{issuer}|{}", named.id);
            return self.name(column, &id, named.is_secret, draft);
        }
        self.name(column, named.id, named.is_secret, draft);
    }
}

/// The text columns that need no column beside them, one bit each.
const PLAIN: u128 = {
    let derived = [
        Text::HttpRequestMethod,
        Text::HttpRequestMethodOriginal,
        Text::UrlPath,
        Text::UrlQuery,
        Text::UrlOriginal,
        Text::Endpoint,
        Text::ClientAddress,
        Text::ClientNet,
        Text::PrincipalId,
        Text::PrincipalClaimed,
    ];
    let mut bits = (1 << Text::COUNT) - 1;
    let mut index = 0;
    while index < derived.len() {
        bits &= !(1 << derived[index] as u128);
        index += 1;
    }
    bits
};

/// `00-<trace>-<span>-01`
fn traceparent(parent: &str, draft: &mut Draft<'_>) {
    let mut parts = parent.split('-').skip(1);
    for (column, length) in [(Text::TraceId, 32), (Text::SpanId, 16)] {
        let part = parts.next().unwrap_or("");
        let is_id = part.len() == length && part.bytes().all(|it| it.is_ascii_hexdigit());
        if is_id && !draft.event.has_text(column) {
            draft.set(column, part);
        }
    }
}

/// Takes over what a canonical event says about how it was read.
fn provenance(record: &Record<'_>, event: &mut Event) {
    if let Some(format) = record.text(Slot::Raw(Raw::SourceFormat)).and_then(FormatId::from_name) {
        event.source_format = format.as_str();
    }
    if let Some(Value::Int(flags)) = record.filled(Slot::Raw(Raw::ParseFlags)).map(|it| it.value) {
        event.parse_flags.insert(ParseFlags(u32::try_from(flags).unwrap_or_default() & 0x1fff));
    }
    if let Some(classes) = record.text(Slot::Raw(Raw::InjectionClasses)) {
        event.injection_classes = InjectionClasses::from_names(classes);
    }
}
