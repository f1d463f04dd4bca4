# How the library, the command, the two servers and the demo are built.

# The largest stack frame of a function in the shim, in bytes.
FRAME ?= 2304

WARNINGS := -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wvla -Wstrict-prototypes \
            -Wmissing-prototypes -Wformat=2 -Werror
# Without the name of this folder, so that the same source makes the same bytes in every one.
BASE     := -std=gnu17 -D_GNU_SOURCE -MMD -MP -fdebug-prefix-map=$(CURDIR)=. $(WARNINGS)

# The shim runs inside other people's programs. Its flags come after the user's, because the stack
# protector and _FORTIFY_SOURCE need symbols that the oldest C library does not have, and because a
# large frame could not live on the smallest thread stack.
SHIM_FLAGS := $(BASE) -Wframe-larger-than=$(FRAME) -fPIC -fvisibility=hidden -fno-stack-protector \
              -U_FORTIFY_SOURCE -Ishim -include shim/guest/oldest_glibc.h -DLIBREUSE_VERSION='"$(VERSION)"'
SHIM_LINK  := -shared -Wl,-soname,libreuse.so -Wl,--version-script=shim/guest/libreuse.map -Wl,-z,defs \
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
CLI_FLAGS  := $(BASE) -Wframe-larger-than=65536 -Ishim -Icli -DLIBREUSE_VERSION='"$(VERSION)"'
SHIM     := $(patsubst %.c,$(BUILD)/%.o,$(wildcard shim/*.c shim/*/*.c))
CLI      := $(patsubst %.c,$(BUILD)/%.o,$(wildcard cli/*.c cli/*/*.c))
SERVERS  := $(patsubst testapps/%.c,$(BUILD)/%,$(wildcard testapps/*.c))
DEMO     := $(patsubst %.c,$(BUILD)/%.o,$(wildcard testapps/demo/*.c))
OBJECTS  := $(SHIM) $(CLI) $(DEMO)
# What is compiled and linked in one step; each has a .d file of its own name.
PROGRAMS_OF_ONE_FILE := $(SERVERS)

# $(BUILD)/flags changes when the compiler or a flag does, and everything depends on it.
FLAGS_NOW := $(CC) | $(CPPFLAGS) | $(CFLAGS) | $(LDFLAGS) | $(VERSION)
ifneq ($(file <$(BUILD)/flags),$(FLAGS_NOW))
$(shell mkdir -p $(BUILD))
$(file >$(BUILD)/flags,$(FLAGS_NOW))
endif
EVERYTHING := Makefile make/build.mk $(BUILD)/flags

all: $(BUILD)/libreuse.so $(BUILD)/libreuse $(BUILD)/libreuse.catalog $(SERVERS) $(BUILD)/demo

demo:
	@$(BUILD)/demo

$(BUILD)/shim/%.o: shim/%.c $(EVERYTHING)
	@mkdir -p $(@D)
	@echo "  CC    $@"
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) $(SHIM_FLAGS) -c -o $@ $<

$(BUILD)/libreuse.so: $(SHIM) shim/guest/libreuse.map $(EVERYTHING)
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
$(BUILD)/cli/program/library.o: CLI_FLAGS += -DLIBREUSE_LIBDIR='"$(LIBDIR)"'
$(BUILD)/cli/program/library.o: $(BUILD)/libdir

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

static: $(STATIC)
# Always asked: the other make knows by its own flags what is out of date.
.PHONY: always
$(STATIC): always
	$(Q)$(MAKE) --no-print-directory BUILD=$(BUILD)/static CC="$(STATIC_CC)" CFLAGS="$(STATIC_CFLAGS)" \
	    CPPFLAGS="$(CPPFLAGS) -DLIBREUSE_STATIC $(addprefix -idirafter ,$(KERNEL_HEADERS))" LDFLAGS="$(STATIC_LDFLAGS) -static -Wl,--build-id" $@

# The second platform of an x86-64 machine. (gcc -m32 would do, but Debian's gcc-multilib cannot be
# installed beside cross compilers.)
I386_CC ?= i686-linux-gnu-gcc
$(BUILD)/i386/libreuse.so: $(wildcard shim/* shim/*/*) $(EVERYTHING)
	$(Q)$(MAKE) --no-print-directory BUILD=$(BUILD)/i386 CC="$(I386_CC)" $@

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
