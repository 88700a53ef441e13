use super::*;

const KEY: &str = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";

fn request(headers: &str) -> Vec<u8> {
    format!(
        "GET /mqtt HTTP/1.1\r\nHost: broker.example:9001\r\nConnection: Upgrade\r\n\
         Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n{headers}\r\n"
    )
    .into_bytes()
}

fn new() -> WebSocket {
    WebSocket::new(Arc::new(OriginPolicy::SameHost))
}

/// What came of `bytes`: MQTT bytes, bytes to send, state.
fn feed(websocket: &mut WebSocket, bytes: &[u8]) -> (Vec<u8>, Vec<u8>, WebSocketState) {
    let (mut mqtt, mut wire) = (Vec::new(), Vec::new());
    let state = websocket.open(&mut bytes.to_vec(), &mut mqtt, &mut wire);
    (mqtt, wire, state)
}

fn opened() -> WebSocket {
    let mut websocket = new();
    let request = request(&format!("{KEY}Sec-WebSocket-Protocol: mqtt\r\n"));
    assert_eq!(feed(&mut websocket, &request).2, WebSocketState::Open);
    websocket
}

/// The status line of the answer to a request with these headers.
fn status(headers: &str) -> String {
    let (_, wire, _) = feed(&mut new(), &request(headers));
    let answer = String::from_utf8(wire).unwrap();
    answer.lines().next().unwrap().to_owned()
}

/// A client's frame, masked.
fn frame(first_byte: u8, payload: &[u8]) -> Vec<u8> {
    let mask = [0x12, 0x34, 0x56, 0x78];
    let mut bytes = vec![first_byte];
    match payload.len() {
        len @ 0..126 => bytes.push(0x80 | len as u8),
        len @ 126..65_536 => {
            bytes.push(0x80 | 126);
            bytes.extend((len as u16).to_be_bytes());
        }
        len => {
            bytes.push(0x80 | 127);
            bytes.extend((len as u64).to_be_bytes());
        }
    }
    bytes.extend(mask);
    bytes.extend(payload.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask));
    bytes
}

const BINARY: u8 = 0x82;
const PING: u8 = 0x89;
const PONG: u8 = 0x8a;
const CLOSE: u8 = 0x88;

/// A Close frame of ours with this code.
fn close(code: u16) -> Vec<u8> {
    let [high, low] = code.to_be_bytes();
    vec![CLOSE, 2, high, low]
}

/// [MQTT-6.0.0-3] [MQTT-6.0.0-4]
#[test]
fn the_subprotocol_must_be_offered_and_is_named() {
    for (offer, chosen) in [
        ("mqtt", "mqtt"),
        ("mqttv3.1", "mqttv3.1"),
        ("mqttv3.1, mqtt", "mqtt"),
        ("chat,mqtt , other", "mqtt"),
    ] {
        let request = request(&format!("{KEY}Sec-WebSocket-Protocol: {offer}\r\n"));
        let (_, wire, state) = feed(&mut new(), &request);

        assert_eq!(state, WebSocketState::Open);
        let answer = String::from_utf8(wire).unwrap().to_ascii_lowercase();
        assert!(answer.starts_with("http/1.1 101 "), "{answer}");
        assert!(answer.contains(&format!("sec-websocket-protocol: {chosen}\r\n")), "{answer}");
        assert!(answer.contains("sec-websocket-accept: s3pplmbitxaq9kygzzhzrbk+xoo="), "{answer}");
    }

    assert_eq!(status(KEY), "HTTP/1.1 400 Bad Request");
    let other = format!("{KEY}Sec-WebSocket-Protocol: mqtt2, MQTT\r\n");
    assert_eq!(status(&other), "HTTP/1.1 400 Bad Request");
}

#[test]
fn a_page_of_another_origin_is_refused() {
    let fine = format!("{KEY}Sec-WebSocket-Protocol: mqtt\r\n");

    let own = status(&format!("{fine}Origin: https://broker.example\r\n"));
    let other = status(&format!("{fine}Origin: https://evil.example\r\n"));

    assert_eq!(own, "HTTP/1.1 101 Switching Protocols");
    assert_eq!(other, "HTTP/1.1 403 Forbidden");
}

#[test]
fn what_is_no_websocket_request_is_refused() {
    assert_eq!(status("Sec-WebSocket-Protocol: mqtt\r\n"), "HTTP/1.1 426 Upgrade Required");

    for bytes in ["POST / HTTP/1.1\r\n\r\n", "\x10\x0c\r\n\r\n", "GET / HTTP/1.0\r\n\r\n"] {
        let (_, wire, state) = feed(&mut new(), bytes.as_bytes());
        assert!(wire.starts_with(b"HTTP/1.1 426 "), "{bytes}");
        assert!(matches!(state, WebSocketState::Broken(_)));
    }
}

