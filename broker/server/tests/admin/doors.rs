//! Where the admin interface answers, and to whom.

use std::os::unix::fs::PermissionsExt;

use pintle_server::Broker;

use crate::http::{over_socket, over_tcp, request};
use crate::place::{House, Place, TOKEN};

const HTTP: &str = "[admin]\nbind = \"127.0.0.1:0\"\ntoken = { env = \"TOKEN\" }\n";

fn with(host: &str, token: &str) -> String {
    format!("Host: {host}\r\nAuthorization: Bearer {token}\r\n")
}

#[test]
fn the_socket_is_for_its_user_alone_and_goes_when_the_broker_ends() {
    let house = House::new("");
    let socket = house.socket().to_owned();
    assert_eq!(socket, house.place.path("data/admin.sock"));
    assert_eq!(socket.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(house.get("/health").is(200)["status"], "ok");
    house.broker.shutdown();
    assert!(!socket.exists());
}

#[test]
fn a_second_broker_on_the_same_folder_is_told_that_the_first_runs() {
    let house = House::new("");
    let error = house.place.start("").err().unwrap().to_string();
    assert!(error.contains("admin.sock belongs to a broker that runs already"), "{error}");
    assert_eq!(house.get("/health").is(200)["status"], "ok");
}

#[test]
fn a_broker_that_a_program_starts_without_a_configuration_takes_no_commands() {
    let broker = Broker::builder().listen("127.0.0.1:0").start().unwrap();
    assert_eq!((broker.admin_socket(), broker.admin_address()), (None, None));
}

#[test]
fn without_a_socket_there_is_none() {
    let place = Place::new();
    let broker = place.start("[admin]\nsocket = false\n").unwrap();
    assert_eq!(broker.admin_socket(), None);
    assert!(!place.path("data").exists());
}

#[test]
fn over_http_the_token_is_required() {
    let house = House::new(HTTP);
    let address = house.broker.admin_address().unwrap();
    let ask = |headers: &str| over_tcp(address, &request("GET", "/health", headers, ""));
    let refused = ask("Host: localhost\r\n").refuses(401);
    assert!(refused.contains("the token is missing or wrong"), "{refused}");
    ask(&with("localhost", "0123456789abcdef0123456789abcdee")).refuses(401);
    ask(&with("localhost", "")).refuses(401);
    assert_eq!(ask(&with("localhost", TOKEN)).is(200)["status"], "ok");
}

#[test]
fn over_http_a_name_that_is_not_this_machine_s_is_refused_even_with_the_token() {
    let house = House::new(HTTP);
    let address = house.broker.admin_address().unwrap();
    let ask = |headers: &str| over_tcp(address, &request("GET", "/plugins", headers, ""));
    let refused = ask(&with("rebound.example.org", TOKEN)).refuses(403);
    assert!(refused.contains("not this machine"), "{refused}");
    ask(&format!("Authorization: Bearer {TOKEN}\r\n")).refuses(403);
    ask(&with(&address.to_string(), TOKEN)).is(200);
}

#[test]
fn a_body_over_16_mib_is_refused() {
    let house = House::new("");
    let body = "x".repeat((16 << 20) + 1);
    let refused = house.ask("POST", "/plugins", &body).refuses(413);
    assert!(refused.contains("over 16 MiB"), "{refused}");
}

#[test]
fn what_is_not_there_is_answered_with_what_is() {
    let house = House::new("");
    assert!(house.get("/nothing").refuses(404).contains("GET /health"));
    house.ask("DELETE", "/health", "").refuses(405);
    house.get("/plugins/%zz").refuses(400);
    let head = "GET / HTTP/1.1\r\nHost: x\r\n";
    let long = format!("{head}X: {}\r\n\r\n", "y".repeat(100 << 10));
    assert_eq!(over_socket(house.socket(), &long).status, 431);
}
