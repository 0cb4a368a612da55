# For those who like `just`: every recipe only calls ./x or cargo.

default:
    @just --list

try *args:
    ./x try {{args}}

test *args:
    ./x test {{args}}

lint:
    ./x lint

build:
    ./x build

bench *args:
    ./x bench {{args}}

fuzz *args:
    ./x fuzz {{args}}

# Writes docs/reference anew; `just generate --check` only compares.
generate *args:
    cargo xtask generate {{args}}

fmt:
    cargo fmt --all
