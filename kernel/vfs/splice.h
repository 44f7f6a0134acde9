/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * splice, tee, vmsplice: moving data between a pipe and something else inside the kernel. It is
 * copied, not moved by page: who changes memory after vmsplice changes nothing in the pipe.
 */
#pragma once

#include "kernel/vfs/file.h"

/*
 * From in to out, one of which is a pipe: at most len bytes, and as Linux does: what is there, or
 * fits, after waiting for the first (E_AGAIN if nonblock). Offsets NULL: the file's position. *done
 * 0 with OK: the end. E_BADF, E_INVAL, E_SPIPE, E_PIPE, E_RESTARTSYS. MAY_SWITCH
 */
err_t splice(struct file *in, uint64_t *in_off, struct file *out, uint64_t *out_off, size_t len,
	     bool nonblock, size_t *done) MUST_CHECK;
/* As splice between two pipes, but the data also stays. MAY_SWITCH */
err_t splice_tee(struct file *in, struct file *out, size_t len, bool nonblock,
		 size_t *done) MUST_CHECK;
/* Program memory into a pipe's writing end, or out of a reading end. MAY_SWITCH */
err_t splice_user(struct file *f, struct uio *u, bool nonblock, size_t *done) MUST_CHECK;
