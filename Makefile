# libreuse: what a person types, and what may be given on the command line. "make help" lists it. How
# each thing is done stands in make/, one concern a file:
#   build.mk    the library, the command, the test applications      install.mk  install and uninstall
#   test.mk     the tests, here and on other machines                package.mk  deb, rpm, tarballs
#   analyse.mk  lint, sanitizers, fuzzing                            evidence.mk race, inject, bench, ...
#   coverage.mk which lines and branches the tests reach

# The version stands in one place, the first line of the changelog: "libreuse (VERSION) ...".
VERSION := $(patsubst (%),%,$(word 2,$(file <packaging/debian/changelog)))
ifeq ($(VERSION),)
$(error packaging/debian/changelog does not begin with "libreuse (VERSION)")
endif

# "make CROSS=s390x-linux-gnu" builds for another machine, with the compiler of that prefix.
ifdef CROSS
ifeq ($(origin CC),default)
CC := $(CROSS)-gcc
endif
BUILD ?= build/$(CROSS)
endif
STRIP   := $(if $(CROSS),$(CROSS)-)strip
MACHINE := $(shell $(CC) -dumpmachine)

# All processors build, unless -j says how many; "make clean all" is two things, one after the other.
ifeq ($(MAKELEVEL)$(filter clean,$(MAKECMDGOALS)),0)
MAKEFLAGS += -j$(shell nproc)
endif

# Where everything is built, and with which flags; V=1 shows each command.
BUILD  ?= build
CFLAGS ?= -O2 -g
Q      := $(if $(V),,@)

# Where "make install" puts things; DESTDIR stands before each. COMMAND is what is installed as libreuse,
# the other choice is $(STATIC).
PREFIX     ?= /usr/local
LIBDIR     ?= $(PREFIX)/lib
BINDIR     ?= $(PREFIX)/bin
MANDIR     ?= $(PREFIX)/share/man
BASHDIR    ?= $(PREFIX)/share/bash-completion/completions
ZSHDIR     ?= $(PREFIX)/share/zsh/site-functions
FISHDIR    ?= $(PREFIX)/share/fish/vendor_completions.d
CATALOGDIR ?= $(PREFIX)/lib/systemd/catalog
UNITDIR    ?= $(PREFIX)/lib/systemd/system
DOCDIR     ?= $(PREFIX)/share/doc/libreuse
COMMAND    ?= $(BUILD)/libreuse

.PHONY: all demo static
all: ## build the library, the command, the two servers and the demo
demo: all ## watch a legacy server fail to restart, and then restart (VERBOSE=1)
static: ## build the command as one static file that runs on every distribution

.PHONY: check test test-unit test-behaviour test-pictures tested test-cross test-packages
check: ## what a contributor runs: test test-pictures lint test-sanitized fuzz test-packages test-cross
test: ## run every test (SEQUENCES=n, SEED=n for the random ones); REPEAT=n FILTER='suite/*' again and again
test-unit: ## run the tests of single modules
test-behaviour: tested ## run the tests of whole programs under the library
test-pictures: ## play the scenes of the documents' pictures again, and compare
test-cross: ## cross-build for ARCHITECTURES="PREFIX ..." and test under qemu's user mode
test-packages: ## build all packages, install, try and remove them in a throw-away copy of this Debian (RELEASE=1)

.PHONY: lint test-sanitized fuzz
lint: all static ## check format, scripts, the flow between rooms, and what the library needs and exports
test-sanitized: ## run the unit tests with AddressSanitizer and UndefinedBehaviorSanitizer
fuzz: ## feed the parsers random bytes, with ASan and UBSan (FUZZ_SECONDS=n for each, FUZZ_JOBS=n)

# By hand: pictures are drawn anew where what they show has changed; the others take long, or other machines.
.PHONY: pictures test-distros test-kernels test-fleet
pictures: ## draw the pictures of the documents, of real runs
test-distros: ## try the packages on Debian releases (SUITES, MIRROR, APT_SETTINGS)
test-fleet: ## try the examples for many hosts on a copy of this Debian that boots systemd
test-kernels: ## try the library on other kernels and machines, in qemu-system (KERNELS="...", MIRROR)

.PHONY: install install-library install-command uninstall
install: install-library install-command ## install all of it (DESTDIR, PREFIX, LIBDIR, COMMAND)
install-library: ## install the library alone, as for a second architecture
install-command: ## install command, man pages, completions, journal catalogue, documents
uninstall: ## remove what install has installed

.PHONY: deb rpm dist dist-source dist-binary release
deb: ## build the Debian packages (DEB_ARCH=i386 for another architecture)
rpm: dist-source ## build RPM packages from the source tarball (CROSS=i686-linux-gnu for another architecture)
release: ## check, build twice and compare, write SHA256SUMS, tag (VERSION=x.y.z, TAG=no)
dist: dist-source dist-binary ## build the source tarball (of the last commit) and the binary one with install.sh

.PHONY: clean help
clean: ## remove everything that was built
	rm -rf $(BUILD)
help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/\1\t\2/p' $(MAKEFILE_LIST) | expand -t 18

include make/build.mk make/test.mk make/analyse.mk make/install.mk make/package.mk make/evidence.mk make/coverage.mk

-include $(addsuffix .d,$(basename $(OBJECTS) $(PROGRAMS_OF_ONE_FILE)))
