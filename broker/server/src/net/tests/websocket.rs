use std::io::{self, Read, Write};
use std::net::SocketAddr;

use tungstenite::client::IntoClientRequest;
use tungstenite::http::HeaderValue;
use tungstenite::protocol::CloseFrame;
use tungstenite::protocol::frame::coding::CloseCode;
use tungstenite::{ClientHandshake, Message, WebSocket};

use super::client::{narrow_tcp, pattern, publish_packet, tcp};
use super::slow_receivers::{MESSAGES, message};
use super::tls::Certified;
use super::*;

/// A client's WebSocket as a stream of bytes: each write is a message, messages read are joined.
struct WebStream<S> {
    socket: WebSocket<S>,
    unread: Vec<u8>,
}

impl<S: Read + Write> WebStream<S> {
    fn open(stream: S, host: SocketAddr) -> Self {
        let mut request = format!("ws://{host}/mqtt").into_client_request().unwrap();
        let protocol = HeaderValue::from_static("mqtt");
        request.headers_mut().insert("Sec-WebSocket-Protocol", protocol.clone());
        let (socket, response) =
            ClientHandshake::start(stream, request, None).unwrap().handshake().ok().unwrap();
        assert_eq!(response.headers().get("Sec-WebSocket-Protocol"), Some(&protocol));
        Self { socket, unread: Vec::new() }
    }
}

impl<S: Read + Write> Read for WebStream<S> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.unread.is_empty() {
            match self.socket.read() {
                Ok(Message::Binary(bytes)) => self.unread = bytes.to_vec(),
                Ok(Message::Close(_)) => return Ok(0),
                Ok(_) => {}
                Err(error) => return Err(io::Error::other(error)),
            }
        }
        let len = buffer.len().min(self.unread.len());
        buffer[..len].copy_from_slice(&self.unread[..len]);
        self.unread.drain(..len);
        Ok(len)
    }
}

impl<S: Read + Write> Write for WebStream<S> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.socket.write(Message::binary(bytes.to_vec())).map_err(io::Error::other)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.socket.flush().map_err(io::Error::other)
    }
}

fn connect(broker: &TestBroker, id: &str) -> Client<WebStream<std::net::TcpStream>> {
    Client::over(WebStream::open(tcp(broker.address), broker.address), id)
}

#[test]
fn messages_of_every_length_pass_through_websocket_frames() {
    let broker = TestBroker::with(settings(), web());
    let mut client = connect(&broker, "a");
    client.subscribe("t", 0);

    for len in [0, 1, 100, 125, 126, 65_535, 65_536, 200_000, 1_000_000] {
        client.publish("t", &pattern(len));
        assert_eq!(client.receive_payload("t"), pattern(len));
    }
}

/// [MQTT-6.0.0-2]
#[test]
fn packets_need_not_begin_or_end_with_a_frame() {
    let broker = TestBroker::with(settings(), web());
    let mut client = connect(&broker, "a");
    client.subscribe("t", 0);

    let packet = publish_packet("t", b"frame by frame");
    for at in 1..packet.len() {
        client.send(&packet[..at]);
        let mut joined = packet[at..].to_vec();
        joined.extend(&packet);
        client.send(&joined);
        assert_eq!(client.receive_payload("t"), b"frame by frame");
        assert_eq!(client.receive_payload("t"), b"frame by frame");
    }
}

#[test]
fn messages_pass_through_websocket_over_tls() {
    let certified = Certified::new();
    let spec = ListenerSpec { tls: Some(Arc::clone(&certified.server)), ..web() };
    let broker = TestBroker::with(settings(), spec);
    let stream = WebStream::open(certified.over(tcp(broker.address)), broker.address);
    let mut client = Client::over(stream, "a");
    client.subscribe("t", 0);

    for len in [0, 100, 16_384, 70_000, 1_000_000] {
        client.publish("t", &pattern(len));
        assert_eq!(client.receive_payload("t"), pattern(len));
    }
    client.send(&[0xe0, 0]);
    client.receive_end();
}

#[test]
fn a_websocket_receiver_that_pauses_gets_everything_in_order() {
    let broker = TestBroker::with(NetSettings { workers: 2, ..settings() }, web());
    let stream = WebStream::open(narrow_tcp(broker.address), broker.address);
    let mut receiver = Client::over(stream, "receiver");
    receiver.subscribe("t", 1);
    let mut publisher = connect(&broker, "publisher");

    for number in 0..MESSAGES {
        publisher.publish_acknowledged("t", &message(number));
    }

    for number in 0..MESSAGES {
        assert_eq!(receiver.receive_acknowledging("t"), message(number));
    }
}

/// [MQTT-6.0.0-1]
#[test]
fn a_text_frame_ends_the_connection_with_its_code() {
    let broker = TestBroker::with(settings(), web());
    let mut socket = WebStream::open(tcp(broker.address), broker.address).socket;

    socket.send(Message::text("CONNECT, please")).unwrap();

    let Message::Close(Some(CloseFrame { code, .. })) = socket.read().unwrap() else {
        panic!("something other than a Close frame");
    };
    assert_eq!(code, CloseCode::Unsupported);
    broker.wait_until_empty();
}

#[test]
fn a_ping_is_answered_before_and_after_connect() {
    let broker = TestBroker::with(settings(), web());
    let mut socket = WebStream::open(tcp(broker.address), broker.address).socket;

    socket.send(Message::Ping("are you there".into())).unwrap();

    assert_eq!(socket.read().unwrap(), Message::Pong("are you there".into()));
    let mut client = Client::over(WebStream { socket, unread: Vec::new() }, "a");
    client.ping();
}

#[test]
fn a_close_frame_is_answered_and_the_connection_ends() {
    let broker = TestBroker::with(settings(), web());
    let mut socket = WebStream::open(tcp(broker.address), broker.address).socket;

    socket.close(None).unwrap();

    assert_eq!(socket.read().unwrap(), Message::Close(None));
    assert!(matches!(socket.read(), Err(tungstenite::Error::ConnectionClosed)));
    broker.wait_until_empty();
}

#[test]
fn a_request_that_is_refused_is_told_why() {
    let broker = TestBroker::with(settings(), web());
    let mut client = tcp(broker.address);

    client.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();

    let mut answer = String::new();
    client.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 426 "), "{answer}");
}

#[test]
fn half_a_websocket_handshake_is_ended_in_time() {
    let settings = NetSettings { handshake_timeout: Duration::from_millis(200), ..settings() };
    let broker = TestBroker::with(settings, web());
    let mut client = Client::silent(tcp(broker.address));

    client.send(b"GET /mqtt HTTP/1.1\r\nHost:");

    client.receive_end();
}

#[test]
fn a_websocket_without_a_connect_is_ended_in_time() {
    let settings = NetSettings { handshake_timeout: Duration::from_millis(200), ..settings() };
    let broker = TestBroker::with(settings, web());
    let mut socket = WebStream::open(tcp(broker.address), broker.address).socket;

    assert!(matches!(socket.read().unwrap(), Message::Close(_)));
}

#[test]
fn the_end_of_the_broker_reaches_websocket_clients() {
    let broker = TestBroker::with(NetSettings { workers: 2, ..settings() }, web());
    let stream = WebStream::open(tcp(broker.address), broker.address);
    let mut client = Client::v5_over(stream, "a");
    let goodbye = std::thread::spawn(move || {
        let disconnect = client.receive();
        client.receive_end();
        (disconnect.first_byte, disconnect.body[0])
    });

    broker.net.shut_down(Duration::from_secs(20));

    assert_eq!(goodbye.join().unwrap(), (0xe0, 0x8b));
}
