# What is promised, measured: each target prints its figures; with RECORD=1 they replace their section of
# docs/evidence.md. By hand: they take minutes, root, and the last two a host that is made by debootstrap.

.PHONY: race inject mutations bench field suites
race: ## let servers start at the same moment, natively and under the library, side by side (TRIES=n)
inject: ## falsify every system call that the library makes for itself, and see what a program notices (EVERY=n, x86-64)
mutations: ## break the rule, the sinks, the look-up one by one; a test must notice (MUTATIONS="NAME...")
bench: ## measure what the library costs, as ratios side by side (PLOT=1, TOPICS="...")
field: ## try real servers of Debian, natively and under the library (SERVERS_OF="...", HOST_FOLDER=...)
suites: ## run other people's tests, natively and under the library (SUITES_OF="...", HOST_FOLDER=...)

PROOFS := $(BUILD)/tests/race/race $(BUILD)/tests/bench/probe
PROGRAMS_OF_ONE_FILE += $(PROOFS)
tested: $(BUILD)/tests/race/race

$(PROOFS): $(BUILD)/%: %.c $(EVERYTHING)
	@mkdir -p $(@D)
	@echo "  CC    $@"
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) $(BASE) $(LDFLAGS) -o $@ $<

# What every preload costs: a library with nothing in it.
$(BUILD)/tests/bench/empty.so: $(EVERYTHING)
	@mkdir -p $(@D)
	$(Q)echo 'extern int nothing; int nothing;' | $(CC) $(CFLAGS) -shared -fPIC -x c - -o $@

# Registers are the machine's, and so this is of x86-64 only.
INJECT := $(BUILD)/tests/inject/inject
ifneq ($(filter x86_64-%,$(MACHINE)),)
tested: $(INJECT)
endif
$(INJECT): $(wildcard tests/inject/*.c tests/inject/*.h) $(EVERYTHING)
	@mkdir -p $(@D)
	@echo "  CC    $@"
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) $(filter-out -MMD -MP,$(BASE)) $(LDFLAGS) -o $@ $(filter %.c,$^)

# Shows the figures of a command, keeps its status, and records them: $(call measured,NAME,COMMAND)
measured = mkdir -p $(BUILD)/evidence; { $(2); echo $$? >$(BUILD)/evidence/$(1).status; } | tee $(BUILD)/evidence/$(1); \
    $(if $(RECORD),tests/evidence $(1) "make $(1)" <$(BUILD)/evidence/$(1);) exit $$(cat $(BUILD)/evidence/$(1).status)

TRIES ?= 10000
race: $(BUILD)/tests/race/race $(BUILD)/libreuse.so
	$(Q)$(call measured,$@,$< $(abspath $(BUILD)/libreuse.so) $(TRIES))

EVERY ?= 1
inject: $(INJECT) $(BUILD)/libreuse.so
	$(Q)$(call measured,$@,$< $(abspath $(BUILD)/libreuse.so) $(EVERY))

MUTATIONS ?=
mutations:
	$(Q)$(call measured,$@,tests/mutations/run $(BUILD)/mutations $(MUTATIONS))

TOPICS ?=
bench: all $(BUILD)/tests/bench/probe $(BUILD)/tests/bench/empty.so
	$(Q)$(call measured,$@,tests/bench/run $(if $(PLOT),--plot docs/pictures) $(BUILD) $(TOPICS))

# The hosts are kept outside of the build, because they take long to make.
HOST_FOLDER ?= $(HOME)/.cache/libreuse
SERVERS_OF  ?=
field: all static
	$(Q)mkdir -p $(HOST_FOLDER) && tests/field/prepare $(HOST_FOLDER)/field
	$(Q)tests/field/run --table $(BUILD)/field.md $(HOST_FOLDER)/field $(BUILD) $(BUILD)/field $(SERVERS_OF); \
	status=$$?; $(if $(RECORD),tests/evidence field "make field" <$(BUILD)/field.md;) exit $$status

SUITES_OF ?=
suites: all
	$(Q)mkdir -p $(HOST_FOLDER) && tests/suites/prepare $(HOST_FOLDER)/suites
	$(Q)$(call measured,$@,tests/suites/run $(HOST_FOLDER)/suites $(BUILD) $(BUILD)/suites $(SUITES_OF))
