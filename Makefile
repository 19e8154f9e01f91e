# Belfry -- `make help` lists the targets. Everything is built in build/.
BUILD   ?= build
VERSION := 0.1.0
PREFIX  ?= /usr/local
CONFDIR ?= /etc/belfry
ifeq ($(origin CC),default)
CC       = gcc
endif
CLANG   ?= clang
PKGS     = libzmq jansson sqlite3 libuv libcurl cjose libcrypto
WARN     = -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wsign-conversion -Wstrict-prototypes \
           -Wmissing-prototypes -Wformat=2 -Wvla -Wswitch-enum -Wnull-dereference \
           -Wimplicit-fallthrough -Wcast-qual -Wwrite-strings $(if $(CI),-Werror)
# As Debian hardens (dpkg-buildflags, hardening=+all); sanitizers want none of it.
SANITIZE ?=
HARDEN   = $(if $(SANITIZE),-O1 -g -fno-omit-frame-pointer,-O2 -g -fstack-protector-strong \
           -fstack-clash-protection -fcf-protection -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3)
CPPFLAGS += -D_GNU_SOURCE -DBELFRY_VERSION='"$(VERSION)"' -iquote hub -iquote fcgi -iquote . -iquote $(BUILD)/gen
CFLAGS   += -std=c17 -fPIE $(HARDEN) $(WARN) $(SANITIZE) $(shell pkg-config --cflags $(PKGS))
LDFLAGS  += -pie -Wl,-z,relro,-z,now,--as-needed $(SANITIZE)
LDLIBS   += $(shell pkg-config --libs $(PKGS)) -lfcgi -linih -lpthread -lm

