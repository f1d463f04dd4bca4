# What finds faults without a test for each: linters, sanitizers, fuzzing.

SCRIPTS  := setup .ci/run tests/evidence tests/field/prepare tests/suites/prepare tests/suites/inside packaging/stage packaging/release packaging/debian/tests/restart packaging/files tests/check tests/repeat tests/fuzz/run tests/prove/run tests/prove/prepare \
            tests/mutations/run packaging/tarball/install.sh packaging/completions/libreuse.bash \
            $(wildcard tests/lint/* tests/distros/* tests/kernels/* tests/fleet/*) tests/cross/run
C_FILES  := $(wildcard shim/*.[ch] shim/*/*.[ch] cli/*.[ch] cli/*/*.[ch] testapps/*.[ch] testapps/*/*.[ch] tests/*/*.[ch] \
                       tests/*/*/*.[ch])

lint:
	$(Q)clang-format --dry-run -Werror $(C_FILES)
	$(Q)shellcheck $(SCRIPTS)
	$(Q)mandoc -Tlint -W warning docs/libreuse.1 docs/libreuse.so.8
	$(Q)tests/lint/check-rooms .
	$(Q)tests/lint/check-documents .
	$(Q)tests/lint/check-library $(BUILD)/libreuse.so
	$(Q)tests/lint/check-static $(STATIC)
	$(Q)$(MAKE) --no-print-directory BUILD=$(BUILD)/clang CC=clang all
	$(Q)tests/lint/check-library $(BUILD)/clang/libreuse.so

test-sanitized:
	$(Q)ASAN_OPTIONS=detect_leaks=0 $(MAKE) BUILD=$(BUILD)/sanitized \
	    FRAME=16384 CFLAGS="-O1 -g -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=all" \
	    test-unit

# Fuzzing needs clang with libFuzzer (Debian: libclang-rt-14-dev, or that of another version).
FUZZ_CC      ?= clang
FUZZ_SECONDS ?= 4
FUZZ_JOBS    ?= 2
FUZZ_FLAGS   := -O1 -g -fno-omit-frame-pointer -fsanitize=address,undefined \
                -fno-sanitize-recover=all -Wno-frame-larger-than
FUZZ_SHIM    := $(patsubst %.c,$(BUILD)/fuzz/%.o,$(wildcard shim/*/*.c))
# Of the command, what takes other people's bytes apart, and what that needs.
FUZZ_CLI     := $(patsubst %,$(BUILD)/fuzz/cli/%.o,kernel/btf program/elf program/platform program/script_target \
                program/shebang sockets/processes sockets/script sockets/socket_list sockets/target \
                terminal/output terminal/text unit/systemctl unit/unit_file)
FUZZERS      := $(patsubst tests/fuzz/%.c,$(BUILD)/fuzz/%,$(wildcard tests/fuzz/*.c))
any_frame     = $(filter-out -Wframe-larger-than=%,$(1)) # sanitizers make large frames

OBJECTS += $(FUZZ_SHIM) $(FUZZ_CLI)
PROGRAMS_OF_ONE_FILE += $(FUZZERS)

fuzz: $(FUZZERS)
	$(Q)tests/fuzz/run $(BUILD)/fuzz $(FUZZ_SECONDS) $(FUZZ_JOBS) $(notdir $(FUZZERS))

$(FUZZ_CLI): SHIM_FLAGS := $(CLI_FLAGS)
$(FUZZ_SHIM) $(FUZZ_CLI): $(BUILD)/fuzz/%.o: %.c $(EVERYTHING)
	@mkdir -p $(@D)
	@echo "  FUZZ  $@"
	$(Q)$(FUZZ_CC) $(CPPFLAGS) $(FUZZ_FLAGS) -fsanitize=fuzzer-no-link $(call any_frame,$(SHIM_FLAGS)) \
	    -c -o $@ $<

$(FUZZERS): $(BUILD)/fuzz/%: tests/fuzz/%.c $(FUZZ_SHIM) $(FUZZ_CLI) $(EVERYTHING)
	@mkdir -p $(@D)
	@echo "  FUZZ  $@"
	$(Q)$(FUZZ_CC) $(CPPFLAGS) $(FUZZ_FLAGS) -fsanitize=fuzzer $(call any_frame,$(TEST_FLAGS)) -Icli -o $@ $< \
	    $(FUZZ_SHIM) $(FUZZ_CLI) -ldl

# A bounded model checker, CBMC. Debian 12 has none: there a Debian 13 is made for it by debootstrap.
prove:
	$(Q)if command -v cbmc >/dev/null; then $(call measured,$@,tests/prove/run / $(patsubst /%,%,$(abspath $(BUILD)))/prove $(PROOFS_OF)); \
	else mkdir -p $(HOST_FOLDER) && tests/prove/prepare $(HOST_FOLDER)/prove && \
	    { $(call measured,$@,tests/prove/run $(HOST_FOLDER)/prove prove $(PROOFS_OF)); }; fi
