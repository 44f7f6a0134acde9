/* SPDX-License-Identifier: BSD-2-Clause */
/* The super block, inodes, and where a file's bytes are. */
#include "base/str.h"
#include "comp/fs/erofs/local.h"
#include "kernel/core/core.h"

#define NS_PER_S     1000000000ull
#define DAMAGE_LINES 16u

err_t erofs_damaged(err_t err, const char *what, uint64_t nid)
{
	static unsigned lines;

	if (err != E_CORRUPT)
		return err;
	if (lines < DAMAGE_LINES) {
		lines++;
		log_error("erofs: the root image is damaged: %s (inode %llu)", what,
			  (unsigned long long)nid);
	}
	return E_IO;
}

const void *erofs_at(const struct erofs_image *img, uint64_t off, uint64_t len)
{
	return range_inside(off, len, 0, img->len) ? img->va + off : NULL;
}

/* CRC-32C, four bits at a time. */
static uint32_t crc32c(uint32_t crc, const uint8_t *p, size_t n)
{
	static const uint32_t table[16] = {
		0x00000000, 0x105ec76f, 0x20bd8ede, 0x30e349b1, 0x417b1dbc, 0x5125dad3,
		0x61c69362, 0x7198540d, 0x82f63b78, 0x92a8fc17, 0xa24bb5a6, 0xb21572c9,
		0xc38d26c4, 0xd3d3e1ab, 0xe330a81a, 0xf36e6f75,
	};

	for (; n > 0; n--, p++) {
		crc ^= *p;
		crc = table[crc & 15] ^ crc >> 4;
		crc = table[crc & 15] ^ crc >> 4;
	}
	return crc;
}

static bool checksum_good(const struct erofs_image *img, const struct erofs_disk_super *sb)
{
	const size_t skip = offsetof(struct erofs_disk_super, feature_compat);
	const uint8_t *p = erofs_at(img, EROFS_SUPER_OFFSET, EROFS_BLOCK - EROFS_SUPER_OFFSET);
	static const uint8_t zero[4];
	uint32_t crc;

	if (p == NULL)
		return false;
	crc = crc32c(~0u, p, offsetof(struct erofs_disk_super, checksum));
	crc = crc32c(crc, zero, sizeof(zero));
	crc = crc32c(crc, p + skip, EROFS_BLOCK - EROFS_SUPER_OFFSET - skip);
	return crc == sb->checksum;
}

static err_t super_check(const struct erofs_image *img, const struct erofs_disk_super *sb)
{
	const char *why = NULL;
	err_t err = E_CORRUPT;

	if (sb->magic != EROFS_MAGIC)
		why = "not an EROFS image";
	else if ((sb->feature_compat & EROFS_COMPAT_SB_CHKSUM) != 0 && !checksum_good(img, sb))
		why = "wrong checksum of the super block";
	else if ((uint64_t)sb->blocks * EROFS_BLOCK > img->len)
		why = "the image is cut off";
	if (why == NULL) {
		err = E_INVAL;
		if (sb->block_bits != EROFS_BLOCK_BITS || sb->dir_block_bits != 0)
			why = "blocks are not of 4096 bytes";
		else if ((sb->feature_incompat & ~EROFS_INCOMPAT_HARMLESS) != 0 ||
			 sb->extra_devices != 0)
			why = "uses features that this kernel cannot read (make it without compression)";
	}
	if (why == NULL)
		return OK;
	log_error("erofs: %s", why);
	return err;
}

err_t erofs_image_init(struct erofs_image *img, const uint8_t *va, uint64_t len, paddr_t pa)
{
	struct erofs_disk_super sb;
	const void *p;

	*img = (struct erofs_image){ .va = va, .len = len, .pa = pa };
	p = erofs_at(img, EROFS_SUPER_OFFSET, sizeof(sb));
	if (p == NULL) {
		log_error("erofs: the image is too short (%llu bytes)", (unsigned long long)len);
		return E_CORRUPT;
	}
	memcpy(&sb, p, sizeof(sb));
	TRY(super_check(img, &sb));
	img->meta = (uint64_t)sb.meta_block * EROFS_BLOCK;
	img->xattr = (uint64_t)sb.xattr_block * EROFS_BLOCK;
	img->root_nid = sb.root_nid;
	img->inodes = sb.inodes;
	img->blocks = sb.blocks;
	img->build_time_ns = (int64_t)(sb.build_time * NS_PER_S + sb.build_time_nsec);
	img->window = (((uintptr_t)va | pa.v) & PAGE_MASK) == 0;
	return OK;
}

/* ---- inodes ---- */

