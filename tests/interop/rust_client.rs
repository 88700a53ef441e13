//! rumqttc, inside this process.

use std::collections::VecDeque;
use std::path::Path;
use std::sync::Arc;

use pintle_tests::{Broker, PATIENCE};
use rumqttc::{Outgoing, TlsConfiguration, Transport};
use rustls::pki_types::{CertificateDer, pem::PemObject};

use crate::{TCP, TLS, broker};

/// How a client connects.
#[derive(Clone, Default)]
struct Terms {
    port: u16,
    keeps_session: bool,
    has_will: bool,
    tls: Option<TlsConfiguration>,
}

/// What a client was given.
#[derive(Debug, PartialEq, Eq)]
struct Got {
    topic: String,
    payload: String,
    qos: u8,
    retain: bool,
}

/// A client of either version; nothing happens in it but while it waits for something.
trait Client: Sized {
    fn connect(client_id: &str, terms: &Terms) -> Self;
    fn session_present(&self) -> bool;
    fn subscribe(&mut self, filter: &str, qos: u8);
    fn publish(&mut self, topic: &str, payload: &str, qos: u8, retain: bool);
    fn receive(&mut self) -> Got;
    fn disconnect(self);
}

/// What differs between rumqttc's two sets of types.
mod v4 {
    pub(super) use rumqttc::mqttbytes::v4::Packet;
    pub(super) use rumqttc::{Client, Connection, Event, MqttOptions};
    use rumqttc::{LastWill, QoS};

    pub(super) fn keep_session(options: &mut MqttOptions) {
        options.set_clean_session(false);
    }

    pub(super) fn set_will(options: &mut MqttOptions) {
        options.set_last_will(LastWill::new("will", "gone", QoS::AtLeastOnce, false));
    }

    pub(super) fn qos(number: u8) -> QoS {
        rumqttc::mqttbytes::qos(number).expect("a QoS")
    }

    pub(super) fn text(topic: &str) -> String {
        topic.to_owned()
    }
}

mod v5 {
    pub(super) use rumqttc::v5::mqttbytes::v5::Packet;
    use rumqttc::v5::mqttbytes::{QoS, v5::LastWill};
    pub(super) use rumqttc::v5::{Client, Connection, Event, MqttOptions};

    pub(super) fn keep_session(options: &mut MqttOptions) {
        options.set_clean_start(false).set_session_expiry_interval(Some(3600));
    }

    pub(super) fn set_will(options: &mut MqttOptions) {
        options.set_last_will(LastWill::new("will", "gone", QoS::AtLeastOnce, false, None));
    }

    pub(super) fn qos(number: u8) -> QoS {
        rumqttc::v5::mqttbytes::qos(number).expect("a QoS")
    }

    pub(super) fn text(topic: &[u8]) -> String {
        String::from_utf8_lossy(topic).into_owned()
    }
}

macro_rules! client {
    ($name:ident, $types:ident) => {
        struct $name {
            client: $types::Client,
            connection: $types::Connection,
            session_present: bool,
            waiting: VecDeque<Got>,
        }

        impl $name {
            /// Drives the connection until `wanted` takes an event; messages are kept.
            fn until<T>(&mut self, wanted: impl Fn(&$types::Event) -> Option<T>) -> T {
                loop {
                    let event = self.connection.recv_timeout(PATIENCE).expect("an event");
                    let event = event.expect("the connection holds");
                    if let $types::Event::Incoming($types::Packet::Publish(publish)) = &event {
                        self.waiting.push_back(Got {
                            topic: $types::text(&publish.topic),
                            payload: String::from_utf8_lossy(&publish.payload).into_owned(),
                            qos: publish.qos as u8,
                            retain: publish.retain,
                        });
                    }
                    if let Some(found) = wanted(&event) {
                        return found;
                    }
                }
            }
        }

        impl Client for $name {
            fn connect(client_id: &str, terms: &Terms) -> Self {
                let mut options = $types::MqttOptions::new(client_id, "localhost", terms.port);
                if terms.keeps_session {
                    $types::keep_session(&mut options);
                }
                if terms.has_will {
                    $types::set_will(&mut options);
                }
                if let Some(tls) = &terms.tls {
                    options.set_transport(Transport::tls_with_config(tls.clone()));
                }
                let (client, connection) = $types::Client::new(options, 10);
                let waiting = VecDeque::new();
                let mut client = Self { client, connection, session_present: false, waiting };
                client.session_present = client.until(|event| match event {
                    $types::Event::Incoming($types::Packet::ConnAck(connack)) => {
                        Some(connack.session_present)
                    }
                    _ => None,
                });
                client
            }

            fn session_present(&self) -> bool {
                self.session_present
            }

            fn subscribe(&mut self, filter: &str, qos: u8) {
                self.client.subscribe(filter, $types::qos(qos)).expect("taken");
                self.until(|event| match event {
                    $types::Event::Incoming($types::Packet::SubAck(_)) => Some(()),
                    _ => None,
                });
            }

            fn publish(&mut self, topic: &str, payload: &str, qos: u8, retain: bool) {
                let level = $types::qos(qos);
                self.client.publish(topic, level, retain, payload.to_owned()).expect("taken");
                self.until(|event| {
                    let is_done = match event {
                        $types::Event::Outgoing(Outgoing::Publish(_)) => qos == 0,
                        $types::Event::Incoming($types::Packet::PubAck(_)) => qos == 1,
                        $types::Event::Incoming($types::Packet::PubComp(_)) => qos == 2,
                        _ => false,
                    };
                    is_done.then_some(())
                });
            }

            fn receive(&mut self) -> Got {
                while self.waiting.is_empty() {
                    self.until(|_| Some(()));
                }
                self.waiting.pop_front().expect("it is not empty")
            }

            fn disconnect(mut self) {
                self.client.disconnect().expect("taken");
                // Ends with an error, since the broker closes.
                while let Ok(Ok(_)) = self.connection.recv_timeout(PATIENCE) {}
            }
        }
    };
}

