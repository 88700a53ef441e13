use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::Duration;

/// A client that blocks, over any stream; a test that would hang fails after a while instead.
pub(super) struct Client<S = TcpStream> {
    stream: S,
}

/// One packet as it came.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Received {
    pub(super) first_byte: u8,
    pub(super) body: Vec<u8>,
}

pub(super) const PATIENCE: Duration = Duration::from_secs(30);

pub(super) fn tcp(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    prepare(stream)
}

/// A connection whose receive window is small, so that the broker soon finds it full.
pub(super) fn narrow_tcp(address: SocketAddr) -> TcpStream {
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    socket.set_recv_buffer_size(8 * 1024).unwrap();
    socket.connect(&address.into()).unwrap();
    prepare(socket.into())
}

fn prepare(stream: TcpStream) -> TcpStream {
    stream.set_nodelay(true).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.set_write_timeout(Some(PATIENCE)).unwrap();
    stream
}

impl Client {
    pub(super) fn connect(address: SocketAddr, id: &str) -> Self {
        Self::over(tcp(address), id)
    }

    pub(super) fn half_close(&self) {
        self.stream.shutdown(Shutdown::Write).unwrap();
    }
}

impl<S: Read + Write> Client<S> {
    /// Connects over `stream` with MQTT 3.1.1 and a clean session.
    pub(super) fn over(stream: S, id: &str) -> Self {
        let mut client = Self { stream };
        client.send(&connect_packet(4, id, 0));
        assert_eq!(client.receive(), Received { first_byte: 0x20, body: vec![0, 0] });
        client
    }

    /// Connects over `stream` with MQTT 5.0.
    pub(super) fn v5_over(stream: S, id: &str) -> Self {
        let mut client = Self { stream };
        client.send(&connect_packet(5, id, 0));
        let connack = client.receive();
        assert_eq!((connack.first_byte, connack.body[1]), (0x20, 0));
        client
    }

    /// A client that has not said anything yet.
    pub(super) fn silent(stream: S) -> Self {
        Self { stream }
    }

    pub(super) fn send(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).unwrap();
        self.stream.flush().unwrap();
    }

    pub(super) fn subscribe(&mut self, filter: &str, qos: u8) {
        self.send(&subscribe_packet(filter, qos));
        assert_eq!(self.receive(), Received { first_byte: 0x90, body: vec![0, 1, qos] });
    }

    pub(super) fn publish(&mut self, topic: &str, payload: &[u8]) {
        self.send(&publish_packet(topic, payload));
    }

    /// Publishes with QoS 1 and waits for the acknowledgement.
    pub(super) fn publish_acknowledged(&mut self, topic: &str, payload: &[u8]) {
        self.send(&publish_with_qos_1(topic, payload));
        assert_eq!(self.receive(), Received { first_byte: 0x40, body: vec![0, 7] });
    }

    /// The next packet, which is a PUBLISH with QoS 0 to `topic`: its payload.
    pub(super) fn receive_payload(&mut self, topic: &str) -> Vec<u8> {
        let Received { first_byte, mut body } = self.receive();
        assert_eq!(first_byte, 0x30);
        assert_eq!(body[..topic.len() + 2], string(topic));
        body.split_off(topic.len() + 2)
    }

    /// The next packet, which is a PUBLISH with QoS 1 to `topic`, and acknowledges it.
    pub(super) fn receive_acknowledging(&mut self, topic: &str) -> Vec<u8> {
        let Received { first_byte, mut body } = self.receive();
        assert_eq!(first_byte, 0x32);
        let payload = body.split_off(topic.len() + 4);
        self.send(&packet(0x40, &body[topic.len() + 2..]));
        payload
    }

    pub(super) fn ping(&mut self) {
        self.send(&[0xc0, 0]);
        assert_eq!(self.receive(), Received { first_byte: 0xd0, body: vec![] });
    }

    pub(super) fn receive(&mut self) -> Received {
        let mut first_byte = [0];
        self.stream.read_exact(&mut first_byte).unwrap();
        let mut body = vec![0; self.receive_remaining_length()];
        self.stream.read_exact(&mut body).unwrap();
        Received { first_byte: first_byte[0], body }
    }

    fn receive_remaining_length(&mut self) -> usize {
        let mut len = 0;
        for shift in [0, 7, 14, 21] {
            let mut byte = [0];
            self.stream.read_exact(&mut byte).unwrap();
            len |= usize::from(byte[0] & 0x7f) << shift;
            if byte[0] & 0x80 == 0 {
                break;
            }
        }
        len
    }

    /// Reads a TLS record and the end of the stream; returns the record's type.
    pub(super) fn receive_alert(&mut self) -> u8 {
        let mut bytes = Vec::new();
        self.stream.read_to_end(&mut bytes).unwrap();
        bytes[0]
    }

    /// Reads to the end of the stream, which must come, and not by a reset.
    pub(super) fn receive_end(&mut self) {
        assert_eq!(self.stream.read(&mut [0; 64]).unwrap(), 0);
    }

    /// Reads to the end of the stream, in whatever way it comes; false if it does not.
    pub(super) fn is_ended(&mut self) -> bool {
        match self.stream.read_to_end(&mut Vec::new()) {
            Ok(_) => true,
            Err(error) => error.kind() == io::ErrorKind::ConnectionReset,
        }
    }
}

pub(super) fn connect_packet(version: u8, id: &str, keep_alive_secs: u16) -> Vec<u8> {
    let mut body = string("MQTT");
    body.extend([version, 2]);
    body.extend(keep_alive_secs.to_be_bytes());
    body.extend((version == 5).then_some(0));
    body.extend(string(id));
    packet(0x10, &body)
}

pub(super) fn subscribe_packet(filter: &str, qos: u8) -> Vec<u8> {
    let mut body = vec![0, 1];
    body.extend(string(filter));
    body.push(qos);
    packet(0x82, &body)
}

pub(super) fn publish_packet(topic: &str, payload: &[u8]) -> Vec<u8> {
    let mut body = string(topic);
    body.extend_from_slice(payload);
    packet(0x30, &body)
}

/// With the Packet Identifier 7.
pub(super) fn publish_with_qos_1(topic: &str, payload: &[u8]) -> Vec<u8> {
    let mut body = string(topic);
    body.extend([0, 7]);
    body.extend_from_slice(payload);
    packet(0x32, &body)
}

pub(super) fn packet(first_byte: u8, body: &[u8]) -> Vec<u8> {
    let mut bytes = vec![first_byte];
    let mut remaining = body.len();
    while remaining > 0x7f {
        bytes.push((remaining & 0x7f) as u8 | 0x80);
        remaining >>= 7;
    }
    bytes.push(remaining as u8);
    bytes.extend_from_slice(body);
    bytes
}

fn string(text: &str) -> Vec<u8> {
    let mut bytes = u16::try_from(text.len()).unwrap().to_be_bytes().to_vec();
    bytes.extend_from_slice(text.as_bytes());
    bytes
}

/// Bytes that differ from place to place, so that a shift or a swap shows.
pub(super) fn pattern(len: usize) -> Vec<u8> {
    (0..len).map(|at| (at ^ at >> 8 ^ at >> 16) as u8).collect()
}
