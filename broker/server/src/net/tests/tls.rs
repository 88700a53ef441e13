use std::net::TcpStream;

use rcgen::generate_simple_self_signed;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, ServerConfig, StreamOwned};

use super::client::{narrow_tcp, pattern, publish_packet, tcp};
use super::slow_receivers::{MESSAGES, message};
use super::*;

pub(super) struct Certified {
    pub(super) server: Arc<ServerConfig>,
    client: Arc<ClientConfig>,
}

pub(super) type TlsStream = StreamOwned<ClientConnection, TcpStream>;

impl Certified {
    pub(super) fn new() -> Self {
        Self::for_versions(rustls::ALL_VERSIONS)
    }

    fn for_versions(versions: &[&'static rustls::SupportedProtocolVersion]) -> Self {
        let certified = generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let key = PrivatePkcs8KeyDer::from(certified.signing_key.serialize_der());
        let certificate = certified.cert.der().clone();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let server = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.clone()], PrivateKeyDer::from(key))
            .unwrap();
        let mut roots = RootCertStore::empty();
        roots.add(certificate).unwrap();
        let client = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(versions)
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        Self { server: Arc::new(server), client: Arc::new(client) }
    }

    pub(super) fn over(&self, stream: TcpStream) -> TlsStream {
        let name = ServerName::try_from("localhost").unwrap();
        StreamOwned::new(ClientConnection::new(Arc::clone(&self.client), name).unwrap(), stream)
    }

    fn listener(&self) -> ListenerSpec {
        ListenerSpec { tls: Some(Arc::clone(&self.server)), ..plain() }
    }
}

#[test]
fn messages_of_every_length_pass_through_each_version_of_tls() {
    for version in rustls::ALL_VERSIONS {
        let certified = Certified::for_versions(&[version]);
        let broker = TestBroker::with(settings(), certified.listener());
        let mut client = Client::over(certified.over(tcp(broker.address)), "a");
        client.subscribe("t", 0);

        for len in [0, 1, 100, 16_384, 65_536, 200_000, 1_000_000] {
            client.publish("t", &pattern(len));
            assert_eq!(client.receive_payload("t"), pattern(len));
        }
    }
}

#[test]
fn packets_cut_anywhere_into_records_come_whole() {
    let certified = Certified::new();
    let broker = TestBroker::with(settings(), certified.listener());
    let mut client = Client::over(certified.over(tcp(broker.address)), "a");
    client.subscribe("t", 0);

    let packet = publish_packet("t", b"record by record");
    for at in 1..packet.len() {
        client.send(&packet[..at]);
        client.send(&packet[at..]);
        assert_eq!(client.receive_payload("t"), b"record by record");
    }
}

#[test]
fn plain_and_tls_clients_on_two_workers_reach_each_other() {
    let certified = Certified::new();
    let broker = TestBroker::with(NetSettings { workers: 2, ..settings() }, certified.listener());
    let plain_address = broker.net.listen(plain()).unwrap();
    let mut secure: Vec<_> = (0..2)
        .map(|n| Client::over(certified.over(tcp(broker.address)), &format!("secure {n}")))
        .collect();
    let mut open: Vec<_> =
        (0..2).map(|n| Client::connect(plain_address, &format!("open {n}"))).collect();
    secure.iter_mut().for_each(|client| client.subscribe("t", 0));
    open.iter_mut().for_each(|client| client.subscribe("t", 0));

    for round in 0..100_u8 {
        secure[usize::from(round % 2)].publish("t", &[round]);
        open[usize::from(round % 2)].publish("t", &[round]);
        for _ in 0..2 {
            assert!(secure.iter_mut().all(|client| client.receive_payload("t") == [round]));
            assert!(open.iter_mut().all(|client| client.receive_payload("t") == [round]));
        }
    }
}

#[test]
fn a_tls_receiver_that_pauses_gets_everything_in_order() {
    let certified = Certified::new();
    let broker = TestBroker::with(NetSettings { workers: 2, ..settings() }, certified.listener());
    let mut receiver = Client::over(certified.over(narrow_tcp(broker.address)), "receiver");
    receiver.subscribe("t", 1);
    let mut publisher = Client::over(certified.over(tcp(broker.address)), "publisher");

    for number in 0..MESSAGES {
        publisher.publish_acknowledged("t", &message(number));
    }

    for number in 0..MESSAGES {
        assert_eq!(receiver.receive_acknowledging("t"), message(number));
    }
}

#[test]
fn last_words_and_the_end_of_the_stream_pass_through_tls() {
    let certified = Certified::new();
    let broker = TestBroker::with(settings(), certified.listener());
    let mut client = Client::v5_over(certified.over(tcp(broker.address)), "a");

    client.send(&[0xc1, 0]);

    let disconnect = client.receive();
    assert_eq!((disconnect.first_byte, disconnect.body[0]), (0xe0, 0x81));
    // Without the close_notify that ends a TLS stream this would be an error.
    client.receive_end();
}

#[test]
fn a_client_that_does_not_speak_tls_is_ended() {
    let certified = Certified::new();
    let broker = TestBroker::with(settings(), certified.listener());
    let mut client = Client::silent(tcp(broker.address));

    client.send(&client::connect_packet(4, "a", 0));

    assert_eq!(client.receive_alert(), 0x15);
    broker.wait_until_empty();
}

#[test]
fn half_a_tls_handshake_is_ended_in_time() {
    let certified = Certified::new();
    let settings = NetSettings { handshake_timeout: Duration::from_millis(200), ..settings() };
    let broker = TestBroker::with(settings, certified.listener());
    let mut client = Client::silent(tcp(broker.address));

    client.send(&[0x16, 0x03, 0x01]);

    assert!(client.is_ended());
}