client!(ClientOf311, v4);
client!(ClientOf5, v5);

fn got(topic: &str, payload: &str, qos: u8, retain: bool) -> Got {
    Got { topic: topic.to_owned(), payload: payload.to_owned(), qos, retain }
}

/// Everything that a client does, over whatever `terms` say.
fn runs_through<C: Client>(terms: &Terms) {
    let mut client = C::connect("client", terms);
    client.subscribe("greetings/+", 2);
    for qos in 0..=2 {
        client.publish("greetings/world", "hello", qos, false);
        assert_eq!(client.receive(), got("greetings/world", "hello", qos, false));
    }
    client.publish("state", "kept", 1, true);
    client.subscribe("state", 1);
    assert_eq!(client.receive(), got("state", "kept", 1, true));

    client.subscribe("will", 1);
    drop(C::connect("mortal", &Terms { has_will: true, ..terms.clone() }));
    assert_eq!(client.receive(), got("will", "gone", 1, false));

    let keeping = Terms { keeps_session: true, ..terms.clone() };
    let mut keeper = C::connect("keeper", &keeping);
    assert!(!keeper.session_present());
    keeper.subscribe("news", 2);
    keeper.disconnect();
    client.publish("news", "1", 1, false);
    client.publish("news", "2", 2, false);
    let mut keeper = C::connect("keeper", &keeping);
    assert!(keeper.session_present());
    assert_eq!(keeper.receive(), got("news", "1", 1, false));
    assert_eq!(keeper.receive(), got("news", "2", 2, false));
    keeper.disconnect();

    let mut members = [C::connect("one", terms), C::connect("two", terms)];
    for member in &mut members {
        member.subscribe("$share/group/work", 1);
    }
    for number in 0..10 {
        client.publish("work", &number.to_string(), 1, false);
    }
    let mut all: Vec<String> =
        members.iter_mut().flat_map(|member| [(); 5].map(|()| member.receive().payload)).collect();
    all.sort();
    assert_eq!(all, ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"]);
    for member in members {
        member.disconnect();
    }
    client.disconnect();
}

fn plain(broker: &Broker) -> Terms {
    Terms { port: broker.listener(TCP).port(), ..Terms::default() }
}

fn over_tls(broker: &Broker, ca: &Path) -> Terms {
    let mut roots = rustls::RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(ca).expect("a certificate")).expect("it is added");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("ring has them")
        .with_root_certificates(roots)
        .with_no_client_auth();
    Terms {
        port: broker.listener(TLS).port(),
        tls: Some(TlsConfiguration::Rustls(Arc::new(config))),
        ..Terms::default()
    }
}

#[test]
fn rumqttc_speaks_3_1_1() {
    let (broker, _tls) = broker();
    runs_through::<ClientOf311>(&plain(&broker));
}

#[test]
fn rumqttc_speaks_5() {
    let (broker, _tls) = broker();
    runs_through::<ClientOf5>(&plain(&broker));
}

#[test]
fn rumqttc_speaks_3_1_1_over_tls() {
    let (broker, tls) = broker();
    runs_through::<ClientOf311>(&over_tls(&broker, &tls.ca));
}

#[test]
fn rumqttc_speaks_5_over_tls() {
    let (broker, tls) = broker();
    runs_through::<ClientOf5>(&over_tls(&broker, &tls.ca));
}
