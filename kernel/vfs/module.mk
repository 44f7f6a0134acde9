# SPDX-License-Identifier: BSD-2-Clause
DEPS := abi base x86 core mem task comp/drv comp/drv/uart16550 comp/drv/virtio comp/drv/virtio_serial
# Names, files, descriptors.
SRCS := $(patsubst kernel/vfs/%,%,$(wildcard kernel/vfs/attr.c kernel/vfs/dentry.c kernel/vfs/fd.c kernel/vfs/file.c \
	kernel/vfs/inode.c kernel/vfs/lock.c kernel/vfs/mount.c kernel/vfs/name.c kernel/vfs/object.c kernel/vfs/open.c \
	kernel/vfs/path.c kernel/vfs/perm.c kernel/vfs/device.c kernel/vfs/init.c))
# Waiting, pipes, terminals, the console.
SRCS += poll.c epoll.c pipe.c eventfd.c timerfd.c signalfd.c
SRCS += tty.c tty_ioctl.c tty_job.c ldisc.c pty.c
SRCS += console.c console_com1.c console_tty.c portfile.c

# Tests on the host: one thread that never sleeps, a clock that the test moves (test/fake.h).
VFS_ON_HOST := test/fake.c kernel/mem/uio.c kernel/mem/ubuf.c
UNIT := test/u_pipe.c
UNIT_SRCS_u_pipe := pipe.c $(VFS_ON_HOST)
UNIT_CFLAGS_u_pipe := -ffreestanding
