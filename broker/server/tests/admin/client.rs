//! A client of MQTT 3.1.1 that knows as much as these tests need.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// Longer than anything takes that works.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) struct Client(TcpStream);

impl Client {
    /// Connected with a clean session.
    pub(crate) fn connect(address: SocketAddr, id: &str) -> Self {
        let mut stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut body = b"\x00\x04MQTT\x04\x02\x00\x00".to_vec();
        body.extend(text(id));
        stream.write_all(&packet(0x10, &body)).unwrap();
        let mut client = Self(stream);
        assert_eq!(client.read().1, [0, 0], "CONNACK");
        client
    }

    pub(crate) fn subscribe(&mut self, filter: &str) {
        let mut body = vec![0, 1];
        body.extend(text(filter));
        body.push(0);
        self.0.write_all(&packet(0x82, &body)).unwrap();
        assert_eq!(self.read().1, [0, 1, 0], "SUBACK");
    }

    /// With QoS 1; returns once it is acknowledged.
    pub(crate) fn publish(&mut self, topic: &str, payload: &str) {
        let mut body = text(topic);
        body.extend([0, 1]);
        body.extend(payload.as_bytes());
        self.0.write_all(&packet(0x32, &body)).unwrap();
        assert_eq!(self.read(), (0x40, vec![0, 1]), "PUBACK");
    }

    /// The next message with QoS 0: `topic payload`.
    pub(crate) fn message(&mut self) -> String {
        let (kind, body) = self.read();
        assert_eq!(kind & 0xf0, 0x30, "PUBLISH");
        let length = usize::from(body[0]) << 8 | usize::from(body[1]);
        let (topic, payload) = body[2..].split_at(length);
        format!("{} {}", String::from_utf8_lossy(topic), String::from_utf8_lossy(payload))
    }

    fn read(&mut self) -> (u8, Vec<u8>) {
        let mut byte = || {
            let mut byte = [0];
            self.0.read_exact(&mut byte).expect("the broker answers");
            byte[0]
        };
        let kind = byte();
        let (mut length, mut shift) = (0, 0);
        loop {
            let next = byte();
            length |= usize::from(next & 0x7f) << shift;
            shift += 7;
            if next & 0x80 == 0 {
                break;
            }
        }
        let mut body = vec![0; length];
        self.0.read_exact(&mut body).unwrap();
        (kind, body)
    }
}

fn text(text: &str) -> Vec<u8> {
    let length = u16::try_from(text.len()).unwrap();
    [&length.to_be_bytes(), text.as_bytes()].concat()
}

fn packet(kind: u8, body: &[u8]) -> Vec<u8> {
    let (mut head, mut rest) = (vec![kind], body.len());
    loop {
        let byte = u8::try_from(rest & 0x7f).unwrap();
        rest >>= 7;
        head.push(if rest == 0 { byte } else { byte | 0x80 });
        if rest == 0 {
            return [head.as_slice(), body].concat();
        }
    }
}
