#!/usr/bin/env bash
# Builds the components that are committed beside their sources, and their SHA256SUMS.
#
#   examples/wasm/rebuild.sh [FOLDER…]        all of them, or these
#
# Rust components need a target and nothing else: `rustup target add wasm32-unknown-unknown`. The linker,
# wasm-component-ld, comes with every toolchain of rustup. C components need CC, a clang that knows
# WebAssembly; CC='zig cc' does as well.
#
# Where rustup can not fetch the target, on Debian 12 or later with its security updates:
#
#   examples/wasm/rebuild.sh --fetch DIR      unpacks Debian's compiler and its sources there, 0.5 GB
#   RUST_WEB=DIR examples/wasm/rebuild.sh     builds with them
set -euo pipefail

target=wasm32-unknown-unknown
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)

fetch() {
  mkdir -p "$1/packages" && cd "$1"
  (cd packages && apt-get download rustc-web libstd-rust-web-dev rust-web-src libz3-4 libedit2 \
    "$(apt-cache depends rustc-web | grep -o 'libllvm[0-9]*' | head -n 1)" \
    "$(apt-cache depends rustc-web | grep -o 'libstd-rust-web-[0-9.]*' | head -n 1)")
  for package in packages/*.deb; do
    case $package in
      # Of the sources, the standard library is all that is built.
      *rust-web-src*) dpkg --fsys-tarfile "$package" | tar -x --wildcards './usr/src/rustc-*/library*' ;;
      *) dpkg -x "$package" . ;;
    esac
  done
  cat >rustc <<'RUSTC'
#!/bin/sh
web=$(cd "$(dirname "$0")" && pwd)
LD_LIBRARY_PATH="$web/usr/lib:$web/usr/lib/x86_64-linux-gnu" exec "$web/usr/bin/rustc" "$@"
RUSTC
  chmod +x rustc
}

# Paths of this machine stay out of the components.
flags() {
  printf '%s\x1f' "--remap-path-prefix=$root=." \
    "--remap-path-prefix=${CARGO_HOME:-$HOME/.cargo}/registry/src=registry"
  printf '%s' "--remap-path-prefix=$1=rust"
}

build_rust() {
  local sysroot args=(build --release --locked --target "$target")
  sysroot=$(rustc --print sysroot)
  # Where the linker is, and the one that it calls.
  PATH=$sysroot/lib/rustlib/$(rustc -vV | sed -n 's/^host: //p')/bin:$PATH
  export CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER=wasm-component-ld
  if [ -n "${RUST_WEB:-}" ]; then
    RUST_WEB=$(cd "$RUST_WEB" && pwd)
    sysroot=$RUST_WEB
    export RUSTC=$RUST_WEB/rustc RUSTC_BOOTSTRAP=1
    __CARGO_TESTS_ONLY_SRC_ROOT=$(echo "$RUST_WEB"/usr/src/rustc-*/library)
    export __CARGO_TESTS_ONLY_SRC_ROOT
    args+=(-Zbuild-std=std,panic_abort -Zbuild-std-features=optimize_for_size)
  fi
  (cd "$1" && CARGO_ENCODED_RUSTFLAGS=$(flags "$sysroot") CARGO_TARGET_DIR=$targets cargo "${args[@]}")
  # A component is named as the manifest beside it says.
  local component crate
  component=$(main_of "$1")
  crate=$(sed -n '/^\[lib\]/,/^\[/s/^name = "\(.*\)"/\1/p' "$1/Cargo.toml")
  cp "$targets/$target/release/$crate.wasm" "$1/$component"
}

main_of() { sed -n 's/^main = "\(.*\)"/\1/p' "$1/plugin.toml"; }

if [ "${1:-}" = --fetch ]; then
  fetch "${2:?a folder to unpack into}"
  exit
fi

targets=${CARGO_TARGET_DIR:-$root/target/components}
all=("$here"/*/ "$root/plugins/acl-file/component/" "$root/tests/contract/component/"
  "$root/benches/component/")
folders=("$@")
[ $# -gt 0 ] || folders=("${all[@]}")
for folder in "${folders[@]}"; do
  folder=$(cd "$folder" && pwd)
  if [ -f "$folder/Cargo.toml" ]; then (build_rust "$folder"); else (cd "$folder" && ./build.sh); fi
done

cd "$root"
for folder in "${all[@]}"; do
  component=${folder#"$root/"}$(main_of "$folder")
  [ ! -f "$component" ] || sha256sum "$component"
done | tee "$here/SHA256SUMS"
