# The commands of ./x, one function each. Sourced by ./x.
# shellcheck shell=bash

x_build() {
    need_linker
    provide
    cargo build --locked --release -p cofferdam "$@"
    say "built $(built coffer release)"
}

x_try() {
    need_linker
    need_command bwrap bubblewrap
    need_tool claude-native
    provide
    [ -x "$(built coffer debug)" ] || say "building; this takes some minutes the first time"
    cargo build --quiet --locked -p cofferdam
    PATH=$(tool_bin claude-native):$PATH "$(built coffer debug)" try "$@"
}

# A home of its own for everything that the tests start, and no key of the person who starts them.
isolate() {
    TEST_HOME=$(mktemp -d "${TMPDIR:-/tmp}/coffer-x.XXXXXX")
    trap 'rm -rf -- "$TEST_HOME"' EXIT
    mkdir -m 700 -- "$TEST_HOME/run"
    export HOME=$TEST_HOME
    export XDG_CONFIG_HOME=$HOME/.config XDG_DATA_HOME=$HOME/.local/share XDG_STATE_HOME=$HOME/.local/state
    export XDG_CACHE_HOME=$HOME/.cache XDG_RUNTIME_DIR=$HOME/run
    local name
    while IFS= read -r name; do
        case $name in
            COFFER_TEST_*) ;;
            ANTHROPIC_* | CLAUDE_* | CLAUDECODE | COFFER_* | OPENAI_* | CODEX_* | GEMINI_* | GOOGLE_*) unset "$name" ;;
        esac
    done < <(compgen -e)
}

need_for_tests() {
    need_linker
    need_command bwrap bubblewrap
    need_command curl curl
    need_command tmux tmux
    need_command ip iproute2
    need_command setpriv util-linux
    # Stock projects that install something; the registries are the tests' own.
    need_command npm npm
    /usr/bin/python3 -c 'import venv, ensurepip' >/dev/null 2>&1 || PACKAGES+=(python3 python3-venv)
    # Agents for keys, with their clients.
    need_command ssh-agent openssh-client
    need_command gpg gnupg
    # The sandbox of the genuine CLI, inside ours.
    need_command socat socat
    need_command rg ripgrep
    # A keyring of the session, for the sealing identity.
    need_command dbus-daemon dbus-daemon
    need_command gnome-keyring-daemon gnome-keyring
    # A kernel with cgroups of version 2, whatever this machine has; Debian builds it for x86 alone.
    [ "$(uname -m)" != x86_64 ] || need_command linux.uml user-mode-linux
    need_tool claude-native
    need_tool claude-js
    need_tool agent2
    need_tool devcontainers
    need_tool_or_own nextest
    need_test_user
    need_x11_folder
    need_engines
    ! have_nightly || need_for_fuzz
}

# Both run even when the first fails; returns 1 if any did.
test_besides_nextest() {
    local outcome=0
    if have_nightly; then
        say "compiling the fuzz targets"
        compile_fuzz_targets || outcome=1
    else
        say "no nightly toolchain: the fuzz targets are not compiled"
    fi
    say "documentation tests"
    cargo test --quiet --locked --workspace --doc || outcome=1
    return "$outcome"
}

