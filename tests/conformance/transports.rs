//! TLS and WebSocket (6), and peers that misuse them.

use std::path::Path;

use pintle_tests::wire::{Connect, Encode, Packet, Publish, ping};
use pintle_tests::{
    Broker, Client, TlsFiles, V5, V311, Version, over_tcp, over_tls, over_web_socket, web_socket,
};
use tungstenite::Message;

use crate::PINTLE;

const MQTT: (&str, &str) = ("Sec-WebSocket-Protocol", "mqtt");

/// Listeners in this order: TCP, TLS, WebSocket, WebSocket over TLS.
struct House {
    broker: Broker,
    tls: TlsFiles,
}

fn house() -> House {
    house_with("")
}

fn house_with(settings: &str) -> House {
    let mut files = None;
    let broker = PINTLE.prepare(|folder: &Path| {
        files = Some(TlsFiles::write_into(folder).expect("certificates are made"));
        let tls = "tls = { cert = \"cert.pem\", key = \"key.pem\" }";
        let web = "protocol = \"websocket\"";
        let bind = "[[listener]]\nbind = \"127.0.0.1:0\"";
        format!("{bind}\n{bind}\n{tls}\n{bind}\n{web}\n{bind}\n{web}\n{tls}\n{settings}")
    });
    House { broker, tls: files.expect("certificates were made") }
}

impl House {
    /// A connection over each transport.
    fn everywhere(&self, version: Version) -> [Client; 4] {
        let ca = Some(self.tls.ca.as_path());
        [
            over_tcp(self.broker.listener(0)).expect("TCP"),
            over_tls(self.broker.listener(1), &self.tls.ca).expect("TLS"),
            over_web_socket(self.broker.listener(2), None, &[MQTT]).expect("WebSocket"),
            over_web_socket(self.broker.listener(3), ca, &[MQTT]).expect("WebSocket over TLS"),
        ]
        .map(|stream| Client::over(stream, version))
    }
}

#[test]
fn every_transport_serves_every_version_at_every_qos() {
    let house = house();
    for version in Version::ALL {
        let mut clients = house.everywhere(version);
        for (number, client) in clients.iter_mut().enumerate() {
            client.connects(&Connect::new(format!("c{number}")));
            client.subscribes("t", 2);
        }
        for sender in 0..clients.len() {
            for qos in 0..=2 {
                clients[sender].publishes_at(qos, "t", &format!("{sender} {qos}"));
                for client in &mut clients {
                    assert_eq!(client.receives("t", &format!("{sender} {qos}")).qos, qos);
                }
            }
        }
        for client in clients {
            client.disconnects();
        }
    }
}

#[test]
fn a_megabyte_goes_over_every_transport() {
    let house = house();
    let payload = "0123456789abcdef".repeat(60_000);
    for mut client in house.everywhere(V5) {
        client.connects(&Connect::new("c"));
        client.subscribes("t", 1);
        client.publishes_at(1, "t", &payload);
        assert!(client.takes().text() == payload);
        client.receives_nothing();
        client.disconnects();
    }
}

#[test]
fn a_session_may_go_on_over_another_transport() {
    let house = house();
    let keeping = Connect::new("c").keeping_its_session();
    let [mut tcp, mut tls, mut web, mut web_tls] = house.everywhere(V5);
    tcp.connects(&keeping);
    tcp.subscribes("t", 1);
    for next in [&mut tls, &mut web, &mut web_tls] {
        assert!(next.connects(&keeping).session_present);
        house.broker.v5("p").publishes_at(1, "t", "x");
        next.receives("t", "x");
        next.is_heard();
    }
    tcp.is_refused_with(0x8E);
    tls.is_refused_with(0x8E);
    web.is_refused_with(0x8E);
}

#[test]
fn wills_are_sent_whatever_the_transport() {
    let house = house();
    let mut watch = house.broker.v5("watch");
    watch.subscribes("will", 0);
    for mut client in house.everywhere(V311) {
        client.connects(&Connect::new("c").will(pintle_tests::wire::Will::new("will", "gone")));
        client.drops();
        watch.receives("will", "gone");
    }
}

#[test]
fn a_client_that_does_not_trust_the_authority_does_not_get_through() {
    let house = house();
    let other = tempfile_with_another_authority();
    let stranger = over_tls(house.broker.listener(1), &other.1.ca);
    let refused = match stranger {
        Err(_) => true,
        Ok(stream) => {
            let mut client = Client::over(stream, V5);
            client.try_send_raw(&Connect::new("c").encode(V5)).is_err()
        }
    };
    assert!(refused);
    house.broker.v5("c").receives_nothing();
}

fn tempfile_with_another_authority() -> (tempfile::TempDir, TlsFiles) {
    let folder = tempfile::TempDir::new().expect("a folder");
    let files = TlsFiles::write_into(folder.path()).expect("certificates are made");
    (folder, files)
}

#[test]
fn mqtt_without_tls_at_a_tls_listener_is_turned_away() {
    let house = house();
    for place in [1, 3] {
        let mut client = house.broker.open_at(place, V311);
        client.send(&Connect::new("c"));
        client.goes_away();
    }
    let mut client = house.broker.open_at(2, V311);
    client.send(&Connect::new("c"));
    client.send_raw(b"\r\n\r\n");
    client.goes_away();
}

