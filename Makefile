# SPDX-License-Identifier: BSD-2-Clause
# One make for everything; no recursion. HACKING.md explains the targets and module.mk.
.DEFAULT_GOAL := all
.DELETE_ON_ERROR:
.SUFFIXES:
MAKEFLAGS += --no-builtin-rules

include config.mk

Q := $(if $(filter 1,$(V)),,@)
say = $(if $(filter 1,$(V)),@:,@printf '  %-7s %s\n' '$1' '$(patsubst $(CURDIR)/%,%,$2)')
COMPILER := $(if $(findstring clang,$(shell $(CC) --version 2>/dev/null | head -1)),clang,gcc)
# Absolute, for test programs that run elsewhere.
OABS := $(abspath $(O))

# ---- flags ----

WARN := -Wall -Wextra -Werror -Wvla
INCLUDES := -I. -I$(O)/gen
KFLAGS := -std=gnu17 -O2 -g -ffreestanding -fno-pic -fno-pie -mcmodel=kernel -mno-red-zone \
	-mgeneral-regs-only -fno-stack-protector -fno-strict-aliasing -fno-omit-frame-pointer \
	-fcf-protection=none -ffunction-sections -fdata-sections -fno-asynchronous-unwind-tables \
	$(WARN) $(INCLUDES)
AFLAGS := -D__ASSEMBLER__ -fno-pic -fno-pie $(INCLUDES)
ifeq ($(COMPILER),clang)
# The integrated assembler does not know every form that ours has; only warnings about unused flags go.
AFLAGS += -Wno-unused-command-line-argument
endif
ifeq ($(COMPILER),gcc)
# Alignment of jump targets only makes the text longer where pages of code cost more than lines of cache.
KFLAGS += -falign-functions=1 -falign-loops=1 -falign-jumps=1 -falign-labels=1
# For files on the way of very many calls (CFLAGS_file in module.mk): small functions become part of
# their callers sooner. For the whole kernel that is a hundred KiB for little.
HOT := -finline-functions --param=max-inline-insns-auto=40 --param=max-inline-insns-single=200
endif
# With gcc the outer kernel is optimised as one program: calls between its files cost what the
# processor, and an emulator even more, needs to find the other place. nk and boot stay apart.
ifeq ($(COMPILER)$(LTO),gcc1)
LTO_FLAGS := -flto=$(shell nproc) -fno-fat-lto-objects
endif
LDFLAGS_KERNEL := -m elf_x86_64 -nostdlib -static -z max-page-size=4096 -z noexecstack \
	--build-id=none --gc-sections --no-warn-rwx-segments
HFLAGS := -std=gnu17 -D_GNU_SOURCE -g $(WARN) $(INCLUDES)
TOOL_FLAGS := $(HFLAGS) -O2 -fstack-protector-strong -D_FORTIFY_SOURCE=2
UNIT_FLAGS := $(HFLAGS) -O1 -fsanitize=address,undefined -fno-sanitize-recover=undefined \
	-fno-omit-frame-pointer -DUNIT_TEST

# ringfence-cc, the compiler for private parts: made here, and used here.
PRIV_CC := $(O)/ringfence-cc

# ---- modules: every folder of these that has a module.mk ----

MODULES := $(patsubst %/module.mk,%,$(wildcard \
	base/module.mk nk/module.mk boot/module.mk kernel/*/module.mk \
	comp/*/module.mk comp/*/*/module.mk tool/module.mk user/*/module.mk \
	build-tools/module.mk test/module.mk test/*/module.mk bench/module.mk demo/module.mk))
KERNEL_MODULES := $(filter base nk boot kernel/% comp/%,$(MODULES))

MODULE_VARS := SRCS DEPS EXT UNIT KTESTS PROGS TOOL_LIBS
# A file named in module m: in the module's folder, or else from the root of the repository.
locate = $(foreach f,$2,$(if $(wildcard $1/$f),$1/$f,$f))

