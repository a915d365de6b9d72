# rpproxy. `make help` lists the targets.
.DEFAULT_GOAL := rpproxy

PREFIX  ?= /usr/local
DESTDIR ?=
VERSION := 0.1.0

# SAN= | address | thread: which sanitizers the build carries. Each has a build folder of its own.
SAN   ?=
BUILD := build/$(notdir $(CC))$(if $(SAN),-$(SAN))

# V=1 shows the commands.
V   ?= 0
Q   := $(if $(filter 0,$(V)),@)
say  = @printf '  %-5s %s\n' $(1) $(2)

PACKAGES  := libevent inih libcap-ng jansson
ifeq ($(shell pkg-config --exists libsystemd && echo yes),yes)
PACKAGES  += libsystemd
DEFINES   += -DHAVE_LIBSYSTEMD
endif

WARNINGS := -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wsign-conversion -Wstrict-prototypes \
            -Wmissing-prototypes -Wold-style-definition -Wpointer-arith -Wcast-qual -Wwrite-strings \
            -Wundef -Wformat=2 -Wvla -Wnull-dereference -Wdouble-promotion -Werror
SAN_address := -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer -O1
SAN_thread  := -fsanitize=thread -fno-omit-frame-pointer -O1

CFLAGS   ?= -O2 -g
override CPPFLAGS += -I. -D_GNU_SOURCE -DRPPROXY_VERSION='"$(VERSION)"' $(DEFINES)
override CFLAGS   += -std=gnu11 -pthread -fno-common -fstack-protector-strong $(WARNINGS) $(SAN_$(SAN))
override LDFLAGS  += -pthread $(SAN_$(SAN))

PKG_CFLAGS = $(shell pkg-config --cflags $(PACKAGES))
PKG_LIBS   = $(shell pkg-config --libs $(PACKAGES))
CHECK_LIBS = $(shell pkg-config --libs check)

ROOMS   := config proxy reload
LIB_SRC := $(filter-out reload/main.c,$(foreach room,$(ROOMS),$(wildcard $(room)/*.c)))
LIB_OBJ := $(LIB_SRC:%.c=$(BUILD)/%.o)
LIB     := $(BUILD)/librpproxy.a

$(BUILD)/%.o: %.c
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(Q)$(CC) $(CPPFLAGS) $(PKG_CFLAGS) $(CFLAGS) -MMD -MP -c -o $@ $<

$(LIB): $(LIB_OBJ)
	@rm -f $@
	$(Q)$(AR) rcs $@ $^

$(BUILD)/rpproxy: $(BUILD)/reload/main.o $(LIB)
	$(call say,LINK,$@)
	$(Q)$(CC) $(LDFLAGS) -o $@ $^ $(PKG_LIBS)

rpproxy: $(BUILD)/rpproxy ## build ./rpproxy (the default)
	@cp -f $< $@.new && mv -f $@.new $@
.PHONY: rpproxy

UNIT_SRC := $(wildcard tests/unit/*.c)
UNIT_OBJ := $(UNIT_SRC:%.c=$(BUILD)/%.o)

$(BUILD)/unit-tests: $(UNIT_OBJ) $(LIB)
	$(call say,LINK,$@)
	$(Q)$(CC) $(LDFLAGS) -o $@ $^ $(CHECK_LIBS) $(PKG_LIBS)

SYSTEM_SRC := $(wildcard tests/system/*.c)
SYSTEM_OBJ := $(SYSTEM_SRC:%.c=$(BUILD)/%.o)

# Against the real binary: links nothing of the proxy's own.
$(BUILD)/system-tests: $(SYSTEM_OBJ)
	$(call say,LINK,$@)
	$(Q)$(CC) $(LDFLAGS) -o $@ $^ $(CHECK_LIBS) $(shell pkg-config --libs jansson)

clean: ## remove all that was built
	rm -rf build rpproxy
.PHONY: clean

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' Makefile | expand -t 20
.PHONY: help

-include $(shell find build -name '*.d' 2>/dev/null)
