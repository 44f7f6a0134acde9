/* SPDX-License-Identifier: BSD-2-Clause */
/* Header and entry of a private part; abi/privuser.h says what the gate gives. */
#include "abi/privuser.h"
#include "image.h"

	.section .priv.head, "a"
	.globl	priv_image_head
priv_image_head:
	.long	PRIV_IMAGE_MAGIC, PRIVUSER_BASE, priv_entry_
	.long	priv_code_len_, priv_data_len_, priv_bss_len_
	.long	priv_ncalls_, priv_filter_

	.section .priv.entry, "ax"
	.globl	priv_entry_
	.type	priv_entry_, @function
priv_entry_:
	movl	%ss, %ecx		/* in ring 3, with the protection off, it is another */
	movl	%ecx, %ds
	movl	%ecx, %es
	decl	%eax
	cmpl	$priv_ncalls_, %eax
	jae	1f
	call	*priv_calls_(,%eax,4)
	lcall	$PRIVUSER_SEL_EXIT, $0
1:	movl	$PRIVUSER_ENOSYS, %eax
	lcall	$PRIVUSER_SEL_EXIT, $0
	ud2
	.size	priv_entry_, . - priv_entry_

	.section .note.GNU-stack, "", @progbits