define load_module
$(foreach v,$(MODULE_VARS) CFLAGS EXT_CFLAGS,$v :=
)
include $1/module.mk
$$(foreach v,$(MODULE_VARS),$$(eval M_$$v_$1 := $$($$v)))
$$(foreach s,$$(SRCS) $$(KTESTS),$$(eval CFLAGS_$1/$$s := $$(CFLAGS) $$(CFLAGS_$$s))$$(eval undefine CFLAGS_$$s))
$$(foreach s,$$(EXT),$$(eval CFLAGS_$$s := $$(EXT_CFLAGS) $$(CFLAGS_$$(notdir $$s)))\
	$$(eval undefine CFLAGS_$$(notdir $$s)))
$$(foreach u,$$(basename $$(notdir $$(UNIT))),$$(foreach v,SRCS CFLAGS LIBS,\
	$$(eval UNIT_$$v/$1/$$u := $$(UNIT_$$v_$$u))$$(eval undefine UNIT_$$v_$$u)))
endef
$(foreach m,$(MODULES),$(eval $(call load_module,$m)))

objs = $(addprefix $(O)/obj/,$(addsuffix .o,$(basename $1)))
kernel_srcs := $(foreach m,$(KERNEL_MODULES),$(addprefix $m/,$(M_SRCS_$m)) $(M_EXT_$m))
kernel_srcs += $(filter-out $(kernel_srcs),kernel/core/symtab.c)
ktest_srcs := $(foreach m,$(KERNEL_MODULES),$(addprefix $m/,$(M_KTESTS_$m)))
KERNEL_OBJS := $(call objs,$(kernel_srcs))
KTEST_OBJS := $(call objs,$(ktest_srcs))
outer_objs := $(if $(LTO_FLAGS),$(call objs,$(filter kernel/%.c comp/%.c deps/%.c,$(kernel_srcs))))
KERNEL_LINKED := $(if $(outer_objs),$(filter-out $(outer_objs),$(KERNEL_OBJS)) $(O)/obj/outer.o,$(KERNEL_OBJS))
KERNEL_LD ?= boot/kernel.ld

# base for programs of the host; mem.c is libc's there.
base_host_srcs := $(addprefix base/,$(filter-out mem.c,$(M_SRCS_base)))
tool_srcs := $(addprefix tool/,$(M_SRCS_tool))
TOOL_OBJS := $(patsubst %.c,$(O)/host/%.o,$(tool_srcs) $(base_host_srcs))
CC_OBJS := $(patsubst %.c,$(O)/host/%.o,$(addprefix user/cc/,$(M_SRCS_user/cc)) tool/util.c tool/report.c)
HOST_CFLAGS_user/cc/build.c := -DSOURCE_LIB='"$(abspath user/lib)"'

# A unit test is known as module/name.
UNITS := $(foreach m,$(MODULES),$(addprefix $m/,$(basename $(notdir $(M_UNIT_$m)))))
UNIT_BINS := $(addprefix $(O)/unit/,$(UNITS))
PROG_BINS := $(foreach m,$(MODULES),$(addprefix $(O)/prog/$m/,$(basename $(M_PROGS_$m))))

# ---- targets ----

.PHONY: all kernel ktest tool demo unit-bins progs
all: kernel tool demo
kernel: $(O)/kernel.elf
ktest: $(O)/kernel-test.elf
tool: $(O)/ringfence $(PRIV_CC)
# What `ringfence demo` and `run --secret` need.
DEMO_PROGS := $(addprefix $(O)/prog/user/demo/heartbleed/,server attack)
demo: $(O)/ringfence.so $(DEMO_PROGS)
unit-bins: $(UNIT_BINS)
progs: $(PROG_BINS)

