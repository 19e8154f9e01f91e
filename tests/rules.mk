# How tests are built and run; a part of the Makefile, which has the lists of their sources.

# A test is linked with the parts whose headers it includes, itself or through a helper beside it.
part    = $(if $(filter base/%,$(1)),,$(if $(filter wire/%,$(1)),wire,$(if $(filter cli/%,$(1)),cli hub,\
          $(if $(wildcard hub/$(1)),hub,$(if $(wildcard fcgi/$(1)),fcgi,$(call helper,$(notdir $(1))))))))
helper  = $(if $(wildcard tests/unit/$(1)),test $(call parts,$(wildcard tests/unit/$(1:.h=.[hc]))))
parts   = $(sort base wire $(foreach h,$(filter-out $(notdir $(1:.c=.h)),$(shell sed -n \
          's/^\#include "\([^"]*\)".*/\1/p' $(1))),$(call part,$(h))))
define test
$(1): $(1).o $$(call lib,$$(call parts,$(patsubst $(BUILD)/%,%.c,$(1))))
endef
$(foreach t,$(UNIT) $(FUZZ),$(eval $(call test,$(t))))
$(BUILD)/tests/unit/test_journal_recover: $(BUILD)/tests/sim/dice.o
$(BUILD)/tests/unit/test_journal_memory: $(addprefix $(BUILD)/tests/sim/,journal_memory.o \
    memory_log.o memory_read.o memory_keys.o dice.o)
$(UNIT):
	$(link) $(LDLIBS) $(shell pkg-config --libs cmocka)
# Without libFuzzer a target only replays what it is given.
ENGINE ?= $(BUILD)/tests/fuzz/replay.o
$(FUZZ): $(ENGINE)
	$(link) $(LDLIBS)

check: unit replay power house ## unit tests, fuzz seeds, and the checks that need no server
unit: $(UNIT) ## unit tests; one that hangs is a failure
	@failed=; for t in $(UNIT); do echo "== $$t"; timeout 300 $$t || failed="$$failed $$t"; done; \
	test -z "$$failed" || { echo "failed:$$failed" >&2; exit 1; }
replay: $(FUZZ) ## what the fuzzers have found and begin with
	@for t in $(FUZZ); do echo "== $$t"; tests/fuzz/dictionary $${t##*/fuzz_} >$$t.dict && \
	    $$t tests/fuzz/seeds/$${t##*/fuzz_} || exit 1; done

# One program: the simulated world, and who judges its histories.
SIM      := $(wildcard tests/sim/*.c)
CHECKER  := $(addprefix tests/fault/,history.c history_text.c check.c check_log.c check_owed.c check_reader.c)
$(BUILD)/tests/sim/simulate: $(call obj,$(SIM) $(CHECKER)) $(call lib,hub fcgi wire base)
	$(link) $(LDLIBS)
sim: $(BUILD)/tests/sim/simulate ## a minute of simulated worlds
	$< --seconds 60

POWER    := $(BUILD)/tests/fault/power
$(POWER): $(addprefix $(BUILD)/tests/,$(addprefix fault/,power.o power_log.o power_model.o \
          power_disk.o) sim/dice.o) $(call lib,hub wire base)
	$(link) $(LDLIBS)
power: $(POWER) ## 200 power losses; and a disk that does not sync what it says is noticed
	@$(POWER)
	@for lie in wal database folder; do ! $(POWER) --images 100 --lie $$lie >$(POWER).log || \
	    { echo "power: a disk that lies about $$lie is not noticed" >&2; exit 1; }; done

# Once more, built in another way in a folder of its own.
again = $(MAKE) CI= BUILD=$(BUILD)/$@
asan: ## everything under address and undefined-behaviour sanitizers, and its tests
	+$(again) SANITIZE='-fsanitize=address,undefined -fno-sanitize-recover=all' all unit replay
tsan: ## everything under the thread sanitizer, and its tests
	+TSAN_OPTIONS="suppressions=$(CURDIR)/tests/tsan.supp $$TSAN_OPTIONS" \
	    $(again) SANITIZE=-fsanitize=thread all unit
analyze: ## gcc -fanalyzer
	+$(again) SANITIZE='-fanalyzer -O1 -Werror' $(PROGRAMS:$(BUILD)/%=$(BUILD)/$@/%)
fuzz: ## libFuzzer programs in build/fuzz/tests/fuzz (clang)
	+$(again) CC=$(CLANG) ENGINE= LDFLAGS=-fsanitize=fuzzer \
	    SANITIZE='-fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all' $(FUZZ:$(BUILD)/%=$(BUILD)/$@/%)
cover: ## lines that the unit tests and seeds reach
	+$(again) SANITIZE='--coverage -O0' unit replay
	@tests/lint/coverage $(BUILD)/$@
BENCH    := $(addprefix $(BUILD)/tests/bench/,readers publishers pipeline bare rows)
bench: all $(BENCH) ## everything measured, beside its peers: half an hour; tests/bench/run --help
	@bash -c '. scripts/lib && install_packages "$${bench_packages[@]}"'
	BUILD=$(BUILD) tests/bench/run --write
$(BUILD)/tests/bench/readers: $(addprefix $(BUILD)/tests/bench/,reader.o http.o)
$(BUILD)/tests/bench/publishers: $(BUILD)/tests/bench/http.o
$(BUILD)/tests/bench/pipeline: $(call lib,wire base)
$(BENCH): %: %.o $(addprefix $(BUILD)/tests/bench/,histogram.o payload.o)
	$(link) $(LDLIBS)

.PHONY: check unit replay power asan tsan analyze fuzz cover bench
