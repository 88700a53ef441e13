use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};

use crate::harness::Place;

fn mode(place: &Place, name: &str) -> u32 {
    fs::metadata(place.path(name)).unwrap().permissions().mode() & 0o777
}

#[test]
fn a_new_file_is_for_its_owner_alone_and_holds_argon2id() {
    let place = Place::new();
    let said = place.pintle_fed(&["passwd", "users", "alice"], b"wonderland\n").succeeds();
    assert_eq!(said, "User alice is added to users.\n");
    assert!(place.read("users").starts_with("alice:$argon2id$v=19$m=47104,t=1,p=1$"));
    assert_eq!(mode(&place, "users"), 0o600);
}

#[test]
fn check_tells_the_right_password_from_a_wrong_one() {
    let place = Place::new();
    place.pintle(&["passwd", "-b", "users", "alice", "wonderland"]).succeeds();
    let check = ["passwd", "--check", "users", "alice"];
    let said = place.pintle_fed(&check, b"wonderland").succeeds();
    assert_eq!(said, "The password of alice is right.\n");
    let wrong = place.pintle_fed(&check, b"looking-glass");
    assert_eq!((wrong.code, wrong.stdout.as_str()), (Some(1), "The password of alice is wrong.\n"));
    let nobody = place.pintle_fed(&["passwd", "--check", "users", "bob"], b"x");
    assert_eq!((nobody.code, nobody.stdout.as_str()), (Some(1), "There is no user bob.\n"));
}

#[test]
fn a_changed_password_leaves_everything_else_as_it_is() {
    let place = Place::new();
    place.pintle(&["passwd", "-b", "users", "alice", "one", "-H", "sha512"]).succeeds();
    let alice = place.read("users");
    place.write("users", &format!("# the house\n{alice}"));
    place.pintle(&["passwd", "-b", "users", "bob", "two", "-H", "sha512"]).succeeds();
    let said = place.pintle(&["passwd", "-b", "users", "bob", "three", "-H", "sha512"]).succeeds();
    assert_eq!(said, "User bob has a new password in users.\n");
    let file = place.read("users");
    assert!(file.starts_with(&format!("# the house\n{alice}bob:$6$")), "{file}");
    place.pintle_fed(&["passwd", "--check", "users", "bob"], b"three").succeeds();
}

#[test]
fn permissions_and_links_of_a_file_stay() {
    let place = Place::new();
    place.write("real", "");
    fs::set_permissions(place.path("real"), fs::Permissions::from_mode(0o640)).unwrap();
    symlink("real", place.path("users")).unwrap();
    place.pintle(&["passwd", "-b", "users", "alice", "x", "--compat", "2.0"]).succeeds();
    assert!(fs::symlink_metadata(place.path("users")).unwrap().is_symlink());
    assert!(place.read("real").starts_with("alice:"));
    assert_eq!(mode(&place, "real"), 0o640);
}

#[test]
fn compat_writes_what_mosquitto_2_0_reads() {
    let place = Place::new();
    place.pintle(&["passwd", "-b", "users", "alice", "x", "--compat", "2.0"]).succeeds();
    let file = place.read("users");
    let fields: Vec<&str> = file.trim().split('$').collect();
    assert_eq!(fields[..3], ["alice:", "7", "101"], "{file}");
    assert_eq!(fields[3].len(), 16, "a salt of 12 bytes");
}

#[test]
fn the_algorithm_and_its_rounds_can_be_chosen() {
    let place = Place::new();
    place.pintle(&["passwd", "-b", "users", "a", "x", "-H", "pbkdf2", "-I", "1000"]).succeeds();
    place.pintle(&["passwd", "-b", "users", "b", "x", "-H", "sha512"]).succeeds();
    let file = place.read("users");
    assert!(file.contains("a:$7$1000$") && file.contains("b:$6$"), "{file}");
}

#[test]
fn a_user_is_removed() {
    let place = Place::new();
    place.pintle(&["passwd", "-b", "users", "alice", "x", "-H", "sha512"]).succeeds();
    place.pintle(&["passwd", "-b", "users", "bob", "x", "-H", "sha512"]).succeeds();
    let said = place.pintle(&["passwd", "-D", "users", "alice"]).succeeds();
    assert_eq!(said, "User alice is removed from users.\n");
    assert!(place.read("users").starts_with("bob:"));
    let error = place.pintle(&["passwd", "-D", "users", "alice"]).fails_with(1);
    assert_eq!(error, "pintle: there is no user alice in users\n");
}

#[test]
fn a_plain_list_is_converted_in_one_go() {
    let place = Place::new();
    place.write("users", "# plain\nalice:wonderland\nbob:a:b\n");
    let said = place.pintle(&["passwd", "-U", "users", "-H", "sha512"]).succeeds();
    assert_eq!(said, "users holds hashes only now, of 2 users.\n");
    assert!(place.read("users").starts_with("# plain\nalice:$6$"));
    place.pintle_fed(&["passwd", "--check", "users", "bob"], b"a:b").succeeds();
}

#[test]
fn a_plain_list_with_a_broken_line_is_left_alone_and_the_line_is_named() {
    let place = Place::new();
    place.write("users", "alice:wonderland\nnonsense\n");
    let error = place.pintle(&["passwd", "-U", "users"]).fails_with(1);
    assert_eq!(error, "pintle: users:2: it is not user:password\n");
    assert_eq!(place.read("users"), "alice:wonderland\nnonsense\n");
}

#[test]
fn a_plain_file_is_not_added_to_but_the_way_out_is_told() {
    let place = Place::new();
    place.write("users", "alice:wonderland\n");
    let error = place.pintle(&["passwd", "-b", "users", "bob", "x"]).fails_with(1);
    assert!(error.starts_with("pintle: users:1: "), "{error}");
    assert!(error.contains("converted with -U"), "{error}");
}

#[test]
fn a_password_may_come_from_a_file() {
    let place = Place::new();
    place.write("secret", "wonderland\n");
    let args = ["passwd", "users", "alice", "--password-file", "secret", "-H", "sha512"];
    place.pintle(&args).succeeds();
    place.pintle_fed(&["passwd", "--check", "users", "alice"], b"wonderland").succeeds();
}

#[test]
fn create_begins_with_an_empty_file() {
    let place = Place::new();
    place.pintle(&["passwd", "-b", "users", "alice", "x", "-H", "sha512"]).succeeds();
    place.pintle(&["passwd", "-c", "-b", "users", "bob", "x", "-H", "sha512"]).succeeds();
    assert!(place.read("users").starts_with("bob:"));
}

#[test]
fn a_user_name_that_would_break_the_file_is_refused() {
    let place = Place::new();
    let error = place.pintle(&["passwd", "-b", "users", "a:b", "x"]).fails_with(1);
    assert!(error.starts_with("pintle: cannot set the password of a:b: "), "{error}");
    assert!(!place.path("users").exists());
}
