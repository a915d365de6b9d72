# rpproxy. `make help` lists the targets.
.DEFAULT_GOAL := rpproxy

PREFIX  ?= /usr/local
DESTDIR ?=
VERSION := 0.2.0

# SAN= | address | thread | fuzz: which sanitizers the build carries. Each has a build folder of its own.
SAN   ?=
BUILD := build/$(notdir $(CC))$(if $(SAN),-$(SAN))

# V=1 shows the commands.
V   ?= 0
Q   := $(if $(filter 0,$(V)),@)
say  = @printf '  %-5s %s\n' $(1) $(2)

PACKAGES  := libevent inih libcap-ng jansson libxxhash libcares openssl libpcre2-8 libcrypt
ifeq ($(shell pkg-config --exists libsystemd 2>/dev/null && echo yes),yes)
DEFINES   += -DHAVE_LIBSYSTEMD # loaded at run time: config/base/systemd.h
endif
# OpenSSL is loaded when it is first called, where there are stubs for that: config/base/openssl.h.
ifneq ($(filter x86_64-%,$(shell $(CC) -dumpmachine)),)
DEFINES   += -DLOAD_OPENSSL_LATE
LOADED    := openssl
ASM_SRC   := config/base/openssl_calls.S
endif

WARNINGS := -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wsign-conversion -Wstrict-prototypes \
            -Wmissing-prototypes -Wold-style-definition -Wpointer-arith -Wcast-qual -Wwrite-strings \
            -Wundef -Wformat=2 -Wvla -Wnull-dereference -Wdouble-promotion -Werror
SAN_address := -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer -O1
SAN_thread  := -fsanitize=thread -fno-omit-frame-pointer -O1
SAN_fuzz    := -fsanitize=fuzzer-no-link $(SAN_address)

CFLAGS   ?= -O2 -g
override CPPFLAGS += -I. -D_GNU_SOURCE -DRPPROXY_VERSION='"$(VERSION)"' $(DEFINES)
override CFLAGS   += -std=gnu11 -pthread -fno-common -fstack-protector-strong $(WARNINGS) $(SAN_$(SAN))
override LDFLAGS  += -pthread $(SAN_$(SAN))

PKG_CFLAGS   = $(shell pkg-config --cflags $(PACKAGES))
PKG_LIBS     = $(shell pkg-config --libs $(PACKAGES))
PROGRAM_LIBS = $(shell pkg-config --libs $(filter-out $(LOADED),$(PACKAGES)))
CHECK_LIBS = $(shell pkg-config --libs check)

ROOMS   := config proxy reload
LIB_SRC := $(filter-out reload/main.c,$(shell find $(ROOMS) -name '*.c'))
LIB_OBJ := $(LIB_SRC:%.c=$(BUILD)/%.o) $(ASM_SRC:%.S=$(BUILD)/%.o)
LIB     := $(BUILD)/librpproxy.a

$(BUILD)/%.o: %.c
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(Q)$(CC) $(CPPFLAGS) $(PKG_CFLAGS) $(CFLAGS) -MMD -MP -c -o $@ $<

$(BUILD)/%.o: %.S
	@mkdir -p $(@D)
	$(call say,AS,$<)
	$(Q)$(CC) -c -o $@ $<

# The program contains the status page.
$(BUILD)/reload/http/page.o: $(wildcard reload/http/page.html reload/http/page.css reload/http/page.js)

$(LIB): $(LIB_OBJ)
	@rm -f $@
	$(Q)$(AR) rcs $@ $^

$(BUILD)/rpproxy: $(BUILD)/reload/main.o $(LIB)
	$(call say,LINK,$@)
	$(Q)$(CC) $(LDFLAGS) -o $@ $^ $(PROGRAM_LIBS)

rpproxy: $(BUILD)/rpproxy ## build ./rpproxy (the default)
	@cp -f $< $@.new && mv -f $@.new $@
.PHONY: rpproxy

UNIT_OBJ   := $(patsubst %.c,$(BUILD)/%.o,$(shell find tests/unit -name '*.c'))
SYSTEM_OBJ := $(patsubst %.c,$(BUILD)/%.o,$(shell find tests/system -name '*.c'))
# Compiled in half the time, and run as fast: what takes time is in the program.
$(UNIT_OBJ) $(SYSTEM_OBJ): override CFLAGS += -O0

$(BUILD)/unit-tests: $(UNIT_OBJ) $(LIB)
	$(call say,LINK,$@)
	$(Q)$(CC) $(LDFLAGS) -Wl,--wrap=pthread_create -o $@ $^ $(CHECK_LIBS) $(PKG_LIBS)

