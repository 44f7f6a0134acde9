# SPDX-License-Identifier: BSD-2-Clause
# init.c names the file systems that there are.
DEPS := abi base x86 core mem task comp/fs/dev comp/fs/erofs comp/fs/proc comp/fs/sys comp/fs/tmpfs comp/drv comp/drv/uart16550 comp/drv/virtio comp/drv/virtio_serial
# Names, files, descriptors.
SRCS := attr.c dentry.c device.c fd.c file.c init.c inode.c inotify.c lock.c mount.c mountns.c name.c object.c open.c path.c perm.c pseudo.c anon.c async.c dnotify.c
# Waiting, pipes, terminals, the console.
SRCS += poll.c epoll.c pipe.c pipe_packet.c splice.c eventfd.c timerfd.c signalfd.c pidfd.c
SRCS += tty.c tty_ioctl.c tty_job.c ldisc.c pty.c
SRCS += console.c console_com1.c console_tty.c portfile.c
CFLAGS_pipe.c := $(HOT)
CFLAGS_epoll.c := $(HOT)
CFLAGS_path.c := $(HOT)
CFLAGS_open.c := $(HOT)

# Tests on the host: one thread that never sleeps, a clock that the test moves (test/fake.h).
VFS_ON_HOST := test/fake.c kernel/mem/uio.c kernel/mem/ubuf.c
UNIT := test/u_pipe.c test/u_epoll.c test/u_ldisc.c
UNIT_SRCS_u_pipe := pipe.c pipe_packet.c $(VFS_ON_HOST)
UNIT_CFLAGS_u_pipe := -ffreestanding
UNIT_SRCS_u_epoll := epoll.c poll.c pipe.c pipe_packet.c eventfd.c timerfd.c signalfd.c $(VFS_ON_HOST)
UNIT_CFLAGS_u_epoll := -ffreestanding
UNIT_SRCS_u_ldisc := ldisc.c tty.c tty_ioctl.c tty_job.c poll.c $(VFS_ON_HOST)
UNIT_CFLAGS_u_ldisc := -ffreestanding

include kernel/vfs/test/rig.mk
UNIT += test/u_path.c test/u_file.c
UNIT_SRCS_u_path := $(VFS_RIG)
UNIT_CFLAGS_u_path := -ffreestanding
UNIT_SRCS_u_file := $(VFS_RIG)
UNIT_CFLAGS_u_file := -ffreestanding
