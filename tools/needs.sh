# What a command of ./x needs on this machine: is it there, and if not, how it is got.
# Sourced by ./x. First `need_*` calls collect what is missing, then `provide` says what it
# will do, asks once, and does it. When nothing is missing it touches neither apt nor the network.
# shellcheck shell=bash

# Root's tools lie where an ordinary test user can read them too.
cache_dir() {
    if [ -n "${COFFER_X_CACHE:-}" ]; then
        printf '%s\n' "$COFFER_X_CACHE"
    elif [ "$(id -u)" -eq 0 ]; then
        printf '/var/cache/cofferdam\n'
    else
        printf '%s/cofferdam\n' "${XDG_CACHE_HOME:-$HOME/.cache}"
    fi
}

TOOLS_DIR=$(cache_dir)/tools
TEST_USER=coffer-test
PACKAGES=()
STEPS=()

# tool_field ID COLUMN: one value of tools/versions.
tool_field() {
    awk -v id="$1" -v column="$2" '$1 !~ /^#/ && $2 == id { print $column }' "$ROOT/tools/versions"
}

# tool_dir ID: the private prefix of one tool at its pinned version.
tool_dir() {
    printf '%s/%s-%s\n' "$TOOLS_DIR" "$1" "$(tool_field "$1" 4)"
}

# tool_bin ID: the folder of the tool's executable.
tool_bin() {
    case $(tool_field "$1" 1) in
        npm) printf '%s/node_modules/.bin\n' "$(tool_dir "$1")" ;;
        *) printf '%s/bin\n' "$(tool_dir "$1")" ;;
    esac
}

# tool_path ID: the tool's executable.
tool_path() {
    printf '%s/%s\n' "$(tool_bin "$1")" "$(tool_field "$1" 5)"
}

# need_command COMMAND PACKAGE: a Debian package, unless the command is there in some way.
need_command() {
    command -v "$1" >/dev/null 2>&1 || PACKAGES+=("$2")
}

# rustup brings no linker, and `ring` and the static C library need a compiler and libc.a.
need_linker() {
    need_command cc gcc
    local archive
    archive=$(cc -print-file-name=libc.a 2>/dev/null || true)
    [ -f "$archive" ] || PACKAGES+=(libc6-dev)
}

# need_tool ID: a tool of tools/versions in its private prefix.
need_tool() {
    [ -x "$(tool_path "$1")" ] && return 0
    case $(tool_field "$1" 1) in
        npm)
            need_command node nodejs
            need_command npm npm
            ;;
        pip) have_pip || PACKAGES+=(python3-pip) ;;
    esac
    STEPS+=("tool $1")
}

# The same, but a copy that the user has installed does as well.
need_tool_or_own() {
    command -v "$(tool_field "$1" 5)" >/dev/null 2>&1 || need_tool "$1"
}

# The second agent needs Node 20, and Debian 12 and Ubuntu 24.04 have 18: it brings a Node of its own.
node_is_new_enough() {
    local version
    version=$(node --version 2>/dev/null) || return 1
    version=${version#v}
    [ "${version%%.*}" -ge 20 ]
}

# Rootless behaviour is tested by an ordinary user; root has to make one.
need_test_user() {
    [ "$(id -u)" -eq 0 ] || return 0
    id "$TEST_USER" >/dev/null 2>&1 || STEPS+=("user")
}

# as_root_words: how a command is run as root from here.
as_root_words() {
    [ "$(id -u)" -eq 0 ] || printf 'sudo '
}

as_root() {
    [ "$(id -u)" -eq 0 ] || command -v sudo >/dev/null 2>&1 || fail 4 "no \`sudo\` here: have root do \`$*\`"
    if [ "$(id -u)" -eq 0 ]; then
        "$@"
    elif [ -t 0 ]; then
        sudo -- "$@"
    else
        sudo -n -- "$@"
    fi
}

have_pip() {
    python3 -m pip --version >/dev/null 2>&1
}

# describe_step STEP: the command to type for the same effect.
describe_step() {
    local how=${1%% *} id=${1#* } dir package version with
    case $how in
        user)
            printf '%suseradd --create-home --shell /bin/bash %s\n' "$(as_root_words)" "$TEST_USER"
            return
            ;;
        ranges | tun | rootfs)
            describe_engine_step "$how"
            return
            ;;
    esac
    dir=$(tool_dir "$id") package=$(tool_field "$id" 3) version=$(tool_field "$id" 4) with=$(tool_field "$id" 6)
    case $(tool_field "$id" 1) in
        npm) printf 'npm install --prefix %q %s@%s\n' "$dir" "$package" "$version${with:+ $with}" ;;
        cargo) printf 'cargo install --locked --root %q %s@%s\n' "$dir" "$package" "$version" ;;
        pip) printf 'python3 -m pip install --target %q %s==%s\n' "$dir" "$package" "$version" ;;
        typos)
            if have_pip; then
                printf 'python3 -m pip install --no-deps --target %q typos==%s\n' "$dir" "$version"
            else
                printf 'cargo install --locked --root %q %s@%s\n' "$dir" "$package" "$version"
            fi
            ;;
    esac
}