# Objects are made again when the flags change, not when the Makefile is edited.
flags_text := $(CC) $(KFLAGS) $(LTO_FLAGS) | $(AFLAGS) | $(TOOL_FLAGS) | $(UNIT_FLAGS) | $(LDFLAGS_KERNEL)
$(shell mkdir -p $(O)/gen; echo '$(flags_text)' | cmp -s - $(O)/.flags || echo '$(flags_text)' >$(O)/.flags)

$(O)/obj/%.o: %.c $(O)/.flags
	$(call say,CC,$<)
	@mkdir -p $(@D)
	$(Q)$(CC) $(KFLAGS) $(FOR_LTO) $(CFLAGS_$<) -MMD -MP -c -o $@ $<

$(outer_objs): FOR_LTO := $(LTO_FLAGS)
# What is warned of file by file is not asked again: across files gcc doubts what a result guards.
$(O)/obj/outer.o: $(outer_objs)
	$(call say,LTO,$@)
	$(Q)$(CC) $(KFLAGS) $(LTO_FLAGS) -Wno-maybe-uninitialized -no-pie -r -flinker-output=nolto-rel -nostdlib -o $@ $^

$(O)/obj/%.o: %.S $(O)/.flags
	$(call say,AS,$<)
	@mkdir -p $(@D)
	$(Q)$(CC) $(AFLAGS) $(CFLAGS_$<) -MMD -MP -c -o $@ $<

$(O)/host/%.o: %.c $(O)/.flags
	$(call say,HOSTCC,$<)
	@mkdir -p $(@D)
	$(Q)$(CC) $(TOOL_FLAGS) $(HOST_CFLAGS_$<) -MMD -MP -c -o $@ $<

# Flags for single files stand in module.mk.
$(foreach m,$(KERNEL_MODULES),$(eval $(call objs,$(addprefix $m/,$(M_SRCS_$m) $(M_KTESTS_$m)) $(M_EXT_$m)): $m/module.mk))

# Sources of others, which EXT names, and whose headers a module may use.
deps/lwip/.complete:
	$(Q)build-tools/fetch-source.sh lwip deps/lwip
# Made by that step, but not to be deleted as if they were left over.
.PRECIOUS: deps/lwip/%.c
deps/lwip/%.c: | deps/lwip/.complete ;
$(KERNEL_OBJS) $(KTEST_OBJS): | deps/lwip/.complete

# ---- kernel ----

link_deps := $(KERNEL_LD) build-tools/link.sh $(O)/tools/mksyms $(O)/tools/scan $(O)/.flags
link_kernel = $(Q)LD='$(LD)' LDFLAGS='$(LDFLAGS_KERNEL)' CC='$(CC)' OBJCOPY='$(OBJCOPY)' \
	TOOLS=$(O)/tools MAX_BYTES=$1 \
	build-tools/link.sh $(KERNEL_LD) $(basename $@)

$(O)/kernel.elf: $(KERNEL_LINKED) $(link_deps)
	$(call say,LINK,$@)
	$(file >$(O)/kernel.objs,$(KERNEL_LINKED))
	$(call link_kernel,$(KERNEL_MAX_BYTES))

$(O)/kernel-test.elf: $(KERNEL_LINKED) $(KTEST_OBJS) $(link_deps)
	$(call say,LINK,$@)
	$(file >$(O)/kernel-test.objs,$(KERNEL_LINKED) $(KTEST_OBJS))
	$(call link_kernel,$(KTEST_MAX_BYTES))

$(O)/kernel.debug.elf: $(O)/kernel.elf ;

# ---- the host tool and the build's own tools ----

$(O)/ringfence: $(TOOL_OBJS)
	$(call say,HOSTLD,$@)
	$(Q)$(CC) -o $@ $^ $(M_TOOL_LIBS_tool)

$(PRIV_CC): $(CC_OBJS)
	$(call say,HOSTLD,$@)
	$(Q)$(CC) -o $@ $^ -lelf

$(O)/tools/mksyms: $(O)/host/build-tools/mksyms.o $(O)/host/build-tools/elf_file.o
	$(call say,HOSTLD,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) -o $@ $^ -lelf