#[test]
fn an_endless_request_is_refused() {
    let mut websocket = new();

    assert_eq!(feed(&mut websocket, &[b'a'; 8192]).2, WebSocketState::Open);
    let (_, wire, state) = feed(&mut websocket, b"a");

    assert!(wire.starts_with(b"HTTP/1.1 431 "));
    assert!(matches!(state, WebSocketState::Broken(_)));
}

#[test]
fn the_whole_conversation_may_be_cut_anywhere() {
    let mut bytes = request(&format!("{KEY}Sec-WebSocket-Protocol: mqtt\r\n"));
    bytes.extend(frame(BINARY, b"one"));
    bytes.extend(frame(0x02, b"two "));
    bytes.extend(frame(PING, b"in between"));
    bytes.extend(frame(0x00, b""));
    bytes.extend(frame(0x80, b"three"));
    bytes.extend(frame(BINARY, &[b'4'; 300]));
    let whole = feed(&mut new(), &bytes);

    for at in 0..bytes.len() {
        let mut websocket = new();
        let (mut mqtt, mut wire, _) = feed(&mut websocket, &bytes[..at]);
        let (more_mqtt, more_wire, state) = feed(&mut websocket, &bytes[at..]);
        mqtt.extend(more_mqtt);
        wire.extend(more_wire);
        assert_eq!((mqtt, wire, state), whole, "cut at {at}");
    }
    assert_eq!(whole.0, [b"onetwo three".as_slice(), &[b'4'; 300]].concat());
    assert!(whole.1.ends_with(&[[PONG, 10].as_slice(), b"in between"].concat()));
}

#[test]
fn every_length_format_is_read_and_written() {
    for len in [0, 1, 7, 8, 9, 125, 126, 127, 65_535, 65_536, 70_001] {
        let payload: Vec<u8> = (0..len).map(|at| (at % 251) as u8).collect();

        let (mqtt, wire, state) = feed(&mut opened(), &frame(BINARY, &payload));
        assert_eq!((mqtt.as_slice(), wire.len(), state), (&*payload, 0, WebSocketState::Open));

        let mut ours = Vec::new();
        WebSocket::seal(&payload, &mut ours);
        let unmasked_theirs = frame(BINARY, &payload);
        assert_eq!(ours.len() + 4, unmasked_theirs.len());
        assert!(ours.ends_with(&payload));
    }
}

/// [MQTT-6.0.0-1]
#[test]
fn a_text_frame_is_unsupported() {
    let (mqtt, wire, state) = feed(&mut opened(), &frame(0x81, b"text"));

    assert_eq!((mqtt, wire), (vec![], close(1003)));
    assert!(matches!(state, WebSocketState::Broken(_)));
}

#[test]
fn frames_against_the_rules_end_the_connection() {
    let mut unmasked = frame(BINARY, b"x");
    unmasked[1] &= 0x7f;
    let mut endless = frame(BINARY, &[0; 70_000]);
    endless[2] = 0x80;
    for bytes in [
        unmasked,
        endless,
        frame(0xc2, b"reserved bit"),
        frame(0x83, b"unknown data"),
        frame(0x8b, b"unknown control"),
        frame(0x80, b"continues nothing"),
        frame(0x09, b"ping in pieces"),
        frame(PING, &[0; 126]),
        [frame(0x02, b"begun"), frame(BINARY, b"another")].concat(),
    ] {
        let (_, wire, state) = feed(&mut opened(), &bytes);
        assert_eq!(wire, close(1002), "{bytes:02x?}");
        assert!(matches!(state, WebSocketState::Broken(_)));
    }
}

#[test]
fn a_close_frame_is_answered_with_its_own_code_if_that_may_be_sent() {
    for (payload, answer) in [
        (vec![], vec![CLOSE, 0]),
        (vec![0x03, 0xe9], close(1001)),
        (b"\x03\xe8bye".to_vec(), close(1000)),
        (vec![0x03], close(1002)),
        (vec![0x03, 0xed], close(1002)),
        (vec![0x03, 0xe8, 0xff], close(1002)),
    ] {
        let (_, wire, state) = feed(&mut opened(), &frame(CLOSE, &payload));
        assert_eq!((wire, state), (answer, WebSocketState::Closed), "{payload:02x?}");
    }
}

#[test]
fn our_close_frame_is_sent_once() {
    let mut websocket = opened();
    let mut wire = Vec::new();

    websocket.finish(&mut wire);
    websocket.finish(&mut wire);

    assert_eq!(wire, close(1000));
    assert_eq!(feed(&mut websocket, &frame(BINARY, b"late")).2, WebSocketState::Closed);
}
