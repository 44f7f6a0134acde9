# SPDX-License-Identifier: BSD-2-Clause
# Entry, traps, interrupts, clocks, FPU, user access, vDSO.
DEPS := abi base nk
SRCS := entry.S usercopy.S trap.c irq.c apic.c pit.c rtc.c time.c fpu.c futex.c cpu.c vdso_blob.S
KTESTS := test/k_x86.c

# The vDSO is a program's code: its own flags, its own link; vdso_blob.S includes the result.
VDSO_CFLAGS := -std=gnu17 -O2 -fPIC -fvisibility=hidden -mgeneral-regs-only -fno-stack-protector \
	-fcf-protection=none -fomit-frame-pointer -fno-builtin -ffreestanding -Wall -Wextra -Werror -I.
$(O)/gen/vdso.so: kernel/x86/vdso/vdso.c kernel/x86/vdso/vdso.lds kernel/x86/vdso_abi.h $(O)/.flags
	$(call say,VDSO,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) $(VDSO_CFLAGS) -shared -nostdlib -Wl,-T,kernel/x86/vdso/vdso.lds \
		-Wl,-soname,linux-vdso.so.1 -Wl,--hash-style=both -Wl,--build-id=none -Wl,-z,noexecstack \
		-Wl,--eh-frame-hdr -Wl,-z,max-page-size=4096 -Wl,-s -o $@ $<
$(O)/obj/kernel/x86/vdso_blob.o: $(O)/gen/vdso.so
