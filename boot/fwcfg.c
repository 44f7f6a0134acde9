/* SPDX-License-Identifier: BSD-2-Clause */
/* QEMU's firmware configuration device: by DMA where it has it, else byte by byte. */
#include "base/str.h"
#include "boot/boot.h"

#define PORT_SELECT 0x510
#define PORT_DATA   0x511
#define PORT_DMA    0x514

#define KEY_SIGNATURE 0x00
#define KEY_ID        0x01
#define KEY_FILES     0x19

#define ID_DMA     2u
#define DMA_ERROR  1u
#define DMA_READ   2u
#define DMA_SELECT 8u

#define FILES_AT_ONCE 64u /* read together: each request has its price */
#define FILES_MAX     1024u

struct file {
	uint32_t size;
	uint16_t select, reserved;
	char name[56];
}; /* numbers big-endian */
struct dma {
	uint32_t control, len;
	uint64_t address;
}; /* big-endian */

static bool probed, present, has_dma;
static struct dma request;
static struct file files[FILES_AT_ONCE];

static void select(uint16_t key)
{
	__asm__ volatile("outw %0, %1" ::"a"(key), "Nd"((uint16_t)PORT_SELECT));
}

static void read_bytes(void *buffer, uint32_t len)
{
	uint8_t *to = buffer;

	for (uint32_t i = 0; i < len; i++)
		__asm__ volatile("inb %1, %0" : "=a"(to[i]) : "Nd"((uint16_t)PORT_DATA));
}

static void probe(void)
{
	char signature[4];
	uint32_t id;

	probed = true;
	select(KEY_SIGNATURE);
	read_bytes(signature, sizeof(signature));
	present = memcmp(signature, "QEMU", sizeof(signature)) == 0;
	if (!present)
		return;
	select(KEY_ID);
	read_bytes(&id, sizeof(id));
	has_dma = id & ID_DMA;
}

/* Physical address of a boot variable or of low memory. */
static uint64_t physical(const void *p)
{
	uint64_t a = (uint64_t)p;

	return a >= KERNEL_BASE ? a - KERNEL_BASE : a;
}

/* Read on in the selected file; `control` may carry a new selection. */
static void dma_read(uint32_t control, void *buffer, uint32_t len)
{
	uint64_t at = physical(&request);

	request.control = __builtin_bswap32(control | DMA_READ);
	request.len = __builtin_bswap32(len);
	request.address = __builtin_bswap64(physical(buffer));
	__asm__ volatile("outl %0, %1" ::"a"(__builtin_bswap32(at >> 32)), "Nd"((uint16_t)PORT_DMA)
			 : "memory");
	__asm__ volatile("outl %0, %1" ::"a"(__builtin_bswap32(at)), "Nd"((uint16_t)(PORT_DMA + 4))
			 : "memory");
	while (__atomic_load_n(&request.control, __ATOMIC_ACQUIRE) & __builtin_bswap32(~DMA_ERROR))
		__asm__ volatile("pause");
	if (request.control != 0)
		boot_fail(BOOT_EXIT_CONFIG, "firmware configuration: read failed");
}

static void read_on(void *buffer, uint32_t len)
{
	if (has_dma)
		dma_read(0, buffer, len);
	else
		read_bytes(buffer, len);
}

void fwcfg_read(uint16_t selector, void *buffer, uint32_t len)
{
	if (has_dma) {
		dma_read((uint32_t)selector << 16 | DMA_SELECT, buffer, len);
		return;
	}
	select(selector);
	read_bytes(buffer, len);
}

bool fwcfg_present(void)
{
	if (!probed)
		probe();
	return present;
}

/* Look through the next n files of the directory. */
static bool find_among(const char *name, uint32_t n, uint16_t *selector, uint32_t *len)
{
	read_on(files, n * sizeof(files[0]));
	for (uint32_t i = 0; i < n; i++) {
		struct file *f = &files[i];

		f->name[sizeof(f->name) - 1] = '\0';
		if (strcmp(f->name, name) != 0)
			continue;
		*selector = __builtin_bswap16(f->select);
		*len = __builtin_bswap32(f->size);
		return true;
	}
	return false;
}

bool fwcfg_find(const char *name, uint16_t *selector, uint32_t *len)
{
	uint32_t left;

	if (!fwcfg_present())
		return false;
	fwcfg_read(KEY_FILES, &left, sizeof(left));
	left = __builtin_bswap32(left);
	if (left > FILES_MAX)
		left = FILES_MAX;
	while (left > 0) {
		uint32_t n = left < FILES_AT_ONCE ? left : FILES_AT_ONCE;

		if (find_among(name, n, selector, len))
			return true;
		left -= n;
	}
	return false;
}