# No daemon starts because its package came: the tests start their own.
POLICY=/usr/sbin/policy-rc.d

install_packages() {
    say "apt-get install $*"
    local policy='' outcome=0
    if [ ! -e "$POLICY" ]; then
        policy=$POLICY
        printf '#!/bin/sh\nexit 101\n' | as_root install -m 755 /dev/stdin "$policy"
    fi
    apt_get_install "$@" || outcome=$?
    [ -z "$policy" ] || as_root rm -f -- "$policy"
    return "$outcome"
}

apt_get_install() {
    as_root env DEBIAN_FRONTEND=noninteractive apt-get update -qq &&
        as_root env DEBIAN_FRONTEND=noninteractive apt-get install -qq -y -o Dpkg::Use-Pty=0 \
            --no-install-recommends "$@" >/dev/null
}

# Each tool is put together beside its place and renamed, so that what is there is whole.
install_tool() {
    local id=$1 dir part
    dir=$(tool_dir "$id") part=$(tool_dir "$id").part
    rm -rf -- "$part" "$dir"
    mkdir -p -- "$part"
    case $(tool_field "$id" 1) in
        npm) install_by_npm "$id" "$part" ;;
        cargo) install_by_cargo "$id" "$part" ;;
        pip) install_by_pip "$id" "$part" ;;
        typos) install_typos "$id" "$part" ;;
    esac
    rm -rf -- "$part/scratch"
    mv -T -- "$part" "$dir"
    [ -x "$(tool_path "$id")" ] || fail 4 "\`$(tool_path "$id")\` is not there after its installation"
}

install_by_npm() {
    local with
    with=$(tool_field "$1" 6)
    npm install --prefix "$2" --cache "$2/scratch" --no-save --no-package-lock --no-audit --no-fund \
        --no-update-notifier --loglevel error "$(tool_field "$1" 3)@$(tool_field "$1" 4)" ${with:+"$with"}
}

# A tool of ours is run seldom: an optimised build of it would take longer than it saves.
install_by_cargo() {
    (
        cd / # away from this workspace's .cargo/config.toml and rust-toolchain.toml
        export RUSTUP_TOOLCHAIN=$TOOLCHAIN CARGO_TARGET_DIR=$2/scratch CARGO_PROFILE_DEV_DEBUG=0
        cargo install --locked --debug --root "$2" "$(tool_field "$1" 3)@$(tool_field "$1" 4)"
    )
}

install_by_pip() {
    PIP_ROOT_USER_ACTION=ignore python3 -m pip install --quiet --disable-pip-version-check --target "$2" \
        "$(tool_field "$1" 3)==$(tool_field "$1" 4)"
}

# The package index for Python has it ready made; from source it takes some minutes.
install_typos() {
    if have_pip; then
        PIP_ROOT_USER_ACTION=ignore python3 -m pip install --quiet --no-deps --target "$2" "typos==$(tool_field "$1" 4)"
    else
        install_by_cargo "$1" "$2"
    fi
}

perform_step() {
    say "$(describe_step "$1")"
    case $1 in
        user) as_root useradd --create-home --shell /bin/bash "$TEST_USER" ;;
        ranges | tun | rootfs) perform_engine_step "$1" ;;
        *) install_tool "${1#* }" ;;
    esac
}

# list_missing: everything that `provide` would do, as commands.
list_missing() {
    local step
    if [ ${#PACKAGES[@]} -gt 0 ]; then
        printf '  %sapt-get update && %sapt-get install --no-install-recommends %s\n' \
            "$(as_root_words)" "$(as_root_words)" "${PACKAGES[*]}"
    fi
    for step in ${STEPS[@]+"${STEPS[@]}"}; do
        printf '  %s\n' "$(describe_step "$step")"
    done
}

provide() {
    [ ${#PACKAGES[@]} -gt 0 ] || [ ${#STEPS[@]} -gt 0 ] || return 0
    say "missing on this machine; to get it:"
    list_missing >&2
    if [ "$YES" != 1 ]; then
        [ -t 0 ] || fail 4 "nobody to ask: type the commands above, or say \`./x $COMMAND -y\`"
        local answer
        read -r -p 'x: go ahead? [y/N] ' answer
        case $answer in
            y | Y | yes) ;;
            *) fail 4 "nothing was installed" ;;
        esac
    fi
    install_missing >&2
}

# What root installs, the test user must be able to read, whatever the umask.
install_missing() {
    umask 022
    local step
    if [ ${#PACKAGES[@]} -gt 0 ]; then
        command -v apt-get >/dev/null 2>&1 || fail 4 "no \`apt-get\` here: install ${PACKAGES[*]} by hand"
        install_packages "${PACKAGES[@]}"
    fi
    for step in ${STEPS[@]+"${STEPS[@]}"}; do
        perform_step "$step"
    done
}
