use crate::component::on_publish;
use crate::transitions;

#[test]
fn the_breaker_goes_through_all_its_states() {
    transitions::closed_open_half_open_and_closed_again(on_publish("", "unreachable"));
    transitions::half_open_once_the_wait_is_over(on_publish("", "unreachable"));
}

#[test]
fn long_calls_are_cut_to_their_share() {
    let mut spinner = on_publish(
        r#"(import "pintle:plugin/clock@0.1.0" "monotonic-ns" (func $now (result i64)))
           (global $done (mut i64) (i64.const 0))"#,
        "(global.set $done (i64.add (call $now) (i64.const 20000000)))
         (loop $again (br_if $again (i64.lt_u (call $now) (global.get $done))))",
    );
    spinner.limits.host_calls_max = u32::MAX;
    let mut other = on_publish("", "");
    other.name = "other".to_owned();
    transitions::cut_to_its_share_until_the_next_second(spinner, other);
}

#[test]
fn a_component_is_rolled_back() {
    transitions::back_to_the_generation_before(on_publish("", ""), on_publish("", "unreachable"));
}
