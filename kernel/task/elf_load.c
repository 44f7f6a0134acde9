/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ELF programs into an address space: text and data are mapped from the file, only what bss needs
 * is written.
 */
#include "base/str.h"
#include "kernel/core/core.h"
#include "kernel/mem/kmem.h"
#include "kernel/task/internal.h"
#include "kernel/vfs/file.h"

static err_t read_exactly(struct file *f, uint64_t off, void *buf, size_t len)
{
	size_t done;

	TRY(file_read_kernel(f, off, buf, len, &done));
	return done == len ? OK : E_NOEXEC;
}

static err_t refused(enum elf_reason why, const struct elf_file *e)
{
	const char *machine = elf_machine_name(e->head.machine);

	if (why == ELF_MACHINE && machine != NULL)
		user_log("cannot execute: %s (%s)", elf_reason_text(why), machine);
	else if (why != ELF_NOT_ELF)
		user_log("cannot execute: %s", elf_reason_text(why));
	return elf_reason_err(why);
}

static err_t read_headers(struct elf_file *e)
{
	uint8_t header[ELF_HEADER_BYTES];
	enum elf_reason why;
	size_t done;

	TRY(file_read_kernel(e->file, 0, header, sizeof(header), &done));
	why = elf_check_header(header, done, e->file->inode->size, &e->head);
	if (why != ELF_OK)
		return refused(why, e);
	e->phdrs = kmem_alloc(e->head.ph_bytes);
	if (e->phdrs == NULL)
		return E_NOMEM;
	TRY(read_exactly(e->file, e->head.phoff, e->phdrs, e->head.ph_bytes));
	why = elf_check_segments(&e->head, e->phdrs, &e->layout);
	return why == ELF_OK ? OK : refused(why, e);
}

err_t elf_file_open(struct elf_file *e, struct file *f)
{
	err_t err;

	*e = (struct elf_file){ .file = f };
	err = read_headers(e);
	if (err == OK)
		err = file_mmap(f, 0, PAGE_SIZE, VM_READ | VM_EXEC, &e->obj);
	if (err != OK)
		elf_file_close(e);
	return err;
}

void elf_file_close(struct elf_file *e)
{
	kmem_free(e->phdrs);
	if (e->obj != NULL && e->obj->ops->put != NULL)
		e->obj->ops->put(e->obj);
	e->phdrs = NULL;
	e->obj = NULL;
}

err_t elf_file_interp(const struct elf_file *e, char **path)
{
	err_t err;

	*path = NULL;
	if (e->layout.interp_size == 0)
		return OK;
	*path = kmem_alloc(e->layout.interp_size);
	if (*path == NULL)
		return E_NOMEM;
	err = read_exactly(e->file, e->layout.interp_offset, *path, e->layout.interp_size);
	if (err == OK && elf_check_interp(*path, e->layout.interp_size) != ELF_OK)
		err = E_NOEXEC;
	if (err != OK) {
		kmem_free(*path);
		*path = NULL;
	}
	return err;
}

/* ---- mapping ---- */

static uint32_t vm_flags(const struct elf_segment *s)
{
	return (s->flags & PF_R ? VM_READ : 0) | (s->flags & PF_W ? VM_WRITE : 0) |
	       (s->flags & PF_X ? VM_EXEC : 0) | VM_MAYWRITE;
}

/* The rest of the last page that the file gives: what a program finds there must be zero. */
static err_t clear_tail(struct aspace *mm, uint64_t from)
{
	static const uint8_t zeros[1024];
	uint64_t end = ALIGN_UP(from, PAGE_SIZE);

	while (from < end) {
		size_t n = end - from < sizeof(zeros) ? end - from : sizeof(zeros);

		if (aspace_write(mm, from, zeros, n, true) != n)
			return E_NOMEM;
		from += n;
	}
	return OK;
}

static err_t map_segment(const struct elf_file *e, struct aspace *mm, const struct elf_segment *s,
			 uint64_t bias)
{
	uint64_t start = ALIGN_DOWN(s->vaddr + bias, PAGE_SIZE),
		 file_end = s->vaddr + bias + s->filesz;
	uint64_t end = ALIGN_UP(s->vaddr + bias + s->memsz, PAGE_SIZE);
	uint64_t middle = s->filesz == 0 ? start : ALIGN_UP(file_end, PAGE_SIZE);

	if (middle > start)
		TRY(aspace_map(mm, &start, middle - start, vm_flags(s), MAP_AT_FIXED, e->obj,
			       s->offset >> PAGE_SHIFT, NULL));
	if (s->memsz > s->filesz && middle > start && (s->flags & PF_W))
		TRY(clear_tail(mm, file_end));
	if (end > middle)
		TRY(aspace_map(mm, &middle, end - middle, vm_flags(s), MAP_AT_FIXED, NULL, 0,
			       NULL));
	return OK;
}

err_t elf_file_map(const struct elf_file *e, struct aspace *mm, uint64_t bias)
{
	struct elf_segment s;

	for (unsigned i = 0; i < e->head.phnum; i++) {
		elf_segment_get(e->phdrs, i, &s);
		if (s.type != PT_LOAD || s.memsz == 0)
			continue;
		TRY(map_segment(e, mm, &s, bias));
	}
	return OK;
}

static void widen(uint64_t *start, uint64_t *end, uint64_t lo, uint64_t hi)
{
	if (*end == 0 || lo < *start)
		*start = lo;
	if (hi > *end)
		*end = hi;
}

void elf_file_note_areas(const struct elf_file *e, struct aspace *mm, uint64_t bias)
{
	struct elf_segment s;

	mm->start_code = mm->end_code = mm->start_data = mm->end_data = 0;
	for (unsigned i = 0; i < e->head.phnum; i++) {
		elf_segment_get(e->phdrs, i, &s);
		if (s.type != PT_LOAD)
			continue;
		if (s.flags & PF_X)
			widen(&mm->start_code, &mm->end_code, s.vaddr + bias,
			      s.vaddr + bias + s.filesz);
		if (s.flags & PF_W)
			widen(&mm->start_data, &mm->end_data, s.vaddr + bias,
			      s.vaddr + bias + s.filesz);
	}
}