static uint64_t decode_rdev(uint32_t v)
{
	return dev_make(v >> 8 & 0xfff, (v & 0xff) | (v >> 12 & 0xfff00));
}

struct raw_inode { /* what compact and extended inodes have in common, and where the inode ends */
	struct erofs_disk_extended d;
	uint64_t end;
	int64_t mtime_ns;
};

static err_t raw_read(const struct erofs_image *img, uint64_t nid, struct raw_inode *raw)
{
	struct erofs_disk_compact c;
	uint64_t off;
	const void *p;

	if (!checked_mul(nid, EROFS_SLOT, &off) || !checked_add(off, img->meta, &off))
		return E_CORRUPT;
	p = erofs_at(img, off, sizeof(c));
	if (p == NULL)
		return E_CORRUPT;
	memcpy(&c, p, sizeof(c));
	if ((c.format & ~EROFS_FORMAT_KNOWN) != 0)
		return E_CORRUPT;
	if ((c.format & EROFS_FORMAT_EXTENDED) != 0) {
		p = erofs_at(img, off, sizeof(raw->d));
		if (p == NULL)
			return E_CORRUPT;
		memcpy(&raw->d, p, sizeof(raw->d));
		raw->end = off + sizeof(raw->d);
		raw->mtime_ns = (int64_t)(raw->d.mtime * NS_PER_S + raw->d.mtime_nsec);
		return OK;
	}
	raw->d = (struct erofs_disk_extended){ .format = c.format,
					       .xattr_count = c.xattr_count,
					       .mode = c.mode,
					       .size = c.size,
					       .u = c.u,
					       .ino = c.ino,
					       .uid = c.uid,
					       .gid = c.gid,
					       .nlink = c.nlink };
	raw->end = off + sizeof(c);
	raw->mtime_ns = img->build_time_ns;
	return OK;
}

/* Where the bytes of a file, directory or link are. All of it lies inside the image afterwards. */
static err_t place_data(const struct erofs_image *img, const struct raw_inode *raw,
			struct erofs_inode *i)
{
	unsigned layout = EROFS_FORMAT_LAYOUT(raw->d.format);
	uint64_t size = raw->d.size;

	if (layout != EROFS_LAYOUT_FLAT_PLAIN && layout != EROFS_LAYOUT_FLAT_INLINE)
		return E_OPNOTSUPP;
	i->plain = layout == EROFS_LAYOUT_FLAT_INLINE ? ALIGN_DOWN(size, (uint64_t)EROFS_BLOCK)
						      : size;
	i->data = (uint64_t)raw->d.u * EROFS_BLOCK;
	i->tail = raw->end + i->xattrs_len;
	if (i->plain > 0 && erofs_at(img, i->data, i->plain) == NULL)
		return E_CORRUPT;
	if (size > i->plain && erofs_at(img, i->tail, size - i->plain) == NULL)
		return E_CORRUPT;
	return OK;
}

err_t erofs_inode_load(const struct erofs_image *img, uint64_t nid, struct erofs_inode *i)
{
	struct raw_inode raw;

	TRY(raw_read(img, nid, &raw));
	i->nid = nid;
	i->xattrs = raw.end;
	i->xattrs_len = 0;
	if (raw.d.xattr_count > 0)
		i->xattrs_len = (uint32_t)sizeof(struct erofs_disk_xattr_header) +
				4u * (raw.d.xattr_count - 1u);
	if (erofs_at(img, i->xattrs, i->xattrs_len) == NULL)
		return E_CORRUPT;
	i->vfs.mode = raw.d.mode;
	i->vfs.uid = raw.d.uid;
	i->vfs.gid = raw.d.gid;
	i->vfs.nlink = raw.d.nlink > 0 ? raw.d.nlink : 1;
	i->vfs.mtime_ns = i->vfs.atime_ns = i->vfs.ctime_ns = i->vfs.btime_ns = raw.mtime_ns;
	switch (raw.d.mode & S_IFMT) {
	case S_IFREG:
	case S_IFDIR:
	case S_IFLNK: i->vfs.size = raw.d.size; return place_data(img, &raw, i);
	case S_IFCHR:
	case S_IFBLK: i->vfs.rdev = decode_rdev(raw.d.u); return OK;
	case S_IFIFO:
	case S_IFSOCK: return OK;
	default: return E_CORRUPT;
	}
}

const uint8_t *erofs_data(const struct erofs_image *img, const struct erofs_inode *i, uint64_t off,
			  uint64_t *avail)
{
	if (off < i->plain) {
		*avail = i->plain - off;
		return erofs_at(img, i->data + off, *avail);
	}
	*avail = i->vfs.size - off;
	return erofs_at(img, i->tail + (off - i->plain), *avail);
}
