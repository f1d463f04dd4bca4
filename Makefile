# libreuse. Everything is built into $(BUILD); "make help" lists the targets.

VERSION := 0.1.0

BUILD  ?= build
PREFIX ?= /usr/local
LIBDIR ?= $(PREFIX)/lib
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
# On systems that are older than this one dlsym() is in libdl, which must therefore be named as
# needed wherever the C library has one.
LIBDL := $(shell $(CC) $(CFLAGS) -print-file-name=libdl.so.2)
ifneq ($(findstring /,$(LIBDL)),)
LIBDL := -Wl,--push-state,--no-as-needed $(LIBDL) -Wl,--pop-state
else
LIBDL := -ldl
endif

APP_FLAGS  := $(BASE)
TEST_FLAGS := $(BASE) -Wframe-larger-than=65536 -Ishim -Itests/support -pthread \
              -DLIBREUSE_VERSION='"$(VERSION)"' -DBUILD_FOLDER='"$(abspath $(BUILD))"' \
              -DSOURCE_FOLDER='"$(CURDIR)"'

SHIM     := $(patsubst %.c,$(BUILD)/%.o,$(wildcard shim/*.c))
SERVERS  := $(patsubst testapps/%.c,$(BUILD)/%,$(wildcard testapps/*.c))
DEMO     := $(patsubst %.c,$(BUILD)/%.o,$(wildcard testapps/demo/*.c))
HOSTS    := $(patsubst tests/%.c,$(BUILD)/%,$(wildcard tests/fixtures/*.c))
HOST_LIBS := $(patsubst tests/%.c,$(BUILD)/%.so,$(wildcard tests/fixtures/lib/*.c))
SUPPORT  := $(patsubst %.c,$(BUILD)/%.o,$(wildcard tests/support/*.c))
BEHAVIOUR := $(patsubst %.c,$(BUILD)/%.o,$(wildcard tests/behaviour/*.c))
UNIT_SUPPORT := $(BUILD)/tests/support/namespace.o $(BUILD)/tests/support/refuse.o
UNIT     := $(patsubst %.c,$(BUILD)/%.o,$(wildcard tests/unit/*.c))

SCRIPTS  := .ci/run $(wildcard tests/lint/*)
C_FILES  := $(wildcard shim/*.[ch] testapps/*.[ch] testapps/*/*.[ch] tests/*/*.[ch] tests/*/*/*.[ch])

# $(BUILD)/flags changes when the compiler or a flag does, and everything depends on it.
FLAGS_NOW := $(CC) | $(CPPFLAGS) | $(CFLAGS) | $(LDFLAGS) | $(VERSION)
ifneq ($(file <$(BUILD)/flags),$(FLAGS_NOW))
$(shell mkdir -p $(BUILD))
$(file >$(BUILD)/flags,$(FLAGS_NOW))
endif
EVERYTHING := Makefile $(BUILD)/flags

.PHONY: all
all: $(BUILD)/libreuse.so $(SERVERS) $(BUILD)/demo ## build the library, the two servers and the demo

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
test-behaviour: $(BUILD)/tests/behaviour/run $(HOSTS) $(HOST_LIBS) all ## run the tests of whole programs under the library
	@echo "behaviour tests, each in a network namespace of its own"
	$(Q)$<

.PHONY: test-sanitized
test-sanitized: ## run the unit tests with AddressSanitizer and UndefinedBehaviorSanitizer
	$(Q)ASAN_OPTIONS=detect_leaks=0 $(MAKE) BUILD=$(BUILD)/sanitized \
	    FRAME=16384 CFLAGS="-O1 -g -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=all" \
	    test-unit

.PHONY: lint
lint: $(BUILD)/libreuse.so ## check format, scripts, and what the built library needs and exports
	$(Q)clang-format --dry-run -Werror $(C_FILES)
	$(Q)shellcheck $(SCRIPTS)
	$(Q)tests/lint/check-library $(BUILD)/libreuse.so
	$(Q)$(MAKE) --no-print-directory BUILD=$(BUILD)/clang CC=clang all
	$(Q)tests/lint/check-library $(BUILD)/clang/libreuse.so

.PHONY: install
install: $(BUILD)/libreuse.so ## install the library (DESTDIR, PREFIX, LIBDIR)
	install -d $(DESTDIR)$(LIBDIR)
	install -m 644 $(BUILD)/libreuse.so $(DESTDIR)$(LIBDIR)/libreuse.so

.PHONY: uninstall
uninstall: ## remove what install has installed
	rm -f $(DESTDIR)$(LIBDIR)/libreuse.so

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

$(SUPPORT) $(BEHAVIOUR) $(UNIT): $(BUILD)/%.o: %.c $(EVERYTHING)
	@mkdir -p $(@D)
	@echo "  CC    $@"
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) $(TEST_FLAGS) -c -o $@ $<

$(BUILD)/tests/behaviour/run: $(BEHAVIOUR) $(SUPPORT) $(EVERYTHING)
	@echo "  LINK  $@"
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $(BEHAVIOUR) $(SUPPORT) -lcriterion -pthread

# The modules, without the interposed functions: those would catch the test runner's own calls.
$(BUILD)/tests/unit/run: $(UNIT) $(UNIT_SUPPORT) $(filter-out %/interpose.o,$(SHIM)) $(EVERYTHING)
	@echo "  LINK  $@"
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $(filter %.o,$^) -lcriterion -pthread -ldl

DEPENDENCIES := $(SHIM) $(DEMO) $(SUPPORT) $(BEHAVIOUR) $(UNIT)
-include $(DEPENDENCIES:.o=.d) $(addsuffix .d,$(SERVERS) $(HOSTS)) $(HOST_LIBS:.so=.d)
