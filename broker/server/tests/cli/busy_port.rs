use std::net::TcpListener;

use crate::harness::Place;

#[test]
fn a_busy_port_is_named_with_the_way_out() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let bind = taken.local_addr().unwrap().to_string();
    let error = Place::new().pintle(&["run", "-q", "--bind", &bind]).fails_with(1);
    let expected = format!("pintle: cannot listen on {bind}: the port is in use.");
    assert!(error.starts_with(&expected), "{error}");
    assert!(error.contains("take another port: --bind 127.0.0.1:"), "{error}");
}

#[test]
fn a_busy_port_of_the_file_is_named_with_its_line() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let place = Place::new();
    let bind = taken.local_addr().unwrap();
    place.write("pintle.toml", &format!("[[listener]]\nbind = \"{bind}\"\n"));
    let error = place.pintle(&["run", "-q", "-c", "pintle.toml"]).fails_with(1);
    assert!(error.contains("change bind at pintle.toml:1"), "{error}");
}

#[test]
fn a_busy_port_of_the_default_websocket_is_a_warning() {
    // Whoever holds it, it is taken now.
    let _taken = TcpListener::bind("127.0.0.1:9001");
    let place = Place::new();
    let broker = place.spawn(&["--bind", "127.0.0.1:0"]);
    broker.errors.says(&["There is no WebSocket: cannot listen on 127.0.0.1:9001"]);
    broker.errors.says(&["lost at exit"]);
}