x_test() {
    need_for_tests
    provide
    node_is_new_enough || PATH=$(tool_bin agent2):$PATH
    export COFFER_TEST_CLAUDE_NATIVE COFFER_TEST_CLAUDE_JS COFFER_TEST_AGENT2 COFFER_TEST_NODE
    COFFER_TEST_CLAUDE_NATIVE=$(tool_path claude-native)
    COFFER_TEST_CLAUDE_JS=$(tool_path claude-js)
    COFFER_TEST_AGENT2=$(tool_path agent2)
    COFFER_TEST_NODE=$(command -v node)
    export COFFER_TEST_ROOTFS=$ROOTFS
    export COFFER_TEST_DEVCONTAINERS
    COFFER_TEST_DEVCONTAINERS=$(tool_path devcontainers)
    if [ "$(id -u)" -eq 0 ]; then export COFFER_TEST_USER=$TEST_USER; fi
    PATH=$PATH:$(tool_bin nextest)
    isolate
    local profile=default outcome=0
    # Whoever names tests wants those and no others.
    [ $# -gt 0 ] || test_besides_nextest || outcome=$?
    [ -z "${CI:-}" ] || profile=ci
    say "tests"
    export COFFER_TEST_SKIP_LOG=$TEST_HOME/skipped
    cargo nextest run --locked --workspace --profile "$profile" "$@" || outcome=$?
    if [ -s "$COFFER_TEST_SKIP_LOG" ]; then
        say "$(wc -l <"$COFFER_TEST_SKIP_LOG") tests were skipped for want of something on this machine:"
        sort -u "$COFFER_TEST_SKIP_LOG" >&2
    fi
    return "$outcome"
}

# The sanitizers look for memory errors, and what is fuzzed forbids unsafe code: without them it is faster.
FUZZ_OPTIONS=(--sanitizer none)

fuzz() {
    PATH=$PATH:$(tool_bin fuzz) cargo +nightly fuzz "$@"
}

fuzz_targets() {
    sed -n 's/^name = "\(.*\)"/\1/p' "$ROOT/fuzz/Cargo.toml" | grep -v '^coffer-fuzz$'
}

need_for_fuzz() {
    need_linker
    need_command c++ g++
    need_tool_or_own fuzz
}

compile_fuzz_targets() {
    fuzz build "${FUZZ_OPTIONS[@]}"
}

# x_fuzz [TARGET [SECONDS]]: new inputs are kept out of the tree; the seeds in it stay as they are.
x_fuzz() {
    have_nightly || fail 4 "fuzzing needs a nightly toolchain: \`rustup toolchain install nightly\`"
    need_for_fuzz
    provide
    # Only what was built can find something.
    say "building"
    fuzz build "${FUZZ_OPTIONS[@]}" ${1:+"$1"} || fail 1 "the build failed, and nothing was fuzzed"
    local target
    for target in ${1:-$(fuzz_targets)}; do
        gate "$target" fuzz_one "$target" "${2:-60}"
    done
    [ ${#FAILED[@]} -eq 0 ] || fail 1 "fuzzing found something: see fuzz/artifacts of ${FAILED[*]}"
}

fuzz_one() {
    local target=$1 seconds=$2 found outcome=0
    found=$(mktemp -d "${TMPDIR:-/tmp}/coffer-fuzz.XXXXXX")
    RUST_BACKTRACE=0 fuzz run "${FUZZ_OPTIONS[@]}" "$target" "$found" "fuzz/seeds/$target" -- \
        -max_total_time="$seconds" -max_len=65536 -rss_limit_mb=2048 -verbosity=0 -print_final_stats=1 || outcome=$?
    rm -rf -- "$found"
    return "$outcome"
}

FAILED=()

# gate NAME COMMAND…: every gate runs, so that one look shows all that is wrong.
gate() {
    local name=$1
    shift
    say "$COMMAND: $name"
    "$@" || FAILED+=("$name")
}

x_bench() {
    if [ "${1:-}" = gateway ]; then
        shift
        bench_gateway "$@"
        return
    fi
    need_linker
    need_command bwrap bubblewrap
    need_engine_programs
    provide
    cargo build --quiet --locked --release -p cofferdam
    cargo run --quiet --locked --release -p xtask -- bench --coffer "$(built coffer release)" "$@"
}

# The gateway beside other proxies; each is started by the measurement and listens on loopback alone.
bench_gateway() {
    need_linker
    need_command bwrap bubblewrap
    need_command curl curl
    need_command wrk wrk
    need_command nginx nginx-light
    need_command haproxy haproxy
    need_command squid squid
    need_tool mitmproxy
    provide
    cargo build --quiet --locked --release -p cofferdam
    cargo run --quiet --locked --release -p xtask -- bench-gateway --coffer "$(built coffer release)" \
        --mitmdump "$(tool_path mitmproxy)" "$@"
}

# The other sandboxes of bench/compare.toml that are got for this; bubblewrap is there for `coffer` itself.
PEERS=(srt ai-jail nono)

# x_compare [--as-is] […]: with --as-is no sandbox is installed, and those that are missing are named on the page.
x_compare() {
    local id as_is=
    if [ "${1:-}" = --as-is ]; then
        as_is=1
        shift
    fi
    need_linker
    need_command bwrap bubblewrap
    need_command ip iproute2
    need_command setpriv util-linux
    # srt does not start without them.
    need_command rg ripgrep
    need_command socat socat
    need_test_user
    need_x11_folder
    for id in "${PEERS[@]}"; do
        [ -n "$as_is" ] || need_tool "$id"
    done
    provide
    local -a words=()
    for id in "${PEERS[@]}"; do
        [ ! -x "$(tool_path "$id")" ] || words+=(--tool "$id=$(tool_field "$id" 4)=$(tool_bin "$id")")
    done
    [ "$(id -u)" -ne 0 ] || words+=(--user "$(id -u "$TEST_USER"):$(id -g "$TEST_USER")")
    cargo build --quiet --locked --release -p cofferdam
    xtask compare --coffer "$(built coffer release)" ${words[@]+"${words[@]}"} "$@"
}

# As the alias `cargo xtask`, and sure not to touch Cargo.lock.
xtask() {
    cargo run --quiet --locked --package xtask -- "$@"
}

# The database of advisories lies in a git repository that not every machine can reach.
check_advisories() {
    if timeout 60 cargo-deny --locked fetch db >/dev/null 2>&1; then
        cargo-deny --locked check --disable-fetch advisories
    else
        say "advisories were NOT checked: the database cannot be fetched from here"
    fi
}

check_scripts() {
    shellcheck --external-sources x .ci/run tools/*.sh crates/coffer-testkit/src/engine/*.sh
}

x_lint() {
    need_linker
    need_command shellcheck shellcheck
    need_tool_or_own deny
    need_tool_or_own typos
    provide
    PATH=$PATH:$(tool_bin deny):$(tool_bin typos)
    gate 'shell scripts' check_scripts
    gate 'spelling' typos
    gate 'formatting' cargo fmt --all --check
    gate 'clippy' cargo clippy --quiet --locked --workspace --all-targets -- -D warnings
    gate 'dependency rules' xtask check-deps
    gate 'file sizes' xtask check-size
    gate 'promises' xtask check-promises
    gate 'generated pages' xtask generate --check
    gate 'documentation' env RUSTDOCFLAGS='-D warnings -A rustdoc::private_intra_doc_links' cargo doc --quiet --locked --workspace --no-deps
    gate 'licences, bans, sources' cargo-deny --locked check bans licenses sources
    gate 'advisories' check_advisories
    [ ${#FAILED[@]} -eq 0 ] || fail 1 "lint: ${#FAILED[@]} of the gates failed: $(printf '%s; ' "${FAILED[@]}")"
    say "lint: all gates passed"
}
