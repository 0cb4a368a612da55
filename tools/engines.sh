# The container engines of the tests: Debian's packages, the ranges of the test user, and the root file
# system that the tests' images are made of. Sourced by ./x.
# shellcheck shell=bash

# The minimal system, with what projects and the agent of a test need besides: Python with venv, and Node.js. Its name
# says what is in it: whoever wants something else in it changes the name.
ROOTFS=$TOOLS_DIR/debian-bookworm-python-node-$(uname -m).tar
ROOTFS_WITH=python3-venv,nodejs

# The engines themselves, with what an image of one static program is made of.
need_engine_programs() {
    need_command podman podman
    need_command runc runc
    need_command newuidmap uidmap
    need_command slirp4netns slirp4netns
    need_command pgrep procps
    [ -x /usr/lib/podman/netavark ] || PACKAGES+=(netavark aardvark-dns)
    # A shell for an image that has nothing else: it must not want libraries.
    is_static "$(command -v busybox)" || PACKAGES+=(busybox-static)
    # Nobody but root can start the daemon of a test's own.
    [ "$(id -u)" -ne 0 ] || need_command dockerd docker.io
}

need_engines() {
    need_engine_programs
    need_rootfs
    [ "$(id -u)" -eq 0 ] || return 0
    need_command docker-compose docker-compose
    [ -n "$(ranges_of "$TEST_USER")" ] || STEPS+=("ranges")
    # As udev has it everywhere else; rootless containers have no network without it.
    [ "$(stat -c %a /dev/net/tun 2>/dev/null)" = 666 ] || STEPS+=("tun")
}

need_rootfs() {
    [ -f "$ROOTFS" ] && return 0
    need_command mmdebstrap mmdebstrap
    [ -f /usr/share/keyrings/debian-archive-keyring.gpg ] || PACKAGES+=(debian-archive-keyring)
    STEPS+=("rootfs")
}

is_static() {
    [ -n "$1" ] && ! ldd "$1" >/dev/null 2>&1
}

# ranges_of USER: what of the user is known as ranges for user namespaces. One that is not there yet gets them
# when it is made.
ranges_of() {
    if id "$1" >/dev/null 2>&1; then
        grep "^$1:" /etc/subuid /etc/subgid 2>/dev/null || true
    else
        printf 'with the user\n'
    fi
}

# The ranges that no other user has.
free_range() {
    awk -F: '{ end = $2 + $3; if (end > free) free = end } END { if (free < 100000) free = 100000; printf "%d-%d\n", free, free + 65535 }' \
        /etc/subuid /etc/subgid 2>/dev/null || printf '100000-165535\n'
}

describe_engine_step() {
    case $1 in
        ranges) printf '%susermod --add-subuids %s --add-subgids %s %s\n' "$(as_root_words)" "$(free_range)" "$(free_range)" "$TEST_USER" ;;
        tun) printf '%schmod 0666 /dev/net/tun\n' "$(as_root_words)" ;;
        rootfs) printf 'mmdebstrap --variant=minbase --include=%s bookworm %q\n' "$ROOTFS_WITH" "$ROOTFS" ;;
    esac
}

perform_engine_step() {
    case $1 in
        ranges) as_root usermod --add-subuids "$(free_range)" --add-subgids "$(free_range)" "$TEST_USER" ;;
        tun) as_root chmod 0666 /dev/net/tun ;;
        rootfs) make_rootfs ;;
    esac
}

# Written beside its place and renamed, so that what is there is whole.
make_rootfs() {
    mkdir -p -- "$TOOLS_DIR"
    rm -f -- "$ROOTFS.part"
    mmdebstrap --quiet --variant=minbase --include="$ROOTFS_WITH" --format=tar bookworm "$ROOTFS.part"
    mv -- "$ROOTFS.part" "$ROOTFS"
}
