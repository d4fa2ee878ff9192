# rankmil: `make` sets up and builds, `make demo` shows it, `make check` tests it, `make bench` measures it.
PREFIX ?= /usr/local

.PHONY: all setup demo check bench install clean

all: setup
	@test -f build/build.ninja || meson setup build --prefix=$(PREFIX)
	@ninja -C build

setup:
	@tools/setup

demo: all
	@tools/demo

check: setup
	@tools/check

bench: all
	@tools/bench

install: all
	@meson install -C build

clean:
	rm -rf build build-sanitize demo
