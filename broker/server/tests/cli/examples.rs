use std::fs;
use std::path::Path;

use crate::harness::{Place, write_certificate};

/// Every configuration in `examples/configs` is right, with the files that it names beside it.
#[test]
fn the_configurations_of_the_examples_are_fine() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/configs");
    let place = Place::new();
    let mut checked = 0;
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        place.write(&name, &fs::read_to_string(&path).unwrap());
    }
    place.pintle(&["passwd", "-b", "passwd", "alice", "x", "-H", "sha512"]).succeeds();
    write_certificate(&place.path("cert.pem"), &place.path("key.pem"));
    for entry in fs::read_dir(place.path("")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        if name.ends_with(".toml") {
            let said = place.pintle(&["check", "-c", &name]).succeeds();
            assert!(said.ends_with("The configuration is fine.\n"), "{name}: {said}");
            checked += 1;
        }
    }
    assert!(checked >= 4);
}
