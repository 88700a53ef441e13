//! The broker, built with the tests that run it.

fn main() -> std::process::ExitCode {
    pintle_server::cli::main()
}
