# What finds faults without a test for each: linters, sanitizers, fuzzing.

SCRIPTS  := setup .ci/run tests/evidence tests/field/prepare tests/suites/prepare tests/suites/inside packaging/stage packaging/files tests/check packaging/tarball/install.sh packaging/completions/libreuse.bash \
            $(wildcard tests/lint/* tests/distros/* tests/kernels/*) tests/cross/run
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
FUZZ_SECONDS ?= 12
FUZZ_FLAGS   := -O1 -g -fno-omit-frame-pointer -fsanitize=address,undefined \
                -fno-sanitize-recover=all -Wno-frame-larger-than
FUZZ_SHIM    := $(patsubst %.c,$(BUILD)/fuzz/%.o,$(wildcard shim/*/*.c))
FUZZERS      := $(patsubst tests/fuzz/%.c,$(BUILD)/fuzz/%,$(wildcard tests/fuzz/*.c))
any_frame     = $(filter-out -Wframe-larger-than=%,$(1)) # sanitizers make large frames

OBJECTS += $(FUZZ_SHIM)
PROGRAMS_OF_ONE_FILE += $(FUZZERS)

fuzz: $(FUZZERS)
	$(Q)set -e; for name in $(notdir $(FUZZERS)); do \
	    seeds=tests/fuzz/seeds/$$name; \
	    [ -d $$seeds ] || seeds=; \
	    mkdir -p $(BUILD)/fuzz/corpus/$$name; \
	    echo "fuzzing $$name for $(FUZZ_SECONDS) s"; \
	    $(BUILD)/fuzz/$$name -max_total_time=$(FUZZ_SECONDS) -timeout=5 -max_len=4096 -verbosity=0 \
	        -artifact_prefix=$(BUILD)/fuzz/$$name- $(BUILD)/fuzz/corpus/$$name $$seeds; \
	done

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
