use crate::support::{named, script};
use crate::transitions;

fn plugin(body: &str) -> pintle_plugin_host::PluginSpec {
    script(&format!(
        "return {{ on_publish = function(client, topic) if #topic > 2 then {body} end end }}"
    ))
}

#[test]
fn the_breaker_goes_through_all_its_states() {
    transitions::closed_open_half_open_and_closed_again(plugin("error('no')"));
    transitions::half_open_once_the_wait_is_over(plugin("error('no')"));
}

#[test]
fn long_calls_are_cut_to_their_share() {
    let body = "local done = os.clock() + 0.02 while os.clock() < done do end";
    let other = named("other", "return { on_publish = function(client, topic) end }");
    transitions::cut_to_its_share_until_the_next_second(plugin(body), other);
}

#[test]
fn a_script_is_rolled_back() {
    transitions::back_to_the_generation_before(plugin(""), plugin("error('no')"));
}
