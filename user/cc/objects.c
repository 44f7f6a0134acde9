/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <fcntl.h>
#include <gelf.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "user/cc/cc.h"

#define HEADER (sizeof(PRIV_MAGIC) - 1 + sizeof(uint64_t))

/* The first section of that name with content; NULL: none. */
static Elf_Data *section(Elf *elf, const char *name, GElf_Shdr *header)
{
	Elf_Scn *s = NULL;
	size_t names;

	if (elf_getshdrstrndx(elf, &names) != 0)
		return NULL;
	while ((s = elf_nextscn(elf, s)) != NULL) {
		const char *found;

		if (gelf_getshdr(s, header) == NULL)
			continue;
		found = elf_strptr(elf, names, header->sh_name);
		if (found != NULL && strcmp(found, name) == 0)
			return elf_rawdata(s, NULL);
	}
	return NULL;
}

/* ---- private objects inside of others ---- */

static void take_objects(const char *path, const char *data, size_t size, struct strv *found)
{
	while (size >= HEADER && memcmp(data, PRIV_MAGIC, sizeof(PRIV_MAGIC) - 1) == 0) {
		uint64_t length;
		char *name;

		memcpy(&length, data + sizeof(PRIV_MAGIC) - 1, sizeof(length));
		data += HEADER;
		size -= HEADER;
		if (length > size)
			fail("%s: the private part in it is cut off", path);
		name = scratch("found%zu.o", found->n);
		write_file(name, data, length);
		strv_take(found, name);
		data += length;
		size -= length;
	}
	if (size != 0)
		fail("%s: section " PRIV_SECTION " is not what ringfence-cc writes", path);
}

static void unwrap(const char *path, Elf *elf, struct strv *found)
{
	GElf_Shdr header;
	Elf_Data *d = section(elf, PRIV_SECTION, &header);

	if (d != NULL && d->d_buf != NULL)
		take_objects(path, d->d_buf, d->d_size, found);
}

static void unwrap_archive(const char *path, int fd, Elf *archive, struct strv *found)
{
	Elf_Cmd command = ELF_C_READ;
	Elf *member;

	while ((member = elf_begin(fd, command, archive)) != NULL) {
		if (elf_kind(member) == ELF_K_ELF)
			unwrap(path, member, found);
		command = elf_next(member);
		elf_end(member);
	}
}

void objects_unwrap(const char *path, struct strv *found)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	Elf *elf;

	if (fd < 0)
		return; /* cc will say it */
	elf = elf_begin(fd, ELF_C_READ, NULL);
	if (elf_kind(elf) == ELF_K_AR)
		unwrap_archive(path, fd, elf, found);
	else if (elf_kind(elf) == ELF_K_ELF)
		unwrap(path, elf, found);
	elf_end(elf);
	close(fd);
}

/* ---- what ld has made ---- */

static Elf *open_linked(const char *path, int *fd)
{
	Elf *elf = NULL;

	*fd = open(path, O_RDONLY | O_CLOEXEC);
	if (*fd >= 0)
		elf = elf_begin(*fd, ELF_C_READ, NULL);
	if (elf_kind(elf) != ELF_K_ELF)
		fail("%s: not what ld should have made", path);
	return elf;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct symbol *)a)->name, ((const struct symbol *)b)->name);
}

struct symbols objects_symbols(const char *path)
{
	struct symbols out = { 0 };
	GElf_Shdr header;
	GElf_Sym symbol;
	Elf_Data *d;
	int fd;
	Elf *elf = open_linked(path, &fd);

	d = section(elf, ".symtab", &header);
	if (d == NULL || header.sh_entsize == 0)
		fail("%s has no symbols", path);
	d->d_type = ELF_T_SYM;
	out.v = xcalloc(header.sh_size / header.sh_entsize, sizeof(*out.v));
	for (int i = 0; gelf_getsym(d, i, &symbol) != NULL; i++) {
		const char *name = elf_strptr(elf, header.sh_link, symbol.st_name);

		if (name != NULL && *name != '\0' && symbol.st_shndx != SHN_UNDEF)
			out.v[out.n++] = (struct symbol){ xstrdup(name),
							  (uint32_t)symbol.st_value };
	}
	qsort(out.v, out.n, sizeof(*out.v), by_name);
	elf_end(elf);
	close(fd);
	return out;
}

const struct symbol *symbols_find(const struct symbols *s, const char *name)
{
	struct symbol key = { (char *)name, 0 };

	return bsearch(&key, s->v, s->n, sizeof(*s->v), by_name);
}

void objects_image(const char *path, const char *to)
{
	GElf_Shdr code, data;
	Elf_Data *c, *d;
	int fd;
	Elf *elf = open_linked(path, &fd);
	size_t size;
	char *image;

	c = section(elf, ".code", &code);
	d = section(elf, ".data", &data);
	if (c == NULL || code.sh_type != SHT_PROGBITS)
		fail("the private part has no code");
	if (d == NULL || data.sh_type != SHT_PROGBITS)
		data.sh_size = 0;
	/* image.ld puts .data right behind .code, which fills whole pages. */
	if (data.sh_size != 0 && data.sh_addr != code.sh_addr + code.sh_size)
		fail("the parts of the image do not follow each other");
	size = code.sh_size + data.sh_size;
	image = xcalloc(1, size);
	memcpy(image, c->d_buf, c->d_size);
	if (data.sh_size != 0)
		memcpy(image + code.sh_size, d->d_buf, d->d_size);
	write_file(to, image, size);
	free(image);
	elf_end(elf);
	close(fd);
}
