# Where Rust is. Sourced by ./x.
# shellcheck shell=bash

# Tests get a HOME of their own; cargo and rustup must go on finding theirs.
export CARGO_HOME=${CARGO_HOME:-$HOME/.cargo}
export RUSTUP_HOME=${RUSTUP_HOME:-$HOME/.rustup}
case :$PATH: in
    *:"$CARGO_HOME/bin":*) ;;
    *) PATH=$CARGO_HOME/bin:$PATH ;;
esac

# shellcheck disable=SC2034 # read by needs.sh
TOOLCHAIN=$(sed -n 's/^channel = "\(.*\)"/\1/p' "$ROOT/rust-toolchain.toml")

command -v cargo >/dev/null 2>&1 || fail 4 "no \`cargo\`: install Rust by rustup, see its home page"

# built NAME PROFILE_FOLDER: where cargo has put an executable.
built() {
    printf '%s/%s/%s/%s\n' "${CARGO_TARGET_DIR:-$ROOT/target}" "$(rustc --print host-tuple)" "$2" "$1"
}

have_nightly() {
    rustup toolchain list 2>/dev/null | grep -q '^nightly-'
}
