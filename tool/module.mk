# SPDX-License-Identifier: BSD-2-Clause
SRCS := main.c cli.c cli_vms.c run.c launch.c detach.c vms.c exec.c inspect.c demo.c doctor.c spec.c pack.c secret.c keyfile.c needle.c base64.c sslconf.c closure.c words.c catalog.c yaml.c libs.c elf_info.c \
	elf_check.c syscalls.c rootfs.c stage.c image.c cache.c bundle.c runcfg.c vm.c backlog.c accel.c probe_guest.c bridge.c \
	flow.c outbuf.c control.c corefile.c server.c link.c state.c statejson.c near.c net.c netcheck.c holder.c stats.c debug.c term.c places.c report.c symbols.c util.c
DEPS := abi base linux user/lib/priv
TOOL_LIBS := -lelf -lcapstone -lcyaml -lyaml -lcjson
# A build folder elsewhere has no catalog beside it.
ifneq ($(abspath $(O)),$(abspath build))
HOST_CFLAGS_tool/places.c := -DSOURCE_CATALOG='"$(abspath catalog)"'
endif

# A double for QEMU, for the tests of the tool itself.
PROGS := test/fake_qemu.c

UNIT := test/u_tool_net.c test/u_tool_text.c test/u_tool_files.c test/u_tool_elf.c test/u_tool_secret.c
UNIT_SRCS_u_tool_net := net.c near.c control.c util.c report.c
UNIT_SRCS_u_tool_text := words.c control.c util.c report.c
UNIT_SRCS_u_tool_files := rootfs.c libs.c catalog.c net.c yaml.c cache.c util.c report.c
UNIT_LIBS_u_tool_files := -lcyaml -lyaml
UNIT_SRCS_u_tool_elf := elf_info.c elf_check.c syscalls.c util.c report.c
UNIT_LIBS_u_tool_elf := -lelf -lcapstone
UNIT_SRCS_u_tool_secret := base64.c needle.c sslconf.c keyfile.c util.c report.c
