# rankmil: `make` sets up and builds, `make demo` shows it, `make check` tests it, `make bench` measures it,
# `make install PREFIX=…` installs it there (DESTDIR is respected), `make uninstall PREFIX=…` removes that.
PREFIX ?= /usr/local

.PHONY: all configure setup demo check bench install uninstall clean

all: setup configure
	@ninja -C build

configure: setup
	@test -f build/build.ninja || meson setup build --prefix=$(PREFIX)

setup:
	@tools/setup

# Only what the demo needs, to be quick on a bare machine.
demo: configure
	@ninja -C build cli/rankmil
	@tools/demo

check: setup
	@tools/check

bench: all
	@tools/bench

# PREFIX decides, whatever the build was made for.
install: setup configure
	@meson configure build -Dprefix=$(PREFIX)
	@ninja -C build
	@meson install -C build --no-rebuild

uninstall: setup configure
	@meson configure build -Dprefix=$(PREFIX)
	@ninja -C build
	@tools/uninstall $(PREFIX)

clean:
	rm -rf build build-sanitize demo
