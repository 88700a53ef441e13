use std::io::{Read, Write};
use std::net::TcpListener;

use pintle_tests::V5;
use pintle_tests::wire::Connect;

use crate::house::{Code, House, Others, lua, wasm};
use crate::module_text::authenticate_component;

/// Nobody is let in by a plugin that fails to answer, and nobody else waits for it.
fn is_contained(code: &Code, budget: &str, kind: &str, why: &str) {
    let limits =
        format!("limits = {{ authenticate = \"{budget}\", memory = \"4MiB\", host_calls = 100 }}");
    let house = House::with(code, &limits);
    let mut others = Others::of(&house.broker);
    for turn in 0..3 {
        let mut client = house.broker.open(V5);
        client.send(&Connect::new("a").username("bad"));
        others.go_on();
        house.broker.v5(&format!("late comer {turn}"));
        client.is_not_let_in_with(0x88);
    }
    others.go_on();
    house.has_counted("authenticate", kind, 3, why);
}

/// A script that has no opinion of clients without a User Name.
fn script(body: &str) -> Code {
    lua(&format!(
        "return {{ authenticate = function(client, username)\n\
         if not username then return end\n{body}\nend }}"
    ))
}

fn module(fields: &str, body: &str) -> Code {
    wasm(authenticate_component(fields, body))
}

mod in_lua {
    use super::{is_contained, script};

    #[test]
    fn an_endless_loop_lets_nobody_in() {
        let code = script("while true do end");
        is_contained(&code, "300ms", "late", "it did not answer in time");
    }

    #[test]
    fn more_memory_than_allowed_lets_nobody_in() {
        let code = script("local s = 'x' while true do s = s .. s end");
        is_contained(&code, "20s", "memory", "hostile.lua: it used more memory than it may");
    }

    #[test]
    fn an_error_lets_nobody_in() {
        is_contained(&script("error('no')"), "20s", "trap", "hostile.lua:3: no");
    }
}

mod as_components {
    use super::{is_contained, module};

    #[test]
    fn an_endless_loop_lets_nobody_in() {
        let code = module("", "(loop $again (br $again))");
        is_contained(&code, "300ms", "late", "it did not answer in time");
    }

    #[test]
    fn more_memory_than_allowed_lets_nobody_in() {
        let body = "(loop $again (drop (memory.grow (i32.const 16))) (br $again))";
        let why = "hostile.wasm: it used more memory than it may";
        is_contained(&module("", body), "20s", "memory", why);
    }

    #[test]
    fn a_trap_lets_nobody_in() {
        is_contained(&module("", "unreachable"), "20s", "trap", "hostile.wasm: it trapped");
    }
}

/// The web service that is asked says yes, but the first time only when the client has been refused.
#[test]
fn an_answer_that_comes_when_the_client_has_been_refused_lets_nobody_in() {
    let service = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let url = format!("http://{}/", service.local_addr().expect("it has an address"));
    let code = script(&format!(
        "local answer = broker.http({{ url = '{url}', timeout = 20 }})\n\
         return answer ~= nil and answer.status == 200"
    ));
    let limits =
        format!("limits = {{ authenticate = \"300ms\" }}\ngrants = {{ http = [\"{url}\"] }}");
    let house = House::with(&code, &limits);
    let mut others = Others::of(&house.broker);
    let mut client = house.broker.open(V5);
    client.send(&Connect::new("a").username("slow"));
    let (mut asked, _) = service.accept().expect("the plugin asks");
    others.go_on();
    client.is_not_let_in_with(0x88);
    says_yes(&mut asked);
    others.go_on();
    house.has_counted("authenticate", "late", 1, "it did not answer in time");

    let quick = std::thread::spawn(move || {
        says_yes(&mut service.accept().expect("the plugin asks again").0);
    });
    let mut client = house.broker.open(V5);
    client.send(&Connect::new("a").username("quick"));
    quick.join().expect("it has answered");
    let code = client.expect_connack().code;
    assert!(matches!(code, 0 | 0x88), "{code:#04x}");
    others.go_on();
}

fn says_yes(asked: &mut (impl Read + Write)) {
    let mut request = Vec::new();
    let mut byte = [0];
    while !request.ends_with(b"\r\n\r\n") {
        asked.read_exact(&mut byte).expect("a request");
        request.push(byte[0]);
    }
    // The plugin may be gone.
    let _ = asked.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
}
