# Which lines and branches of shim/ and cli/ the tests reach. By hand: it takes minutes, and root. Needs clang, and
# llvm-profdata and llvm-cov of the same version (Debian: llvm).

.PHONY: coverage
coverage: ## measure which lines and branches the tests reach (RECORD=1)

SCRIPTS += tests/coverage/run

# A build of its own, with counters that all its processes share (tests/coverage/counters.c).
COVERED  := build/coverage
COUNTED  := $(COVERED)/libreuse.so $(COVERED)/libreuse $(COVERED)/tests/unit/run
COUNTING := -fprofile-instr-generate -fcoverage-mapping -mllvm -runtime-counter-relocation -fprofile-update=atomic

coverage:
	$(Q)$(MAKE) --no-print-directory BUILD=$(COVERED) all tested $(COVERED)/tests/behaviour/run $(COUNTED)
	$(Q)$(call measured,$@,tests/coverage/run $(COVERED) $(COUNTED))

$(COVERED)/shim/%.o $(COVERED)/cli/%.o $(COUNTED): private override CC := clang
$(COVERED)/shim/%.o: private SHIM_FLAGS += $(COUNTING)
$(COVERED)/cli/%.o: private CLI_FLAGS += $(COUNTING)
$(foreach file,$(COUNTED),$(eval $(file): private override LDFLAGS += -fprofile-instr-generate $(file).counting))
$(foreach file,$(COUNTED),$(eval $(file): $(file).counting))

# Not "libreuse.so.counters": the command would take it for the library where a process has it mapped.
$(COVERED)/%.counting: tests/coverage/counters.c $(EVERYTHING)
	@mkdir -p $(@D)
	@echo "  CC    $@"
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) $(BASE) -fPIC -fvisibility=hidden \
	    -DCOUNTERS='"$(abspath $(@D)/$(subst .,_,$(@F)))"' -c -o $@ $<
