# SPDX-License-Identifier: BSD-2-Clause
DEPS := abi base x86 core mem task comp/drv comp/drv/uart16550 comp/drv/virtio comp/drv/virtio_serial
# Names, files, descriptors.
SRCS := $(patsubst kernel/vfs/%,%,$(wildcard kernel/vfs/attr.c kernel/vfs/dentry.c kernel/vfs/fd.c kernel/vfs/file.c \
	kernel/vfs/inode.c kernel/vfs/lock.c kernel/vfs/mount.c kernel/vfs/name.c kernel/vfs/object.c kernel/vfs/open.c \
	kernel/vfs/path.c kernel/vfs/perm.c))
# Waiting, pipes, terminals, the console.
SRCS += poll.c epoll.c pipe.c eventfd.c timerfd.c signalfd.c
SRCS += tty.c tty_ioctl.c tty_job.c ldisc.c pty.c
SRCS += console.c console_com1.c console_tty.c portfile.c
