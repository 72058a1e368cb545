#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# usage: install.sh WEIGHTS FOLDER      (run by meson install)
# Installs the weights of the speech detector if they were fetched.
set -eu
[ -f "$1" ] || exit 0
install -D -m 644 "$1" "$MESON_INSTALL_DESTDIR_PREFIX/$2/$(basename "$1")"