obj       = $(patsubst %.c,$(BUILD)/%.o,$(1))
BASE     := $(wildcard hub/base/*.c)
WIRE     := $(wildcard hub/wire/*.c)
HUB      := $(wildcard hub/*.c)
CLI      := $(wildcard hub/cli/*.c)
FCGI     := $(wildcard fcgi/*.c)
HELPERS  := $(filter-out tests/unit/test_%,$(wildcard tests/unit/*.c))
UNIT     := $(patsubst %.c,$(BUILD)/%,$(wildcard tests/unit/test_*.c))
FUZZ     := $(patsubst %.c,$(BUILD)/%,$(wildcard tests/fuzz/fuzz_*.c))
SOURCES  := $(BASE) $(WIRE) $(HUB) $(CLI) $(FCGI) $(wildcard tests/*/*.c)
SCRIPTS  := $(shell grep -lE '^\#! */bin/(ba)?sh' -rs scripts tests fcgi/examples .ci --exclude-dir=seeds)
JS       := $(filter-out %.test.js %/fake.js,$(wildcard fcgi/js/*.js))
DEMO     := $(filter-out %/htmx.html %/turbo.html,$(wildcard fcgi/demo/*))
MANUALS  := hub/belfryd.8 fcgi/belfry-fcgi.8 hub/cli/belfry.1 conf/belfry.conf.5
PAGES    := $(addprefix $(BUILD)/man/,$(notdir $(MANUALS)))
PROGRAMS := $(addprefix $(BUILD)/,belfryd belfry-fcgi belfry)

all: $(PROGRAMS) $(PAGES) ## the three programs and their manual pages

# Archives, so that a program or a test is linked with what it uses and nothing else.
# A program is its main.o and its parts.
main.base = $(call obj,$(BASE))
main.wire = $(call obj,$(WIRE))
main.hub  = $(filter-out %/main.o,$(call obj,$(HUB)))
main.cli  = $(filter-out %/main.o,$(call obj,$(CLI)))
main.fcgi = $(filter-out %/main.o,$(call obj,$(FCGI)))
main.test = $(call obj,$(HELPERS))
lib       = $(patsubst %,$(BUILD)/lib%.a,$(1))
define archive
$(BUILD)/lib$(1).a: $$(main.$(1))
	@rm -f $$@ && ar rcs $$@ $$^
endef
$(foreach part,base wire hub cli fcgi test,$(eval $(call archive,$(part))))

$(BUILD)/belfryd: $(BUILD)/hub/main.o $(call lib,hub wire base)
$(BUILD)/belfry-fcgi: $(BUILD)/fcgi/main.o $(call lib,fcgi wire base)
$(BUILD)/belfry: $(BUILD)/hub/cli/main.o $(call lib,cli hub wire base)
$(BUILD)/pages: $(BUILD)/scripts/pages.o $(call lib,wire base)
link = $(CC) $(CFLAGS) $(LDFLAGS) -o $@ $(filter %.o,$^) -Wl,--start-group $(filter %.a,$^) \
       -Wl,--end-group
$(PROGRAMS) $(BUILD)/pages:
	$(link) $(LDLIBS)

$(BUILD)/%.o: %.c Makefile
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c -o $@ $<

# What is made from other files. Objects that use it say so here for the first build.
$(main.hub): | $(BUILD)/gen/sql.h
$(main.fcgi): | $(BUILD)/gen/assets.h
$(BUILD)/hub/base/manual.o: | $(BUILD)/gen/manuals.h
$(BUILD)/gen/sql.h: $(wildcard sql/*.sql scripts/sql2c)
	@mkdir -p $(@D)
	$(if $(wildcard scripts/sql2c),scripts/sql2c sql >$@.new && mv $@.new $@,touch $@)
# The client is many small files, served as one: a module, and a script for pages without modules.
CLIENT   := $(addprefix $(BUILD)/gen/,client.js socket.js react.js client.classic.js) $(wildcard fcgi/js/*.d.ts)
$(BUILD)/gen/client.classic.js: $(JS) scripts/join
	@mkdir -p $(@D)
	scripts/join fcgi/js/socket.js --classic Belfry BelfrySocket >$@.new && mv $@.new $@
$(BUILD)/gen/%.js: fcgi/js/%.js $(JS) scripts/join
	@mkdir -p $(@D)
	scripts/join $< >$@.new && mv $@.new $@
$(BUILD)/gen/assets.h: $(CLIENT) $(DEMO) scripts/embed
	scripts/embed assets $(foreach f,$(CLIENT),$(notdir $(f))=$(f)) \
	    $(foreach f,$(DEMO),demo/$(notdir $(f))=$(f)) >$@.new && mv $@.new $@
$(BUILD)/gen/manuals.h: $(MANUALS:=.in) scripts/embed
	@mkdir -p $(@D)
	scripts/embed manuals $(foreach f,$(MANUALS),$(notdir $(f))=$(f).in) >$@.new && mv $@.new $@
$(PAGES): $(BUILD)/pages
	@mkdir -p $(@D)
	$(BUILD)/pages $(@F) >$@

include tests/rules.mk tests/fault/rules.mk

house: $(PAGES) $(BUILD)/pages ## the rules of the house: libraries, sizes, pages, sample, units
	tests/lint/one-library
	tests/lint/sizes
	mandoc -Tlint -Wwarning $(PAGES)
	$(BUILD)/pages belfry.conf | diff -u conf/belfry.conf -
	tests/lint/units

lint: house $(SOURCES:%.c=%.tidy) ## clang-format, clang-tidy, shellcheck, and the rules of the house
	clang-format --dry-run -Werror $(SOURCES) $(wildcard hub/*.h hub/*/*.h fcgi/*.h tests/*/*.h)
	$(if $(SCRIPTS),shellcheck $(SCRIPTS))
%.tidy: %.c $(BUILD)/gen/sql.h $(BUILD)/gen/assets.h $(BUILD)/gen/manuals.h
	@clang-tidy --quiet $< -- $(CPPFLAGS) -std=c17
format: ## formats the C sources
	clang-format -i $(SOURCES)

install: all ## DESTDIR, PREFIX (/usr/local), CONFDIR (/etc/belfry)
	install -d $(addprefix $(DESTDIR)$(PREFIX)/,sbin bin share/man/man1 share/man/man5 \
	    share/man/man8 lib/systemd/system lib/sysusers.d share/doc/belfry/conf) $(DESTDIR)$(CONFDIR)
	install $(BUILD)/belfryd $(BUILD)/belfry-fcgi $(DESTDIR)$(PREFIX)/sbin
	install $(BUILD)/belfry $(DESTDIR)$(PREFIX)/bin
	for page in $(PAGES); do \
	    install -m 644 $$page $(DESTDIR)$(PREFIX)/share/man/man$${page##*.}; done
	for unit in conf/systemd/*.service conf/systemd/*.socket; do \
	    sed 's,/usr/sbin/,$(PREFIX)/sbin/,' $$unit \
	    >$(DESTDIR)$(PREFIX)/lib/systemd/system/$${unit##*/}; done
	install -m 644 conf/systemd/sysusers.conf $(DESTDIR)$(PREFIX)/lib/sysusers.d/belfry.conf
	test -e $(DESTDIR)$(CONFDIR)/belfry.conf || \
	    install -m 644 conf/belfry.conf $(DESTDIR)$(CONFDIR)
	install -m 644 README.md LICENSE $(DESTDIR)$(PREFIX)/share/doc/belfry
	install -m 644 $(wildcard conf/*.conf conf/*.md) $(DESTDIR)$(PREFIX)/share/doc/belfry/conf
clean: ## removes build/
	rm -rf build
help: ## this list
	@grep -hE '^[a-z-]+:.*## ' Makefile tests/rules.mk | sed -E 's/:.*## /\t/' | expand -t16

.PHONY: all house lint format install clean help
.DELETE_ON_ERROR:
-include $(patsubst %.c,$(BUILD)/%.d,$(SOURCES) scripts/pages.c)
