/* SPDX-License-Identifier: BSD-2-Clause */
#include "tool/elf_info.h"

#include <errno.h>
#include <fcntl.h>
#include <gelf.h>
#include <libelf.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define DYN_MAX   4096u /* entries of a dynamic section that are looked at */
#define NAME_MAX_ 4096u /* longest name of a library or list of folders */

/* An open file: its segments by libelf, its bytes, which libelf keeps unchanged. */
struct elf_file {
	Elf *elf;
	const char *bytes;
	size_t size;
	size_t phnum;
};

/* File offset of a virtual address; false if no segment's file bytes hold it. */
static bool file_offset(const struct elf_file *f, uint64_t vaddr, uint64_t *offset)
{
	for (size_t i = 0; i < f->phnum; i++) {
		GElf_Phdr ph;

		if (gelf_getphdr(f->elf, (int)i, &ph) == NULL)
			return false;
		if (ph.p_type != PT_LOAD || vaddr < ph.p_vaddr || vaddr - ph.p_vaddr >= ph.p_filesz)
			continue;
		*offset = ph.p_offset + (vaddr - ph.p_vaddr);
		return *offset < f->size;
	}
	return false;
}

/* A string of the dynamic string table, copied; NULL if it is not inside the file or not ended. */
static char *dyn_string(const struct elf_file *f, uint64_t strtab, uint64_t index)
{
	uint64_t vaddr, offset;

	if (__builtin_add_overflow(strtab, index, &vaddr) || !file_offset(f, vaddr, &offset))
		return NULL;
	size_t room = f->size - offset < NAME_MAX_ ? f->size - offset : NAME_MAX_;
	const char *end = memchr(f->bytes + offset, '\0', room);

	return end != NULL ? xstrndup(f->bytes + offset, (size_t)(end - (f->bytes + offset)))
			   : NULL;
}

static void replace(char **slot, char *s)
{
	free(*slot);
	*slot = s;
}

/* Take one dynamic entry over. False if its string is damaged. */
static bool take_entry(const struct elf_file *f, const GElf_Dyn *d, uint64_t strtab,
		       struct elf_info *out)
{
	char **slot = NULL;

	switch (d->d_tag) {
	case DT_SONAME: slot = &out->soname; break;
	case DT_RPATH: slot = &out->rpath; break;
	case DT_RUNPATH: slot = &out->runpath; break;
	case DT_NEEDED: break;
	default: return true;
	}
	char *s = dyn_string(f, strtab, d->d_un.d_val);

	if (s == NULL)
		return false;
	if (slot != NULL)
		replace(slot, s);
	else if (*s != '\0')
		strv_take(&out->needed, s);
	else
		free(s);
	return true;
}

static bool read_dynamic(const struct elf_file *f, const GElf_Phdr *ph, struct elf_info *out,
			 char why[ELF_WHY_MAX])
{
	Elf_Data *data = elf_getdata_rawchunk(f->elf, (int64_t)ph->p_offset, ph->p_filesz,
					      ELF_T_DYN);
	uint64_t strtab = 0;
	GElf_Dyn d;

	if (data == NULL) {
		snprintf(why, ELF_WHY_MAX, "damaged dynamic section (%s)", elf_errmsg(-1));
		return false;
	}
	for (unsigned i = 0; i < DYN_MAX && gelf_getdyn(data, (int)i, &d) != NULL; i++) {
		if (d.d_tag == DT_NULL)
			break;
		if (d.d_tag == DT_STRTAB)
			strtab = d.d_un.d_ptr;
	}
	for (unsigned i = 0; i < DYN_MAX && gelf_getdyn(data, (int)i, &d) != NULL; i++) {
		if (d.d_tag == DT_NULL)
			break;
		if (!take_entry(f, &d, strtab, out)) {
			snprintf(why, ELF_WHY_MAX,
				 "damaged dynamic section (a name lies outside the file)");
			return false;
		}
	}
	out->dynamic = true;
	return true;
}

static bool read_segments(const struct elf_file *f, struct elf_info *out, char why[ELF_WHY_MAX])
{
	for (size_t i = 0; i < f->phnum; i++) {
		GElf_Phdr ph;

		if (gelf_getphdr(f->elf, (int)i, &ph) == NULL) {
			snprintf(why, ELF_WHY_MAX, "damaged program headers (%s)", elf_errmsg(-1));
			return false;
		}
		/* elf_headers_ok() has seen that both lie within the file, and the NUL. */
		if (ph.p_type == PT_INTERP && out->interp == NULL)
			out->interp = xstrndup(f->bytes + ph.p_offset, ph.p_filesz - 1);
		if (ph.p_type == PT_DYNAMIC && !out->dynamic && ph.p_filesz != 0 &&
		    !read_dynamic(f, &ph, out, why))
			return false;
	}
	return true;
}

bool elf_info_read(const void *image, size_t size, struct elf_info *out, char why[ELF_WHY_MAX])
{
	struct elf_file f = { .bytes = image, .size = size };
	bool ok = false, is_elf;

	*out = (struct elf_info){ 0 };
	if (!elf_headers_ok(image, size, &is_elf, why)) {
		out->is_elf = is_elf;
		return false;
	}
	elf_version(EV_CURRENT);
	/* libelf does not write to an image it was given by elf_memory() unless it is told to. */
	f.elf = elf_memory((char *)(uintptr_t)image, size);
	if (f.elf == NULL || elf_getphdrnum(f.elf, &f.phnum) != 0)
		snprintf(why, ELF_WHY_MAX, "damaged headers (%s)", elf_errmsg(-1));
	else
		ok = read_segments(&f, out, why);
	if (f.elf != NULL)
		elf_end(f.elf);
	if (!ok)
		elf_info_release(out);
	out->is_elf = true;
	return ok;
}

bool elf_info_load(const char *path, struct elf_info *out, char why[ELF_WHY_MAX])
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct stat st;
	bool ok = false;

	*out = (struct elf_info){ 0 };
	if (fd < 0 || fstat(fd, &st) != 0) {
		snprintf(why, ELF_WHY_MAX, "unreadable: %s", strerror(errno));
	} else if (!S_ISREG(st.st_mode)) {
		snprintf(why, ELF_WHY_MAX, "no regular file");
	} else if (st.st_size == 0) {
		snprintf(why, ELF_WHY_MAX, "an empty file");
	} else {
		void *p = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);

		if (p == MAP_FAILED) {
			snprintf(why, ELF_WHY_MAX, "unreadable: %s", strerror(errno));
		} else {
			ok = elf_info_read(p, (size_t)st.st_size, out, why);
			munmap(p, (size_t)st.st_size);
		}
	}
	if (fd >= 0)
		close(fd);
	return ok;
}

void elf_info_release(struct elf_info *info)
{
	free(info->interp);
	free(info->soname);
	free(info->rpath);
	free(info->runpath);
	strv_release(&info->needed);
	*info = (struct elf_info){ 0 };
}