$(O)/tools/scan: $(addprefix $(O)/host/build-tools/,scan.o forbidden.o elf_file.o)
	$(call say,HOSTLD,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) -o $@ $^ -lelf -lcapstone

# ---- the OpenSSL provider: its private part is BearSSL's, in ring 2 ----

deps/bearssl/.complete:
	$(Q)build-tools/fetch-source.sh bearssl deps/bearssl
provider_priv := $(wildcard user/provider/*.priv.c)
provider_srcs := $(filter-out $(provider_priv),$(wildcard user/provider/*.c))
provider_cc = $(Q)RINGFENCE_CC='$(CC)' $(PRIV_CC) -O2 -g -Ideps/bearssl/inc
# What these include is BearSSL's own and not warned of; its switches keep out what ring 2 has not.
$(O)/provider/bearssl_%.o: PROVIDER_FLAGS := -O3 -w -Ideps/bearssl -Ideps/bearssl/src -DBR_SSE2=0 -DBR_AES_X86NI=0 -DBR_RDRAND=0
$(O)/provider/key.o: PROVIDER_FLAGS := $(WARN)
$(O)/provider/%.o: user/provider/%.priv.c user/provider/key.h $(wildcard user/lib/*.h) \
		$(wildcard user/provider/bearssl_*.h) $(PRIV_CC) $(O)/.flags Makefile | deps/bearssl/.complete
	$(call say,PRIVCC,$<)
	@mkdir -p $(@D)
	$(provider_cc) $(PROVIDER_FLAGS) -c -o $@ $<
$(O)/ringfence.so: $(provider_srcs) $(wildcard user/provider/*.h) \
		$(patsubst user/provider/%.priv.c,$(O)/provider/%.o,$(provider_priv))
	$(call say,PRIVLD,$@)
	$(provider_cc) $(WARN) -fPIC -fvisibility=hidden -shared -Wl,-z,defs -o $@ $(filter %.c %.o,$^) -lcrypto
.PHONY: provider
provider: $(O)/ringfence.so

# ---- unit tests: $(O)/unit/<module>/u_x from its own file, UNIT_SRCS_u_x, and base ----

unit_objs = $(patsubst %.c,$(O)/unit-obj/$1/%.o,$2)
# unit_program: module, name
define unit_program
unit_files_$1/$2 := $(sort $(addprefix $1/,$(filter %/$2.c $2.c,$(M_UNIT_$1))) \
	$(call locate,$1,$(UNIT_SRCS/$1/$2)))
$(O)/unit/$1/$2: $$(call unit_objs,$1/$2,$$(unit_files_$1/$2)) $(O)/unit-obj/base.a
	$$(call say,HOSTLD,$$@)
	@mkdir -p $$(@D)
	$$(Q)$$(CC) -fsanitize=address,undefined -o $$@ $$^ -lcmocka $(UNIT_LIBS/$1/$2)
$(O)/unit-obj/$1/$2/%.o: %.c $1/module.mk $(O)/.flags
	$$(call say,UNITCC,$$<)
	@mkdir -p $$(@D)
	$$(Q)$$(CC) $$(UNIT_FLAGS) $(UNIT_CFLAGS/$1/$2) -MMD -MP -c -o $$@ $$<
all_objs += $$(call unit_objs,$1/$2,$$(unit_files_$1/$2))
endef
$(foreach u,$(UNITS),$(eval $(call unit_program,$(patsubst %/,%,$(dir $u)),$(notdir $u))))

base_unit_objs := $(call unit_objs,base-lib,$(base_host_srcs))
$(O)/unit-obj/base-lib/%.o: %.c $(O)/.flags
	$(call say,UNITCC,$<)
	@mkdir -p $(@D)
	$(Q)$(CC) $(UNIT_FLAGS) -MMD -MP -c -o $@ $<
$(O)/unit-obj/base.a: $(base_unit_objs)
	$(Q)rm -f $@ && ar rcs $@ $^

# ---- Linux programs for tests and demos: $(O)/prog/<module>/<name> ----

define prog_program
$(O)/prog/$1/$(basename $2): $1/$2 $1/module.mk $(O)/.flags $(filter $(PRIV_CC),$(PROG_CC_$(basename $(notdir $2))))
	$$(call say,PROG,$$@)
	@mkdir -p $$(@D)
	$$(Q)$(or $(PROG_CC_$(basename $(notdir $2))),$$(CC)) -std=gnu17 -D_GNU_SOURCE -O1 -g -Wall -I. \
		$(PROG_CFLAGS_$(basename $(notdir $2))) -MMD -MP -MF $$@.d -o $$@ $$< \
		$(PROG_LIBS_$(basename $(notdir $2)))
endef
$(foreach m,$(MODULES),$(foreach p,$(M_PROGS_$m),$(eval $(call prog_program,$m,$p))))

# ---- tests ----

.PHONY: unit test test-failed test-quick test-long test-bins fuzz
# prove gives each test program the build's place; a test that hangs is stopped.
export RF_ROOT := $(CURDIR)
export RF_BUILD = $(OABS)
TEST_JOBS ?= $(shell nproc)
PROVE := prove --timer -j $(TEST_JOBS) --exec build-tools/run-test
KEEP_STATE = --statefile=$(O)/tests --state=save
LONG_TESTS := $(wildcard test/long/*.t)
SCRIPT_TESTS := $(filter-out $(LONG_TESTS),$(wildcard build-tools/test/*.t base/test/*.t nk/test/*.t tool/test/*.t \
	test/*.t test/*/*.t))
