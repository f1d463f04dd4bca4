# libreuse. Everything is built into $(BUILD); "make help" lists the targets.

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

BUILD  ?= build
PREFIX ?= /usr/local
LIBDIR ?= $(PREFIX)/lib
BINDIR ?= $(PREFIX)/bin
MANDIR ?= $(PREFIX)/share/man
BASHDIR ?= $(PREFIX)/share/bash-completion/completions
ZSHDIR ?= $(PREFIX)/share/zsh/site-functions
CATALOGDIR ?= $(PREFIX)/lib/systemd/catalog
DOCDIR ?= $(PREFIX)/share/doc/libreuse
CFLAGS ?= -O2 -g
# The largest stack frame of a function in the shim, in bytes.
FRAME  ?= 2304
Q      := $(if $(V),,@)

WARNINGS := -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wvla -Wstrict-prototypes \
            -Wmissing-prototypes -Wformat=2 -Werror
BASE     := -std=gnu17 -D_GNU_SOURCE -MMD -MP $(WARNINGS)

# The shim runs inside other people's programs. Its flags come after the user's, because the stack
# protector and _FORTIFY_SOURCE need symbols that the oldest C library does not have, and because a
# large frame could not live on the smallest thread stack.
SHIM_FLAGS := $(BASE) -Wframe-larger-than=$(FRAME) -fPIC -fvisibility=hidden -fno-stack-protector \
              -U_FORTIFY_SOURCE -include shim/oldest_glibc.h -DLIBREUSE_VERSION='"$(VERSION)"'
SHIM_LINK  := -shared -Wl,-soname,libreuse.so -Wl,--version-script=shim/libreuse.map -Wl,-z,defs \
              -Wl,-z,now -Wl,-z,relro -Wl,-z,noexecstack -Wl,--hash-style=both
# Where the processor may or may not have atomic instructions, gcc would call functions that look for
# them with __getauxval(), which not every C library has.
ifneq ($(filter aarch64%,$(MACHINE)),)
SHIM_FLAGS += -mno-outline-atomics
endif
# On systems that are older than this one dlsym() is in libdl, which must therefore be named as
# needed wherever the C library has one.
LIBDL := $(shell $(CC) $(CFLAGS) -print-file-name=libdl.so.2)
ifneq ($(findstring /,$(LIBDL)),)
LIBDL := -Wl,--push-state,--no-as-needed $(LIBDL) -Wl,--pop-state
else
LIBDL := -ldl
endif

APP_FLAGS  := $(BASE)
CLI_FLAGS  := $(BASE) -Wframe-larger-than=65536 -Ishim -DLIBREUSE_VERSION='"$(VERSION)"'
TESTED     ?= $(BUILD)
TEST_FLAGS := $(BASE) -Wframe-larger-than=65536 -Ishim -Itests/support -iquote tests/cross -pthread \
              -DLIBREUSE_VERSION='"$(VERSION)"' -DBUILD_FOLDER='"$(abspath $(TESTED))"' \
              -DSOURCE_FOLDER='"$(CURDIR)"'