# Against the real binary: links nothing of the proxy's own.
$(BUILD)/system-tests: $(SYSTEM_OBJ)
	$(call say,LINK,$@)
	$(Q)$(CC) $(LDFLAGS) -o $@ $^ $(CHECK_LIBS) $(shell pkg-config --libs jansson openssl)

$(BUILD)/demo-origin: $(BUILD)/scripts/demo-origin.o
	$(call say,LINK,$@)
	$(Q)$(CC) $(LDFLAGS) -o $@ $^ $(PKG_LIBS)

run: ## install what is missing, build, and serve 127.0.0.1:8080 in front of two small origins
	@scripts/deps build
	@$(MAKE) --no-print-directory -j"$$(nproc)" rpproxy $(BUILD)/demo-origin
	@scripts/demo ./rpproxy $(BUILD)/demo-origin
.PHONY: run

test: ## install what is missing, build, and run every test
	@scripts/deps test
	@scripts/test-all
.PHONY: test

test-programs: $(BUILD)/unit-tests $(BUILD)/system-tests $(BUILD)/demo-origin
.PHONY: test-programs

unit-test: $(BUILD)/unit-tests ## run the unit tests; CK_RUN_SUITE=name runs one suite
	$(BUILD)/unit-tests
.PHONY: unit-test

system-test: $(BUILD)/rpproxy $(BUILD)/system-tests ## run the scenarios; T="name ..." runs those
	RPPROXY=$(BUILD)/rpproxy $(BUILD)/system-tests $(T)
.PHONY: system-test

# A target of libFuzzer for each parser of what comes from outside; all are built by SAN=fuzz.
FUZZ := $(patsubst tests/fuzz/%.c,$(BUILD)/%,$(wildcard tests/fuzz/fuzz_*.c))

$(FUZZ): $(BUILD)/%: $(BUILD)/tests/fuzz/%.o $(LIB)
	$(call say,LINK,$@)
	$(Q)$(CC) $(LDFLAGS) -fsanitize=fuzzer -o $@ $^ $(PKG_LIBS)

fuzz-programs: $(FUZZ)
.PHONY: fuzz-programs

fuzz: ## fuzz each parser for 10 seconds; FUZZ_SECONDS=600 T="proxy_header ...": longer, some
	@$(MAKE) --no-print-directory CC=clang SAN=fuzz fuzz-programs
	@scripts/fuzz build/clang-fuzz $(T)
.PHONY: fuzz

lint: ## check layout and arrows
	@scripts/lint
.PHONY: lint

# The variables are for scripts/install too.
export DESTDIR PREFIX
install: rpproxy ## install under DESTDIR and PREFIX (/usr/local)
	@scripts/install install
.PHONY: install

uninstall: ## remove what `make install` has installed; no configuration, no log
	@scripts/install uninstall
.PHONY: uninstall

deb: ## build a Debian package in build/deb, and check it with lintian
	@scripts/deps package
	@VERSION=$(VERSION) scripts/deb
.PHONY: deb

BENCH_OBJ := $(patsubst %.c,$(BUILD)/%.o,$(wildcard scripts/bench/*.c))
BENCH_SHARED := $(BUILD)/scripts/bench/wire.o

$(BUILD)/bench-origin: $(BUILD)/scripts/bench/origin.o $(BENCH_SHARED)
	$(call say,LINK,$@)
	$(Q)$(CC) $(LDFLAGS) -o $@ $^

$(BUILD)/bench-load: $(filter-out %/origin.o,$(BENCH_OBJ))
	$(call say,LINK,$@)
	$(Q)$(CC) $(LDFLAGS) -o $@ $^ -lm $(shell pkg-config --libs openssl)

bench-programs: $(BUILD)/rpproxy $(BUILD)/bench-origin $(BUILD)/bench-load
.PHONY: bench-programs

bench: ## measure beside HAProxy and nginx; BENCH_QUICK=1 in two minutes; PEERS=DIR: sources of others
	@scripts/deps bench
	@$(MAKE) --no-print-directory bench-programs
	@scripts/bench/bench --build $(BUILD) $(ROWS)
.PHONY: bench

count: ## count instructions and system calls; ACCEPT=1 keeps the new figures
	@scripts/deps bench
	@$(MAKE) --no-print-directory bench-programs
	@scripts/bench/count --build $(BUILD) $(if $(ACCEPT),--accept)
.PHONY: count

docs: ## the documents as HTML, in build/docs
	@scripts/deps docs
	@scripts/docs build/docs
.PHONY: docs

clean: ## remove all that was built
	rm -rf build rpproxy
.PHONY: clean

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' Makefile | expand -t 20
.PHONY: help

-include $(shell find build -path build/deb -prune -o -name '*.d' -print 2>/dev/null)
