/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * EROFS on disk (little endian), as the Linux kernel's documentation of the format describes it.
 * Blocks are 4 KiB here; other block sizes, compression, chunk-based files and several devices are
 * not read.
 */
#pragma once

#include "abi/types.h"

#define EROFS_SUPER_OFFSET 1024u
#define EROFS_MAGIC        0xE0F5E1E2u
#define EROFS_BLOCK_BITS   12u
#define EROFS_BLOCK        4096u
#define EROFS_SLOT \
	32u /* an inode number (nid) counts slots of this size from the metadata area on */

#define EROFS_COMPAT_SB_CHKSUM 0x1u

/* Incompatible features that change nothing for files whose own layout is flat. */
#define EROFS_INCOMPAT_ZERO_PADDING 0x1u
#define EROFS_INCOMPAT_COMPR_CFGS   0x2u
#define EROFS_INCOMPAT_CHUNKED      0x4u
#define EROFS_INCOMPAT_HARMLESS \
	(EROFS_INCOMPAT_ZERO_PADDING | EROFS_INCOMPAT_COMPR_CFGS | EROFS_INCOMPAT_CHUNKED)

struct erofs_disk_super { /* 128 bytes */
	uint32_t magic;
	uint32_t checksum; /* crc32c of the block from here to its end, this field as 0 */
	uint32_t feature_compat;
	uint8_t block_bits;
	uint8_t ext_slots;
	uint16_t root_nid;
	uint64_t inodes;
	uint64_t build_time;
	uint32_t build_time_nsec;
	uint32_t blocks;
	uint32_t meta_block;
	uint32_t xattr_block;
	uint8_t uuid[16];
	uint8_t volume_name[16];
	uint32_t feature_incompat;
	uint16_t compression;
	uint16_t extra_devices;
	uint16_t device_slot;
	uint8_t dir_block_bits;
	uint8_t reserved[37];
};
_Static_assert(sizeof(struct erofs_disk_super) == 128, "super block");

/* i_format: bit 0 extended inode, bits 1 to 3 layout of the data */
#define EROFS_FORMAT_EXTENDED    1u
#define EROFS_FORMAT_LAYOUT(f)   ((f) >> 1 & 7u)
#define EROFS_FORMAT_KNOWN       0xfu
#define EROFS_LAYOUT_FLAT_PLAIN  0u /* consecutive blocks */
#define EROFS_LAYOUT_FLAT_INLINE 2u /* the same, but the last part of a block follows the inode */

struct erofs_disk_compact { /* 32 bytes */
	uint16_t format;
	uint16_t xattr_count;
	uint16_t mode;
	uint16_t nlink;
	uint32_t size;
	uint32_t reserved;
	uint32_t u; /* first block, or device number */
	uint32_t ino;
	uint16_t uid;
	uint16_t gid;
	uint32_t reserved2;
};
_Static_assert(sizeof(struct erofs_disk_compact) == 32, "compact inode");

struct erofs_disk_extended { /* 64 bytes */
	uint16_t format;
	uint16_t xattr_count;
	uint16_t mode;
	uint16_t reserved;
	uint64_t size;
	uint32_t u;
	uint32_t ino;
	uint32_t uid;
	uint32_t gid;
	uint64_t mtime;
	uint32_t mtime_nsec;
	uint32_t nlink;
	uint8_t reserved2[16];
};
_Static_assert(sizeof(struct erofs_disk_extended) == 64, "extended inode");

/* First block of a file without blocks. */
#define EROFS_NO_BLOCK UINT32_MAX

/* Behind the inode when xattr_count is not 0: this, shared_count ids (4 bytes each), then entries.
 * Takes 12 + 4 * (xattr_count - 1) bytes. */
struct erofs_disk_xattr_header {
	uint32_t name_filter;
	uint8_t shared_count;
	uint8_t reserved[7];
};
_Static_assert(sizeof(struct erofs_disk_xattr_header) == 12, "xattr header");

struct erofs_disk_xattr { /* then name and value; the next begins at a multiple of 4 */
	uint8_t name_len;
	uint8_t name_index;
	uint16_t value_size;
};
_Static_assert(sizeof(struct erofs_disk_xattr) == 4, "xattr entry");

/*
 * A directory is a sequence of blocks, names sorted through all of them. A block begins with its
 * entries; the first one's nameoff tells how many there are; the names follow without an end mark,
 * the last one to the block's end or to a NUL.
 */
struct erofs_disk_dirent { /* 12 bytes */
	uint64_t nid;
	uint16_t nameoff;
	uint8_t type;
	uint8_t reserved;
} __attribute__((packed));
_Static_assert(sizeof(struct erofs_disk_dirent) == 12, "directory entry");
