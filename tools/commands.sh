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
    say "building (about two minutes the first time)"
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
    need_command tmux tmux
    need_command ip iproute2
    need_command setpriv util-linux
    need_tool claude-native
    need_tool claude-js
    need_tool agent2
    need_tool_or_own nextest
    need_test_user
}

x_test() {
    need_for_tests
    provide
    export COFFER_TEST_CLAUDE_NATIVE COFFER_TEST_CLAUDE_JS COFFER_TEST_AGENT2 COFFER_TEST_USER
    COFFER_TEST_CLAUDE_NATIVE=$(tool_path claude-native)
    COFFER_TEST_CLAUDE_JS=$(tool_path claude-js)
    COFFER_TEST_AGENT2=$(tool_path agent2)
    COFFER_TEST_USER=$TEST_USER
    PATH=$PATH:$(tool_bin nextest)
    isolate
    if have_nightly; then
        say "compiling the fuzz targets"
        compile_fuzz_targets
    else
        say "no nightly toolchain: the fuzz targets are not compiled"
    fi
    say "documentation tests"
    cargo test --quiet --locked --workspace --doc
    say "tests"
    cargo nextest run --locked --workspace --profile "${NEXTEST_PROFILE:-${CI:+ci}${CI:-default}}" "$@"
}