#[test]
fn peers_that_never_finish_their_handshake_are_closed_and_harm_nobody() {
    let house = house_with("[limits]\nhandshake_secs = 1\n");
    let openings: [&[u8]; 4] = [b"\x10", b"\x16\x03\x01", b"GET /mqtt HT", b"\x16"];
    let mut peers: Vec<Client> = (0..40)
        .map(|number| {
            let mut peer = house.broker.open_at(number % 4, V311);
            peer.send_raw(openings[number % 4]);
            peer
        })
        .collect();
    let mut client = house.broker.v5("c");
    client.subscribes("t", 0);
    client.publishes("t", "x");
    client.receives("t", "x");
    for peer in &mut peers {
        peer.goes_away();
    }
    client.receives_nothing();
}

/// [MQTT-6.0.0-2]
#[test]
fn packets_may_be_split_and_joined_anywhere_in_frames() {
    let house = house();
    let stream = over_web_socket(house.broker.listener(2), None, &[MQTT]).expect("WebSocket");
    let mut client = Client::over(stream, V5);
    for byte in Connect::new("c").encode(V5) {
        client.send_raw(&[byte]);
    }
    assert_eq!(client.expect_connack().code, 0);
    client.subscribes("t", 0);
    let publish = Publish::new("t", "x").encode(V5);
    client.send_raw(&[publish.repeat(3), publish[..3].to_vec()].concat());
    client.send_raw(&[]);
    client.send_raw(&[publish[3..].to_vec(), ping()].concat());
    for _ in 0..4 {
        client.receives("t", "x");
    }
    assert_eq!(client.next_packet(), Some(Packet::PingResp));
}

#[test]
fn frames_of_every_length_are_taken() {
    let house = house();
    let stream = over_web_socket(house.broker.listener(2), None, &[MQTT]).expect("WebSocket");
    let mut client = Client::over(stream, V5);
    client.connects(&Connect::new("c"));
    client.subscribes("t", 0);
    for len in [0, 100, 118, 119, 120, 125, 126, 127, 65_000, 65_535, 65_536, 200_000] {
        let payload = "x".repeat(len);
        client.publishes("t", &payload);
        assert_eq!(client.takes().payload.len(), len);
    }
}

/// [MQTT-6.0.0-1]
#[test]
fn a_text_frame_ends_the_connection() {
    let house = house();
    let mut socket = web_socket(house.broker.listener(2), None, &[MQTT]).expect("WebSocket");
    let connect = Connect::new("c").encode(V5);
    socket.send(Message::Binary(connect.into())).expect("sent");
    assert!(matches!(socket.read(), Ok(Message::Binary(_))));
    socket.send(Message::Text("text".into())).expect("sent");
    assert!(ends(&mut socket));
}

type WebSocket = tungstenite::WebSocket<Box<dyn pintle_tests::Socket>>;

/// Whether the broker ends a WebSocket before it sends any more binary frames but the last word.
fn ends(socket: &mut WebSocket) -> bool {
    (0..3).any(|_| !matches!(socket.read(), Ok(Message::Binary(_) | Message::Pong(_))))
}

#[test]
fn pings_of_websocket_are_answered_and_a_close_is_taken() {
    let house = house();
    let mut socket = web_socket(house.broker.listener(2), None, &[MQTT]).expect("WebSocket");
    socket.send(Message::Ping(b"hello".to_vec().into())).expect("sent");
    assert!(matches!(socket.read(), Ok(Message::Pong(data)) if data.as_ref() == b"hello"));
    socket.send(Message::Binary(Connect::new("c").encode(V5).into())).expect("sent");
    assert!(matches!(socket.read(), Ok(Message::Binary(_))));
    socket.close(None).expect("a close is sent");
    assert!(ends(&mut socket));
}

/// [MQTT-6.0.0-3] [MQTT-6.0.0-4]
#[test]
fn the_subprotocol_is_mqtt() {
    let house = house();
    let address = house.broker.listener(2);
    for offer in ["mqtt", "other, mqtt", "mqtt, mqttv3.1"] {
        over_web_socket(address, None, &[("Sec-WebSocket-Protocol", offer)]).expect(offer);
    }
    assert!(over_web_socket(address, None, &[("Sec-WebSocket-Protocol", "chat")]).is_err());
    assert!(over_web_socket(address, None, &[]).is_err());
}

#[test]
fn a_page_of_another_origin_may_not_connect() {
    let house = house();
    let address = house.broker.listener(2);
    let own = format!("http://localhost:{}", address.port());
    let from = |origin: &str| over_web_socket(address, None, &[MQTT, ("Origin", origin)]).is_ok();
    assert!(from(&own));
    for foreign in ["http://example.org", "https://evil.localhost.example", "null"] {
        assert!(!from(foreign), "{foreign}");
    }
}

#[test]
fn origins_may_be_allowed() {
    let broker = PINTLE.prepare(|_: &Path| {
        let web = "[[listener]]\nbind = \"127.0.0.1:0\"\nprotocol = \"websocket\"\n";
        format!(
            "{web}allowed_origins = [\"https://example.org\"]\n{web}allowed_origins = \"any\"\n"
        )
    });
    let from = |place, origin: &str| {
        over_web_socket(broker.listener(place), None, &[MQTT, ("Origin", origin)]).is_ok()
    };
    assert!(from(0, "https://example.org"));
    assert!(!from(0, "https://example.com"));
    assert!(from(1, "https://example.com"));
}

#[test]
fn http_that_is_no_websocket_gets_an_answer_and_no_more() {
    let house = house();
    let stream = over_tcp(house.broker.listener(2)).expect("TCP");
    let mut client = Client::over(stream, V5);
    client.send_raw(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
    let answer = client.all_bytes();
    assert!(answer.starts_with(b"HTTP/1.1 4"), "{}", String::from_utf8_lossy(&answer));
}