QUICK_TESTS := $(filter build-tools/test/%.t,$(SCRIPT_TESTS))

test-bins: all ktest unit-bins progs provider

unit: unit-bins
	$(PROVE) $(UNIT_BINS)

test-quick: test-bins
	$(PROVE) $(UNIT_BINS) $(QUICK_TESTS)

test: | setup-test
	+$(Q)$(MAKE) --no-print-directory test-bins
	$(PROVE) $(KEEP_STATE) $(T) $(if $(T),,$(UNIT_BINS) $(SCRIPT_TESTS))

# The files that failed in the last `make test`, one at a time, each line shown. None: an error, too.
test-failed:
	$(Q)$(PROVE) --statefile=$(O)/tests --state=failed --dry | grep -q . || { echo "no test has failed" >&2; exit 1; }
	$(PROVE) -j 1 --verbose $(KEEP_STATE),failed

# Hours rather than minutes; one at a time.
test-long: | setup-test
	+$(Q)$(MAKE) --no-print-directory test-bins
	TEST_TIMEOUT=$(LONG_TIMEOUT) prove --timer --exec build-tools/run-test $(or $(T),$(LONG_TESTS))
LONG_TIMEOUT ?= 14400

# ---- fuzzing (clang's libFuzzer), $(FUZZ_TIME) seconds ----

FUZZ_TIME ?= 60
$(O)/fuzz/fuzz_elf: base/test/fuzz_elf.c $(base_host_srcs) $(O)/.flags
	$(call say,FUZZ,$@)
	@mkdir -p $(@D)
	$(Q)clang $(HFLAGS) -O1 -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=undefined \
		-o $@ $(filter %.c,$^)
fuzz: $(O)/fuzz/fuzz_elf
	build-tools/fuzz.sh $(O)/fuzz/fuzz_elf $(FUZZ_TIME)

# ---- set-up ----

.PHONY: setup setup-run setup-test
setup:
	./setup.sh all
setup-run setup-test:
	$(Q)./setup.sh $(@:setup-%=%)

# ---- using it ----

.PHONY: run bench iso debug install lint format clean
run: | setup-run
	+$(Q)$(MAKE) --no-print-directory all
	$(RUN_CMD)

