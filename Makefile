# SPDX-License-Identifier: Apache-2.0
# rankmil: `make` builds, `make demo` shows it, `make check` tests it, `make bench` measures it, `make install PREFIX=…`
# installs it there (DESTDIR is respected), `make uninstall PREFIX=…` removes that, `make deb` makes Debian packages, `make fuzz` has
# libFuzzer try every reader.
#
# `make setup`, `make demo`, `make check`, `make fuzz` and `make deb` install packages that are missing. Everything else installs none and says which.
PREFIX ?= /usr/local

.PHONY: all ready configure setup demo check fuzz bench deb install uninstall clean

all: configure
	@ninja -C build

ready:
	@tools/setup --check

configure: ready
	@test -f build/build.ninja || meson setup build --prefix=$(PREFIX)

setup:
	@tools/setup

# Only what the demo needs, to be quick on a bare machine.
demo: setup
	@$(MAKE) --no-print-directory configure
	@ninja -C build cli/rankmil
	@tools/demo

check:
	@tools/setup --tests
	@tools/check

# SECONDS of each reader; clang and its libFuzzer.
SECONDS ?= 120
fuzz:
	@tools/setup --fuzz
	@tools/fuzz $(SECONDS)

bench: all
	@tools/bench

# Debian packages in build-deb/.
deb:
	@tools/setup --deb
	@tools/deb

# PREFIX decides, whatever the build was made for.
install: configure
	@meson configure build -Dprefix=$(PREFIX)
	@ninja -C build
	@meson install -C build --no-rebuild

uninstall: configure
	@meson configure build -Dprefix=$(PREFIX)
	@ninja -C build
	@tools/uninstall $(PREFIX)

clean:
	rm -rf build build-sanitize build-fuzz build-deb demo