SHIM     := $(patsubst %.c,$(BUILD)/%.o,$(wildcard shim/*.c))
CLI      := $(patsubst %.c,$(BUILD)/%.o,$(wildcard cli/*.c))
SERVERS  := $(patsubst testapps/%.c,$(BUILD)/%,$(wildcard testapps/*.c))
DEMO     := $(patsubst %.c,$(BUILD)/%.o,$(wildcard testapps/demo/*.c))
HOSTS    := $(patsubst tests/%.c,$(BUILD)/%,$(wildcard tests/fixtures/*.c))
HOST_LIBS := $(patsubst tests/%.c,$(BUILD)/%.so,$(wildcard tests/fixtures/lib/*.c))
SUPPORT  := $(patsubst %.c,$(BUILD)/%.o,$(wildcard tests/support/*.c))
BEHAVIOUR := $(patsubst %.c,$(BUILD)/%.o,$(wildcard tests/behaviour/*.c))
TARGETS  := $(addprefix $(BUILD)/targets/,dynamic static go go_dynamic no_libraries asan i386 musl \
                                          musl_static uclibc ld-uClibc.so.0 lib32/libreuse.so)
UNIT_SUPPORT := $(BUILD)/tests/support/namespace.o $(BUILD)/tests/support/refuse.o
UNIT     := $(patsubst %.c,$(BUILD)/%.o,$(wildcard tests/unit/*.c))
CROSS_SUPPORT := $(patsubst %.c,$(BUILD)/%.o,$(wildcard tests/cross/*.c))

SCRIPTS  := .ci/run packaging/stage packaging/tarball/install.sh packaging/completions/libreuse.bash \
            $(wildcard tests/lint/* tests/distros/* tests/kernels/*) tests/cross/run
C_FILES  := $(wildcard shim/*.[ch] cli/*.[ch] testapps/*.[ch] testapps/*/*.[ch] tests/*/*.[ch] \
                       tests/*/*/*.[ch])

# $(BUILD)/flags changes when the compiler or a flag does, and everything depends on it.
FLAGS_NOW := $(CC) | $(CPPFLAGS) | $(CFLAGS) | $(LDFLAGS) | $(VERSION)
ifneq ($(file <$(BUILD)/flags),$(FLAGS_NOW))
$(shell mkdir -p $(BUILD))
$(file >$(BUILD)/flags,$(FLAGS_NOW))
endif
EVERYTHING := Makefile $(BUILD)/flags

.PHONY: all
all: $(BUILD)/libreuse.so $(BUILD)/libreuse $(BUILD)/libreuse.catalog $(SERVERS) $(BUILD)/demo ## build the library, the command, the two servers and the demo

.PHONY: demo
demo: all ## watch a legacy server fail to restart, and then restart
	@$(BUILD)/demo

.PHONY: test
test: test-unit test-behaviour ## run every test (SEQUENCES=n, SEED=n for the random ones)

.PHONY: test-unit
test-unit: $(BUILD)/tests/unit/run ## run the tests of single modules
	@echo "unit tests"
	$(Q)$<

.PHONY: test-behaviour
test-behaviour: $(BUILD)/tests/behaviour/run tested ## run the tests of whole programs under the library
	@echo "behaviour tests, each in a network namespace of its own"
	$(Q)$<

# Other architectures, under qemu's user mode. The unit tests are programs of the architecture, where
# a few lines stand in for Criterion; whole programs are tested by a runner of this machine.
ARCHITECTURES ?= aarch64-linux-gnu arm-linux-gnueabihf s390x-linux-gnu powerpc64le-linux-gnu \
                 riscv64-linux-gnu
LIBCRITERION := -lcriterion
ifdef CROSS
TEST_FLAGS += -isystem tests/cross
UNIT_SUPPORT += $(CROSS_SUPPORT)
LIBCRITERION :=
TARGETS := $(addprefix $(BUILD)/targets/,dynamic static)
# "libreuse check" looks for the loader of a program: here it is where the cross C library has it.
$(BUILD)/targets/dynamic: TARGET_FLAGS += -Wl,--dynamic-linker=$(firstword $(wildcard /usr/$(CROSS)/lib/ld*.so.[0-9]))
endif

.PHONY: tested
tested: $(HOSTS) $(HOST_LIBS) $(TARGETS) all

.PHONY: test-cross
test-cross: ## cross-build for ARCHITECTURES="PREFIX ..." and test under qemu's user mode
	$(Q)MAKE="$(MAKE)" tests/cross/run $(ARCHITECTURES)

.PHONY: test-sanitized
test-sanitized: ## run the unit tests with AddressSanitizer and UndefinedBehaviorSanitizer
	$(Q)ASAN_OPTIONS=detect_leaks=0 $(MAKE) BUILD=$(BUILD)/sanitized \
	    FRAME=16384 CFLAGS="-O1 -g -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=all" \
	    test-unit

# Fuzzing needs clang with libFuzzer (Debian: libclang-rt-14-dev, or that of another version).
FUZZ_CC      ?= clang
FUZZ_SECONDS ?= 15
FUZZ_FLAGS   := -O1 -g -fno-omit-frame-pointer -fsanitize=address,undefined \
                -fno-sanitize-recover=all -Wno-frame-larger-than
FUZZ_SHIM    := $(patsubst %.c,$(BUILD)/fuzz/%.o,$(filter-out shim/interpose.c,$(wildcard shim/*.c)))
FUZZERS      := $(patsubst tests/fuzz/%.c,$(BUILD)/fuzz/%,$(wildcard tests/fuzz/*.c))
any_frame     = $(filter-out -Wframe-larger-than=%,$(1)) # sanitizers make large frames

.PHONY: fuzz
fuzz: $(FUZZERS) ## feed the parsers random bytes, with ASan and UBSan (FUZZ_SECONDS=n for each)
	$(Q)set -e; for name in $(notdir $(FUZZERS)); do \
	    seeds=tests/fuzz/seeds/$$name; \
	    [ -d $$seeds ] || seeds=; \
	    mkdir -p $(BUILD)/fuzz/corpus/$$name; \
	    echo "fuzzing $$name for $(FUZZ_SECONDS) s"; \
	    $(BUILD)/fuzz/$$name -max_total_time=$(FUZZ_SECONDS) -timeout=5 -max_len=4096 -verbosity=0 \
	        -artifact_prefix=$(BUILD)/fuzz/$$name- $(BUILD)/fuzz/corpus/$$name $$seeds; \
	done

# Debian's kernels, as RELEASE-ARCHITECTURE. What is downloaded is kept, and "make clean" removes it.
KERNELS ?= bullseye-amd64 bookworm-amd64 trixie-amd64 sid-amd64 bookworm-i386 bookworm-arm64 \
           bookworm-armhf bookworm-ppc64el trixie-riscv64 bookworm-s390x

.PHONY: test-kernels
test-kernels: ## try the library on other kernels and machines, in qemu-system (KERNELS="...", MIRROR)
	$(Q)tests/kernels/run $(BUILD)/kernels $(KERNELS)

.PHONY: lint
lint: all static ## check format, scripts, and what the built library needs and exports
	$(Q)clang-format --dry-run -Werror $(C_FILES)
	$(Q)shellcheck $(SCRIPTS)
	$(Q)mandoc -Tlint -W warning docs/libreuse.1 docs/libreuse.so.8
	$(Q)tests/lint/check-library $(BUILD)/libreuse.so
	$(Q)tests/lint/check-static $(STATIC)
	$(Q)$(MAKE) --no-print-directory BUILD=$(BUILD)/clang CC=clang all
	$(Q)tests/lint/check-library $(BUILD)/clang/libreuse.so

# The command that "make install" installs; the other choice is $(STATIC).
COMMAND ?= $(BUILD)/libreuse
DOCUMENTS := README.md $(wildcard docs/*.md)
EXAMPLES  := testapps/server1.c testapps/server2.c $(wildcard packaging/systemd/*)

.PHONY: install
install: install-library install-command ## install all of it (DESTDIR, PREFIX, LIBDIR, COMMAND)

.PHONY: install-library
install-library: $(BUILD)/libreuse.so ## install the library alone, as for a second architecture
	install -d $(DESTDIR)$(LIBDIR)
	install -m 644 $(BUILD)/libreuse.so $(DESTDIR)$(LIBDIR)/libreuse.so

.PHONY: install-command
install-command: $(COMMAND) $(BUILD)/libreuse.catalog ## install command, man pages, completions, journal catalogue, documents
	install -d $(addprefix $(DESTDIR),$(BINDIR) $(MANDIR)/man1 $(MANDIR)/man8 $(BASHDIR) $(ZSHDIR) $(CATALOGDIR) $(DOCDIR)/examples)
	install -m 755 $(COMMAND) $(DESTDIR)$(BINDIR)/libreuse
	install -m 644 docs/libreuse.1 $(DESTDIR)$(MANDIR)/man1/libreuse.1
	install -m 644 docs/libreuse.so.8 $(DESTDIR)$(MANDIR)/man8/libreuse.so.8
	install -m 644 packaging/completions/libreuse.bash $(DESTDIR)$(BASHDIR)/libreuse
	install -m 644 packaging/completions/_libreuse $(DESTDIR)$(ZSHDIR)/_libreuse
	install -m 644 $(BUILD)/libreuse.catalog $(DESTDIR)$(CATALOGDIR)/libreuse.catalog
	install -m 644 $(DOCUMENTS) $(DESTDIR)$(DOCDIR)
	install -m 644 $(EXAMPLES) $(DESTDIR)$(DOCDIR)/examples

.PHONY: uninstall
uninstall: ## remove what install has installed
	rm -f $(addprefix $(DESTDIR),$(LIBDIR)/libreuse.so $(BINDIR)/libreuse $(MANDIR)/man1/libreuse.1 \
	    $(MANDIR)/man8/libreuse.so.8 $(BASHDIR)/libreuse $(ZSHDIR)/_libreuse $(CATALOGDIR)/libreuse.catalog)
	rm -f $(addprefix $(DESTDIR)$(DOCDIR)/,$(notdir $(DOCUMENTS)) $(addprefix examples/,$(notdir $(EXAMPLES))))
	-rmdir $(DESTDIR)$(DOCDIR)/examples $(DESTDIR)$(DOCDIR)

# Packages are built from a copy of the source, as on any other machine, and land in $(PACKAGES).
PACKAGES := $(BUILD)/packages
ALONE    := env -u MAKEFLAGS -u MFLAGS -u MAKELEVEL

# Building for another architecture needs that one's musl-dev: dpkg --add-architecture.
DEB_ARCH ?= $(shell dpkg --print-architecture)
DEB_TREE := $(BUILD)/deb/$(DEB_ARCH)/libreuse-$(VERSION)
.PHONY: deb
deb: ## build the Debian packages (DEB_ARCH=i386 for another architecture)
	$(Q)packaging/stage $(DEB_TREE)
	$(Q)cp -r $(DEB_TREE)/packaging/debian $(DEB_TREE)/debian
	$(Q)cd $(DEB_TREE) && $(ALONE) dpkg-buildpackage --build=binary --no-sign --host-arch=$(DEB_ARCH)
	$(Q)mkdir -p $(PACKAGES)
	$(Q)cd $(DEB_TREE)/.. && mv *.deb *.buildinfo *.changes $(abspath $(PACKAGES))
	$(Q)ls -l $(PACKAGES)/*_$(DEB_ARCH).*

# The date of the version is the time of every file in a tarball and a package.
EPOCH   = $(shell date -d "$$(sed -n 's/^ -- .*>  //p;T;q' packaging/debian/changelog)" +%s)
TAR     = tar --sort=name --owner=0 --group=0 --numeric-owner --mtime=@$(EPOCH) --format=ustar -c
RELEASE := libreuse-$(VERSION)
BINARY  := $(RELEASE)-linux-$(firstword $(subst -, ,$(MACHINE)))

.PHONY: dist
dist: dist-source dist-binary ## build the source tarball (of the last commit) and the binary one with install.sh

SOURCE_TREE := $(BUILD)/dist/source
.PHONY: dist-source
dist-source:
	$(Q)[ -e .git ] && git rev-parse --quiet --verify HEAD >/dev/null || \
	    { echo "make dist-source needs a git clone (and git)" >&2; exit 1; }
	$(Q)git diff --quiet HEAD || echo "make dist: what is not committed is not in the source tarball" >&2
	$(Q)set -e; trap 'rm -rf $(SOURCE_TREE)' EXIT; trap 'exit 1' HUP INT TERM; \
	rm -rf $(SOURCE_TREE); mkdir -p $(SOURCE_TREE); \
	git show HEAD:packaging/debian/changelog > $(SOURCE_TREE)/changelog; \
	head -n 1 $(SOURCE_TREE)/changelog | grep -qF ' ($(VERSION)) ' || { \
	    echo "make dist-source: the changelog of the last commit is not of version $(VERSION)" >&2; \
	    exit 1; }; \
	git show HEAD:packaging/rpm/libreuse.spec.in > $(SOURCE_TREE)/spec.in; \
	sed 's/@VERSION@/$(VERSION)/' $(SOURCE_TREE)/spec.in > $(SOURCE_TREE)/libreuse.spec; \
	git archive --prefix=$(RELEASE)/ --add-file=$(SOURCE_TREE)/libreuse.spec \
	    -o $(SOURCE_TREE)/$(RELEASE).tar HEAD; \
	gzip -9n $(SOURCE_TREE)/$(RELEASE).tar; \
	mkdir -p $(PACKAGES); mv $(SOURCE_TREE)/$(RELEASE).tar.gz $(PACKAGES)
	$(Q)ls -l $(PACKAGES)/$(RELEASE).tar.gz

# The binary tarball of x86-64 has the library for 32-bit programs, too.
DIST_TREE := $(BUILD)/dist/$(BINARY)
DIST_I386 := $(if $(filter x86_64-%,$(MACHINE)),$(BUILD)/i386/libreuse.so)
.PHONY: dist-binary
dist-binary: $(BUILD)/libreuse.so $(STATIC) $(BUILD)/libreuse.catalog $(DIST_I386)
	$(Q)rm -rf $(DIST_TREE)
	$(Q)$(MAKE) --no-print-directory install DESTDIR=$(abspath $(DIST_TREE)) PREFIX= COMMAND=$(STATIC) >/dev/null
	$(Q)$(if $(DIST_I386),install -D -m 644 $(DIST_I386) $(DIST_TREE)/lib32/libreuse.so)
	$(Q)$(STRIP) --strip-unneeded $(DIST_TREE)/lib*/libreuse.so $(DIST_TREE)/bin/libreuse
	$(Q)cd $(DIST_TREE) && find bin lib* share -type f | LC_ALL=C sort > FILES
	$(Q)install -m 755 packaging/tarball/install.sh $(DIST_TREE)
	$(Q)install -m 644 README.md LICENSE $(DIST_TREE)
	$(Q)mkdir -p $(PACKAGES)
	$(Q)$(TAR) -C $(BUILD)/dist $(BINARY) | gzip -9n > $(PACKAGES)/$(BINARY).tar.gz
	$(Q)ls -l $(PACKAGES)/$(BINARY).tar.gz

RPM_TREE := $(abspath $(BUILD)/rpm)
RPM_CPU  := $(patsubst arm,armv7hl,$(patsubst powerpc64le,ppc64le,$(firstword $(subst -, ,$(MACHINE)))))
.PHONY: rpm
rpm: dist-source ## build RPM packages from the source tarball (CROSS=i686-linux-gnu for another architecture)
	$(Q)rm -rf $(RPM_TREE)
	$(Q)SOURCE_DATE_EPOCH=$(EPOCH) $(ALONE) rpmbuild -ta --nodeps --target=$(RPM_CPU) \
	    --define "_topdir $(RPM_TREE)" --define "__cc $(CC)" --define "__strip $(STRIP)" \
	    --define "_buildhost localhost" --define "use_source_date_epoch_as_buildtime 1" \
	    --define "clamp_mtime_to_source_date_epoch 1" $(PACKAGES)/$(RELEASE).tar.gz
	$(Q)mv $(RPM_TREE)/RPMS/*/*.rpm $(RPM_TREE)/SRPMS/*.rpm $(PACKAGES)
	$(Q)ls -l $(PACKAGES)/*.rpm

# Both change nothing on this machine but $(BUILD): all happens in throw-away overlays of namespaces of
# their own, as root. What has to be installed for it is installed in there.
SUITES ?= bullseye bookworm trixie sid
.PHONY: test-distros
test-distros: ## try the packages on Debian releases, by hand (SUITES, MIRROR, APT_SETTINGS)
	$(Q)SUITES="$(SUITES)" MIRROR="$(MIRROR)" $(ALONE) tests/distros/run $(BUILD)/distros

.PHONY: test-packages
test-packages: ## build all packages, install, try and remove them in a throw-away copy of this Debian
	$(Q)rm -rf $(BUILD)/shared && mkdir -p $(BUILD)/shared && packaging/stage $(BUILD)/shared/source
	$(Q)tests/distros/overlay / $(BUILD)/shared /mnt/source/tests/distros/check-packages /mnt/source

.PHONY: clean
clean: ## remove everything that was built
	rm -rf $(BUILD)

.PHONY: help
help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/\1\t\2/p' $(firstword $(MAKEFILE_LIST)) | expand -t 18

$(BUILD)/shim/%.o: shim/%.c $(EVERYTHING)
	@mkdir -p $(@D)
	@echo "  CC    $@"
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) $(SHIM_FLAGS) -c -o $@ $<

$(BUILD)/libreuse.so: $(SHIM) shim/libreuse.map $(EVERYTHING)
	@echo "  LINK  $@"
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) $(SHIM_LINK) -o $@ $(SHIM) $(LIBDL)

$(CLI): $(BUILD)/%.o: %.c $(EVERYTHING)
	@mkdir -p $(@D)
	@echo "  CC    $@"
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) $(CLI_FLAGS) -c -o $@ $<

# Where "make install" puts the library. Only this file knows, and it alone is built again when the
# folder changes.
ifneq ($(file <$(BUILD)/libdir),$(LIBDIR))
$(file >$(BUILD)/libdir,$(LIBDIR))
endif
$(BUILD)/cli/library.o: CLI_FLAGS += -DLIBREUSE_LIBDIR='"$(LIBDIR)"'
$(BUILD)/cli/library.o: $(BUILD)/libdir

# The command speaks with the shim's modules, but is nobody's guest: it interposes nothing.
$(BUILD)/libreuse: $(CLI) $(filter-out %/interpose.o,$(SHIM)) $(EVERYTHING)
	@echo "  LINK  $@"
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $(filter %.o,$^) -ldl

# The command for packages, one file for every Linux of an architecture: linked statically, with musl
# where that is installed for the architecture (its programs start on older kernels than glibc's).
# Debian's musl-dev brings a specs file for each. musl has no kernel headers of its own.
STATIC := $(BUILD)/static/libreuse
MUSL_SPECS := $(wildcard /usr/lib/$(subst gnu,musl,$(patsubst i686-%,i386-%,$(MACHINE)))/musl-gcc.specs)
STATIC_CC ?= $(if $(MUSL_SPECS),$(CC) -specs=$(MUSL_SPECS),$(if \
    $(filter $(MACHINE),$(shell musl-gcc -dumpmachine 2>/dev/null)),musl-gcc,$(CC)))
HASH := \#
KERNEL_HEADERS = $(sort $(patsubst %/linux/errno.h,%,$(patsubst %/asm/errno.h,%,$(filter \
    %/linux/errno.h %/asm/errno.h,$(shell echo '$(HASH)include <linux/errno.h>' | $(CC) -M -x c -)))))

STATIC_CFLAGS  ?= $(CFLAGS)
STATIC_LDFLAGS ?= $(LDFLAGS)

.PHONY: static
static: $(STATIC) ## build the command as one static file that runs on every distribution
# Always asked: the other make knows by its own flags what is out of date.
.PHONY: always
$(STATIC): always
	$(Q)$(MAKE) --no-print-directory BUILD=$(BUILD)/static CC="$(STATIC_CC)" CFLAGS="$(STATIC_CFLAGS)" \
	    CPPFLAGS="$(CPPFLAGS) -DLIBREUSE_STATIC $(addprefix -idirafter ,$(KERNEL_HEADERS))" LDFLAGS="$(STATIC_LDFLAGS) -static -Wl,--build-id" $@

# The journal's catalogue (journalctl -x) and docs/messages.md are one text.
$(BUILD)/libreuse.catalog: docs/messages.md packaging/catalog.awk
	@mkdir -p $(@D)
	@echo "  AWK   $@"
	$(Q)awk -f packaging/catalog.awk docs/messages.md > $@

$(SERVERS): $(BUILD)/%: testapps/%.c $(EVERYTHING)
	@mkdir -p $(@D)
	@echo "  CC    $@"
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) $(APP_FLAGS) $(LDFLAGS) -o $@ $<

$(DEMO): $(BUILD)/%.o: %.c $(EVERYTHING)
	@mkdir -p $(@D)
	@echo "  CC    $@"
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) $(APP_FLAGS) -c -o $@ $<

$(BUILD)/demo: $(DEMO) $(EVERYTHING)
	@echo "  LINK  $@"
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $(DEMO)

$(HOSTS): $(BUILD)/fixtures/%: tests/fixtures/%.c $(EVERYTHING)
	@mkdir -p $(@D)
	@echo "  CC    $@"
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) $(TEST_FLAGS) $(LDFLAGS) -o $@ $<

$(HOST_LIBS): $(BUILD)/fixtures/lib/%.so: tests/fixtures/lib/%.c $(EVERYTHING)
	@mkdir -p $(@D)
	@echo "  CC    $@"
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) $(TEST_FLAGS) -fPIC -shared $(LDFLAGS) -o $@ $<

# The second platform of an x86-64 machine. (gcc -m32 would do, but Debian's gcc-multilib cannot be
# installed beside cross compilers.)
I386_CC ?= i686-linux-gnu-gcc

# What the command is to examine. A kind of program that cannot be built here is left out, and the
# tests that need it say so.
TARGET_FLAGS := -std=gnu17 -D_GNU_SOURCE -O1 -Wall -Wextra -Werror
$(BUILD)/targets/%: TARGET_CC = $(CC) $(filter-out -fsanitize% -fno-sanitize%,$(CFLAGS))
$(BUILD)/targets/static: TARGET_FLAGS += -static
$(BUILD)/targets/go: TARGET_FLAGS += -static -DLIKE_GO
$(BUILD)/targets/go_dynamic: TARGET_FLAGS += -DLIKE_GO
$(BUILD)/targets/asan: TARGET_FLAGS += -fsanitize=address
$(BUILD)/targets/i386: TARGET_CC = $(I386_CC)
$(BUILD)/targets/musl: TARGET_CC = musl-gcc
$(BUILD)/targets/musl_static: TARGET_CC = musl-gcc
$(BUILD)/targets/musl_static: TARGET_FLAGS += -static
$(BUILD)/targets/uclibc: TARGET_FLAGS += -Wl,--dynamic-linker=$(dir $(abspath $@))ld-uClibc.so.0
$(BUILD)/targets/no_libraries: TARGET_FLAGS += -nostdlib -fPIE -pie -fno-stack-protector \
    $(if $(filter x86_64% i%86%,$(MACHINE)),-fcf-protection=none)
$(BUILD)/targets/no_libraries: tests/targets/no_libraries.c
PROGRAMS := $(filter-out %.so %.so.0,$(TARGETS))
$(filter-out %/no_libraries,$(PROGRAMS)): tests/targets/target.c
$(PROGRAMS): $(EVERYTHING)
	@mkdir -p $(@D)
	@echo "  CC    $@"
	$(Q)$(TARGET_CC) $(TARGET_FLAGS) -o $@ $(filter %.c,$^) || \
	    { echo "$@ cannot be built here" >&2; rm -f $@; }

# Nobody runs this loader; it only has to be there.
$(BUILD)/targets/ld-uClibc.so.0:
	@mkdir -p $(@D)
	$(Q)touch $@

$(BUILD)/i386/libreuse.so: $(wildcard shim/*) $(EVERYTHING)
	$(Q)$(MAKE) --no-print-directory BUILD=$(BUILD)/i386 CC="$(I386_CC)" $@

$(BUILD)/targets/lib32/libreuse.so: $(wildcard shim/*) $(EVERYTHING)
	@mkdir -p $(@D)
	$(Q)$(MAKE) --no-print-directory $(BUILD)/i386/libreuse.so && cp $(BUILD)/i386/libreuse.so $@ || { echo "$@ cannot be built here" >&2; rm -f $@; }

$(UNIT): TEST_FLAGS += -iquote cli
$(SUPPORT) $(BEHAVIOUR) $(UNIT) $(CROSS_SUPPORT): $(BUILD)/%.o: %.c $(EVERYTHING)
	@mkdir -p $(@D)
	@echo "  CC    $@"
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) $(TEST_FLAGS) -c -o $@ $<

$(BUILD)/tests/behaviour/run: $(BEHAVIOUR) $(SUPPORT) $(BUILD)/tests/cross/not_emulated.o $(EVERYTHING)
	@echo "  LINK  $@"
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $(filter %.o,$^) -lcriterion -pthread

# The modules, without the interposed functions: those would catch the test runner's own calls.
$(BUILD)/tests/unit/run: $(UNIT) $(UNIT_SUPPORT) $(filter-out %/interpose.o,$(SHIM)) \
    $(filter-out %/main.o,$(CLI)) $(EVERYTHING)
	@echo "  LINK  $@"
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $(filter %.o,$^) $(LIBCRITERION) -pthread -ldl

$(FUZZ_SHIM): $(BUILD)/fuzz/%.o: %.c $(EVERYTHING)
	@mkdir -p $(@D)
	@echo "  FUZZ  $@"
	$(Q)$(FUZZ_CC) $(CPPFLAGS) $(FUZZ_FLAGS) -fsanitize=fuzzer-no-link $(call any_frame,$(SHIM_FLAGS)) \
	    -c -o $@ $<

$(FUZZERS): $(BUILD)/fuzz/%: tests/fuzz/%.c $(FUZZ_SHIM) $(EVERYTHING)
	@mkdir -p $(@D)
	@echo "  FUZZ  $@"
	$(Q)$(FUZZ_CC) $(CPPFLAGS) $(FUZZ_FLAGS) -fsanitize=fuzzer $(call any_frame,$(TEST_FLAGS)) -o $@ $< \
	    $(FUZZ_SHIM) -ldl

DEPENDENCIES := $(SHIM) $(CLI) $(DEMO) $(SUPPORT) $(CROSS_SUPPORT) $(BEHAVIOUR) $(UNIT)
-include $(DEPENDENCIES:.o=.d) $(FUZZ_SHIM:.o=.d) $(addsuffix .d,$(SERVERS) $(HOSTS) $(FUZZERS)) $(HOST_LIBS:.so=.d)
