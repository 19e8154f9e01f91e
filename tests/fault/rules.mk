# What the fault tests run besides the programs themselves; a part of the Makefile.
CHECKING := $(call obj,$(addprefix tests/fault/,$(addsuffix .c,history history_text check check_log \
            check_reader)))
FAULT    := $(BUILD)/tests/fault/check_history

fault: all $(FAULT) ## what tests/fault needs
$(BUILD)/tests/fault/check_history: $(BUILD)/tests/fault/check_history.o $(CHECKING) $(call lib,wire base)
	$(link)

.PHONY: fault
