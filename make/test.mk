# The tests: of single modules, and of whole programs, here and for other machines.

TESTED     ?= $(BUILD)
TEST_FLAGS := $(BASE) -Wframe-larger-than=65536 -Ishim -Itests/support -iquote tests/cross -pthread \
              -DLIBREUSE_VERSION='"$(VERSION)"' -DBUILD_FOLDER='"$(abspath $(TESTED))"' \
              -DSOURCE_FOLDER='"$(CURDIR)"'

HOSTS    := $(patsubst tests/%.c,$(BUILD)/%,$(wildcard tests/fixtures/*.c))
HOST_LIBS := $(patsubst tests/%.c,$(BUILD)/%.so,$(wildcard tests/fixtures/lib/*.c))
SUPPORT  := $(patsubst %.c,$(BUILD)/%.o,$(wildcard tests/support/*.c))
BEHAVIOUR := $(patsubst %.c,$(BUILD)/%.o,$(wildcard tests/behaviour/*.c))
TARGETS  := $(addprefix $(BUILD)/targets/,dynamic static go go_dynamic no_libraries asan i386 musl \
                                          musl_static uclibc ld-uClibc.so.0 lib32/libreuse.so)
UNIT_SUPPORT := $(BUILD)/tests/support/namespace.o $(BUILD)/tests/support/refuse.o
UNIT     := $(patsubst %.c,$(BUILD)/%.o,$(wildcard tests/unit/*.c))
CROSS_SUPPORT := $(patsubst %.c,$(BUILD)/%.o,$(wildcard tests/cross/*.c))
TEST_OBJECTS := $(SUPPORT) $(BEHAVIOUR) $(UNIT) $(CROSS_SUPPORT)
OBJECTS += $(TEST_OBJECTS)
PROGRAMS_OF_ONE_FILE += $(HOSTS) $(HOST_LIBS)

# What "make check" runs, one after the other; it says what each took.
CHECKS ?= test test-pictures lint test-sanitized fuzz test-packages test-cross
CHECK_ARCHITECTURES ?= s390x-linux-gnu arm-linux-gnueabihf:units

check:
	$(Q)MAKE="$(MAKE)" ARCHITECTURES="$(CHECK_ARCHITECTURES)" tests/check $(CHECKS)

# What both need is built together; then one after the other, each on all processors.
test: $(BUILD)/tests/unit/run $(BUILD)/tests/behaviour/run tested
ifdef REPEAT
	$(Q)tests/repeat $(BUILD) $(REPEAT) $(if $(FILTER),'$(FILTER)')
else
	$(Q)$(MAKE) --no-print-directory test-unit
	$(Q)$(MAKE) --no-print-directory test-behaviour
endif

test-unit: $(BUILD)/tests/unit/run
	@echo "unit tests"
	$(Q)$<

test-behaviour: $(BUILD)/tests/behaviour/run
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

# The pictures of the documents are of real runs; they are played again, and compared.
pictures test-pictures: $(BUILD)/libreuse.so $(BUILD)/libreuse $(BUILD)/server1 $(BUILD)/server2
	$(Q)tests/pictures/make $(if $(filter test-%,$@),--check) docs/pictures $(BUILD)

tested: $(HOSTS) $(HOST_LIBS) $(TARGETS) all

test-cross:
	$(Q)MAKE="$(MAKE)" tests/cross/run $(ARCHITECTURES)

# Debian's kernels, as RELEASE-ARCHITECTURE. What is downloaded is kept, and "make clean" removes it.
KERNELS ?= bullseye-amd64 bookworm-amd64 trixie-amd64 sid-amd64 bookworm-i386 bookworm-arm64 \
           bookworm-armhf bookworm-ppc64el trixie-riscv64 bookworm-s390x

test-kernels:
	$(Q)tests/kernels/run $(BUILD)/kernels $(KERNELS)

$(HOSTS): $(BUILD)/fixtures/%: tests/fixtures/%.c $(EVERYTHING)
	@mkdir -p $(@D)
	@echo "  CC    $@"
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) $(TEST_FLAGS) $(LDFLAGS) -o $@ $< $(LIBDL)

# What no preload reaches.
UNREACHED := $(BUILD)/fixtures/swallow_once $(BUILD)/fixtures/raw_server
$(UNREACHED): CFLAGS := $(filter-out -fsanitize% -fno-sanitize%,$(CFLAGS)) -static
$(UNREACHED): LIBDL :=

$(HOST_LIBS): $(BUILD)/fixtures/lib/%.so: tests/fixtures/lib/%.c $(EVERYTHING)
	@mkdir -p $(@D)
	@echo "  CC    $@"
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) $(TEST_FLAGS) -fPIC -shared $(LDFLAGS) -o $@ $<

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

$(BUILD)/targets/lib32/libreuse.so: $(wildcard shim/* shim/*/*) $(EVERYTHING)
	@mkdir -p $(@D)
	$(Q)$(MAKE) --no-print-directory $(BUILD)/i386/libreuse.so && cp $(BUILD)/i386/libreuse.so $@ || { echo "$@ cannot be built here" >&2; rm -f $@; }

# What tests is built in half the time so; what is tested is built as it is shipped.
UNOPTIMIZED := -O0 -U_FORTIFY_SOURCE
$(UNIT): TEST_FLAGS += -iquote cli
$(TEST_OBJECTS): $(BUILD)/%.o: %.c $(EVERYTHING)
	@mkdir -p $(@D)
	@echo "  CC    $@"
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) $(TEST_FLAGS) $(UNOPTIMIZED) -c -o $@ $<

$(BUILD)/tests/behaviour/run: $(BEHAVIOUR) $(SUPPORT) $(BUILD)/tests/cross/not_emulated.o $(EVERYTHING)
	@echo "  LINK  $@"
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $(filter %.o,$^) -lcriterion -pthread

# The modules, without the interposed functions: those would catch the test runner's own calls.
$(BUILD)/tests/unit/run: $(UNIT) $(UNIT_SUPPORT) $(filter-out %/interpose.o,$(SHIM)) \
    $(filter-out %/main.o,$(CLI)) $(EVERYTHING)
	@echo "  LINK  $@"
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $(filter %.o,$^) $(LIBCRITERION) -pthread -ldl
