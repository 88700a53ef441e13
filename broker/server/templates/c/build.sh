#!/usr/bin/env bash
# Builds {{name}}.wasm. CC is a clang that knows WebAssembly (or 'zig cc'), LD the linker of components that
# comes with every Rust toolchain of rustup.
set -euo pipefail
cd "$(dirname "$0")"

host=$(rustc --print sysroot)/lib/rustlib/$(rustc -vV | sed -n 's/^host: //p')/bin
PATH=$host:$PATH
objects=$(mktemp -d)
trap 'rm -r "$objects"' EXIT

for source in plugin.c json.c libc/libc.c binding/transform_plugin.c; do
  ${CC:-clang} --target=wasm32-freestanding -O2 -mbulk-memory -ffreestanding -fno-builtin -ffunction-sections \
    -Wall -Ilibc -c "$source" -o "$objects/$(basename "$source").o"
done
"${LD:-wasm-component-ld}" --no-entry --strip-all --gc-sections "$objects"/*.o \
  binding/transform_plugin_component_type.o -o {{name}}.wasm
