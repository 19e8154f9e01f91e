# What the fault tests run besides the programs themselves; a part of the Makefile.
CHECKING := $(call obj,$(CHECKER))
LOADING  := $(call obj,$(addprefix tests/fault/,$(addsuffix .c,load_http load_reader load_publisher)))
FAULT    := $(addprefix $(BUILD)/tests/fault/,check_history load churn \
            crash_points.so)

fault: all $(FAULT) ## what tests/fault needs
$(BUILD)/tests/fault/check_history: $(BUILD)/tests/fault/check_history.o $(CHECKING) $(call lib,wire base)
$(BUILD)/tests/fault/load: $(BUILD)/tests/fault/load.o $(LOADING) $(CHECKING) $(call lib,wire base)
$(BUILD)/tests/fault/churn: $(BUILD)/tests/fault/churn.o
$(BUILD)/tests/fault/check_history $(BUILD)/tests/fault/load $(BUILD)/tests/fault/churn:
	$(link) $(LDLIBS)
# Goes before a program: nothing of ours in it, and no sanitizer.
$(BUILD)/tests/fault/%.so: tests/fault/%.c
	@mkdir -p $(@D)
	$(CC) -D_GNU_SOURCE -std=c17 -O2 -g $(WARN) -fPIC -shared -o $@ $<

.PHONY: fault
