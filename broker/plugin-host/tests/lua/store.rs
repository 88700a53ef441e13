use std::sync::Arc;

use pintle_plugin_host::{Budgets, ErrorKind, PluginHost, PluginSpec};
use pintle_ports::{Space, Store, StoreEntry, StoreError, StoreOp};

use crate::support::{named, refusal, script, try_load};

fn store_of(spec: PluginSpec) -> (PluginHost, Arc<dyn Store>) {
    let host = try_load([spec]).unwrap();
    let store = host.store().unwrap();
    store.open().unwrap();
    (host, store)
}

fn put(key: &[u8], value: &[u8]) -> StoreOp {
    let (key, value) = (key.to_vec(), value.to_vec());
    StoreOp::Put { space: Space::InFlight, key, value, expires_at_ms: Some(1_700_000_000_001) }
}

/// Says what it is given in the value of one record.
const ECHO: &str = "
    local said = {}
    local P = {}
    function P.store_open() table.insert(said, 'open') end
    function P.store_apply(ops)
        for _, op in ops do
            table.insert(said, `{op.op} {op.space} {hex.encode(op.key)} {op.value and hex.encode(op.value)} {op.expires_at_ms}`)
        end
        return true
    end
    function P.store_scan(space, prefix, after, limit)
        table.insert(said, `scan {space} {hex.encode(prefix)} {after and hex.encode(after)} {limit}`)
        return { { key = 'k', value = table.concat(said, '; ') } }
    end
    return P";

#[test]
fn a_script_is_told_what_changes_and_asked_for_it_in_order() {
    let (_host, store) = store_of(script(ECHO));
    let delete = StoreOp::Delete { space: Space::Inbound, key: b"c\0\0\x01".to_vec() };
    store.apply(&[put(b"\xff\0", b"\0v"), delete]).unwrap();
    let page = store.scan(Space::Queue, b"c\0", Some(b"c\0\x07"), 5).unwrap();
    let said = "open; put in-flight ff00 0076 1700000000001; delete inbound 63000001 nil nil; \
                scan queue 6300 630007 5";
    assert_eq!(page, [StoreEntry { key: b"k".to_vec(), value: said.into() }]);
}

#[test]
fn what_a_script_returns_is_done_or_why_not() {
    let (host, store) = store_of(script(
        "local P = {}
        function P.store_apply(ops)
            local key = ops[1].key
            if key == 'error' then error('broken') end
            if key == 'odd' then return 7 end
            if key == 'no' then return false end
            if key ~= 'fine' then return nil, key end
        end
        function P.store_scan(space)
            if space == 'queue' then return { { key = 'k' } } end
            return nil, 'busy'
        end
        return P",
    ));
    let ask = |key: &str| store.apply(&[put(key.as_bytes(), b"")]);
    let unavailable = |why: &str| Err(StoreError::Unavailable(why.to_owned()));
    assert_eq!(ask("fine"), Ok(()));
    assert_eq!(ask("busy"), Err(StoreError::Busy));
    assert_eq!(ask("full"), Err(StoreError::Full));
    assert_eq!(ask("no disk"), unavailable("no disk"));
    assert_eq!(ask("no"), unavailable("the script says no"));
    assert_eq!(store.scan(Space::Retained, b"", None, 1), Err(StoreError::Busy));
    let said = ask("error").unwrap_err().to_string();
    assert!(said.contains("plugin `script`: script.lua:4: broken"), "{said}");
    let said = ask("odd").unwrap_err().to_string();
    assert!(said.contains("it should return nothing, or nil and why"), "{said}");
    let said = store.scan(Space::Queue, b"", None, 1).unwrap_err().to_string();
    assert!(said.contains("an entry has no text as its value"), "{said}");
    store.flush().unwrap();
    store.close().unwrap();
    assert_eq!(host.stats()[0].errors(ErrorKind::Trap), 1);
    assert_eq!(host.stats()[0].errors(ErrorKind::InvalidAnswer), 2);
}

#[test]
fn a_script_that_hangs_is_late_and_begins_anew() {
    let source = "local P, calls = {}, 0
        function P.store_apply()
            calls += 1
            if calls == 2 then while true do end end
        end
        function P.store_scan() return { { key = tostring(calls), value = '' } } end
        return P";
    let budgets = Budgets { store: std::time::Duration::from_millis(50), ..Budgets::default() };
    let (host, store) = store_of(PluginSpec { budgets, ..named("slow", source) });
    store.apply(&[put(b"a", b"")]).unwrap();
    store.apply(&[put(b"b", b"")]).unwrap_err();
    assert_eq!(host.stats()[0].errors(ErrorKind::Late), 1);
    assert_eq!(store.scan(Space::Queue, b"", None, 1).unwrap()[0].key, b"0");
}

#[test]
fn half_a_store_is_refused() {
    for half in ["store_apply", "store_scan", "store_flush"] {
        let what = refusal(&format!("return {{ {half} = function() end }}"));
        assert!(what.contains("a store needs both store_apply(ops) and store_scan"), "{what}");
    }
}
