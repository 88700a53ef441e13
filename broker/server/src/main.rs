//! The binary `pintle`.

use std::process::ExitCode;

fn main() -> ExitCode {
    pintle_server::cli::main()
}
