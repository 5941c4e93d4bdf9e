//! A second broker, whose listeners want passwords, tokens and certificates, and some of which are bad.

use super::certificates::Authority;
use super::kafka::{JAVA, Kafka};
use super::{install, kafka, unique};
use std::fmt::Write as _;
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};

/// The password of every user.
pub(crate) const PASSWORD: &str = "tiger-of-the-tests";
/// Users of SCRAM. All may do everything but `stranger`; `leaver` is there to be removed.
const USERS: [&str; 3] = ["habitus", "stranger", "leaver"];
/// The listeners, with the protocol and the settings of each.
const LISTENERS: [(&str, &str, &str); 7] = [
    ("LOCAL", "PLAINTEXT", ""),
    ("SCRAM", "SASL_PLAINTEXT", SASL),
    ("SECURE", "SASL_SSL", SASL),
    ("TLS", "SSL", ""),
    ("MTLS", "SSL", "ssl.client.auth=required"),
    ("EXPIRED", "SSL", ""),
    ("OTHER", "SSL", ""),
];
/// Who may come in by SASL. Sessions of `SCRAM-SHA-256` must say again who they are.
const SASL: &str = "\
sasl.enabled.mechanisms=SCRAM-SHA-256,SCRAM-SHA-512,PLAIN,OAUTHBEARER
scram-sha-256.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;
scram-sha-256.connections.max.reauth.ms=4000
scram-sha-512.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;
plain.sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required \
user_habitus=\"tiger-of-the-tests\";
oauthbearer.sasl.jaas.config=org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule \
required unsecuredLoginStringClaim_sub=\"broker\";
oauthbearer.connections.max.reauth.ms=4000";

/// The broker, and what its clients need.
pub(crate) struct SecureKafka {
    /// The broker, by the listener that wants nothing.
    pub(crate) open: Kafka,
    ports: Vec<u16>,
    home: PathBuf,
}

impl SecureKafka {
    pub(super) fn start() -> Result<Self, String> {
        let mut failed = String::new();
        for _ in 0..kafka::STARTS_MAX {
            // All are taken at once, so that they differ.
            let taken: Vec<_> = (0..=LISTENERS.len())
                .map(|_| TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap())
                .collect();
            let ports: Vec<_> = taken.iter().map(|it| it.local_addr().unwrap().port()).collect();
            drop(taken);
            let dir = kafka::directory()?;
            certificates(dir.path());
            let (home, text) = (dir.path().to_owned(), configuration(dir.path(), &ports));
            let scram = USERS.iter().flat_map(|user| {
                ["SCRAM-SHA-256", "SCRAM-SHA-512"]
                    .map(|kind| format!("--add-scram {kind}=[name={user},password={PASSWORD}]"))
            });
            let more = scram.collect::<Vec<_>>().join(" ");
            match Kafka::start_as(dir, &format!("127.0.0.1:{}", ports[0]), &text, &more) {
                Ok(open) => return Ok(Self { open, ports, home }),
                Err(reason) => failed = reason,
            }
        }
        Err(failed)
    }

    /// `localhost:port` of a listener.
    #[track_caller]
    pub(crate) fn server(&self, listener: &str) -> String {
        let place = LISTENERS.iter().position(|(name, ..)| *name == listener).unwrap();
        format!("localhost:{}", self.ports[place])
    }

    /// One of the files that clients are given: `ca.pem`, `other-ca.pem`, `client.pem`,
    /// `client.key`, `stranger.pem`, `stranger.key`.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.home.join(name)
    }

    /// Takes a user's password away, as an administrator does.
    #[track_caller]
    pub(crate) fn remove(&self, user: &str) {
        let home = install::installed(&format!("kafka-{}", kafka::VERSION), kafka::fill).unwrap();
        let class_path = format!("{}/libs/*", home.display());
        for kind in ["SCRAM-SHA-256", "SCRAM-SHA-512"] {
            let command = ["java", "-Xmx128m", JAVA[1], JAVA[2], "-cp", &class_path];
            let more = ["kafka.admin.ConfigCommand", "--bootstrap-server", &self.open.bootstrap];
            let change = ["--alter", "--delete-config", kind, "--entity-type", "users"];
            let whom = ["--entity-name", user];
            install::run(&[&command[..], &more, &change, &whom].concat()).unwrap();
        }
    }

    /// A topic with these records, one a line.
    #[track_caller]
    pub(crate) fn topic(&self, name: &str, lines: &[String]) -> String {
        let name = unique(name);
        self.open.create_topic(&name, 1, &[]);
        let records =
            lines.iter().map(|it| kafka::Record { payload: it.as_bytes(), ..Default::default() });
        self.open.produce(&name, records);
        name
    }
}

/// Whatever the broker and its clients are given.
fn certificates(dir: &Path) {
    let write = |name: &str, text: &str| std::fs::write(dir.join(name), text).unwrap();
    let (ours, other) = (Authority::new("tests"), Authority::new("somebody else"));
    write("ca.pem", &ours.pem);
    write("other-ca.pem", &other.pem);
    write("broker.pem", &ours.sign("localhost").both());
    write("expired.pem", &ours.sign_expired("localhost").both());
    write("elsewhere.pem", &ours.sign("kafka.example").both());
    for (name, signed) in [("client", ours.sign("habitus")), ("stranger", other.sign("habitus"))] {
        write(&format!("{name}.pem"), &signed.certificate);
        write(&format!("{name}.key"), &signed.key);
    }
}

/// One node that is broker and controller, as the other, with listeners for every kind of client.
fn configuration(dir: &Path, ports: &[u16]) -> String {
    let controller = ports[LISTENERS.len()];
    let all: Vec<_> = LISTENERS.iter().zip(ports).collect();
    let each = |write: &dyn Fn(&str, &str, u16) -> String| {
        let each = all.iter().map(|((name, protocol, _), port)| write(name, protocol, **port));
        each.collect::<Vec<_>>().join(",")
    };
    let mut text = kafka::common(&format!("127.0.0.1:{controller}"));
    let listeners = each(&|name, _, port| format!("{name}://127.0.0.1:{port}"));
    let advertised = each(&|name, _, port| format!("{name}://localhost:{port}"));
    let protocols = each(&|name, protocol, _| format!("{name}:{protocol}"));
    write!(
        text,
        "listeners={listeners},CONTROLLER://127.0.0.1:{controller}
advertised.listeners={advertised}
listener.security.protocol.map={protocols},CONTROLLER:PLAINTEXT
inter.broker.listener.name=LOCAL
authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
super.users=User:ANONYMOUS;User:habitus;User:leaver;User:CN=habitus
ssl.keystore.type=PEM
ssl.keystore.location={dir}/broker.pem
ssl.truststore.type=PEM
ssl.truststore.location={dir}/ca.pem
listener.name.expired.ssl.keystore.type=PEM
listener.name.expired.ssl.keystore.location={dir}/expired.pem
listener.name.other.ssl.keystore.type=PEM
listener.name.other.ssl.keystore.location={dir}/elsewhere.pem
",
        dir = dir.display()
    )
    .unwrap();
    for (name, _, settings) in LISTENERS {
        for setting in settings.lines() {
            writeln!(text, "listener.name.{}.{setting}", name.to_lowercase()).unwrap();
        }
    }
    text
}
