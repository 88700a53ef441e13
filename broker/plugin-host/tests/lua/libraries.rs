use crate::support::{load, rewritten, script};

/// What an expression comes to, as text.
fn value(expression: &str) -> String {
    let source = format!("return {{ on_publish = function() return tostring({expression}) end }}");
    rewritten(&load([script(&source)]).publish("t", b"")).1
}

#[test]
fn json_goes_both_ways() {
    assert_eq!(value(r#"json.decode('{"a": [1, 2.5]}').a[2]"#), "2.5");
    assert_eq!(value(r#"json.decode('{"a": null}').a"#), "nil");
    assert_eq!(value("json.encode({ b = 2, a = { 1, 'x' } })"), r#"{"a":[1,"x"],"b":2}"#);
    assert_eq!(value(r#"json.encode(json.decode("[]"))"#), "[]");
    assert_eq!(value("json.decode('{')"), "nil");
    assert!(value("select(2, json.decode('{'))").contains("EOF"));
}

#[test]
fn base64_and_hex_go_both_ways() {
    assert_eq!(value("base64.encode('Pintle')"), "UGludGxl");
    assert_eq!(value("base64.decode('UGludGxl')"), "Pintle");
    assert_eq!(value("base64.encode('\\255\\254', true)"), "__4");
    assert_eq!(value("hex.encode('\\0\\255')"), "00ff");
    assert_eq!(value("hex.decode('4F6b')"), "Ok");
    assert_eq!(value("hex.decode('4')"), "nil");
}

#[test]
fn crypto_hashes_as_the_standards_have_it() {
    let empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    assert_eq!(value("hex.encode(crypto.sha256(''))"), empty);
    // RFC 4231, test case 2.
    let mac = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843";
    let expression = "hex.encode(crypto.hmac_sha256('Jefe', 'what do ya want for nothing?'))";
    assert_eq!(value(expression), mac);
    assert_eq!(value("crypto.equal('a', 'a')"), "true");
    assert_eq!(value("crypto.equal('a', 'ab')"), "false");
}

#[test]
fn a_token_is_not_taken_with_an_algorithm_that_was_not_named() {
    let none = "eyJhbGciOiJub25lIn0.eyJzdWIiOiJ4In0.";
    let expression =
        format!("crypto.jwt_verify('{none}', {{ secret = 's', algorithms = {{ 'HS256' }} }})");
    assert_eq!(value(&expression), "nil");
}

#[test]
fn topics_are_matched_as_the_broker_does() {
    assert_eq!(value("broker.topic_matches('a/+/c', 'a/b/c')"), "true");
    assert_eq!(value("broker.topic_matches('#', '$SYS/x')"), "false");
}

/// Names that the type file declares, as `broker.kv.get`.
fn declared() -> Vec<String> {
    let types = include_str!("../../../../plugin-api/lua/pintle.d.luau");
    let mut path: Vec<&str> = Vec::new();
    let mut names = Vec::new();
    let mut depth_ignored = 0;
    let mut is_declaring = false;
    for line in types.lines().map(str::trim) {
        if let Some(global) =
            line.strip_prefix("declare ").and_then(|rest| rest.strip_suffix(": {"))
        {
            path = vec![global];
            is_declaring = true;
        } else if !is_declaring || line.starts_with("--") {
        } else if depth_ignored > 0 || line.ends_with(": (") || line == "options: {" {
            if let Some(name) = line.strip_suffix(": (") {
                names.push(format!("{}.{name}", path.join(".")));
            }
            depth_ignored +=
                i32::from(line.ends_with(['(', '{'])) - i32::from(line.starts_with([')', '}']));
        } else if let Some(module) = line.strip_suffix(": {") {
            path.push(module);
        } else if line.starts_with('}') {
            path.pop();
            is_declaring = !path.is_empty();
        } else if let Some((name, _)) = line.split_once(": ") {
            names.push(format!("{}.{name}", path.join(".")));
        }
    }
    names
}

#[test]
fn whatever_the_type_file_declares_is_there() {
    let names = declared();
    assert!(names.len() > 50, "{names:?}");
    for name in ["broker.kv.cas", "broker.time.now_ms", "crypto.jwt_verify", "json.decode"] {
        assert!(names.iter().any(|declared| declared == name), "{name} in {names:?}");
    }
    for name in names {
        assert_ne!(value(&name), "nil", "{name}");
    }
}

#[test]
fn whatever_is_there_is_declared() {
    let source = "
        local names = {}
        for _, module in { 'broker', 'json', 'base64', 'hex', 'crypto' } do
            local globals = { broker = broker, json = json, base64 = base64, hex = hex, crypto = crypto }
            for key, value in globals[module] do
                if type(value) == 'table' and key ~= 'config' and key ~= 'files' then
                    for inner in value do table.insert(names, `{module}.{key}.{inner}`) end
                else
                    table.insert(names, `{module}.{key}`)
                end
            end
        end
        return { on_publish = function() return table.concat(names, ' ') end }";
    let there = rewritten(&load([script(source)]).publish("t", b"")).1;
    let declared = declared();
    for name in there.split(' ') {
        assert!(declared.iter().any(|known| known == name), "{name} is not in the type file");
    }
}
