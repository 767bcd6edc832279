#!/bin/sh
# Lays the built C library down for other programs: header, shared library with its links, static library,
# mailbearer.pc and the CMake files. Nothing in the tree knows its own place: it may be moved.
#
#   PREFIX=/usr/local DESTDIR= LIBDIR=lib FROM=target/release bindings-c/install.sh
#
# PREFIX   where it will be used
# DESTDIR  put in front of PREFIX, for packagers
# LIBDIR   below PREFIX; such as lib64 or lib/x86_64-linux-gnu
# FROM     where cargo put libmailbearer_c
set -eu

here=$(cd "$(dirname "$0")" && pwd)
prefix=${PREFIX:-/usr/local}
libdir=${LIBDIR:-lib}
from=${FROM:-${CARGO_TARGET_DIR:-$here/../target}/release}
header=$here/../include/mailbearer.h
root=${DESTDIR:-}$prefix

version=$(sed -n 's/^#define MAILBEARER_VERSION "\(.*\)"$/\1/p' "$header")
abi=${version%.*}

if test "$(uname -s)" = Darwin; then
    echo "install.sh: lays down ELF libraries; on macOS link target/release/libmailbearer_c.a" >&2
    exit 69
fi
built=$from/libmailbearer_c.so
shared=libmailbearer.so.$version
soname=libmailbearer.so.$abi
# What a program needs beside libmailbearer.a: `rustc --print native-static-libs`, but for -lgcc_s and -lc: every
# compiler adds its own, and -lgcc_s is not to be had with -static.
private="-lutil -lrt -lpthread -lm -ldl"
if ! test -f "$built"; then
    echo "install.sh: $built is missing; build it with: cargo build --release -p mailbearer-c" >&2
    exit 66
fi

# From a file's folder up to the prefix: one step for each part of LIBDIR, and one for the folder itself.
up=..
rest=$libdir
while :; do
    up=../$up
    case $rest in */*) rest=${rest#*/} ;; *) break ;; esac
done

fill() {
    sed -e "s|@VERSION@|$version|g; s|@ABI@|$abi|g; s|@LIBDIR@|$libdir|g; s|@UP@|$up|g" \
        -e "s|@UP_CMAKE@|../$up|g; s|@SHARED@|$shared|g; s|@SONAME@|$soname|g" \
        -e "s|@PRIVATE@|$private|g; s|@PRIVATE_CMAKE@|$(echo "$private" | tr ' ' ';')|g" "$1" >"$2"
    chmod 644 "$2"
}

mkdir -p "$root/include" "$root/$libdir/pkgconfig" "$root/$libdir/cmake/mailbearer"
install -m 644 "$header" "$root/include/mailbearer.h"
install -m 755 "$built" "$root/$libdir/$shared"
for link in "$soname" libmailbearer.so; do
    ln -sf "$shared" "$root/$libdir/$link"
done
if test -f "$from/libmailbearer_c.a"; then
    install -m 644 "$from/libmailbearer_c.a" "$root/$libdir/libmailbearer.a"
fi
fill "$here/mailbearer.pc.in" "$root/$libdir/pkgconfig/mailbearer.pc"
for name in mailbearerConfig mailbearerConfigVersion; do
    fill "$here/cmake/$name.cmake.in" "$root/$libdir/cmake/mailbearer/$name.cmake"
done
echo "installed mailbearer $version into $root"