bench:
	$(Q)./setup.sh bench
	+$(Q)$(MAKE) --no-print-directory all progs provider
	bench/run
	bench/privcall
	bench/sign
	bench/work
	$(Q)if [ "$$(id -u)" = 0 ]; then bench/serve && bench/https; else echo 'bench: servers are measured by root: sudo bench/serve, sudo bench/https'; fi

iso: $(O)/kernel.elf
	$(Q)build-tools/mkiso.sh $(O)/kernel.elf '$(ISO)' '$(ISO_CMDLINE)' $(ISO_IMAGE) $(ISO_RUN)

debug: $(O)/kernel.elf
	$(Q)SMP='$(DEBUG_SMP)' MEM='$(DEBUG_MEM)' CMDLINE='$(DEBUG_CMDLINE)' \
		build-tools/debug.sh $(O) $(DEBUG_QEMU)

install: all
	install -D -m 755 $(O)/ringfence $(DESTDIR)$(PREFIX)/bin/ringfence
	install -D -m 644 $(O)/kernel.elf $(DESTDIR)$(PREFIX)/lib/ringfence/kernel.elf
	install -m 755 $(O)/ringfence.so $(DESTDIR)$(PREFIX)/lib/ringfence/ringfence.so
	install -d $(DESTDIR)$(PREFIX)/lib/ringfence/demo/heartbleed
	install -m 755 $(DEMO_PROGS) $(DESTDIR)$(PREFIX)/lib/ringfence/demo/heartbleed
	install -d $(DESTDIR)$(PREFIX)/share/ringfence/catalog
	$(if $(wildcard catalog/*.yaml),install -m 644 catalog/*.yaml $(DESTDIR)$(PREFIX)/share/ringfence/catalog)
	$(if $(wildcard tool/ringfence.1),install -D -m 644 tool/ringfence.1 $(DESTDIR)$(PREFIX)/share/man/man1/ringfence.1)
	install -d $(DESTDIR)$(PREFIX)/lib/ringfence/privcall/priv/include $(DESTDIR)$(PREFIX)/lib/ringfence/privcall/abi
	install -m 644 user/lib/*.[ch] $(DESTDIR)$(PREFIX)/lib/ringfence/privcall
	install -m 644 user/lib/priv/*.* $(DESTDIR)$(PREFIX)/lib/ringfence/privcall/priv
	install -m 644 user/lib/priv/include/*.h $(DESTDIR)$(PREFIX)/lib/ringfence/privcall/priv/include
	install -m 644 abi/privuser.h $(DESTDIR)$(PREFIX)/lib/ringfence/privcall/abi
	install -d $(DESTDIR)$(PREFIX)/share/doc/ringfence/examples
	install -m 644 test/attack/privuser/example.c test/attack/privuser/vault.priv.c $(DESTDIR)$(PREFIX)/share/doc/ringfence/examples
	install -D -m 755 $(PRIV_CC) $(DESTDIR)$(PREFIX)/bin/ringfence-cc
	install -D -m 644 user/cc/ringfence-cc.1 $(DESTDIR)$(PREFIX)/share/man/man1/ringfence-cc.1
	install -D -m 644 user/lib/privcall.3 $(DESTDIR)$(PREFIX)/share/man/man3/privcall.3

lint:
	$(Q)NK_MAX_LINES=$(NK_MAX_LINES) FILE_MAX_LINES=$(FILE_MAX_LINES) build-tools/lint.py

format:
	$(Q)build-tools/lint.py --format $(F)

clean:
	rm -rf $(O)

# ---- dependencies found while compiling ----

all_objs += $(KERNEL_OBJS) $(KTEST_OBJS) $(TOOL_OBJS) $(CC_OBJS) $(base_unit_objs) \
	$(addprefix $(O)/host/build-tools/,mksyms.o scan.o forbidden.o elf_file.o)
-include $(all_objs:.o=.d) $(addsuffix .d,$(PROG_BINS))
